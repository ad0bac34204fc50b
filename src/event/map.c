/*
 * Mapping. What a program gives is read and checked like a line from outside;
 * non-public results are mapped again, MAP_MAX_DEPTH deep.
 */
#include "event/map.h"

#include <assert.h>
#include <inttypes.h>

#include "base/alloc.h"
#include "event/jq.h"
#include "json/write.h"
#include "net/digest.h"
#include "net/url.h"

enum { CHILD_DIGITS = 16 };

struct program {
	const char *file; /* the catalog's */
	struct jq_program *jq;
};

/* One level of mapping: the event being mapped and what came of it. */
struct level {
	struct event event;
	struct buf outputs, child;
	struct twins {
		uint64_t hash; /* of children alike; 0: a free slot */
		unsigned n;
	} *seen; /* a table that doubles */
	size_t cap_seen, n_seen;
};

struct map {
	const struct catalog *catalog;
	int64_t limit_ms;
	struct workers *workers;
	uint64_t n_deaths;
	struct buf webhooks; /* JSON text of $webhooks */
	struct buf reason;   /* of the last fault received */
	struct event event;
	/* The worker's: */
	struct fault fault;
	struct program *programs;
	size_t n, cap;
	struct level *levels[MAP_MAX_DEPTH];
};

static worker_answer answer;

struct map *
map_new(const struct catalog *c, int64_t limit_ms)
{
	struct map *m = alloc_zero(1, sizeof(*m));

	m->catalog = c;
	m->limit_ms = limit_ms;
	m->workers = workers_new(answer, m, limit_ms);
	event_init(&m->event);
	buf_puts(&m->webhooks, "[]");
	return m;
}

void
map_free(struct map *m)
{
	if (!m)
		return;
	workers_free(m->workers);
	event_clear(&m->event);
	buf_clear(&m->webhooks);
	buf_clear(&m->reason);
	free(m);
}

static void
put_webhook(struct buf *b, const struct webhook *w)
{
	size_t i;

	if (b->p[b->len - 1] != '[')
		buf_putc(b, ',');
	buf_putc(b, '{');
	json_put_member(b, "id", w->id);
	/* A query may hold a token. */
	json_put_member(b, "url", url_without_query(w->url));
	json_put_name(b, "subscriptions");
	buf_putc(b, '[');
	for (i = 0; i < w->n_subscriptions; i++) {
		if (i)
			buf_putc(b, ',');
		json_put_string(b, w->subscriptions[i]);
	}
	buf_putc(b, ']');
	json_put_name(b, "attributes");
	buf_putc(b, '{');
	for (i = 0; i < w->n_attributes; i++) {
		if (i)
			buf_putc(b, ',');
		json_put_string(b, w->attributes[i].name);
		buf_putc(b, ':');
		json_put_string(b, w->attributes[i].value);
	}
	buf_puts(b, "}}");
}

void
map_bind(struct map *m, const struct webhooks *list)
{
	size_t i;

	workers_stop(m->workers);
	m->webhooks.len = 0;
	buf_putc(&m->webhooks, '[');
	for (i = 0; i < list->n; i++)
		if (!list->list[i].disabled)
			put_webhook(&m->webhooks, &list->list[i]);
	buf_putc(&m->webhooks, ']');
}

/* The compiled program of a file of the catalog, compiled when first needed. */
static struct jq_program *
program_of(struct map *m, const char *file, struct fault *f)
{
	struct buf text = { 0 };
	struct worker_limits limits;
	struct jq_program *jq = NULL;
	struct error e;
	size_t i;

	for (i = 0; i < m->n; i++)
		if (strcmp(m->programs[i].file, file) == 0)
			return m->programs[i].jq;
	worker_lift_limits(&limits);
	if (catalog_read(m->catalog, file, &text, &e) == 0)
		jq = jq_program_new(buf_bytes(&text), buf_bytes(&m->webhooks),
		    &e);
	worker_restore_limits(&limits);
	buf_clear(&text);
	if (!jq) {
		fault_set(f, "invalid-map", "map %s: %s", file, e.text);
		return NULL;
	}
	m->programs = alloc_grow(m->programs, &m->cap, m->n + 1,
	    sizeof(*m->programs));
	m->programs[m->n++] = (struct program){ file, jq };
	return jq;
}

static struct twins *
find_twins(const struct level *l, uint64_t hash)
{
	size_t mask = l->cap_seen - 1, at = (size_t)hash & mask;

	while (l->seen[at].hash && l->seen[at].hash != hash)
		at = (at + 1) & mask;
	return &l->seen[at];
}

static void
grow_seen(struct level *l)
{
	struct twins *old = l->seen;
	size_t old_cap = l->cap_seen, i;

	l->cap_seen = old_cap ? old_cap * 2 : 64;
	l->seen = alloc_zero(l->cap_seen, sizeof(*l->seen));
	for (i = 0; i < old_cap; i++)
		if (old[i].hash)
			*find_twins(l, old[i].hash) = old[i];
	free(old);
}

/* How many siblings had the same hash, this one counted. */
static unsigned
count_sibling(struct level *l, uint64_t hash)
{
	struct twins *t;

	hash |= hash == 0;
	if (l->n_seen * 2 >= l->cap_seen)
		grow_seen(l);
	t = find_twins(l, hash);
	if (!t->hash)
		l->n_seen++;
	t->hash = hash;
	return ++t->n;
}

/* PARENT~H, H over the child's name and payload; ~H~2 for a second twin. */
static void
put_child_id(struct level *l, const struct event *parent,
    const struct event *child)
{
	char digits[DIGEST_HEX_BYTES];
	struct buf b = { 0 };
	uint64_t hash = 0;
	unsigned twin;
	size_t i;

	buf_span(&b, child->name);
	if (child->payload)
		buf_span(&b, json_bytes(&child->json, child->payload));
	digest_hex(buf_bytes(&b), digits, CHILD_DIGITS);
	for (i = 0; i < CHILD_DIGITS; i++)
		hash = hash << 4 | (uint64_t)(digits[i] <= '9' ?
		    digits[i] - '0' : digits[i] - 'a' + 10);
	twin = count_sibling(l, hash);
	b.len = 0;
	buf_span(&b, parent->id_text);
	buf_putc(&b, '~');
	buf_add(&b, digits, CHILD_DIGITS);
	if (twin > 1)
		buf_printf(&b, "~%u", twin);
	if (b.len > EVENT_ID_BYTES) {
		/* Too long for an id: its hash is as good a name. */
		digest_hex(buf_bytes(&b), digits, DIGEST_HEX_BYTES);
		b.len = 0;
		buf_putc(&b, '~');
		buf_add(&b, digits, DIGEST_HEX_BYTES);
	}
	json_put_member(&l->child, "id", buf_bytes(&b));
	buf_clear(&b);
}

static void
inherit(struct buf *b, const char *name, const struct event *parent,
    uint32_t node)
{
	if (!node)
		return;
	json_put_name(b, name);
	buf_span(b, json_bytes(&parent->json, node));
}

/* The child's text with what it inherits, in l->child. */
static void
complete_child(struct level *l, const struct event *parent)
{
	const struct event *child = &l->event;
	struct buf *b = &l->child;

	b->len = 0;
	/* Not child->text: an output may be a string that was unwrapped. */
	buf_span(b, json_bytes(&child->json, 0));
	b->len--; /* the brace */
	if (!child->id && parent->id_text.len)
		put_child_id(l, parent, child);
	if (!child->time)
		inherit(b, "time", parent, parent->time);
	if (!json_get(&child->json, 0, SPAN("traceparent")))
		inherit(b, "traceparent", parent, parent->traceparent);
	buf_putc(b, '}');
}

static int map_level(struct map *, const struct event *,
    const struct catalog_event *, unsigned depth, struct buf *out,
    struct fault *);

static int
map_output(struct map *m, const struct event *parent, const char *file,
    struct level *l, struct span text, unsigned depth, struct buf *out,
    struct fault *f)
{
	const struct catalog_event *entry = NULL;

	if (event_read(&l->event, text, f) == 0)
		entry = event_check(&l->event, m->catalog, f);
	if (!entry) {
		struct buf why = f->error;

		f->error = (struct buf){ 0 };
		fault_set(f, "invalid-map", "map %s gave no valid event: %s",
		    file, buf_str(&why));
		buf_clear(&why);
		return -1;
	}
	complete_child(l, parent);
	if (entry->public) {
		buf_span(out, buf_bytes(&l->child));
		buf_putc(out, '\n');
		return 0;
	}
	(void)buf_room(&l->child, 0);
	if (event_read(&l->event, buf_bytes(&l->child), f) < 0)
		return -1;
	return map_level(m, &l->event, entry, depth + 1, out, f);
}

static int
map_level(struct map *m, const struct event *ev,
    const struct catalog_event *entry, unsigned depth, struct buf *out,
    struct fault *f)
{
	struct jq_program *jq;
	struct level *l;
	size_t at = 0;

	if (depth == MAP_MAX_DEPTH)
		return fault_set(f, "map-depth", "map %s: mapped more than %d "
		    "times, perhaps in a circle", entry->map, MAP_MAX_DEPTH);
	jq = program_of(m, entry->map, f);
	if (!jq)
		return -2;
	if (!m->levels[depth]) {
		m->levels[depth] = alloc_zero(1, sizeof(*l));
		event_init(&m->levels[depth]->event);
	}
	l = m->levels[depth];
	if (l->n_seen)
		memset(l->seen, 0, l->cap_seen * sizeof(*l->seen));
	l->n_seen = 0;
	l->outputs.len = 0;
	f->detail.len = 0;
	if (jq_program_run(jq, &ev->json, 0, 0, &l->outputs, &f->detail) < 0) {
		struct buf detail = f->detail;

		f->detail = (struct buf){ 0 };
		fault_set(f, "map-failed", "map %s failed", entry->map);
		f->detail = detail;
		return -1;
	}
	while (at < l->outputs.len) {
		struct span text = { l->outputs.p + at, 0 };
		const char *nl = memchr(text.p, '\n', l->outputs.len - at);
		int r;

		text.len = (size_t)(nl - text.p);
		at += text.len + 1;
		r = map_output(m, ev, entry->map, l, text, depth, out, f);
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * In the worker. The status as a digit, and the outputs or the parts of the
 * fault.
 */
static void
answer(void *ctx, struct span line, struct buf *to)
{
	struct map *m = ctx;
	const struct catalog_event *entry = NULL;
	size_t start = to->len;
	int r;

	buf_putc(to, '0' + MAP_DONE);
	if (event_read(&m->event, line, &m->fault) == 0)
		entry = catalog_find(m->catalog, m->event.name);
	assert(entry && entry->map); /* it was checked */
	r = map_level(m, &m->event, entry, 0, to, &m->fault);
	if (r == 0)
		return;
	to->len = start;
	buf_putc(to, (char)('0' + (r == -2 ? MAP_BROKEN : MAP_REJECT)));
	part_put(to, span_of(m->fault.reason));
	part_put(to, buf_bytes(&m->fault.error));
	part_put(to, buf_bytes(&m->fault.detail));
}

void
map_send(struct map *m, struct span line)
{
	workers_send(m->workers, line);
}

static enum map_status
take_answer(struct map *m, struct span text, struct buf *out, struct fault *f)
{
	enum map_status status = (enum map_status)(text.p[0] - '0');
	struct span reason, error;

	text.p++;
	text.len--;
	if (status == MAP_DONE) {
		buf_span(out, text);
		return status;
	}
	reason = part_take(&text);
	error = part_take(&text);
	m->reason.len = 0;
	buf_span(&m->reason, reason);
	fault_set(f, buf_str(&m->reason), "%.*s", (int)error.len, error.p);
	buf_span(&f->detail, part_take(&text));
	return status;
}

uint64_t
map_deaths(const struct map *m)
{
	return m->n_deaths;
}

/* The line cost a worker its life. */
static enum map_status
take_death(struct map *m, struct span line, bool timeout, struct fault *f)
{
	const struct catalog_event *entry = NULL;
	const char *map;

	if (event_read(&m->event, line, f) == 0)
		entry = catalog_find(m->catalog, m->event.name);
	map = entry ? entry->map : "?";
	m->n_deaths++;
	if (timeout)
		fault_set(f, "map-timeout", "map %s took more than %" PRId64
		    " ms of processor time", map, m->limit_ms);
	else
		fault_set(f, "map-failed", "map %s died, perhaps for want of "
		    "memory: it may take 256 MiB", map);
	return MAP_REJECT;
}

enum map_status
map_receive(struct map *m, struct span *line, struct buf *out, struct fault *f)
{
	struct span text;
	struct error e;

	switch (workers_receive(m->workers, line, &text, &e)) {
	case WORKER_ANSWERED:
		return take_answer(m, text, out, f);
	case WORKER_TIMEOUT:
		return take_death(m, *line, true, f);
	case WORKER_DIED:
		return take_death(m, *line, false, f);
	default:
		fault_set(f, "system", "%s", e.text);
		return MAP_FAILED;
	}
}
