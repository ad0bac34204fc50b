/*
 * The chunked transfer coding.
 */
#include "net/chunks.h"

#include "net/field.h"

enum { MAX_LINE_BYTES = 8 * 1024 }; /* a size, an extension */

void
chunks_reset(struct chunks *c)
{
	*c = (struct chunks){ .line = { .p = c->line.p, .cap = c->line.cap } };
}

void
chunks_clear(struct chunks *c)
{
	buf_clear(&c->line);
	*c = (struct chunks){ 0 };
}

static void
bad(struct chunks *c, const char *reason)
{
	c->state = CHUNKS_BAD;
	c->reason = reason;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void
read_size(struct chunks *c, struct span line)
{
	const char *extension = memchr(line.p, ';', line.len);
	struct span digits = field_trim((struct span){ line.p, extension ?
	    (size_t)(extension - line.p) : line.len });
	uint64_t size = 0;
	size_t i;

	for (i = 0; i < digits.len; i++) {
		int d = hex_digit(digits.p[i]);

		if (d < 0) {
			bad(c, "a chunk size is no number");
			return;
		}
		/* Beyond any limit on what comes out it may stay what it is. */
		if (size < UINT64_MAX >> 8)
			size = size * 16 + (unsigned)d;
	}
	if (i == 0) {
		bad(c, "a chunk has no size");
		return;
	}
	c->left = size;
	c->state = size ? CHUNKS_DATA : CHUNKS_TRAILER;
}

static void
end_line(struct chunks *c)
{
	struct span line = { c->line.p, c->line.len - 1 };

	if (line.len == 0 || line.p[line.len - 1] != '\r') {
		bad(c, "a line between chunks ends without CR");
		return;
	}
	line.len--;
	if (c->state == CHUNKS_SIZE) {
		read_size(c, line);
	} else if (c->state == CHUNKS_END) {
		if (line.len)
			bad(c, "a chunk is longer than its size");
		else
			c->state = CHUNKS_SIZE;
	} else {
		c->trailer_bytes += line.len;
		if (line.len == 0)
			c->state = CHUNKS_WHOLE;
		else if (c->trailer_bytes > CHUNKS_MAX_TRAILER_BYTES)
			bad(c, "the trailers are too large");
	}
}

static size_t
feed_line(struct chunks *c, struct span in)
{
	const char *lf = memchr(in.p, '\n', in.len);
	size_t n = lf ? (size_t)(lf - in.p) + 1 : in.len;

	if (n > MAX_LINE_BYTES - c->line.len) {
		bad(c, "a line between chunks is too long");
		return 0;
	}
	buf_add(&c->line, in.p, n);
	if (lf) {
		end_line(c);
		c->line.len = 0;
	}
	return n;
}

size_t
chunks_feed(struct chunks *c, struct span in, struct span *data)
{
	size_t used = 0;

	*data = (struct span){ in.p, 0 };
	while (used < in.len && c->state != CHUNKS_DATA &&
	    c->state < CHUNKS_WHOLE)
		used += feed_line(c, (struct span){ in.p + used,
		    in.len - used });
	if (c->state != CHUNKS_DATA)
		return used;
	*data = (struct span){ in.p + used, in.len - used };
	if (data->len > c->left)
		data->len = (size_t)c->left;
	c->left -= data->len;
	if (c->left == 0)
		c->state = CHUNKS_END;
	return used + data->len;
}
