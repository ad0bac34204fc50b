/*
 * From a schema to rules. Blocks are made when something refers to them and
 * compiled from a queue, so that neither recursion nor order matters; a schema
 * that is nothing but a $ref is not made at all, its target stands for it.
 */
#include "json/schema_impl.h"

#include "base/alloc.h"
#include "json/metaschema.h"
#include "json/pointer.h"
#include "json/uri.h"

enum {
	MAX_HOPS = 100, /* of a $ref to a $ref to … */
	MAX_IN_PLACE = 1000, /* of a schema's schemas for the same value */
};

struct compile {
	struct schemas *s;
	struct error *e;
	/* The schema at work. */
	struct block *block;
	const struct json *j;
	const struct dialect *dialect;
	bool far; /* more than MAX_IN_PLACE */
};

static struct block *block_for(struct compile *, uint32_t document,
    uint32_t node, uint32_t resource);
static struct schema *compile_node(struct schemas *, uint32_t document,
    uint32_t node, struct error *);

/* Say what is wrong with the keyword whose value is at a node. */
static int
refuse(struct compile *c, uint32_t node, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int
refuse(struct compile *c, uint32_t node, const char *fmt, ...)
{
	struct buf b = { 0 };
	va_list ap;

	buf_puts(&b, "schema at '");
	schema_place(c->s, c->s->main, c->block->document, node, &b);
	buf_puts(&b, "': ");
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	error_set(c->e, "%s", buf_str(&b));
	buf_clear(&b);
	return -1;
}

/* Copied even if the text has it: what is looked up together lies together. */
static struct span
keep_string(struct compile *c, uint32_t node)
{
	struct buf scratch = { 0 };
	struct span s = arena_copy(&c->s->set.arena,
	    json_string(c->j, node, &scratch));

	buf_clear(&scratch);
	return s;
}

static struct span
keep_number(struct compile *c, uint32_t node)
{
	struct buf scratch = { 0 };
	struct span s = arena_copy(&c->s->set.arena,
	    number_spell(json_bytes(c->j, node), &scratch));

	buf_clear(&scratch);
	return s;
}

/* A table of names is cleared with the set. */
static void
keep_table(struct compile *c, struct names *table)
{
	struct schemas *s = c->s;

	s->tables = alloc_grow(s->tables, &s->cap_tables, s->n_tables + 1,
	    sizeof(struct names *));
	s->tables[s->n_tables++] = table;
}

/* The schema below the one at work. */
static struct block *
below(struct compile *c, uint32_t node)
{
	return block_for(c, c->block->document, node, c->block->resource);
}

#define RULES(c, member) \
	((c)->block->member ? (c)->block->member : ((c)->block->member = \
	    arena_alloc(&(c)->s->set.arena, 1, sizeof(*(c)->block->member))))

static struct string_rules *
string_rules(struct compile *c)
{
	bool fresh = !c->block->string;
	struct string_rules *r = RULES(c, string);

	if (fresh)
		r->max_length = SIZE_MAX;
	return r;
}

static struct array_rules *
array_rules(struct compile *c)
{
	bool fresh = !c->block->array;
	struct array_rules *r = RULES(c, array);

	if (fresh) {
		r->max_items = r->max_contains = SIZE_MAX;
		r->min_contains = 1;
	}
	return r;
}

static struct object_rules *
object_rules(struct compile *c)
{
	bool fresh = !c->block->object;
	struct object_rules *r = RULES(c, object);
	uint32_t known[2], i;
	size_t n = 0;

	if (!fresh)
		return r;
	known[0] = json_get(c->j, c->block->node, SPAN("properties"));
	known[1] = json_get(c->j, c->block->node, SPAN("required"));
	for (i = 0; i < 2; i++)
		n += known[i] ? json_at(c->j, known[i])->n : 0;
	r->properties = arena_alloc(&c->s->set.arena, n, sizeof(*r->properties));
	r->max_properties = SIZE_MAX;
	return r;
}

static struct property *
property(struct compile *c, struct object_rules *o, uint32_t name)
{
	if (!o->names.list)
		keep_table(c, &o->names);
	return &o->properties[names_add(&o->names, keep_string(c, name))];
}

static struct regex *
pattern(struct compile *c, uint32_t node)
{
	struct schemas *s = c->s;
	struct span text = keep_string(c, node);
	long i = names_find(&s->patterns, text);
	struct regex *r;
	struct error why;

	if (i >= 0)
		return s->regexes[i];
	r = regex_compile(text, &why);
	if (!r) {
		refuse(c, node, "%s", why.text);
		return NULL;
	}
	names_add(&s->patterns, text);
	s->regexes = alloc_grow(s->regexes, &s->cap_regexes, s->patterns.n,
	    sizeof(struct regex *));
	return s->regexes[s->patterns.n - 1] = r;
}

static unsigned
type_bit(const struct json *j, uint32_t node, bool *integer)
{
	static const struct {
		const char *name;
		unsigned mask;
	} types[] = {
		{ "null", 1u << JSON_NULL },
		{ "boolean", 1u << JSON_FALSE | 1u << JSON_TRUE },
		{ "number", 1u << JSON_NUMBER }, { "string", 1u << JSON_STRING },
		{ "array", 1u << JSON_ARRAY }, { "object", 1u << JSON_OBJECT },
	};
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (json_string_is(j, node, span_of(types[i].name)))
			return types[i].mask;
	*integer |= json_string_is(j, node, SPAN("integer"));
	return 0;
}

static int
compile_type(struct compile *c, uint32_t node)
{
	bool list = json_kind(c->j, node) == JSON_ARRAY, integer = false;
	uint32_t i = list ? node + 1 : node;
	unsigned kinds = 0;

	for (; i < json_next(c->j, node); i = json_next(c->j, i)) {
		bool was = integer;
		unsigned bit = type_bit(c->j, i, &integer);

		if (!bit && integer == was)
			return refuse(c, i, "not the name of a type");
		kinds |= bit;
	}
	if (integer && !(kinds & 1u << JSON_NUMBER)) {
		kinds |= 1u << JSON_NUMBER;
		RULES(c, number)->has |= INTEGER;
	}
	c->block->kinds = kinds;
	return 0;
}

static void
add_value(struct compile *c, struct values *v, uint32_t node)
{
	enum json_kind kind = json_kind(c->j, node);

	if (kind == JSON_STRING)
		names_add(&v->strings, keep_string(c, node));
	else if (kind == JSON_NUMBER)
		names_add(&v->numbers, keep_number(c, node));
	else if (kind <= JSON_TRUE)
		v->kinds |= 1u << kind;
	else
		v->nodes[v->n_nodes++] = node;
}

static struct values *
values(struct compile *c, size_t n)
{
	struct values *v = arena_alloc(&c->s->set.arena, 1, sizeof(*v));

	v->nodes = arena_alloc(&c->s->set.arena, n, sizeof(*v->nodes));
	keep_table(c, &v->strings);
	keep_table(c, &v->numbers);
	return v;
}

static int
compile_enum(struct compile *c, uint32_t node)
{
	struct values *v = values(c, json_at(c->j, node)->n);
	uint32_t i;

	for (i = node + 1; i < json_next(c->j, node); i = json_next(c->j, i))
		add_value(c, v, i);
	c->block->enum_ = v;
	return 0;
}

static int
compile_const(struct compile *c, uint32_t node)
{
	c->block->const_ = values(c, 1);
	add_value(c, c->block->const_, node);
	return 0;
}

static int
compile_number(struct compile *c, uint32_t node, enum number_rule rule,
    struct number *out)
{
	*out = number_of(json_bytes(c->j, node));
	c->block->number->has |= rule;
	if (rule != MULTIPLE_OF)
		return 0;
	if (!out->digits.len || out->negative)
		return refuse(c, node, "not above zero");
	if (number_n_digits(out) > NUMBER_MAX_DIVISOR_DIGITS)
		return refuse(c, node, "more than %d digits",
		    NUMBER_MAX_DIVISOR_DIGITS);
	return 0;
}

static int
compile_properties(struct compile *c, uint32_t node)
{
	struct object_rules *o = object_rules(c);
	uint32_t k;

	for (k = node + 1; k < json_next(c->j, node);
	    k = json_next(c->j, k + 1)) {
		struct block *b = below(c, k + 1);

		if (!b)
			return -1;
		property(c, o, k)->block = b;
	}
	return 0;
}

static int
compile_required(struct compile *c, uint32_t node)
{
	struct object_rules *o = object_rules(c);
	uint32_t i;

	for (i = node + 1; i < json_next(c->j, node); i = json_next(c->j, i)) {
		struct property *p = property(c, o, i);

		o->n_required += !p->required;
		p->required = true;
	}
	return 0;
}

static int
compile_patterns(struct compile *c, uint32_t node)
{
	struct object_rules *o = object_rules(c);
	uint32_t k;

	o->patterns = arena_alloc(&c->s->set.arena, json_at(c->j, node)->n,
	    sizeof(*o->patterns));
	for (k = node + 1; k < json_next(c->j, node);
	    k = json_next(c->j, k + 1)) {
		struct pattern_property *p = &o->patterns[o->n_patterns++];

		if (!(p->regex = pattern(c, k)) || !(p->block = below(c, k + 1)))
			return -1;
	}
	return 0;
}

/* A rule for a name, of which dependentRequired may have one, too. */
static struct dependent *
dependent(struct compile *c, struct object_rules *o, uint32_t name)
{
	uint32_t both[2];
	size_t i, n = 0;

	if (!o->dependents) {
		both[0] = json_get(c->j, c->block->node,
		    SPAN("dependentRequired"));
		both[1] = json_get(c->j, c->block->node,
		    SPAN("dependentSchemas"));
		for (i = 0; i < 2; i++)
			n += both[i] ? json_at(c->j, both[i])->n : 0;
		o->dependents = arena_alloc(&c->s->set.arena, n,
		    sizeof(*o->dependents));
	}
	o->dependents[o->n_dependents].name = keep_string(c, name);
	return &o->dependents[o->n_dependents++];
}

static int
compile_dependent_required(struct compile *c, uint32_t node)
{
	struct object_rules *o = object_rules(c);
	uint32_t k, i;

	for (k = node + 1; k < json_next(c->j, node);
	    k = json_next(c->j, k + 1)) {
		struct dependent *d = dependent(c, o, k);

		d->required = arena_alloc(&c->s->set.arena,
		    json_at(c->j, k + 1)->n, sizeof(*d->required));
		if (json_kind(c->j, k + 1) != JSON_ARRAY)
			return refuse(c, k + 1, "not an array");
		for (i = k + 2; i < json_next(c->j, k + 1);
		    i = json_next(c->j, i)) {
			if (json_kind(c->j, i) != JSON_STRING)
				return refuse(c, i, "not a string");
			d->required[d->n_required++] = keep_string(c, i);
		}
	}
	return 0;
}

static int
compile_dependent_schemas(struct compile *c, uint32_t node)
{
	struct object_rules *o = object_rules(c);
	uint32_t k;

	for (k = node + 1; k < json_next(c->j, node);
	    k = json_next(c->j, k + 1))
		if (!(dependent(c, o, k)->block = below(c, k + 1)))
			return -1;
	return 0;
}

static int
compile_list(struct compile *c, uint32_t node, struct blocks *out)
{
	uint32_t i;

	out->list = arena_alloc(&c->s->set.arena, json_at(c->j, node)->n,
	    sizeof(struct block *));
	for (i = node + 1; i < json_next(c->j, node); i = json_next(c->j, i))
		if (!(out->list[out->n++] = below(c, i)))
			return -1;
	return 0;
}

/* Where a reference leads. dynamic: see schema_set_resolve. */
static struct block *
target(struct compile *c, uint32_t node, struct span *dynamic)
{
	struct buf scratch = { 0 };
	uint32_t document, there;
	struct error why;
	int r = schema_set_resolve(&c->s->set, c->block->resource,
	    json_string(c->j, node, &scratch), &document, &there, dynamic,
	    &why);

	buf_clear(&scratch);
	if (r < 0) {
		refuse(c, node, "%s", why.text);
		return NULL;
	}
	return block_for(c, document, there,
	    schema_set_resource(&c->s->set, document, there));
}

static int
compile_ref(struct compile *c, uint32_t node)
{
	struct span dynamic;

	return (RULES(c, in_place)->ref = target(c, node, &dynamic)) ? 0 : -1;
}

/*
 * Core 8.2.3.2: if the initial target is a $dynamicAnchor, the outermost
 * schema resource of the dynamic scope that has one of this name is meant.
 */
static int
compile_dynamic_ref(struct compile *c, uint32_t node)
{
	struct schemas *s = c->s;
	struct dynamic *d = arena_alloc(&s->set.arena, 1, sizeof(*d));
	struct span anchor;

	d->initial = target(c, node, &anchor);
	if (!d->initial)
		return -1;
	RULES(c, in_place)->dynamic = d;
	d->anchor = anchor;
	if (!anchor.len)
		return 0;
	s->dynamics = alloc_grow(s->dynamics, &s->cap_dynamics,
	    s->n_dynamics + 1, sizeof(struct dynamic *));
	s->dynamics[s->n_dynamics++] = d;
	return 0;
}

/* One more place where a $dynamicRef may lead: its block joins the queue. */
static int
add_candidate(struct compile *c, struct dynamic *d, uint32_t resource,
    uint32_t node)
{
	struct block *b;
	size_t i;

	for (i = 0; i < d->n; i++)
		if (d->list[i].resource == resource)
			return 0;
	b = block_for(c, c->s->set.resources[resource].document, node,
	    resource);
	if (!b)
		return -1;
	d->list = alloc_grow(d->list, &d->cap, d->n + 1, sizeof(*d->list));
	d->list[d->n++] = (struct candidate){ resource, b };
	c->s->dynamic |= d->n > 1;
	return 0;
}

/* Only what can be in the dynamic scope: resources of documents in use. */
static int
find_candidates(struct compile *c)
{
	const struct schema_set *set = &c->s->set;
	size_t i;
	uint32_t r, node;

	for (i = 0; i < c->s->n_dynamics; i++) {
		struct dynamic *d = c->s->dynamics[i];

		for (r = 0; r < set->n_resources; r++)
			if (set->documents[set->resources[r].document]->
			    checked && schema_set_dynamic(set, r, d->anchor,
			    &node) && add_candidate(c, d, r, node) < 0)
				return -1;
	}
	return 0;
}

static int
compile_format(struct compile *c, uint32_t node)
{
	struct span name = keep_string(c, node);
	const struct format *format = format_find(name);

	if (!(c->s->flags & SCHEMA_FORMAT) &&
	    !(c->dialect->vocabularies & VOCABULARY_FORMAT_ASSERTION))
		return 0;
	if (format)
		string_rules(c)->format = format;
	return 0;
}

static int
count(struct compile *c, uint32_t node, size_t *out)
{
	(void)number_to_size(json_bytes(c->j, node), out);
	return 0;
}

static int
schema_in(struct compile *c, uint32_t node, struct block **out)
{
	return (*out = below(c, node)) ? 0 : -1;
}

static int
compile_value(struct compile *c, enum keyword_id id, uint32_t node)
{
	struct block *b = c->block;

	switch (id) {
	case KEYWORD_TYPE:
		return compile_type(c, node);
	case KEYWORD_ENUM:
		return compile_enum(c, node);
	case KEYWORD_CONST:
		return compile_const(c, node);
	case KEYWORD_MINIMUM:
		return compile_number(c, node, MINIMUM,
		    &RULES(c, number)->minimum);
	case KEYWORD_MAXIMUM:
		return compile_number(c, node, MAXIMUM,
		    &RULES(c, number)->maximum);
	case KEYWORD_EXCLUSIVE_MINIMUM:
		return compile_number(c, node, EXCLUSIVE_MINIMUM,
		    &RULES(c, number)->exclusive_minimum);
	case KEYWORD_EXCLUSIVE_MAXIMUM:
		return compile_number(c, node, EXCLUSIVE_MAXIMUM,
		    &RULES(c, number)->exclusive_maximum);
	case KEYWORD_MULTIPLE_OF:
		return compile_number(c, node, MULTIPLE_OF,
		    &RULES(c, number)->multiple_of);
	case KEYWORD_MIN_LENGTH:
		return count(c, node, &string_rules(c)->min_length);
	case KEYWORD_MAX_LENGTH:
		return count(c, node, &string_rules(c)->max_length);
	case KEYWORD_PATTERN:
		string_rules(c)->pattern = pattern(c, node);
		return b->string->pattern ? 0 : -1;
	case KEYWORD_FORMAT:
		return compile_format(c, node);
	case KEYWORD_MIN_ITEMS:
		return count(c, node, &array_rules(c)->min_items);
	case KEYWORD_MAX_ITEMS:
		return count(c, node, &array_rules(c)->max_items);
	case KEYWORD_MIN_CONTAINS:
		return count(c, node, &array_rules(c)->min_contains);
	case KEYWORD_MAX_CONTAINS:
		return count(c, node, &array_rules(c)->max_contains);
	case KEYWORD_UNIQUE_ITEMS:
		array_rules(c)->unique = json_kind(c->j, node) == JSON_TRUE;
		return 0;
	case KEYWORD_MIN_PROPERTIES:
		return count(c, node, &object_rules(c)->min_properties);
	case KEYWORD_MAX_PROPERTIES:
		return count(c, node, &object_rules(c)->max_properties);
	case KEYWORD_REQUIRED:
		return compile_required(c, node);
	case KEYWORD_DEPENDENT_REQUIRED:
		return compile_dependent_required(c, node);
	default:
		return 0;
	}
}

static int
compile_applicator(struct compile *c, enum keyword_id id, uint32_t node)
{
	struct block *b = c->block;

	switch (id) {
	case KEYWORD_PREFIX_ITEMS:
		return compile_list(c, node, &array_rules(c)->prefix);
	case KEYWORD_ITEMS:
		return schema_in(c, node, &array_rules(c)->items);
	case KEYWORD_CONTAINS:
		return schema_in(c, node, &array_rules(c)->contains);
	case KEYWORD_ADDITIONAL_PROPERTIES:
		return schema_in(c, node, &object_rules(c)->additional);
	case KEYWORD_PROPERTY_NAMES:
		return schema_in(c, node, &object_rules(c)->property_names);
	case KEYWORD_PROPERTIES:
		return compile_properties(c, node);
	case KEYWORD_PATTERN_PROPERTIES:
		return compile_patterns(c, node);
	case KEYWORD_DEPENDENT_SCHEMAS:
		return compile_dependent_schemas(c, node);
	case KEYWORD_IF:
		return schema_in(c, node, &RULES(c, in_place)->if_);
	case KEYWORD_THEN:
		return schema_in(c, node, &RULES(c, in_place)->then);
	case KEYWORD_ELSE:
		return schema_in(c, node, &RULES(c, in_place)->else_);
	case KEYWORD_NOT:
		return schema_in(c, node, &RULES(c, in_place)->not);
	case KEYWORD_ALL_OF:
		return compile_list(c, node, &RULES(c, in_place)->all_of);
	case KEYWORD_ANY_OF:
		return compile_list(c, node, &RULES(c, in_place)->any_of);
	case KEYWORD_ONE_OF:
		return compile_list(c, node, &RULES(c, in_place)->one_of);
	case KEYWORD_UNEVALUATED_ITEMS:
		return schema_in(c, node, &b->unevaluated_items);
	case KEYWORD_UNEVALUATED_PROPERTIES:
		return schema_in(c, node, &b->unevaluated_properties);
	case KEYWORD_REF:
		return compile_ref(c, node);
	case KEYWORD_DYNAMIC_REF:
		return compile_dynamic_ref(c, node);
	default:
		return compile_value(c, id, node);
	}
}

/* NULL, or what the value should have been. A metaschema says it, too. */
static const char *
misshapen(const struct json *j, enum shape shape, uint32_t node)
{
	enum json_kind kind = json_kind(j, node);
	size_t n;
	uint32_t i;

	switch (shape) {
	case SHAPE_BOOLEAN:
		return kind == JSON_TRUE || kind == JSON_FALSE ? NULL :
		    "neither true nor false";
	case SHAPE_STRING:
		return kind == JSON_STRING ? NULL : "not a string";
	case SHAPE_NUMBER:
		return kind == JSON_NUMBER ? NULL : "not a number";
	case SHAPE_COUNT:
		return kind == JSON_NUMBER && number_to_size(
		    json_bytes(j, node), &n) ? NULL :
		    "not an integer from 0 on";
	case SHAPE_NAMES:
		for (i = node + 1; i < json_next(j, node); i++)
			if (json_kind(j, i) != JSON_STRING)
				return "not an array of strings";
		/* FALLTHROUGH */
	case SHAPE_LIST:
	case SHAPE_SCHEMAS:
		return kind == JSON_ARRAY ? NULL : "not an array";
	case SHAPE_OBJECT:
	case SHAPE_MEMBERS:
		return kind == JSON_OBJECT ? NULL : "not an object";
	default:
		return NULL;
	}
}

static int
refuse_unknown(struct compile *c, uint32_t name, struct span text)
{
	struct buf meant = { 0 };
	int r;

	schema_put_meant(text, &meant);
	r = refuse(c, name + 1, "unknown keyword%s", buf_str(&meant));
	buf_clear(&meant);
	return r;
}

static int
compile_keyword(struct compile *c, uint32_t name)
{
	const struct keyword *word = schema_keyword(c->j, name);
	const char *what;

	if (!word) {
		struct span text = keep_string(c, name);

		if (text.len > 2 && memcmp(text.p, "x-", 2) == 0)
			return 0;
		if (c->s->flags & SCHEMA_STRICT)
			return refuse_unknown(c, name, text);
		(void)names_add(&c->s->unknown, text);
		return 0;
	}
	if (!(c->dialect->vocabularies & word->vocabulary))
		return 0;
	what = misshapen(c->j, word->shape, name + 1);
	if (what)
		return refuse(c, name + 1, "%s", what);
	return compile_applicator(c, word->id, name + 1);
}

/* Vocabularies that a metaschema asks for. */
static int
read_vocabularies(struct schemas *s, uint32_t document, uint32_t node,
    struct dialect *d, struct error *e)
{
	static const struct {
		const char *name;
		unsigned bit;
	} known[] = {
		{ "core", VOCABULARY_CORE },
		{ "applicator", VOCABULARY_APPLICATOR },
		{ "unevaluated", VOCABULARY_UNEVALUATED },
		{ "validation", VOCABULARY_VALIDATION },
		{ "format-annotation", VOCABULARY_FORMAT },
		{ "format-assertion", VOCABULARY_FORMAT |
		    VOCABULARY_FORMAT_ASSERTION },
		{ "meta-data", VOCABULARY_REST }, { "content", VOCABULARY_REST },
	};
	static const char base[] = "https://json-schema.org/draft/2020-12/vocab/";
	const struct json *j = &s->set.documents[document]->json;
	uint32_t list = json_get(j, node, SPAN("$vocabulary")), k;
	struct buf name = { 0 };
	size_t i;
	int r = 0;

	d->vocabularies = VOCABULARY_CORE | VOCABULARY_REST;
	if (!list) {
		d->vocabularies = VOCABULARY_DEFAULT;
		return 0;
	}
	for (k = list + 1; r == 0 && k < json_next(j, list);
	    k = json_next(j, k + 1)) {
		unsigned bit = 0;

		name.len = 0;
		json_add_string(j, k, &name);
		for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (strncmp(buf_str(&name), base, sizeof(base) - 1) ==
			    0 && strcmp(name.p + sizeof(base) - 1,
			    known[i].name) == 0)
				bit = known[i].bit;
		d->vocabularies |= bit;
		if (!bit && json_kind(j, k + 1) == JSON_TRUE)
			r = error_set(e, "the metaschema '%s' requires the "
			    "vocabulary '%s', which is not known here", d->uri,
			    buf_str(&name));
	}
	buf_clear(&name);
	return r;
}

/* The metaschema that stands for the draft is in a set of its own. */
static struct schema *
default_metaschema(struct schemas *s, struct error *e)
{
	const struct metaschema *m = metaschema_find(SPAN(METASCHEMA_2020_12));
	struct buf text = { 0 };
	struct json_error bad;
	int n;

	if (s->meta)
		return s->metaschema;
	s->meta = schemas_new(0);
	s->meta->unchecked = true;
	buf_span(&text, m->text);
	n = schemas_read(s->meta, &text, METASCHEMA_2020_12, &bad);
	schemas_declare(s->meta, n, 0);
	return s->metaschema = compile_node(s->meta, (uint32_t)n, 0, e);
}

static struct dialect *
new_dialect(struct schemas *s, struct span uri, struct error *e)
{
	struct dialect *d = arena_alloc(&s->set.arena, 1, sizeof(*d));
	uint32_t document, node;
	struct span dynamic;
	struct error why;

	d->uri = (char *)(uintptr_t)arena_copy(&s->set.arena, uri).p;
	d->vocabularies = VOCABULARY_DEFAULT;
	if (span_eq(uri, SPAN(METASCHEMA_2020_12))) {
		if (!s->unchecked)
			d->metaschema = default_metaschema(s, e);
		return s->unchecked || d->metaschema ? d : NULL;
	}
	if (schema_set_resolve(&s->set, 0, uri, &document, &node, &dynamic,
	    &why) < 0) {
		error_set(e, "$schema: %s; the draft known here is '%s'",
		    why.text, METASCHEMA_2020_12);
		return NULL;
	}
	if (read_vocabularies(s, document, node, d, e) < 0)
		return NULL;
	if (!s->unchecked)
		d->metaschema = compile_node(s, document, node, e);
	return s->unchecked || d->metaschema ? d : NULL;
}

/* What the $schema in force says of a resource's keywords. */
static struct dialect *
dialect(struct schemas *s, uint32_t resource, struct error *e)
{
	struct resource *r = &s->set.resources[resource];
	struct span uri = SPAN(METASCHEMA_2020_12);
	struct dialect *d = NULL;
	size_t i;

	if (r->dialect)
		return r->dialect;
	if (!r->schema && r->parent != resource) {
		d = dialect(s, r->parent, e);
	} else {
		if (r->schema)
			uri = span_of(r->schema);
		(void)uri_cut_fragment(&uri);
		for (i = 0; i < s->n_dialects; i++)
			if (span_eq(span_of(s->dialects[i]->uri), uri))
				d = s->dialects[i];
		if (!d && (d = new_dialect(s, uri, e)) != NULL) {
			s->dialects = alloc_grow(s->dialects, &s->cap_dialects,
			    s->n_dialects + 1, sizeof(struct dialect *));
			s->dialects[s->n_dialects++] = d;
		}
	}
	return s->set.resources[resource].dialect = d;
}

/* Check a schema against its metaschema; all below it is good then. */
static int
check_metaschema(struct compile *c, uint32_t document, uint32_t node)
{
	struct document *d = c->s->set.documents[document];
	const struct dialect *in = dialect(c->s,
	    schema_set_resource(&c->s->set, document, node), c->e);
	const struct schema_fault *fault;
	struct buf b = { 0 };
	size_t n;

	if (!in)
		return -1;
	if (!in->metaschema || schema_check(in->metaschema, &d->json, node))
		return 0;
	fault = schema_faults(in->metaschema, &d->json, node, true, &n);
	/* What lies behind "none of them" says more. */
	if (n > 1 && strcmp(fault->keyword, "anyOf") == 0)
		fault++;
	buf_puts(&b, "schema at '");
	if (n)
		schema_place(c->s, c->s->main, document, fault->node, &b);
	buf_puts(&b, "':");
	if (n)
		schema_fault_brief(in->metaschema, fault, &b);
	error_set(c->e, "%s", buf_str(&b));
	buf_clear(&b);
	return -1;
}

/* Is the schema nothing but a $ref? Its value's node, or 0. */
static uint32_t
lone_ref(const struct json *j, uint32_t node)
{
	uint32_t ref = 0, k;

	if (json_kind(j, node) != JSON_OBJECT)
		return 0;
	for (k = node + 1; k < json_next(j, node); k = json_next(j, k + 1)) {
		const struct keyword *word = schema_keyword(j, k);

		if (word && word->id == KEYWORD_REF)
			ref = k + 1;
		else if (!word || (word->vocabulary != VOCABULARY_REST &&
		    word->id != KEYWORD_COMMENT))
			return 0;
	}
	return ref && json_kind(j, ref) == JSON_STRING ? ref : 0;
}

/* The block of a schema: made, or put in the queue. NULL with the error. */
static struct block *
block_for(struct compile *c, uint32_t document, uint32_t node,
    uint32_t resource)
{
	struct schemas *s = c->s;
	struct block at, *b, *was = c->block;
	const struct json *had = c->j;
	struct document *d;
	uint32_t ref;

	d = s->set.documents[document];
	if (d->blocks[node])
		return d->blocks[node];
	if (!d->checked) {
		d->checked = true;
		if (check_metaschema(c, document, d->root) < 0)
			return NULL;
	}
	if (!d->declared[node]) {
		schema_set_declare_at(&s->set, document, node);
		if (check_metaschema(c, document, node) < 0)
			return NULL;
	}
	ref = lone_ref(&d->json, node);
	if (ref && s->hops < MAX_HOPS) {
		struct span dynamic;

		at = (struct block){ .document = document, .node = node,
			.resource = resource };
		c->block = &at;
		c->j = &d->json;
		s->hops++;
		b = target(c, ref, &dynamic);
		s->hops--;
		c->block = was;
		c->j = had;
		/* What a $dynamicRef may look for must enter the scope. */
		if (!b || b->resource == resource ||
		    !s->set.resources[resource].dynamic)
			return d->blocks[node] = b;
	}
	b = arena_alloc(&s->set.arena, 1, sizeof(*b));
	*b = (struct block){ .kinds = ANY_KIND, .document = document,
		.node = node, .resource = resource };
	s->queue = alloc_grow(s->queue, &s->cap_queue, s->n_queue + 1,
	    sizeof(struct block *));
	s->queue[s->n_queue++] = b;
	return d->blocks[node] = b;
}

static int
compile_block(struct compile *c, struct block *b)
{
	uint32_t k;

	c->block = b;
	c->j = &c->s->set.documents[b->document]->json;
	b->resource = schema_set_resource(&c->s->set, b->document, b->node);
	c->dialect = dialect(c->s, b->resource, c->e);
	if (!c->dialect)
		return -1;
	switch (json_kind(c->j, b->node)) {
	case JSON_TRUE:
		break;
	case JSON_FALSE:
		b->kinds = 0;
		b->nothing = true;
		break;
	case JSON_OBJECT:
		for (k = b->node + 1; k < json_next(c->j, b->node);
		    k = json_next(c->j, k + 1))
			if (compile_keyword(c, k) < 0)
				return -1;
		break;
	default:
		return refuse(c, b->node, "neither an object nor a boolean");
	}
	b->plain = !b->enum_ && !b->const_ && !b->string && !b->number &&
	    !b->array && !b->object && !b->in_place && !b->unevaluated_items &&
	    !b->unevaluated_properties;
	return 0;
}

static bool endless(struct compile *, struct block *, unsigned depth);

static bool
any_endless(struct compile *c, const struct blocks *list, unsigned depth)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (endless(c, list->list[i], depth))
			return true;
	return false;
}

/*
 * Does the schema lead back to itself without a step into the value, or so far
 * that it may as well?
 */
static bool
endless(struct compile *c, struct block *b, unsigned depth)
{
	const struct in_place *p = b ? b->in_place : NULL;
	bool found = false;
	size_t i;

	if (!b || b->acyclic)
		return false;
	c->far = depth++ == MAX_IN_PLACE;
	if (b->visiting || c->far)
		return true;
	b->visiting = true;
	if (p)
		found = endless(c, p->ref, depth) ||
		    any_endless(c, &p->all_of, depth) ||
		    any_endless(c, &p->any_of, depth) ||
		    any_endless(c, &p->one_of, depth) ||
		    endless(c, p->not, depth) || endless(c, p->if_, depth) ||
		    endless(c, p->then, depth) || endless(c, p->else_, depth);
	for (i = 0; !found && b->object && i < b->object->n_dependents; i++)
		found = endless(c, b->object->dependents[i].block, depth);
	b->visiting = false;
	b->acyclic = !found;
	return found;
}

static int
compile_queue(struct compile *c)
{
	struct schemas *s = c->s;
	size_t first = s->n_compiled, i;

	while (s->n_compiled < s->n_queue) {
		if (compile_block(c, s->queue[s->n_compiled++]) < 0)
			return -1;
		if (s->n_compiled == s->n_queue && find_candidates(c) < 0)
			return -1;
	}
	for (i = first; i < s->n_queue; i++) {
		if (!endless(c, s->queue[i], 0))
			continue;
		c->block = s->queue[i];
		return refuse(c, c->block->node, "%s without a step into "
		    "the value", c->far ? "leads through too many schemas" :
		    "refers to itself");
	}
	return 0;
}

static struct schema *
compile_node(struct schemas *s, uint32_t document, uint32_t node,
    struct error *e)
{
	struct compile c = { .s = s, .e = e };
	uint32_t main = s->main;
	struct schema *schema = NULL;
	struct block *root;

	s->main = document;
	root = block_for(&c, document, node,
	    schema_set_resource(&s->set, document, node));
	if (root && compile_queue(&c) == 0) {
		schema = arena_alloc(&s->set.arena, 1, sizeof(*schema));
		*schema = (struct schema){ .set = s, .root = root,
			.document = document };
	}
	s->main = main;
	return schema;
}

struct schema *
schemas_compile(struct schemas *s, int document, struct error *e)
{
	return compile_node(s, (uint32_t)document,
	    s->set.documents[document]->root, e);
}

struct schemas *
schemas_new(unsigned flags)
{
	struct schemas *s = alloc_zero(1, sizeof(*s));

	s->flags = flags;
	return s;
}

void
schemas_free(struct schemas *s)
{
	size_t i;

	if (!s)
		return;
	for (i = 0; i < s->patterns.n; i++)
		regex_free(s->regexes[i]);
	for (i = 0; i < s->n_tables; i++)
		names_clear(s->tables[i]);
	free(s->regexes);
	free(s->tables);
	for (i = 0; i < s->n_dynamics; i++)
		free(s->dynamics[i]->list);
	free(s->dynamics);
	free(s->queue);
	free(s->dialects);
	names_clear(&s->unknown);
	names_clear(&s->patterns);
	schema_run_clear(&s->run);
	schemas_free(s->meta);
	schema_set_clear(&s->set);
	free(s);
}

int
schemas_read(struct schemas *s, struct buf *text, const char *uri,
    struct json_error *e)
{
	return schema_set_read(&s->set, text, uri, e);
}

const struct json *
schemas_json(const struct schemas *s, int document)
{
	return &s->set.documents[document]->json;
}

void
schemas_declare(struct schemas *s, int document, uint32_t node)
{
	schema_set_declare(&s->set, (uint32_t)document, node);
}

const struct names *
schemas_unknown(const struct schemas *s)
{
	return &s->unknown;
}
