/*
 * Rules over nodes. A value that is valid is done in one pass that writes
 * nothing down; one that is not is run again, to collect its faults.
 *
 * What `unevaluated…` needs is kept only within the schemas that have it: the
 * members and items that a schema evaluates go on a trail; what a branch that
 * failed put there is taken off again (core 7.7.1.1, 11).
 */
#include "json/schema_impl.h"

#include "base/alloc.h"
#include "json/equal.h"

enum {
	BLOCK_WORK = 8, /* of a block, as json/regex.h counts: 33 million of
	                 * them are a second */
	MAX_DEPTH = 4000, /* of blocks; JSON_MAX_DEPTH of values */
	NODE_WORK = 4, /* of a value that is looked at, compared or hashed */
	BYTES_A_STEP = 4, /* of a string or number */
	FEW_ITEMS = 8, /* up to here uniqueItems compares pair by pair */
};

static bool run_block(struct schema_run *, const struct block *,
    uint32_t node);

void
schema_run_clear(struct schema_run *r)
{
	buf_clear(&r->scratch);
	free(r->trail);
	free(r->marks);
	free(r->scope);
	free(r->table);
	free(r->faults);
	*r = (struct schema_run){ 0 };
}

static void
add_fault(struct schema_run *r, struct schema_fault f)
{
	if (r->n_faults == SCHEMA_MAX_FAULTS)
		return;
	r->faults = alloc_grow(r->faults, &r->cap_faults, r->n_faults + 1,
	    sizeof(*r->faults));
	r->faults[r->n_faults++] = f;
}

/* Something failed. true: it is enough, the value is not valid. */
static bool
fault(struct schema_run *r, const struct block *b, uint32_t node,
    const char *keyword, struct span name)
{
	/* Without steps left nothing is known to be a fault. */
	if (r->collect && !r->exhausted)
		add_fault(r, (struct schema_fault){ .block = b,
			.keyword = keyword, .node = node, .name = name });
	return !r->all || r->exhausted || r->n_faults == SCHEMA_MAX_FAULTS;
}

static bool
stop(struct schema_run *r, const struct block *b, uint32_t node,
    const char *keyword)
{
	return fault(r, b, node, keyword, (struct span){ 0 });
}

/*
 * What takes more steps than there are ends here: the value is not valid, even
 * where a schema that fails is what is asked for.
 */
static bool
give_up(struct schema_run *r, const struct block *b, uint32_t node,
    const char *keyword)
{
	if (!r->exhausted)
		r->limit = (struct schema_fault){ .block = b,
			.keyword = keyword, .node = node, .limit = true };
	r->exhausted = true;
	r->work = 0;
	return false;
}

/* Take steps for what follows; false: there are not as many. */
static inline bool
spend(struct schema_run *r, const struct block *b, uint32_t node,
    const char *keyword, int64_t work)
{
	if (r->work < work)
		return give_up(r, b, node, keyword);
	r->work -= work;
	return true;
}

/* The schema over the same value. */
static inline bool
apply(struct schema_run *r, const struct block *b, uint32_t node)
{
	if (b->kinds & 1u << json_kind(r->j, node))
		return b->plain || run_block(r, b, node);
	if (!stop(r, b, node, b->nothing ? "false" : "type") && !b->plain)
		(void)run_block(r, b, node);
	return false;
}

/* The schema over a member or an item, which is evaluated by it. */
static inline bool
apply_below(struct schema_run *r, const struct block *b, uint32_t node)
{
	bool track = r->track, good;

	r->track = false;
	good = apply(r, b, node);
	r->track = track;
	if (track) {
		r->trail = alloc_grow(r->trail, &r->cap_trail, r->n_trail + 1,
		    sizeof(*r->trail));
		r->trail[r->n_trail++] = node;
	}
	return good;
}

/* A schema that may fail: no faults, and no evaluations if it does. */
static bool
try(struct schema_run *r, const struct block *b, uint32_t node)
{
	bool collect = r->collect, all = r->all, good;
	size_t n = r->n_trail;

	r->collect = r->all = false;
	good = apply(r, b, node);
	r->collect = collect;
	r->all = all;
	if (!good)
		r->n_trail = n;
	return good;
}

/* The same over an item or a name: nothing of it is evaluated. */
static bool
try_below(struct schema_run *r, const struct block *b, uint32_t node)
{
	bool track = r->track, good;

	r->track = false;
	good = try(r, b, node);
	r->track = track;
	return good;
}

static bool
among(struct schema_run *r, const struct block *b, const struct values *v,
    uint32_t node)
{
	const struct json *j = r->j;
	enum json_kind kind = json_kind(j, node);
	const struct json *own;
	size_t i;

	if (kind == JSON_STRING)
		return names_find(&v->strings,
		    json_string(j, node, &r->scratch)) >= 0;
	if (kind == JSON_NUMBER)
		return names_find(&v->numbers,
		    number_spell(json_bytes(j, node), &r->scratch)) >= 0;
	if (kind <= JSON_TRUE)
		return v->kinds & 1u << kind;
	own = &r->set->documents[b->document]->json;
	for (i = 0; i < v->n_nodes; i++) {
		uint32_t k = v->nodes[i];
		uint32_t size = json_next(own, k) - k;

		if (json_at(own, k)->n != json_at(j, node)->n)
			size = 1;
		if (!spend(r, b, node, v == b->const_ ? "const" : "enum",
		    2 * NODE_WORK * (int64_t)size))
			return false;
		if (json_equal(j, node, own, k))
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

static bool
run_string(struct schema_run *r, const struct block *b, uint32_t node)
{
	const struct string_rules *s = b->string;
	struct span text = json_string(r->j, node, &r->scratch);

	if ((text.len < s->min_length || (s->min_length > 1 &&
	    count_characters(text) < s->min_length)) &&
	    stop(r, b, node, "minLength"))
		return false;
	if (text.len > s->max_length &&
	    count_characters(text) > s->max_length &&
	    stop(r, b, node, "maxLength"))
		return false;
	if (s->pattern) {
		enum regex_result m = regex_match(s->pattern, text,
		    &r->work);

		if (m == REGEX_LIMIT)
			return give_up(r, b, node, "pattern");
		if (m == REGEX_NO && stop(r, b, node, "pattern"))
			return false;
	}
	return !s->format || format_check(s->format, text) ||
	    !stop(r, b, node, "format");
}

static bool
run_number(struct schema_run *r, const struct block *b, uint32_t node)
{
	const struct number_rules *n = b->number;
	struct number v;

	if (n->has & INTEGER && !number_is_integer(json_bytes(r->j, node)) &&
	    stop(r, b, node, "type"))
		return false;
	if (n->has == INTEGER)
		return true;
	v = number_of(json_bytes(r->j, node));
	if (n->has & MINIMUM && number_cmp(&v, &n->minimum) < 0 &&
	    stop(r, b, node, "minimum"))
		return false;
	if (n->has & MAXIMUM && number_cmp(&v, &n->maximum) > 0 &&
	    stop(r, b, node, "maximum"))
		return false;
	if (n->has & EXCLUSIVE_MINIMUM &&
	    number_cmp(&v, &n->exclusive_minimum) <= 0 &&
	    stop(r, b, node, "exclusiveMinimum"))
		return false;
	if (n->has & EXCLUSIVE_MAXIMUM &&
	    number_cmp(&v, &n->exclusive_maximum) >= 0 &&
	    stop(r, b, node, "exclusiveMaximum"))
		return false;
	return !(n->has & MULTIPLE_OF) ||
	    number_is_multiple(&v, &n->multiple_of) ||
	    !stop(r, b, node, "multipleOf");
}

/* Are all items different? Many are told apart by a table of hashes. */
static bool
unique(struct schema_run *r, uint32_t array)
{
	const struct json *j = r->j;
	uint32_t n = json_at(j, array)->n, end = json_next(j, array), i, k;
	size_t size = 16, h;

	if (n <= FEW_ITEMS && end == array + 1 + n) {
		for (i = array + 1; i < end; i = json_next(j, i))
			for (k = json_next(j, i); k < end; k = json_next(j, k))
				if (json_equal(j, i, j, k))
					return false;
		return true;
	}
	while (size < (size_t)n * 2)
		size *= 2;
	r->table = alloc_grow(r->table, &r->cap_table, size,
	    sizeof(*r->table));
	memset(r->table, 0, size * sizeof(*r->table));
	for (i = array + 1; i < end; i = json_next(j, i)) {
		for (h = json_hash(j, i, &r->scratch) & (size - 1); r->table[h];
		    h = (h + 1) & (size - 1))
			if (json_equal(j, i, j, r->table[h]))
				return false;
		r->table[h] = i;
	}
	return true;
}

static bool
run_contains(struct schema_run *r, const struct block *b, uint32_t node)
{
	const struct array_rules *a = b->array;
	uint32_t end = json_next(r->j, node), i;
	size_t n = 0;

	for (i = node + 1; i < end; i = json_next(r->j, i)) {
		if (!try_below(r, a->contains, i))
			continue;
		n++;
		if (r->track) {
			r->trail = alloc_grow(r->trail, &r->cap_trail,
			    r->n_trail + 1, sizeof(*r->trail));
			r->trail[r->n_trail++] = i;
		} else if (n >= a->min_contains &&
		    a->max_contains == SIZE_MAX) {
			return true;
		}
	}
	if (n < a->min_contains && stop(r, b, node, a->min_contains == 1 ?
	    "contains" : "minContains"))
		return false;
	return n <= a->max_contains || !stop(r, b, node, "maxContains");
}

static bool
run_array(struct schema_run *r, const struct block *b, uint32_t node)
{
	const struct array_rules *a = b->array;
	uint32_t end = json_next(r->j, node), n = json_at(r->j, node)->n, i;
	size_t k = 0;

	if (n < a->min_items && stop(r, b, node, "minItems"))
		return false;
	if (n > a->max_items && stop(r, b, node, "maxItems"))
		return false;
	for (i = node + 1; i < end; i = json_next(r->j, i), k++) {
		const struct block *item = k < a->prefix.n ?
		    a->prefix.list[k] : a->items;

		if (item && !apply_below(r, item, i) && !r->all)
			return false;
	}
	if (a->contains && !run_contains(r, b, node) && !r->all)
		return false;
	if (!a->unique)
		return true;
	if (!spend(r, b, node, "uniqueItems", 4 * NODE_WORK *
	    (int64_t)(end - node)))
		return false;
	return unique(r, node) || !stop(r, b, node, "uniqueItems");
}

static bool
run_dependents(struct schema_run *r, const struct block *b, uint32_t node)
{
	const struct object_rules *o = b->object;
	size_t i, k;

	for (i = 0; i < o->n_dependents; i++) {
		const struct dependent *d = &o->dependents[i];

		if (!spend(r, b, node, d->block ? "dependentSchemas" :
		    "dependentRequired", json_at(r->j, node)->n))
			return false;
		if (!json_get(r->j, node, d->name))
			continue;
		for (k = 0; k < d->n_required; k++)
			if (spend(r, b, node, "dependentRequired",
			    json_at(r->j, node)->n) &&
			    !json_get(r->j, node, d->required[k]) && fault(r,
			    b, node, "dependentRequired", d->required[k]))
				return false;
		if (d->block && !apply(r, d->block, node) && !r->all)
			return false;
	}
	return true;
}

static bool
missing(struct schema_run *r, const struct block *b, uint32_t node)
{
	const struct object_rules *o = b->object;
	size_t i;

	for (i = 0; i < o->names.n; i++)
		if (o->properties[i].required && spend(r, b, node, "required",
		    json_at(r->j, node)->n) && !json_get(r->j, node, o->names.list[i]) &&
		    fault(r, b, node, "required", o->names.list[i]))
			return false;
	return true;
}

/* A member's value: what its name, patterns and the rest say of it. */
static bool
run_member(struct schema_run *r, const struct block *b, uint32_t name,
    const struct property *p)
{
	const struct object_rules *o = b->object;
	bool known = p && p->block;
	size_t i;

	if (known && !apply_below(r, p->block, name + 1) && !r->all)
		return false;
	for (i = 0; i < o->n_patterns; i++) {
		enum regex_result m;

		if (!spend(r, b, name + 1, "patternProperties", NODE_WORK))
			return false;
		m = regex_match(o->patterns[i].regex,
		    json_string(r->j, name, &r->scratch), &r->work);
		if (m == REGEX_LIMIT)
			return give_up(r, b, name + 1, "patternProperties");
		if (m == REGEX_NO)
			continue;
		known = true;
		if (!apply_below(r, o->patterns[i].block, name + 1) && !r->all)
			return false;
	}
	return known || !o->additional ||
	    apply_below(r, o->additional, name + 1) || r->all;
}

static bool
run_object(struct schema_run *r, const struct block *b, uint32_t node)
{
	const struct object_rules *o = b->object;
	uint32_t end = json_next(r->j, node), n = json_at(r->j, node)->n, m;
	size_t met = 0;

	if (n < o->min_properties && stop(r, b, node, "minProperties"))
		return false;
	if (n > o->max_properties && stop(r, b, node, "maxProperties"))
		return false;
	for (m = node + 1; m < end; m = json_next(r->j, m + 1)) {
		struct span name = json_string(r->j, m, &r->scratch);
		long i = names_find(&o->names, name);
		const struct property *p = i < 0 ? NULL : &o->properties[i];

		met += p && p->required;
		if (o->property_names && !try_below(r, o->property_names, m) &&
		    stop(r, b, m + 1, "propertyNames"))
			return false;
		if (!run_member(r, b, m, p))
			return false;
	}
	if (met < o->n_required && !missing(r, b, node))
		return false;
	return run_dependents(r, b, node);
}

static bool
run_any_of(struct schema_run *r, const struct block *b, uint32_t node)
{
	const struct blocks *list = &b->in_place->any_of;
	bool good = false;
	size_t i;

	/* All of them count for what is evaluated. */
	for (i = 0; i < list->n && (!good || r->track); i++)
		good |= try(r, list->list[i], node);
	if (good || stop(r, b, node, "anyOf"))
		return good;
	for (i = 0; i < list->n; i++)
		(void)apply(r, list->list[i], node);
	return false;
}

static bool
run_one_of(struct schema_run *r, const struct block *b, uint32_t node)
{
	const struct blocks *list = &b->in_place->one_of;
	size_t n = 0, i;

	for (i = 0; i < list->n && n < 2; i++)
		n += try(r, list->list[i], node);
	if (n == 1 || stop(r, b, node, "oneOf"))
		return n == 1;
	for (i = 0; i < list->n && n == 0; i++)
		(void)apply(r, list->list[i], node);
	return false;
}

static bool
run_not(struct schema_run *r, const struct block *b, uint32_t node)
{
	size_t n = r->n_trail;
	bool good = !try(r, b->in_place->not, node);

	r->n_trail = n;
	return good || !stop(r, b, node, "not");
}

static const struct block *
dynamic_target(const struct schema_run *r, const struct dynamic *d)
{
	size_t i, k;

	for (i = 0; d->n && i < r->n_scope; i++)
		for (k = 0; k < d->n; k++)
			if (d->list[k].resource == r->scope[i])
				return d->list[k].block;
	return d->initial;
}

static bool
run_in_place(struct schema_run *r, const struct block *b, uint32_t node)
{
	const struct in_place *p = b->in_place;
	const struct block *branch;
	bool good = true;
	size_t i;

	if (p->ref)
		good &= apply(r, p->ref, node);
	if (p->dynamic && (good || r->all))
		good &= apply(r, dynamic_target(r, p->dynamic), node);
	for (i = 0; i < p->all_of.n && (good || r->all); i++)
		good &= apply(r, p->all_of.list[i], node);
	if (p->not && (good || r->all))
		good &= run_not(r, b, node);
	if (p->any_of.n && (good || r->all))
		good &= run_any_of(r, b, node);
	if (p->one_of.n && (good || r->all))
		good &= run_one_of(r, b, node);
	if (p->if_ && (p->then || p->else_ || r->track) && (good || r->all)) {
		branch = try(r, p->if_, node) ? p->then : p->else_;
		if (branch)
			good &= apply(r, branch, node);
	}
	return good;
}

/* Mark what is on the trail; a new look makes all other marks void. */
static void
mark(struct schema_run *r, size_t from)
{
	size_t n = r->cap_marks;

	if (n < r->j->n_nodes) {
		r->marks = alloc_grow(r->marks, &r->cap_marks, r->j->n_nodes,
		    sizeof(*r->marks));
		memset(r->marks + n, 0, (r->cap_marks - n) *
		    sizeof(*r->marks));
	}
	r->look++;
	for (; from < r->n_trail; from++)
		r->marks[r->trail[from]] = r->look;
}

static bool
run_unevaluated(struct schema_run *r, const struct block *b, uint32_t node,
    size_t from)
{
	bool object = json_kind(r->j, node) == JSON_OBJECT;
	const struct block *rest = object ? b->unevaluated_properties :
	    b->unevaluated_items;
	uint32_t end = json_next(r->j, node), i, look;

	if (!rest)
		return true;
	mark(r, from);
	look = r->look;
	for (i = node + 1 + object; i < end;
	    i = json_next(r->j, i) + object) {
		/* Looks below may have made a mark theirs: never of ours. */
		if (r->marks[i] == look)
			continue;
		if (!apply_below(r, rest, i) && !r->all)
			return false;
	}
	return true;
}

static bool
run_rules(struct schema_run *r, const struct block *b, uint32_t node)
{
	enum json_kind kind = json_kind(r->j, node);
	size_t faults = r->n_faults, trail = r->n_trail;
	bool good = true;

	if (b->const_ && !among(r, b, b->const_, node) &&
	    stop(r, b, node, "const"))
		return false;
	if (b->enum_ && !among(r, b, b->enum_, node) &&
	    stop(r, b, node, "enum"))
		return false;
	if (kind == JSON_STRING && b->string)
		good = run_string(r, b, node);
	else if (kind == JSON_NUMBER && b->number)
		good = run_number(r, b, node);
	else if (kind == JSON_ARRAY && b->array)
		good = run_array(r, b, node);
	else if (kind == JSON_OBJECT && b->object)
		good = run_object(r, b, node);
	if (good && b->in_place)
		good = run_in_place(r, b, node);
	if (good && kind >= JSON_ARRAY)
		good = run_unevaluated(r, b, node, trail);
	return good && r->n_faults == faults;
}

/* Of a block over a value. */
static inline int64_t
block_work(const struct json *j, uint32_t node)
{
	const struct json_node *n = json_at(j, node);

	return BLOCK_WORK + (n->kind >= JSON_ARRAY ? n->n * NODE_WORK :
	    n->len / BYTES_A_STEP);
}

static bool
run_block(struct schema_run *r, const struct block *b, uint32_t node)
{
	bool track = r->track, good;
	size_t trail = r->n_trail, scope = r->n_scope;

	if (r->depth == MAX_DEPTH)
		return give_up(r, b, node, "");
	if (!spend(r, b, node, "", block_work(r->j, node)))
		return false;
	r->depth++;
	if (r->dynamic && (!scope || r->scope[scope - 1] != b->resource)) {
		r->scope = alloc_grow(r->scope, &r->cap_scope, scope + 1,
		    sizeof(*r->scope));
		r->scope[r->n_scope++] = b->resource;
	}
	r->track |= b->unevaluated_items || b->unevaluated_properties;
	good = run_rules(r, b, node);
	r->track = track;
	if (!track)
		r->n_trail = trail;
	r->n_scope = scope;
	r->depth--;
	return good;
}

static bool
run(struct schema *s, const struct json *j, uint32_t node, bool collect,
    bool all)
{
	struct schema_run *r = &s->set->run;

	r->j = j;
	r->set = &s->set->set;
	r->work = REGEX_WORK;
	r->depth = 0;
	r->dynamic = s->set->dynamic;
	r->track = false;
	r->collect = collect;
	r->all = all;
	r->exhausted = false;
	/* Never in the middle of a value: older marks would seem new. */
	if (r->look > UINT32_MAX / 2) {
		memset(r->marks, 0, r->cap_marks * sizeof(*r->marks));
		r->look = 0;
	}
	r->n_trail = r->n_scope = r->n_faults = 0;
	return apply(r, s->root, node) && !r->exhausted;
}

bool
schema_check(struct schema *s, const struct json *j, uint32_t node)
{
	return run(s, j, node, false, false);
}

/* What two schemas have in common fails in both: once is enough. */
static void
drop_repeats(struct schema_run *r)
{
	size_t n = 0, i, k;

	for (i = 0; i < r->n_faults; i++) {
		const struct schema_fault *f = &r->faults[i];

		for (k = 0; k < n; k++)
			if (r->faults[k].block == f->block &&
			    r->faults[k].node == f->node &&
			    r->faults[k].keyword == f->keyword &&
			    span_eq(r->faults[k].name, f->name))
				break;
		if (k == n)
			r->faults[n++] = *f;
	}
	r->n_faults = n;
}

const struct schema_fault *
schema_faults(struct schema *s, const struct json *j, uint32_t node, bool all,
    size_t *n)
{
	struct schema_run *r = &s->set->run;

	(void)run(s, j, node, true, all);
	drop_repeats(r);
	if (r->exhausted)
		add_fault(r, r->limit);
	*n = r->n_faults;
	return r->faults;
}
