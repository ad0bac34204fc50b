/*
 * ev-deliver: POSTs calls and says what became of each. One loop does all:
 * read calls while there is room for them, begin attempts, wait for whatever
 * comes first (an answer, a line, a retry that is due, a signal).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd/deliver.h"

enum {
	/* Unsettled calls that are held, by number and bytes; then the pipe
	 * waits. The bytes bound what large calls take. */
	MAX_HELD_CALLS = 10000,
	MAX_HELD_BYTES = 8 << 20,
	LINES_A_TURN = 256, /* so that answers don't wait for input */
	FLUSH_MS = 5,       /* results gather so long while we are busy */
	REGISTRY_MS = 500,  /* between looks at it while it holds calls up */
	SHOWN_ID_BYTES = 80,
	SPARE_FILES = 40,   /* beside the connections */
	IDLE_CONNECTIONS = 1024, /* to the origins called last */
};

/* Signals */

static int signal_pipe[2] = { -1, -1 };

static void
on_signal(int number)
{
	int saved = errno;
	ssize_t n = write(signal_pipe[1], "", 1);

	(void)number;
	(void)n; /* full: enough of them are there */
	errno = saved;
}

static void
catch_signals(struct deliver *d)
{
	static const int caught[] = { SIGTERM, SIGINT };
	struct sigaction sa = { .sa_handler = on_signal }, old;
	size_t i;

	if (pipe(signal_pipe) < 0)
		stage_die(&d->stage, EX_SYSTEM, "pipe: %s", strerror(errno));
	for (i = 0; i < 2; i++)
		if (fcntl(signal_pipe[i], F_SETFL, O_NONBLOCK) < 0 ||
		    fcntl(signal_pipe[i], F_SETFD, FD_CLOEXEC) < 0)
			stage_die(&d->stage, EX_SYSTEM, "fcntl: %s",
			    strerror(errno));
	d->signals = signal_pipe[0];
	sigemptyset(&sa.sa_mask);
	for (i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
		/* A shell's background job has SIGINT ignored. */
		if (sigaction(caught[i], NULL, &old) == 0 &&
		    old.sa_handler != SIG_IGN &&
		    sigaction(caught[i], &sa, NULL) < 0)
			stage_die(&d->stage, EX_SYSTEM, "sigaction: %s",
			    strerror(errno));
}

/* The end */

/* Read no more, begin no more; what is under way has the grace time. */
static void
stop(struct deliver *d)
{
	if (d->sender.stopping)
		return;
	source_close(&d->input);
	d->give_up_at_ms = clock_mono_ms() + d->grace_ms;
	sender_stop(&d->sender);
}

static void
stop_now(struct deliver *d)
{
	stop(d);
	if (d->sender.http)
		sender_abandon(&d->sender, clock_mono_ms());
}

void
deliver_fail(struct deliver *d, const struct error *e)
{
	diag_print(&d->stage.diag, DIAG_ERROR, "%s", e->text);
	stage_worsen(&d->stage, EX_SYSTEM);
	d->failed = true;
	stop_now(d);
}

static void
take_signals(struct deliver *d)
{
	char c;

	while (read(d->signals, &c, 1) == 1)
		if (d->sender.stopping)
			stop_now(d);
		else
			stop(d);
}

/* Results */

/* Diagnostics name the line that the call came from, or its id and webhook. */
static void
diagnose(struct deliver *d, const struct result *r)
{
	struct diag at = d->stage.diag;
	struct buf who = { 0 };

	if (r->call && r->call->file) {
		at.file = r->call->file;
	} else if (!r->call || !r->call->line) {
		diag_foreign(&who, r->call && r->call->id.len ? r->call->id :
		    r->webhook.len ? r->webhook : r->url, SHOWN_ID_BYTES);
		buf_puts(&who, ": ");
	}
	at.line = r->call ? r->call->line : 0;
	diag_print(&at, DIAG_WARNING, "%s%s: %s: %s", buf_str(&who),
	    outcome_name(r->outcome), r->reason ? r->reason : "ok",
	    r->error ? r->error : "it answers again");
	buf_clear(&who);
}

static bool
is_worth_saying(const struct deliver *d, const struct result *r)
{
	switch (r->outcome) {
	case OUTCOME_DEAD:
	case OUTCOME_ANSWERED:
	case OUTCOME_PAUSED:
	case OUTCOME_RESUMED:
	case OUTCOME_DISABLED:
		return true;
	case OUTCOME_RETRY:
		return d->stage.diag.verbose;
	default:
		return false;
	}
}

void
deliver_report(void *ctx, const struct result *r)
{
	struct deliver *d = ctx;

	deliver_count(d, r);
	d->n_settled += r->outcome == OUTCOME_DELIVERED ||
	    r->outcome == OUTCOME_ANSWERED || r->outcome == OUTCOME_DEAD;
	if (d->stage.out.error)
		return; /* nobody listens; what ended it is known */
	result_put(&d->stage.out.buf, r, clock_wall_ms());
	if (d->delivers)
		buf_putc(&d->stage.out.buf, '\n'); /* flush() is to write it */
	else
		(void)out_end_line(&d->stage.out); /* a failure sticks */
	d->stage.out.n_lines += d->delivers;
	/* A service that did its work has not failed; the queue knows. */
	if (r->outcome == OUTCOME_DEAD && d->mode != DELIVER_SERVE)
		stage_worsen(&d->stage, EX_REJECTED);
	if (d->sender.stopping && r->outcome == OUTCOME_DEAD && !d->queue)
		d->n_aborted++;
	else if (is_worth_saying(d, r))
		diagnose(d, r);
}

/* Input */

static void
miss_registry(struct deliver *d, const char *what)
{
	diag_print(&d->stage.diag, DIAG_ERROR, "%s, but there is no registry: "
	    "give one with -w or EV_WEBHOOKS", what);
	stage_worsen(&d->stage, EX_SETUP);
	stop(d);
}

static void
take_call(struct deliver *d)
{
	struct stage *s = &d->stage;
	const char *reason;
	struct error e;
	struct call *c;

	if (barrier_is(s->input))
		stage_die(s, EX_SETUP, "a barrier, but no queue: give one with "
		    "-q");
	c = call_read(&d->reader, s->input, &reason, &e);
	if (!c) {
		stage_reject(s, reason, span_of(e.text), (struct span){ 0 });
		return;
	}
	c->file = d->input.file;
	c->line = d->input.line;
	if (c->webhook_id.len && !d->sender.registry)
		miss_registry(d, "the call names a webhook");
	d->counts.n_taken++;
	sender_add(&d->sender, c);
}

static bool
has_room(const struct deliver *d)
{
	return !d->input.ended && d->sender.n_calls < MAX_HELD_CALLS &&
	    d->sender.n_bytes < MAX_HELD_BYTES;
}

static void
read_calls(struct deliver *d)
{
	struct stage *s = &d->stage;
	int n;

	if (d->queue) {
		deliver_store_input(d);
		return;
	}
	for (n = 0; n < LINES_A_TURN && has_room(d); n++) {
		if (source_take(&d->input, s) != SOURCE_LINE)
			break;
		take_call(d);
	}
	s->diag.file = NULL;
	s->diag.line = 0;
}

/* The loop */

/* What is told is on record: a kill -9 does not take it back. */
static void
flush(struct deliver *d)
{
	struct error e;

	d->flush_at_ms = -1;
	if (d->delivers && !d->failed &&
	    backlog_flush(&d->backlog, clock_mono_ms(), clock_wall_ms(), false,
	    &e) < 0)
		deliver_fail(d, &e);
	(void)out_flush(&d->stage.out); /* a failure sticks */
}

/* What is told waits a moment for others. */
static void
gather(struct deliver *d, int64_t now_ms)
{
	if (d->stage.out.buf.len == 0)
		d->flush_at_ms = -1;
	else if (d->flush_at_ms < 0)
		d->flush_at_ms = now_ms + FLUSH_MS;
}

static void
flush_if_due(struct deliver *d, int64_t now_ms)
{
	struct out *out = &d->stage.out;

	gather(d, now_ms);
	if (out->buf.len >= OUT_BYTES ||
	    (d->flush_at_ms >= 0 && now_ms >= d->flush_at_ms))
		flush(d);
	if (out->error)
		stop_now(d);
}

static void
check_registry(struct deliver *d)
{
	struct buf reasons = { 0 };

	if (!d->sender.registry)
		return;
	switch (registry_check(&d->registry, &reasons)) {
	case REGISTRY_BAD:
		diag_print(&d->stage.diag, DIAG_ERROR, "the registry '%s' "
		    "changed but does not load; the last good one stays:\n%s",
		    d->registry_path, buf_str(&reasons));
		break;
	case REGISTRY_CHANGED:
		sender_registry_changed(&d->sender);
		break;
	case REGISTRY_SAME:
		break;
	}
	reasons.len = 0;
	if (d->sender.secrets && secrets_check(&d->secrets, &reasons) < 0)
		diag_print(&d->stage.diag, DIAG_ERROR, "the secrets '%s' "
		    "changed but do not load; the last good ones stay:\n%s",
		    d->secrets.path, buf_str(&reasons));
	buf_clear(&reasons);
}

/* Monotonic ms; -1: none. */
static int64_t
next_deadline(struct deliver *d, int64_t now_ms)
{
	int64_t until = clock_earlier(sender_deadline(&d->sender), d->flush_at_ms);

	if (d->queue)
		until = clock_earlier(until, deliver_queue_deadline(d));
	if (d->sender.stopping)
		until = clock_earlier(until, d->give_up_at_ms);
	if (d->sender.registry_holds)
		until = clock_earlier(until, now_ms + REGISTRY_MS);
	if (has_room(d) && !d->input.starved)
		until = now_ms;
	return until;
}

/* Without http there is nothing under way: poll(2) does. */
static int
wait_for(struct deliver *d, struct pollfd *fds, size_t n, int64_t until,
    struct error *e)
{
	if (d->sender.http)
		return http_wait(d->sender.http, fds, n, until, e);
	if (poll(fds, (nfds_t)n, clock_left_ms(until)) < 0 && errno != EINTR)
		return error_set(e, "poll: %s", strerror(errno));
	return 0;
}

static void
wait_for_more(struct deliver *d, int64_t now_ms)
{
	enum { SIGNALS, INPUT, QUEUE };
	/* poll(2) passes over a descriptor of -1, http_wait does not. */
	bool wants_input = has_room(d) && d->input.starved;
	struct pollfd fds[] = {
		[SIGNALS] = { d->signals, POLLIN, 0 },
		[INPUT] = { wants_input ? source_fd(&d->input) : d->signals,
		    POLLIN, 0 },
		[QUEUE] = { d->queue ? queue_fd(d->queue) : d->signals, POLLIN,
		    0 },
	};
	int64_t until_ms = clock_earlier(next_deadline(d, now_ms),
	    metrics_tend(&d->stage));
	struct error e;

	if (wait_for(d, fds, d->queue ? 3 : wants_input ? 2 : 1, until_ms,
	    &e) < 0) {
		deliver_fail(d, &e);
		return;
	}
	metrics_touch(&d->stage);
	if (wants_input && fds[INPUT].revents)
		source_fill(&d->input, &d->stage);
	if (d->queue && fds[QUEUE].revents)
		deliver_hear_queue(d, clock_mono_ms());
	if (fds[SIGNALS].revents)
		take_signals(d);
}

static bool
is_finished(struct deliver *d)
{
	return d->queue ? deliver_is_through(d) :
	    d->input.ended && d->sender.n_calls == 0;
}

static void
start(struct deliver *d, int64_t now_ms)
{
	struct error e;

	if (d->queue)
		deliver_tend_queue(d, now_ms);
	if ((!d->queue || d->delivers) && !d->failed &&
	    sender_start(&d->sender, now_ms, &e) < 0)
		deliver_fail(d, &e);
	if (d->sender.no_registry && !d->sender.stopping)
		miss_registry(d, "the queue holds calls of webhooks");
}

/* Calls settled, or with --enqueue stored. */
static uint64_t
n_done(const struct deliver *d)
{
	return d->mode == DELIVER_ENQUEUE ? source_lines(&d->input) :
	    d->n_settled;
}

/* Of what was read a part is done; of a queue nobody knows. */
static double
part_done(const struct deliver *d)
{
	uint64_t n = source_lines(&d->input);
	double part = source_part(&d->input);

	if (d->queue && d->mode != DELIVER_ENQUEUE)
		return -1;
	return n && part > 0 ? part * (double)n_done(d) / (double)n : part;
}

static void
run(struct deliver *d)
{
	int64_t now_ms;

	progress_start(&d->stage.progress, d->input.bytes != 0);
	while (!is_finished(d)) {
		if (progress_is_due(&d->stage.progress))
			progress_show(&d->stage.progress, &d->stage.diag,
			    n_done(d), part_done(d));
		check_registry(d);
		read_calls(d);
		now_ms = clock_mono_ms();
		flush_if_due(d, now_ms); /* which may set calls free */
		start(d, now_ms);        /* which may tell what is on record */
		gather(d, now_ms);
		if (is_finished(d))
			break;
		wait_for_more(d, now_ms);
		now_ms = clock_mono_ms();
		if (d->sender.http)
			(void)sender_collect(&d->sender, now_ms);
		if (d->sender.stopping && now_ms >= d->give_up_at_ms)
			stop_now(d);
	}
	source_close(&d->input);
	progress_end(&d->stage.progress, &d->stage.diag, n_done(d));
	if (d->n_aborted)
		diag_print(&d->stage.diag, DIAG_WARNING,
		    "stopped: %zu calls ended dead, aborted", d->n_aborted);
}

/* The set-up */

static void
open_registry(struct deliver *d)
{
	struct buf reasons = { 0 };
	int rc;

	if (!d->registry_path)
		d->registry_path = getenv("EV_WEBHOOKS");
	if (!d->registry_path || !*d->registry_path)
		return;
	rc = registry_open(&d->registry, d->registry_path, &reasons);
	if (rc < 0)
		stage_die(&d->stage, rc == -1 ? EX_SETUP : EX_SYSTEM,
		    "the registry '%s' does not load:\n%s", d->registry_path,
		    buf_str(&reasons));
	buf_clear(&reasons);
	d->sender.registry = &d->registry;
}

/* Beside the registry, unless told otherwise. */
static void
open_secrets(struct deliver *d)
{
	struct buf path = { 0 }, reasons = { 0 };

	if (!d->sender.registry)
		return;
	if (d->secrets_path)
		buf_puts(&path, d->secrets_path);
	else
		secrets_path(&path, d->registry_path);
	if (secrets_open(&d->secrets, buf_str(&path), d->secrets_path != NULL,
	    &reasons) < 0)
		stage_die(&d->stage, EX_SETUP, "the secrets '%s' do not load:"
		    "\n%s", buf_str(&path), buf_str(&reasons));
	buf_clear(&path);
	buf_clear(&reasons);
	d->sender.secrets = &d->secrets;
}

/*
 * How many files connections may have open: those of the requests in flight, and
 * idle ones as far as the limit of open files lets them. Where it is too low for
 * the former there are fewer: a receiver is not to blame for it.
 */
static size_t
max_files(struct deliver *d)
{
	size_t *concurrency = &d->sender.options.concurrency;
	size_t least = *concurrency * HTTP_CONNECTION_FILES;
	size_t n = stage_raise_files(least + IDLE_CONNECTIONS, SPARE_FILES);

	if (n < least)
		*concurrency = n < 2 * HTTP_CONNECTION_FILES ? 1 :
		    n / HTTP_CONNECTION_FILES;
	return n;
}

static void
open_http(struct deliver *d)
{
	struct http_options o = {
		.max_files = max_files(d),
		.ca_file = d->ca_file,
		.connect_to = d->connect_to,
		.guard = &d->guard,
		.proxy = d->proxy.len ? buf_str(&d->proxy) : NULL,
	};
	struct error e;

	d->sender.http = http_open(&o, &e);
	if (!d->sender.http)
		stage_die(&d->stage, EX_SETUP, "%s", e.text);
}

static void
open_all(struct deliver *d)
{
	open_registry(d);
	if (d->mode != DELIVER_ENQUEUE)
		open_secrets(d);
	stage_open(&d->stage);
	call_reader_init(&d->reader);
	if (d->dry_run)
		return;
	if (d->mode != DELIVER_ENQUEUE)
		open_http(d);
	d->sender.report = deliver_report;
	d->sender.ctx = d;
	sender_init(&d->sender);
	catch_signals(d);
	if (d->queue_path)
		deliver_open_queue(d);
}

int
main(int argc, char **argv)
{
	struct deliver d = {
		.grace_ms = 30 * 1000,
		.retention_ms = 7 * 24 * 3600 * 1000,
		.hold_ms = 7 * 24 * 3600 * 1000,
		.flush_at_ms = -1,
		.sender.options = { .concurrency = 64,
			.connect_ms = 10 * 1000, .total_ms = 30 * 1000,
			.policy = RETRY_FAILURES },
	};

	stage_init(&d.stage, "ev-deliver", STAGE_CALL_MAX_LINE);
	d.stage.metrics.put = deliver_put_metrics;
	d.stage.metrics.ctx = &d;
	deliver_read_options(&d, argc, argv);
	open_all(&d);
	if (d.dry_run)
		deliver_dry_run(&d);
	else
		run(&d);
	if (d.queue)
		deliver_close_queue(&d);
	metrics_end(&d.stage);
	http_close(d.sender.http);
	sender_clear(&d.sender);
	queue_close(d.queue);
	call_reader_clear(&d.reader);
	if (d.sender.registry)
		registry_close(&d.registry);
	secrets_close(&d.secrets);
	free(d.connect_to);
	guard_clear(&d.guard);
	buf_clear(&d.proxy);
	free(d.waits_ms);
	deliver_counts_clear(&d.counts);
	return stage_close(&d.stage);
}
