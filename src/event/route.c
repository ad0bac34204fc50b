/*
 * Routing. The index: a group holds the webhooks that subscribe to one event
 * and have one value of one attribute, their pivot: of the attributes that the
 * event requires (else of all its own) the one whose value the fewest share.
 * An event looks up one group for each pivot attribute in use; where its
 * payload lacks that attribute, all webhooks with that pivot are candidates.
 * What remains of the tests is done on the candidates.
 */
#include "event/route.h"

#include "base/alloc.h"
#include "json/siphash.h"
#include "json/write.h"
#include "net/digest.h"

enum { NONE = UINT32_MAX, CALL_ID_DIGITS = 32 };

/* Webhooks (indexes) with the same topic, pivot and value. */
struct group {
	uint32_t topic, key;
	struct span value;
	bool whole;     /* all values of that key together */
	uint32_t *list;
	size_t n, cap;
	size_t rivals;  /* how many could have been here */
};

struct topic { /* a public event of the catalog */
	uint32_t *pivots; /* keys in use as pivots */
	size_t n_pivots, cap_pivots;
	uint32_t plain;   /* group of those without any attribute; NONE */
	uint32_t last;    /* the last webhook added + 1: no doubles */
};

struct member { /* of the payload at hand */
	uint32_t name; /* node */
	uint32_t key;  /* NONE: no attribute of anybody */
};

struct route {
	const struct catalog *catalog;
	const struct webhooks *webhooks;
	struct topic *topics; /* as catalog->events */
	struct group *groups;
	size_t n_groups, cap_groups;
	uint32_t *group_slots; /* hash table of group + 1 */
	size_t n_group_slots;
	struct span *keys; /* distinct attribute names */
	size_t n_keys, cap_keys;
	uint32_t *key_slots; /* hash table of key + 1 */
	size_t n_key_slots;
	uint32_t *attribute_keys; /* of all webhooks, one after the other */
	uint32_t *first_attribute; /* a webhook's first in attribute_keys */
	uint32_t *values; /* key -> node of the payload's member, 0: none */
	struct member *members;
	size_t n_members, cap_members;
	uint32_t *matches;
	size_t n_matches, cap_matches;
	struct buf scratch;
};

static const uint64_t no_seed[2]; /* the tables hold the registry's words */

static size_t
table_size(size_t n)
{
	size_t size = 16;

	while (size < n * 2)
		size *= 2;
	return size;
}

static uint32_t
find_key(const struct route *r, struct span name, size_t *slot)
{
	size_t mask = r->n_key_slots - 1;
	size_t h = (size_t)siphash13(no_seed, name.p, name.len) & mask;

	for (; r->key_slots[h]; h = (h + 1) & mask)
		if (span_eq(r->keys[r->key_slots[h] - 1], name))
			break;
	if (slot)
		*slot = h;
	return r->key_slots[h] ? r->key_slots[h] - 1 : NONE;
}

/* Number the attribute names; note each webhook's. */
static void
build_keys(struct route *r)
{
	const struct webhooks *all = r->webhooks;
	size_t total = 0, i, a, at = 0;

	for (i = 0; i < all->n; i++)
		total += all->list[i].n_attributes;
	r->n_key_slots = table_size(total);
	r->key_slots = alloc_zero(r->n_key_slots, sizeof(*r->key_slots));
	r->attribute_keys = alloc_zero(total, sizeof(*r->attribute_keys));
	r->first_attribute = alloc_zero(all->n, sizeof(*r->first_attribute));
	for (i = 0; i < all->n; i++) {
		r->first_attribute[i] = (uint32_t)at;
		for (a = 0; a < all->list[i].n_attributes; a++) {
			struct span name = all->list[i].attributes[a].name;
			size_t slot;
			uint32_t key = find_key(r, name, &slot);

			if (key == NONE) {
				r->keys = alloc_grow(r->keys, &r->cap_keys,
				    r->n_keys + 1, sizeof(*r->keys));
				key = (uint32_t)r->n_keys++;
				r->keys[key] = name;
				r->key_slots[slot] = key + 1;
			}
			r->attribute_keys[at++] = key;
		}
	}
	r->values = alloc_zero(r->n_keys, sizeof(*r->values));
}

static uint64_t
group_hash(uint32_t topic, uint32_t key, bool whole, struct span value)
{
	uint64_t seed[2] = { topic, (uint64_t)key << 1 | whole };

	return siphash13(seed, value.p, value.len);
}

static uint32_t
find_group(const struct route *r, uint32_t topic, uint32_t key, bool whole,
    struct span value, size_t *slot)
{
	size_t mask = r->n_group_slots - 1;
	size_t h = (size_t)group_hash(topic, key, whole, value) & mask;

	for (; r->group_slots[h]; h = (h + 1) & mask) {
		const struct group *g = &r->groups[r->group_slots[h] - 1];

		if (g->topic == topic && g->key == key && g->whole == whole &&
		    span_eq(g->value, value))
			break;
	}
	if (slot)
		*slot = h;
	return r->group_slots[h] ? r->group_slots[h] - 1 : NONE;
}

static void
grow_group_slots(struct route *r)
{
	size_t i, slot;

	free(r->group_slots);
	r->n_group_slots = table_size(r->n_groups * 2 + 8);
	r->group_slots = alloc_zero(r->n_group_slots,
	    sizeof(*r->group_slots));
	for (i = 0; i < r->n_groups; i++) {
		const struct group *g = &r->groups[i];

		find_group(r, g->topic, g->key, g->whole, g->value, &slot);
		r->group_slots[slot] = (uint32_t)i + 1;
	}
}

static uint32_t
add_group(struct route *r, uint32_t topic, uint32_t key, bool whole,
    struct span value)
{
	size_t slot;
	uint32_t g;

	if ((r->n_groups + 1) * 2 > r->n_group_slots)
		grow_group_slots(r);
	g = find_group(r, topic, key, whole, value, &slot);
	if (g != NONE)
		return g;
	r->groups = alloc_grow(r->groups, &r->cap_groups, r->n_groups + 1,
	    sizeof(*r->groups));
	g = (uint32_t)r->n_groups++;
	r->groups[g] = (struct group){ .topic = topic, .key = key,
		.whole = whole, .value = value };
	r->group_slots[slot] = g + 1;
	return g;
}

static void
add_to_group(struct route *r, uint32_t group, uint32_t webhook)
{
	struct group *g = &r->groups[group];

	g->list = alloc_grow(g->list, &g->cap, g->n + 1, sizeof(*g->list));
	g->list[g->n++] = webhook;
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

/* First pass: count for each group that the webhook could be in. */
static void
count_rivals(struct route *r, uint32_t topic, uint32_t webhook)
{
	const struct webhook *w = &r->webhooks->list[webhook];
	const struct catalog_event *ev = &r->catalog->events[topic];
	const uint32_t *keys = r->attribute_keys + r->first_attribute[webhook];
	size_t a;

	for (a = 0; a < w->n_attributes; a++) {
		uint32_t g;

		if (ev->n_required && !is_required(ev, w->attributes[a].name))
			continue;
		g = add_group(r, topic, keys[a], false,
		    w->attributes[a].value);
		r->groups[g].rivals++;
	}
}

/* Second pass: into the group with the fewest rivals. */
static void
place(struct route *r, uint32_t topic, uint32_t webhook)
{
	const struct webhook *w = &r->webhooks->list[webhook];
	const uint32_t *keys = r->attribute_keys + r->first_attribute[webhook];
	struct topic *t = &r->topics[topic];
	uint32_t best = NONE;
	size_t a, i;

	for (a = 0; a < w->n_attributes; a++) {
		uint32_t g = find_group(r, topic, keys[a], false,
		    w->attributes[a].value, NULL);

		if (g != NONE && (best == NONE ||
		    r->groups[g].rivals < r->groups[best].rivals))
			best = g;
	}
	if (best == NONE) {
		if (t->plain == NONE)
			t->plain = add_group(r, topic, NONE, true,
			    (struct span){ 0 });
		add_to_group(r, t->plain, webhook);
		return;
	}
	add_to_group(r, best, webhook);
	for (i = 0; i < t->n_pivots; i++)
		if (t->pivots[i] == r->groups[best].key)
			break;
	if (i == t->n_pivots) {
		t->pivots = alloc_grow(t->pivots, &t->cap_pivots, i + 1,
		    sizeof(*t->pivots));
		t->pivots[t->n_pivots++] = r->groups[best].key;
	}
	add_to_group(r, add_group(r, topic, r->groups[best].key, true,
	    (struct span){ 0 }), webhook);
}

typedef void pass(struct route *, uint32_t topic, uint32_t webhook);

static void
subscribe_one(struct route *r, uint32_t topic, uint32_t webhook, pass *do_pass)
{
	const struct catalog_event *ev = &r->catalog->events[topic];

	if (!ev->public || r->topics[topic].last == webhook + 1)
		return;
	r->topics[topic].last = webhook + 1;
	if (is_eligible(ev, &r->webhooks->list[webhook]))
		do_pass(r, topic, webhook);
}

static void
subscribe(struct route *r, struct span name, uint32_t webhook, pass *do_pass)
{
	const struct catalog *c = r->catalog;
	const struct catalog_event *ev = catalog_find(c, name);
	uint32_t i;

	if (ev)
		subscribe_one(r, (uint32_t)(ev - c->events), webhook, do_pass);
	if (!name.len || name.p[name.len - 1] != '*')
		return;
	name.len--;
	for (i = 0; i < c->n; i++)
		if (c->events[i].name.len >= name.len &&
		    memcmp(c->events[i].name.p, name.p, name.len) == 0)
			subscribe_one(r, i, webhook, do_pass);
}

static void
each_subscription(struct route *r, pass *do_pass)
{
	const struct webhooks *all = r->webhooks;
	uint32_t i;
	size_t s;

	for (i = 0; i < r->catalog->n; i++)
		r->topics[i].last = 0;
	for (i = 0; i < all->n; i++) {
		const struct webhook *w = &all->list[i];

		for (s = 0; s < w->n_subscriptions && !w->disabled; s++)
			subscribe(r, w->subscriptions[s], i, do_pass);
	}
}

struct route *
route_new(const struct catalog *c, const struct webhooks *w)
{
	struct route *r = alloc_zero(1, sizeof(*r));
	size_t i;

	r->catalog = c;
	r->webhooks = w;
	r->topics = alloc_zero(c->n, sizeof(*r->topics));
	for (i = 0; i < c->n; i++)
		r->topics[i].plain = NONE;
	build_keys(r);
	grow_group_slots(r);
	each_subscription(r, count_rivals);
	each_subscription(r, place);
	return r;
}

void
route_free(struct route *r)
{
	size_t i;

	if (!r)
		return;
	for (i = 0; i < r->catalog->n; i++)
		free(r->topics[i].pivots);
	for (i = 0; i < r->n_groups; i++)
		free(r->groups[i].list);
	free(r->topics);
	free(r->groups);
	free(r->group_slots);
	free(r->keys);
	free(r->key_slots);
	free(r->attribute_keys);
	free(r->first_attribute);
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
is_equal(const struct route *r, const struct json *j, uint32_t webhook)
{
	const struct webhook *w = &r->webhooks->list[webhook];
	const uint32_t *keys = r->attribute_keys + r->first_attribute[webhook];
	size_t a;

	for (a = 0; a < w->n_attributes; a++) {
		uint32_t value = r->values[keys[a]];

		if (value && !json_string_is(j, value, w->attributes[a].value))
			return false;
	}
	return true;
}

static void
take_matches(struct route *r, const struct json *j, uint32_t group)
{
	const struct group *g;
	size_t i;

	if (group == NONE)
		return;
	g = &r->groups[group];
	r->matches = alloc_grow(r->matches, &r->cap_matches,
	    r->n_matches + g->n, sizeof(*r->matches));
	for (i = 0; i < g->n; i++)
		if (is_equal(r, j, g->list[i]))
			r->matches[r->n_matches++] = g->list[i];
}

static int
by_index(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

size_t
route_match(struct route *r, const struct event *ev,
    const struct catalog_event *entry, const uint32_t **matches)
{
	uint32_t topic = (uint32_t)(entry - r->catalog->events), payload;
	const struct topic *t = &r->topics[topic];
	const struct json *j = event_payload(ev, &payload);
	size_t i;

	index_payload(r, j, payload);
	r->n_matches = 0;
	take_matches(r, j, t->plain);
	for (i = 0; i < t->n_pivots; i++) {
		uint32_t key = t->pivots[i], value = r->values[key];

		if (!value)
			take_matches(r, j, find_group(r, topic, key, true,
			    (struct span){ 0 }, NULL));
		else if (json_kind(j, value) == JSON_STRING)
			take_matches(r, j, find_group(r, topic, key, false,
			    json_string(j, value, &r->scratch), NULL));
	}
	if (r->n_matches > 1)
		qsort(r->matches, r->n_matches, sizeof(*r->matches), by_index);
	*matches = r->matches;
	return r->n_matches;
}

/* msg_ and SHA-256 over the lengths and bytes of both ids. */
static void
put_call_id(struct route *r, const struct webhook *w, const struct event *ev,
    struct buf *b)
{
	char digits[CALL_ID_DIGITS];

	r->scratch.len = 0;
	buf_u64(&r->scratch, ev->id_text.len);
	buf_putc(&r->scratch, ':');
	buf_span(&r->scratch, ev->id_text);
	buf_u64(&r->scratch, w->id.len);
	buf_putc(&r->scratch, ':');
	buf_span(&r->scratch, w->id);
	digest_hex(buf_bytes(&r->scratch), digits, CALL_ID_DIGITS);
	buf_puts(b, ",\"id\":\"msg_");
	buf_add(b, digits, CALL_ID_DIGITS);
	buf_puts(b, "\",\"event\":");
	buf_span(b, json_bytes(&ev->json, ev->id));
}

static bool
has_key(const struct route *r, uint32_t webhook, uint32_t key)
{
	const uint32_t *keys = r->attribute_keys + r->first_attribute[webhook];
	size_t i;

	for (i = 0; i < r->webhooks->list[webhook].n_attributes; i++)
		if (keys[i] == key)
			return true;
	return false;
}

static void
put_payload(const struct route *r, uint32_t webhook, const struct json *j,
    uint32_t payload, struct buf *b)
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

		if (m->key != NONE && has_key(r, webhook, m->key))
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

void
route_put_call(struct route *r, uint32_t webhook, const struct event *ev,
    struct buf *b)
{
	const struct webhook *w = &r->webhooks->list[webhook];
	uint32_t payload;
	const struct json *j = event_payload(ev, &payload);

	buf_span(b, w->call_head);
	if (ev->id_text.len)
		put_call_id(r, w, ev, b);
	buf_puts(b, ",\"name\":");
	buf_span(b, json_bytes(&ev->json, ev->name_node));
	if (ev->traceparent) {
		buf_puts(b, ",\"traceparent\":");
		buf_span(b, json_bytes(&ev->json, ev->traceparent));
	}
	buf_puts(b, ",\"body\":{\"name\":");
	buf_span(b, json_bytes(&ev->json, ev->name_node));
	buf_puts(b, ",\"payload\":");
	put_payload(r, webhook, j, payload, b);
	buf_puts(b, "}}");
}
