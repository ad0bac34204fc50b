/*
 * The commands that show a delivery queue's history: what was delivered, what was
 * not, each attempt, counts.
 */
#include <errno.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "cmd/admin-history.h"
#include "cmd/signals.h"
#include "json/write.h"

enum {
	DEFAULT_LIMIT = 50,            /* for people; records have none */
	STATS_MS = 24 * 3600 * 1000,   /* of stats, unless --since */
	SHOWN_ANSWER_BYTES = 1024,
	SORTED_ROWS = 2000,            /* of 64 KiB: some seconds */
	UNSORTED_MS = 10 * 1000,
};

#define MAX_AGO_MS (3650 * 24 * INT64_C(3600000))

_Noreturn void
history_die(struct history *h, const struct error *e)
{
	stage_die(&h->admin->stage, EX_SYSTEM, "%s", e->text);
}

/* Who delivers and has more to do than that is behind. */
static void
tell_unsorted(struct history *h)
{
	int64_t n, taken_ms;
	struct error e;

	if (queue_unsorted(h->queue, 0, &n, &taken_ms, &e) < 0)
		history_die(h, &e);
	if (n && taken_ms < clock_wall_ms() - UNSORTED_MS)
		diag_print(&h->admin->stage.diag, DIAG_WARNING, "%lld calls "
		    "that were stored are not shown yet: ev-deliver has not "
		    "got to them", (long long)n);
}

/* What was stored while nobody delivers is to be seen, too. */
static void
sort(struct history *h)
{
	struct diag *diag = &h->admin->stage.diag;
	struct error e;

	switch (queue_sort(h->queue, SORTED_ROWS, &e)) {
	case 0:
		tell_unsorted(h);
		break;
	case 1:
		diag_print(diag, DIAG_WARNING, "not all calls that were stored "
		    "are shown yet: run this again, or ev-deliver, which sort "
		    "them in");
		break;
	default:
		diag_print(diag, DIAG_WARNING, "calls that were stored last are "
		    "not shown: %s", e.text);
	}
}

void
history_open(struct history *h, struct admin *a)
{
	struct stat st;
	struct error e;
	int r;

	*h = (struct history){ .admin = a, .table = admin_wants_table(a) };
	if (!a->queue_path)
		admin_misuse(a, "%s: needs a queue: give it with -q",
		    a->command);
	if (stat(a->queue_path, &st) < 0)
		stage_die(&a->stage, EX_SETUP, "cannot open the queue '%s': %s",
		    a->queue_path, strerror(errno));
	r = queue_open(&h->queue, a->queue_path, &e);
	if (r < 0)
		stage_die(&a->stage, r == -1 ? EX_SETUP : EX_SYSTEM, "%s",
		    e.text);
	sort(h);
}

/* Filters */

int64_t
history_time(struct admin *a, const char *option, const char *text)
{
	int64_t ms = clock_of_rfc3339(span_of(text)), ago;

	if (ms >= 0)
		return ms ? ms : 1; /* 0: none is asked for */
	if (num_duration(span_of(text), MAX_AGO_MS, &ago) < 0)
		admin_misuse(a, "%s: --%s '%s' is neither a time such as "
		    "2026-11-23T18:00:00Z nor one ago such as 90m, 2h or 7d",
		    a->command, option, text);
	return clock_wall_ms() - ago;
}

/* An empty one, as of a variable that is not set, must not select all. */
static struct span
text_of(struct admin *a, const char *option, const char *text)
{
	if (!*text)
		admin_misuse(a, "%s: --%s is empty", a->command, option);
	return span_of(text);
}

static uint64_t
number_of(struct admin *a, const char *option, const char *text, uint64_t max)
{
	uint64_t n;

	if (num_u64(span_of(text), 1, max, &n) < 0)
		admin_misuse(a, "%s: --%s '%s' is no number from 1 to %llu",
		    a->command, option, text, (unsigned long long)max);
	return n;
}

static void
read_outcome(struct admin *a, struct history_filter *f, const char *text)
{
	static const enum outcome settled[] = { OUTCOME_DELIVERED,
		OUTCOME_ANSWERED, OUTCOME_DEAD };
	size_t i;

	f->by_outcome = true;
	if (strcmp(text, "waiting") == 0)
		return;
	for (i = 0; i < sizeof(settled) / sizeof(settled[0]); i++)
		if (strcmp(text, outcome_name(settled[i])) == 0)
			f->outcome = settled[i];
	if (!f->outcome)
		admin_misuse(a, "%s: --outcome '%s' is none of delivered, "
		    "answered, dead and waiting", a->command, text);
}

struct history_filter
history_read_filter(struct admin *a)
{
	const struct admin_filter *o = &a->filter;
	struct history_filter f = { 0 };

	if (o->webhook)
		f.webhook = text_of(a, "webhook", o->webhook);
	if (o->event)
		f.event = text_of(a, "event", o->event);
	if (o->name)
		f.name = text_of(a, "name", o->name);
	if (o->outcome)
		read_outcome(a, &f, o->outcome);
	if (o->status)
		f.status = (int)number_of(a, "status", o->status, 999);
	if (o->since)
		f.since_ms = history_time(a, "since", o->since);
	if (o->until)
		f.until_ms = history_time(a, "until", o->until);
	if (o->limit)
		f.limit = (size_t)number_of(a, "limit", o->limit, UINT32_MAX);
	return f;
}

/* Words */

static const char *
state_of(const struct history_call *c)
{
	if (c->outcome)
		return outcome_name((enum outcome)c->outcome);
	return c->due_ms < 0 ? "behind" : "waiting";
}

static enum tone
tone_of(int outcome)
{
	switch (outcome) {
	case OUTCOME_DELIVERED:
		return TONE_GOOD;
	case OUTCOME_DEAD:
		return TONE_BAD;
	default:
		return TONE_PLAIN;
	}
}

static void
put_time(struct buf *b, int64_t ms)
{
	char text[CLOCK_RFC3339_BYTES];

	clock_rfc3339(ms, text);
	buf_puts(b, text);
}

static void
put_member_time(struct buf *b, const char *name, int64_t ms)
{
	char text[CLOCK_RFC3339_BYTES];

	clock_rfc3339(ms, text);
	json_put_member(b, name, span_of(text));
}

/* Durations as the results have them: ms, to the microsecond. */
static void
put_ms(struct buf *b, const char *name, int64_t us)
{
	if (us < 0)
		return;
	json_put_name(b, name);
	buf_printf(b, "%lld.%03d", (long long)us / 1000, (int)(us % 1000));
}

static void
put_text(struct buf *b, const char *name, struct span text)
{
	if (text.len)
		json_put_member(b, name, text);
}

/* deliveries, dead */

static void
put_call(struct buf *b, const struct history_call *c)
{
	buf_putc(b, '{');
	json_put_member_u64(b, "seq", (uint64_t)c->seq);
	put_text(b, "id", c->id);
	put_text(b, "event", c->event);
	put_text(b, "name", c->name);
	json_put_member(b, c->webhook ? "webhook" : "origin", c->lane);
	json_put_member(b, "outcome", span_of(state_of(c)));
	json_put_member_u64(b, "attempts", c->attempts);
	if (c->status)
		json_put_member_u64(b, "status", (uint64_t)c->status);
	put_text(b, "reason", c->reason);
	put_text(b, "error", c->error);
	put_ms(b, "duration_ms", c->us);
	put_member_time(b, "taken", c->taken_ms);
	if (c->outcome)
		put_member_time(b, "settled", c->settled_ms);
	else if (c->due_ms > 0)
		put_member_time(b, "next", c->due_ms);
}

static void
add_row(struct history *h, const struct history_call *c)
{
	struct table *t = &h->rows;

	buf_u64(table_cell(t, TONE_PLAIN), (uint64_t)c->seq);
	put_time(table_cell(t, TONE_FAINT), c->taken_ms);
	diag_foreign(table_cell(t, TONE_PLAIN), c->lane, TABLE_CELL_BYTES);
	diag_foreign(table_cell(t, TONE_PLAIN), c->name, TABLE_CELL_BYTES);
	buf_puts(table_cell(t, tone_of(c->outcome)), state_of(c));
	buf_u64(table_cell(t, TONE_PLAIN), c->attempts);
	if (c->status)
		buf_u64(table_cell(t, TONE_PLAIN), (uint64_t)c->status);
	else
		(void)table_cell(t, TONE_PLAIN);
	diag_foreign(table_cell(t, TONE_PLAIN), c->reason, TABLE_CELL_BYTES);
}

void
history_give_call(void *ctx, const struct history_call *c)
{
	struct history *h = ctx;
	struct out *out = &h->admin->stage.out;

	h->n++;
	if (h->table) {
		add_row(h, c);
		return;
	}
	put_call(&out->buf, c);
	buf_putc(&out->buf, '}');
	(void)out_end_line(out);
}

static void
print_more(struct history *h)
{
	struct term term;

	term_open(&term, STDOUT_FILENO);
	table_print(&h->rows, &term, &h->admin->stage.out);
	term_close(&term);
}

void
history_print_rows(struct history *h)
{
	if (!h->table)
		return;
	print_more(h);
	table_close(&h->rows);
}

const char *const history_heads[] = { "SEQ", "TAKEN", "WEBHOOK", "EVENT",
	"OUTCOME", "TRIES", "STATUS", "REASON", NULL };

static void
list(struct admin *a, struct history_filter f)
{
	struct history h;
	struct error e;

	history_open(&h, a);
	if (h.table) {
		table_open(&h.rows, history_heads);
		if (!f.limit)
			f.limit = DEFAULT_LIMIT;
	}
	if (history_calls(h.queue, &f, history_give_call, &h, &e) < 0)
		history_die(&h, &e);
	history_print_rows(&h);
	queue_close(h.queue);
}

/* deliveries --follow */

/* Gathered, and written when no transaction waits for whoever reads it. */
static void
gather_call(void *ctx, const struct history_call *c)
{
	struct history *h = ctx;
	struct out *out = &h->admin->stage.out;

	if (h->limit && h->n >= h->limit)
		return;
	h->n++;
	if (h->table) {
		add_row(h, c);
		return;
	}
	put_call(&out->buf, c);
	buf_puts(&out->buf, "}\n");
	out->n_lines++;
}

/* false: it is over. */
static bool
print_news(struct history *h, struct history_follow *f)
{
	struct stage *s = &h->admin->stage;
	struct error e;
	int r;

	do {
		r = history_follow_next(f, gather_call, h, &e);
		if (r < 0)
			history_die(h, &e);
		if (h->table && h->rows.n_cells)
			print_more(h);
		if (f->n_missed) {
			diag_print(&s->diag, DIAG_WARNING, "deliveries came "
			    "faster than they were printed: %lld attempts were "
			    "left out; see hook-admin -q %s deliveries",
			    (long long)f->n_missed, h->admin->queue_path);
			stage_worsen(s, EX_REJECTED);
			f->n_missed = 0;
		}
		if (out_flush(&s->out) < 0 || (h->limit && h->n >= h->limit) ||
		    signals_take() > 0)
			return false;
	} while (r > 0);
	return true;
}

/* Until something happens. false: a signal, or nobody reads any more. */
static bool
wait_for_news(struct history *h, int fd, int signals)
{
	struct pollfd fds[] = { { fd, POLLIN, 0 }, { signals, POLLIN, 0 },
		{ STDOUT_FILENO, 0, 0 } };

	while (poll(fds, sizeof(fds) / sizeof(fds[0]), -1) < 0)
		if (errno != EINTR)
			stage_die(&h->admin->stage, EX_SYSTEM, "poll: %s",
			    strerror(errno));
	return !fds[2].revents && signals_take() == 0;
}

static void
follow(struct admin *a, const struct history_filter *filter)
{
	struct history_follow f;
	struct history h;
	struct error e;
	int signals;

	history_open(&h, a);
	h.limit = filter->limit;
	signals = signals_open(&e);
	if (signals < 0 || history_follow_open(&f, h.queue, filter, &e) < 0)
		history_die(&h, &e);
	if (h.table)
		table_open(&h.rows, history_heads);
	while (print_news(&h, &f) && wait_for_news(&h, f.fd, signals))
		;
	table_close(&h.rows);
	history_follow_close(&f);
	queue_close(h.queue);
}

void
admin_deliveries(struct admin *a)
{
	struct history_filter f = history_read_filter(a);

	if (a->given & ADMIN_BIT(ADMIN_FOLLOW))
		follow(a, &f);
	else
		list(a, f);
}

void
admin_dead(struct admin *a)
{
	struct history_filter f = history_read_filter(a);

	f.by_outcome = f.with_payload = true;
	f.outcome = OUTCOME_DEAD;
	list(a, f);
}

/* show */

static void
show_call(void *ctx, const struct history_call *c)
{
	struct history *h = ctx;
	struct buf *b = &h->admin->stage.out.buf;

	h->n = 0;
	if (!h->table) {
		put_call(b, c);
		buf_puts(b, ",\"history\":[");
		return;
	}
	buf_printf(b, "%-10s%lld\n%-10s", "call", (long long)c->seq, "id");
	diag_foreign(b, c->id, TABLE_CELL_BYTES);
	buf_printf(b, "\n%-10s", "event");
	diag_foreign(b, c->event, TABLE_CELL_BYTES);
	buf_putc(b, ' ');
	diag_foreign(b, c->name, TABLE_CELL_BYTES);
	buf_printf(b, "\n%-10s", c->webhook ? "webhook" : "origin");
	diag_foreign(b, c->lane, TABLE_CELL_BYTES);
	buf_printf(b, "\n%-10s", "taken");
	put_time(b, c->taken_ms);
	buf_printf(b, "\n%-10s%s", "outcome", state_of(c));
	if (c->outcome) {
		buf_puts(b, " at ");
		put_time(b, c->settled_ms);
	} else if (c->due_ms > 0) {
		buf_puts(b, ", next attempt at ");
		put_time(b, c->due_ms);
	}
	buf_putc(b, '\n');
}

static void
put_step(struct buf *b, const char *name, int64_t us)
{
	if (us >= 0)
		buf_printf(b, " %s %lld.%01d ms", name, (long long)us / 1000,
		    (int)(us % 1000 / 100));
}

static void
tell_attempt(struct buf *b, const struct history_attempt *a)
{
	buf_printf(b, "attempt %u at ", a->n);
	put_time(b, a->time_ms);
	buf_printf(b, ": %s", outcome_name((enum outcome)a->outcome));
	if (a->status)
		buf_printf(b, ", status %d", a->status);
	if (a->reason.len) {
		buf_puts(b, ", ");
		diag_foreign(b, a->reason, TABLE_CELL_BYTES);
		buf_puts(b, ": ");
		diag_foreign(b, a->error, TABLE_CELL_BYTES);
	}
	buf_puts(b, "\n  took");
	put_step(b, "in all", a->us);
	put_step(b, "name", a->dns_us);
	put_step(b, "connection", a->connect_us);
	put_step(b, "TLS", a->tls_us);
	put_step(b, "first byte", a->first_us);
	if (a->answer.len) {
		buf_puts(b, "\n  answer ");
		diag_foreign(b, a->answer, SHOWN_ANSWER_BYTES);
	}
	buf_putc(b, '\n');
}

static void
show_attempt(void *ctx, const struct history_attempt *a)
{
	struct history *h = ctx;
	struct buf *b = &h->admin->stage.out.buf;

	if (h->table) {
		tell_attempt(b, a);
		return;
	}
	buf_puts(b, h->n++ ? ",{" : "{");
	json_put_member_u64(b, "attempt", a->n);
	put_member_time(b, "time", a->time_ms);
	json_put_member(b, "outcome",
	    span_of(outcome_name((enum outcome)a->outcome)));
	if (a->status)
		json_put_member_u64(b, "status", (uint64_t)a->status);
	put_text(b, "reason", a->reason);
	put_text(b, "error", a->error);
	put_ms(b, "duration_ms", a->us);
	put_ms(b, "dns_ms", a->dns_us);
	put_ms(b, "connect_ms", a->connect_us);
	put_ms(b, "tls_ms", a->tls_us);
	put_ms(b, "first_byte_ms", a->first_us);
	if (a->answer.len) {
		struct buf shown = { 0 };

		diag_foreign(&shown, a->answer, SHOWN_ANSWER_BYTES);
		json_put_member(b, "answer", buf_bytes(&shown));
		buf_clear(&shown);
	}
	buf_putc(b, '}');
}

int64_t
history_seq_of(struct history *h, const char *text)
{
	struct error e;
	uint64_t n;
	int64_t seq = 0;

	if (num_u64(span_of(text), 1, INT64_MAX, &n) == 0)
		return (int64_t)n;
	if (history_find(h->queue, span_of(text), &seq, &e) < 0)
		history_die(h, &e);
	return seq;
}

void
history_say_absent(struct history *h, const char *text)
{
	diag_print(&h->admin->stage.diag, DIAG_ERROR, "no call '%s' in the "
	    "queue; see hook-admin -q %s deliveries", text,
	    h->admin->queue_path);
	stage_worsen(&h->admin->stage, EX_SETUP);
}

void
admin_show_calls(struct admin *a)
{
	struct history h;
	struct error e;
	char **id;

	history_open(&h, a);
	for (id = a->operands; *id; id++) {
		int64_t seq = history_seq_of(&h, *id);
		int r = seq != 0;

		if (r > 0 && h.table && id != a->operands)
			(void)out_line(&a->stage.out, SPAN(""));
		if (r > 0)
			r = history_show(h.queue, seq, show_call, show_attempt,
			    &h, &e);
		if (r < 0)
			history_die(&h, &e);
		if (r == 0) {
			history_say_absent(&h, *id);
		} else if (!h.table) {
			buf_puts(&a->stage.out.buf, "]}");
			(void)out_end_line(&a->stage.out);
		}
	}
	queue_close(h.queue);
}

/* stats */

static const char *
health_name(enum health_state state)
{
	return state == HEALTH_PAUSED ? "paused" :
	    state == HEALTH_DISABLED ? "disabled" : "ok";
}

static void
put_percentile(struct buf *b, const struct history_lane *l, unsigned percent)
{
	int ms = history_percentile(l, percent);

	if (ms < 0)
		return;
	buf_printf(b, "%s\"p%u_ms\":%d", b->p[b->len - 1] == '{' ? "" : ",",
	    percent, ms);
}

static void
put_lane(struct buf *b, const struct history_lane *l)
{
	int64_t n = history_requests(l);

	buf_putc(b, '{');
	json_put_member(b, l->webhook ? "webhook" : "origin", l->lane);
	json_put_member(b, "state", span_of(health_name(l->health.state)));
	if (l->health.state != HEALTH_OK) {
		json_put_member(b, "why", span_of(l->health.why));
		put_member_time(b, "since", l->health.since_ms);
	}
	json_put_member_u64(b, "waiting", (uint64_t)l->waiting);
	if (l->oldest_ms)
		put_member_time(b, "oldest", l->oldest_ms);
	json_put_member_u64(b, "attempts", (uint64_t)n);
	json_put_member_u64(b, "delivered", (uint64_t)l->delivered);
	json_put_member_u64(b, "answered", (uint64_t)l->answered);
	json_put_member_u64(b, "failed", (uint64_t)l->retry);
	json_put_member_u64(b, "dead", (uint64_t)l->dead);
	if (n)
		put_ms(b, "mean_ms", l->us / n);
	put_percentile(b, l, 50);
	put_percentile(b, l, 95);
	put_percentile(b, l, 99);
	buf_putc(b, '}');
}

static void
add_percentile(struct table *t, const struct history_lane *l, unsigned percent)
{
	int ms = history_percentile(l, percent);
	struct buf *b = table_cell(t, TONE_PLAIN);

	if (ms >= 0)
		buf_printf(b, "%d", ms);
}

static void
give_lane(void *ctx, const struct history_lane *l)
{
	struct history *h = ctx;
	struct table *t = &h->rows;
	struct out *out = &h->admin->stage.out;

	if (!h->table) {
		put_lane(&out->buf, l);
		(void)out_end_line(out);
		return;
	}
	diag_foreign(table_cell(t, TONE_PLAIN), l->lane, TABLE_CELL_BYTES);
	buf_puts(table_cell(t, l->health.state == HEALTH_OK ? TONE_GOOD :
	    TONE_BAD), health_name(l->health.state));
	buf_u64(table_cell(t, TONE_PLAIN), (uint64_t)l->waiting);
	if (l->oldest_ms)
		put_time(table_cell(t, TONE_PLAIN), l->oldest_ms);
	else
		(void)table_cell(t, TONE_PLAIN);
	buf_u64(table_cell(t, TONE_PLAIN), (uint64_t)(l->delivered +
	    l->answered));
	buf_u64(table_cell(t, TONE_PLAIN), (uint64_t)l->retry);
	buf_u64(table_cell(t, l->dead ? TONE_BAD : TONE_PLAIN),
	    (uint64_t)l->dead);
	add_percentile(t, l, 50);
	add_percentile(t, l, 99);
}

void
admin_stats(struct admin *a)
{
	static const char *const heads[] = { "WEBHOOK", "STATE", "WAITING",
		"OLDEST", "DELIVERED", "FAILED", "DEAD", "P50", "P99", NULL };
	int64_t since_ms = a->filter.since ? history_time(a, "since",
	    a->filter.since) : clock_wall_ms() - STATS_MS;
	struct history h;
	struct error e;

	history_open(&h, a);
	if (h.table)
		table_open(&h.rows, heads);
	if (history_lanes(h.queue, since_ms, give_lane, &h, &e) < 0)
		history_die(&h, &e);
	history_print_rows(&h);
	queue_close(h.queue);
}
