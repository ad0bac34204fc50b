/*
 * Growing bytes. A buffer that was cleared or zeroed is empty and owns
 * nothing. BUF_PAD bytes behind the contents are always readable, so that a
 * scanner may load whole vectors (json/reader.h).
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/span.h"

enum { BUF_PAD = 64 };

struct buf {
	char *p; /* NULL until something is added */
	size_t len, cap;
};

void buf_clear(struct buf *); /* release; empty afterwards */

/* Room for n more bytes; returns where they go. Add n to len when written. */
char *buf_room(struct buf *, size_t n);

void buf_printf(struct buf *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *, const char *fmt, va_list)
    __attribute__((format(printf, 2, 0)));
void buf_u64(struct buf *, uint64_t n);

/* The contents as a NUL-terminated string, valid until the next change. */
const char *buf_str(struct buf *);

static inline void
buf_add(struct buf *b, const void *p, size_t len)
{
	if (len) {
		memcpy(buf_room(b, len), p, len);
		b->len += len;
	}
}

static inline void
buf_span(struct buf *b, struct span s)
{
	buf_add(b, s.p, s.len);
}

static inline void
buf_puts(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

static inline void
buf_putc(struct buf *b, char c)
{
	*buf_room(b, 1) = c;
	b->len++;
}

static inline struct span
buf_bytes(const struct buf *b)
{
	return (struct span){ b->p ? b->p : "", b->len };
}

#endif
