/*
 * Routing. The index: a group holds the webhooks that subscribe to one event
 * and have one value of one attribute, their pivot: of the attributes that the
 * event requires (else of all its own) the one whose value the fewest share.
 * An event looks up one group for each pivot attribute in use; where its
 * payload lacks that attribute, all webhooks with that pivot are candidates.
 * What remains of the tests is done on the candidates.
 *
 * A group is known by a keyed 64-bit hash alone, so a look-up costs one line
 * of cache however large the registry is: values are compared in the last test
 * anyway.
 */
#include "event/route.h"

#include <sys/random.h>

#include "base/alloc.h"
#include "json/siphash.h"
#include "json/write.h"
#include "net/digest.h"

enum {
	CALL_ID_DIGITS = 32,
	CACHE_LINE_BYTES = 64,
};

#define NONE UINT32_MAX
/* Set in a key: its group with all values together. */
#define ANY_VALUE ((uint32_t)1 << 31)


struct group {
	uint64_t hash;  /* of topic, key, value; 0: a free slot */
	uint32_t n;     /* webhooks; while building: rivals that could be here */
	uint32_t first; /* in lists; of a single one: the webhook itself */
};

/* A webhook's attribute: a payload member `key`, if there, must equal it. */
struct attribute {
	struct span value;
	uint32_t key;
};

struct target { /* what is read of a webhook that an event comes to */
	struct span call_head;
	uint32_t first, n; /* in attributes */
};

struct topic { /* a public event of the catalog */
	uint32_t *pivots; /* keys in use as pivots */
	size_t n_pivots, cap_pivots;
	uint32_t last;    /* the last webhook added + 1: no doubles */
};

struct placement { /* while building */
	uint32_t group, webhook;
};

struct member { /* of the payload at hand */
	uint32_t name; /* node */
	uint32_t key;  /* NONE: no attribute of anybody */
};

struct route {
	const struct catalog *catalog;
	const struct webhooks *webhooks;
	struct target *targets; /* as webhooks->list */
	struct topic *topics;   /* as catalog->events */
	struct group *groups;   /* a hash table */
	size_t n_groups;        /* its size, a power of two */
	uint32_t *lists;        /* the groups' webhooks */
	uint64_t seed[2];
	struct span *keys; /* distinct attribute names */
	size_t n_keys, cap_keys;
	uint32_t *key_slots; /* hash table of key + 1 */
	size_t n_key_slots;
	struct attribute *attributes; /* of all webhooks, one after the other */
	uint32_t *values; /* key -> node of the payload's member, 0: none */
	struct member *members;
	size_t n_members, cap_members;
	uint32_t *matches;
	size_t n_matches, cap_matches;
	struct buf scratch;
	struct placement *placements; /* while building */
	size_t n_placements, cap_placements, n_pairs;
};

static size_t
table_size(size_t n)
{
	size_t size = 16;

	while (size < n + n / 2)
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
	r->attributes = alloc_zero(total, sizeof(*r->attributes));
	r->targets = alloc_zero(all->n, sizeof(*r->targets));
	for (i = 0; i < all->n; i++) {
		r->targets[i] = (struct target){ all->list[i].call_head,
			(uint32_t)at, (uint32_t)all->list[i].n_attributes };
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
			r->attributes[at++] = (struct attribute){
				all->list[i].attributes[a].value, key };
		}
	}
	r->values = alloc_zero(r->n_keys, sizeof(*r->values));
}

static uint64_t
group_hash(const struct route *r, uint32_t topic, uint32_t key,
    struct span value)
{
	uint64_t seed[2] = { r->seed[0] ^ topic,
		r->seed[1] ^ key };

	return siphash13(seed, value.p, value.len) | 1;
}

/* The slot where the group is or would be. */
static uint32_t
find_group(const struct route *r, uint64_t hash)
{
	size_t mask = r->n_groups - 1, at = (size_t)(hash >> 1) & mask;

	while (r->groups[at].hash && r->groups[at].hash != hash)
		at = (at + 1) & mask;
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

/* First pass: an upper bound of the number of groups. */
static void
count_pairs(struct route *r, uint32_t topic, uint32_t webhook)
{
	size_t required = r->catalog->events[topic].n_required;

	r->n_pairs += required ? required : r->targets[webhook].n;
}

/* May the attribute be the webhook's pivot for the event? */
static bool
is_candidate(const struct route *r, const struct catalog_event *ev,
    const struct attribute *at)
{
	return !ev->n_required || is_required(ev, r->keys[at->key]);
}

/* Second pass: count for each group the webhooks that could be in it. */
static void
count_rivals(struct route *r, uint32_t topic, uint32_t webhook)
{
	const struct target *t = &r->targets[webhook];
	const struct catalog_event *ev = &r->catalog->events[topic];
	size_t a;

	if (t->n < 2 || ev->n_required == 1)
		return; /* there is no choice */
	for (a = t->first; a < t->first + t->n; a++) {
		const struct attribute *at = &r->attributes[a];
		uint64_t hash;
		struct group *g;

		if (!is_candidate(r, ev, at))
			continue;
		hash = group_hash(r, topic, at->key, at->value);
		g = &r->groups[find_group(r, hash)];
		g->hash = hash;
		g->n++;
	}
}

/* The candidate whose value the fewest share; NULL: none. */
static const struct attribute *
find_pivot(const struct route *r, uint32_t topic, const struct target *t)
{
	const struct catalog_event *ev = &r->catalog->events[topic];
	const struct attribute *best = NULL;
	uint32_t fewest = NONE;
	size_t a;

	for (a = t->first; a < t->first + t->n; a++) {
		const struct attribute *at = &r->attributes[a];
		uint32_t n = 0;

		if (!is_candidate(r, ev, at))
			continue;
		if (t->n >= 2 && ev->n_required != 1)
			n = r->groups[find_group(r, group_hash(r, topic,
			    at->key, at->value))].n;
		if (n < fewest) {
			best = at;
			fewest = n;
		}
	}
	return best;
}

static void
add_placement(struct route *r, uint32_t topic, uint32_t key, struct span value,
    uint32_t webhook)
{
	uint64_t hash = group_hash(r, topic, key, value);
	uint32_t g = find_group(r, hash);

	r->groups[g].hash = hash;
	r->placements = alloc_grow(r->placements, &r->cap_placements,
	    r->n_placements + 1, sizeof(*r->placements));
	r->placements[r->n_placements++] = (struct placement){ g, webhook };
}

/* Third pass: into the pivot's group, and the one of all its values. */
static void
place(struct route *r, uint32_t topic, uint32_t webhook)
{
	const struct attribute *pivot = find_pivot(r, topic,
	    &r->targets[webhook]);
	struct topic *t = &r->topics[topic];
	uint32_t key = pivot ? pivot->key : NONE;
	size_t i;

	add_placement(r, topic, key | ANY_VALUE, (struct span){ 0 }, webhook);
	if (!pivot)
		return;
	add_placement(r, topic, key, pivot->value, webhook);
	for (i = 0; i < t->n_pivots && t->pivots[i] != key; i++)
		;
	if (i == t->n_pivots) {
		t->pivots = alloc_grow(t->pivots, &t->cap_pivots, i + 1,
		    sizeof(*t->pivots));
		t->pivots[t->n_pivots++] = key;
	}
}

/* Turn the placements into one list after the other. */
static void
build_lists(struct route *r)
{
	uint32_t at = 0;
	size_t i;

	r->lists = alloc_zero(r->n_placements, sizeof(*r->lists));
	for (i = 0; i < r->n_groups; i++)
		r->groups[i].n = 0;
	for (i = 0; i < r->n_placements; i++)
		r->groups[r->placements[i].group].n++;
	for (i = 0; i < r->n_groups; i++) {
		r->groups[i].first = at;
		at += r->groups[i].n;
		r->groups[i].n = 0;
	}
	for (i = 0; i < r->n_placements; i++) {
		struct group *g = &r->groups[r->placements[i].group];

		r->lists[g->first + g->n++] = r->placements[i].webhook;
	}
	for (i = 0; i < r->n_groups; i++)
		if (r->groups[i].n == 1)
			r->groups[i].first = r->lists[r->groups[i].first];
	free(r->placements);
	r->placements = NULL;
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
	size_t wholes;

	r->catalog = c;
	r->webhooks = w;
	if (getrandom(r->seed, sizeof(r->seed), GRND_NONBLOCK) < 0)
		r->seed[0] = r->seed[1] = 0;
	r->topics = alloc_zero(c->n, sizeof(*r->topics));
	build_keys(r);
	each_subscription(r, count_pairs);
	/* And the wholes of the keys, and for each event one without any. */
	wholes = c->n * r->n_keys;
	r->n_groups = table_size(r->n_pairs + c->n +
	    (wholes < r->n_pairs ? wholes : r->n_pairs));
	r->groups = alloc_zero(r->n_groups, sizeof(*r->groups));
	each_subscription(r, count_rivals);
	each_subscription(r, place);
	build_lists(r);
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
	free(r->topics);
	free(r->targets);
	free(r->groups);
	free(r->lists);
	free(r->keys);
	free(r->key_slots);
	free(r->attributes);
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
	const struct target *t = &r->targets[webhook];
	const struct attribute *at = r->attributes + t->first;
	size_t a;

	for (a = 0; a < t->n; a++) {
		uint32_t value = r->values[at[a].key];

		if (value && !json_string_is(j, value, at[a].value))
			return false;
	}
	return true;
}

static void
prefetch(struct span s)
{
	size_t at;

	for (at = 0; at < s.len; at += CACHE_LINE_BYTES)
		__builtin_prefetch(s.p + at);
}

static void
take_matches(struct route *r, const struct json *j, uint32_t topic,
    uint32_t key, struct span value)
{
	const struct group *g = &r->groups[find_group(r,
	    group_hash(r, topic, key, value))];
	const uint32_t *list = g->n == 1 ? &g->first : r->lists + g->first;
	size_t i;

	if (!g->hash)
		return;
	r->matches = alloc_grow(r->matches, &r->cap_matches,
	    r->n_matches + g->n, sizeof(*r->matches));
	for (i = 0; i < g->n; i++) {
		/* Most candidates match: fetch their text while testing. */
		prefetch(r->targets[list[i]].call_head);
		if (is_equal(r, j, list[i]))
			r->matches[r->n_matches++] = list[i];
	}
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
	take_matches(r, j, topic, NONE, (struct span){ 0 });
	for (i = 0; i < t->n_pivots; i++) {
		uint32_t key = t->pivots[i], value = r->values[key];

		if (!value)
			take_matches(r, j, topic, key | ANY_VALUE,
			    (struct span){ 0 });
		else if (json_kind(j, value) == JSON_STRING)
			take_matches(r, j, topic, key,
			    json_string(j, value, &r->scratch));
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
	const struct target *t = &r->targets[webhook];
	const struct attribute *at = r->attributes + t->first;
	size_t i;

	for (i = 0; i < t->n; i++)
		if (at[i].key == key)
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
	uint32_t payload;
	const struct json *j = event_payload(ev, &payload);

	buf_span(b, r->targets[webhook].call_head);
	if (ev->id_text.len)
		put_call_id(r, &r->webhooks->list[webhook], ev, b);
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
