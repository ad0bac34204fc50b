/*
 * Schemas that stand alone. The walk is the one over the places where the
 * standard has schemas; all else is copied.
 */
#include "json/schema_bundle.h"

#include "base/alloc.h"
#include "json/pointer.h"
#include "json/schema_impl.h"
#include "json/write.h"

enum { MAX_DEPTH = 64 }; /* of schemas that apply to one value */

struct part {
	uint32_t document, node;
	const struct span *absent;
	size_t n_absent;
	struct span name;
};

struct schema_bundle {
	struct schemas *set;
	const char *begin, *end;
	struct part *parts;
	size_t n_parts, cap_parts, n_written;
	struct names names;
	struct arena arena; /* the names */
};

/* A schema being written. */
struct writing {
	struct schema_bundle *bundle;
	const struct json *j;
	uint32_t document;
	const struct span *absent; /* of the instance that it applies to */
	size_t n_absent;
	struct buf *out;
};

struct schema_bundle *
schema_bundle_new(struct schemas *set, const char *begin, const char *end)
{
	struct schema_bundle *b = alloc_zero(1, sizeof(*b));

	b->set = set;
	b->begin = begin;
	b->end = end;
	return b;
}

void
schema_bundle_free(struct schema_bundle *b)
{
	if (!b)
		return;
	free(b->parts);
	names_clear(&b->names);
	arena_clear(&b->arena);
	free(b);
}

/* Parts */

static bool
ends_in(struct span s, struct span end)
{
	return s.len > end.len &&
	    memcmp(s.p + s.len - end.len, end.p, end.len) == 0;
}

/* The file's or member's name by which people know the schema. */
static void
put_known_as(const struct schema_set *set, uint32_t document, uint32_t node,
    struct buf *b)
{
	const struct document *d = set->documents[document];
	const struct resource *r =
	    &set->resources[schema_set_resource(set, document, node)];
	struct span s;
	size_t i;

	if (r->node == node)
		buf_puts(b, r->uri);
	else
		pointer_to(&d->json, d->root, node, b);
	s = buf_bytes(b);
	for (i = s.len; i > 0 && s.p[i - 1] != '/'; i--)
		;
	s.p += i;
	s.len -= i;
	if (ends_in(s, SPAN(".json")))
		s.len -= 5;
	if (ends_in(s, SPAN(".schema")))
		s.len -= 7;
	memmove(b->p, s.p, s.len);
	b->len = s.len;
}

static bool
is_fit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

/* "address", the second one "address-2" */
static struct span
new_name(struct schema_bundle *b, uint32_t document, uint32_t node)
{
	struct buf name = { 0 };
	size_t len, i, n = 1;
	struct span kept;

	put_known_as(&b->set->set, document, node, &name);
	for (i = 0; i < name.len; i++)
		if (!is_fit(name.p[i]))
			name.p[i] = '_';
	if (name.len == 0)
		buf_puts(&name, "schema");
	len = name.len;
	while (names_find(&b->names, buf_bytes(&name)) >= 0) {
		name.len = len;
		buf_printf(&name, "-%zu", ++n);
	}
	kept = arena_copy(&b->arena, buf_bytes(&name));
	names_add(&b->names, kept);
	buf_clear(&name);
	return kept;
}

static struct span
part_name(struct schema_bundle *b, struct part part)
{
	size_t i;

	for (i = 0; i < b->n_parts; i++) {
		const struct part *p = &b->parts[i];

		if (p->document == part.document && p->node == part.node &&
		    p->n_absent == part.n_absent &&
		    (part.n_absent == 0 || p->absent == part.absent))
			return p->name;
	}
	part.name = new_name(b, part.document, part.node);
	b->parts = alloc_grow(b->parts, &b->cap_parts, b->n_parts + 1,
	    sizeof(*b->parts));
	b->parts[b->n_parts++] = part;
	return part.name;
}

/* Where the reference of a schema leads. It was compiled: somewhere. */
static int
resolve(const struct writing *w, uint32_t schema, uint32_t value,
    uint32_t *document, uint32_t *node)
{
	struct schema_set *set = &w->bundle->set->set;
	struct buf scratch = { 0 };
	struct span anchor;
	struct error e;
	int r = schema_set_resolve(set, schema_set_resource(set, w->document,
	    schema), json_string(w->j, value, &scratch), document, node,
	    &anchor, &e);

	buf_clear(&scratch);
	return r;
}

/* What members that were taken out touch */

static bool
is_absent(const struct writing *w, uint32_t string)
{
	size_t i;

	for (i = 0; i < w->n_absent; i++)
		if (json_string_is(w->j, string, w->absent[i]))
			return true;
	return false;
}

/* Does the keyword's schema apply to the instance itself, not to a part? */
static bool
is_in_place(enum keyword_id id)
{
	return id == KEYWORD_ALL_OF || id == KEYWORD_ANY_OF ||
	    id == KEYWORD_DEPENDENT_SCHEMAS;
}

/* Is one of the strings in this value a name that was taken out? */
static bool
names_absent(const struct writing *w, uint32_t value)
{
	uint32_t i;

	for (i = value; i < json_next(w->j, value); i++)
		if (json_kind(w->j, i) == JSON_STRING && is_absent(w, i))
			return true;
	return false;
}

static bool hangs(const struct writing *, uint32_t schema, unsigned depth);

static bool
target_hangs(const struct writing *w, uint32_t schema, uint32_t value,
    unsigned depth)
{
	struct writing there = *w;
	uint32_t node;

	if (resolve(w, schema, value, &there.document, &node) < 0)
		return true;
	there.j = &w->bundle->set->set.documents[there.document]->json;
	return hangs(&there, node, depth);
}

static bool
any_hangs(const struct writing *w, uint32_t list, unsigned depth)
{
	uint32_t i;

	for (i = list + 1; i < json_next(w->j, list); i = json_next(w->j, i))
		if (hangs(w, i, depth))
			return true;
	return false;
}

/* Of an object of schemas by members' names. */
static bool
member_hangs(const struct writing *w, uint32_t object, unsigned depth)
{
	uint32_t k;

	for (k = object + 1; k < json_next(w->j, object);
	    k = json_next(w->j, k + 1))
		if (is_absent(w, k) || hangs(w, k + 1, depth))
			return true;
	return false;
}

static bool
has_absent(const struct writing *w, uint32_t object)
{
	uint32_t k;

	for (k = object + 1; k < json_next(w->j, object);
	    k = json_next(w->j, k + 1))
		if (is_absent(w, k))
			return true;
	return false;
}

static bool
keyword_hangs(const struct writing *w, uint32_t schema, enum keyword_id id,
    uint32_t value, unsigned depth)
{
	switch (id) {
	case KEYWORD_REQUIRED:
	case KEYWORD_DEPENDENT_REQUIRED:
		return names_absent(w, value);
	case KEYWORD_PROPERTIES:
		return has_absent(w, value);
	case KEYWORD_ADDITIONAL_PROPERTIES:
	case KEYWORD_UNEVALUATED_PROPERTIES:
	case KEYWORD_PATTERN_PROPERTIES:
	case KEYWORD_PROPERTY_NAMES:
	case KEYWORD_MIN_PROPERTIES:
	case KEYWORD_MAX_PROPERTIES:
	case KEYWORD_CONST:
	case KEYWORD_ENUM:
		return true; /* of all members, whatever their names */
	case KEYWORD_DEPENDENT_SCHEMAS:
		return member_hangs(w, value, depth);
	case KEYWORD_ALL_OF:
	case KEYWORD_ANY_OF:
	case KEYWORD_ONE_OF:
		return any_hangs(w, value, depth);
	case KEYWORD_NOT:
	case KEYWORD_IF:
	case KEYWORD_THEN:
	case KEYWORD_ELSE:
		return hangs(w, value, depth);
	case KEYWORD_REF:
	case KEYWORD_DYNAMIC_REF:
		return target_hangs(w, schema, value, depth);
	default:
		return false;
	}
}

/* May the verdict of this schema hang on a member that was taken out? */
static bool
hangs(const struct writing *w, uint32_t schema, unsigned depth)
{
	uint32_t k;

	if (json_kind(w->j, schema) != JSON_OBJECT)
		return false;
	if (depth == 0)
		return true;
	for (k = schema + 1; k < json_next(w->j, schema);
	    k = json_next(w->j, k + 1)) {
		const struct keyword *keyword = schema_keyword(w->j, k);

		if (keyword && keyword_hangs(w, schema, keyword->id, k + 1,
		    depth - 1))
			return true;
	}
	return false;
}

static bool
has_hanging(const struct writing *w, uint32_t schema, const char *name)
{
	uint32_t v = json_get(w->j, schema, span_of(name));

	return v && hangs(w, v, MAX_DEPTH);
}

static bool
has_hanging_if(const struct writing *w, uint32_t schema)
{
	return has_hanging(w, schema, "if") || has_hanging(w, schema, "then") ||
	    has_hanging(w, schema, "else");
}

/* Then what it evaluates may be another, too. */
static bool
in_place_hangs(const struct writing *w, uint32_t schema)
{
	uint32_t k;

	for (k = schema + 1; k < json_next(w->j, schema);
	    k = json_next(w->j, k + 1)) {
		const struct keyword *keyword = schema_keyword(w->j, k);

		if (keyword && (is_in_place(keyword->id) ||
		    keyword->id == KEYWORD_ONE_OF ||
		    keyword->id == KEYWORD_IF || keyword->id == KEYWORD_THEN ||
		    keyword->id == KEYWORD_ELSE ||
		    keyword->id == KEYWORD_REF ||
		    keyword->id == KEYWORD_DYNAMIC_REF) &&
		    keyword_hangs(w, schema, keyword->id, k + 1, MAX_DEPTH))
			return true;
	}
	return false;
}

/*
 * Taking members out of a valid instance can make these fail, or make succeed
 * what must not: without them the schema holds.
 */
static bool
is_undone(const struct writing *w, uint32_t schema, enum keyword_id id,
    uint32_t value)
{
	switch (id) {
	case KEYWORD_MIN_PROPERTIES:
	case KEYWORD_CONST:
	case KEYWORD_ENUM:
		return true;
	case KEYWORD_NOT:
		return hangs(w, value, MAX_DEPTH);
	case KEYWORD_ONE_OF:
		return any_hangs(w, value, MAX_DEPTH);
	case KEYWORD_DEPENDENT_REQUIRED:
		return names_absent(w, value);
	case KEYWORD_IF:
	case KEYWORD_THEN:
	case KEYWORD_ELSE:
		return has_hanging_if(w, schema);
	case KEYWORD_UNEVALUATED_PROPERTIES:
		return in_place_hangs(w, schema);
	default:
		return false;
	}
}

static bool
is_left_out(enum keyword_id id)
{
	return id == KEYWORD_ID || id == KEYWORD_SCHEMA ||
	    id == KEYWORD_ANCHOR || id == KEYWORD_DYNAMIC_ANCHOR ||
	    id == KEYWORD_VOCABULARY || id == KEYWORD_COMMENT ||
	    id == KEYWORD_DEFS || id == KEYWORD_DEFINITIONS;
}

/* Writing */

static void put_schema(const struct writing *, uint32_t node);

static void
put_comma(struct buf *b)
{
	char last = b->p[b->len - 1];

	if (last != '{' && last != '[')
		buf_putc(b, ',');
}

static void
put_raw(const struct writing *w, uint32_t node)
{
	json_put_compact(w->out, json_bytes(w->j, node));
}

static void
put_schemas(const struct writing *w, uint32_t list)
{
	uint32_t i;

	buf_putc(w->out, '[');
	for (i = list + 1; i < json_next(w->j, list); i = json_next(w->j, i)) {
		put_comma(w->out);
		put_schema(w, i);
	}
	buf_putc(w->out, ']');
}

static void
put_members(const struct writing *around, const struct writing *w,
    uint32_t object)
{
	uint32_t k;

	buf_putc(w->out, '{');
	for (k = object + 1; k < json_next(w->j, object);
	    k = json_next(w->j, k + 1)) {
		if (is_absent(around, k))
			continue;
		put_comma(w->out);
		put_raw(w, k);
		buf_putc(w->out, ':');
		put_schema(w, k + 1);
	}
	buf_putc(w->out, '}');
}

/* A list of names without those that were taken out. */
static void
put_required(const struct writing *w, uint32_t list)
{
	uint32_t i;

	buf_putc(w->out, '[');
	for (i = list + 1; i < json_next(w->j, list); i = json_next(w->j, i)) {
		if (is_absent(w, i))
			continue;
		put_comma(w->out);
		put_raw(w, i);
	}
	buf_putc(w->out, ']');
}

static void
put_ref(const struct writing *w, uint32_t schema, uint32_t value)
{
	struct schema_bundle *b = w->bundle;
	struct part part = { .absent = w->absent, .n_absent = w->n_absent };
	struct span name;

	if (resolve(w, schema, value, &part.document, &part.node) < 0)
		return;
	name = part_name(b, part);
	put_comma(w->out);
	buf_printf(w->out, "\"$ref\":\"%s%.*s%s\"", b->begin, (int)name.len,
	    name.p, b->end);
}

static void
put_value(const struct writing *w, const struct keyword *keyword,
    uint32_t value)
{
	struct writing inner = *w;

	if (keyword && !is_in_place(keyword->id))
		inner.n_absent = 0;
	if (keyword && keyword->id == KEYWORD_REQUIRED)
		put_required(w, value);
	else if (keyword && keyword->shape == SHAPE_SCHEMA)
		put_schema(&inner, value);
	else if (keyword && keyword->shape == SHAPE_SCHEMAS)
		put_schemas(&inner, value);
	else if (keyword && keyword->shape == SHAPE_MEMBERS &&
	    keyword->id != KEYWORD_PATTERN_PROPERTIES)
		put_members(w, &inner, value);
	else if (keyword && keyword->shape == SHAPE_MEMBERS)
		put_members(&inner, &inner, value);
	else
		put_raw(w, value);
}

static void
put_keyword(const struct writing *w, uint32_t schema, uint32_t name)
{
	const struct keyword *keyword = schema_keyword(w->j, name);

	if (keyword && (is_left_out(keyword->id) || (w->n_absent &&
	    is_undone(w, schema, keyword->id, name + 1))))
		return;
	if (keyword && keyword->id == KEYWORD_DYNAMIC_REF &&
	    json_get(w->j, schema, SPAN("$ref")))
		return; /* there is one already */
	if (keyword && (keyword->id == KEYWORD_REF ||
	    keyword->id == KEYWORD_DYNAMIC_REF)) {
		put_ref(w, schema, name + 1);
		return;
	}
	put_comma(w->out);
	put_raw(w, name);
	buf_putc(w->out, ':');
	put_value(w, keyword, name + 1);
}

static void
put_schema(const struct writing *w, uint32_t node)
{
	uint32_t k;

	if (json_kind(w->j, node) != JSON_OBJECT) {
		put_raw(w, node);
		return;
	}
	buf_putc(w->out, '{');
	for (k = node + 1; k < json_next(w->j, node); k = json_next(w->j, k + 1))
		put_keyword(w, node, k);
	buf_putc(w->out, '}');
}

static void
put_part(struct schema_bundle *b, const struct part *p, struct buf *out)
{
	struct writing w = { .bundle = b, .document = p->document,
		.j = &b->set->set.documents[p->document]->json,
		.absent = p->absent, .n_absent = p->n_absent, .out = out };

	put_schema(&w, p->node);
}

void
schema_bundle_put(struct schema_bundle *b, int document,
    const struct span *absent, size_t n_absent, struct buf *out)
{
	const struct part whole = { .document = (uint32_t)document,
		.node = b->set->set.documents[document]->root,
		.absent = absent, .n_absent = n_absent };

	put_part(b, &whole, out);
}

struct span
schema_bundle_next(struct schema_bundle *b, struct buf *out)
{
	struct part p;

	if (b->n_written == b->n_parts)
		return SPAN("");
	p = b->parts[b->n_written++]; /* the array may move */
	put_part(b, &p, out);
	return p.name;
}
