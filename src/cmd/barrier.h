/*
 * Barriers (DESIGN.md section 6): `{"barrier":"SESSION.N"}`, by which a pipe
 * acknowledges. A program passes one on in its place, in its bytes, once its
 * own effects are on disk, and only if it passed the one before.
 */
#ifndef CMD_BARRIER_H
#define CMD_BARRIER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "cmd/stage.h"

enum { BARRIER_SESSION_BYTES = 64 }; /* at most; ev-pull's have 32 */

/* The one passed on last. Zeroed: none. */
struct barriers {
	char session[BARRIER_SESSION_BYTES];
	size_t session_len;
	uint64_t n;
};

/*
 * Is the line a barrier: an object with that one member, spelt plainly? A
 * session is 1 to 64 of [A-Za-z0-9_-].
 */
bool barrier_is(struct span line);
bool barrier_read(struct span line, struct span *session, uint64_t *n);

/*
 * May this barrier be passed on: the first (0) of a new session, or the next
 * of the last one? Then it counts as passed. 0, or -1 with the error.
 */
int barriers_pass(struct barriers *, struct span line, struct error *);

/*
 * For a stage whose effects are its output and its rejects: the barrier in
 * stage->input goes behind what was written, when rejects and unmatched events
 * are on disk.
 * Dies with 2 if there is nowhere to put rejects, with 3 if it can't be passed.
 */
void barrier_pass(struct barriers *, struct stage *);

/* The check for 2 alone. */
void barrier_need_rejects(struct stage *);

#endif
