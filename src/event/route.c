/*
 * Routing. The index: a group holds the webhooks that subscribe to one event
 * and have one value of one attribute, their pivot: of the attributes that the
 * event requires (else of all its own) the one whose value the fewest share.
 * An event looks up one group for each pivot attribute in use; where its
 * payload lacks that attribute, all webhooks with that pivot are candidates.
 * What remains of the tests is done on the candidates.
 *
 * With many webhooks a look-up costs what it fetches from memory: a slot of
 * eight bytes for the group and one place for all that is read of a webhook.
 * Groups are known by a hash alone, since the last test compares the values
 * anyway: two that share one are each other's candidates, and go no further.
 */
#include "event/route.h"

#include <assert.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "event/call_id.h"
#include "json/pointer.h"
#include "json/siphash.h"
#include "json/write.h"

enum {
	CACHE_LINE_BYTES = 64,
};

#define NONE UINT32_MAX
/* Set in a key: its group with all values together. */
#define ANY_VALUE ((uint32_t)1 << 31)
/* Set in group.at; a target begins at a multiple of four. */
#define IS_LIST ((uint32_t)1)

struct group {
	uint32_t tag; /* of key and value; 0: a free slot */
	uint32_t at;  /* a single target; with IS_LIST: twice the place in lists
	               * of a number of targets and the targets */
};

/* A webhook's attribute: a payload member `key`, if there, must equal it. */
struct attribute {
	uint32_t key;
	uint32_t end; /* of its value, in the bytes of all */
};

/*
 * What is read of a webhook that an event comes to, in one place, so that it
 * costs a line of cache or two. Behind the attributes are the bytes of their
 * values and those of call_head. Targets are known by where they begin: in the
 * order of the registry.
 */
struct target {
	uint32_t webhook; /* in webhooks->list */
	uint32_t head_bytes, id_bytes;
	uint32_t n;
	struct attribute attributes[];
};

struct topic { /* a public event of the catalog */
	struct group *groups; /* a hash table */
	size_t n_groups;      /* its size, a power of two; before: a bound */
	uint32_t *lists;
	uint32_t *pivots; /* keys in use as pivots */
	size_t n_pivots, cap_pivots;
	uint32_t *targets; /* while building: those that it may come to */
	size_t n, cap;
};

struct placement {
	uint32_t group, target;
};

struct building { /* of a topic */
	struct route *route;
	struct topic *topic;
	const struct catalog_event *event;
	uint32_t *counts; /* by group */
	struct placement *placements;
	size_t n;
};

struct member { /* of the payload at hand */
	uint32_t name; /* node */
	uint32_t key;  /* NONE: no attribute of anybody */
};

struct route {
	const struct catalog *catalog;
	const struct webhooks *webhooks;
	bool ordered;           /* some webhook's calls have an order key */
	char *targets;          /* struct target, one after the other */
	struct topic *topics;   /* as catalog->events */
	uint64_t seed[2];
	struct span *keys; /* distinct attribute names */
	size_t n_keys, cap_keys;
	uint32_t *key_slots; /* hash table of key + 1 */
	size_t n_key_slots;
	uint32_t *values; /* key -> node of the payload's member, 0: none */
	struct member *members;
	size_t n_members, cap_members;
	uint32_t *matches;
	size_t n_matches, cap_matches;
	struct buf scratch;
};

static size_t
table_size(size_t n)
{
	size_t size = 16;

	while (size < n + n / 4)
		size *= 2;
	return size;
}

static uint32_t
find_key(const struct route *r, struct span name, size_t *slot)
{
	size_t mask = r->n_key_slots - 1;
	size_t h = (size_t)siphash13(r->seed, name.p, name.len) & mask;

	for (; r->key_slots[h]; h = (h + 1) & mask)
		if (span_eq(r->keys[r->key_slots[h] - 1], name))
			break;
	if (slot)
		*slot = h;
	return r->key_slots[h] ? r->key_slots[h] - 1 : NONE;
}

/* The number of an attribute's name. */
static uint32_t
add_key(struct route *r, struct span name)
{
	size_t slot;
	uint32_t key = find_key(r, name, &slot);

	if (key != NONE)
		return key;
	r->keys = alloc_grow(r->keys, &r->cap_keys, r->n_keys + 1,
	    sizeof(*r->keys));
	key = (uint32_t)r->n_keys++;
	r->keys[key] = name;
	r->key_slots[slot] = key + 1;
	return key;
}

static struct target *
target_at(const struct route *r, uint32_t at)
{
	return (struct target *)(void *)(r->targets + at);
}

static char *
values_of(const struct target *t)
{
	return (char *)(t->attributes + t->n);
}

static struct span
value_of(const struct target *t, uint32_t a)
{
	uint32_t from = a ? t->attributes[a - 1].end : 0;

	return (struct span){ values_of(t) + from,
		t->attributes[a].end - from };
}

static struct span
call_head_of(const struct target *t)
{
	uint32_t from = t->n ? t->attributes[t->n - 1].end : 0;

	return (struct span){ values_of(t) + from, t->head_bytes };
}

static size_t
target_bytes(const struct webhook *w)
{
	size_t bytes = sizeof(struct target) + w->call_head.len, a;

	for (a = 0; a < w->n_attributes; a++)
		bytes += sizeof(struct attribute) + w->attributes[a].value.len;
	return (bytes + sizeof(uint32_t) - 1) & ~(sizeof(uint32_t) - 1);
}

static void
put_target(struct route *r, uint32_t webhook, struct target *t)
{
	const struct webhook *w = &r->webhooks->list[webhook];
	uint32_t a, end = 0;

	*t = (struct target){ .webhook = webhook, .n = w->n_attributes,
		.id_bytes = (uint32_t)w->id.len,
		.head_bytes = (uint32_t)w->call_head.len };
	for (a = 0; a < t->n; a++) {
		struct span value = w->attributes[a].value;

		memcpy(values_of(t) + end, value.p, value.len);
		end += (uint32_t)value.len;
		t->attributes[a] = (struct attribute){
			add_key(r, w->attributes[a].name), end };
	}
	memcpy(values_of(t) + end, w->call_head.p, w->call_head.len);
}

/* The slot where the group is or would be; `add` makes it be there. */
static uint32_t
find_group(const struct route *r, const struct topic *t, uint32_t key,
    struct span value, bool add)
{
	uint64_t seed[2] = { r->seed[0], r->seed[1] ^ key };
	uint64_t hash = siphash13(seed, value.p, value.len);
	uint32_t tag = (uint32_t)(hash >> 32) | 1;
	size_t mask = t->n_groups - 1, at = (size_t)hash & mask;

	while (t->groups[at].tag && t->groups[at].tag != tag)
		at = (at + 1) & mask;
	if (add)
		t->groups[at].tag = tag;
	return (uint32_t)at;
}

static bool
is_required(const struct catalog_event *ev, struct span name)
{
	size_t i;

	for (i = 0; i < ev->n_required; i++)
		if (span_eq(ev->required[i], name))
			return true;
	return false;
}

/* Has the webhook all that the event requires, and not empty? */
static bool
is_eligible(const struct catalog_event *ev, const struct webhook *w)
{
	size_t i, a;

	for (i = 0; i < ev->n_required; i++) {
		for (a = 0; a < w->n_attributes; a++)
			if (w->attributes[a].value.len &&
			    span_eq(w->attributes[a].name, ev->required[i]))
				break;
		if (a == w->n_attributes)
			return false;
	}
	return true;
}

static void
subscribe_one(struct route *r, uint32_t topic, const struct target *target)
{
	const struct catalog_event *ev = &r->catalog->events[topic];
	uint32_t at = (uint32_t)((const char *)target - r->targets);
	struct topic *t = &r->topics[topic];

	if (!ev->public || (t->n && t->targets[t->n - 1] == at) ||
	    !is_eligible(ev, &r->webhooks->list[target->webhook]))
		return;
	t->targets = alloc_grow(t->targets, &t->cap, t->n + 1,
	    sizeof(*t->targets));
	t->targets[t->n++] = at;
	/* Each of its candidates may be a group. */
	t->n_groups += ev->n_required ? ev->n_required : target->n;
}

static void
subscribe(struct route *r, struct span name, const struct target *t)
{
	const struct catalog *c = r->catalog;
	const struct catalog_event *ev = catalog_find(c, name);
	uint32_t i;

	if (ev)
		subscribe_one(r, (uint32_t)(ev - c->events), t);
	if (!name.len || name.p[name.len - 1] != '*')
		return;
	name.len--;
	for (i = 0; i < c->n; i++)
		if (c->events[i].name.len >= name.len &&
		    memcmp(c->events[i].name.p, name.p, name.len) == 0)
			subscribe_one(r, i, t);
}

/* Lay out the targets, number the attribute names, note who wants what. */
static void
build_targets(struct route *r)
{
	const struct webhooks *all = r->webhooks;
	size_t bytes = 0, n_attributes = 0, s;
	uint32_t i;
	char *p;

	for (i = 0; i < all->n; i++) {
		bytes += target_bytes(&all->list[i]);
		n_attributes += all->list[i].n_attributes;
	}
	assert(bytes < UINT32_MAX); /* REGISTRY_MAX_BYTES is far below */
	r->targets = p = alloc_resize(NULL, bytes, 1);
	r->n_key_slots = table_size(n_attributes);
	r->key_slots = alloc_zero(r->n_key_slots, sizeof(*r->key_slots));
	for (i = 0; i < all->n; i++) {
		const struct webhook *w = &all->list[i];
		struct target *t = (struct target *)(void *)p;

		if (w->disabled)
			continue;
		put_target(r, i, t);
		for (s = 0; s < w->n_subscriptions; s++)
			subscribe(r, w->subscriptions[s], t);
		p += target_bytes(w);
	}
	r->values = alloc_zero(r->n_keys, sizeof(*r->values));
}

/* May the attribute be a webhook's pivot for the event? */
static bool
is_candidate(const struct building *b, uint32_t key)
{
	return !b->event->n_required ||
	    is_required(b->event, b->route->keys[key]);
}

/* Has it more than one such attribute, perhaps? */
static bool
has_choice(const struct building *b, const struct target *t)
{
	return t->n >= 2 && b->event->n_required != 1;
}

/* Of how many targets is this attribute a candidate? */
static uint32_t *
rivals_of(const struct building *b, const struct target *t, uint32_t a)
{
	return &b->counts[find_group(b->route, b->topic, t->attributes[a].key,
	    value_of(t, a), true)];
}

static void
count_rivals(const struct building *b, const struct target *t)
{
	uint32_t a;

	for (a = 0; a < t->n && has_choice(b, t); a++)
		if (is_candidate(b, t->attributes[a].key))
			++*rivals_of(b, t, a);
}

/* The candidate whose value the fewest share; t->n: none. */
static uint32_t
find_pivot(const struct building *b, const struct target *t)
{
	uint32_t fewest = NONE, best = t->n, a;

	for (a = 0; a < t->n; a++) {
		uint32_t n = 0;

		if (!is_candidate(b, t->attributes[a].key))
			continue;
		if (has_choice(b, t))
			n = *rivals_of(b, t, a);
		if (n < fewest) {
			best = a;
			fewest = n;
		}
	}
	return best;
}

static void
add_placement(struct building *b, uint32_t key, struct span value,
    uint32_t target)
{
	b->placements[b->n++] = (struct placement){
		find_group(b->route, b->topic, key, value, true), target };
}

/* Into the pivot's group, and the one of all its values. */
static void
place(struct building *b, uint32_t target)
{
	const struct target *t = target_at(b->route, target);
	uint32_t pivot = find_pivot(b, t);
	uint32_t key = pivot < t->n ? t->attributes[pivot].key : NONE;
	struct topic *to = b->topic;
	size_t i;

	add_placement(b, key | ANY_VALUE, (struct span){ 0 }, target);
	if (key == NONE)
		return;
	add_placement(b, key, value_of(t, pivot), target);
	for (i = 0; i < to->n_pivots && to->pivots[i] != key; i++)
		;
	if (i == to->n_pivots) {
		to->pivots = alloc_grow(to->pivots, &to->cap_pivots, i + 1,
		    sizeof(*to->pivots));
		to->pivots[to->n_pivots++] = key;
	}
}

/* Turn the placements into one list after the other. */
static void
build_lists(struct building *b)
{
	struct topic *t = b->topic;
	uint32_t end = 0;
	size_t i;

	memset(b->counts, 0, t->n_groups * sizeof(*b->counts));
	for (i = 0; i < b->n; i++)
		b->counts[b->placements[i].group]++;
	for (i = 0; i < t->n_groups; i++)
		if (b->counts[i] > 1) {
			t->groups[i].at = end << 1 | IS_LIST;
			end += 1 + b->counts[i];
		}
	t->lists = alloc_zero(end, sizeof(*t->lists));
	for (i = 0; i < b->n; i++) {
		struct placement p = b->placements[i];
		uint32_t *list = t->lists + (t->groups[p.group].at >> 1);

		if (b->counts[p.group] == 1)
			t->groups[p.group].at = p.target;
		else
			list[++*list] = p.target;
	}
}

static void
build_topic(struct route *r, uint32_t topic)
{
	const struct catalog_event *ev = &r->catalog->events[topic];
	struct topic *t = &r->topics[topic];
	struct building b = { r, t, ev, NULL, NULL, 0 };
	size_t i, wholes = r->n_keys < t->n ? r->n_keys : t->n;

	/* Besides the wholes of the keys, and the one without any. */
	t->n_groups = table_size(t->n_groups + wholes + 1);
	t->groups = alloc_zero(t->n_groups, sizeof(*t->groups));
	b.counts = alloc_zero(t->n_groups, sizeof(*b.counts));
	b.placements = alloc_resize(NULL, 2 * t->n, sizeof(*b.placements));
	for (i = 0; i < t->n; i++)
		count_rivals(&b, target_at(r, t->targets[i]));
	for (i = 0; i < t->n; i++)
		place(&b, t->targets[i]);
	build_lists(&b);
	free(b.placements);
	free(b.counts);
	free(t->targets);
	t->targets = NULL;
}

struct route *
route_new(const struct catalog *c, const struct webhooks *w)
{
	struct route *r = alloc_zero(1, sizeof(*r));
	uint32_t i;

	r->catalog = c;
	r->webhooks = w;
	if (getrandom(r->seed, sizeof(r->seed), GRND_NONBLOCK) < 0)
		r->seed[0] = r->seed[1] = 0;
	r->topics = alloc_zero(c->n, sizeof(*r->topics));
	for (i = 0; i < w->n; i++)
		r->ordered |= w->list[i].order.len > 0;
	build_targets(r);
	for (i = 0; i < c->n; i++)
		build_topic(r, i);
	return r;
}

void
route_free(struct route *r)
{
	size_t i;

	if (!r)
		return;
	for (i = 0; i < r->catalog->n; i++) {
		free(r->topics[i].pivots);
		free(r->topics[i].groups);
		free(r->topics[i].lists);
	}
	free(r->topics);
	free(r->targets);
	free(r->keys);
	free(r->key_slots);
	free(r->values);
	free(r->members);
	free(r->matches);
	buf_clear(&r->scratch);
	free(r);
}

/* Note which members of the payload are attributes of somebody. */
static void
index_payload(struct route *r, const struct json *j, uint32_t payload)
{
	uint32_t k;
	size_t i;

	for (i = 0; i < r->n_members; i++)
		if (r->members[i].key != NONE)
			r->values[r->members[i].key] = 0;
	r->n_members = 0;
	if (json_kind(j, payload) != JSON_OBJECT)
		return;
	for (k = payload + 1; k < json_next(j, payload);
	    k = json_next(j, k + 1)) {
		struct span name = json_string(j, k, &r->scratch);
		uint32_t key = find_key(r, name, NULL);

		r->members = alloc_grow(r->members, &r->cap_members,
		    r->n_members + 1, sizeof(*r->members));
		r->members[r->n_members++] = (struct member){ k, key };
		if (key != NONE)
			r->values[key] = k + 1;
	}
}

/* Is every member that is an attribute of the webhook equal to it? */
static bool
is_equal(const struct route *r, const struct json *j, const struct target *t)
{
	uint32_t a;

	for (a = 0; a < t->n; a++) {
		uint32_t value = r->values[t->attributes[a].key];

		if (value && !json_string_is(j, value, value_of(t, a)))
			return false;
	}
	return true;
}

static void
take_matches(struct route *r, const struct json *j, const struct topic *t,
    uint32_t key, struct span value)
{
	const struct group *g = &t->groups[find_group(r, t, key, value, false)];
	const uint32_t *list = &g->at;
	uint32_t n = g->tag != 0, i;

	if (g->at & IS_LIST) {
		list = t->lists + (g->at >> 1);
		n = *list++;
	}
	r->matches = alloc_grow(r->matches, &r->cap_matches,
	    r->n_matches + n, sizeof(*r->matches));
	for (i = 0; i < n; i++) {
		const struct target *target = target_at(r, list[i]);

		/* Most candidates match: fetch the text while testing. */
		__builtin_prefetch((const char *)target + CACHE_LINE_BYTES);
		__builtin_prefetch((const char *)target + 2 * CACHE_LINE_BYTES);
		if (is_equal(r, j, target))
			r->matches[r->n_matches++] = list[i];
	}
}

static int
by_index(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* In registry order, each once: groups that share a tag may repeat one. */
static void
sort_matches(struct route *r)
{
	size_t i, n = 1;

	qsort(r->matches, r->n_matches, sizeof(*r->matches), by_index);
	for (i = 1; i < r->n_matches; i++)
		if (r->matches[i] != r->matches[n - 1])
			r->matches[n++] = r->matches[i];
	r->n_matches = n;
}

size_t
route_match(struct route *r, const struct event *ev,
    const struct catalog_event *entry, const uint32_t **matches)
{
	const struct topic *t = &r->topics[entry - r->catalog->events];
	uint32_t payload;
	const struct json *j = event_payload(ev, &payload);
	size_t i;

	index_payload(r, j, payload);
	r->n_matches = 0;
	take_matches(r, j, t, NONE, (struct span){ 0 });
	for (i = 0; i < t->n_pivots; i++) {
		uint32_t key = t->pivots[i], value = r->values[key];

		if (!value)
			take_matches(r, j, t, key | ANY_VALUE,
			    (struct span){ 0 });
		else if (json_kind(j, value) == JSON_STRING)
			take_matches(r, j, t, key,
			    json_string(j, value, &r->scratch));
	}
	if (r->n_matches > 1)
		sort_matches(r);
	*matches = r->matches;
	return r->n_matches;
}

static void
put_call_id(struct route *r, struct span webhook_id, const struct event *ev,
    struct buf *b)
{
	char id[CALL_ID_BYTES];

	call_id(ev->id_text, webhook_id, &r->scratch, id);
	buf_puts(b, ",\"id\":\"");
	buf_add(b, id, sizeof(id));
	buf_puts(b, "\",\"event\":");
	buf_span(b, json_bytes(&ev->json, ev->id));
}

static bool
has_key(const struct target *t, uint32_t key)
{
	uint32_t a;

	for (a = 0; a < t->n; a++)
		if (t->attributes[a].key == key)
			return true;
	return false;
}

static void
put_payload(const struct route *r, const struct target *t,
    const struct json *j, uint32_t payload, struct buf *b)
{
	bool first = true;
	size_t i;

	if (json_kind(j, payload) != JSON_OBJECT) {
		buf_span(b, json_bytes(j, payload));
		return;
	}
	buf_putc(b, '{');
	for (i = 0; i < r->n_members; i++) {
		const struct member *m = &r->members[i];

		if (m->key != NONE && has_key(t, m->key))
			continue;
		if (!first)
			buf_putc(b, ',');
		first = false;
		buf_span(b, json_bytes(j, m->name));
		buf_putc(b, ':');
		buf_span(b, json_bytes(j, m->name + 1));
	}
	buf_putc(b, '}');
}

uint32_t
route_webhook(const struct route *r, uint32_t match)
{
	return target_at(r, match)->webhook;
}

/*
 * The head with more headers behind those that it has; their names are given,
 * too: ev-deliver takes the others from the registry.
 */
static void
put_head(const struct target *t, struct span headers, struct span names,
    struct buf *b)
{
	static const char behind[] = "},\"webhook\":\"\"";
	struct span head = call_head_of(t);
	size_t at = head.len - (sizeof(behind) - 1) - t->id_bytes;

	if (names.len == 0) {
		buf_span(b, head);
		return;
	}
	buf_add(b, head.p, at);
	if (head.p[at - 1] != '{')
		buf_putc(b, ',');
	buf_add(b, headers.p + 1, headers.len - 2);
	buf_add(b, head.p + at, head.len - at);
	buf_puts(b, ",\"own_headers\":");
	buf_span(b, names);
}

static void
put_body(const struct route *r, const struct target *t, const struct event *ev,
    struct buf *b)
{
	uint32_t payload;
	const struct json *j = event_payload(ev, &payload);

	buf_puts(b, "{\"name\":");
	buf_span(b, json_bytes(&ev->json, ev->name_node));
	buf_puts(b, ",\"payload\":");
	put_payload(r, t, j, payload, b);
	buf_putc(b, '}');
}

/*
 * The order key: of all calls the empty one, or the value in the event, if it
 * has one there; a string's characters, another value's JSON.
 */
static void
put_order_key(const struct route *r, const struct target *t,
    const struct event *ev, struct buf *b)
{
	struct span order = r->webhooks->list[t->webhook].order, value;
	uint32_t node;

	if (order.len == 0)
		return;
	if (*order.p != '/') {
		json_put_member(b, "key", SPAN(""));
		return;
	}
	if (pointer_find(&ev->json, 0, order, &node) < 0)
		return;
	value = json_bytes(&ev->json, node);
	if (json_kind(&ev->json, node) != JSON_STRING) {
		json_put_member(b, "key", value);
		return;
	}
	json_put_name(b, "key");
	buf_span(b, value);
}

void
route_put_call(struct route *r, uint32_t match, const struct event *ev,
    const struct ruling *v, struct buf *b)
{
	const struct target *t = target_at(r, match);
	struct span head = call_head_of(t);
	bool own_body = v && v->kind == RULING_BODY;

	if (own_body)
		put_head(t, v->headers, v->names, b);
	else
		buf_span(b, head);
	if (ev->id_text.len)
		put_call_id(r, (struct span){ head.p + head.len - 1 -
			t->id_bytes, t->id_bytes }, ev, b);
	buf_puts(b, ",\"name\":");
	buf_span(b, json_bytes(&ev->json, ev->name_node));
	if (ev->traceparent) {
		buf_puts(b, ",\"traceparent\":");
		buf_span(b, json_bytes(&ev->json, ev->traceparent));
	}
	if (r->ordered)
		put_order_key(r, t, ev, b);
	buf_puts(b, ",\"body\":");
	if (own_body)
		buf_span(b, v->body);
	else
		put_body(r, t, ev, b);
	buf_putc(b, '}');
}
