/*
 * The bounded line reader: splits what a descriptor gives into lines without
 * copying them, in large reads. A line over the limit is never held: its head
 * is kept for the report and the rest is counted and dropped.
 */
#ifndef BASE_LINE_H
#define BASE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

enum { LINE_HEAD_BYTES = 4096 }; /* what is kept of a line that is too long */

enum line_status {
	LINE_OK,    /* a line, without its '\n'; a last one without '\n' counts */
	LINE_LONG,  /* a line over the limit: its head; line_bytes tells all */
	LINE_MORE,  /* no whole line is held: call line_fill */
	LINE_END,   /* nothing left */
	LINE_FAILED /* read failed: errno says why */
};

struct line_reader {
	struct buf buf;
	size_t pos;      /* first byte not yet taken */
	size_t seen;     /* from pos on, bytes known to hold no '\n' */
	size_t max_bytes;
	size_t long_bytes; /* bytes so far of a line over the limit */
	int fd;
	bool skipping, end;
};

/* Read lines of at most max_bytes from fd, which stays the caller's. */
void line_open(struct line_reader *, int fd, size_t max_bytes);
void line_close(struct line_reader *);

/*
 * The next line that is already held. It stays valid until the next call;
 * BUF_PAD bytes behind it are readable.
 */
enum line_status line_take(struct line_reader *, struct span *line);

/*
 * One read(2). 0 and more to take, or end of file noticed; -1 with errno
 * (EAGAIN on a non-blocking descriptor).
 */
int line_fill(struct line_reader *);

/* The whole length of the line last returned as LINE_LONG. */
static inline size_t
line_bytes(const struct line_reader *r)
{
	return r->long_bytes;
}

#endif
