/*
 * JSON Pointers. Built only when something failed: the reader's subtree bounds
 * lead the way down, so no path is kept while checking.
 */
#include "json/pointer.h"

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
			from = k + 1;
		} else {
			buf_printf(b, "/%u", n);
			from = k;
		}
	}
	buf_clear(&name);
}
