/*
 * JSON Schema. A (sub)schema becomes a run of checks, cheapest first; what
 * belongs to objects (properties, required, additionalProperties) is fused into
 * one check that walks the members once. Locations are strings made at compile
 * time: a valid value pays nothing for them.
 */
#include "json/schema.h"

#include "base/alloc.h"
#include "json/pointer.h"
#include "json/regex.h"

enum check_kind {
	CHECK_FALSE, CHECK_TYPE, CHECK_ENUM, CHECK_MIN_LENGTH,
	CHECK_MAX_LENGTH, CHECK_PATTERN, CHECK_OBJECT, CHECK_ITEMS,
};

enum { NO_BLOCK = -1, ANY_KIND = 0x7f, INTEGER = 0x80 };

/* A name that an object check knows. */
struct property {
	char *name;
	size_t len;
	int block; /* NO_BLOCK: only required */
	bool required;
};

struct object {
	struct property *list; /* by length, then bytes */
	size_t n, cap;
	size_t n_required;
	int additional; /* NO_BLOCK: any */
};

struct scalar {
	enum json_kind kind; /* STRING, NULL, TRUE or FALSE */
	char *text;
	size_t len;
};

struct check {
	enum check_kind kind;
	unsigned mask;      /* CHECK_TYPE: a bit a json_kind, INTEGER */
	size_t limit;       /* CHECK_MIN_LENGTH, CHECK_MAX_LENGTH */
	int block;          /* CHECK_ITEMS */
	struct regex *regex;
	struct object *object;
	struct scalar *scalars;
	size_t n_scalars;
	const char *keyword;
	char *location;
};

struct block {
	struct check *checks;
	size_t n, cap;
};

struct schema {
	struct block *blocks; /* blocks[0] is the root */
	size_t n, cap;
	struct buf scratch;
};

struct compile {
	struct schema *schema;
	const struct json *j;
	uint32_t root;
	struct error *e;
};

static int compile_block(struct compile *, uint32_t node);

static int
refuse(struct compile *c, uint32_t node, const char *what)
{
	struct buf at = { 0 };

	pointer_to(c->j, c->root, node, &at);
	error_set(c->e, "schema at '%s': %s", buf_str(&at), what);
	buf_clear(&at);
	return -1;
}

static struct check *
add_check(struct compile *c, int block, uint32_t node, enum check_kind kind,
    const char *keyword)
{
	struct block *b = &c->schema->blocks[block];
	struct buf at = { 0 };
	struct check *k;

	b->checks = alloc_grow(b->checks, &b->cap, b->n + 1, sizeof(*k));
	k = &b->checks[b->n++];
	pointer_to(c->j, c->root, node, &at);
	*k = (struct check){ .kind = kind, .keyword = keyword,
		.block = NO_BLOCK, .location = alloc_copy(buf_str(&at),
		    at.len) };
	buf_clear(&at);
	return k;
}

static unsigned
type_bit(const struct json *j, uint32_t node)
{
	static const struct {
		const char *name;
		unsigned mask;
	} types[] = {
		{ "null", 1u << JSON_NULL },
		{ "boolean", 1u << JSON_FALSE | 1u << JSON_TRUE },
		{ "number", 1u << JSON_NUMBER }, { "string", 1u << JSON_STRING },
		{ "array", 1u << JSON_ARRAY }, { "object", 1u << JSON_OBJECT },
		{ "integer", INTEGER },
	};
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (json_string_is(j, node, span_of(types[i].name)))
			return types[i].mask;
	return 0;
}

static int
compile_type(struct compile *c, int block, uint32_t node)
{
	unsigned mask = 0, bit;
	uint32_t i;

	if (json_kind(c->j, node) == JSON_ARRAY) {
		for (i = node + 1; i < json_next(c->j, node);
		    i = json_next(c->j, i)) {
			bit = type_bit(c->j, i);
			if (!bit)
				return refuse(c, i, "no such type");
			mask |= bit;
		}
	} else {
		mask = type_bit(c->j, node);
	}
	if (!mask)
		return refuse(c, node, "type: not a type, nor a list of types");
	add_check(c, block, node, CHECK_TYPE, "type")->mask = mask;
	return 0;
}

static int
add_scalar(struct compile *c, struct check *k, uint32_t node)
{
	enum json_kind kind = json_kind(c->j, node);
	struct buf text = { 0 };
	struct scalar *s;

	if (kind == JSON_NUMBER || kind == JSON_ARRAY || kind == JSON_OBJECT)
		return refuse(c, node, "enum and const take strings, booleans "
		    "and null so far");
	k->scalars = alloc_resize(k->scalars, k->n_scalars + 1, sizeof(*s));
	s = &k->scalars[k->n_scalars++];
	*s = (struct scalar){ .kind = kind };
	if (kind == JSON_STRING) {
		json_add_string(c->j, node, &text);
		s->text = alloc_copy(text.p, text.len);
		s->len = text.len;
		buf_clear(&text);
	}
	return 0;
}

static int
compile_enum(struct compile *c, int block, uint32_t node)
{
	struct check *k;
	uint32_t i;

	if (json_kind(c->j, node) != JSON_ARRAY)
		return refuse(c, node, "enum: not an array");
	k = add_check(c, block, node, CHECK_ENUM, "enum");
	for (i = node + 1; i < json_next(c->j, node); i = json_next(c->j, i))
		if (add_scalar(c, k, i) < 0)
			return -1;
	return 0;
}

static int
compile_const(struct compile *c, int block, uint32_t node)
{
	return add_scalar(c, add_check(c, block, node, CHECK_ENUM, "const"),
	    node);
}

static int
compile_length(struct compile *c, int block, uint32_t node,
    enum check_kind kind, const char *keyword)
{
	struct span digits = json_bytes(c->j, node);
	size_t limit = 0, i;

	if (json_kind(c->j, node) != JSON_NUMBER || digits.len > 9)
		return refuse(c, node, "not a number of characters");
	for (i = 0; i < digits.len; i++) {
		if (digits.p[i] < '0' || digits.p[i] > '9')
			return refuse(c, node, "not a number of characters");
		limit = limit * 10 + (size_t)(digits.p[i] - '0');
	}
	add_check(c, block, node, kind, keyword)->limit = limit;
	return 0;
}

static int
compile_min_length(struct compile *c, int block, uint32_t node)
{
	return compile_length(c, block, node, CHECK_MIN_LENGTH, "minLength");
}

static int
compile_max_length(struct compile *c, int block, uint32_t node)
{
	return compile_length(c, block, node, CHECK_MAX_LENGTH, "maxLength");
}

static int
compile_pattern(struct compile *c, int block, uint32_t node)
{
	struct buf text = { 0 };
	struct error why;
	struct regex *r;

	if (json_kind(c->j, node) != JSON_STRING)
		return refuse(c, node, "pattern: not a string");
	r = regex_compile(json_string(c->j, node, &text), &why);
	buf_clear(&text);
	if (!r)
		return refuse(c, node, why.text);
	add_check(c, block, node, CHECK_PATTERN, "pattern")->regex = r;
	return 0;
}

static int
compile_items(struct compile *c, int block, uint32_t node)
{
	int items = compile_block(c, node);

	if (items < 0)
		return -1;
	add_check(c, block, node, CHECK_ITEMS, "items")->block = items;
	return 0;
}

static struct property *
find_property(const struct object *o, struct span name, size_t *at)
{
	size_t low = 0, high = o->n;

	while (low < high) {
		size_t mid = (low + high) / 2;
		struct property *p = &o->list[mid];
		int order = (p->len > name.len) - (p->len < name.len);

		if (!order)
			order = memcmp(p->name, name.p, name.len);
		if (!order)
			return p;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (at)
		*at = low;
	return NULL;
}

static struct property *
add_property(struct compile *c, struct object *o, uint32_t name)
{
	struct buf text = { 0 };
	struct span s = json_string(c->j, name, &text);
	size_t at = 0;
	struct property *p = find_property(o, s, &at);

	if (!p) {
		o->list = alloc_grow(o->list, &o->cap, o->n + 1, sizeof(*p));
		p = &o->list[at];
		memmove(p + 1, p, (o->n++ - at) * sizeof(*p));
		*p = (struct property){ .name = alloc_copy(s.p, s.len),
			.len = s.len, .block = NO_BLOCK };
	}
	buf_clear(&text);
	return p;
}

static int
compile_properties(struct compile *c, struct object *o, uint32_t node)
{
	uint32_t k;

	if (json_kind(c->j, node) != JSON_OBJECT)
		return refuse(c, node, "properties: not an object");
	for (k = node + 1; k < json_next(c->j, node);
	    k = json_next(c->j, k + 1)) {
		int block = compile_block(c, k + 1);

		if (block < 0)
			return -1;
		add_property(c, o, k)->block = block;
	}
	return 0;
}

static int
compile_required(struct compile *c, struct object *o, uint32_t node)
{
	uint32_t i;

	if (json_kind(c->j, node) != JSON_ARRAY)
		return refuse(c, node, "required: not an array");
	for (i = node + 1; i < json_next(c->j, node); i = json_next(c->j, i)) {
		struct property *p;

		if (json_kind(c->j, i) != JSON_STRING)
			return refuse(c, i, "required: not a name");
		p = add_property(c, o, i);
		o->n_required += !p->required;
		p->required = true;
	}
	return 0;
}

/* properties, required and additionalProperties: one check, one walk. */
static int
compile_object(struct compile *c, int block, uint32_t node)
{
	uint32_t properties = json_get(c->j, node, SPAN("properties"));
	uint32_t required = json_get(c->j, node, SPAN("required"));
	uint32_t rest = json_get(c->j, node, SPAN("additionalProperties"));
	struct object *o;

	if (!properties && !required && !rest)
		return 0;
	o = alloc_zero(1, sizeof(*o));
	o->additional = NO_BLOCK;
	add_check(c, block, node, CHECK_OBJECT, "properties")->object = o;
	if ((properties && compile_properties(c, o, properties) < 0) ||
	    (required && compile_required(c, o, required) < 0))
		return -1;
	if (rest && (o->additional = compile_block(c, rest)) < 0)
		return -1;
	return 0;
}

static const struct keyword {
	const char *name;
	int (*compile)(struct compile *, int block, uint32_t node);
} keywords[] = {
	/* In this order: cheap checks first. */
	{ "type", compile_type }, { "const", compile_const },
	{ "enum", compile_enum }, { "minLength", compile_min_length },
	{ "maxLength", compile_max_length }, { "pattern", compile_pattern },
	{ "items", compile_items },
	/* compile_object takes these together. */
	{ "properties", NULL }, { "required", NULL },
	{ "additionalProperties", NULL },
	/* Annotations. */
	{ "$schema", NULL }, { "$id", NULL }, { "$comment", NULL },
	{ "title", NULL }, { "description", NULL }, { "default", NULL },
	{ "examples", NULL }, { "deprecated", NULL }, { "readOnly", NULL },
	{ "writeOnly", NULL }, { "format", NULL },
};

enum { N_KEYWORDS = sizeof(keywords) / sizeof(keywords[0]) };

static int
known_keywords(struct compile *c, uint32_t node)
{
	uint32_t k;
	size_t i;

	for (k = node + 1; k < json_next(c->j, node);
	    k = json_next(c->j, k + 1)) {
		for (i = 0; i < N_KEYWORDS; i++)
			if (json_string_is(c->j, k, span_of(keywords[i].name)))
				break;
		if (i == N_KEYWORDS)
			return refuse(c, k + 1, "unknown keyword");
	}
	return 0;
}

/* The index of the block that checks the schema at a node, or -1. */
static int
compile_block(struct compile *c, uint32_t node)
{
	struct schema *s = c->schema;
	int block = (int)s->n;
	size_t i;

	s->blocks = alloc_grow(s->blocks, &s->cap, s->n + 1,
	    sizeof(*s->blocks));
	s->blocks[s->n++] = (struct block){ 0 };
	switch (json_kind(c->j, node)) {
	case JSON_TRUE:
		return block;
	case JSON_FALSE:
		add_check(c, block, node, CHECK_FALSE, "false");
		return block;
	case JSON_OBJECT:
		break;
	default:
		return refuse(c, node, "neither an object nor a boolean");
	}
	if (known_keywords(c, node) < 0)
		return -1;
	for (i = 0; i < N_KEYWORDS; i++) {
		uint32_t value = !keywords[i].compile ? 0 :
		    json_get(c->j, node, span_of(keywords[i].name));

		if (value && keywords[i].compile(c, block, value) < 0)
			return -1;
	}
	return compile_object(c, block, node) < 0 ? -1 : block;
}

struct schema *
schema_compile(const struct json *j, uint32_t node, struct error *e)
{
	struct compile c = { .schema = alloc_zero(1, sizeof(*c.schema)),
		.j = j, .root = node, .e = e };

	if (compile_block(&c, node) >= 0)
		return c.schema;
	schema_free(c.schema);
	return NULL;
}

static void
free_check(struct check *k)
{
	size_t i;

	regex_free(k->regex);
	for (i = 0; k->object && i < k->object->n; i++)
		free(k->object->list[i].name);
	if (k->object)
		free(k->object->list);
	free(k->object);
	for (i = 0; i < k->n_scalars; i++)
		free(k->scalars[i].text);
	free(k->scalars);
	free(k->location);
}

void
schema_free(struct schema *s)
{
	size_t i, n;

	if (!s)
		return;
	for (i = 0; i < s->n; i++) {
		for (n = 0; n < s->blocks[i].n; n++)
			free_check(&s->blocks[i].checks[n]);
		free(s->blocks[i].checks);
	}
	free(s->blocks);
	buf_clear(&s->scratch);
	free(s);
}

/*
 * Is the number integral? Exact, by its digits: "1.50e1" is, "1.5" is not.
 */
static bool
is_integer(struct span s)
{
	long fraction = 0, zeros = 0, exponent = 0;
	bool point = false, minus = false, all_zero = true;
	size_t i;

	for (i = 0; i < s.len && (s.p[i] | 0x20) != 'e'; i++) {
		if (s.p[i] == '.') {
			point = true;
		} else if (s.p[i] != '-') {
			fraction += point;
			zeros = s.p[i] == '0' ? zeros + 1 : 0;
			all_zero = all_zero && s.p[i] == '0';
		}
	}
	for (i++; i < s.len; i++) {
		if (s.p[i] == '-')
			minus = true;
		else if (s.p[i] != '+' && exponent < 100000000)
			exponent = exponent * 10 + (s.p[i] - '0');
	}
	return all_zero ||
	    zeros >= fraction - (minus ? -exponent : exponent);
}

static bool
check_type(const struct check *k, const struct json *j, uint32_t i)
{
	enum json_kind kind = json_kind(j, i);

	return k->mask & 1u << kind || (k->mask & INTEGER &&
	    kind == JSON_NUMBER && is_integer(json_bytes(j, i)));
}

static bool
check_enum(const struct check *k, const struct json *j, uint32_t node)
{
	enum json_kind kind = json_kind(j, node);
	size_t i;

	for (i = 0; i < k->n_scalars; i++) {
		const struct scalar *s = &k->scalars[i];

		if (s->kind == kind && (kind != JSON_STRING ||
		    json_string_is(j, node, (struct span){ s->text, s->len })))
			return true;
	}
	return false;
}

static size_t
count_characters(struct span s)
{
	size_t n = 0, i;

	for (i = 0; i < s.len; i++)
		n += (s.p[i] & 0xc0) != 0x80;
	return n;
}

/* minLength, maxLength, pattern: all pass what is no string. */
static bool
check_string(struct schema *s, const struct check *k, const struct json *j,
    uint32_t i)
{
	struct span text;

	if (json_kind(j, i) != JSON_STRING)
		return true;
	text = json_string(j, i, &s->scratch);
	switch (k->kind) {
	case CHECK_MIN_LENGTH:
		return text.len >= k->limit && (k->limit <= 1 ||
		    count_characters(text) >= k->limit);
	case CHECK_MAX_LENGTH:
		return text.len <= k->limit ||
		    count_characters(text) <= k->limit;
	default:
		return regex_match(k->regex, text) == REGEX_YES;
	}
}

static bool run_block(struct schema *, int block, const struct json *,
    uint32_t node, struct schema_fault *);

static bool
fault_missing(const struct check *k, const struct json *j, uint32_t node,
    struct schema_fault *f)
{
	size_t i;

	for (i = 0; i < k->object->n; i++) {
		const struct property *p = &k->object->list[i];
		struct span name = { p->name, p->len };

		if (p->required && !json_get(j, node, name)) {
			*f = (struct schema_fault){ .node = node,
				.keyword = "required", .location = k->location,
				.name = name };
			break;
		}
	}
	return false;
}

static bool
check_object(struct schema *s, const struct check *k, const struct json *j,
    uint32_t node, struct schema_fault *f)
{
	const struct object *o = k->object;
	uint32_t end = json_next(j, node), m;
	size_t met = 0;

	if (json_kind(j, node) != JSON_OBJECT)
		return true;
	for (m = node + 1; m < end; m = json_next(j, m + 1)) {
		struct span name = json_string(j, m, &s->scratch);
		const struct property *p = find_property(o, name, NULL);
		int block = p && p->block != NO_BLOCK ? p->block :
		    o->additional;

		met += p && p->required;
		if (block != NO_BLOCK && !run_block(s, block, j, m + 1, f))
			return false;
	}
	return met == o->n_required || fault_missing(k, j, node, f);
}

static bool
check_items(struct schema *s, const struct check *k, const struct json *j,
    uint32_t node, struct schema_fault *f)
{
	uint32_t i;

	if (json_kind(j, node) != JSON_ARRAY)
		return true;
	for (i = node + 1; i < json_next(j, node); i = json_next(j, i))
		if (!run_block(s, k->block, j, i, f))
			return false;
	return true;
}

static bool
run_block(struct schema *s, int block, const struct json *j, uint32_t node,
    struct schema_fault *f)
{
	const struct block *b = &s->blocks[block];
	size_t i;

	for (i = 0; i < b->n; i++) {
		const struct check *k = &b->checks[i];
		bool good;

		switch (k->kind) {
		case CHECK_OBJECT:
			if (!check_object(s, k, j, node, f))
				return false;
			continue;
		case CHECK_ITEMS:
			if (!check_items(s, k, j, node, f))
				return false;
			continue;
		case CHECK_FALSE:
			good = false;
			break;
		case CHECK_TYPE:
			good = check_type(k, j, node);
			break;
		case CHECK_ENUM:
			good = check_enum(k, j, node);
			break;
		default:
			good = check_string(s, k, j, node);
			break;
		}
		if (!good) {
			*f = (struct schema_fault){ .node = node,
				.keyword = k->keyword,
				.location = k->location };
			return false;
		}
	}
	return true;
}

bool
schema_check(struct schema *s, const struct json *j, uint32_t node,
    struct schema_fault *f)
{
	return run_block(s, 0, j, node, f);
}

void
schema_explain(const struct schema_fault *f, const struct json *j,
    uint32_t root, const char *prefix, struct buf *b)
{
	static const struct {
		const char *keyword, *text;
	} texts[] = {
		{ "type", "has the wrong type" },
		{ "enum", "is not one of the values allowed" },
		{ "const", "is not the value required" },
		{ "minLength", "is too short" },
		{ "maxLength", "is too long" },
		{ "pattern", "does not match the pattern" },
		{ "required", "lacks the member" },
		{ "false", "is not allowed" },
	};
	size_t i, start = b->len;

	buf_puts(b, prefix);
	pointer_to(j, root, f->node, b);
	if (b->len == start)
		buf_puts(b, "the value");
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(texts[i].keyword, f->keyword) == 0)
			buf_printf(b, " %s", texts[i].text);
	if (f->name.len)
		buf_printf(b, " '%.*s'", (int)f->name.len, f->name.p);
	/* The check of an object stands for its keywords. */
	buf_printf(b, " (%s, schema at '%s%s')", f->keyword, f->location,
	    f->name.len ? "/required" : "");
}
