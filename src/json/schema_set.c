/*
 * The set of documents. Identifiers are found by walking the places where the
 * standard has schemas: an $id in an enum or under an unknown keyword is none.
 */
#include "json/schema_set.h"

#include "base/alloc.h"
#include "base/nearest.h"
#include "json/metaschema.h"
#include "json/pointer.h"
#include "json/schema.h"
#include "json/uri.h"

static const struct keyword keywords[] = {
#define KEYWORD(id, name, vocabulary, shape) { KEYWORD_##id, \
	{ name, sizeof(name) - 1 }, VOCABULARY_##vocabulary, SHAPE_##shape },
#include "json/keywords.h"
#undef KEYWORD
};

const struct keyword *
schema_keyword(const struct json *j, uint32_t name)
{
	size_t i;

	for (i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
		if (json_string_is(j, name, keywords[i].name))
			return &keywords[i];
	return NULL;
}

void
schema_put_meant(struct span unknown, struct buf *b)
{
	struct nearest near;
	size_t i;

	nearest_open(&near, unknown);
	for (i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
		nearest_offer(&near, keywords[i].name);
	nearest_put(&near, "", b);
}

void
schema_set_clear(struct schema_set *s)
{
	size_t i;

	for (i = 0; i < s->n_documents; i++) {
		json_clear(&s->documents[i]->json);
		buf_clear(&s->documents[i]->text);
	}
	free(s->documents);
	free(s->resources);
	free(s->identified);
	names_clear(&s->names);
	arena_clear(&s->arena);
	*s = (struct schema_set){ 0 };
}

/* Of two schemas with the same identifier neither is meant. One whose document
 * was read twice is no two: it lies below a --ref, or a link leads there. */
static void
identify(struct schema_set *s, struct span uri, struct identified what)
{
	size_t n = s->names.n, i = names_add(&s->names, uri);
	struct identified *known;

	s->identified = alloc_grow(s->identified, &s->cap_identified,
	    s->names.n, sizeof(*s->identified));
	known = &s->identified[i];
	if (i == n)
		*known = what;
	else if (s->documents[known->document]->same !=
	    s->documents[what.document]->same || known->node != what.node)
		known->ambiguous = true;
}

static void
identify_anchor(struct schema_set *s, uint32_t resource, uint32_t name,
    uint32_t node, bool dynamic)
{
	struct resource *r = &s->resources[resource];
	struct buf b = { 0 };

	r->dynamic |= dynamic;
	buf_puts(&b, r->uri);
	buf_putc(&b, '#');
	json_add_string(&s->documents[r->document]->json, name, &b);
	identify(s, arena_copy(&s->arena, buf_bytes(&b)), (struct identified){
		.document = r->document, .node = node, .resource = resource,
		.dynamic = dynamic });
	buf_clear(&b);
}

static uint32_t
add_resource(struct schema_set *s, struct span uri, uint32_t document,
    uint32_t node, uint32_t parent)
{
	uint32_t n = (uint32_t)s->n_resources;

	s->resources = alloc_grow(s->resources, &s->cap_resources, n + 1,
	    sizeof(*s->resources));
	uri = arena_copy(&s->arena, uri);
	s->resources[s->n_resources++] = (struct resource){
		.uri = (char *)(uintptr_t)uri.p, .document = document,
		.node = node, .parent = parent == UINT32_MAX ? n : parent };
	identify(s, uri, (struct identified){ .document = document,
	    .node = node, .resource = n });
	return n;
}

/* The $id of a schema begins a resource. */
static uint32_t
take_id(struct schema_set *s, uint32_t document, uint32_t node, uint32_t id,
    uint32_t around)
{
	const struct json *j = &s->documents[document]->json;
	struct buf scratch = { 0 }, uri = { 0 };
	struct span whole;
	uint32_t resource;

	uri_resolve(span_of(s->resources[around].uri),
	    json_string(j, id, &scratch), &uri);
	whole = buf_bytes(&uri);
	(void)uri_cut_fragment(&whole);
	resource = add_resource(s, whole, document, node, around);
	buf_clear(&scratch);
	buf_clear(&uri);
	return resource;
}

static uint32_t
string_member(const struct json *j, uint32_t node, const char *name)
{
	uint32_t v = json_get(j, node, span_of(name));

	return v && json_kind(j, v) == JSON_STRING ? v : 0;
}

static void declare(struct schema_set *, uint32_t document, uint32_t node,
    uint32_t resource);

static void
declare_in(struct schema_set *s, uint32_t document, uint32_t value,
    enum shape shape, uint32_t resource)
{
	const struct json *j = &s->documents[document]->json;
	enum json_kind kind = json_kind(j, value);
	uint32_t i;

	if (shape == SHAPE_SCHEMA)
		declare(s, document, value, resource);
	else if (shape == SHAPE_SCHEMAS && kind == JSON_ARRAY)
		for (i = value + 1; i < json_next(j, value);
		    i = json_next(j, i))
			declare(s, document, i, resource);
	else if (shape == SHAPE_MEMBERS && kind == JSON_OBJECT)
		for (i = value + 1; i < json_next(j, value);
		    i = json_next(j, i + 1))
			declare(s, document, i + 1, resource);
}

static void
declare(struct schema_set *s, uint32_t document, uint32_t node,
    uint32_t resource)
{
	struct document *d = s->documents[document];
	const struct json *j = &d->json;
	uint32_t v, k;

	d->declared[node] = true;
	if (json_kind(j, node) != JSON_OBJECT)
		return;
	if ((v = string_member(j, node, "$id")) != 0)
		resource = take_id(s, document, node, v, resource);
	if (s->resources[resource].node == node &&
	    (v = string_member(j, node, "$schema")) != 0) {
		struct buf scratch = { 0 };

		s->resources[resource].schema = (char *)(uintptr_t)
		    arena_copy(&s->arena, json_string(j, v, &scratch)).p;
		buf_clear(&scratch);
	}
	if ((v = string_member(j, node, "$anchor")) != 0)
		identify_anchor(s, resource, v, node, false);
	if ((v = string_member(j, node, "$dynamicAnchor")) != 0)
		identify_anchor(s, resource, v, node, true);
	for (k = node + 1; k < json_next(j, node); k = json_next(j, k + 1)) {
		const struct keyword *word = schema_keyword(j, k);

		if (word)
			declare_in(s, document, k + 1, word->shape, resource);
	}
}

static uint32_t
same_text(const struct schema_set *s, const struct document *d)
{
	uint32_t i;

	for (i = 0; s->documents[i] != d; i++)
		if (span_eq(buf_bytes(&s->documents[i]->text),
		    buf_bytes(&d->text)))
			break;
	return i;
}

int
schema_set_read(struct schema_set *s, struct buf *text, const char *uri,
    struct json_error *e)
{
	struct document *d = arena_alloc(&s->arena, 1, sizeof(*d));

	json_init(&d->json);
	d->text = *text;
	*text = (struct buf){ 0 };
	s->documents = alloc_grow(s->documents, &s->cap_documents,
	    s->n_documents + 1, sizeof(struct document *));
	s->documents[s->n_documents++] = d;
	(void)buf_room(&d->text, BUF_PAD);
	if (json_read(&d->json, d->text.p, d->text.len, e) < 0)
		return -1;
	d->same = same_text(s, d);
	d->root = (uint32_t)d->json.n_nodes;
	d->uri = (char *)(uintptr_t)arena_copy(&s->arena, span_of(uri)).p;
	d->blocks = arena_alloc(&s->arena, d->json.n_nodes, sizeof(*d->blocks));
	d->declared = arena_alloc(&s->arena, d->json.n_nodes, 1);
	return (int)s->n_documents - 1;
}

void
schema_set_declare(struct schema_set *s, uint32_t document, uint32_t node)
{
	struct document *d = s->documents[document];

	d->root = node;
	d->first_resource = s->n_resources;
	declare(s, document, node, add_resource(s, span_of(d->uri), document,
	    node, UINT32_MAX));
	d->n_resources = s->n_resources - d->first_resource;
}

void
schema_set_declare_at(struct schema_set *s, uint32_t document, uint32_t node)
{
	declare(s, document, node, schema_set_resource(s, document, node));
}

uint32_t
schema_set_resource(const struct schema_set *s, uint32_t document,
    uint32_t node)
{
	const struct document *d = s->documents[document];
	const struct resource *r = s->resources;
	uint32_t low = (uint32_t)d->first_resource;
	uint32_t high = low + (uint32_t)d->n_resources;

	/* They are in the order of the text: the last one that begins before
	 * the node has it, or one around that. */
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (r[middle].node <= node)
			low = middle;
		else
			high = middle;
	}
	while (node >= json_next(&d->json, r[low].node) && r[low].parent != low)
		low = r[low].parent;
	return low;
}

/* A metaschema that a reference names joins the set. */
static const struct identified *
add_metaschema(struct schema_set *s, struct span uri)
{
	const struct metaschema *m = metaschema_find(uri);
	struct buf text = { 0 };
	struct json_error bad;
	struct buf name = { 0 };
	int document;

	if (!m)
		return NULL;
	buf_span(&text, m->text);
	buf_span(&name, m->uri);
	document = schema_set_read(s, &text, buf_str(&name), &bad);
	buf_clear(&name);
	if (document < 0)
		return NULL;
	schema_set_declare(s, (uint32_t)document, 0);
	return &s->identified[names_find(&s->names, uri)];
}

static const struct identified *
find(struct schema_set *s, struct span uri)
{
	long i = names_find(&s->names, uri);

	return i >= 0 ? &s->identified[i] : add_metaschema(s, uri);
}

static int
follow_pointer(const struct json *j, struct span pointer, uint32_t *node)
{
	struct buf decoded = { 0 };
	int r = uri_decode(pointer, &decoded);

	if (r == 0)
		r = pointer_find(j, *node, buf_bytes(&decoded), node);
	buf_clear(&decoded);
	return r;
}

/* An anchor of a resource. */
static const struct identified *
find_anchor(const struct schema_set *s, uint32_t resource, struct span anchor)
{
	struct buf uri = { 0 };
	long i;

	buf_puts(&uri, s->resources[resource].uri);
	buf_putc(&uri, '#');
	buf_span(&uri, anchor);
	i = names_find(&s->names, buf_bytes(&uri));
	buf_clear(&uri);
	return i >= 0 ? &s->identified[i] : NULL;
}

int
schema_set_resolve(struct schema_set *s, uint32_t resource,
    struct span reference, uint32_t *document, uint32_t *node,
    struct span *dynamic, struct error *e)
{
	struct buf uri = { 0 };
	struct span whole, name, fragment;
	const struct identified *id;
	int r = 0;

	*dynamic = (struct span){ 0 };
	uri_resolve(span_of(s->resources[resource].uri), reference, &uri);
	whole = name = buf_bytes(&uri);
	fragment = uri_cut_fragment(&name);
	id = find(s, name);
	if (id && !id->ambiguous && fragment.len && *fragment.p != '/')
		id = find_anchor(s, schema_set_resource(s, id->document,
		    id->node), fragment);
	if (!id) {
		r = error_set(e, "there is no schema '%.*s' in the catalog "
		    "or the --ref directories", (int)whole.len, whole.p);
	} else if (id->ambiguous) {
		r = error_set(e, "two schemas are called '%.*s'",
		    (int)whole.len, whole.p);
	} else {
		*document = id->document;
		*node = id->node;
		if (id->dynamic)
			*dynamic = arena_copy(&s->arena, fragment);
		if (fragment.len && *fragment.p == '/' && follow_pointer(
		    &s->documents[id->document]->json, fragment, node) < 0)
			r = error_set(e, "'%.*s' leads to nothing",
			    (int)whole.len, whole.p);
	}
	buf_clear(&uri);
	return r;
}

bool
schema_set_dynamic(const struct schema_set *s, uint32_t resource,
    struct span anchor, uint32_t *node)
{
	const struct identified *id = find_anchor(s, resource, anchor);

	if (!id || !id->dynamic || id->resource != resource)
		return false;
	*node = id->node;
	return true;
}
