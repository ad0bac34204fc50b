/*
 * A request as a receiver reads it.
 */
#include "net/sink_request.h"

#include "base/alloc.h"
#include "base/num.h"
#include "net/field.h"

enum {
	KEPT_BODY_BYTES = 1024 * 1024, /* a larger buffer is given back */
};

void
sink_request_clear(struct sink_request *r)
{
	buf_clear(&r->head);
	buf_clear(&r->body);
	chunks_clear(&r->chunks);
	free(r->fields);
	*r = (struct sink_request){ 0 };
}

void
sink_request_reset(struct sink_request *r)
{
	if (r->body.cap > KEPT_BODY_BYTES)
		buf_clear(&r->body);
	r->head.len = r->body.len = 0;
	chunks_reset(&r->chunks);
	r->state = SINK_HEAD;
	r->method = r->target = r->version = (struct span){ 0 };
	r->n_fields = 0;
	r->keep_alive = r->wants_continue = false;
	r->status = 0;
	r->reason = NULL;
	r->line_at = 0;
	r->left = 0;
}

static int
bad(struct sink_request *r, int status, const char *reason)
{
	r->state = SINK_BAD;
	r->status = status;
	r->reason = reason;
	return -1;
}

void
sink_request_end(struct sink_request *r)
{
	(void)bad(r, 0, "the sender closed in mid request");
}

/* RFC 9110 section 5.6.2. */
static bool
is_token(struct span s)
{
	size_t i;

	for (i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
			continue;
		if (c <= ' ' || c >= 0x7f ||
		    strchr("\"(),/:;<=>?@[\\]{}", c))
			return false;
	}
	return s.len > 0;
}

static bool
is_target(struct span s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7f)
			return false;
	return s.len > 0;
}

static bool
is_value(struct span s)
{
	size_t i;

	for (i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

/* Cut what is before the separator off s; all of it if there is none. */
static struct span
cut(struct span *s, char separator)
{
	const char *at = memchr(s->p, separator, s->len);
	struct span part = { s->p, at ? (size_t)(at - s->p) : s->len };
	size_t n = part.len + (at != NULL);

	*s = (struct span){ s->p + n, s->len - n };
	return part;
}

/* RFC 9112 section 3. */
static int
read_request_line(struct sink_request *r, struct span line)
{
	r->method = cut(&line, ' ');
	r->target = cut(&line, ' ');
	r->version = line;
	if (!is_token(r->method))
		return bad(r, 400, "the method is no token");
	if (!is_target(r->target))
		return bad(r, 400, "the target is empty or has odd bytes");
	if (r->version.len != 8 || memcmp(r->version.p, "HTTP/", 5) != 0)
		return bad(r, 400, "the request line ends in no HTTP version");
	if (memcmp(r->version.p, "HTTP/1.", 7) != 0)
		return bad(r, 505, "the version is not HTTP/1");
	return 0;
}

/* RFC 9112 section 5. */
static int
read_field(struct sink_request *r, struct span line)
{
	struct sink_field f;

	if (line.p[0] == ' ' || line.p[0] == '\t')
		return bad(r, 400, "a header line is folded");
	if (!memchr(line.p, ':', line.len))
		return bad(r, 400, "a header line has no colon");
	f.name = cut(&line, ':');
	f.value = field_trim(line);
	if (!is_token(f.name))
		return bad(r, 400, "a header name is no token");
	if (!is_value(f.value))
		return bad(r, 400, "a header value has control characters");
	if (r->n_fields == r->cap_fields)
		r->fields = alloc_grow(r->fields, &r->cap_fields,
		    r->n_fields + 1, sizeof(*r->fields));
	r->fields[r->n_fields++] = f;
	return 0;
}

/* What the fields say about the message. */
struct framing {
	uint64_t length;
	bool has_length, chunked, has_host, close, expects;
};

static int
read_length(struct sink_request *r, struct framing *m, struct span value)
{
	uint64_t n;

	if (num_u64(value, 0, UINT64_MAX, &n) < 0)
		return bad(r, 400, "Content-Length is no number");
	if (m->has_length && m->length != n)
		return bad(r, 400, "two Content-Length headers differ");
	m->has_length = true;
	m->length = n;
	return 0;
}

static int
read_framing(struct sink_request *r, struct framing *m)
{
	size_t i;

	for (i = 0; i < r->n_fields; i++) {
		struct span name = r->fields[i].name, value = r->fields[i].value;

		if (field_is(name, "content-length")) {
			if (read_length(r, m, value) < 0)
				return -1;
		} else if (field_is(name, "transfer-encoding")) {
			if (m->chunked || !field_is(value, "chunked"))
				return bad(r, 501, "a Transfer-Encoding "
				    "other than chunked");
			m->chunked = true;
		} else if (field_is(name, "host")) {
			if (m->has_host)
				return bad(r, 400, "two Host headers");
			m->has_host = true;
		} else if (field_is(name, "connection")) {
			m->close |= field_lists(value, "close");
		} else if (field_is(name, "expect")) {
			m->expects |= field_lists(value, "100-continue");
		}
	}
	return 0;
}

/* RFC 9112 section 6.3: how long the body is. */
static int
judge_framing(struct sink_request *r, const struct framing *m)
{
	bool http10 = r->version.p[7] == '0';

	if (!m->has_host && !http10)
		return bad(r, 400, "no Host header");
	if (m->chunked && m->has_length)
		return bad(r, 400, "both Transfer-Encoding and Content-Length");
	if (m->chunked && http10)
		return bad(r, 400, "Transfer-Encoding in HTTP/1.0");
	if (m->length > SINK_MAX_BODY_BYTES)
		return bad(r, 413, "the body is too large");
	/* We would have to announce it in an HTTP/1.0 answer. */
	r->keep_alive = !http10 && !m->close;
	r->left = m->length;
	r->state = m->chunked ? SINK_CHUNKS : r->left ? SINK_BODY : SINK_WHOLE;
	r->wants_continue = m->expects && !http10 && r->state != SINK_WHOLE;
	return 0;
}

/* The head is whole: every line of it ends in CRLF, the last is empty. */
static int
read_head(struct sink_request *r)
{
	struct span rest = { r->head.p, r->head.len - 2 }, line;
	struct framing m = { 0 };

	line = cut(&rest, '\n');
	line.len--;
	if (read_request_line(r, line) < 0)
		return -1;
	while (rest.len) {
		line = cut(&rest, '\n');
		line.len--;
		if (read_field(r, line) < 0)
			return -1;
	}
	return read_framing(r, &m) < 0 ? -1 : judge_framing(r, &m);
}

/* A line of the head was added. */
static void
end_head_line(struct sink_request *r)
{
	size_t len = r->head.len - r->line_at;
	const char *line = r->head.p + r->line_at;

	if (len < 2 || line[len - 2] != '\r') {
		(void)bad(r, 400, "a line of the head ends without CR");
	} else if (len > 2) {
		r->line_at = r->head.len;
	} else if (r->line_at == 0) {
		/* Empty lines before a request are skipped (RFC 9112, 2.2). */
		r->head.len = 0;
	} else {
		(void)read_head(r);
	}
}

static size_t
feed_head(struct sink_request *r, struct span in)
{
	const char *lf = memchr(in.p, '\n', in.len);
	size_t n = lf ? (size_t)(lf - in.p) + 1 : in.len;

	if (n > SINK_MAX_HEAD_BYTES - r->head.len) {
		(void)bad(r, 431, "the head is too large");
		return 0;
	}
	buf_add(&r->head, in.p, n);
	if (lf)
		end_head_line(r);
	return n;
}

static size_t
feed_body(struct sink_request *r, struct span in)
{
	size_t n = in.len < r->left ? in.len : (size_t)r->left;

	buf_add(&r->body, in.p, n);
	r->left -= n;
	if (r->left == 0)
		r->state = SINK_WHOLE;
	return n;
}

static size_t
feed_chunks(struct sink_request *r, struct span in)
{
	struct chunks *c = &r->chunks;
	struct span data;
	size_t n = chunks_feed(c, in, &data);

	if (data.len > SINK_MAX_BODY_BYTES - r->body.len ||
	    c->left > SINK_MAX_BODY_BYTES - r->body.len - data.len) {
		(void)bad(r, 413, "the body is too large");
		return n;
	}
	buf_span(&r->body, data);
	if (c->state == CHUNKS_WHOLE)
		r->state = SINK_WHOLE;
	else if (c->state == CHUNKS_BAD)
		(void)bad(r, c->trailer_bytes > CHUNKS_MAX_TRAILER_BYTES ?
		    431 : 400, c->reason);
	return n;
}

size_t
sink_request_feed(struct sink_request *r, struct span in)
{
	size_t used = 0;

	while (used < in.len && !sink_request_done(r)) {
		struct span rest = { in.p + used, in.len - used };

		if (r->state == SINK_HEAD)
			used += feed_head(r, rest);
		else if (r->state == SINK_BODY)
			used += feed_body(r, rest);
		else
			used += feed_chunks(r, rest);
	}
	return used;
}
