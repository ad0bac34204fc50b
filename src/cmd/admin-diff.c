/*
 * hook-admin diff: the same events through two registries, and which calls one
 * makes that the other does not, or makes otherwise. Each event is mapped with
 * the webhooks of each, as ev-map would; then the calls of both are matched by
 * webhook and public event. No value of a payload or header is shown but by -v.
 */
#include <unistd.h>

#include "base/alloc.h"
#include "base/table.h"
#include "cmd/admin.h"
#include "cmd/source.h"
#include "deliver/hash.h"
#include "event/map.h"
#include "event/route.h"
#include "json/equal.h"
#include "json/write.h"

/* A call that a registry makes of the line at hand. */
struct called {
	size_t at, len;             /* its record, in the side's text */
	size_t event_at, event_len; /* the public event that it is for */
	struct span record, event;  /* the same, once all are there */
	struct span webhook;        /* its id */
	size_t place;               /* among the side's calls */
};

struct side {
	const char *name;     /* for people: its path */
	struct registry registry;
	struct map *map;
	struct route *route;
	struct transforms *transforms; /* NULL: no webhook has a program */
	uint64_t *asked;      /* by task: the last event that it was asked for */
	uint64_t serial;      /* of that event */
	struct event event;   /* a public one */
	struct buf text;
	struct called *calls;
	size_t n, cap;
};

/* What is counted of a webhook or of events of one name. */
struct tally {
	struct entry entry; /* by id or name */
	uint64_t calls[2], gained, lost, changed;
};

struct tallies {
	struct hash hash;
	struct tally **list; /* in order of appearance */
	size_t n, cap;
};

struct diff {
	struct admin *admin;
	bool table; /* not records */
	struct catalog catalog;
	struct side sides[2];
	struct event event; /* the line */
	struct fault fault;
	struct json json[2]; /* the records of a pair */
	struct tallies webhooks, names;
	struct tally all;
	uint64_t n_events;
};

/* Set-up */

static void
open_side(struct admin *a, struct diff *d, struct side *s, const char *path)
{
	const char *default_path = a->registry_path;
	size_t n;

	s->name = path;
	a->registry_path = path;
	admin_load(a, &s->registry);
	a->registry_path = default_path;
	s->map = map_new(&d->catalog, WORKER_LIMIT_MS);
	map_bind(s->map, &s->registry.webhooks);
	s->route = route_new(&d->catalog, &s->registry.webhooks);
	s->transforms = transforms_new(&s->registry.webhooks, WORKER_LIMIT_MS);
	n = s->transforms ? transforms_count(s->transforms) : 0;
	s->asked = alloc_zero(n + 1, sizeof(*s->asked));
	event_init(&s->event);
}

static void
close_side(struct side *s)
{
	map_free(s->map);
	route_free(s->route);
	transforms_free(s->transforms);
	registry_close(&s->registry);
	event_clear(&s->event);
	buf_clear(&s->text);
	free(s->asked);
	free(s->calls);
}

static void
close_tallies(struct tallies *t)
{
	size_t i;

	for (i = 0; i < t->n; i++) {
		free((char *)(uintptr_t)t->list[i]->entry.key.p);
		free(t->list[i]);
	}
	free(t->list);
	hash_clear(&t->hash);
}

/* The calls of one side */

static void
reject(struct stage *stage, const struct side *s, const char *reason,
    struct span who, struct span error, struct span detail)
{
	struct buf text = { 0 };

	buf_printf(&text, "with '%s': ", s->name);
	if (who.len)
		buf_printf(&text, "webhook '%.*s': ", (int)who.len, who.p);
	buf_span(&text, error);
	stage_reject(stage, reason, buf_bytes(&text), detail);
	buf_clear(&text);
}

/* What the programs of a webhook say about the event; NULL: it has none. */
static const struct ruling *
ask(struct stage *stage, struct side *s, uint32_t webhook, struct span line)
{
	uint32_t task = s->transforms ? transforms_task(s->transforms,
	    webhook) : 0;
	struct span unused;
	struct error e;

	if (!task)
		return NULL;
	if (s->asked[task] != s->serial) {
		transforms_send(s->transforms, task, line);
		if (transforms_receive(s->transforms, &unused, &e) < 0)
			stage_die(stage, EX_SYSTEM, "%s", e.text);
		s->asked[task] = s->serial;
	}
	return transforms_ruling(s->transforms, task);
}

static bool
is_called(struct stage *stage, struct side *s, const struct webhook *w,
    const struct ruling *v)
{
	if (!v || v->kind == RULING_CALL)
		return true;
	if (v->kind == RULING_FAILED)
		reject(stage, s, v->reason, w->id, v->error, v->detail);
	else if (v->kind == RULING_BODY) {
		if (!transforms_clash(s->transforms, v, w))
			return true;
		reject(stage, s, "invalid-transform", w->id, SPAN("its "
		    "transform gave a header that it has itself"), SPAN(""));
	}
	return false;
}

/* Route a public event, a line whose bytes are in the side's text already. */
static void
route_one(struct stage *stage, struct diff *d, struct side *s, size_t at,
    size_t len)
{
	const struct webhook *list = s->registry.webhooks.list;
	struct buf line = { 0 };
	const uint32_t *matches;
	size_t n, i;

	buf_add(&line, s->text.p + at, len);
	(void)buf_room(&line, BUF_PAD);
	if (event_read(&s->event, buf_bytes(&line), &d->fault) < 0)
		stage_die(stage, EX_SYSTEM, "a map's event is none");
	n = route_match(s->route, &s->event, catalog_find(&d->catalog,
	    s->event.name), &matches);
	s->serial++;
	for (i = 0; i < n; i++) {
		uint32_t w = route_webhook(s->route, matches[i]);
		const struct ruling *v = ask(stage, s, w, buf_bytes(&line));
		struct called c = { .at = s->text.len, .event_at = at,
			.event_len = len, .webhook = list[w].id,
			.place = s->n };

		if (!is_called(stage, s, &list[w], v))
			continue;
		route_put_call(s->route, matches[i], &s->event, v, &s->text);
		c.len = s->text.len - c.at;
		s->calls = alloc_grow(s->calls, &s->cap, s->n + 1,
		    sizeof(*s->calls));
		s->calls[s->n++] = c;
	}
	buf_clear(&line);
}

/* Map the line into the side's text; false: it is rejected. */
static bool
map_line(struct stage *stage, struct diff *d, struct side *s)
{
	struct fault *f = &d->fault;
	struct span unused;

	map_send(s->map, stage->input);
	switch (map_receive(s->map, &unused, &s->text, f)) {
	case MAP_DONE:
		return true;
	case MAP_BROKEN:
		stage_die(stage, EX_SETUP, "%s", buf_str(&f->error));
	case MAP_FAILED:
		stage_die(stage, EX_SYSTEM, "%s", buf_str(&f->error));
	case MAP_REJECT:
		break;
	}
	reject(stage, s, f->reason, SPAN(""), buf_bytes(&f->error),
	    buf_bytes(&f->detail));
	return false;
}

/* By webhook, event and place. */
static int
compare_calls(const void *a, const void *b)
{
	const struct called *x = a, *y = b;
	int r = span_cmp(x->webhook, y->webhook);

	if (r == 0)
		r = span_cmp(x->event, y->event);
	return r ? r : x->place < y->place ? -1 : x->place > y->place;
}

/* All calls that the side makes of the line; false: it is rejected. */
static bool
call_side(struct stage *stage, struct diff *d, struct side *s, bool public)
{
	size_t at, end, i;

	s->text.len = s->n = 0;
	if (public) {
		buf_span(&s->text, d->event.text);
		buf_putc(&s->text, '\n');
	} else if (!map_line(stage, d, s)) {
		return false;
	}
	end = s->text.len;
	for (at = 0; at < end;) {
		const char *nl = memchr(s->text.p + at, '\n', end - at);
		size_t len = (size_t)(nl - s->text.p) - at;

		route_one(stage, d, s, at, len);
		at += len + 1;
	}
	for (i = 0; i < s->n; i++) {
		struct called *c = &s->calls[i];

		c->record = (struct span){ s->text.p + c->at, c->len };
		c->event = (struct span){ s->text.p + c->event_at,
			c->event_len };
	}
	if (s->n)
		qsort(s->calls, s->n, sizeof(*s->calls), compare_calls);
	return true;
}

/* Counting and telling */

static struct tally *
tally_of(struct tallies *t, struct span key)
{
	struct entry *found = hash_find(&t->hash, key);
	struct tally *new;

	if (found)
		return (struct tally *)(void *)found;
	new = alloc_zero(1, sizeof(*new));
	new->entry.key = (struct span){ alloc_copy(key.p, key.len), key.len };
	hash_add(&t->hash, &new->entry);
	t->list = alloc_grow(t->list, &t->cap, t->n + 1, sizeof(*t->list));
	t->list[t->n++] = new;
	return new;
}

static void
count(struct tally *t, const struct called *a, const struct called *b,
    bool differs)
{
	t->calls[0] += a != NULL;
	t->calls[1] += b != NULL;
	t->gained += !a;
	t->lost += !b;
	t->changed += a && b && differs;
}

/* What differs in a pair of records, as a JSON array; empty: nothing. */
static void
put_differences(struct diff *d, struct buf *b)
{
	static const char *const members[] = { "url", "headers", "body",
		"key" };
	const struct json *x = &d->json[0], *y = &d->json[1];
	size_t i;

	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		uint32_t m = json_get(x, 0, span_of(members[i]));
		uint32_t n = json_get(y, 0, span_of(members[i]));

		if ((!m && !n) || (m && n && json_equal(x, m, y, n)))
			continue;
		buf_printf(b, "%s\"%s\"", b->len ? "," : "", members[i]);
	}
}

static void
copy_member(struct buf *b, const struct json *j, const char *name)
{
	uint32_t node = json_get(j, 0, span_of(name));

	if (node) {
		json_put_name(b, name);
		buf_span(b, json_bytes(j, node));
	}
}

static void
put_record(struct stage *s, struct diff *d, const struct called *a,
    const struct called *b, struct span differences)
{
	const struct json *j = &d->json[a ? 0 : 1];
	struct buf *out = &s->out.buf, shown = { 0 };

	buf_putc(out, '{');
	if (s->diag.file) {
		diag_foreign(&shown, span_of(s->diag.file), TABLE_CELL_BYTES);
		json_put_member(out, "file", buf_bytes(&shown));
		buf_clear(&shown);
	}
	json_put_member_u64(out, "line", s->diag.line);
	json_put_member(out, "change", !a ? SPAN("gained") : !b ?
	    SPAN("lost") : SPAN("changed"));
	copy_member(out, j, "webhook");
	copy_member(out, j, "event");
	copy_member(out, j, "name");
	if (differences.len) {
		json_put_name(out, "differs");
		buf_putc(out, '[');
		buf_span(out, differences);
		buf_putc(out, ']');
	}
	if (a && s->diag.verbose) {
		json_put_name(out, "a");
		buf_span(out, a->record);
	}
	if (b && s->diag.verbose) {
		json_put_name(out, "b");
		buf_span(out, b->record);
	}
	buf_putc(out, '}');
	(void)out_end_line(&s->out);
}

/* Our own record: it can be read. */
static void
read_record(struct json *j, const struct called *c)
{
	struct json_error e;

	if (c)
		(void)json_read(j, c->record.p, c->record.len, &e);
}

/* A call of both, or of one. */
static void
compare(struct stage *s, struct diff *d, const struct called *a,
    const struct called *b)
{
	struct buf differences = { 0 }, name = { 0 };
	const struct json *j = &d->json[a ? 0 : 1];
	bool differs;

	read_record(&d->json[0], a);
	read_record(&d->json[1], b);
	if (a && b)
		put_differences(d, &differences);
	differs = !a || !b || differences.len;
	count(&d->all, a, b, differs);
	count(tally_of(&d->webhooks, (a ? a : b)->webhook), a, b, differs);
	count(tally_of(&d->names, json_string(j, json_get(j, 0, SPAN("name")),
	    &name)), a, b, differs);
	if (differs && !d->table)
		put_record(s, d, a, b, buf_bytes(&differences));
	buf_clear(&differences);
	buf_clear(&name);
}

static int
compare_pair(const struct called *a, const struct called *b)
{
	int r = !a ? 1 : !b ? -1 : span_cmp(a->webhook, b->webhook);

	return r || !a || !b ? r : span_cmp(a->event, b->event);
}

static void
each_event(struct stage *s, void *ctx)
{
	struct diff *d = ctx;
	struct side *x = &d->sides[0], *y = &d->sides[1];
	const struct catalog_event *entry = NULL;
	size_t i = 0, k = 0;

	if (event_read(&d->event, s->input, &d->fault) == 0)
		entry = event_check(&d->event, &d->catalog, &d->fault);
	if (!entry) {
		stage_reject_fault(s, &d->fault);
		return;
	}
	if (!call_side(s, d, x, entry->public) ||
	    !call_side(s, d, y, entry->public))
		return;
	d->n_events++;
	while (i < x->n || k < y->n) {
		const struct called *a = i < x->n ? &x->calls[i] : NULL;
		const struct called *b = k < y->n ? &y->calls[k] : NULL;
		int r = compare_pair(a, b);

		compare(s, d, r <= 0 ? a : NULL, r >= 0 ? b : NULL);
		i += r <= 0;
		k += r >= 0;
	}
}

/* For people */

static void
add_count(struct table *t, enum tone tone, uint64_t n)
{
	buf_u64(table_cell(t, n ? tone : TONE_FAINT), n);
}

/* Those with a difference. How many have none. */
static size_t
print_tallies(struct stage *s, const struct tallies *all, const char *what)
{
	const char *const heads[] = { what, "CALLS A", "CALLS B", "GAINED",
		"LOST", "CHANGED", NULL };
	struct table t;
	struct term term;
	size_t i, same = 0;

	table_open(&t, heads);
	for (i = 0; i < all->n; i++) {
		const struct tally *one = all->list[i];

		if (!one->gained && !one->lost && !one->changed) {
			same++;
			continue;
		}
		diag_foreign(table_cell(&t, TONE_PLAIN), one->entry.key,
		    TABLE_CELL_BYTES);
		add_count(&t, TONE_PLAIN, one->calls[0]);
		add_count(&t, TONE_PLAIN, one->calls[1]);
		add_count(&t, TONE_GOOD, one->gained);
		add_count(&t, TONE_BAD, one->lost);
		add_count(&t, TONE_PLAIN, one->changed);
	}
	if (same < all->n) {
		term_open(&term, STDOUT_FILENO);
		table_print(&t, &term, &s->out);
		term_close(&term);
		(void)out_line(&s->out, SPAN(""));
	}
	table_close(&t);
	return same;
}

static void
print_summary(struct stage *s, const struct diff *d)
{
	const struct tally *all = &d->all;
	size_t same = print_tallies(s, &d->webhooks, "WEBHOOK");

	(void)print_tallies(s, &d->names, "EVENT");
	buf_printf(&s->out.buf, "%llu events: %llu calls gained, %llu lost, "
	    "%llu changed; webhooks whose calls are the same: %zu",
	    (unsigned long long)d->n_events, (unsigned long long)all->gained,
	    (unsigned long long)all->lost, (unsigned long long)all->changed,
	    same);
	(void)out_end_line(&s->out);
}

void
admin_diff(struct admin *a)
{
	struct diff d = { .admin = a, .table = admin_wants_table(a) };
	struct buf reasons = { 0 };
	int i;

	if (catalog_open(&d.catalog, a->catalog_dir, 0, &reasons) < 0)
		stage_die(&a->stage, EX_SETUP, "the catalog does not load:\n%s",
		    buf_str(&reasons));
	for (i = 0; i < 2; i++) {
		open_side(a, &d, &d.sides[i], a->operands[i]);
		json_init(&d.json[i]);
	}
	event_init(&d.event);
	hash_init(&d.webhooks.hash);
	hash_init(&d.names.hash);
	a->stage.no_barrier = "registries are compared, and nothing is done";
	source_run(&a->stage, a->operands + 2, each_event, &d);
	if (d.table)
		print_summary(&a->stage, &d);
	for (i = 0; i < 2; i++) {
		close_side(&d.sides[i]);
		json_clear(&d.json[i]);
	}
	close_tallies(&d.webhooks);
	close_tallies(&d.names);
	event_clear(&d.event);
	fault_clear(&d.fault);
	catalog_close(&d.catalog);
}
