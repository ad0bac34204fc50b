/*
 * The commands that write the registry. What they write was read from JSON
 * first, as every reader will read it: so a registry can't hold a bad webhook.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/num.h"
#include "cmd/admin.h"
#include "event/transform.h"
#include "net/cert.h"
#include "net/url.h"
#include "store/queue.h"

enum { BUSY_MS = 5000, READ_BYTES = 64 * 1024 };

/* A webhook in the making: its arrays are our own, its text is borrowed. */
struct draft {
	struct admin *admin;
	struct webhook w;
	size_t cap_subscriptions, cap_attributes, cap_headers;
	struct buf ca; /* of --ca */
};

/* The registry, open for a change, and what it held before. */
struct change {
	struct admin *admin;
	struct registry_store *store;
	struct webhooks before;
};

static _Noreturn void
die_bad(struct admin *a, const char *what, struct buf *reasons)
{
	admin_say(a, DIAG_ERROR, what, buf_bytes(reasons));
	exit(EX_SETUP);
}

/* Die unless what the store was asked for came out as 0. */
static void
must(struct admin *a, const char *path, int r, const struct error *e)
{
	if (r != 0)
		stage_die(&a->stage, r == -2 ? EX_SYSTEM : EX_SETUP, "%s: %s",
		    path, e->text);
}

static void
must_change(struct change *c, int r, const struct error *e)
{
	must(c->admin, c->admin->registry_path, r, e);
}

static void
begin(struct change *c, struct admin *a, enum registry_mode mode)
{
	const char *path = admin_registry_path(a);
	struct buf text = { 0 }, reasons = { 0 };
	struct error e;

	*c = (struct change){ .admin = a };
	must(a, path, registry_store_open(&c->store, path, mode, BUSY_MS, &e),
	    &e);
	must(a, path, registry_store_begin(c->store, &e), &e);
	must(a, path, registry_store_text(c->store, &text, &e), &e);
	if (webhooks_read(&c->before, buf_bytes(&text), &reasons) != 0)
		die_bad(a, path, &reasons);
	buf_clear(&text);
	buf_clear(&reasons);
}

/* Make it last, unless something was wrong: then nothing has changed. */
static void
end(struct change *c)
{
	struct error e;

	if (c->admin->stage.code == EX_ALL_WELL)
		must_change(c, registry_store_commit(c->store, &e), &e);
	registry_store_close(c->store);
	webhooks_clear(&c->before);
}

static void
put(struct change *c, const struct webhook *w)
{
	struct error e;

	must_change(c, registry_store_put(c->store, w, &e), &e);
}

static void
add_subscription(struct draft *d, struct span name)
{
	uint32_t i;

	for (i = 0; i < d->w.n_subscriptions; i++)
		if (span_eq(d->w.subscriptions[i], name))
			return;
	d->w.subscriptions = alloc_grow(d->w.subscriptions,
	    &d->cap_subscriptions, i + 1, sizeof(*d->w.subscriptions));
	d->w.subscriptions[d->w.n_subscriptions++] = name;
}

static void
remove_subscription(struct draft *d, struct span name)
{
	struct nearest near;
	uint32_t i, n = 0;

	nearest_open(&near, name);
	for (i = 0; i < d->w.n_subscriptions; i++) {
		nearest_offer(&near, d->w.subscriptions[i]);
		if (!span_eq(d->w.subscriptions[i], name))
			d->w.subscriptions[n++] = d->w.subscriptions[i];
	}
	if (n == d->w.n_subscriptions)
		admin_unknown(d->admin, &near, "; see hook-admin show",
		    "not subscribed to '%.*s'", (int)name.len, name.p);
	d->w.n_subscriptions = n;
}

/* Header names are equal whatever their case, attributes are not. */
static struct pair *
find_pair(struct pair *pairs, uint32_t n, struct span name, bool fold)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		struct span other = pairs[i].name;

		if (span_eq(other, name) || (fold && other.len == name.len &&
		    strncasecmp(other.p, name.p, name.len) == 0))
			return &pairs[i];
	}
	return NULL;
}

static void
set_pair(struct pair **pairs, uint32_t *n, size_t *cap, struct pair new,
    bool fold)
{
	struct pair *old = find_pair(*pairs, *n, new.name, fold);

	if (!old) {
		*pairs = alloc_grow(*pairs, cap, *n + 1, sizeof(**pairs));
		old = &(*pairs)[(*n)++];
	}
	*old = new;
}

static void
remove_pair(struct draft *d, struct pair *pairs, uint32_t *n,
    const char *name, const char *what)
{
	struct pair *p = find_pair(pairs, *n, span_of(name), *what == 'h');

	struct nearest near;
	uint32_t i;

	nearest_open(&near, span_of(name));
	for (i = 0; i < *n; i++)
		nearest_offer(&near, pairs[i].name);
	if (!p)
		admin_unknown(d->admin, &near, "; see hook-admin show",
		    "there is no %s '%s'", what, name);
	memmove(p, p + 1, (size_t)(pairs + --*n - p) * sizeof(*p));
}

/* "K=V" or "K: V" */
static struct pair
split_pair(struct draft *d, const char *option, const char *text,
    char separator)
{
	const char *at = strchr(text, separator);
	struct pair p;

	/* Which may be a secret: it is not shown. */
	if (!at || at == text)
		admin_misuse(d->admin, "--%s: not like '%s'", option,
		    separator == '=' ? "NAME=VALUE" : "Name: value");
	p.name = (struct span){ text, (size_t)(at - text) };
	p.value = span_of(at + 1);
	if (separator == ':')
		p.value = url_trim(p.value);
	return p;
}

/* "default" takes a setting back. */
static bool
is_default(const char *text)
{
	return strcmp(text, "default") == 0;
}

static void
set_timeout(struct draft *d, const char *text)
{
	int64_t ms = 0;

	if (!is_default(text) && (num_duration(span_of(text),
	    WEBHOOK_MAX_TIMEOUT_MS, &ms) != 0 || ms < 1))
		admin_misuse(d->admin, "--timeout '%s' is no duration up to "
		    "10min, such as 10s", text);
	d->w.timeout_ms = (int32_t)ms;
}

static void
set_concurrency(struct draft *d, const char *text)
{
	uint64_t n = 0;

	if (!is_default(text) && num_u64(span_of(text), 1,
	    WEBHOOK_MAX_CONCURRENCY, &n) != 0)
		admin_misuse(d->admin, "--concurrency '%s' is not a number "
		    "from 1 to 1000", text);
	d->w.concurrency = (uint16_t)n;
}

static void
set_rate(struct draft *d, const char *text)
{
	uint64_t n = 0;

	if (!is_default(text) && num_u64(span_of(text), 1, WEBHOOK_MAX_RATE,
	    &n) != 0)
		admin_misuse(d->admin, "--rate '%s' is not a number of calls a "
		    "second from 1 to 10000", text);
	d->w.rate = (uint16_t)n;
}

static void
set_order(struct draft *d, const char *text)
{
	bool none = is_default(text) || strcmp(text, "none") == 0;

	if (!none && !webhook_order_is_good(span_of(text)))
		admin_misuse(d->admin, "--order '%s' is neither none nor "
		    "webhook nor a JSON Pointer, such as /payload/serviceId",
		    text);
	d->w.order = none ? (struct span){ "", 0 } : span_of(text);
}

static void
set_retry(struct draft *d, const char *text)
{
	if (is_default(text))
		d->w.retry = RETRY_DEFAULT;
	else if (strcmp(text, "failures") == 0)
		d->w.retry = RETRY_FAILURES;
	else if (strcmp(text, "network") == 0)
		d->w.retry = RETRY_NETWORK;
	else
		admin_misuse(d->admin, "--retry '%s' is neither failures nor "
		    "network", text);
}

static void
read_input(struct admin *a, const char *path, struct buf *text)
{
	bool is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : 1;

	while (n > 0 && text->len <= REGISTRY_MAX_BYTES) {
		n = read(fd, buf_room(text, READ_BYTES), READ_BYTES);
		if (n > 0)
			text->len += (size_t)n;
		else if (n < 0 && errno == EINTR)
			n = 1;
	}
	if (n < 0)
		stage_die(&a->stage, fd < 0 || errno == EISDIR ? EX_SETUP :
		    EX_SYSTEM, "cannot read '%s': %s", path, strerror(errno));
	if (text->len > REGISTRY_MAX_BYTES)
		stage_die(&a->stage, EX_SETUP, "'%s' is larger than 256 MiB",
		    path);
	if (!is_stdin)
		close(fd);
}

static void
set_ca(struct draft *d, const char *path)
{
	struct error e;

	d->ca.len = 0;
	if (!is_default(path)) {
		read_input(d->admin, path, &d->ca);
		if (cert_check_ca(buf_bytes(&d->ca), &e) != 0)
			stage_die(&d->admin->stage, EX_SETUP, "%s: %s", path,
			    e.text);
	}
	d->w.ca = buf_bytes(&d->ca);
}

static void
each_name(struct draft *d, const char *option, const char *text,
    void (*each)(struct draft *, struct span))
{
	size_t n = 0;

	for (;;) {
		size_t len = strcspn(text, ",");
		struct span item = url_trim((struct span){ text, len });

		if (item.len)
			each(d, item);
		n += item.len != 0;
		if (!text[len])
			break;
		text += len + 1;
	}
	if (n == 0)
		admin_misuse(d->admin, "--%s: names no event", option);
}

static void
apply(struct draft *d, const struct admin_change *c)
{
	struct webhook *w = &d->w;

	switch (c->option) {
	case ADMIN_ID:
		w->id = span_of(c->text);
		if (w->id.len == 0)
			admin_misuse(d->admin, "--id is empty");
		break;
	case ADMIN_URL:
		w->url = span_of(c->text);
		break;
	case ADMIN_DESCRIPTION:
		w->description = span_of(c->text);
		break;
	case ADMIN_SUBSCRIBE:
		each_name(d, "subscribe", c->text, add_subscription);
		break;
	case ADMIN_UNSUBSCRIBE:
		each_name(d, "unsubscribe", c->text,
		    remove_subscription);
		break;
	case ADMIN_ATTRIBUTE:
		set_pair(&w->attributes, &w->n_attributes, &d->cap_attributes,
		    split_pair(d, "attribute", c->text, '='), false);
		break;
	case ADMIN_REMOVE_ATTRIBUTE:
		remove_pair(d, w->attributes, &w->n_attributes, c->text,
		    "attribute");
		break;
	case ADMIN_HEADER:
		set_pair(&w->headers, &w->n_headers, &d->cap_headers,
		    split_pair(d, "header", c->text, ':'), true);
		break;
	case ADMIN_REMOVE_HEADER:
		remove_pair(d, w->headers, &w->n_headers, c->text, "header");
		break;
	case ADMIN_TIMEOUT:
		set_timeout(d, c->text);
		break;
	case ADMIN_CONCURRENCY:
		set_concurrency(d, c->text);
		break;
	case ADMIN_CA:
		set_ca(d, c->text);
		break;
	case ADMIN_RATE:
		set_rate(d, c->text);
		break;
	case ADMIN_ORDER:
		set_order(d, c->text);
		break;
	case ADMIN_RETRY:
		set_retry(d, c->text);
		break;
	case ADMIN_FILTER:
		w->filter = span_of(c->text);
		break;
	case ADMIN_TRANSFORM:
		w->transform = span_of(c->text);
		break;
	default:
		w->disabled = true;
	}
}

static void *
copy_array(const void *p, size_t n, size_t size)
{
	void *copy = alloc_zero(n, size);

	if (n)
		memcpy(copy, p, n * size);
	return copy;
}

static void
draft_init(struct draft *d, struct admin *a, const struct webhook *from)
{
	struct webhook *w = &d->w;

	*d = (struct draft){ .admin = a };
	if (from)
		*w = *from;
	w->subscriptions = copy_array(w->subscriptions, w->n_subscriptions,
	    sizeof(*w->subscriptions));
	w->attributes = copy_array(w->attributes, w->n_attributes,
	    sizeof(*w->attributes));
	w->headers = copy_array(w->headers, w->n_headers, sizeof(*w->headers));
	d->cap_subscriptions = w->n_subscriptions;
	d->cap_attributes = w->n_attributes;
	d->cap_headers = w->n_headers;
}

static void
draft_clear(struct draft *d)
{
	free(d->w.subscriptions);
	free(d->w.attributes);
	free(d->w.headers);
	buf_clear(&d->ca);
}

/* The draft with all changes, checked: the only one of *list. */
static void
draft_finish(struct draft *d, struct webhooks *list)
{
	struct admin *a = d->admin;
	struct buf text = { 0 }, reasons = { 0 };
	struct json json;
	struct json_error e;
	size_t i;

	for (i = 0; i < a->n_changes; i++)
		apply(d, &a->changes[i]);
	json_init(&json);
	webhook_put_json(&d->w, &text);
	if (json_read(&json, buf_str(&text), text.len, &e) != 0)
		stage_die(&a->stage, EX_SETUP, "an option is not UTF-8");
	if (webhooks_add(list, &json, 0, &reasons) != 0 ||
	    webhooks_finish(list, &reasons) != 0 ||
	    transforms_check(list, &reasons) != 0)
		die_bad(a, a->command, &reasons);
	if (a->given & ADMIN_BIT(ADMIN_SUBSCRIBE))
		admin_warn_subscriptions(a, &list->list[0]);
	json_clear(&json);
	buf_clear(&text);
	buf_clear(&reasons);
}

static bool
is_json(struct span text)
{
	struct json json;
	struct json_error e;
	bool good;

	json_init(&json);
	good = json_read(&json, text.p, text.len, &e) == 0;
	json_clear(&json);
	return good;
}

/* Cut the next line off *rest, and its end, which it is without. */
static struct span
next_line(struct span *rest)
{
	const char *nl = memchr(rest->p, '\n', rest->len);
	struct span line = { rest->p, nl ? (size_t)(nl - rest->p) :
	    rest->len };

	rest->p += line.len + (nl != NULL);
	rest->len -= line.len + (nl != NULL);
	return line;
}

/*
 * A line each, as list writes them, or one object: make an array of it, with
 * the same lines.
 */
static void
wrap_objects(struct buf *text)
{
	struct buf array = { 0 };
	struct span rest = url_trim(buf_bytes(text)), first = rest, line;
	bool each;

	if (rest.len == 0 || rest.p[0] != '{')
		return;
	each = is_json(next_line(&first));
	rest.len += (size_t)(rest.p - text->p); /* with blank lines before */
	rest.p = text->p;
	buf_putc(&array, '[');
	while (rest.len) {
		line = next_line(&rest);
		buf_span(&array, line);
		if (each && rest.len && url_trim(line).len)
			buf_putc(&array, ',');
		buf_putc(&array, '\n');
	}
	buf_putc(&array, ']');
	buf_clear(text);
	*text = array;
}

/* The webhooks of a file in any form, or of stdin; all good, or it dies. */
static void
read_webhooks(struct admin *a, const char *path, struct webhooks *list)
{
	const char *what = strcmp(path, "-") == 0 ? "stdin" : path;
	struct buf text = { 0 }, reasons = { 0 };
	struct registry_store *s;
	struct error e;

	read_input(a, path, &text);
	if (text.len >= 16 && memcmp(text.p, "SQLite format 3", 16) == 0) {
		if (strcmp(path, "-") == 0)
			stage_die(&a->stage, EX_SETUP, "stdin: an SQLite file, "
			    "which is read by its name alone");
		text.len = 0;
		must(a, path, registry_store_open(&s, path, REGISTRY_READ,
		    BUSY_MS, &e), &e);
		must(a, path, registry_store_text(s, &text, &e), &e);
		registry_store_close(s);
	}
	wrap_objects(&text);
	if (webhooks_read(list, buf_bytes(&text), &reasons) != 0 ||
	    transforms_check(list, &reasons) != 0)
		die_bad(a, what, &reasons);
	admin_warn_unknown(a, what, buf_bytes(&text));
	buf_clear(&text);
	buf_clear(&reasons);
}

static void
refuse_known(struct admin *a, const struct webhooks *before,
    const struct webhook *w)
{
	if (!webhooks_find(before, w->id))
		return;
	diag_print(&a->stage.diag, DIAG_ERROR, "there is a webhook '%.*s' "
	    "already: %s", (int)w->id.len, w->id.p, w->derived_id ?
	    "its url is the same; give this one an --id of its own" :
	    "change it with 'set'");
	a->stage.code = EX_SETUP;
}

/* Says the ids, which may have been made here. */
static void
add_list(struct admin *a, const struct webhooks *list)
{
	struct change c;
	size_t i;

	begin(&c, a, REGISTRY_CREATE);
	for (i = 0; i < list->n; i++)
		refuse_known(a, &c.before, &list->list[i]);
	for (i = 0; i < list->n && a->stage.code == EX_ALL_WELL; i++)
		put(&c, &list->list[i]);
	end(&c);
	for (i = 0; i < list->n && a->stage.code == EX_ALL_WELL; i++)
		(void)out_line(&a->stage.out, list->list[i].id);
}

void
admin_add(struct admin *a)
{
	struct webhooks list = { 0 };
	struct draft d;

	if (a->n_operands && strcmp(a->operands[0], "-") == 0) {
		if (a->n_changes)
			admin_misuse(a, "add: options or '-', not both");
		read_webhooks(a, "-", &list);
	} else if (a->n_operands) {
		admin_misuse(a, "add: unknown operand '%s'", a->operands[0]);
	} else {
		uint64_t needed = ADMIN_BIT(ADMIN_URL) |
		    ADMIN_BIT(ADMIN_SUBSCRIBE);

		if ((a->given & needed) != needed)
			admin_misuse(a, "add: needs --url and --subscribe");
		draft_init(&d, a, NULL);
		draft_finish(&d, &list);
		draft_clear(&d);
	}
	add_list(a, &list);
	webhooks_clear(&list);
}

void
admin_set(struct admin *a)
{
	const struct webhook *old;
	struct webhooks list = { 0 };
	struct change c;
	struct draft d;

	if (a->n_changes == 0)
		admin_misuse(a, "set: nothing to set");
	begin(&c, a, REGISTRY_WRITE);
	old = admin_find(a, &c.before, a->operands[0]);
	if (old) {
		draft_init(&d, a, old);
		draft_finish(&d, &list);
		draft_clear(&d);
		put(&c, &list.list[0]);
	}
	end(&c);
	webhooks_clear(&list);
}

static void
set_disabled(struct admin *a, bool disabled)
{
	struct change c;
	char **id;

	begin(&c, a, REGISTRY_WRITE);
	for (id = a->operands; *id; id++) {
		const struct webhook *old = admin_find(a, &c.before, *id);
		struct webhook w;

		if (!old)
			continue;
		w = *old;
		w.disabled = disabled;
		put(&c, &w);
	}
	end(&c);
}

/* What delivering found out about them, too. */
static void
clear_states(struct admin *a)
{
	struct queue *q = NULL;
	struct error e;
	char **id;
	int r = queue_open(&q, a->queue_path, &e);

	if (r < 0)
		stage_die(&a->stage, r == -1 ? EX_SETUP : EX_SYSTEM, "%s",
		    e.text);
	r = queue_begin(q, true, &e);
	for (id = a->operands; *id && r == 0; id++)
		if (queue_enable(q, span_of(*id), clock_wall_ms(), &e) < 0)
			r = -1;
	if (r < 0 || queue_commit(q, &e) < 0)
		stage_die(&a->stage, EX_SYSTEM, "%s", e.text);
	queue_close(q);
}

static bool
any_disabled(struct admin *a)
{
	struct registry r;
	bool any = false;
	char **id;

	admin_load(a, &r);
	for (id = a->operands; *id; id++) {
		const struct webhook *w = admin_find(a, &r.webhooks, *id);

		any |= w && w->disabled;
	}
	registry_close(&r);
	return any && a->stage.code == EX_ALL_WELL;
}

/* A registry that says so already need not be one that can be written. */
void
admin_enable(struct admin *a)
{
	if (!a->queue_path || any_disabled(a))
		set_disabled(a, false);
	if (a->queue_path && a->stage.code == EX_ALL_WELL)
		clear_states(a);
}

void
admin_disable(struct admin *a)
{
	set_disabled(a, true);
}

/* Another webhook may get the id of one that is gone, but not its secrets. */
static void
forget_secrets(struct admin *a)
{
	struct registry r;

	if (a->stage.code != EX_ALL_WELL)
		return;
	admin_load(a, &r);
	admin_forget_secrets(a, &r.webhooks);
	registry_close(&r);
}

void
admin_remove(struct admin *a)
{
	struct change c;
	struct error e;
	char **id;

	begin(&c, a, REGISTRY_WRITE);
	for (id = a->operands; *id; id++)
		if (admin_find(a, &c.before, *id))
			must_change(&c, registry_store_remove(c.store,
			    span_of(*id), &e), &e);
	end(&c);
	forget_secrets(a);
}

void
admin_import(struct admin *a)
{
	struct webhooks list = { 0 };
	struct change c;
	struct error e;
	size_t i, known = 0;

	read_webhooks(a, a->operands[0], &list);
	begin(&c, a, REGISTRY_CREATE);
	if (a->given & ADMIN_BIT(ADMIN_REPLACE))
		must_change(&c, registry_store_remove_all(c.store, &e), &e);
	for (i = 0; i < list.n; i++) {
		known += webhooks_find(&c.before, list.list[i].id) != NULL;
		put(&c, &list.list[i]);
	}
	end(&c);
	if (a->given & ADMIN_BIT(ADMIN_REPLACE))
		forget_secrets(a);
	if (a->stage.diag.verbose)
		diag_print(&a->stage.diag, DIAG_INFO, "%zu webhooks: %zu new, "
		    "%zu known before", list.n, list.n - known, known);
	webhooks_clear(&list);
}
