/*
 * Reject records (DESIGN.md section 2): what could not be understood, with the
 * reason and the line as it came, appended to a file that programs share.
 */
#ifndef EVENT_REJECT_H
#define EVENT_REJECT_H

#include <stdint.h>

#include "base/append.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

struct reject {
	const char *program; /* borrowed */
	struct append file;  /* none: rejects are only diagnosed */
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

/* As append_sync. */
static inline int
reject_sync(struct reject *r, struct error *e)
{
	return append_sync(&r->file, e);
}

#endif
