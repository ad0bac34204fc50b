/*
 * Answers: what the bytes come to, in pieces of any size; where they end.
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
	{ "no colon", "HTTP/1.1 200 x\r\nContent-Length 4\r\n", false, 200,
	    HTTP_PROTOCOL },
	{ "another protocol", "SSH-2.0-x", false, 0, HTTP_PROTOCOL },
	{ "an empty line first", "\r\nHTTP/1.1 200 x\r\n\r\n", false, 0,
	    HTTP_PROTOCOL },
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

/* What follows the first answer on a connection: the next one. */
#define OK "HTTP/1.1 200 x\r\n"
static const struct {
	const char *what, *text;
	size_t left;       /* bytes behind it, not taken */
	const char *body;
	bool whole, persists;
} bodies[] = {
	{ "sized", OK "Content-Length: 3\r\n\r\nabcHTTP", 4, "abc", true,
	    true },
	{ "sized, short", OK "Content-Length: 4\r\n\r\nabc", 0, "abc", false,
	    true },
	{ "none by its length", OK "Content-Length: 0\r\n\r\nx", 1, "", true,
	    true },
	{ "none by its status", "HTTP/1.1 204 x\r\nContent-Length: 3\r\n\r\n"
	    "abc", 3, "", true, false },
	{ "nor chunks", "HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "0", 1, "", true, false },
	{ "none, and none said", "HTTP/1.1 204 x\r\nContent-Length: 0\r\n\r\n",
	    0, "", true, true },
	{ "none by 304", "HTTP/1.1 304 x\r\n\r\nabc", 3, "", true, true },
	{ "a length beside an odd one", OK "Content-Length: 1\r\n"
	    "Transfer-Encoding : chunked\r\n\r\na", 0, "a", true, false },
	{ "CR within a field", OK "X: y\rContent-Length: 2\r\n"
	    "Content-Length: 1\r\n\r\na", 0, "a", true, false },
	{ "odd in HTTP/1.0", "HTTP/1.0 200 x\r\nContent-Length: 1\r\n 0\r\n"
	    "Connection: keep-alive\r\n\r\na", 0, "a", true, false },
	{ "to the end", OK "\r\nabc", 0, "abc", false, false },
	{ "chunks", OK "Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n"
	    "2\r\nde\r\n0\r\nT: u\r\n\r\nHTTP", 4, "abcde", true, true },
	{ "chunks, short", OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc", 0,
	    "abc", false, true },
	{ "a bad chunk", OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n",
	    0, "abc", true, false },
	{ "another coding", OK "Transfer-Encoding: gzip, chunked\r\n\r\n"
	    "0\r\n\r\n", 0, "0\r\n\r\n", false, false },
	{ "chunked twice", OK "Transfer-Encoding: chunked\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0,
	    "0\r\n\r\n", false, false },
	{ "close", OK "Content-Length: 1\r\nConnection: x, Close\r\n\r\na", 0,
	    "a", true, false },
	{ "HTTP/1.0", "HTTP/1.0 200 x\r\nContent-Length: 1\r\n\r\na", 0, "a",
	    true, false },
	{ "HTTP/1.0, kept", "HTTP/1.0 200 x\r\nConnection: keep-alive\r\n"
	    "Content-Length: 1\r\n\r\na", 0, "a", true, true },
	{ "HTTP/1.0 with chunks", "HTTP/1.0 200 x\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0,
	    "0\r\n\r\n", false, false },
	{ "a blank before the colon", OK "Content-Length : 1\r\n\r\na", 0, "a",
	    false, false },
	{ "a folded length", OK "Content-Length: 1\r\n 0\r\n\r\na123456789",
	    9, "a", true, false },
	{ "after an interim one", "HTTP/1.1 100 x\r\nConnection: close\r\n\r\n"
	    OK "Content-Length: 1\r\n\r\na", 0, "a", true, true },
};

/* All of it in pieces of so many bytes. How many were taken. */
static size_t
feed(struct answer *a, const char *text, size_t piece)
{
	size_t len = strlen(text), at = 0, n, used;

	do {
		n = len - at < piece ? len - at : piece;
		used = answer_feed(a, (struct span){ text + at, n });
		at += used;
	} while (used == n && at < len);
	return at;
}

static bool
is_right(size_t i, size_t piece)
{
	struct answer a = { 0 };
	bool right;

	(void)feed(&a, cases[i].head, piece);
	right = a.complete == cases[i].complete &&
	    (a.refused || a.status == cases[i].status) &&
	    a.refused == cases[i].refused && !a.why == !a.refused &&
	    (a.state == ANSWER_BAD) == (a.refused != NONE);
	answer_clear(&a);
	return right;
}

static bool
ends_right(size_t i, size_t piece)
{
	struct answer a = { 0 };
	size_t len = strlen(bodies[i].text);
	bool right = len - feed(&a, bodies[i].text, piece) == bodies[i].left &&
	    a.complete && (a.state == ANSWER_WHOLE) == bodies[i].whole &&
	    a.persists == bodies[i].persists &&
	    a.body_bytes == strlen(bodies[i].body) &&
	    memcmp(a.body, bodies[i].body, a.body_bytes) == 0;

	answer_clear(&a);
	return right;
}

/* How many bytes of fields are taken before it is too much. */
static size_t
capacity(const char *line)
{
	struct answer a = { 0 };
	size_t n = 0;

	(void)feed(&a, OK, 100);
	while (a.state < ANSWER_WHOLE)
		n += feed(&a, line, 100);
	answer_clear(&a);
	return a.refused == HTTP_TOO_LARGE ? n : 0;
}

/* An endless body is given up; its beginning is there. */
static bool
is_cut_off(const char *framing)
{
	static char mass[70000];
	struct answer a = { 0 };
	bool right;

	memset(mass, 'z', sizeof(mass));
	(void)feed(&a, OK, 100);
	(void)feed(&a, framing, 100);
	(void)answer_feed(&a, (struct span){ mass, sizeof(mass) });
	right = a.state == ANSWER_WHOLE && !a.persists && a.complete &&
	    a.body[HTTP_KEPT_BODY_BYTES - 1] == 'z';
	answer_clear(&a);
	return right;
}

/* Chunks of a byte each, with much beside it: what comes is what counts. */
static bool
is_cut_off_beside(void)
{
	static char chunk[4096];
	struct answer a = { 0 };
	size_t n = 0;
	bool right;

	memset(chunk, 'z', sizeof(chunk));
	memcpy(chunk, "1;", 2);
	memcpy(chunk + sizeof(chunk) - 5, "\r\na\r\n", 5);
	(void)feed(&a, OK "Transfer-Encoding: chunked\r\n\r\n", 100);
	while (a.state < ANSWER_WHOLE && n < 10 * HTTP_MAX_BODY_BYTES)
		n += answer_feed(&a, (struct span){ chunk, sizeof(chunk) });
	right = n == HTTP_MAX_BODY_BYTES + 1 && a.state == ANSWER_WHOLE &&
	    !a.persists && a.body_bytes == 16;
	answer_clear(&a);
	return right;
}

/* What is no answer is none, however much of it comes at once. */
static bool
is_no_answer(void)
{
	static char mass[2 * HTTP_MAX_HEADER_BYTES];
	struct answer a = { 0 };
	bool right;

	memset(mass, 'z', sizeof(mass));
	(void)answer_feed(&a, (struct span){ mass, sizeof(mass) });
	right = a.state == ANSWER_BAD && a.refused == HTTP_PROTOCOL;
	answer_clear(&a);
	return right;
}

static const struct {
	const char *text;
	int64_t ms;
} delays[] = {
	{ "120", 120000 }, { "0", 0 }, { "", -1 }, { "-1", -1 }, { "1.5", -1 },
	{ "99999999999", -1 }, { "soon", -1 },
	/* Now is 1994-11-06T08:49:07Z. */
	{ "Sun, 06 Nov 1994 08:49:37 GMT", 30000 },
	{ "Sunday, 06-Nov-94 08:49:37 GMT", 30000 },
	{ "Sun Nov  6 08:49:37 1994", 30000 },
	{ "Sun, 06 Nov 1994 08:49:00 GMT", 0 },
	{ "Sun, 06 Nov 1994 08:49:37 GMT x", -1 },
	{ "Sun, 31 Feb 1994 08:49:37 GMT", -1 },
};

static bool
delays_right(size_t i)
{
	struct answer a = { 0 };

	snprintf(a.retry_after, sizeof(a.retry_after), "%s", delays[i].text);
	return answer_retry_after_ms(&a, 784111747000) == delays[i].ms;
}

static int number, n_failed;

static void
ok(bool right, const char *what)
{
	printf("%s %d answer: %s\n", right ? "ok" : "not ok", ++number, what);
	n_failed += !right;
}

int
main(void)
{
	size_t i, piece;
	bool right;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (right = true, piece = 1; piece < 100; piece++)
			right = right && is_right(i, piece);
		ok(right, cases[i].what);
	}
	for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		for (right = true, piece = 1; piece < 200; piece++)
			right = right && ends_right(i, piece);
		ok(right, bodies[i].what);
	}
	ok(capacity("X: 3456789\r\n") > HTTP_MAX_HEADER_BYTES - 64 &&
	    capacity("X: 3456789\r\n") <= HTTP_MAX_HEADER_BYTES &&
	    capacity("x") > HTTP_MAX_HEADER_BYTES - 64 &&
	    capacity("x") <= HTTP_MAX_HEADER_BYTES, "the cap of a head");
	ok(is_cut_off("\r\n") && is_cut_off("Content-Length: 99999\r\n\r\n") &&
	    is_cut_off("Transfer-Encoding: chunked\r\n\r\nfffff\r\n"),
	    "the cap of a body");
	ok(is_cut_off_beside(), "the cap of chunks");
	ok(is_no_answer(), "no answer, and too large for one");
	for (i = 0; i < sizeof(delays) / sizeof(delays[0]); i++)
		ok(delays_right(i), delays[i].text);
	printf("1..%d\n", number);
	return n_failed != 0;
}
