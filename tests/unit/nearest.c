/*
 * The name that was meant.
 */
#include "base/nearest.h"

#include <assert.h>

static const struct {
	const char *word;
	const char *names[4];
	const char *want; /* NULL: none */
} cases[] = {
	/* One edit of each kind. */
	{ "lst", { "list", "set" }, "list" },
	{ "lisst", { "list" }, "list" },
	{ "lost", { "list" }, "list" },
	{ "lits", { "list" }, "list" },
	{ "LIST", { "list" }, "list" },
	/* At the ends. */
	{ "ist", { "list" }, "list" },
	{ "lis", { "list" }, "list" },
	{ "ilst", { "list" }, "list" },
	/* As many edits as the word's length allows. */
	{ "serices", { "services" }, "services" },
	{ "sreices", { "services" }, "services" },
	{ "ping", { "pong" }, "pong" },
	{ "ping", { "song" }, NULL },
	{ "ab", { "ac" }, "ac" },
	{ "ab", { "cd" }, NULL },
	{ "a", { "b", "ab" }, NULL },
	{ "", { "a" }, NULL },
	{ "service:subscribde", { "service:subscribed", "ping" },
	    "service:subscribed" },
	{ "frobnicate", { "list", "set" }, NULL },
	/* The nearest, of equals the first, whatever the order. */
	{ "disabel", { "enable", "disable" }, "disable" },
	{ "disabel", { "disable", "enable" }, "disable" },
	{ "sat", { "set", "sit" }, "set" },
	/* A beginning, but not of everything. */
	{ "deliv", { "dead", "deliveries" }, "deliveries" },
	{ "de", { "deliveries" }, NULL },
	{ "subscribe", { "subscribed", "subscribes" }, "subscribed" },
	/* Longer than anybody means. */
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaa", { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" }, NULL },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaab", { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaa" },
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaa" },
};

int
main(void)
{
	struct buf b = { 0 };
	struct nearest n;
	size_t i, k;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		nearest_open(&n, span_of(cases[i].word));
		for (k = 0; k < 4 && cases[i].names[k]; k++)
			nearest_offer(&n, span_of(cases[i].names[k]));
		assert(span_eq(n.best, span_of(cases[i].want ?
		    cases[i].want : "")));
	}
	nearest_open(&n, SPAN("jsno"));
	nearest_put(&n, "--", &b);
	assert(b.len == 0);
	nearest_offer(&n, SPAN("json"));
	nearest_put(&n, "--", &b);
	assert(strcmp(buf_str(&b), "; did you mean '--json'?") == 0);
	b.len = 0;
	nearest_open(&n, SPAN("abc"));
	nearest_offer(&n, SPAN("ab\x1b"));
	nearest_put(&n, "", &b);
	assert(strcmp(buf_str(&b), "; did you mean 'ab\\x1b'?") == 0);
	buf_clear(&b);
	return 0;
}
