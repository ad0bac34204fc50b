/*
 * The answer to a POST. Where one reader ends a body and another does not, the
 * next answer on the connection is anybody's: two lengths, or a length beside
 * chunks, are no answer; what is only odd ends with the connection.
 */
#include "net/answer.h"

#include <ctype.h>
#include <time.h>

#include "base/clock.h"
#include "base/num.h"
#include "net/field.h"

static const char VERSION[] = "HTTP/1.";

void
answer_reset(struct answer *a)
{
	a->line.len = 0;
	chunks_reset(&a->chunks);
	*a = (struct answer){ .line = a->line, .chunks = a->chunks };
}

void
answer_clear(struct answer *a)
{
	chunks_clear(&a->chunks);
	buf_clear(&a->line);
}

static void
refuse(struct answer *a, enum http_failure failure, const char *why)
{
	a->state = ANSWER_BAD;
	a->refused = failure;
	a->why = why;
}

static void
refuse_protocol(struct answer *a, const char *why)
{
	refuse(a, HTTP_PROTOCOL, why);
}

/* RFC 9112 section 4, HTTP/1 alone. */
static void
read_status_line(struct answer *a, struct span line)
{
	const char *p = line.p;
	int i;

	if (line.len < 12 || memcmp(p, VERSION, 7) != 0 ||
	    !isdigit((unsigned char)p[7]) || p[8] != ' ') {
		refuse_protocol(a, "the answer is not HTTP/1");
		return;
	}
	a->status = 0;
	for (i = 9; i < 12; i++) {
		if (!isdigit((unsigned char)p[i])) {
			refuse_protocol(a, "bad status line");
			return;
		}
		a->status = a->status * 10 + (p[i] - '0');
	}
	if (line.len > 12 && !memchr(" \r\n", p[12], 3))
		refuse_protocol(a, "bad status line");
	else if (a->status < 100 || a->status == 101)
		refuse_protocol(a, "bad status");
	else
		a->state = ANSWER_FIELDS;
	a->old = p[7] == '0';
	a->persists = !a->old;
	a->sized = a->chunked = a->coded = a->odd = false;
	a->retry_after[0] = '\0';
	a->wish = HTTP_NO_WISH;
}

static void
read_length(struct answer *a, struct span value)
{
	uint64_t n;

	if (num_u64(value, 0, INT64_MAX, &n) < 0)
		refuse_protocol(a, "bad Content-Length");
	else if (a->sized && n != a->left)
		refuse_protocol(a, "two different Content-Length");
	a->sized = true;
	a->left = n;
}

/* RFC 9112 section 6.1 */
static void
read_coding(struct answer *a, struct span value)
{
	if (a->chunked || a->old || !field_is(value, "chunked"))
		a->coded = true;
	a->chunked = true;
}

/* RFC 9112 section 9.3 */
static void
read_connection(struct answer *a, struct span value)
{
	if (field_lists(value, "close"))
		a->persists = false;
	else if (a->old && field_lists(value, "keep-alive"))
		a->persists = true;
}

static void
read_wish(struct answer *a, struct span value)
{
	if (span_eq(value, SPAN("disable")))
		a->wish = HTTP_WISH_DISABLE;
	else if (span_eq(value, SPAN("abort-message")))
		a->wish = HTTP_WISH_ABORT;
}

static void
read_field(struct answer *a, struct span line)
{
	const char *colon = memchr(line.p, ':', line.len);
	struct span name, value;

	if (memchr(line.p, '\0', line.len) || (!colon && *line.p != ' ' &&
	    *line.p != '\t')) {
		refuse_protocol(a, "bad field in the answer's head");
		return;
	}
	/* More of the value before (RFC 9112 5.2): who reads that how? */
	if (*line.p == ' ' || *line.p == '\t') {
		a->odd = true;
		return;
	}
	name = (struct span){ line.p, (size_t)(colon - line.p) };
	/* "Content-Length :", CR within: others may read a length there. */
	if (field_trim(name).len != name.len || memchr(line.p, '\r', line.len))
		a->odd = true;
	value = field_trim((struct span){ colon + 1, line.len - name.len - 1 });
	if (field_is(name, "content-length"))
		read_length(a, value);
	else if (field_is(name, "transfer-encoding"))
		read_coding(a, value);
	else if (field_is(name, "connection"))
		read_connection(a, value);
	else if (field_is(name, "webhook-delivery"))
		read_wish(a, value);
	else if (field_is(name, "retry-after") &&
	    value.len < sizeof(a->retry_after)) {
		memcpy(a->retry_after, value.p, value.len);
		a->retry_after[value.len] = '\0';
	}
	if (a->sized && a->chunked && a->state == ANSWER_FIELDS)
		refuse_protocol(a, "Content-Length beside Transfer-Encoding");
}

/* RFC 9112 section 6.3: how the body ends. */
static void
end_head(struct answer *a)
{
	if (a->status < 200) {
		a->state = ANSWER_STATUS;
		return;
	}
	a->complete = true;
	/* A length is what a body would have had (RFC 9110 8.6), or it has. */
	if (a->status == 204 || a->status == 304)
		a->odd |= a->chunked || (a->sized && a->left);
	if (a->status == 204 || a->status == 304 || (a->sized && a->left == 0))
		a->state = ANSWER_WHOLE;
	else if (a->sized)
		a->state = ANSWER_BODY;
	else if (a->chunked && !a->coded)
		a->state = ANSWER_CHUNKS;
	else
		a->state = ANSWER_TO_END;
	if (a->state == ANSWER_TO_END || a->coded || a->odd)
		a->persists = false;
}

static void
read_line(struct answer *a, struct span line)
{
	a->head_bytes += line.len;
	line.len--;
	if (line.len && line.p[line.len - 1] == '\r')
		line.len--;
	if (a->state == ANSWER_STATUS)
		read_status_line(a, line);
	else if (line.len)
		read_field(a, line);
	else
		end_head(a);
}

/* What is no answer may have no end of line either. */
static bool
may_be_status_line(const struct answer *a, struct span in)
{
	size_t at = a->line.len < 7 ? a->line.len : 7, n = 7 - at;

	return memcmp(in.p, VERSION + at, in.len < n ? in.len : n) == 0;
}

static size_t
feed_head(struct answer *a, struct span in)
{
	const char *lf = memchr(in.p, '\n', in.len);
	size_t n = lf ? (size_t)(lf - in.p) + 1 : in.len;

	if (a->state == ANSWER_STATUS && !may_be_status_line(a, in)) {
		refuse_protocol(a, "the answer is not HTTP/1");
		return 0;
	}
	if (a->head_bytes + a->line.len + n > HTTP_MAX_HEADER_BYTES) {
		refuse(a, HTTP_TOO_LARGE, "the answer's head is over 16 KiB");
		return 0;
	}
	if (lf && a->line.len == 0) {
		read_line(a, (struct span){ in.p, n });
		return n;
	}
	buf_add(&a->line, in.p, n);
	if (lf) {
		read_line(a, buf_bytes(&a->line));
		a->line.len = 0;
	}
	return n;
}

/* The rest is not read: neither whole nor wanted. */
static void
cut_off(struct answer *a)
{
	a->persists = false;
	a->state = ANSWER_WHOLE;
}

static void
keep(struct answer *a, struct span data)
{
	size_t room = a->body_bytes < sizeof(a->body) ?
	    sizeof(a->body) - a->body_bytes : 0;

	if (room)
		memcpy(a->body + a->body_bytes, data.p,
		    data.len < room ? data.len : room);
	a->body_bytes += data.len;
	if (a->body_bytes > HTTP_MAX_BODY_BYTES)
		cut_off(a);
}

static size_t
feed_body(struct answer *a, struct span in)
{
	if (a->state == ANSWER_BODY && in.len > a->left)
		in.len = (size_t)a->left;
	a->left -= a->state == ANSWER_BODY ? in.len : 0;
	keep(a, in);
	if (a->state == ANSWER_BODY && a->left == 0)
		a->state = ANSWER_WHOLE;
	return in.len;
}

static size_t
feed_chunks(struct answer *a, struct span in)
{
	struct span data;
	size_t room = HTTP_MAX_BODY_BYTES + 1 - a->chunked_bytes, n;

	if (in.len > room)
		in.len = room;
	n = chunks_feed(&a->chunks, in, &data);
	a->chunked_bytes += n;
	keep(a, data);
	if (a->chunks.state == CHUNKS_BAD ||
	    a->chunked_bytes > HTTP_MAX_BODY_BYTES)
		cut_off(a);
	else if (a->chunks.state == CHUNKS_WHOLE)
		a->state = ANSWER_WHOLE;
	return n;
}

size_t
answer_feed(struct answer *a, struct span in)
{
	size_t used = 0;

	while (used < in.len && a->state < ANSWER_WHOLE) {
		struct span rest = { in.p + used, in.len - used };

		if (a->state < ANSWER_BODY)
			used += feed_head(a, rest);
		else if (a->state == ANSWER_CHUNKS)
			used += feed_chunks(a, rest);
		else
			used += feed_body(a, rest);
	}
	return used;
}

/* RFC 9110 5.6.7: the form that is sent, and the two that were once. -1: none. */
static int64_t
read_date(const char *text)
{
	static const char *const forms[] = { "%a, %d %b %Y %H:%M:%S GMT",
		"%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y" };
	char utc[CLOCK_RFC3339_BYTES];
	size_t i;

	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm tm = { 0 };
		const char *end = strptime(text, forms[i], &tm);

		if (end && !*end && strftime(utc, sizeof(utc),
		    "%Y-%m-%dT%H:%M:%SZ", &tm))
			return clock_of_rfc3339(span_of(utc));
	}
	return -1;
}

int64_t
answer_retry_after_ms(const struct answer *a, int64_t now_wall_ms)
{
	uint64_t seconds;
	int64_t date_ms;

	if (!*a->retry_after)
		return -1;
	if (num_u64(span_of(a->retry_after), 0, INT32_MAX, &seconds) == 0)
		return (int64_t)seconds * 1000;
	date_ms = read_date(a->retry_after);
	if (date_ms < 0)
		return -1;
	return date_ms > now_wall_ms ? date_ms - now_wall_ms : 0;
}
