/*
 * Webhooks: read from JSON and checked member by member, all faults named.
 * The list is built once and only read afterwards, so its text lives in an
 * arena.
 */
#include "event/webhook.h"

#include <stdint.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "base/nearest.h"
#include "base/num.h"
#include "json/siphash.h"
#include "json/write.h"
#include "net/digest.h"
#include "net/field.h"
#include "net/url.h"

enum {
	NAME_SHOWN_BYTES = 64,
	DERIVED_DIGITS = 12,
};

/* One entry being read. */
struct entry {
	struct webhooks *all;
	const struct json *json;
	struct webhook *to;
	struct buf *reasons;
	bool bad;
};

/* An array of n items; NULL for none. */
static void *
arena_array(struct arena *a, size_t n, size_t size)
{
	return n ? arena_alloc(a, n, size) : NULL;
}

static struct span
arena_keep(struct arena *a, struct span s)
{
	return s.len ? arena_copy(a, s) : SPAN("");
}

/* A name that others are likely to have as well. */
static struct span
keep_name(struct webhooks *w, struct span s)
{
	struct span *slot;

	if (s.len == 0)
		return SPAN("");
	slot = &w->recent[((unsigned char)s.p[0] + (unsigned char)s.p[s.len - 1]
	    + s.len) % WEBHOOK_RECENT];
	if (!span_eq(*slot, s))
		*slot = arena_keep(&w->arena, s);
	return *slot;
}

void
webhooks_clear(struct webhooks *w)
{
	arena_clear(&w->arena);
	free(w->list);
	free(w->slots);
	buf_clear(&w->scratch);
	buf_clear(&w->href);
	buf_clear(&w->text);
	*w = (struct webhooks){ 0 };
}

static void
fault(struct entry *e, const char *text)
{
	if (e->bad)
		buf_puts(e->reasons, "; ");
	e->bad = true;
	buf_puts(e->reasons, text);
}

/* "attributes 'name': why" */
static void
fault_in(struct entry *e, const char *member, struct span name,
    const char *why)
{
	fault(e, member);
	buf_puts(e->reasons, " '");
	diag_foreign(e->reasons, name, NAME_SHOWN_BYTES);
	buf_puts(e->reasons, "': ");
	buf_puts(e->reasons, why);
}

static struct span
string_at(struct entry *e, uint32_t i)
{
	return json_string(e->json, i, &e->all->scratch);
}

static bool
is_string(struct entry *e, uint32_t i)
{
	return json_kind(e->json, i) == JSON_STRING;
}

static void
read_id(struct entry *e, uint32_t i)
{
	struct span s;
	size_t k;

	if (!is_string(e, i)) {
		fault(e, "id: not a string");
		return;
	}
	s = string_at(e, i);
	for (k = 0; k < s.len; k++) {
		char c = s.p[k];

		if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		    (c >= 'a' && c <= 'z') || c == '_' || c == '-'))
			break;
	}
	if (k == 0 || k < s.len || s.len > WEBHOOK_ID_BYTES)
		fault(e, "id: not 1 to 64 of the characters A-Z a-z 0-9 _ -");
	else
		e->to->id = arena_keep(&e->all->arena, s);
}

/* The original also takes what its own parser gives: {"href", "protocol"}. */
static uint32_t
url_node(struct entry *e, uint32_t i)
{
	uint32_t protocol, href;

	if (json_kind(e->json, i) != JSON_OBJECT)
		return i;
	protocol = json_get(e->json, i, SPAN("protocol"));
	href = json_get(e->json, i, SPAN("href"));
	if (protocol && (json_string_is(e->json, protocol, SPAN("http:")) ||
	    json_string_is(e->json, protocol, SPAN("https:"))))
		return href;
	return i;
}

static void
read_url(struct entry *e, uint32_t i)
{
	struct buf *href = &e->all->href;
	struct error why;

	i = url_node(e, i);
	href->len = 0;
	if (i == 0 || !is_string(e, i))
		fault(e, "url: not a string");
	else if (url_normalise(string_at(e, i), href, &why) != 0)
		fault(e, why.text);
	else
		e->to->url = buf_bytes(href); /* until make_call_head */
}

static void
read_description(struct entry *e, uint32_t i)
{
	if (!is_string(e, i))
		fault(e, "description: not a string");
	else
		e->to->description = arena_keep(&e->all->arena, string_at(e, i));
}

static void
read_name_list(struct entry *e, uint32_t list)
{
	struct webhook *w = e->to;
	uint32_t i, end = json_next(e->json, list);

	w->subscriptions = arena_array(&e->all->arena,
	    json_at(e->json, list)->n, sizeof(*w->subscriptions));
	for (i = list + 1; i < end; i = json_next(e->json, i)) {
		if (!is_string(e, i)) {
			fault(e, "subscriptions: an item is not a string");
			return;
		}
		w->subscriptions[w->n_subscriptions++] =
		    keep_name(e->all, string_at(e, i));
	}
}

/* The next item of a comma string, trimmed; false at the end. */
static bool
next_item(struct span *rest, struct span *item)
{
	const char *comma;

	if (!rest->p)
		return false;
	comma = memchr(rest->p, ',', rest->len);
	*item = *rest;
	if (comma) {
		item->len = (size_t)(comma - rest->p);
		rest->p += item->len + 1;
		rest->len -= item->len + 1;
	} else {
		rest->p = NULL;
	}
	*item = url_trim(*item);
	return true;
}

static void
read_name_string(struct entry *e, uint32_t i)
{
	struct webhook *w = e->to;
	struct span text = string_at(e, i), rest = text, item;
	size_t n = 0;

	while (next_item(&rest, &item))
		n += item.len != 0;
	w->subscriptions = arena_array(&e->all->arena, n,
	    sizeof(*w->subscriptions));
	for (rest = text; next_item(&rest, &item); )
		if (item.len)
			w->subscriptions[w->n_subscriptions++] =
			    keep_name(e->all, item);
}

static void
read_subscriptions(struct entry *e, uint32_t i)
{
	switch (json_kind(e->json, i)) {
	case JSON_ARRAY:
		read_name_list(e, i);
		break;
	case JSON_STRING:
		read_name_string(e, i);
		break;
	default:
		fault(e, "subscriptions: not a list of strings or a string of "
		    "names with commas");
	}
}

static struct pair *
read_pairs(struct entry *e, const char *member, uint32_t object, uint32_t *n)
{
	struct pair *pairs;
	uint32_t k, end = json_next(e->json, object);

	if (json_kind(e->json, object) != JSON_OBJECT) {
		fault(e, member);
		buf_puts(e->reasons, ": not an object");
		return NULL;
	}
	pairs = arena_array(&e->all->arena, json_at(e->json, object)->n,
	    sizeof(*pairs));
	for (k = object + 1; k < end; k = json_next(e->json, k + 1)) {
		struct pair *p = &pairs[*n];

		p->name = keep_name(e->all, string_at(e, k));
		if (!is_string(e, k + 1)) {
			fault_in(e, member, p->name, "not a string");
			continue;
		}
		p->value = arena_keep(&e->all->arena, string_at(e, k + 1));
		++*n;
	}
	return pairs;
}

static void
read_attributes(struct entry *e, uint32_t i)
{
	e->to->attributes = read_pairs(e, "attributes", i,
	    &e->to->n_attributes);
}

static void
read_headers(struct entry *e, uint32_t i)
{
	struct webhook *w = e->to;
	struct error why;
	uint32_t k;

	w->headers = read_pairs(e, "headers", i, &w->n_headers);
	for (k = 0; k < w->n_headers; k++) {
		struct pair *p = &w->headers[k];

		if (p->value.len == 0) {
			fault_in(e, "headers", p->name, "empty");
		} else if (field_check(p->name, p->value, &why) != 0) {
			fault(e, "headers: ");
			buf_puts(e->reasons, why.text);
		}
	}
}

static void
read_disabled(struct entry *e, uint32_t i)
{
	enum json_kind kind = json_kind(e->json, i);

	if (kind != JSON_TRUE && kind != JSON_FALSE)
		fault(e, "disabled: not true or false");
	e->to->disabled = kind == JSON_TRUE;
}

static void
read_timeout(struct entry *e, uint32_t i)
{
	struct span text = is_string(e, i) ? string_at(e, i) :
	    json_bytes(e->json, i);
	int64_t ms = 0;

	if (num_duration(text, WEBHOOK_MAX_TIMEOUT_MS, &ms) != 0 || ms < 1)
		fault(e, "timeout: not a number of seconds, or a duration like "
		    "\"10s\", up to 10min");
	else
		e->to->timeout_ms = (int32_t)ms;
}

static void
read_concurrency(struct entry *e, uint32_t i)
{
	uint64_t n = 0;

	if (json_kind(e->json, i) != JSON_NUMBER || num_u64(json_bytes(e->json,
	    i), 1, WEBHOOK_MAX_CONCURRENCY, &n) != 0)
		fault(e, "concurrency: not a whole number from 1 to 1000");
	e->to->concurrency = (uint16_t)n;
}

static void
read_rate(struct entry *e, uint32_t i)
{
	uint64_t n = 0;

	if (json_kind(e->json, i) != JSON_NUMBER || num_u64(json_bytes(e->json,
	    i), 1, WEBHOOK_MAX_RATE, &n) != 0)
		fault(e, "rate: not a whole number of calls a second from 1 "
		    "to 10000");
	e->to->rate = (uint16_t)n;
}

bool
webhook_order_is_good(struct span order)
{
	size_t i;

	if (span_eq(order, SPAN("webhook")))
		return true;
	if (order.len == 0 || order.p[0] != '/')
		return false;
	for (i = 0; i < order.len; i++)
		if (order.p[i] == '~' && (i + 1 == order.len ||
		    (order.p[i + 1] != '0' && order.p[i + 1] != '1')))
			return false;
	return true;
}

static void
read_order(struct entry *e, uint32_t i)
{
	struct span text = is_string(e, i) ? string_at(e, i) : SPAN("");

	if (span_eq(text, SPAN("none")))
		return;
	if (webhook_order_is_good(text))
		e->to->order = arena_keep(&e->all->arena, text);
	else
		fault(e, "order: not \"none\", \"webhook\" or a JSON Pointer "
		    "like \"/payload/serviceId\"");
}

static void
read_retry(struct entry *e, uint32_t i)
{
	if (json_string_is(e->json, i, SPAN("failures")))
		e->to->retry = RETRY_FAILURES;
	else if (json_string_is(e->json, i, SPAN("network")))
		e->to->retry = RETRY_NETWORK;
	else
		fault(e, "retry: not \"failures\" or \"network\"");
}

static bool
span_holds(struct span s, struct span part)
{
	for (; s.len >= part.len; s.p++, s.len--)
		if (memcmp(s.p, part.p, part.len) == 0)
			return true;
	return false;
}

/* PEM by its looks; hook-admin has it read by who knows certificates. */
static void
read_ca(struct entry *e, uint32_t i)
{
	struct span text;

	if (!is_string(e, i)) {
		fault(e, "ca: not a string");
		return;
	}
	text = string_at(e, i);
	if (text.len > WEBHOOK_MAX_CA_BYTES)
		fault(e, "ca: larger than 256 KiB");
	else if (memchr(text.p, 0, text.len) ||
	    !span_holds(text, SPAN("-----BEGIN CERTIFICATE-----")) ||
	    span_holds(text, SPAN("PRIVATE KEY")))
		fault(e, "ca: not certificates in PEM, and nothing else");
	else
		e->to->ca = arena_keep(&e->all->arena, text);
}

/* Whether it compiles is found out where it runs: this must be quick. */
static void
read_program(struct entry *e, uint32_t i, const char *member, struct span *to)
{
	struct span text;

	if (!is_string(e, i)) {
		fault(e, member);
		buf_puts(e->reasons, ": not a string");
		return;
	}
	text = string_at(e, i);
	if (url_trim(text).len == 0 || memchr(text.p, '\0', text.len)) {
		fault(e, member);
		buf_puts(e->reasons, ": not a jq program");
		return;
	}
	*to = arena_keep(&e->all->arena, text);
}

static void
read_filter(struct entry *e, uint32_t i)
{
	read_program(e, i, "filter", &e->to->filter);
}

static void
read_transform(struct entry *e, uint32_t i)
{
	read_program(e, i, "transform", &e->to->transform);
}

/* Not dropped in silence: who wrote it counts on it. */
static void
refuse_secret(struct entry *e, uint32_t i)
{
	(void)i;
	fault(e, "secret: belongs in the secrets file: hook-admin secret "
	    "import");
}

#define NAME(lit) { lit, sizeof(lit) - 1 }

static const struct member {
	struct span name;
	void (*read)(struct entry *, uint32_t);
	bool required;
} members[] = {
	{ NAME("id"), read_id, false },
	{ NAME("url"), read_url, true },
	{ NAME("description"), read_description, false },
	{ NAME("subscriptions"), read_subscriptions, true },
	{ NAME("attributes"), read_attributes, false },
	{ NAME("headers"), read_headers, false },
	{ NAME("disabled"), read_disabled, false },
	{ NAME("timeout"), read_timeout, false },
	{ NAME("concurrency"), read_concurrency, false },
	{ NAME("rate"), read_rate, false },
	{ NAME("order"), read_order, false },
	{ NAME("retry"), read_retry, false },
	{ NAME("ca"), read_ca, false },
	{ NAME("filter"), read_filter, false },
	{ NAME("transform"), read_transform, false },
	{ NAME("secret"), refuse_secret, false },
};

enum { N_MEMBERS = sizeof(members) / sizeof(members[0]) };

/* The values of the entry's members, in the order of the table. */
static void
find_members(const struct entry *e, uint32_t object, uint32_t at[N_MEMBERS])
{
	struct buf scratch = { 0 };
	uint32_t k;
	size_t m;

	for (k = object + 1; k < json_next(e->json, object);
	    k = json_next(e->json, k + 1)) {
		struct span name = json_string(e->json, k, &scratch);

		for (m = 0; m < N_MEMBERS; m++)
			if (span_eq(name, members[m].name))
				at[m] = k + 1;
	}
	buf_clear(&scratch);
}

static void
read_member(struct entry *e, uint32_t i, const struct member *m)
{
	if (i && (json_kind(e->json, i) != JSON_NULL || m->required)) {
		m->read(e, i);
	} else if (m->required) {
		fault(e, m->name.p);
		buf_puts(e->reasons, ": missing");
	}
}

static void
put_pairs(struct buf *b, const struct pair *pairs, size_t n)
{
	size_t i;

	buf_putc(b, '{');
	for (i = 0; i < n; i++) {
		if (i)
			buf_putc(b, ',');
		json_put_string(b, pairs[i].name);
		buf_putc(b, ':');
		json_put_string(b, pairs[i].value);
	}
	buf_putc(b, '}');
}

/* Keep call_head, and let url and id point into it. */
static void
make_call_head(struct webhooks *all, struct webhook *w)
{
	const struct span open = SPAN("{\"url\":");
	struct buf *b = &all->text;
	size_t url_end;

	b->len = 0;
	buf_span(b, open);
	json_put_string(b, w->url);
	url_end = b->len;
	json_put_name(b, "headers");
	put_pairs(b, w->headers, w->n_headers);
	json_put_member(b, "webhook", w->id);
	w->call_head = arena_keep(&all->arena, buf_bytes(b));
	w->id.p = w->call_head.p + w->call_head.len - 1 - w->id.len;
	if (url_end == open.len + w->url.len + 2) /* nothing was escaped */
		w->url.p = w->call_head.p + open.len + 1;
	else
		w->url = arena_keep(&all->arena, w->url);
}

static void
derive_id(struct webhook *w, char id[3 + DERIVED_DIGITS])
{
	memcpy(id, "wh_", 3);
	digest_hex(w->url, id + 3, DERIVED_DIGITS);
	w->id = (struct span){ id, 3 + DERIVED_DIGITS };
	w->derived_id = true;
}

int
webhooks_add(struct webhooks *all, const struct json *json, uint32_t i,
    struct buf *reasons)
{
	struct webhook w = { .id = SPAN(""), .url = SPAN(""),
		.description = SPAN("") };
	struct entry e = { all, json, &w, reasons, false };
	char id[3 + DERIVED_DIGITS];
	uint32_t at[N_MEMBERS] = { 0 };
	size_t k;

	if (json_kind(json, i) != JSON_OBJECT) {
		fault(&e, "not an object");
		return -1;
	}
	find_members(&e, i, at);
	for (k = 0; k < N_MEMBERS; k++)
		read_member(&e, at[k], &members[k]);
	if (e.bad)
		return -1;
	if (w.id.len == 0)
		derive_id(&w, id);
	make_call_head(all, &w);
	all->list = alloc_grow(all->list, &all->cap, all->n + 1,
	    sizeof(*all->list));
	all->list[all->n++] = w;
	return 0;
}

/* The slot of this id: the one that holds it, or the free one for it. */
static uint32_t *
slot_of(const struct webhooks *all, struct span id)
{
	static const uint64_t key[2] = { 0 }; /* who writes ids owns the file */
	size_t i = (size_t)siphash13(key, id.p, id.len);

	for (;; i++) {
		uint32_t *slot = &all->slots[i & (all->n_slots - 1)];

		if (*slot == 0 || span_eq(all->list[*slot - 1].id, id))
			return slot;
	}
}

/* wh_… for the first entry of a url, wh_…-2 for the next one, and so on. */
static void
number_derived(struct webhooks *all)
{
	uint32_t *seen = alloc_zero(all->n, sizeof(*seen)); /* by first entry */
	struct buf id = { 0 };
	size_t i;

	for (i = 0; i < all->n; i++) {
		struct webhook *w = &all->list[i];
		uint32_t *slot;

		if (!w->derived_id)
			continue;
		slot = slot_of(all, w->id);
		if (*slot == 0) {
			*slot = (uint32_t)i + 1;
			continue;
		}
		id.len = 0;
		buf_span(&id, w->id);
		buf_printf(&id, "-%u", (unsigned)++seen[*slot - 1] + 1);
		w->id = buf_bytes(&id);
		make_call_head(all, w);
	}
	buf_clear(&id);
	free(seen);
}

int
webhooks_finish(struct webhooks *all, struct buf *reasons)
{
	size_t i;
	int r = 0;

	all->n_slots = 16;
	while (all->n_slots < all->n * 2)
		all->n_slots *= 2;
	free(all->slots);
	all->slots = alloc_zero(all->n_slots, sizeof(*all->slots));
	number_derived(all);
	memset(all->slots, 0, all->n_slots * sizeof(*all->slots));
	for (i = 0; i < all->n; i++) {
		uint32_t *slot = slot_of(all, all->list[i].id);

		if (*slot == 0) {
			*slot = (uint32_t)i + 1;
			continue;
		}
		buf_printf(reasons, "%sentry %zu: id: the same as that of "
		    "entry %u", reasons->len ? "\n" : "", i + 1,
		    (unsigned)*slot);
		r = -1;
	}
	buf_clear(&all->scratch);
	buf_clear(&all->href);
	buf_clear(&all->text);
	return r;
}

/* Add all items of the array; a line of reasons for each that is bad. */
static int
add_all(struct webhooks *all, const struct json *json, struct buf *reasons)
{
	struct buf why = { 0 };
	uint32_t i;
	size_t k = 0;
	int r = 0;

	for (i = 1; i < json_next(json, 0); i = json_next(json, i)) {
		why.len = 0;
		k++;
		if (webhooks_add(all, json, i, &why) == 0)
			continue;
		buf_printf(reasons, "%sentry %zu: ", reasons->len ? "\n" : "",
		    k);
		buf_span(reasons, buf_bytes(&why));
		r = -1;
	}
	buf_clear(&why);
	return r;
}

/* People edit this file: a line of it is easier found than a byte. */
static void
put_place(struct buf *reasons, struct span text, const struct json_error *e)
{
	size_t line = 1, start = 0, i;

	for (i = 0; i + 1 < e->column && i < text.len; i++)
		if (text.p[i] == '\n') {
			line++;
			start = i + 1;
		}
	buf_printf(reasons, "byte %zu of line %zu: %s", e->column - start,
	    line, e->what);
}

int
webhooks_read(struct webhooks *all, struct span text, struct buf *reasons)
{
	struct json json;
	struct json_error error;
	int r = -1;

	json_init(&json);
	if (json_read(&json, text.p, text.len, &error) != 0)
		put_place(reasons, text, &error);
	else if (json_kind(&json, 0) != JSON_ARRAY)
		buf_puts(reasons, "not a JSON array of webhooks");
	else if (add_all(all, &json, reasons) == 0)
		r = webhooks_finish(all, reasons);
	json_clear(&json);
	return r;
}

const struct webhook *
webhooks_find(const struct webhooks *all, struct span id)
{
	uint32_t *slot;

	if (all->n_slots == 0)
		return NULL;
	slot = slot_of(all, id);
	return *slot ? &all->list[*slot - 1] : NULL;
}

bool
webhook_subscribes(const struct webhook *w, struct span name)
{
	uint32_t i;

	for (i = 0; i < w->n_subscriptions; i++) {
		struct span s = w->subscriptions[i];

		if (span_eq(s, name))
			return true;
		if (s.len && s.p[s.len - 1] == '*' && name.len >= s.len - 1 &&
		    memcmp(s.p, name.p, s.len - 1) == 0)
			return true;
	}
	return false;
}

bool
webhook_knows(struct span member)
{
	size_t i;

	for (i = 0; i < N_MEMBERS; i++)
		if (span_eq(member, members[i].name))
			return true;
	return false;
}

void
webhook_put_meant(struct span unknown, struct buf *b)
{
	struct nearest near;
	size_t i;

	nearest_open(&near, unknown);
	for (i = 0; i < N_MEMBERS; i++)
		nearest_offer(&near, members[i].name);
	nearest_put(&near, "", b);
}

static void
put_seconds(struct buf *b, const char *name, int32_t ms)
{
	json_put_name(b, name);
	buf_u64(b, (uint64_t)ms / 1000);
	if (ms % 1000) {
		buf_printf(b, ".%03d", (int)(ms % 1000));
		while (b->p[b->len - 1] == '0')
			b->len--;
	}
}

static void
put_strings(struct buf *b, const struct span *list, size_t n)
{
	size_t i;

	buf_putc(b, '[');
	for (i = 0; i < n; i++) {
		if (i)
			buf_putc(b, ',');
		json_put_string(b, list[i]);
	}
	buf_putc(b, ']');
}

void
webhook_put_json(const struct webhook *w, struct buf *b)
{
	buf_putc(b, '{');
	if (w->id.len)
		json_put_member(b, "id", w->id);
	json_put_member(b, "url", w->url);
	if (w->description.len)
		json_put_member(b, "description", w->description);
	json_put_name(b, "subscriptions");
	put_strings(b, w->subscriptions, w->n_subscriptions);
	if (w->n_attributes) {
		json_put_name(b, "attributes");
		put_pairs(b, w->attributes, w->n_attributes);
	}
	if (w->n_headers) {
		json_put_name(b, "headers");
		put_pairs(b, w->headers, w->n_headers);
	}
	if (w->disabled)
		json_put_member_bool(b, "disabled", true);
	if (w->timeout_ms)
		put_seconds(b, "timeout", w->timeout_ms);
	if (w->concurrency)
		json_put_member_u64(b, "concurrency", w->concurrency);
	if (w->rate)
		json_put_member_u64(b, "rate", w->rate);
	if (w->order.len)
		json_put_member(b, "order", w->order);
	if (w->retry)
		json_put_member(b, "retry", w->retry == RETRY_NETWORK ?
		    SPAN("network") : SPAN("failures"));
	if (w->ca.len)
		json_put_member(b, "ca", w->ca);
	if (w->filter.len)
		json_put_member(b, "filter", w->filter);
	if (w->transform.len)
		json_put_member(b, "transform", w->transform);
	buf_putc(b, '}');
}
