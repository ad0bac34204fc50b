/*
 * The event queue on RabbitMQ: connections that are lost and made again, what is
 * on its way out until it is confirmed, and what came in until it is settled. Tags
 * grow over all connections: those of an earlier one mean nothing to the broker,
 * which gives the events again.
 */
#include "store/events_kind.h"

#include <poll.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "base/uuid.h"
#include "event/event.h"
#include "json/write.h"
#include "store/letters.h"
#include "store/tags.h"

enum {
	MAX_HELD_BYTES = 16 << 20, /* come in and not given; then less is read */
	MIN_WAIT_MS = 100,         /* before another round of the hosts, doubled */
	MAX_WAIT_MS = 10 * 1000,
	MAX_DOUBLED = 7,
	TURN_MS = 1000,            /* of waiting for a confirm */
	POST_MS = 50,              /* the same while a command waits, too */
	CONFIRM_MS = 30 * 1000,    /* for dead letters to be confirmed */
	BURY_MS = 1000,            /* then the events behind go on meanwhile */
	BLOCKED_FACTOR = 10,       /* so much more patience with alarms */
	QUIET_MS = 1000,           /* then what the broker has is with us */
	SWEEP_KEPT = 1024,
};

/* A connection that is made again when it is lost. */
struct link {
	struct amqp *c;          /* NULL: not connected */
	size_t host;             /* connected to, or to be tried next */
	unsigned n_failures;     /* in a row */
	int64_t retry_ms;
	struct error why;        /* the last try to connect failed; told */
	bool lost;               /* and that, too */
};

/* What came in. */
struct given {
	int64_t tag;
	size_t at, len; /* in held */
	const char *unfit;
};

/* The properties of what came in, until it is settled. */
struct kept {
	int64_t tag;
	size_t at, len; /* in properties */
};

struct broker {
	struct events events;
	struct amqp_url url;
	struct events_wishes wishes;
	/* A connection that publishes is not heard while the broker is short of
	 * memory or disk: a puller's letters are not to hold its acks up. */
	struct link main, aside;
	struct link *out;        /* which of them publishes */
	uint64_t n_connections;  /* of main */
	bool blocked, pulls, counts;
	int64_t quiet_ms;        /* with wishes.drain: when nothing came for */
	bool quiet;              /* long enough; it did not */
	bool eager;              /* the library may have read on: look there */

	struct letters letters;
	const char *refused;
	int64_t confirm_ms;      /* until when a puller's are to be confirmed, */
	int64_t look_ms;         /* and when to look whether they are */

	struct tags tags;
	struct buf held, scratch;
	struct given *given;
	size_t first_given, n_given, cap_given;
	struct buf properties;
	struct kept *kept;
	size_t n_kept, cap_kept, sweep_at;
	struct event event;
	struct fault fault;
};

static const struct events_kind amqp_kind;

static void
tell(struct broker *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
tell(struct broker *b, const char *fmt, ...)
{
	struct buf text = { 0 };
	va_list ap;

	if (!b->wishes.tell)
		return;
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	b->wishes.tell(b->wishes.ctx, buf_str(&text));
	buf_clear(&text);
}

/* Connections */

/* A round of the hosts without a pause, then later and later, each his own time. */
static void
try_later(struct broker *b, struct link *l)
{
	unsigned round = (unsigned)(++l->n_failures / b->url.n_hosts);
	int64_t wait_ms = (int64_t)MIN_WAIT_MS << (round < MAX_DOUBLED ?
	    round : MAX_DOUBLED);
	char digits[2] = { '0', '0' };

	if (wait_ms > MAX_WAIT_MS)
		wait_ms = MAX_WAIT_MS;
	/* Who pushes seldom asks: he is to find the broker when it is back. */
	if (!b->pulls && wait_ms > b->wishes.patience_ms / 3)
		wait_ms = b->wishes.patience_ms / 3;
	(void)random_hex(digits, 1);
	wait_ms += wait_ms * (digits[0] & 15) / 16;
	l->retry_ms = clock_mono_ms() + (round ? wait_ms : 0);
	l->host = (l->host + 1) % b->url.n_hosts;
}

static void
disconnect(struct broker *b, struct link *l)
{
	amqp_close(l->c);
	l->c = NULL;
	if (l == b->out) {
		b->blocked = false;
		letters_restart(&b->letters);
	}
	if (l != &b->main)
		return;
	/* The broker gives them again, also those of which letters are out. */
	tags_restart(&b->tags);
	b->n_kept = b->properties.len = 0;
	b->held.len = b->first_given = b->n_given = 0;
	if (b->out != l) {
		disconnect(b, b->out);
		letters_empty(&b->letters);
	}
}

static void
lose(struct broker *b, struct link *l, const struct error *e)
{
	tell(b, "%s: %s; connecting again", b->url.hosts[l->host].name,
	    e->text);
	l->lost = true;
	disconnect(b, l);
	try_later(b, l);
}

static void listen_on(struct broker *);
static void on_delivered(void *, uint64_t, struct span, struct span,
    struct span);
static void on_confirmed(void *, uint64_t, bool);
static void on_refused(void *, const char *);
static void on_blocked(void *, bool);
static bool is_full(void *);

static void
begin(struct broker *b)
{
	b->n_connections++;
	b->counts = true;
	b->eager = true;
	if (b->pulls)
		listen_on(b);
}

/* To the host whose turn it is. */
static int
connect_once(struct broker *b, struct link *l, struct error *e)
{
	const struct amqp_events on = { on_delivered, on_confirmed, on_refused,
		on_blocked, is_full, b };

	l->c = amqp_open(&b->url, l->host, &on, e);
	if (l->c && l == &b->main && b->pulls && amqp_consume(l->c, e) < 0)
		disconnect(b, l);
	if (!l->c) {
		try_later(b, l);
		return -1;
	}
	l->why.text[0] = '\0';
	if (l == b->out)
		letters_restart(&b->letters);
	if (l == &b->main)
		begin(b);
	if (l->lost)
		tell(b, "connected to %s", b->url.hosts[l->host].name);
	l->lost = false;
	return 0;
}

/* To any. */
static int
connect_any(struct broker *b, struct error *e)
{
	size_t i;

	for (i = 0; i < b->url.n_hosts && !b->main.c; i++)
		(void)connect_once(b, &b->main, e);
	return b->main.c ? 0 : -1;
}

static void
broker_close(struct events *events)
{
	struct broker *b = (struct broker *)events;

	amqp_close(b->main.c);
	amqp_close(b->aside.c);
	amqp_url_clear(&b->url);
	letters_clear(&b->letters);
	tags_clear(&b->tags);
	event_clear(&b->event);
	fault_clear(&b->fault);
	buf_clear(&b->held);
	buf_clear(&b->scratch);
	buf_clear(&b->properties);
	free(b->given);
	free(b->kept);
	free(b);
}

/* Out */

static void
on_confirmed(void *ctx, uint64_t n, bool multiple)
{
	struct broker *b = ctx;

	b->out->n_failures = 0;
	letters_confirm(&b->letters, n, multiple);
}

static void
on_refused(void *ctx, const char *why)
{
	((struct broker *)ctx)->refused = why;
}

static void
on_blocked(void *ctx, bool is_blocked)
{
	struct broker *b = ctx;

	b->blocked = is_blocked;
	tell(b, is_blocked ? "%s takes nothing at the moment: it is short of "
	    "memory or disk; waiting" : "%s takes events again",
	    b->url.hosts[b->out->host].name);
}

/* What there is to be said, and heard within wait_ms if there is nothing. */
static int
send_some(struct broker *b, int64_t wait_ms, struct error *e)
{
	int r = 0;

	if (!b->blocked)
		r = letters_publish(&b->letters, b->out->c, e);
	return r < 0 ? r : amqp_take(b->out->c, r ? 0 : wait_ms, e);
}

struct patience {
	int64_t ms, until_ms; /* what is left of it begins anew behind an alarm */
	int64_t last_ms;
};

static int64_t
left_of(struct patience *p, bool blocked)
{
	int64_t now_ms = clock_mono_ms();

	if (blocked)
		p->until_ms = clock_earlier(now_ms + p->ms, p->last_ms);
	return p->until_ms - now_ms;
}

/* On this connection. 1: all are confirmed; 0: it took too long; or lost. */
static int
send_on(struct broker *b, struct patience *p, struct error *e)
{
	int64_t left_ms;
	int r;

	for (;;) {
		/* What no queue takes comes back, and is confirmed after that. */
		if (b->refused)
			return 0;
		if (letters_are_safe(&b->letters))
			return 1;
		left_ms = left_of(p, b->blocked);
		if (left_ms <= 0)
			return 0;
		r = send_some(b, clock_earlier(left_ms, TURN_MS), e);
		if (r < 0)
			return r;
	}
}

static void
sleep_until(int64_t ms)
{
	int left_ms;

	while ((left_ms = clock_left_ms(ms)) > 0)
		(void)poll(NULL, 0, left_ms);
}

static int
not_confirmed(const struct broker *b, struct error *e)
{
	return error_set(e, "%s: %s", b->events.shown, b->refused ? b->refused :
	    b->blocked ? "the broker is still short of memory or disk" :
	    "the broker does not confirm: are most of the queue's nodes up? "
	    "('rabbitmq-queues quorum_status' tells)");
}

/* Over as many connections as it takes, for as long as we have patience. */
static int
send_all(struct broker *b, int64_t patience_ms, struct error *e)
{
	int64_t now_ms = clock_mono_ms();
	struct patience p = { patience_ms, now_ms + patience_ms,
		now_ms + BLOCKED_FACTOR * patience_ms };
	int r = -1;

	b->refused = NULL;
	error_set(e, "%s: no connection; another will be tried later",
	    b->events.shown);
	while (r == -1) {
		if (!b->out->c && b->out->retry_ms > p.until_ms)
			return -1; /* the error is that of the last try */
		if (!b->out->c) {
			sleep_until(b->out->retry_ms);
			(void)connect_once(b, b->out, e);
			continue;
		}
		r = send_on(b, &p, e);
		if (r == -1)
			lose(b, b->out, e);
	}
	if (r == 1)
		return 0;
	if (r == 0)
		(void)not_confirmed(b, e);
	disconnect(b, b->out);
	return -1;
}

static int
broker_push(struct events *events, const struct events_item *items, size_t n,
    int64_t now_ms, struct events_pushed *pushed, struct error *e)
{
	struct broker *b = (struct broker *)events;
	size_t i;
	int r;

	(void)now_ms;
	for (i = 0; i < n; i++) {
		const struct amqp_message m = { .body = items[i].text,
			.id = items[i].id };

		letters_add(&b->letters, &m);
	}
	r = send_all(b, b->wishes.patience_ms, e);
	*pushed = (struct events_pushed){ .n = letters_n_safe(&b->letters),
		.unsure = r < 0 };
	letters_empty(&b->letters);
	return r;
}

/* In */

static void
listen_on(struct broker *b)
{
	b->quiet = false;
	b->quiet_ms = b->wishes.drain ? clock_mono_ms() + QUIET_MS : -1;
}

static bool
is_full(void *ctx)
{
	const struct broker *b = ctx;

	return b->held.len + b->letters.bytes >= MAX_HELD_BYTES;
}

/* The event with the message's id, where it has none. */
static void
put_id(struct broker *b, size_t at, struct span id)
{
	struct span text = b->event.text;
	size_t head = json_at(&b->event.json, 0)->pos + 1;

	b->scratch.len = 0;
	buf_add(&b->scratch, text.p, head);
	json_put_name(&b->scratch, "id");
	json_put_string(&b->scratch, id);
	buf_putc(&b->scratch, ',');
	buf_add(&b->scratch, text.p + head, text.len - head);
	b->held.len = at;
	buf_span(&b->held, buf_bytes(&b->scratch));
}

/* As a line: line ends in JSON are only blanks. */
static const char *
put_event(struct broker *b, struct span body, struct span id)
{
	size_t at = b->held.len, i;

	buf_span(&b->held, body);
	for (i = at; i < b->held.len; i++)
		if (b->held.p[i] == '\n' || b->held.p[i] == '\r')
			b->held.p[i] = ' ';
	(void)buf_room(&b->held, BUF_PAD);
	if (event_read(&b->event, (struct span){ b->held.p + at, body.len },
	    &b->fault) < 0)
		return strcmp(b->fault.reason, "not-json") == 0 ?
		    "not fed: it is no JSON" : NULL;
	if (!b->event.id && event_id_is_good(id) && utf8_valid(id))
		put_id(b, at, id);
	return NULL;
}

/* Forget those of what is settled. */
static void
sweep_kept(struct broker *b)
{
	size_t i, n = 0, at = 0;

	for (i = 0; i < b->n_kept; i++) {
		struct kept k = b->kept[i];

		if (tags_are_settled(&b->tags, k.tag))
			continue;
		memmove(b->properties.p + at, b->properties.p + k.at, k.len);
		b->kept[n++] = (struct kept){ k.tag, at, k.len };
		at += k.len;
	}
	b->n_kept = n;
	b->properties.len = at;
	b->sweep_at = 2 * n + SWEEP_KEPT;
}

static void
keep(struct broker *b, int64_t tag, struct span properties)
{
	if (b->n_kept >= b->sweep_at)
		sweep_kept(b);
	b->kept = alloc_grow(b->kept, &b->cap_kept, b->n_kept + 1,
	    sizeof(*b->kept));
	b->kept[b->n_kept++] = (struct kept){ tag, b->properties.len,
		properties.len };
	buf_span(&b->properties, properties);
}

static struct span
find_kept(const struct broker *b, int64_t tag)
{
	size_t i;

	for (i = 0; i < b->n_kept; i++)
		if (b->kept[i].tag == tag)
			return (struct span){ b->properties.p + b->kept[i].at,
				b->kept[i].len };
	return (struct span){ 0 };
}

static void
on_delivered(void *ctx, uint64_t n, struct span body, struct span id,
    struct span properties)
{
	struct broker *b = ctx;
	int64_t tag = tags_give(&b->tags, n);
	struct given *g;
	struct error e;

	b->main.n_failures = 0;
	listen_on(b);
	if (!body.p) {
		tell(b, "a message of more than 16 MiB goes where the queue's "
		    "policy sends it");
		(void)amqp_drop(b->main.c, n, &e); /* lost: seen when reading */
		tags_settle(&b->tags, tag, tag);
		return;
	}
	keep(b, tag, properties);
	b->given = alloc_grow(b->given, &b->cap_given, b->n_given + 1,
	    sizeof(*b->given));
	g = &b->given[b->n_given++];
	g->tag = tag;
	g->at = b->held.len;
	g->unfit = put_event(b, body, id);
	g->len = b->held.len - g->at;
}

static int
broker_lock(struct events *events, struct error *e)
{
	struct broker *b = (struct broker *)events;
	int r;

	b->pulls = b->eager = true;
	b->out = &b->aside;
	b->aside.host = b->main.host;
	letters_restart(&b->letters);
	listen_on(b);
	r = amqp_consume(b->main.c, e);
	if (r == -1)
		lose(b, &b->main, e);
	return r == AMQP_REFUSED ? -1 : 1;
}

static int
broker_fd(const struct events *events)
{
	struct broker *b = (struct broker *)(uintptr_t)events;

	return b->main.c && !is_full(b) ? amqp_fd(b->main.c) : -1;
}

static int64_t
broker_wake_ms(const struct events *events)
{
	const struct broker *b = (const struct broker *)events;

	if (!b->main.c)
		return b->main.retry_ms;
	if (b->eager)
		return 0;
	return clock_earlier(b->quiet ? -1 : b->quiet_ms, b->look_ms);
}

static int post(struct broker *, int64_t, struct error *);

static int
broker_heard(struct events *events, struct error *e)
{
	struct broker *b = (struct broker *)events;
	struct link *l = &b->main;
	int r = 0;

	if (!l->c && clock_mono_ms() >= l->retry_ms &&
	    connect_once(b, l, e) < 0 && strcmp(e->text, l->why.text) != 0) {
		tell(b, "%s; connecting again", e->text);
		l->why = *e;
	}
	b->eager = false;
	if (l->c && amqp_take(l->c, 0, e) < 0)
		lose(b, l, e);
	if (l->c && b->quiet_ms >= 0 && clock_mono_ms() >= b->quiet_ms)
		b->quiet = true;
	if (b->look_ms >= 0 && clock_mono_ms() >= b->look_ms)
		r = post(b, 0, e);
	return r;
}

static int
broker_count(struct events *events, struct events_counts *n, struct error *e)
{
	struct broker *b = (struct broker *)events;

	*n = (struct events_counts){ -1, -1 };
	if (!b->main.c || !b->counts)
		return 0;
	b->eager = true;
	if (amqp_count(b->main.c, false, &n->waiting, e) < 0 ||
	    amqp_count(b->main.c, true, &n->dead, e) < 0)
		b->counts = false; /* it may not be allowed to */
	if (n->waiting >= 0)
		n->waiting += (int64_t)(b->n_given - b->first_given);
	return 0;
}

static bool
broker_is_drained(struct events *events)
{
	struct broker *b = (struct broker *)events;
	struct events_counts n;
	struct error e;

	if (!b->main.c || !b->quiet || b->letters.n)
		return false;
	(void)broker_count(events, &n, &e);
	if (n.waiting <= 0)
		return true;
	listen_on(b);
	return false;
}

static int
broker_next(struct events *events, size_t max, size_t max_bytes,
    void (*give)(void *, const struct events_given *), void *ctx,
    struct error *e)
{
	struct broker *b = (struct broker *)events;
	bool was_full = is_full(b);
	size_t bytes = 0;
	int n = 0;

	while (b->first_given < b->n_given && (size_t)n < max &&
	    bytes < max_bytes) {
		const struct given *g = &b->given[b->first_given++];
		const struct events_given out = { g->tag, 0,
			{ b->held.p + g->at, g->len }, g->unfit };

		bytes += g->len;
		n++;
		give(ctx, &out);
	}
	if (b->first_given < b->n_given)
		return n;
	b->held.len = b->first_given = b->n_given = 0;
	/* What the library has read shows on no descriptor. */
	if (was_full)
		(void)broker_heard(events, e);
	return n;
}

static int
send_ack(void *ctx, uint64_t n, bool multiple)
{
	struct broker *b = ctx;
	struct error e;
	int r = amqp_ack(b->main.c, n, multiple, &e);

	if (r < 0)
		lose(b, &b->main, &e);
	return r;
}

static int64_t
broker_stale(const struct events *events)
{
	return ((const struct broker *)events)->tags.base;
}

static int
broker_ack(struct events *events, int64_t from, int64_t to, struct error *e)
{
	struct broker *b = (struct broker *)events;

	(void)e;
	/* If it is lost they come again. */
	if (b->main.c)
		(void)tags_ack(&b->tags, from, to, send_ack, b);
	return 0;
}

/* Dead letters */

/* They are safe: the events that they were may go. */
static void
settle_letters(struct broker *b)
{
	size_t i;

	for (i = 0; i < b->letters.n; i++) {
		struct letter *l = &b->letters.all[i];
		int64_t tag = l->tag;

		if (!l->confirmed || !tag)
			continue;
		l->tag = 0;
		tags_release(&b->tags, tag);
		if (tags_ack(&b->tags, tag, tag, send_ack, b) < 0)
			return; /* and with the connection they are gone */
		b->eager = true;
	}
	if (letters_are_safe(&b->letters))
		letters_empty(&b->letters);
}

/* One step, in at most wait_ms. 0, or the letters can't be sent. */
static int
post_some(struct broker *b, int64_t wait_ms, struct error *e)
{
	struct link *l = b->out;
	int r;

	if (!l->c && clock_mono_ms() < l->retry_ms)
		sleep_until(clock_mono_ms() + wait_ms);
	else if (!l->c)
		(void)connect_once(b, l, &l->why);
	if (!l->c)
		return 0;
	r = send_some(b, wait_ms, e);
	if (r == -1)
		lose(b, l, e);
	return r == AMQP_REFUSED ? -1 : 0;
}

/*
 * Send the letters, and wait for it until then; what is left is looked after
 * later. While the broker takes nothing that is as long as it takes.
 */
static int
post(struct broker *b, int64_t until_ms, struct error *e)
{
	int64_t now_ms = clock_mono_ms();

	do {
		if (post_some(b, until_ms > now_ms ? POST_MS : 0, e) < 0)
			return -1;
		if (b->refused)
			return not_confirmed(b, e);
		settle_letters(b);
		b->look_ms = -1;
		if (b->letters.n == 0)
			return 0;
		now_ms = clock_mono_ms();
		b->look_ms = now_ms + TURN_MS;
		if (b->blocked) {
			b->confirm_ms = now_ms + CONFIRM_MS;
			return 0;
		}
	} while (now_ms < until_ms);
	if (now_ms < b->confirm_ms)
		return 0;
	if (b->out->c)
		return not_confirmed(b, e);
	*e = b->out->why;
	return -1;
}

/* Nobody looked after it since the last letter. */
static void
look_aside(struct broker *b)
{
	struct error e;

	if (b->letters.n || !b->out->c)
		return;
	if (amqp_take(b->out->c, 0, &e) < 0)
		disconnect(b, b->out);
}

/* Published to them before it is acknowledged here. */
static int
broker_bury(struct events *events, const struct events_dead *d,
    struct error *e)
{
	struct broker *b = (struct broker *)events;
	const struct amqp_dead dead = { d->time_ms, d->deaths, d->status,
		d->said };
	const struct amqp_message m = { .body = d->text, .dead = &dead,
		.properties = find_kept(b, d->tag) };
	int64_t now_ms = clock_mono_ms();

	if (!b->main.c || d->tag <= b->tags.base)
		return 0; /* it comes again */
	look_aside(b);
	if (b->letters.n == 0)
		b->confirm_ms = now_ms + CONFIRM_MS;
	letters_keep(&b->letters, &m, d->tag);
	tags_hold(&b->tags, d->tag);
	if (post(b, b->blocked ? 0 : now_ms + BURY_MS, e) < 0)
		return -1;
	return b->letters.n > 0;
}

static int
broker_each_dead(struct events *events,
    void (*give)(void *, const struct events_dead *), void *ctx,
    struct error *e)
{
	struct broker *b = (struct broker *)events;
	struct events_dead out = { 0 };
	struct amqp_message m;
	struct amqp_dead d;
	uint64_t tag;
	int r;

	while ((r = amqp_get_dead(b->main.c, &tag, &m, &d, e)) == 1) {
		out.tag++;
		out.deaths = d.deaths;
		out.time_ms = d.time_ms;
		out.status = d.status;
		out.said = d.said;
		out.text = m.body;
		give(ctx, &out);
	}
	/* So they all go back. */
	disconnect(b, &b->main);
	return r;
}

static int
requeue_one(struct broker *b, uint64_t tag, const struct amqp_message *m,
    struct error *e)
{
	uint64_t connection = b->n_connections;
	int r;

	letters_add(&b->letters, m);
	r = send_all(b, CONFIRM_MS, e);
	letters_empty(&b->letters);
	if (r < 0)
		return -1;
	return b->n_connections == connection ?
	    amqp_ack(b->main.c, tag, false, e) :
	    error_set(e, "the connection was lost");
}

/* Is the letter of that number among those wanted? It is found then. */
static bool
is_wanted(int64_t number, int64_t *tags, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (tags[i] == number) {
			tags[i] = 0;
			return true;
		}
	}
	return n == 0;
}

static int64_t
last_of(const int64_t *tags, size_t n)
{
	int64_t last = n ? 0 : INT64_MAX;

	while (n > 0)
		if (tags[--n] > last)
			last = tags[n];
	return last;
}

/* Numbers are places in the queue: all are found before one changes. */
static int
broker_requeue(struct events *events, int64_t *tags, size_t n_tags,
    struct error *e)
{
	struct broker *b = (struct broker *)events;
	struct amqp_message m;
	struct amqp_dead d;
	struct error why;
	uint64_t tag;
	int64_t number = 0, last;
	int n = 0, r = 0;

	/* Not those that die meanwhile. */
	if ((!b->main.c && connect_any(b, e) < 0) ||
	    amqp_count(b->main.c, true, &last, e) < 0)
		return -1;
	if (last > last_of(tags, n_tags))
		last = last_of(tags, n_tags);
	while (number < last && r >= 0) {
		r = amqp_get_dead(b->main.c, &tag, &m, &d, &why);
		if (r == 1 && is_wanted(++number, tags, n_tags)) {
			r = requeue_one(b, tag, &m, &why);
			n += r == 0;
		} else if (r == 0) {
			break;
		}
	}
	disconnect(b, &b->main);
	if (r < 0)
		return error_set(e, "%s; %d letters are back, and the next may "
		    "be, too: their numbers have changed, see --dead",
		    why.text, n);
	return n;
}

static int
broker_declare(struct events *events, struct error *e)
{
	return amqp_declare(((struct broker *)events)->main.c, e);
}

static const struct events_kind amqp_kind = {
	.close = broker_close, .push = broker_push, .lock = broker_lock,
	.fd = broker_fd, .wake_ms = broker_wake_ms, .heard = broker_heard,
	.next = broker_next, .is_drained = broker_is_drained,
	.stale = broker_stale, .ack = broker_ack, .count = broker_count,
	.bury = broker_bury, .each_dead = broker_each_dead,
	.requeue = broker_requeue, .declare = broker_declare,
};

int
events_open_amqp(struct events **events, const char *url,
    const struct events_wishes *w, struct error *e)
{
	struct broker *b = alloc_zero(1, sizeof(*b));
	struct error why;
	char digits[2] = { '0', '0' };

	b->events.kind = &amqp_kind;
	b->quiet_ms = b->look_ms = -1;
	b->out = &b->main;
	letters_restart(&b->letters);
	b->wishes = *w;
	event_init(&b->event);
	if (amqp_url_parse(&b->url, url, e) < 0) {
		broker_close(&b->events);
		return -1;
	}
	/* Not all to the first one. */
	(void)random_hex(digits, 1);
	b->main.host = (size_t)(digits[0] & 15) % b->url.n_hosts;
	if (connect_any(b, &why) < 0) {
		error_set(e, "%s: %s", b->url.shown, why.text);
		broker_close(&b->events);
		return -2;
	}
	b->events.shown = alloc_copy(b->url.shown, strlen(b->url.shown));
	b->events.name = alloc_copy(b->url.queue, strlen(b->url.queue));
	*events = &b->events;
	return 0;
}
