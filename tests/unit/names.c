/*
 * Sets of names: each is found, no other is, and names that differ in their
 * last characters alone, as names do, do not crowd the table.
 */
#include <assert.h>

#include "base/buf.h"
#include "json/names.h"

enum { N = 1000 };

/* The most occupied slots in a row: about 30 if names are spread by chance. */
static size_t
longest_run(const struct names *t)
{
	size_t longest = 0, run = 0, i;

	for (i = 0; i < t->n_slots; i++) {
		run = t->slots[i].number < 0 ? 0 : run + 1;
		if (run > longest)
			longest = run;
	}
	return longest;
}

static void
check(const char *before, const char *after)
{
	struct names t = { 0 };
	struct buf text = { 0 }, name = { 0 };
	size_t starts[N + 1], i;

	for (i = 0; i < N; i++) {
		starts[i] = text.len;
		buf_printf(&text, "%s%zu%s", before, i + 1000, after);
	}
	starts[N] = text.len;
	for (i = 0; i < N; i++)
		assert(names_add(&t, (struct span){ text.p + starts[i],
		    starts[i + 1] - starts[i] }) == i);
	for (i = 0; i < 2 * N; i++) {
		name.len = 0;
		buf_printf(&name, "%s%zu%s", before, i + 1000, after);
		assert(names_find(&t, buf_bytes(&name)) ==
		    (i < N ? (long)i : -1));
	}
	assert(longest_run(&t) < 100);
	names_clear(&t);
	buf_clear(&text);
	buf_clear(&name);
}

int
main(void)
{
	check("", "");
	check("a", "");
	check("abc", "");
	check("abcd", "");
	check("property_", "");
	check("urn:example:event:", "");
	check("urn:example:event:", ":v1");
	check("", "-and-a-long-end");
	return 0;
}
