/*
 * Requests as a receiver reads them: whole, and cut into pieces of every size,
 * with the same result.
 */
#include <stdio.h>
#include <stdlib.h>

#include "net/sink_request.h"

#define HOST "Host: h\r\n"
#define POST "POST /x HTTP/1.1\r\n" HOST
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

static const struct {
	const char *text;
	int status;       /* 0: good */
	const char *body; /* NULL: it is not whole at the end of the text */
	size_t rest;      /* bytes behind it */
} cases[] = {
	{ "GET / HTTP/1.1\r\n" HOST "\r\n", 0, "", 0 },
	{ "\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 0, "", 0 },
	{ "GET / HTTP/1.0\r\n\r\n", 0, "", 0 },
	{ POST "Content-Length: 3\r\n\r\nabc", 0, "abc", 0 },
	{ POST "Content-Length: 3\r\n\r\nabcGET /", 0, "abc", 5 },
	{ POST "content-length:3\r\nContent-Length: 3 \r\n\r\nabc", 0, "abc", 0 },
	{ POST "Content-Length: 4\r\n\r\nabc", 0, NULL, 0 },
	{ POST "Content-Length: 4\r\n", 0, NULL, 0 },
	{ CHUNKED "3\r\nabc\r\n0\r\n\r\n", 0, "abc", 0 },
	{ CHUNKED "0003;x=\"y\"\r\nabc\r\nA \r\n0123456789\r\n0\r\nT: 1\r\n\r\nX",
	    0, "abc0123456789", 1 },
	{ CHUNKED "3\r\nabc\r\n0\r\n", 0, NULL, 0 },
	{ "", 0, NULL, 0 },

	{ "GET / HTTP/1.1\n", 400, NULL, 0 },
	{ "GET / HTTP/1.1\r\n\r\n", 400, NULL, 0 },
	{ "GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400, NULL, 0 },
	{ "GET  / HTTP/1.1\r\n" HOST "\r\n", 400, NULL, 0 },
	{ "GET /\r\n" HOST "\r\n", 400, NULL, 0 },
	{ "G(T / HTTP/1.1\r\n" HOST "\r\n", 400, NULL, 0 },
	{ "GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n", 400, NULL, 0 },
	{ "GET / HTTP/2.0\r\n" HOST "\r\n", 505, NULL, 0 },
	{ POST "A : b\r\n\r\n", 400, NULL, 0 },
	{ POST "A b\r\n\r\n", 400, NULL, 0 },
	{ POST "A: b\r\n c\r\n\r\n", 400, NULL, 0 },
	{ POST "A: b\x01\r\n\r\n", 400, NULL, 0 },
	{ POST "A: b\rc\r\n\r\n", 400, NULL, 0 },
	{ POST "Content-Length: 3, 3\r\n\r\n", 400, NULL, 0 },
	{ POST "Content-Length: -1\r\n\r\n", 400, NULL, 0 },
	{ POST "Content-Length: 99999999999999999999\r\n\r\n", 400, NULL, 0 },
	{ POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\n", 400, NULL, 0 },
	{ POST "Content-Length: 16777217\r\n\r\n", 413, NULL, 0 },
	{ POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, NULL, 0 },
	{ POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
	    NULL, 0 },
	{ "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, NULL, 0 },
	{ CHUNKED "3\r\nabcd\r\n", 400, NULL, 0 },
	{ CHUNKED "3\nabc", 400, NULL, 0 },
	{ CHUNKED "\r\n", 400, NULL, 0 },
	{ CHUNKED "g\r\n", 400, NULL, 0 },
	{ CHUNKED "1000001\r\n", 413, NULL, 0 },
	{ CHUNKED "ffffffffffffffffff\r\n", 413, NULL, 0 },
};

static int n_failed;

static void
check(int ok, const char *what, size_t i, size_t piece)
{
	if (!ok) {
		printf("case %zu in pieces of %zu: %s\n", i, piece, what);
		n_failed++;
	}
}

static void
run_case(struct sink_request *r, size_t i, size_t piece)
{
	size_t len = strlen(cases[i].text), at = 0, n, used;

	sink_request_reset(r);
	while (at < len && !sink_request_done(r)) {
		/* A copy of its own, so that sanitizers see reads beyond it. */
		char *copy;

		n = len - at < piece ? len - at : piece;
		copy = malloc(n);
		memcpy(copy, cases[i].text + at, n);
		used = sink_request_feed(r, (struct span){ copy, n });
		check(used == n || sink_request_done(r), "stopped", i, piece);
		at += used;
		free(copy);
	}
	check(r->status == cases[i].status, "status", i, piece);
	check((r->state == SINK_BAD) == (cases[i].status != 0), "bad", i, piece);
	check((r->state == SINK_WHOLE) == (cases[i].body != NULL), "whole", i,
	    piece);
	if (!cases[i].body)
		return;
	check(span_eq(buf_bytes(&r->body), span_of(cases[i].body)), "body", i,
	    piece);
	check(len - at == cases[i].rest, "rest", i, piece);
}

static void
check_head(struct sink_request *r)
{
	struct span text = SPAN("PUT /a?b HTTP/1.1\r\nhOST:h\r\n"
	    "X:  \xe9 \t\r\nConnection: foo , CLOSE\r\nX:\r\n"
	    "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n");

	sink_request_reset(r);
	check(!sink_request_begun(r), "begun too early", 0, 0);
	check(sink_request_feed(r, text) == text.len, "taken", 0, 0);
	check(sink_request_begun(r) && !sink_request_done(r), "begun", 0, 0);
	check(span_eq(buf_bytes(&r->head), text), "head", 0, 0);
	check(span_eq(r->method, SPAN("PUT")), "method", 0, 0);
	check(span_eq(r->target, SPAN("/a?b")), "target", 0, 0);
	check(span_eq(r->version, SPAN("HTTP/1.1")), "version", 0, 0);
	check(r->n_fields == 6, "fields", 0, 0);
	check(span_eq(r->fields[0].name, SPAN("hOST")), "name", 0, 0);
	check(span_eq(r->fields[1].value, SPAN("\xe9")), "value", 0, 0);
	check(span_eq(r->fields[3].value, SPAN("")), "no value", 0, 0);
	check(!r->keep_alive && r->wants_continue, "framing", 0, 0);
	sink_request_end(r);
	check(r->state == SINK_BAD && r->status == 0, "end", 0, 0);
}

/* Feed it for ever, after the opening: it must give up at its limit. */
static void
check_limit(struct sink_request *r, struct span opening, struct span repeated,
    int status, size_t max_bytes)
{
	size_t fed = 0;

	sink_request_reset(r);
	(void)sink_request_feed(r, opening);
	while (!sink_request_done(r) && fed <= max_bytes)
		fed += sink_request_feed(r, repeated);
	check(r->status == status, "limit", (size_t)status, repeated.len);
}

int
main(void)
{
	struct sink_request r = { 0 };
	size_t i, piece;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (piece = 1; piece <= strlen(cases[i].text) + 1; piece++)
			run_case(&r, i, piece);
	check_head(&r);
	check_limit(&r, SPAN(POST), SPAN("A: b\r\n"), 431, SINK_MAX_HEAD_BYTES);
	check_limit(&r, SPAN(""), SPAN("aaaa"), 431, SINK_MAX_HEAD_BYTES);
	check_limit(&r, SPAN(CHUNKED), SPAN("3\r\nabc\r\n"), 413,
	    (size_t)SINK_MAX_BODY_BYTES * 3);
	check_limit(&r, SPAN(CHUNKED), SPAN("0000"), 400, 65536);
	check_limit(&r, SPAN(CHUNKED "0\r\n"), SPAN("A: b\r\n"), 431, 1 << 17);
	sink_request_clear(&r);
	return n_failed != 0;
}
