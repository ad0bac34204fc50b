/*
 * The JSON reader: what it takes and what it refuses (RFC 8259), where, and
 * that the vector path and the portable one agree on any text. The portable
 * one is the same source compiled here a second time under other names.
 */
#include "json/reader.h"

#include <assert.h>
#include <stdio.h>

#include "base/alloc.h"

static void portable_init(struct json *);
static void portable_clear(struct json *);
static int portable_read(struct json *, const char *, size_t,
    struct json_error *);
static uint32_t portable_get(const struct json *, uint32_t, struct span);
static struct span portable_string(const struct json *, uint32_t, struct buf *);
static bool portable_string_is(const struct json *, uint32_t, struct span);
static void portable_add_string(const struct json *, uint32_t, struct buf *);
static void portable_unwrap(const struct json *, uint32_t, struct buf *);
static const char *portable_kind_name(enum json_kind);

#define JSON_PORTABLE
#define json_init portable_init
#define json_clear portable_clear
#define json_read portable_read
#define json_get portable_get
#define json_string portable_string
#define json_string_is portable_string_is
#define json_add_string portable_add_string
#define json_unwrap portable_unwrap
#define json_kind_name portable_kind_name
#include "json/reader.c"
#undef json_init
#undef json_clear
#undef json_read
#undef json_get
#undef json_string
#undef json_string_is
#undef json_add_string
#undef json_unwrap
#undef json_kind_name
#undef JSON_PORTABLE

static struct json fast, slow;

/* The whole tree as text: kinds, places, strings without their escapes. */
static void
dump(const struct json *j, uint32_t i, struct buf *b,
    struct span (*string)(const struct json *, uint32_t, struct buf *))
{
	const struct json_node *n = json_at(j, i);
	struct buf scratch = { 0 };
	uint32_t k;

	buf_printf(b, "%d@%u+%u n%u>%u ", (int)n->kind, n->pos, n->len,
	    (unsigned)n->n, n->next);
	switch (json_kind(j, i)) {
	case JSON_STRING:
		buf_putc(b, '\'');
		buf_span(b, string(j, i, &scratch));
		buf_puts(b, "' ");
		break;
	case JSON_ARRAY:
	case JSON_OBJECT:
		buf_puts(b, "[ ");
		for (k = i + 1; k < json_next(j, i); k = json_next(j, k))
			dump(j, k, b, string);
		buf_puts(b, "] ");
		break;
	default:
		break;
	}
	buf_clear(&scratch);
}

/* Both paths say the same of the text. Returns what json_read does. */
static int
agree(struct span text, struct json_error *e)
{
	static struct buf copy, a, b;
	struct json_error other = { 0 };
	int r, s;

	/* Bytes behind the end that must not count: they change each time. */
	static unsigned junk;
	copy.len = 0;
	buf_span(&copy, text);
	memset(buf_room(&copy, BUF_PAD), "\"\\} 0,a\xff"[junk++ % 8], BUF_PAD);
	*e = (struct json_error){ 0 };
	r = json_read(&fast, copy.p, text.len, e);
	s = portable_read(&slow, copy.p, text.len, &other);
	assert(r == s);
	if (r < 0) {
		assert(e->what && e->column >= 1);
		assert(e->column <= text.len + 1);
		assert(strcmp(e->what, other.what) == 0);
		assert(e->column == other.column);
		return r;
	}
	a.len = b.len = 0;
	dump(&fast, 0, &a, json_string);
	dump(&slow, 0, &b, portable_string);
	assert(span_eq(buf_bytes(&a), buf_bytes(&b)));
	assert(json_next(&fast, 0) == fast.n_nodes);
	return 0;
}

#define T(s) { s, sizeof(s) - 1 }

static const struct span good[] = {
	T("0"), T("-0"), T("1.5"), T("-1.5e+10"), T("1E-2"), T("1e400"),
	T("123456789012345678901234567890.0001"), T("0e0"), T("0.0"),
	T("true"), T("false"), T("null"), T("\"\""), T(" \t\r\n1 \t\r\n"),
	T("[]"), T("{}"), T("[ ]"), T("{ }"), T("[1,2]"), T("[1 , 2 ]"),
	T("{\"a\":1}"), T("{ \"a\" : 1 , \"b\" : [ ] }"), T("{\"\":0}"),
	T("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\""),
	T("\"\\ud83c\\udf0a\""), T("\"\\uD83C\\uDF0A\""), T("\"\\u0000\""),
	T("\"\x7f\""), T("\"\xc2\x80\""), T("\"\xed\x9f\xbf\xee\x80\x80\""),
	T("\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\""), T("\"\xef\xbb\xbf\""),
	T("\"\xef\xbf\xbf\""), T("\"\xe2\x80\xa8\xe2\x80\xa9\""),
	T("\"\\uffff\\ud7ff\\ue000\""), T("[[[[]],{}]]"),
	T("\"0123456789abcdef0123456789abcde\\n\""),
	T("[\"a\",null,true,false,1e0,{}]"),
};

static const struct {
	struct span text;
	const char *what;
	size_t column;
} bad[] = {
	{ T(""), "unexpected end of text", 1 },
	{ T("  "), "unexpected end of text", 3 },
	{ T("["), "unexpected end of text", 2 },
	{ T("[1"), "unexpected end of text", 3 },
	{ T("[1,"), "unexpected end of text", 4 },
	{ T("{"), "unexpected end of text", 2 },
	{ T("{\"a\""), "unexpected end of text", 5 },
	{ T("{\"a\":"), "unexpected end of text", 6 },
	{ T("{\"a\":1"), "unexpected end of text", 7 },
	{ T("{\"a\":1,"), "unexpected end of text", 8 },
	{ T("\"abc"), "unexpected end of text in a string", 5 },
	{ T("\"abc\\"), "unexpected end of text in a string", 6 },
	{ T("\""), "unexpected end of text in a string", 2 },
	{ T("[1,]"), "unexpected character", 4 },
	{ T("[,1]"), "unexpected character", 2 },
	{ T("[1 2]"), "expected ',' or ']'", 4 },
	{ T("[1}"), "expected ',' or ']'", 3 },
	{ T("{\"a\":1]"), "expected ',' or '}'", 7 },
	{ T("{\"a\":1,}"), "expected a member's name", 8 },
	{ T("{,}"), "expected a member's name", 2 },
	{ T("{1:2}"), "expected a member's name", 2 },
	{ T("{a:2}"), "expected a member's name", 2 },
	{ T("{'a':2}"), "expected a member's name", 2 },
	{ T("{\"a\" 1}"), "expected ':'", 6 },
	{ T("{\"a\",1}"), "expected ':'", 5 },
	{ T("1 2"), "text after the value", 3 },
	{ T("{}}"), "text after the value", 3 },
	{ T("{}]"), "text after the value", 3 },
	{ T("nul"), "unexpected character", 1 },
	{ T("nulL"), "unexpected character", 1 },
	{ T("True"), "unexpected character", 1 },
	{ T("truefalse"), "text after the value", 5 },
	{ T("NaN"), "unexpected character", 1 },
	{ T("Infinity"), "unexpected character", 1 },
	{ T("-Infinity"), "bad number", 2 },
	{ T("+1"), "unexpected character", 1 },
	{ T("-"), "bad number", 2 },
	{ T("--1"), "bad number", 2 },
	{ T(".5"), "unexpected character", 1 },
	{ T("1."), "bad number", 3 },
	{ T("1.e1"), "bad number", 3 },
	{ T("1e"), "bad number", 3 },
	{ T("1e+"), "bad number", 4 },
	{ T("1e1.5"), "text after the value", 4 },
	{ T("01"), "number with a leading zero", 2 },
	{ T("-012"), "number with a leading zero", 3 },
	{ T("0x1"), "text after the value", 2 },
	{ T("1_000"), "text after the value", 2 },
	{ T("\"\\x41\""), "unknown escape", 2 },
	{ T("\"\\'\""), "unknown escape", 2 },
	{ T("\"\\\0\""), "unknown escape", 2 },
	{ T("\"\\u12\""), "bad \\u escape", 2 },
	{ T("\"\\u12G4\""), "bad \\u escape", 2 },
	{ T("\"\\U0041\""), "unknown escape", 2 },
	{ T("\"\\ud800\""), "lone high surrogate", 2 },
	{ T("\"\\ud800x\""), "lone high surrogate", 2 },
	{ T("\"\\ud800\\n\""), "lone high surrogate", 2 },
	{ T("\"\\ud800\\ud800\""), "lone high surrogate", 2 },
	{ T("\"\\ud800\\u0041\""), "lone high surrogate", 2 },
	{ T("\"\\udc00\""), "lone low surrogate", 2 },
	{ T("\"\\udc00\\ud800\""), "lone low surrogate", 2 },
	{ T("\"a\nb\""), "control character in a string", 3 },
	{ T("\"a\tb\""), "control character in a string", 3 },
	{ T("\"\x1f\""), "control character in a string", 2 },
	{ T("\"a\0b\""), "NUL byte", 3 },
	{ T("\0"), "NUL byte", 1 },
	{ T("1\0"), "NUL byte", 2 },
	{ T("\xef\xbb\xbf{}"), "byte order mark", 1 },
	{ T("\"\x80\""), "bad UTF-8", 2 },
	{ T("\"\xff\""), "bad UTF-8", 2 },
	{ T("\"\xc0\xaf\""), "bad UTF-8", 2 },     /* overlong */
	{ T("\"\xc1\xbf\""), "bad UTF-8", 2 },
	{ T("\"\xe0\x9f\xbf\""), "bad UTF-8", 2 },
	{ T("\"\xf0\x8f\xbf\xbf\""), "bad UTF-8", 2 },
	{ T("\"\xed\xa0\x80\""), "bad UTF-8", 2 }, /* surrogate */
	{ T("\"\xed\xbf\xbf\""), "bad UTF-8", 2 },
	{ T("\"\xf4\x90\x80\x80\""), "bad UTF-8", 2 }, /* over U+10FFFF */
	{ T("\"\xf5\x80\x80\x80\""), "bad UTF-8", 2 },
	{ T("\"\xc3\""), "bad UTF-8", 2 },         /* cut */
	{ T("\"\xe2\x82\""), "bad UTF-8", 2 },
	{ T("\"\xe2\x82"), "bad UTF-8", 2 },
	{ T("\"ok \xc3\xa9 \xc3\""), "bad UTF-8", 8 },
	{ T("\xc3\xa9"), "unexpected character", 1 },
	{ T("\f1"), "unexpected character", 1 },
	{ T("\v1"), "unexpected character", 1 },
	{ T("\xc2\xa0" "1"), "unexpected character", 1 },
	{ T("/* */1"), "unexpected character", 1 },
	{ T("1//"), "text after the value", 2 },
	{ T("]"), "unexpected character", 1 },
	{ T("}"), "unexpected character", 1 },
	{ T(","), "unexpected character", 1 },
	{ T(":"), "unexpected character", 1 },
};

static void
table(void)
{
	struct json_error e;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (agree(good[i], &e) < 0) {
			printf("refused: %s: %s\n", good[i].p, e.what);
			assert(!"good text refused");
		}
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int r = agree(bad[i].text, &e);

		if (r == 0 || strcmp(e.what, bad[i].what) != 0 ||
		    e.column != bad[i].column) {
			printf("%s: %s at %zu, not %s at %zu\n", bad[i].text.p,
			    r == 0 ? "taken" : e.what, r == 0 ? 0 : e.column,
			    bad[i].what, bad[i].column);
			assert(!"bad text taken, or for another reason");
		}
	}
}

static void
depth(void)
{
	static const char *const open[] = { "[", "{\"a\":" };
	static const char *const shut[] = { "]", "}" };
	struct json_error e;
	int kind, n, i;

	for (kind = 0; kind < 2; kind++) {
		for (n = 255; n <= 258; n++) {
			struct buf b = { 0 };

			for (i = 0; i < n; i++)
				buf_puts(&b, open[kind]);
			buf_puts(&b, "1");
			for (i = 0; i < n; i++)
				buf_puts(&b, shut[kind]);
			if (n <= JSON_MAX_DEPTH) {
				assert(agree(buf_bytes(&b), &e) == 0);
			} else {
				assert(agree(buf_bytes(&b), &e) < 0);
				assert(e.column ==
				    256 * strlen(open[kind]) + 1);
			}
			buf_clear(&b);
		}
	}
}

static void
strings(void)
{
	static const char text[] =
	    "{\"a\\u0000b\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83c\\udf0a\"}";
	struct buf scratch = { 0 };
	struct json_error e;
	struct span want = SPAN("\"\\/\b\f\n\r\t\xc3\xa9\xf0\x9f\x8c\x8a");
	struct span name = { "a\0b", 3 };

	assert(agree(span_of(text), &e) == 0);
	assert(json_get(&fast, 0, name) == 2);
	assert(json_get(&fast, 0, SPAN("a")) == 0);
	assert(json_get(&fast, 2, SPAN("a")) == 0);
	assert(span_eq(json_string(&fast, 2, &scratch), want));
	assert(json_string_is(&fast, 2, want));
	assert(!json_string_is(&fast, 0, want));
	buf_clear(&scratch);
}

/* The members of the object at node 0 as "name=value " in their order. */
static const char *
members(struct buf *b)
{
	uint32_t k;

	b->len = 0;
	for (k = 1; k < json_next(&fast, 0); k = json_next(&fast, k + 1)) {
		json_add_string(&fast, k, b);
		buf_putc(b, '=');
		buf_span(b, json_bytes(&fast, k + 1));
		buf_putc(b, ' ');
	}
	return buf_str(b);
}

static void
repeats(void)
{
	static const char *const few[][2] = {
		{ "{\"a\":1,\"a\":2}", "a=2 " },
		{ "{\"a\":1,\"b\":2,\"a\":[3,{}]}", "a=[3,{}] b=2 " },
		{ "{\"b\":{\"x\":1},\"a\":0,\"b\":4,\"c\":5,\"b\":6}",
		    "b=6 a=0 c=5 " },
		{ "{\"a\":1,\"\\u0061\":2}", "a=2 " },
		{ "{\"\\u0061\":1,\"c\":0,\"a\":{\"k\":1}}",
		    "a={\"k\":1} c=0 " },
		{ "{\"\":1,\"\":2}", "=2 " },
		{ "{\"a\":{\"b\":1,\"b\":2},\"a\":{\"b\":3,\"b\":4}}",
		    "a={\"b\":3,\"b\":4} " },
	};
	struct buf text = { 0 }, got = { 0 }, want = { 0 };
	struct json_error e;
	size_t i;
	int n;

	for (i = 0; i < sizeof(few) / sizeof(few[0]); i++) {
		assert(agree(span_of(few[i][0]), &e) == 0);
		assert(strcmp(members(&got), few[i][1]) == 0);
		assert(fast.nodes[0].repeated);
	}
	/* The inner object is put in order, too. */
	assert(json_at(&fast, 2)->n == 1);
	assert(agree(SPAN("{\"a\":1,\"b\":2}"), &e) == 0);
	assert(!fast.nodes[0].repeated);

	/* On both sides of where a table of names is used: 2n members. */
	for (n = 1; n <= 3000; n = n < 24 ? n + 1 : n * 5) {
		text.len = want.len = 0;
		buf_putc(&text, '{');
		for (i = 0; i < (size_t)n; i++) {
			buf_printf(&text, "\"k%zu\":%zu,", i, i);
			buf_printf(&want, "k%zu=[%zu] ", i, i);
		}
		for (i = (size_t)n; i-- > 0;)
			buf_printf(&text, "\"k%zu\":[%zu]%s", i, i,
			    i ? "," : "}");
		assert(agree(buf_bytes(&text), &e) == 0);
		assert(strcmp(members(&got), buf_str(&want)) == 0);
		assert((int)json_at(&fast, 0)->n == n);
	}
	buf_clear(&text);
	buf_clear(&got);
	buf_clear(&want);
}

/* Strings of every length and offset, an odd byte at every place. */
static void
offsets(void)
{
	static const char odd[] = "\"\\\x01\x1f\x80\xc3\xff";
	struct json_error e;
	char text[128];
	size_t len, at, i;

	for (len = 2; len < 70; len++) {
		memset(text, 'x', sizeof(text));
		text[0] = text[len - 1] = '"';
		assert(agree((struct span){ text, len }, &e) == 0);
		for (at = 1; at + 1 < len; at++) {
			for (i = 0; i < sizeof(odd); i++) {
				text[at] = odd[i]; /* the last one is NUL */
				(void)agree((struct span){ text, len }, &e);
			}
			text[at] = 'x';
		}
	}
}

static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* A string with escapes against each of its beginnings, and one that goes on. */
static void
compared(void)
{
	static const char text[] = "\"\\u0061b\\n\\\\c\\u00e9\\ud83c\\udf0a\\/\\u0000z\\\"\"";
	static const char want[] = "ab\n\\c\xc3\xa9\xf0\x9f\x8c\x8a/\0z\"!";
	struct json_error e;
	size_t n;

	assert(agree(span_of(text), &e) == 0);
	for (n = 0; n < sizeof(want); n++)
		assert(json_string_is(&fast, 0, (struct span){ want, n }) ==
		    (n == sizeof(want) - 2));
}

static void
mutations(void)
{
	static const char bytes[] = "\"\\{}[]:,0123456789.eE+-truefalsn "
	    "\t\xc3\xa9\xed\xa0\x80\xf0\x9f\x8c\x8a\x01\x7fu";
	static const char seed[] = "{\"name\":\"service:subscribed\",\"payload\":"
	    "{\"serviceId\":\"a\\u0020b\\ud83c\\udf0a \xc3\xa9 0123456789abcdef\","
	    "\"n\":[1.5e-3,-0,true,null,{\"k\":\"v\",\"k\":\"w\"}],\"\":{}}}";
	uint64_t state = 0x9e3779b97f4a7c15u;
	struct json_error e;
	char text[sizeof(seed) + 16];
	int round, i;

	for (round = 0; round < 200000; round++) {
		size_t len = sizeof(seed) - 1;

		memcpy(text, seed, len);
		for (i = (int)(next_random(&state) % 4); i >= 0; i--) {
			size_t at = next_random(&state) % len;

			switch (next_random(&state) % 4) {
			case 0: /* cut */
				len = at ? at : 1;
				break;
			case 1: /* take out */
				memmove(text + at, text + at + 1, len - at - 1);
				len -= len > 1;
				break;
			default:
				text[at] = bytes[next_random(&state) %
				    (sizeof(bytes) - 1)];
			}
		}
		(void)agree((struct span){ text, len }, &e);
	}
}

int
main(void)
{
	json_init(&fast);
	portable_init(&slow);
	table();
	depth();
	strings();
	repeats();
	offsets();
	compared();
	mutations();
	json_clear(&fast);
	portable_clear(&slow);
	(void)portable_get;
	(void)portable_kind_name;
	(void)portable_unwrap;
	return 0;
}
