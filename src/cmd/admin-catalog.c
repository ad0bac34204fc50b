/*
 * The commands that are about the catalog: the documented list, and the proof
 * that schemas, maps, examples and subscriptions hold together.
 */
#include <unistd.h>

#include "base/alloc.h"
#include "base/nearest.h"
#include "base/table.h"
#include "base/utf8.h"
#include "cmd/admin.h"
#include "event/asyncapi.h"
#include "event/catalog.h"
#include "event/event.h"
#include "event/jq.h"
#include "event/map.h"
#include "event/transform.h"
#include "json/write.h"
#include "net/cert.h"
#include "net/endpoint.h"
#include "net/guard.h"
#include "net/url.h"

/* libjq reads the environment itself: $ENV, and HOME for ~/.jq. */
extern char **environ;

static const char public_head[] =
    "## Public Events\n"
    "\n"
    "List of all Public Events emitted to registered webhooks\n";

static const char non_public_head[] =
    "## NonPublic Events\n"
    "\n"
    "List of all Non-Public Events received by the application. These are "
    "the events that are accepted by the dispatcher, but will be then "
    "re-mapped into public events.\n";

static const char table_head[] =
    "\n"
    "| Event | Payload | Description | Required attributes |\n"
    "| --- | --- | --- | --- |\n";

struct check {
	struct admin *admin;
	struct catalog catalog;
	struct registry registry;
	struct map *map;
	struct event event;
	struct fault fault;
	struct buf line, out;
	bool has_registry;
};

/* Text in a cell of a markdown table. */
static void
put_text(struct buf *b, struct span s)
{
	size_t i, n;

	for (i = 0; i < s.len; i += n) {
		n = utf8_len(s.p + i, s.len - i);
		if (utf8_is_control(s.p + i, n)) {
			buf_putc(b, ' ');
			continue;
		}
		if (s.p[i] == '|')
			buf_putc(b, '\\');
		buf_add(b, s.p + i, n);
	}
}

static void
put_code(struct buf *b, struct span s)
{
	buf_putc(b, '`');
	put_text(b, s);
	buf_putc(b, '`');
}

/* "`name`: description" */
static void
put_property(struct buf *b, const struct json *j, uint32_t name)
{
	struct buf scratch = { 0 };
	uint32_t text = json_kind(j, name + 1) == JSON_OBJECT ?
	    json_get(j, name + 1, SPAN("description")) : 0;

	put_code(b, json_string(j, name, &scratch));
	if (text) {
		buf_puts(b, ": ");
		put_text(b, json_string(j, text, &scratch));
	}
	buf_clear(&scratch);
}

static void
put_property_name(struct buf *b, const struct json *j, uint32_t name)
{
	struct buf scratch = { 0 };

	diag_foreign(b, json_string(j, name, &scratch), TABLE_CELL_BYTES);
	buf_clear(&scratch);
}

/* Each property of the payload's schema. */
static void
put_payload(struct buf *b, const struct catalog_event *ev,
    void (*put)(struct buf *, const struct json *, uint32_t name))
{
	struct json_error e;
	struct json j;
	uint32_t list = 0, k;
	bool first = true;

	json_init(&j);
	if (json_read(&j, ev->payload.p, ev->payload.len, &e) == 0 &&
	    json_kind(&j, 0) == JSON_OBJECT)
		list = json_get(&j, 0, SPAN("properties"));
	for (k = list + 1; list && k < json_next(&j, list);
	    k = json_next(&j, k + 1)) {
		if (!first)
			buf_puts(b, ", ");
		first = false;
		put(b, &j, k);
	}
	if (first)
		buf_putc(b, '-');
	json_clear(&j);
}

static void
put_row(struct buf *b, const struct catalog_event *ev)
{
	size_t i;

	buf_puts(b, "| ");
	put_code(b, ev->name);
	buf_puts(b, " | ");
	put_payload(b, ev, put_property);
	buf_puts(b, ev->deprecated ? " | **Deprecated.** " : " | ");
	put_text(b, ev->description);
	buf_puts(b, " | ");
	for (i = 0; i < ev->n_required; i++) {
		if (i)
			buf_puts(b, ", ");
		put_code(b, ev->required[i]);
	}
	if (ev->n_required == 0)
		buf_putc(b, '-');
	buf_puts(b, " |");
}

static void
put_markdown(struct out *out, const struct catalog *c, bool public)
{
	size_t i;

	buf_puts(&out->buf, public ? public_head : non_public_head);
	buf_puts(&out->buf, table_head);
	for (i = 0; i < c->n; i++) {
		if (c->events[i].public != public)
			continue;
		put_row(&out->buf, &c->events[i]);
		(void)out_end_line(out);
	}
}

static void
fill_row(struct table *t, const struct catalog_event *ev)
{
	enum tone tone = ev->deprecated ? TONE_FAINT : TONE_PLAIN;
	struct buf *b = table_cell(t, tone);
	size_t i;

	diag_foreign(b, ev->name, TABLE_CELL_BYTES);
	put_payload(table_cell(t, tone), ev, put_property_name);
	b = table_cell(t, tone);
	for (i = 0; i < ev->n_required; i++) {
		if (i)
			buf_puts(b, ", ");
		diag_foreign(b, ev->required[i], TABLE_CELL_BYTES);
	}
	b = table_cell(t, tone);
	if (ev->deprecated)
		buf_puts(b, "deprecated: ");
	diag_foreign(b, ev->description, TABLE_CELL_BYTES);
}

static void
put_table(struct out *out, const struct catalog *c, bool public)
{
	static const char *const heads[] = { "EVENT", "PAYLOAD", "ATTRIBUTES",
		"DESCRIPTION", NULL };
	struct table t;
	struct term term;
	size_t i;

	table_open(&t, heads);
	for (i = 0; i < c->n; i++)
		if (c->events[i].public == public)
			fill_row(&t, &c->events[i]);
	(void)out_line(out, public ? SPAN("Public events, for webhooks") :
	    SPAN("Non-public events, for maps"));
	term_open(&term, STDOUT_FILENO);
	table_print(&t, &term, out);
	term_close(&term);
	table_close(&t);
}

static void
put_record(struct out *out, const struct catalog_event *ev)
{
	struct buf *b = &out->buf;
	size_t i;

	buf_putc(b, '{');
	json_put_member(b, "name", ev->name);
	json_put_member_bool(b, "public", ev->public);
	json_put_member(b, "description", ev->description);
	json_put_name(b, "payload");
	json_put_compact(b, ev->payload);
	if (ev->map)
		json_put_member(b, "map", span_of(ev->map));
	json_put_name(b, "required_attributes");
	buf_putc(b, '[');
	for (i = 0; i < ev->n_required; i++) {
		if (i)
			buf_putc(b, ',');
		json_put_string(b, ev->required[i]);
	}
	buf_putc(b, ']');
	if (ev->deprecated)
		json_put_member_bool(b, "deprecated", true);
	buf_putc(b, '}');
	(void)out_end_line(out);
}

/* Returns whether it loaded; the reasons were said. */
static bool
load_catalog(struct admin *a, struct catalog *c)
{
	struct buf reasons = { 0 };
	int r = catalog_open(c, a->catalog_dir, 0, &reasons);

	if (r != 0)
		admin_say(a, DIAG_ERROR, "catalog", buf_bytes(&reasons));
	buf_clear(&reasons);
	return r == 0;
}

static void
put_asyncapi(struct admin *a, const struct catalog *c)
{
	struct error e;

	if (asyncapi_put(c, &a->stage.out.buf, &e) < 0)
		stage_die(&a->stage, EX_SYSTEM, "%s", e.text);
}

void
admin_events(struct admin *a)
{
	enum { FORMS = ADMIN_BIT(ADMIN_ASYNCAPI) | ADMIN_BIT(ADMIN_JSON) |
	    ADMIN_BIT(ADMIN_MARKDOWN) };
	struct out *out = &a->stage.out;
	uint64_t form = a->given & FORMS;
	struct catalog c;
	size_t i;

	if (form & (form - 1))
		admin_misuse(a, "events: one of --asyncapi, --json and "
		    "--markdown");
	if (!load_catalog(a, &c))
		exit(EX_SETUP);
	if (form == ADMIN_BIT(ADMIN_ASYNCAPI)) {
		put_asyncapi(a, &c);
	} else if (form == ADMIN_BIT(ADMIN_MARKDOWN)) {
		put_markdown(out, &c, true);
		(void)out_line(out, SPAN(""));
		put_markdown(out, &c, false);
	} else if (admin_wants_table(a)) {
		put_table(out, &c, true);
		(void)out_line(out, SPAN(""));
		put_table(out, &c, false);
	} else {
		for (i = 0; i < c.n; i++)
			put_record(out, &c.events[i]);
	}
	catalog_close(&c);
}

static void
say_fault(struct check *c, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void
say_fault(struct check *c, const char *where, const char *fmt, ...)
{
	struct buf b = { 0 };
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	diag_print(&c->admin->stage.diag, DIAG_ERROR, "%s: %s", where,
	    buf_str(&b));
	buf_clear(&b);
	c->admin->stage.code = EX_SETUP;
}

/* A webhook that has every attribute which a public event requires. */
static void
put_sample(const struct catalog *c, struct buf *b)
{
	size_t i, k;

	buf_puts(b, "[{\"url\":\"http://webhook.invalid/\","
	    "\"subscriptions\":[],\"attributes\":{");
	for (i = 0; i < c->n; i++)
		for (k = 0; k < c->events[i].n_required; k++) {
			if (b->p[b->len - 1] != '{')
				buf_putc(b, ',');
			json_put_string(b, c->events[i].required[k]);
			buf_puts(b, ":\"sample\"");
		}
	buf_puts(b, "}}]");
}

/* Maps see the registry's webhooks, or a sample if there are none. */
static void
bind_webhooks(struct check *c)
{
	struct webhooks sample = { 0 };
	struct buf text = { 0 }, reasons = { 0 };

	c->map = map_new(&c->catalog, WORKER_LIMIT_MS);
	if (c->has_registry && c->registry.webhooks.n) {
		map_bind(c->map, &c->registry.webhooks);
		return;
	}
	put_sample(&c->catalog, &text);
	if (webhooks_read(&sample, buf_bytes(&text), &reasons) == 0)
		map_bind(c->map, &sample);
	webhooks_clear(&sample);
	buf_clear(&text);
	buf_clear(&reasons);
}

static void
check_mapping(struct check *c, const struct catalog_event *ev, unsigned number)
{
	struct span line;

	map_send(c->map, buf_bytes(&c->line));
	if (map_receive(c->map, &line, &c->out, &c->fault) != MAP_DONE)
		say_fault(c, ev->file, "example %u: %s%s%s", number,
		    buf_str(&c->fault.error), c->fault.detail.len ? ": " : "",
		    buf_str(&c->fault.detail));
}

static void
check_example(struct check *c, const struct catalog_event *ev, unsigned number,
    struct span text)
{
	const struct catalog_event *entry = NULL;

	c->line.len = c->out.len = 0;
	json_put_compact(&c->line, text);
	(void)buf_room(&c->line, 0);
	if (event_read(&c->event, buf_bytes(&c->line), &c->fault) == 0)
		entry = event_check(&c->event, &c->catalog, &c->fault);
	if (!entry)
		say_fault(c, ev->file, "example %u: %s", number,
		    buf_str(&c->fault.error));
	else if (entry != ev)
		say_fault(c, ev->file, "example %u: of another event", number);
	else if (!ev->public)
		check_mapping(c, ev, number);
}

static void
check_examples(struct check *c, const struct catalog_event *ev)
{
	struct json_error e;
	struct json j;
	unsigned number = 0;
	uint32_t i;

	if (ev->examples.len == 0)
		return;
	json_init(&j);
	if (json_read(&j, ev->examples.p, ev->examples.len, &e) == 0)
		for (i = 1; i < json_next(&j, 0); i = json_next(&j, i))
			check_example(c, ev, ++number, json_bytes(&j, i));
	json_clear(&j);
}

/* false and said if it does not compile. */
static bool
check_map(struct check *c, const struct catalog_event *ev)
{
	struct jq_program *program = NULL;
	struct buf text = { 0 };
	struct error e;

	if (!ev->map)
		return true;
	if (catalog_read(&c->catalog, ev->map, &text, &e) == 0)
		program = jq_program_new(buf_bytes(&text), SPAN("[]"), &e);
	if (!program)
		say_fault(c, ev->file, "map %s: %s", ev->map, e.text);
	jq_program_free(program);
	buf_clear(&text);
	return program != NULL;
}

static void
check_catalog(struct check *c)
{
	size_t i;

	for (i = 0; i < c->catalog.n; i++)
		if (check_map(c, &c->catalog.events[i]))
			check_examples(c, &c->catalog.events[i]);
}

static bool
some_public(const struct catalog *c, struct span subscription)
{
	struct webhook w = { .subscriptions = &subscription,
		.n_subscriptions = 1 };
	size_t i;

	for (i = 0; i < c->n; i++)
		if (c->events[i].public &&
		    webhook_subscribes(&w, c->events[i].name))
			return true;
	return false;
}

/* What is wrong with a subscription, replacing *b; nothing: true. */
static bool
judge_subscription(const struct catalog *c, struct span s, struct buf *b)
{
	struct nearest near;
	size_t i;

	if (some_public(c, s))
		return true;
	b->len = 0;
	buf_puts(b, "subscribed to '");
	diag_foreign(b, s, 64);
	if (catalog_find(c, s)) {
		buf_puts(b, "', which is not public");
		return false;
	}
	buf_puts(b, "', which is no event of the catalog");
	nearest_open(&near, s);
	for (i = 0; i < c->n; i++)
		if (c->events[i].public)
			nearest_offer(&near, c->events[i].name);
	nearest_put(&near, "", b);
	return false;
}

static void
check_subscriptions(struct check *c, const struct webhook *w)
{
	struct buf why = { 0 }, where = { 0 };
	uint32_t i;

	buf_printf(&where, "webhook '%.*s'", (int)w->id.len, w->id.p);
	for (i = 0; i < w->n_subscriptions; i++)
		if (!judge_subscription(&c->catalog, w->subscriptions[i], &why))
			say_fault(c, buf_str(&where), "%s", buf_str(&why));
	buf_clear(&why);
	buf_clear(&where);
}

void
admin_warn_subscriptions(struct admin *a, const struct webhook *w)
{
	struct buf why = { 0 }, reasons = { 0 };
	struct catalog c;
	uint32_t i;

	/* One that does not load is a matter for check. */
	if (catalog_open(&c, a->catalog_dir, 0, &reasons) == 0)
		for (i = 0; i < w->n_subscriptions; i++)
			if (!judge_subscription(&c, w->subscriptions[i], &why))
				diag_print(&a->stage.diag, DIAG_WARNING,
				    "%s: %s", a->command, buf_str(&why));
	catalog_close(&c);
	buf_clear(&why);
	buf_clear(&reasons);
}

static bool
has_attribute(const struct webhook *w, struct span name)
{
	uint32_t i;

	for (i = 0; i < w->n_attributes; i++)
		if (span_eq(w->attributes[i].name, name))
			return w->attributes[i].value.len != 0;
	return false;
}

/* Allowed, but it will never be called for that event. */
static void
warn_attributes(struct check *c, const struct webhook *w)
{
	size_t i, k;

	for (i = 0; i < c->catalog.n; i++) {
		const struct catalog_event *ev = &c->catalog.events[i];

		if (!ev->public || !webhook_subscribes(w, ev->name))
			continue;
		for (k = 0; k < ev->n_required; k++)
			if (!has_attribute(w, ev->required[k]))
				diag_print(&c->admin->stage.diag, DIAG_WARNING,
				    "webhook '%.*s': never called for '%.*s': "
				    "it has no attribute '%.*s'",
				    (int)w->id.len, w->id.p,
				    (int)ev->name.len, ev->name.p,
				    (int)ev->required[k].len,
				    ev->required[k].p);
	}
}

/* An address in the URL that ev-deliver will refuse if it is not told. */
static void
warn_address(struct check *c, const struct webhook *w)
{
	const struct guard nothing_allowed = { 0 };
	struct endpoint to;
	struct buf dial = { 0 };
	struct error e;

	url_dial(w->url, &dial);
	endpoint_of_url(&to, buf_str(&dial));
	if (to.literal && guard_check(&nothing_allowed, &to.ip, &e) != 0)
		diag_print(&c->admin->stage.diag, DIAG_WARNING,
		    "webhook '%.*s': ev-deliver would refuse it: %s",
		    (int)w->id.len, w->id.p, e.text);
	endpoint_clear(&to);
	buf_clear(&dial);
}

static void
check_ca(struct check *c, const struct webhook *w)
{
	struct buf where = { 0 };
	struct error e;

	if (w->ca.len == 0 || cert_check_ca(w->ca, &e) == 0)
		return;
	buf_printf(&where, "webhook '%.*s'", (int)w->id.len, w->id.p);
	say_fault(c, buf_str(&where), "ca: %s", e.text);
	buf_clear(&where);
}

static void
warn_unknown_members(struct check *c)
{
	const char *path = c->admin->registry_path;
	struct buf text = { 0 };
	FILE *f = fopen(path, "rb");
	size_t n;

	/* SQLite registries hold none. */
	while (f && text.len <= REGISTRY_MAX_BYTES && (n = fread(buf_room(&text,
	    65536), 1, 65536, f)) > 0)
		text.len += n;
	if (f)
		(void)fclose(f); /* only read from */
	admin_warn_unknown(c->admin, path, buf_bytes(&text));
	buf_clear(&text);
}

static void
check_registry(struct check *c)
{
	const struct webhooks *all = &c->registry.webhooks;
	struct buf reasons = { 0 };
	size_t i;

	if (transforms_check(all, &reasons) != 0) {
		admin_say(c->admin, DIAG_ERROR, c->admin->registry_path,
		    buf_bytes(&reasons));
		c->admin->stage.code = EX_SETUP;
	}
	buf_clear(&reasons);
	if (!c->registry.once) /* a pipe was read already */
		warn_unknown_members(c);
	for (i = 0; i < all->n; i++) {
		check_subscriptions(c, &all->list[i]);
		warn_attributes(c, &all->list[i]);
		warn_address(c, &all->list[i]);
		check_ca(c, &all->list[i]);
	}
	admin_check_secrets(c->admin, all);
}

static void
load_registry(struct check *c)
{
	const char *path = c->admin->registry_path;
	struct buf reasons = { 0 };

	if (!path || !*path)
		return;
	c->has_registry = registry_open(&c->registry, path, &reasons) == 0;
	if (!c->has_registry) {
		admin_say(c->admin, DIAG_ERROR, path, buf_bytes(&reasons));
		c->admin->stage.code = EX_SETUP;
	}
	buf_clear(&reasons);
}

void
admin_check(struct admin *a)
{
	static char *no_environment[] = { NULL };
	struct check c = { .admin = a };
	bool loaded = load_catalog(a, &c.catalog);

	load_registry(&c);
	if (loaded) {
		environ = no_environment;
		event_init(&c.event);
		bind_webhooks(&c);
		check_catalog(&c);
		if (c.has_registry)
			check_registry(&c);
		map_free(c.map);
		event_clear(&c.event);
		fault_clear(&c.fault);
	} else {
		a->stage.code = EX_SETUP;
	}
	if (a->stage.diag.verbose && a->stage.code == EX_ALL_WELL)
		diag_print(&a->stage.diag, DIAG_INFO, "%zu events and %zu "
		    "webhooks are in order", c.catalog.n,
		    c.registry.webhooks.n);
	buf_clear(&c.line);
	buf_clear(&c.out);
	registry_close(&c.registry);
	catalog_close(&c.catalog);
}
