/*
 * JSON Pointers. Built only when something failed: the reader's subtree bounds
 * lead the way down, so no path is kept while checking.
 */
#include "json/pointer.h"

#include "base/num.h"

void
pointer_add(struct buf *b, struct span name)
{
	size_t i;

	buf_putc(b, '/');
	for (i = 0; i < name.len; i++) {
		if (name.p[i] == '~')
			buf_puts(b, "~0");
		else if (name.p[i] == '/')
			buf_puts(b, "~1");
		else
			buf_putc(b, name.p[i]);
	}
}

void
pointer_to(const struct json *j, uint32_t from, uint32_t to, struct buf *b)
{
	struct buf name = { 0 };

	while (from != to) {
		bool object = json_kind(j, from) == JSON_OBJECT;
		uint32_t k = from + 1, n = 0;

		while (json_next(j, object ? k + 1 : k) <= to) {
			k = json_next(j, object ? k + 1 : k);
			n++;
		}
		if (object) {
			pointer_add(b, json_string(j, k, &name));
			from = to == k ? to : k + 1;
		} else {
			buf_printf(b, "/%u", n);
			from = k;
		}
	}
	buf_clear(&name);
}

/* The characters of a reference token. 0, or -1: a ~ without 0 or 1. */
static int
decode_token(struct span token, struct buf *name)
{
	size_t i;

	name->len = 0;
	for (i = 0; i < token.len; i++) {
		if (token.p[i] != '~') {
			buf_putc(name, token.p[i]);
			continue;
		}
		if (++i == token.len || (token.p[i] != '0' &&
		    token.p[i] != '1'))
			return -1;
		buf_putc(name, token.p[i] == '0' ? '~' : '/');
	}
	return 0;
}

/* The item of an array by its index. 0: none. */
static uint32_t
item_at(const struct json *j, uint32_t array, struct span index)
{
	uint64_t n;
	uint32_t i = array + 1;

	if (num_u64(index, 0, json_at(j, array)->n, &n) < 0 ||
	    n == json_at(j, array)->n || (index.len > 1 && *index.p == '0'))
		return 0;
	while (n--)
		i = json_next(j, i);
	return i;
}

int
pointer_find(const struct json *j, uint32_t from, struct span pointer,
    uint32_t *node)
{
	const char *p = pointer.p, *end = p + pointer.len, *q;
	struct buf name = { 0 };

	*node = from;
	for (; p < end; p = q) {
		enum json_kind kind = json_kind(j, from);

		q = memchr(p + 1, '/', (size_t)(end - p - 1));
		if (!q)
			q = end;
		if (*p != '/' || decode_token((struct span){ p + 1,
		    (size_t)(q - p - 1) }, &name) < 0)
			from = 0;
		else if (kind == JSON_ARRAY)
			from = item_at(j, from, buf_bytes(&name));
		else
			from = kind == JSON_OBJECT ?
			    json_get(j, from, buf_bytes(&name)) : 0;
		if (!from)
			break;
	}
	buf_clear(&name);
	if (p < end)
		return -1;
	*node = from;
	return 0;
}
