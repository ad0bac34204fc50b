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
#include "store/amqp.h"

enum {
	MAX_HELD_BYTES = 16 << 20, /* come in and not given; then less is read */
	MIN_WAIT_MS = 100,         /* before another round of the hosts, doubled */
	MAX_WAIT_MS = 10 * 1000,
	MAX_DOUBLED = 7,
	TURN_MS = 1000,            /* of waiting for a confirm */
	BURY_MS = 30 * 1000,
	QUIET_MS = 1000,           /* then what the broker has is with us */
};

/* What goes out. */
struct letter {
	struct span body, id;
	const struct amqp_dead *dead; /* NULL: an event */
	bool confirmed;
};

/* What came in. */
struct given {
	int64_t tag;
	size_t at, len; /* in held */
	const char *unfit;
};

struct range {
	int64_t from, to;
};

struct broker {
	struct events events;
	struct amqp_url url;
	struct events_wishes wishes;
	struct amqp *c;          /* NULL: not connected */
	size_t host;             /* connected to, or to be tried next */
	unsigned n_failures;     /* in a row */
	int64_t retry_ms;
	uint64_t n_connections;  /* so far */
	struct error why;        /* the last try to connect failed; told */
	bool lost, blocked, pulls, counts;
	int64_t quiet_ms;        /* with wishes.drain: when nothing came for */
	bool quiet;              /* long enough; it did not */
	bool eager;              /* the library may have read on: look there */

	struct letter *letters;
	size_t n_letters, cap_letters, n_confirmed;
	size_t published[AMQP_WINDOW]; /* the n-th on this connection, modulo */
	uint64_t first, last;    /* of them, the first one that may be open */
	const char *refused;

	int64_t base, last_tag;  /* of the last connection's; of all */
	int64_t settled;         /* all tags up to it are, and these: */
	struct range *done;
	size_t n_done, cap_done;
	struct buf held, scratch;
	struct given *given;
	size_t first_given, n_given, cap_given;
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
try_later(struct broker *b)
{
	unsigned round = (unsigned)(++b->n_failures / b->url.n_hosts);
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
	b->retry_ms = clock_mono_ms() + (round ? wait_ms : 0);
	b->host = (b->host + 1) % b->url.n_hosts;
}

static void
disconnect(struct broker *b)
{
	amqp_close(b->c);
	b->c = NULL;
	b->blocked = false;
	/* The broker gives them again. */
	b->base = b->settled = b->last_tag;
	b->n_done = 0;
	b->held.len = b->first_given = b->n_given = 0;
}

static void
lose(struct broker *b, const struct error *e)
{
	tell(b, "%s: %s; connecting again", b->url.hosts[b->host].name,
	    e->text);
	b->lost = true;
	disconnect(b);
	try_later(b);
}

static void listen_on(struct broker *);
static void on_delivered(void *, uint64_t, struct span, struct span);
static void on_confirmed(void *, uint64_t, bool);
static void on_refused(void *, const char *);
static void on_blocked(void *, bool);
static bool is_full(void *);

/* To the host whose turn it is. */
static int
connect_once(struct broker *b, struct error *e)
{
	const struct amqp_events on = { on_delivered, on_confirmed, on_refused,
		on_blocked, is_full, b };

	b->c = amqp_open(&b->url, b->host, &on, e);
	if (b->c && b->pulls && amqp_consume(b->c, e) < 0)
		disconnect(b);
	if (!b->c) {
		try_later(b);
		return -1;
	}
	b->n_connections++;
	b->why.text[0] = '\0';
	if (b->pulls)
		listen_on(b);
	b->eager = true;
	b->first = 1;
	b->last = 0;
	b->counts = true;
	if (b->lost)
		tell(b, "connected to %s", b->url.hosts[b->host].name);
	b->lost = false;
	return 0;
}

/* To any. */
static int
connect_any(struct broker *b, struct error *e)
{
	size_t i;

	for (i = 0; i < b->url.n_hosts && !b->c; i++)
		(void)connect_once(b, e);
	return b->c ? 0 : -1;
}

static void
broker_close(struct events *events)
{
	struct broker *b = (struct broker *)events;

	amqp_close(b->c);
	amqp_url_clear(&b->url);
	event_clear(&b->event);
	fault_clear(&b->fault);
	buf_clear(&b->held);
	buf_clear(&b->scratch);
	free(b->letters);
	free(b->done);
	free(b->given);
	free(b);
}

/* Out */

static void
on_confirmed(void *ctx, uint64_t n, bool multiple)
{
	struct broker *b = ctx;
	uint64_t i;

	b->n_failures = 0;
	for (i = multiple ? b->first : n; i <= n && i <= b->last; i++) {
		struct letter *l = &b->letters[b->published[i % AMQP_WINDOW]];

		b->n_confirmed += !l->confirmed;
		l->confirmed = true;
	}
	while (b->first <= b->last &&
	    b->letters[b->published[b->first % AMQP_WINDOW]].confirmed)
		b->first++;
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
	    b->url.hosts[b->host].name);
}

/* As many as may be open, from *next on, which are not confirmed yet. */
static int
publish(struct broker *b, size_t *next, struct error *e)
{
	for (; *next < b->n_letters && b->last + 1 < b->first + AMQP_WINDOW;
	    ++*next) {
		const struct letter *l = &b->letters[*next];

		if (l->confirmed)
			continue;
		b->published[++b->last % AMQP_WINDOW] = *next;
		if (amqp_publish(b->c, l->body, l->id, l->dead, e) < 0)
			return -1;
	}
	return 0;
}

/* On this connection. 1: all are confirmed; 0: it took too long; or lost. */
static int
send_on(struct broker *b, int64_t until_ms, struct error *e)
{
	size_t next = 0;
	int64_t left_ms;
	int r;

	for (;;) {
		if (publish(b, &next, e) < 0)
			return -1;
		/* What no queue takes comes back, and is confirmed after that. */
		if (b->refused)
			return 0;
		if (b->n_confirmed == b->n_letters)
			return 1;
		left_ms = until_ms - clock_mono_ms();
		if (left_ms <= 0 && !b->blocked)
			return 0;
		if (left_ms < -b->wishes.patience_ms * 10)
			return 0;
		r = amqp_take(b->c, left_ms > 0 && left_ms < TURN_MS ? left_ms :
		    TURN_MS, e);
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

/* Over as many connections as it takes, for as long as we have patience. */
static int
send_all(struct broker *b, int64_t patience_ms, struct error *e)
{
	int64_t until_ms = clock_mono_ms() + patience_ms;
	int r = -1;

	b->n_confirmed = 0;
	b->refused = NULL;
	error_set(e, "%s: no connection; another will be tried later",
	    b->events.shown);
	while (r == -1) {
		if (!b->c && b->retry_ms > until_ms)
			return -1; /* the error is that of the last try */
		if (!b->c) {
			sleep_until(b->retry_ms);
			(void)connect_once(b, e);
			continue;
		}
		r = send_on(b, until_ms, e);
		if (r == -1)
			lose(b, e);
	}
	if (r == 1)
		return 0;
	/* Confirms that come late must not be taken for those of others. */
	disconnect(b);
	if (r == AMQP_REFUSED)
		return -1;
	return error_set(e, "%s: %s", b->events.shown, b->refused ? b->refused :
	    "the broker does not confirm");
}

static struct letter *
add_letter(struct broker *b)
{
	b->letters = alloc_grow(b->letters, &b->cap_letters, b->n_letters + 1,
	    sizeof(*b->letters));
	b->letters[b->n_letters] = (struct letter){ .confirmed = false };
	return &b->letters[b->n_letters++];
}

static int
broker_push(struct events *events, const struct events_item *items, size_t n,
    int64_t now_ms, size_t *n_repeats, struct error *e)
{
	struct broker *b = (struct broker *)events;
	struct letter *l;
	size_t i;

	(void)now_ms;
	*n_repeats = 0;
	b->n_letters = 0;
	for (i = 0; i < n; i++) {
		l = add_letter(b);
		l->body = items[i].text;
		l->id = items[i].id;
	}
	return send_all(b, b->wishes.patience_ms, e);
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
	return ((struct broker *)ctx)->held.len >= MAX_HELD_BYTES;
}

static void
settle(struct broker *b, int64_t from, int64_t to)
{
	size_t i;

	b->done = alloc_grow(b->done, &b->cap_done, b->n_done + 1,
	    sizeof(*b->done));
	b->done[b->n_done++] = (struct range){ from, to };
	for (i = 0; i < b->n_done; i++) {
		if (b->done[i].from > b->settled + 1)
			continue;
		if (b->done[i].to > b->settled)
			b->settled = b->done[i].to;
		b->done[i] = b->done[--b->n_done];
		i = (size_t)-1; /* from the start: they are few */
	}
}

static bool
is_settled(const struct broker *b, int64_t tag)
{
	size_t i;

	for (i = 0; i < b->n_done; i++)
		if (b->done[i].from <= tag && tag <= b->done[i].to)
			return true;
	return tag <= b->settled;
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

static void
on_delivered(void *ctx, uint64_t tag, struct span body, struct span id)
{
	struct broker *b = ctx;
	struct given *g;
	struct error e;

	b->n_failures = 0;
	b->last_tag = b->base + (int64_t)tag;
	listen_on(b);
	if (!body.p) {
		tell(b, "a message of more than 16 MiB goes where the queue's "
		    "policy sends it");
		(void)amqp_drop(b->c, tag, &e); /* lost: seen when reading */
		settle(b, b->last_tag, b->last_tag);
		return;
	}
	b->given = alloc_grow(b->given, &b->cap_given, b->n_given + 1,
	    sizeof(*b->given));
	g = &b->given[b->n_given++];
	g->tag = b->last_tag;
	g->at = b->held.len;
	g->unfit = put_event(b, body, id);
	g->len = b->held.len - g->at;
}

static int
broker_lock(struct events *events, struct error *e)
{
	struct broker *b = (struct broker *)events;

	b->pulls = b->eager = true;
	listen_on(b);
	return amqp_consume(b->c, e) < 0 ? -1 : 1;
}

static int
broker_fd(const struct events *events)
{
	struct broker *b = (struct broker *)(uintptr_t)events;

	return b->c && !is_full(b) ? amqp_fd(b->c) : -1;
}

static int64_t
broker_wake_ms(const struct events *events)
{
	const struct broker *b = (const struct broker *)events;

	if (!b->c)
		return b->retry_ms;
	return b->eager ? 0 : b->quiet ? -1 : b->quiet_ms;
}

static int
broker_heard(struct events *events, struct error *e)
{
	struct broker *b = (struct broker *)events;

	if (!b->c && clock_mono_ms() >= b->retry_ms &&
	    connect_once(b, e) < 0 && strcmp(e->text, b->why.text) != 0) {
		tell(b, "%s; connecting again", e->text);
		b->why = *e;
	}
	b->eager = false;
	if (b->c && amqp_take(b->c, 0, e) < 0)
		lose(b, e);
	if (b->c && b->quiet_ms >= 0 && clock_mono_ms() >= b->quiet_ms)
		b->quiet = true;
	return 0;
}

static int
broker_count(struct events *events, struct events_counts *n, struct error *e)
{
	struct broker *b = (struct broker *)events;

	*n = (struct events_counts){ -1, -1 };
	if (!b->c || !b->counts)
		return 0;
	b->eager = true;
	if (amqp_count(b->c, false, &n->waiting, e) < 0 ||
	    amqp_count(b->c, true, &n->dead, e) < 0)
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

	if (!b->c || !b->quiet)
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

/* Those of this connection, one by one or as a whole. */
static int
ack(struct broker *b, int64_t from, int64_t to, struct error *e)
{
	int64_t tag;

	if (from == b->settled + 1)
		return amqp_ack(b->c, (uint64_t)(to - b->base), true, e);
	/* Those that were dropped when they came are among them. */
	for (tag = from; tag <= to; tag++)
		if (!is_settled(b, tag) &&
		    amqp_ack(b->c, (uint64_t)(tag - b->base), false, e) < 0)
			return -1;
	return 0;
}

static int
broker_ack(struct events *events, int64_t from, int64_t to, struct error *e)
{
	struct broker *b = (struct broker *)events;

	if (from <= b->base)
		from = b->base + 1;
	if (!b->c || from > to)
		return 0;
	if (ack(b, from, to, e) < 0)
		lose(b, e);
	else
		settle(b, from, to);
	return 0;
}

/* Dead letters */

/* Published to them before it is acknowledged here. */
static int
broker_bury(struct events *events, const struct events_dead *d,
    struct error *e)
{
	struct broker *b = (struct broker *)events;
	const struct amqp_dead dead = { d->time_ms, d->deaths, d->status,
		d->said };
	int64_t base = b->base;
	struct letter *l;

	if (!b->c || d->tag <= b->base)
		return 0; /* it comes again */
	b->n_letters = 0;
	l = add_letter(b);
	l->body = d->text;
	l->dead = &dead;
	if (send_all(b, BURY_MS, e) < 0)
		return -1;
	/* While it waited, events may have come in. */
	b->eager = true;
	return b->base == base ? broker_ack(events, d->tag, d->tag, e) : 0;
}

static int
broker_each_dead(struct events *events,
    void (*give)(void *, const struct events_dead *), void *ctx,
    struct error *e)
{
	struct broker *b = (struct broker *)events;
	struct events_dead out = { 0 };
	struct amqp_dead d;
	uint64_t tag;
	int r;

	while ((r = amqp_get_dead(b->c, &tag, &out.text, &d, e)) == 1) {
		out.tag++;
		out.deaths = d.deaths;
		out.time_ms = d.time_ms;
		out.status = d.status;
		out.said = d.said;
		give(ctx, &out);
	}
	/* So they all go back. */
	disconnect(b);
	return r;
}

static int
requeue_one(struct broker *b, uint64_t tag, struct span body, struct error *e)
{
	uint64_t connection = b->n_connections;
	struct letter *l;

	b->n_letters = 0;
	l = add_letter(b);
	l->body = body;
	if (send_all(b, BURY_MS, e) < 0)
		return -1;
	return b->n_connections == connection ? amqp_ack(b->c, tag, false, e) :
	    error_set(e, "the connection was lost: ask for it again");
}

static int
broker_requeue(struct events *events, int64_t wanted, struct error *e)
{
	struct broker *b = (struct broker *)events;
	struct amqp_dead d;
	struct span body;
	uint64_t tag;
	int64_t number = 0, last;
	int n = 0, r = 0;

	/* Not those that die meanwhile. */
	if ((!b->c && connect_any(b, e) < 0) ||
	    amqp_count(b->c, true, &last, e) < 0)
		return -1;
	if (wanted && wanted < last)
		last = wanted;
	while (number < last &&
	    (r = amqp_get_dead(b->c, &tag, &body, &d, e)) == 1) {
		if (++number != wanted && wanted)
			continue;
		if (requeue_one(b, tag, body, e) < 0)
			return -1;
		n++;
	}
	disconnect(b);
	return r < 0 ? -1 : n;
}

static int
broker_declare(struct events *events, struct error *e)
{
	return amqp_declare(((struct broker *)events)->c, e);
}

static const struct events_kind amqp_kind = {
	.close = broker_close, .push = broker_push, .lock = broker_lock,
	.fd = broker_fd, .wake_ms = broker_wake_ms, .heard = broker_heard,
	.next = broker_next, .is_drained = broker_is_drained,
	.ack = broker_ack, .count = broker_count,
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
	b->quiet_ms = -1;
	b->wishes = *w;
	event_init(&b->event);
	if (amqp_url_parse(&b->url, url, e) < 0) {
		broker_close(&b->events);
		return -1;
	}
	/* Not all to the first one. */
	(void)random_hex(digits, 1);
	b->host = (size_t)(digits[0] & 15) % b->url.n_hosts;
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
