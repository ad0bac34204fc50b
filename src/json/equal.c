/*
 * Equality of values. Recursion ends at JSON_MAX_DEPTH.
 */
#include "json/equal.h"

#include "base/alloc.h"
#include "json/number.h"
#include "json/siphash.h"

enum { FEW_MEMBERS = 16 }; /* up to here names are looked for one by one */

static bool
equal_strings(const struct json *a, uint32_t i, const struct json *b,
    uint32_t k)
{
	struct buf scratch = { 0 };
	bool same;

	if (!json_at(b, k)->escaped)
		return json_string_is(a, i, json_string(b, k, &scratch));
	same = json_string_is(b, k, json_string(a, i, &scratch));
	buf_clear(&scratch); /* made if both have escapes */
	return same;
}

static bool
equal_numbers(struct span a, struct span b)
{
	struct number x, y;

	if (span_eq(a, b))
		return true;
	x = number_of(a);
	y = number_of(b);
	return number_cmp(&x, &y) == 0;
}

/* Of large objects, whose members may be in any order, by a table of b's. */
static bool
equal_large(const struct json *a, uint32_t i, const struct json *b, uint32_t k)
{
	struct buf scratch = { 0 };
	size_t size = 64, h;
	uint32_t *table, m;
	bool same = true;

	while (size < (size_t)json_at(b, k)->n * 2)
		size *= 2;
	table = alloc_zero(size, sizeof(*table));
	for (m = k + 1; m < json_next(b, k); m = json_next(b, m + 1)) {
		struct span name = json_string(b, m, &scratch);

		h = siphash13(b->seed, name.p, name.len) & (size - 1);
		while (table[h])
			h = (h + 1) & (size - 1);
		table[h] = m;
	}
	for (m = i + 1; same && m < json_next(a, i); m = json_next(a, m + 1)) {
		struct span name = json_string(a, m, &scratch);

		h = siphash13(b->seed, name.p, name.len) & (size - 1);
		while (table[h] && !json_string_is(b, table[h], name))
			h = (h + 1) & (size - 1);
		same = table[h] && json_equal(a, m + 1, b, table[h] + 1);
	}
	free(table);
	buf_clear(&scratch);
	return same;
}

static bool
equal_few(const struct json *a, uint32_t i, const struct json *b, uint32_t k)
{
	struct buf scratch = { 0 };
	bool same = true;
	uint32_t m;

	for (m = i + 1; same && m < json_next(a, i); m = json_next(a, m + 1)) {
		uint32_t v = json_get(b, k, json_string(a, m, &scratch));

		same = v && json_equal(a, m + 1, b, v);
	}
	buf_clear(&scratch);
	return same;
}

static bool
equal_arrays(const struct json *a, uint32_t i, const struct json *b, uint32_t k)
{
	uint32_t end = json_next(a, i);

	for (i++, k++; i < end; i = json_next(a, i), k = json_next(b, k))
		if (!json_equal(a, i, b, k))
			return false;
	return true;
}

bool
json_equal(const struct json *a, uint32_t i, const struct json *b, uint32_t k)
{
	enum json_kind kind = json_kind(a, i);

	if (kind != json_kind(b, k))
		return false;
	switch (kind) {
	case JSON_STRING:
		return equal_strings(a, i, b, k);
	case JSON_NUMBER:
		return equal_numbers(json_bytes(a, i), json_bytes(b, k));
	case JSON_ARRAY:
		return json_at(a, i)->n == json_at(b, k)->n &&
		    equal_arrays(a, i, b, k);
	case JSON_OBJECT:
		if (json_at(a, i)->n != json_at(b, k)->n)
			return false;
		return json_at(a, i)->n <= FEW_MEMBERS ?
		    equal_few(a, i, b, k) : equal_large(a, i, b, k);
	default:
		return true;
	}
}

uint64_t
json_hash(const struct json *j, uint32_t i, struct buf *scratch)
{
	enum json_kind kind = json_kind(j, i);
	uint64_t h[2] = { (uint64_t)kind, 0 };
	struct span s;
	uint32_t k;

	switch (kind) {
	case JSON_STRING:
		s = json_string(j, i, scratch);
		return siphash13(j->seed, s.p, s.len);
	case JSON_NUMBER:
		s = number_spell(json_bytes(j, i), scratch);
		return siphash13(j->seed, s.p, s.len);
	case JSON_ARRAY:
		for (k = i + 1; k < json_next(j, i); k = json_next(j, k)) {
			h[1] = json_hash(j, k, scratch);
			h[0] = siphash13(j->seed, h, sizeof(h));
		}
		return h[0];
	case JSON_OBJECT:
		/* A sum, since order is nothing. */
		for (k = i + 1; k < json_next(j, i); k = json_next(j, k + 1)) {
			uint64_t pair[2] = { json_hash(j, k, scratch),
				json_hash(j, k + 1, scratch) };

			h[1] += siphash13(j->seed, pair, sizeof(pair));
		}
		return siphash13(j->seed, h, sizeof(h));
	default:
		return siphash13(j->seed, h, sizeof(h));
	}
}
