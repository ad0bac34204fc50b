/*
 * The head of an answer. Stricter than libcurl, which takes two lengths, a
 * length beside chunks and an HTTP/2 status line: where one reader ends a body
 * and another does not, the next answer on the connection is anybody's.
 */
#include "net/answer.h"

#include <ctype.h>

#include "base/num.h"

const char ANSWER_NOT_HTTP1[] = "the answer is not HTTP/1";
const char ANSWER_HEAD_TOO_LARGE[] = "the answer's head is over 16 KiB";

static int
refuse(struct answer *a, enum http_failure failure, const char *why)
{
	a->refused = failure;
	a->why = why;
	return -1;
}

/* RFC 9112 section 4, HTTP/1 alone. */
static int
read_status_line(struct answer *a, struct span line)
{
	const char *p = line.p;
	int i;

	if (line.len < 12 || memcmp(p, "HTTP/1.", 7) != 0 ||
	    !isdigit((unsigned char)p[7]) || p[8] != ' ')
		return refuse(a, HTTP_PROTOCOL, ANSWER_NOT_HTTP1);
	a->status = 0;
	for (i = 9; i < 12; i++) {
		if (!isdigit((unsigned char)p[i]))
			return refuse(a, HTTP_PROTOCOL, "bad status line");
		a->status = a->status * 10 + (p[i] - '0');
	}
	if (line.len > 12 && !memchr(" \r\n", p[12], 3))
		return refuse(a, HTTP_PROTOCOL, "bad status line");
	if (a->status < 100 || a->status == 101)
		return refuse(a, HTTP_PROTOCOL, "bad status");
	a->sized = a->chunked = false;
	a->retry_after[0] = '\0';
	a->wish = HTTP_NO_WISH;
	return 0;
}

static struct span
trim(struct span s)
{
	while (s.len && memchr(" \t\r\n", s.p[s.len - 1], 4))
		s.len--;
	while (s.len && (*s.p == ' ' || *s.p == '\t')) {
		s.p++;
		s.len--;
	}
	return s;
}

/* Is the line the field, named in lower case? Then its value. */
static bool
is_field(struct span line, const char *name, struct span *value)
{
	size_t len = strlen(name);

	if (line.len <= len || line.p[len] != ':' ||
	    strncasecmp(line.p, name, len) != 0)
		return false;
	*value = trim((struct span){ line.p + len + 1, line.len - len - 1 });
	return true;
}

static int
read_length(struct answer *a, struct span value)
{
	uint64_t n;

	if (num_u64(value, 0, INT64_MAX, &n) < 0)
		return refuse(a, HTTP_PROTOCOL, "bad Content-Length");
	if (a->sized && n != a->length)
		return refuse(a, HTTP_PROTOCOL, "two different Content-Length");
	a->sized = true;
	a->length = n;
	return 0;
}

static void
read_wishes(struct answer *a, struct span line)
{
	struct span value;

	if (is_field(line, "retry-after", &value) &&
	    value.len < sizeof(a->retry_after)) {
		memcpy(a->retry_after, value.p, value.len);
		a->retry_after[value.len] = '\0';
	} else if (is_field(line, "webhook-delivery", &value)) {
		if (span_eq(value, SPAN("disable")))
			a->wish = HTTP_WISH_DISABLE;
		else if (span_eq(value, SPAN("abort-message")))
			a->wish = HTTP_WISH_ABORT;
	}
}

/* RFC 9112 section 6.3: what can't be framed for sure is not an answer. */
static int
read_field(struct answer *a, struct span line)
{
	struct span value;

	if (is_field(line, "transfer-encoding", &value))
		a->chunked = true;
	else if (is_field(line, "content-length", &value)) {
		if (read_length(a, value) < 0)
			return -1;
	} else
		read_wishes(a, line);
	if (a->sized && a->chunked)
		return refuse(a, HTTP_PROTOCOL,
		    "Content-Length beside Transfer-Encoding");
	return 0;
}

int
answer_line(struct answer *a, struct span line)
{
	a->head_bytes += line.len;
	if (a->head_bytes > HTTP_MAX_HEADER_BYTES)
		return refuse(a, HTTP_TOO_LARGE, ANSWER_HEAD_TOO_LARGE);
	if (a->complete)
		return 0; /* trailers */
	if (line.len >= 5 && memcmp(line.p, "HTTP/", 5) == 0)
		return read_status_line(a, line);
	if (trim(line).len == 0) {
		a->complete = a->status >= 200;
		return 0;
	}
	return read_field(a, line);
}
