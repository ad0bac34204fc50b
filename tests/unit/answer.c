/*
 * Heads of answers: the lines, and what they come to.
 */
#include "net/answer.h"

#define NONE 0

static const struct {
	const char *what;
	const char *head; /* its lines end in '\n' */
	bool complete;
	int status;
	enum http_failure refused;
} cases[] = {
	{ "final", "HTTP/1.1 204 No Content\r\n\r\n", true, 204, NONE },
	{ "no phrase", "HTTP/1.1 200\r\n\r\n", true, 200, NONE },
	{ "HTTP/1.0", "HTTP/1.0 404 x\r\nA: b\r\n\r\n", true, 404, NONE },
	{ "bare line feeds", "HTTP/1.1 200 OK\nA: b\n\n", true, 200, NONE },
	{ "unfinished", "HTTP/1.1 200 OK\r\nA: b\r\n", false, 200, NONE },
	{ "interim only", "HTTP/1.1 103 x\r\nLink: y\r\n\r\n", false, 103,
	    NONE },
	{ "interim, then final", "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 500 x\r\n\r\n",
	    true, 500, NONE },
	{ "trailers", "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "Content-Length: 3\r\n\r\n", true, 200, NONE },
	{ "the highest", "HTTP/1.1 999 x\r\n\r\n", true, 999, NONE },
	{ "the same length twice", "HTTP/1.1 200 x\r\nContent-Length: 4\r\n"
	    "content-length:4 \r\n\r\n", true, 200, NONE },
	{ "a length per head", "HTTP/1.1 103 x\r\nContent-Length: 0\r\n\r\n"
	    "HTTP/1.1 200 x\r\nContent-Length: 4\r\n\r\n", true, 200, NONE },
	{ "two lengths", "HTTP/1.1 200 x\r\nContent-Length: 4\r\n"
	    "Content-Length: 5\r\n\r\n", false, 200, HTTP_PROTOCOL },
	{ "a list of lengths", "HTTP/1.1 200 x\r\nContent-Length: 4, 4\r\n",
	    false, 200, HTTP_PROTOCOL },
	{ "a sign", "HTTP/1.1 200 x\r\nContent-Length: +4\r\n", false, 200,
	    HTTP_PROTOCOL },
	{ "no length", "HTTP/1.1 200 x\r\nContent-Length:\r\n", false, 200,
	    HTTP_PROTOCOL },
	{ "beyond 64 bits", "HTTP/1.1 200 x\r\n"
	    "Content-Length: 18446744073709551617\r\n", false, 200,
	    HTTP_PROTOCOL },
	{ "length, then chunks", "HTTP/1.1 200 x\r\nContent-Length: 4\r\n"
	    "Transfer-Encoding: chunked\r\n", false, 200, HTTP_PROTOCOL },
	{ "chunks, then length", "HTTP/1.1 200 x\r\n"
	    "TRANSFER-ENCODING: chunked\r\nCONTENT-LENGTH: 4\r\n", false, 200,
	    HTTP_PROTOCOL },
	{ "HTTP/2", "HTTP/2 200\r\n", false, 0, HTTP_PROTOCOL },
	{ "HTTP/1.12", "HTTP/1.12 200\r\n", false, 0, HTTP_PROTOCOL },
	{ "short", "HTTP/1.1 20\r\n", false, 0, HTTP_PROTOCOL },
	{ "shorter", "HTTP/1.1\r\n", false, 0, HTTP_PROTOCOL },
	{ "four digits", "HTTP/1.1 2000 x\r\n", false, 200, HTTP_PROTOCOL },
	{ "a letter", "HTTP/1.1 2x0 x\r\n", false, 0, HTTP_PROTOCOL },
	{ "below 100", "HTTP/1.1 099 x\r\n", false, 99, HTTP_PROTOCOL },
	{ "switching", "HTTP/1.1 101 x\r\n\r\n", false, 101, HTTP_PROTOCOL },
};

/* Lines of a head, one by one, as far as they are taken. */
static void
feed(struct answer *a, const char *head)
{
	const char *end;

	for (; *head; head = end) {
		end = strchr(head, '\n') + 1;
		if (answer_line(a, (struct span){ head,
		    (size_t)(end - head) }) < 0)
			return;
	}
}

static bool
is_right(size_t i)
{
	struct answer a = { 0 };

	feed(&a, cases[i].head);
	return a.complete == cases[i].complete &&
	    (a.refused || a.status == cases[i].status) &&
	    a.refused == cases[i].refused && !a.why == !a.refused;
}

/* How many bytes of fields are taken before it is too much. */
static size_t
capacity(void)
{
	const struct span line = SPAN("X: 3456789\r\n");
	struct answer a = { 0 };
	size_t n = 0;

	feed(&a, "HTTP/1.1 200 OK\r\n");
	while (answer_line(&a, line) == 0)
		n += line.len;
	return a.refused == HTTP_TOO_LARGE ? n : 0;
}

int
main(void)
{
	size_t i, n = sizeof(cases) / sizeof(cases[0]), n_bad = 0;
	bool right;

	printf("1..%zu\n", n + 1);
	for (i = 0; i < n; i++) {
		right = is_right(i);
		n_bad += !right;
		printf("%s %zu answer: %s\n", right ? "ok" : "not ok", i + 1,
		    cases[i].what);
	}
	right = capacity() > HTTP_MAX_HEADER_BYTES - 64 &&
	    capacity() <= HTTP_MAX_HEADER_BYTES;
	n_bad += !right;
	printf("%s %zu answer: the cap of a head\n", right ? "ok" : "not ok",
	    n + 1);
	return n_bad > 0;
}
