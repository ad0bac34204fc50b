/*
 * Reject records (DESIGN.md section 2): what could not be understood, with the
 * reason and the line as it came, appended to a file that programs share.
 */
#ifndef EVENT_REJECT_H
#define EVENT_REJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

struct reject {
	const char *program; /* borrowed */
	int fd;              /* -1: no file, rejects are only diagnosed */
	char *path;          /* its folder is to be synced, too; NULL: it was */
	bool dirty;          /* something was written since reject_sync */
	struct buf record;   /* the one being written */
};

/*
 * Open the file for appending, 0600, created if absent. path NULL: $EV_REJECTS;
 * neither: no file. 0, or -1 with the error.
 */
int reject_open(struct reject *, const char *program, const char *path,
    struct error *);
int reject_close(struct reject *, struct error *); /* 0 or -1 */

/*
 * Append one record in one write(2). faults: objects with commas between, for
 * the member of that name; empty: none. reason is a code (`not-json`,
 * `unknown-event`, `invalid-payload`, `invalid-call`, `too-long`, …), error a
 * text. file: the operand, or NULL. bytes: 0, or the length of an oversize
 * line of which input is the head. 0, or -1 with the error.
 */
int reject_write(struct reject *, const char *file, uint64_t line,
    const char *reason, struct span error, struct span faults,
    struct span input, uint64_t bytes, struct error *);

/*
 * What was written is on disk, and the file's name with it. Where it went to no
 * file there is nothing to wait for. 0, or -1 with the error.
 */
int reject_sync(struct reject *, struct error *);

#endif
