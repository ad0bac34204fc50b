/*
 * Record output: lines gathered and written in large pieces, whole lines at a
 * time. A failure sticks and is reported by out_flush.
 */
#ifndef BASE_OUT_H
#define BASE_OUT_H

#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

enum { OUT_BYTES = 64 * 1024 }; /* written when this much has gathered */

struct out {
	struct buf buf; /* add to it freely, then call out_end_line */
	int fd;
	int error; /* errno of the first failed write; EPIPE: reader gone */
	uint64_t n_lines; /* ended by out_end_line, */
	uint64_t n_bytes; /* written by out_flush */
};

void out_open(struct out *, int fd);
void out_close(struct out *); /* releases memory; does not flush */

/* Write all that has gathered. 0, or -1 with errno as of the first failure. */
int out_flush(struct out *);

/* End a record: adds '\n', writes if enough has gathered. 0 or -1. */
static inline int
out_end_line(struct out *o)
{
	buf_putc(&o->buf, '\n');
	o->n_lines++;
	return o->buf.len < OUT_BYTES ? 0 : out_flush(o);
}

static inline int
out_line(struct out *o, struct span line)
{
	buf_span(&o->buf, line);
	return out_end_line(o);
}

/* Write len bytes to fd whatever it takes. 0, or -1 with errno. */
int out_write_all(int fd, const void *p, size_t len);

#endif
