/*
 * The bounded line reader. States of the buffer: [taken | pos .. len), where
 * the first `seen` bytes from pos were searched already. While `skipping`,
 * the buffer starts with the head of a line over the limit.
 */
#include "base/line.h"

#include <errno.h>
#include <unistd.h>

enum { READ_BYTES = 128 * 1024 };

void
line_open(struct line_reader *r, int fd, size_t max_bytes)
{
	*r = (struct line_reader){ .fd = fd, .max_bytes = max_bytes };
}

void
line_close(struct line_reader *r)
{
	buf_clear(&r->buf);
	r->fd = -1;
}

/* Drop all but the head of the line at pos, which is over the limit. */
static void
keep_head(struct line_reader *r)
{
	size_t n = r->buf.len - r->pos;

	r->long_bytes += n - (r->skipping ? LINE_HEAD_BYTES : 0);
	memmove(r->buf.p, r->buf.p + r->pos, LINE_HEAD_BYTES);
	r->buf.len = r->seen = LINE_HEAD_BYTES;
	r->pos = 0;
	r->skipping = true;
}

static enum line_status
give(struct line_reader *r, struct span *line, size_t len, bool newline)
{
	bool too_long = r->skipping || len > r->max_bytes;

	*line = (struct span){ r->buf.p + r->pos, len };
	r->pos += len + newline;
	r->seen = 0;
	if (!too_long)
		return LINE_OK;
	r->long_bytes += len - (r->skipping ? LINE_HEAD_BYTES : 0);
	r->skipping = false;
	if (line->len > LINE_HEAD_BYTES)
		line->len = LINE_HEAD_BYTES;
	return LINE_LONG;
}

enum line_status
line_take(struct line_reader *r, struct span *line)
{
	size_t held = r->buf.len - r->pos;
	const char *nl = NULL;

	if (!r->skipping)
		r->long_bytes = 0;
	if (held > r->seen)
		nl = memchr(r->buf.p + r->pos + r->seen, '\n', held - r->seen);
	if (nl)
		return give(r, line, (size_t)(nl - (r->buf.p + r->pos)), true);
	r->seen = held;
	if (r->end) {
		if (held == 0)
			return LINE_END;
		return give(r, line, held, false);
	}
	if (held > r->max_bytes && held > LINE_HEAD_BYTES)
		keep_head(r);
	return LINE_MORE;
}

int
line_fill(struct line_reader *r)
{
	ssize_t n;

	if (r->pos > 0) {
		size_t held = r->buf.len - r->pos;

		memmove(r->buf.p, r->buf.p + r->pos, held);
		r->buf.len = held;
		r->pos = 0;
	}
	do
		n = read(r->fd, buf_room(&r->buf, READ_BYTES), READ_BYTES);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -1;
	if (n == 0)
		r->end = true;
	r->buf.len += (size_t)n;
	return 0;
}
