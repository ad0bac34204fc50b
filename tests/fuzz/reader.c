/*
 * libFuzzer: any bytes through the JSON reader. What it takes must hold
 * together: subtrees in order, spans inside the text, strings that unescape to
 * UTF-8, and a second reading of each value's bytes that agrees.
 */
#include "json/reader.h"

#include <stdlib.h>

#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(bool ok)
{
	if (!ok)
		abort();
}

static void
check(const struct json *j, uint32_t i, uint32_t end, struct span within)
{
	const struct json_node *n = json_at(j, i);
	struct span s = json_bytes(j, i);
	struct buf scratch = { 0 };
	uint32_t k, items = 0;
	bool object = n->kind == JSON_OBJECT;

	must(n->next > i && n->next <= end && n->len > 0);
	must(s.p >= within.p && s.p + s.len <= within.p + within.len);
	if (n->kind == JSON_STRING)
		must(utf8_valid(json_string(j, i, &scratch)));
	if (n->kind == JSON_ARRAY || object) {
		for (k = i + 1; k < n->next; k = json_next(j, k)) {
			check(j, k, n->next, s);
			items++;
		}
		must(items == n->n * (object ? 2u : 1u));
	} else {
		must(n->next == i + 1);
	}
	buf_clear(&scratch);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct json j, again;
	static struct buf text, part;
	struct json_error e = { 0 };

	if (!j.nodes) {
		json_init(&j);
		json_init(&again);
	}
	text.len = 0;
	buf_add(&text, data, len);
	memset(buf_room(&text, BUF_PAD), '"', BUF_PAD);
	if (json_read(&j, text.p, len, &e) < 0) {
		must(e.what && e.column >= 1 && e.column <= len + 1);
		return 0;
	}
	check(&j, 0, (uint32_t)j.n_nodes, (struct span){ text.p, len });
	/* The value alone, without what was around it. */
	part.len = 0;
	buf_span(&part, json_bytes(&j, 0));
	(void)buf_room(&part, BUF_PAD);
	must(json_read(&again, part.p, part.len, &e) == 0);
	must(again.n_nodes == j.n_nodes);
	return 0;
}
