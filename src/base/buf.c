/*
 * Growing bytes.
 */
#include "base/buf.h"

#include "base/alloc.h"

void
buf_clear(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ 0 };
}

char *
buf_room(struct buf *b, size_t n)
{
	if (n > b->cap - b->len || !b->p) {
		size_t cap = b->p ? b->cap + BUF_PAD : 0;

		b->p = alloc_grow(b->p, &cap, b->len + n + BUF_PAD, 1);
		b->cap = cap - BUF_PAD;
	}
	return b->p + b->len;
}

void
buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	if (n > 0) {
		/* The pad holds the NUL. */
		vsnprintf(buf_room(b, (size_t)n), (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

void
buf_u64(struct buf *b, uint64_t n)
{
	char digits[20];
	size_t i = sizeof(digits);

	do
		digits[--i] = (char)('0' + n % 10);
	while ((n /= 10) != 0);
	buf_add(b, digits + i, sizeof(digits) - i);
}

const char *
buf_str(struct buf *b)
{
	*buf_room(b, 0) = '\0';
	return b->p;
}
