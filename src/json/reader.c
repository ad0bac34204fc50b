/*
 * The JSON reader. One loop over the text with an explicit stack of open
 * containers. Bytes behind the text are readable but never used: whatever
 * runs past the end is caught where a value ends.
 */
#include "json/reader.h"

#include <sys/random.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "json/scan.h"
#include "json/siphash.h"

enum {
	FEW_MEMBERS = 16, /* up to here names are compared pair by pair */
};

struct parse {
	struct json *j;
	const char *p, *end;
	const char *what; /* set on failure; p is where */
};

void
json_init(struct json *j)
{
	*j = (struct json){ 0 };
	/* Without entropy the seed is zero: slower under attack, not wrong. */
	if (getrandom(j->seed, sizeof(j->seed), GRND_NONBLOCK) < 0)
		j->seed[0] = j->seed[1] = 0;
}

void
json_clear(struct json *j)
{
	free(j->nodes);
	free(j->slots);
	free(j->spare);
	*j = (struct json){ 0 };
}

static int
fail(struct parse *s, const char *p, const char *what)
{
	s->p = p;
	s->what = what;
	return -1;
}

static inline struct json_node *
add_node(struct parse *s, enum json_kind kind, const char *at)
{
	struct json *j = s->j;
	struct json_node *n;

	if (j->n_nodes == j->cap_nodes)
		j->nodes = alloc_grow(j->nodes, &j->cap_nodes,
		    j->n_nodes < 64 ? 64 : j->n_nodes + 1, sizeof(*n));
	n = &j->nodes[j->n_nodes++];
	n->pos = (uint32_t)(at - j->text);
	n->next = (uint32_t)j->n_nodes;
	n->n = 0;
	n->kind = (unsigned)kind & 7;
	n->escaped = n->repeated = 0;
	return n;
}

static inline void
skip_space(struct parse *s)
{
	const char *p = s->p;

	while (p < s->end &&
	    (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	s->p = p;
}

static int
hex4(const char *p, const char *end)
{
	int v = 0, i;

	if (end - p < 4)
		return -1;
	for (i = 0; i < 4; i++) {
		char c = p[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			v = v << 4 | ((c | 0x20) - 'a' + 10);
		else
			return -1;
	}
	return v;
}

/* At a backslash; past the escape, or failure. */
static int
skip_escape(struct parse *s, const char **at)
{
	const char *p = *at;
	int u;

	if (s->end - p < 2)
		return fail(s, s->end, "unexpected end of text in a string");
	if (p[1] != 'u') {
		/* p[1] may be NUL, which strchr would find. */
		if (!p[1] || !strchr("\"\\/bfnrt", p[1]))
			return fail(s, p, "unknown escape");
		*at = p + 2;
		return 0;
	}
	u = hex4(p + 2, s->end);
	if (u < 0)
		return fail(s, p, "bad \\u escape");
	if (u >= 0xdc00 && u <= 0xdfff)
		return fail(s, p, "lone low surrogate");
	*at = p + 6;
	if (u < 0xd800 || u > 0xdbff)
		return 0;
	if (s->end - p < 12 || p[6] != '\\' || p[7] != 'u')
		return fail(s, p, "lone high surrogate");
	u = hex4(p + 8, s->end);
	if (u < 0xdc00 || u > 0xdfff)
		return fail(s, p, "lone high surrogate");
	*at = p + 12;
	return 0;
}

static int
read_string(struct parse *s)
{
	const char *start = s->p, *p = start + 1;
	struct json_node *node = add_node(s, JSON_STRING, start);

	for (;;) {
		p = scan_plain(p);
		if (p >= s->end)
			return fail(s, s->end,
			    "unexpected end of text in a string");
		if (*p == '"')
			break;
		if (*p == '\\') {
			node->escaped = 1;
			if (skip_escape(s, &p) < 0)
				return -1;
		} else if ((unsigned char)*p >= 0x80) {
			/* A run of such characters stays in this loop. */
			do {
				size_t n = utf8_len(p, (size_t)(s->end - p));

				if (n == 0)
					return fail(s, p, "bad UTF-8");
				p += n;
			} while (p < s->end && (unsigned char)*p >= 0x80);
		} else {
			return fail(s, p, *p ? "control character in a string" :
			    "NUL byte");
		}
	}
	node->len = (uint32_t)(p + 1 - start);
	s->p = p + 1;
	return 0;
}

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int
read_number(struct parse *s)
{
	const char *start = s->p, *p = start, *end = s->end;

	if (*p == '-')
		p++;
	if (p == end || !is_digit(*p))
		return fail(s, p, "bad number");
	if (*p == '0')
		p++;
	else
		while (p < end && is_digit(*p))
			p++;
	if (p < end && *p == '.') {
		if (++p == end || !is_digit(*p))
			return fail(s, p, "bad number");
		while (p < end && is_digit(*p))
			p++;
	}
	if (p < end && (*p | 0x20) == 'e') {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		if (p == end || !is_digit(*p))
			return fail(s, p, "bad number");
		while (p < end && is_digit(*p))
			p++;
	}
	if (p < end && is_digit(*p))
		return fail(s, p, "number with a leading zero");
	add_node(s, JSON_NUMBER, start)->len = (uint32_t)(p - start);
	s->p = p;
	return 0;
}

static int
read_word(struct parse *s, struct span word, enum json_kind kind)
{
	if ((size_t)(s->end - s->p) < word.len ||
	    memcmp(s->p, word.p, word.len) != 0)
		return fail(s, s->p, "unexpected character");
	add_node(s, kind, s->p)->len = (uint32_t)word.len;
	s->p += word.len;
	return 0;
}

static int
read_scalar(struct parse *s)
{
	switch (*s->p) {
	case '"':
		return read_string(s);
	case 't':
		return read_word(s, SPAN("true"), JSON_TRUE);
	case 'f':
		return read_word(s, SPAN("false"), JSON_FALSE);
	case 'n':
		return read_word(s, SPAN("null"), JSON_NULL);
	case '-': case '0': case '1': case '2': case '3': case '4':
	case '5': case '6': case '7': case '8': case '9':
		return read_number(s);
	case '\0':
		return fail(s, s->p, "NUL byte");
	default:
		return fail(s, s->p, "unexpected character");
	}
}

/* Are two name nodes the same name? */
static bool
same_name(const struct json *j, uint32_t a, uint32_t b)
{
	const struct json_node *x = &j->nodes[a], *y = &j->nodes[b];
	struct buf sx = { 0 };
	bool same;

	if (!x->escaped && !y->escaped)
		return x->len == y->len && memcmp(j->text + x->pos,
		    j->text + y->pos, x->len) == 0;
	if (!y->escaped)
		return json_string_is(j, a, json_string(j, b, &sx));
	same = json_string_is(j, b, json_string(j, a, &sx));
	buf_clear(&sx); /* made if both have escapes */
	return same;
}

static uint64_t
name_hash(const struct json *j, uint32_t i)
{
	struct buf scratch = { 0 };
	struct span s = json_string(j, i, &scratch);
	uint64_t h = siphash13(j->seed, s.p, s.len);

	buf_clear(&scratch);
	return h;
}

/* Does a large object have members of equal names? */
static bool
repeats_many(struct json *j, uint32_t o)
{
	uint32_t end = json_next(j, o), k;
	size_t size = 64;

	while (size < (size_t)j->nodes[o].n * 2)
		size *= 2;
	j->slots = alloc_grow(j->slots, &j->cap_slots, size, sizeof(*j->slots));
	memset(j->slots, 0, size * sizeof(*j->slots));
	for (k = o + 1; k < end; k = json_next(j, k + 1)) {
		size_t h = (size_t)name_hash(j, k) & (size - 1);

		while (j->slots[h]) {
			if (same_name(j, j->slots[h], k))
				return true;
			h = (h + 1) & (size - 1);
		}
		j->slots[h] = k;
	}
	return false;
}

static bool
repeats_few(const struct json *j, uint32_t o)
{
	uint32_t names[FEW_MEMBERS], end = json_next(j, o), k;
	size_t n = 0, i;

	for (k = o + 1; k < end; k = json_next(j, k + 1)) {
		const struct json_node *x = &j->nodes[k];

		for (i = 0; i < n; i++) {
			const struct json_node *y = &j->nodes[names[i]];

			if (x->escaped | y->escaped) {
				if (same_name(j, names[i], k))
					return true;
			} else if (x->len == y->len &&
			    j->text[x->pos + 1] == j->text[y->pos + 1] &&
			    memcmp(j->text + x->pos, j->text + y->pos,
			        x->len) == 0) {
				return true;
			}
		}
		names[n++] = k;
	}
	return false;
}

/* Copy the subtree at `from` behind the n nodes of the spare array. */
static size_t
spare_tree(struct json *j, uint32_t from, size_t n, uint32_t base)
{
	uint32_t end = json_next(j, from), i;
	uint32_t shift = base + (uint32_t)n - from;

	for (i = from; i < end; i++) {
		j->spare[n] = j->nodes[i];
		j->spare[n++].next += shift;
	}
	return n;
}

/*
 * Order the object at o anew: each name once, where it stood first, with the
 * value that it had last. Rare; the names' table finds the last of each.
 */
static void
resolve_repeats(struct json *j, uint32_t o)
{
	uint32_t end = json_next(j, o), k, members = 0;
	size_t size = 64, n = 0, h;
	uint32_t *last;

	while (size < (size_t)j->nodes[o].n * 2)
		size *= 2;
	j->slots = alloc_grow(j->slots, &j->cap_slots, size * 2,
	    sizeof(*j->slots));
	memset(j->slots, 0, size * 2 * sizeof(*j->slots));
	last = j->slots + size;
	for (k = o + 1; k < end; k = json_next(j, k + 1)) {
		h = (size_t)name_hash(j, k) & (size - 1);
		while (j->slots[h] && !same_name(j, j->slots[h], k))
			h = (h + 1) & (size - 1);
		if (!j->slots[h])
			j->slots[h] = k;
		last[h] = k;
	}
	j->spare = alloc_grow(j->spare, &j->cap_spare, end - o,
	    sizeof(*j->spare));
	for (k = o + 1; k < end; k = json_next(j, k + 1)) {
		h = (size_t)name_hash(j, k) & (size - 1);
		while (!same_name(j, j->slots[h], k))
			h = (h + 1) & (size - 1);
		if (j->slots[h] != k)
			continue;
		n = spare_tree(j, k, n, o + 1);
		n = spare_tree(j, last[h] + 1, n, o + 1);
		members++;
	}
	memcpy(j->nodes + o + 1, j->spare, n * sizeof(*j->nodes));
	j->n_nodes = o + 1 + n;
	j->nodes[o].next = (uint32_t)j->n_nodes;
	j->nodes[o].n = members & 0x7ffffff;
	j->nodes[o].repeated = 1;
}

static void
close_container(struct parse *s, uint32_t o, uint32_t count)
{
	struct json *j = s->j;
	struct json_node *node = &j->nodes[o];

	node->len = (uint32_t)(s->p - j->text) - node->pos;
	node->next = (uint32_t)j->n_nodes;
	node->n = count & 0x7ffffff;
	if (node->kind != JSON_OBJECT || count < 2)
		return;
	if (count <= FEW_MEMBERS ? repeats_few(j, o) : repeats_many(j, o))
		resolve_repeats(j, o);
}

/* At a member's name: past the colon. */
static int
read_name(struct parse *s)
{
	skip_space(s);
	if (s->p == s->end)
		return fail(s, s->p, "unexpected end of text");
	if (*s->p != '"')
		return fail(s, s->p, "expected a member's name");
	if (read_string(s) < 0)
		return -1;
	skip_space(s);
	if (s->p == s->end)
		return fail(s, s->p, "unexpected end of text");
	if (*s->p != ':')
		return fail(s, s->p, "expected ':'");
	s->p++;
	return 0;
}

struct open {
	uint32_t node, count;
};

/*
 * Behind a value: take commas and closing brackets. 1: another value is due,
 * 0: the outermost value is whole, -1: failure.
 */
static int
after_value(struct parse *s, struct open *stack, int *depth)
{
	while (*depth) {
		struct open *top = &stack[*depth - 1];
		bool object = json_kind(s->j, top->node) == JSON_OBJECT;

		top->count++;
		skip_space(s);
		if (s->p == s->end)
			return fail(s, s->p, "unexpected end of text");
		if (*s->p == ',') {
			s->p++;
			return object && read_name(s) < 0 ? -1 : 1;
		}
		if (*s->p != (object ? '}' : ']'))
			return fail(s, s->p, object ? "expected ',' or '}'" :
			    "expected ',' or ']'");
		s->p++;
		close_container(s, top->node, top->count);
		--*depth;
	}
	return 0;
}

/*
 * At an opening bracket. 1: a value is due, 0: it was empty and is whole,
 * -1: failure.
 */
static int
open_container(struct parse *s, struct open *stack, int *depth)
{
	bool object = *s->p == '{';
	uint32_t node = (uint32_t)s->j->n_nodes;

	if (*depth == JSON_MAX_DEPTH)
		return fail(s, s->p, "nested deeper than 256 levels");
	add_node(s, object ? JSON_OBJECT : JSON_ARRAY, s->p);
	s->p++;
	skip_space(s);
	if (s->p < s->end && *s->p == (object ? '}' : ']')) {
		s->p++;
		close_container(s, node, 0);
		return 0;
	}
	stack[(*depth)++] = (struct open){ node, 0 };
	return object && read_name(s) < 0 ? -1 : 1;
}

static int
read_value(struct parse *s)
{
	struct open stack[JSON_MAX_DEPTH];
	int depth = 0, more = 1;

	do {
		skip_space(s);
		if (s->p == s->end)
			return fail(s, s->p, "unexpected end of text");
		if (*s->p == '{' || *s->p == '[') {
			more = open_container(s, stack, &depth);
			if (more == 1)
				continue;
			if (more < 0)
				return -1;
		} else if (read_scalar(s) < 0) {
			return -1;
		}
		more = after_value(s, stack, &depth);
	} while (more == 1);
	return more;
}

int
json_read(struct json *j, const char *text, size_t len, struct json_error *e)
{
	struct parse s = { .j = j, .p = text, .end = text + len };

	j->text = text;
	j->n_nodes = 0;
	if (len > JSON_MAX_BYTES) {
		fail(&s, text, "text too long");
	} else if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		fail(&s, text, "byte order mark");
	} else if (read_value(&s) == 0) {
		skip_space(&s);
		if (s.p == s.end)
			return 0;
		fail(&s, s.p, *s.p ? "text after the value" : "NUL byte");
	}
	e->what = s.what;
	e->column = (size_t)(s.p - text) + 1;
	return -1;
}

uint32_t
json_get(const struct json *j, uint32_t o, struct span name)
{
	uint32_t end = json_next(j, o), k;

	if (json_kind(j, o) != JSON_OBJECT)
		return 0;
	for (k = o + 1; k < end; k = json_next(j, k + 1))
		if (json_string_is(j, k, name))
			return k + 1;
	return 0;
}

/*
 * The next part of a string that the reader found good: what stands before an
 * escape, or an escape's character, in utf8. It ends at end, and is not empty.
 */
static struct span
next_part(const char **at, const char *end, char utf8[4])
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *p = *at, *q;
	uint32_t u;

	if (*p != '\\') {
		q = memchr(p, '\\', (size_t)(end - p));
		*at = q ? q : end;
		return (struct span){ p, (size_t)(*at - p) };
	}
	if (p[1] != 'u') {
		*at = p + 2;
		return (struct span){ to + (strchr(from, p[1]) - from), 1 };
	}
	u = (uint32_t)hex4(p + 2, end);
	*at = p + 6;
	if (u >= 0xd800 && u <= 0xdbff) {
		u = 0x10000 + ((u - 0xd800) << 10) +
		    ((uint32_t)hex4(p + 8, end) - 0xdc00);
		*at = p + 12;
	}
	return (struct span){ utf8, utf8_encode(u, utf8) };
}

void
json_add_string(const struct json *j, uint32_t i, struct buf *b)
{
	const struct json_node *n = &j->nodes[i];
	const char *p = j->text + n->pos + 1, *end = p + n->len - 2;
	char utf8[4];

	while (p < end)
		buf_span(b, next_part(&p, end, utf8));
}

struct span
json_string(const struct json *j, uint32_t i, struct buf *scratch)
{
	const struct json_node *n = &j->nodes[i];

	if (!n->escaped)
		return (struct span){ j->text + n->pos + 1, n->len - 2 };
	scratch->len = 0;
	json_add_string(j, i, scratch);
	return buf_bytes(scratch);
}

bool
json_string_is(const struct json *j, uint32_t i, struct span want)
{
	const struct json_node *n = &j->nodes[i];
	const char *p = j->text + n->pos + 1, *end = p + n->len - 2;
	struct span part;
	char utf8[4];

	if (n->kind != JSON_STRING)
		return false;
	if (!n->escaped)
		return n->len - 2 == want.len &&
		    memcmp(p, want.p, want.len) == 0;
	for (; p < end; want.p += part.len, want.len -= part.len) {
		part = next_part(&p, end, utf8);
		if (part.len > want.len ||
		    memcmp(part.p, want.p, part.len) != 0)
			return false;
	}
	return want.len == 0;
}

void
json_unwrap(const struct json *j, uint32_t i, struct buf *b)
{
	size_t at;

	b->len = 0;
	json_add_string(j, i, b);
	for (at = 0; at < b->len; at++)
		if (b->p[at] == '\n' || b->p[at] == '\r')
			b->p[at] = ' ';
	(void)buf_room(b, 0); /* an empty one is readable, too */
}

const char *
json_kind_name(enum json_kind kind)
{
	static const char *const names[] = { "null", "boolean", "boolean",
		"number", "string", "array", "object" };

	return names[kind];
}
