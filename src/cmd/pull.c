/*
 * The loop of ev-pull. A command runs, or its start waits for start_ms. While
 * it runs its input is fed as far as its pipe takes it and its output read as
 * far as there is some, so that neither can wait for the other.
 */
#include "cmd/pull.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "cmd/barrier.h"
#include "cmd/notify.h"
#include "cmd/signals.h"

enum {
	FETCH_EVENTS = 2048, /* at a time */
	FETCH_BYTES = 1 << 20,
	FEED_BYTES = 128 << 10, /* made ready for the pipe */
	/* Between two barriers under load. */
	BARRIER_EVENTS = 4096,
	BARRIER_BYTES = 4 << 20,
	BARRIER_MS = 100,
	NUDGE_MS = 20,       /* after which a barrier follows another, doubled */
	N_QUICK_NUDGES = 5,  /* after so many */
	MAX_NUDGE_MS = 10 * 1000,
	END_MS = 2000,       /* for the rest of a command that is ending */
	TERM_MS = 10 * 1000, /* from SIGTERM to SIGKILL */
	MAX_EARLY = 3,       /* set-up errors after a good start */
	MAX_FUTILE = 6,      /* with --drain: then what is left stays */
	MIN_WAIT_MS = 100,   /* before another start, doubled up to */
	MAX_WAIT_MS = 60 * 1000,
	MAX_DOUBLED = 10,
	SHOWN_BYTES = 200,
	MAX_SAID_LINE = 500,
};

/* The command's end */

static void
fail(struct pull *p, enum exitcode code, const char *text)
{
	diag_print(&p->stage->diag, DIAG_ERROR, "%s", text);
	stage_worsen(p->stage, code);
	p->failed = p->stopping = true;
	command_end(&p->command);
}

/* Feed no more. */
static void
stop(struct pull *p)
{
	if (p->stopping)
		return;
	p->stopping = true;
	p->end_ms = clock_mono_ms() + p->grace_ms;
	notify("STOPPING=1");
}

/* Start it again, at once after the first end in vain, then later and later. */
static int64_t
start_later(struct pull *p)
{
	unsigned doubled = p->n_futile > 2 ? p->n_futile - 2 : 0;
	int64_t wait_ms = p->n_futile < 2 ? 0 : (int64_t)MIN_WAIT_MS <<
	    (doubled < MAX_DOUBLED ? doubled : MAX_DOUBLED);

	if (wait_ms > MAX_WAIT_MS)
		wait_ms = MAX_WAIT_MS;
	p->start_ms = clock_mono_ms() + wait_ms;
	return wait_ms;
}

/* Before barrier 0 came back: the set-up is wrong, unless it was right once. */
static void
died_early(struct pull *p, const char *how)
{
	struct diag *d = &p->stage->diag;

	if (!p->proven || ++p->n_early >= MAX_EARLY) {
		diag_print(d, DIAG_ERROR, "the command ended (%s) before the "
		    "first barrier came back: it can't work like that", how);
		stage_worsen(p->stage, EX_SETUP);
		p->failed = p->stopping = true;
		return;
	}
	p->n_futile++;
	diag_print(d, DIAG_WARNING, "the command ended (%s) before the first "
	    "barrier came back; starting it again in %lld ms", how,
	    (long long)start_later(p));
}

static void
died(struct pull *p, const char *how)
{
	struct diag *d = &p->stage->diag;
	bool known = p->window.mode == WINDOW_HALVES;
	size_t n = p->window.n_fed;
	long long wait_ms;

	switch (window_died(&p->window, how, buf_bytes(&p->command.said))) {
	case WINDOW_DEATH_IDLE:
		p->n_futile++;
		wait_ms = start_later(p);
		diag_print(d, DIAG_WARNING, "the command ended (%s) with "
		    "nothing to do; starting it again in %lld ms", how,
		    wait_ms);
		break;
	case WINDOW_DEATH_SUSPECTS:
		p->start_ms = clock_mono_ms();
		if (!known || d->verbose)
			diag_print(d, DIAG_WARNING, "the command ended (%s) "
			    "with %zu events unacknowledged; starting it "
			    "again with half of them", how, n);
		break;
	case WINDOW_DEATH_ALONE:
		p->n_futile++;
		wait_ms = start_later(p);
		if (p->n_futile == 1)
			diag_print(d, DIAG_WARNING, "the command ended (%s) on "
			    "a single event; trying another", how);
		else
			diag_print(d, DIAG_WARNING, "the command ended (%s) on "
			    "single events %u times and did none between: it "
			    "may be at fault itself, and nothing counts "
			    "against an event; starting it again in %lld ms",
			    how, p->n_futile, wait_ms);
		break;
	}
}

/* It is gone, or is to go: what it had is fed to the next. */
static void
end_command(struct pull *p, bool of_itself)
{
	struct buf how = { 0 };

	while (command_hear(&p->command))
		;
	command_end(&p->command);
	p->feed.len = p->feed_at = 0;
	p->end_ms = -1;
	p->n_deaths += !p->stopping;
	command_how(&p->command, &how);
	if (p->stopping)
		window_restart(&p->window);
	else if (p->back == 0)
		died_early(p, buf_str(&how));
	else if (of_itself)
		died(p, buf_str(&how));
	buf_clear(&how);
	if (p->drain && !p->stopping && p->n_futile >= MAX_FUTILE)
		fail(p, EX_SYSTEM, "giving up; what is left stays in the queue");
}

/* Barriers */

static void
put_barrier(struct pull *p)
{
	buf_puts(&p->feed, "{\"barrier\":\"");
	buf_add(&p->feed, p->session, sizeof(p->session));
	buf_putc(&p->feed, '.');
	p->issued_us[p->issued % WINDOW_MAX_MARKS] = clock_mono_us();
	buf_u64(&p->feed, (uint64_t)p->issued++);
	buf_puts(&p->feed, "\"}\n");
	window_mark(&p->window);
	p->nudge_ms = clock_mono_ms() + NUDGE_MS;
}

/*
 * A stage of the command may have died while the one before it waits for input:
 * then that one does not notice, and nothing ends. Another barrier makes it
 * write, and end; a further one the one before that. To a command that is only
 * slow they are nothing.
 */
static void
nudge(struct pull *p)
{
	unsigned doubled = p->n_nudges < N_QUICK_NUDGES ? 0 :
	    p->n_nudges - N_QUICK_NUDGES;
	int64_t wait_ms = (int64_t)NUDGE_MS << (doubled < 16 ? doubled : 16);

	p->n_nudges++;
	p->nudged = true;
	put_barrier(p);
	p->nudge_ms = clock_mono_ms() +
	    (wait_ms < MAX_NUDGE_MS ? wait_ms : MAX_NUDGE_MS);
}

static bool
may_nudge(const struct pull *p)
{
	return p->command.in >= 0 && p->back < p->issued && p->feed.len == 0 &&
	    p->window.n_unmarked == 0 && p->window.n_marks < WINDOW_MAX_MARKS;
}

static void
pass_barrier(struct pull *p)
{
	int64_t from, to;

	size_t n_fed = p->window.n_fed;

	p->n_nudges = 0;
	histogram_add(&p->barriers, clock_mono_us() -
	    p->issued_us[p->back % WINDOW_MAX_MARKS]);
	if (p->back++ == 0) {
		if (!p->proven)
			notify("READY=1");
		p->proven = true;
		p->n_early = 0;
	}
	if (!window_pass(&p->window, &from, &to))
		return;
	p->n_acked += n_fed - p->window.n_fed;
	if (!p->from)
		p->from = from;
	p->to = to;
	p->n_futile = 0;
}

static void
take_barrier(struct pull *p, struct span line)
{
	struct buf text = { 0 };
	struct span session;
	uint64_t n;

	(void)barrier_read(line, &session, &n);
	if (span_eq(session, (struct span){ p->session, sizeof(p->session) }) &&
	    (int64_t)n == p->back && p->back < p->issued) {
		pass_barrier(p);
		return;
	}
	buf_puts(&text, "the command gave a barrier that is not the next one "
	    "it was fed: ");
	diag_foreign(&text, line, SHOWN_BYTES);
	buf_puts(&text, "; it must be one line of stages, without tee or "
	    "stages side by side");
	fail(p, EX_SYSTEM, buf_str(&text));
	buf_clear(&text);
}

/* Acknowledging */

/* The last lines, control characters made visible. */
static void
put_said(struct buf *b, const char *said)
{
	const char *nl;

	for (; *said; said = *nl ? nl + 1 : nl) {
		nl = said + strcspn(said, "\n");
		diag_foreign(b, (struct span){ said, (size_t)(nl - said) },
		    MAX_SAID_LINE);
		buf_putc(b, '\n');
	}
}

static int
bury(struct pull *p, struct window_event *ev, struct error *e)
{
	struct buf said = { 0 };
	struct events_dead d = { .tag = ev->tag, .deaths = ev->deaths,
		.time_ms = clock_wall_ms(), .status = span_of(ev->status) };
	int r;

	put_said(&said, ev->said);
	d.said = buf_bytes(&said);
	d.text = (struct span){ p->window.text.p + ev->at, ev->len - 1 };
	r = events_bury(p->events, &d, e);
	buf_clear(&said);
	if (r < 0)
		return -1;
	p->n_buried++;
	diag_print(&p->stage->diag, DIAG_WARNING, "event %lld %s "
	    "(%s), which ev-pull -q %s --dead shows", (long long)ev->tag,
	    r ? "becomes a dead letter when the broker takes it" :
	    "is a dead letter", ev->status, events_shown(p->events));
	if (p->drain)
		stage_worsen(p->stage, EX_REJECTED);
	window_drop(&p->window, ev);
	return 0;
}

static int
settle_deaths(struct pull *p, struct error *e)
{
	struct window_event *ev;
	int r = 0;

	window_stale(&p->window, events_stale(p->events));
	while (r >= 0 && (ev = window_counted(&p->window)))
		r = ev->deaths >= WINDOW_MAX_DEATHS ? bury(p, ev, e) :
		    events_blame(p->events, ev->tag, ev->deaths, e);
	return r;
}

/* What the command gave is out before the events are gone. */
static void
acknowledge(struct pull *p)
{
	struct error e;

	if (out_flush(&p->stage->out) < 0) {
		/* stage_close says what it was; a reader that left, nothing. */
		p->failed = p->stopping = true;
		command_end(&p->command);
	}
	if (p->failed || !p->from)
		return;
	if (events_ack(p->events, p->from, p->to, &e) < 0 ||
	    settle_deaths(p, &e) < 0)
		fail(p, EX_SYSTEM, e.text);
	p->from = 0;
}

/* What the command gives */

static void
take_line(struct pull *p, struct span line)
{
	if (barrier_is(line))
		take_barrier(p, line);
	else
		(void)out_line(&p->stage->out, line);
}

/* All that is there to read. false: the end. */
static bool
read_output(struct pull *p)
{
	struct line_reader *lines = &p->command.lines;
	enum line_status status;
	struct span line;

	while (!p->failed) {
		status = line_take(lines, &line);
		if (status == LINE_OK)
			take_line(p, line);
		else if (status == LINE_LONG)
			fail(p, EX_SYSTEM, "the command gave a line of more "
			    "than 256 MiB");
		else if (status == LINE_END)
			return false;
		else if (line_fill(lines) < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK;
		else
			p->active_ms = clock_mono_ms();
	}
	return true;
}

/* What the command is fed */

static void
take_event(void *ctx, const struct events_given *g)
{
	struct pull *p = ctx;

	window_add(&p->window, g->tag, g->deaths, g->text);
	if (g->unfit)
		window_condemn(&p->window, g->unfit);
	else if (barrier_is(g->text))
		window_condemn(&p->window, "not fed: a barrier, which no "
		    "producer may send");
}

static void
fetch(struct pull *p)
{
	struct error e;
	int n = 0;

	window_stale(&p->window, events_stale(p->events));
	while (p->hungry && !p->stopping && window_has_room(&p->window)) {
		n = events_next(p->events, FETCH_EVENTS, FETCH_BYTES,
		    take_event, p, &e);
		p->hungry = n > 0;
	}
	if (n < 0 || settle_deaths(p, &e) < 0)
		fail(p, EX_SYSTEM, e.text);
	else if (p->drain && !p->hungry && window_is_empty(&p->window) &&
	    events_is_drained(p->events))
		stop(p);
}

static bool
is_barrier_due(const struct pull *p, bool is_idle, int64_t now_ms)
{
	const struct window *w = &p->window;

	if (w->n_unmarked == 0 || w->n_marks == WINDOW_MAX_MARKS)
		return false;
	return (is_idle && p->back == p->issued) || p->stopping ||
	    window_wants_mark(w) || w->n_unmarked >= BARRIER_EVENTS ||
	    w->unmarked_bytes >= BARRIER_BYTES ||
	    now_ms >= p->first_fed_ms + BARRIER_MS;
}

/* Make ready what is to be written next. */
static void
prepare(struct pull *p)
{
	int64_t now_ms = clock_mono_ms();
	bool is_idle = false;
	struct span line;

	if (p->feed_at) {
		memmove(p->feed.p, p->feed.p + p->feed_at,
		    p->feed.len - p->feed_at);
		p->feed.len -= p->feed_at;
		p->feed_at = 0;
	}
	/* No event before barrier 0 is back: what dies then is the set-up's. */
	while (p->back > 0 && !p->stopping && p->feed.len < FEED_BYTES) {
		is_idle = !window_feed(&p->window, &line);
		if (!is_idle) {
			if (p->window.n_unmarked == 1)
				p->first_fed_ms = now_ms;
			buf_span(&p->feed, line);
			p->n_fed++;
			p->nudged = false;
		}
		if (is_barrier_due(p, is_idle, now_ms))
			put_barrier(p);
		if (is_idle)
			break;
	}
	/* Also when the pipe is full. */
	if (is_barrier_due(p, is_idle, now_ms))
		put_barrier(p);
	else if (may_nudge(p) && now_ms >= p->nudge_ms)
		nudge(p);
}

/* Nobody reads its input, or it ends: it has a moment to bring that about. */
static void
begin_end(struct pull *p)
{
	command_close_input(&p->command);
	p->feed.len = p->feed_at = 0;
	if (p->end_ms < 0)
		p->end_ms = clock_mono_ms() + END_MS;
}

static void
feed(struct pull *p)
{
	ssize_t n;

	if (p->command.in < 0)
		return;
	for (;;) {
		prepare(p);
		if (p->feed.len == 0)
			break;
		n = command_write(&p->command, p->feed.p, p->feed.len);
		if (n < 0) {
			begin_end(p);
			return;
		}
		if (n == 0)
			break;
		p->feed_at = (size_t)n;
		if (!p->nudged)
			p->active_ms = clock_mono_ms();
	}
	if (p->stopping && p->feed.len == 0)
		command_close_input(&p->command);
}

/* The loop */

static void
start(struct pull *p)
{
	struct error e;

	p->n_starts++;
	window_restart(&p->window);
	if (random_hex(p->session, PULL_SESSION_BYTES) < 0)
		fail(p, EX_SYSTEM, "no random bits for a session");
	else if (command_start(&p->command, p->argv, &e) < 0)
		fail(p, EX_SYSTEM, e.text);
	p->issued = p->back = 0;
	p->n_nudges = 0;
	p->nudged = false;
	p->start_ms = p->end_ms = -1;
	p->active_ms = clock_mono_ms();
	put_barrier(p);
}

static bool
is_waiting_for_barrier(const struct pull *p)
{
	return p->command.pid && p->end_ms < 0 && p->back < p->issued;
}

/* It neither takes nor gives: not a death, but not to be waited for either. */
static void
give_up(struct pull *p)
{
	diag_print(&p->stage->diag, DIAG_ERROR, "barrier %lld is late: for "
	    "%lld s the command has taken no input and given no output; is "
	    "there a filter in it that swallows barriers? (jq needs "
	    "--unbuffered, and to let them pass)%s", (long long)p->back,
	    (long long)p->barrier_ms / 1000,
	    p->back ? "; starting it again" : "");
	if (p->back == 0) {
		stage_worsen(p->stage, EX_SETUP);
		p->failed = p->stopping = true;
	}
	end_command(p, false);
	p->n_futile++;
	(void)start_later(p);
}

/* When to look without being woken; -1: never. */
static int64_t
deadline(const struct pull *p)
{
	int64_t at = p->stopping ? -1 : events_wake_ms(p->events);

	if (!p->command.pid)
		return clock_earlier(at, p->start_ms);
	at = clock_earlier(at, p->end_ms);
	if (is_waiting_for_barrier(p))
		at = clock_earlier(at, p->active_ms + p->barrier_ms);
	if (p->command.in >= 0 && p->window.n_unmarked &&
	    p->window.n_marks < WINDOW_MAX_MARKS)
		at = clock_earlier(at, p->first_fed_ms + BARRIER_MS);
	if (may_nudge(p))
		at = clock_earlier(at, p->nudge_ms);
	return at;
}

/* Has the queue something to do that no descriptor shows? */
static bool
is_awake(const struct pull *p)
{
	int64_t wake_ms = p->stopping ? -1 : events_wake_ms(p->events);

	return wake_ms >= 0 && clock_mono_ms() >= wake_ms;
}

static void
wait_for_more(struct pull *p)
{
	const struct command *c = &p->command;
	struct pollfd fds[] = {
		{ p->signals, POLLIN, 0 },
		{ p->stopping ? -1 : events_fd(p->events), POLLIN, 0 },
		{ c->in, p->feed.len ? POLLOUT : 0, 0 },
		{ c->out, POLLIN, 0 },
		{ c->err, POLLIN, 0 },
	};
	int64_t tend_ms = metrics_tend(p->stage); /* it asks the queue */
	int64_t until_ms = clock_earlier(deadline(p), tend_ms);
	struct error e;
	unsigned n;

	if (poll(fds, sizeof(fds) / sizeof(fds[0]),
	    clock_left_ms(until_ms)) < 0 && errno != EINTR) {
		fail(p, EX_SYSTEM, "poll failed");
		return;
	}
	metrics_touch(p->stage);
	if (fds[1].revents || is_awake(p)) {
		p->hungry = true;
		if (events_heard(p->events, &e) < 0) {
			fail(p, EX_SYSTEM, e.text);
			return;
		}
	}
	if (fds[2].revents & POLLERR)
		begin_end(p);
	n = signals_take();
	if (n > 1 || (n && p->stopping))
		p->end_ms = clock_mono_ms(); /* enough of waiting */
	if (n)
		stop(p);
}

/* It may be in the middle of a request, or of several: it is told first. */
static void
end_late(struct pull *p)
{
	if (!p->stopping || p->failed || p->terminated) {
		end_command(p, true);
		return;
	}
	diag_print(&p->stage->diag, DIAG_WARNING, "the command has not ended: "
	    "it gets SIGTERM, and SIGKILL in %d s", TERM_MS / 1000);
	p->terminated = true;
	p->end_ms = clock_mono_ms() + TERM_MS;
	command_terminate(&p->command);
}

/* Look after the command that runs. */
static void
attend(struct pull *p)
{
	bool exited = command_has_exited(&p->command);
	bool more = read_output(p);
	int64_t now_ms;

	while (command_hear(&p->command))
		p->active_ms = clock_mono_ms();
	acknowledge(p);
	if (!p->command.pid)
		return;
	if (!more)
		command_close_output(&p->command);
	now_ms = clock_mono_ms();
	/* A shell dies of SIGTERM before its pipeline. */
	if (exited && !(p->terminated && command_is_held(&p->command)))
		end_command(p, true);
	else if (p->end_ms >= 0 && now_ms >= p->end_ms)
		end_late(p);
	else if (!more)
		begin_end(p);
	else if (is_waiting_for_barrier(p) &&
	    now_ms >= p->active_ms + p->barrier_ms)
		give_up(p);
}

static void
put_metrics(void *ctx, struct exposition *x)
{
	const struct pull *p = ctx;
	struct events_counts c = { -1, -1 };
	struct error e;

	metrics_put(x, METRIC_EVENTS_FED, p->n_fed);
	metrics_put(x, METRIC_EVENTS_ACKED, p->n_acked);
	metrics_put(x, METRIC_EVENTS_BURIED, p->n_buried);
	metrics_put(x, METRIC_EVENTS_IN_FLIGHT, p->window.n_fed);
	/* What is wrong with the queue shows where it is worked on. */
	if (!p->failed && events_count(p->events, &c, &e) == 0 &&
	    c.waiting >= 0)
		metrics_put(x, METRIC_EVENTS_WAITING, (uint64_t)c.waiting +
		    window_count(&p->window));
	if (c.dead >= 0)
		metrics_put(x, METRIC_DEAD_LETTERS, (uint64_t)c.dead);
	metrics_put(x, METRIC_COMMAND_STARTS, p->n_starts);
	metrics_put(x, METRIC_COMMAND_DEATHS, p->n_deaths);
	metrics_family(x, METRIC_BARRIER_SECONDS);
	exposition_histogram(x, &p->barriers);
}

void
pull_run(struct pull *p)
{
	struct error e;

	p->stage->metrics.put = put_metrics;
	p->stage->metrics.ctx = p;
	command_init(&p->command);
	p->signals = signals_open(&e);
	if (p->signals < 0)
		stage_die(p->stage, EX_SYSTEM, "%s", e.text);
	p->hungry = true;
	p->start_ms = 0;
	while (!p->stopping || p->command.pid) {
		fetch(p);
		if (!p->command.pid && !p->stopping &&
		    clock_mono_ms() >= p->start_ms)
			start(p);
		feed(p);
		if (!p->stopping || p->command.pid)
			wait_for_more(p);
		if (p->command.pid)
			attend(p);
	}
	metrics_end(p->stage);
	window_clear(&p->window);
	buf_clear(&p->feed);
	buf_clear(&p->command.said);
}
