/*
 * ev-deliver: POSTs calls and says what became of each. One loop does all:
 * read calls while there is room for them, begin attempts, wait for whatever
 * comes first (an answer, a line, a retry that is due, a signal).
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/num.h"
#include "cmd/option.h"
#include "cmd/source.h"
#include "cmd/stage.h"
#include "deliver/sender.h"
#include "net/url.h"
#include "store/registry.h"

enum {
	/* Unsettled calls that are held, by number and bytes; then the pipe
	 * waits. The bytes bound what large calls take. */
	MAX_HELD_CALLS = 10000,
	MAX_HELD_BYTES = 8 << 20,
	LINES_A_TURN = 256, /* so that answers don't wait for input */
	FLUSH_MS = 5,       /* results gather so long while we are busy */
	MAX_CONCURRENCY = 1000,
	MAX_WAITS = 100,
	SPARE_FILES = 32,   /* beside the connections */
	MAX_GRACE_MS = 24 * 3600 * 1000,
	MAX_WAIT_MS = 7 * 24 * 3600 * 1000,
};

static const char usage[] =
    "usage: ev-deliver [-hVv] [--allow-net CIDR] ... [--ca FILE] "
    "[--concurrency N]\n"
    "                  [--connect-timeout TIME] "
    "[--connect-to HOST:PORT:ADDR:PORT] ...\n"
    "                  [--grace TIME] [--max-line BYTES] "
    "[--per-webhook N]\n"
    "                  [--policy failures|network] [--proxy URL] "
    "[-r FILE]\n"
    "                  [--schedule TIME,...] [--secrets FILE] "
    "[--timeout TIME] [-w FILE]\n"
    "                  [FILE ...]\n";

enum { OPT_ALLOW_NET = OPT_OWN, OPT_CA, OPT_CONCURRENCY, OPT_CONNECT_TIMEOUT, OPT_CONNECT_TO,
	OPT_GRACE, OPT_PER_WEBHOOK, OPT_POLICY, OPT_PROXY, OPT_SCHEDULE,
	OPT_SECRETS, OPT_TIMEOUT };

static const struct option options[] = {
	{ "allow-net", required_argument, NULL, OPT_ALLOW_NET },
	{ "ca", required_argument, NULL, OPT_CA },
	{ "concurrency", required_argument, NULL, OPT_CONCURRENCY },
	{ "connect-timeout", required_argument, NULL, OPT_CONNECT_TIMEOUT },
	{ "connect-to", required_argument, NULL, OPT_CONNECT_TO },
	{ "grace", required_argument, NULL, OPT_GRACE },
	{ "help", no_argument, NULL, 'h' },
	{ "max-line", required_argument, NULL, OPT_MAX_LINE },
	{ "per-webhook", required_argument, NULL, OPT_PER_WEBHOOK },
	{ "policy", required_argument, NULL, OPT_POLICY },
	{ "proxy", required_argument, NULL, OPT_PROXY },
	{ "rejects", required_argument, NULL, 'r' },
	{ "schedule", required_argument, NULL, OPT_SCHEDULE },
	{ "secrets", required_argument, NULL, OPT_SECRETS },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, 'V' },
	{ "webhooks", required_argument, NULL, 'w' },
	{ 0 },
};

struct deliver {
	struct stage stage;
	struct source input;
	const char *registry_path, *secrets_path;
	struct registry registry;
	struct secrets_file secrets;
	struct call_reader reader;
	struct sender sender;
	const char **connect_to;
	size_t n_connect_to, cap_connect_to;
	const char *ca_file;
	struct guard guard;
	struct buf proxy;
	int64_t *waits_ms;
	int64_t grace_ms;
	int signals;           /* readable once a signal came */
	int64_t flush_at_ms;   /* -1: no output waits */
	int64_t give_up_at_ms; /* once stopping */
	size_t n_aborted;      /* by stopping */
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
	sender_abandon(&d->sender, clock_mono_ms());
}

static void
fail(struct deliver *d, const struct error *e)
{
	diag_print(&d->stage.diag, DIAG_ERROR, "%s", e->text);
	stage_worsen(&d->stage, EX_SYSTEM);
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

/* Diagnostics name the line that the call came from. */
static void
diagnose(struct deliver *d, const struct result *r)
{
	struct diag at = d->stage.diag;

	at.file = r->call->file;
	at.line = r->call->line;
	diag_print(&at, DIAG_WARNING, "%s: %s: %s", outcome_name(r->outcome),
	    r->reason, r->error);
}

static void
on_result(void *ctx, const struct result *r)
{
	struct deliver *d = ctx;

	if (d->stage.out.error)
		return; /* nobody listens; what ended it is known */
	result_put(&d->stage.out.buf, r, clock_wall_ms());
	(void)out_end_line(&d->stage.out); /* a failure sticks */
	if (r->outcome == OUTCOME_DEAD)
		stage_worsen(&d->stage, EX_REJECTED);
	if (d->sender.stopping && r->outcome == OUTCOME_DEAD)
		d->n_aborted++;
	else if (r->outcome == OUTCOME_DEAD || r->outcome == OUTCOME_ANSWERED ||
	    (r->outcome == OUTCOME_RETRY && d->stage.diag.verbose))
		diagnose(d, r);
}

/* Input */

static void
take_call(struct deliver *d)
{
	struct stage *s = &d->stage;
	const char *reason;
	struct error e;
	struct call *c = call_read(&d->reader, s->input, &reason, &e);

	if (!c) {
		stage_reject(s, reason, span_of(e.text), (struct span){ 0 });
		return;
	}
	c->file = d->input.file;
	c->line = d->input.line;
	if (c->webhook_id.len && !d->sender.registry) {
		diag_print(&s->diag, DIAG_ERROR, "the call names a webhook, "
		    "but there is no registry: give one with -w or "
		    "EV_WEBHOOKS");
		stage_worsen(&d->stage, EX_SETUP);
		stop(d);
	}
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

	for (n = 0; n < LINES_A_TURN && has_room(d); n++) {
		if (source_take(&d->input, s) != SOURCE_LINE)
			break;
		take_call(d);
	}
	s->diag.file = NULL;
	s->diag.line = 0;
}

/* The loop */

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

static void
flush_if_due(struct deliver *d, int64_t now_ms)
{
	struct out *out = &d->stage.out;

	if (out->buf.len == 0)
		d->flush_at_ms = -1;
	else if (d->flush_at_ms < 0)
		d->flush_at_ms = now_ms + FLUSH_MS;
	else if (now_ms >= d->flush_at_ms) {
		(void)out_flush(out);
		d->flush_at_ms = -1;
	}
	if (out->error)
		stop_now(d);
}

static void
check_registry(struct deliver *d)
{
	struct buf reasons = { 0 };

	if (d->sender.registry &&
	    registry_check(&d->registry, &reasons) == REGISTRY_BAD)
		diag_print(&d->stage.diag, DIAG_ERROR, "the registry '%s' "
		    "changed but does not load; the last good one stays:\n%s",
		    d->registry_path, buf_str(&reasons));
	reasons.len = 0;
	if (d->sender.secrets && secrets_check(&d->secrets, &reasons) < 0)
		diag_print(&d->stage.diag, DIAG_ERROR, "the secrets '%s' "
		    "changed but do not load; the last good ones stay:\n%s",
		    d->secrets.path, buf_str(&reasons));
	buf_clear(&reasons);
}

static void
wait_for_more(struct deliver *d, int64_t now_ms)
{
	struct pollfd fds[2] = {
		{ .fd = d->signals, .events = POLLIN },
		{ .fd = source_fd(&d->input), .events = POLLIN },
	};
	bool wants_input = has_room(d) && d->input.starved;
	int64_t until = earlier(sender_deadline(&d->sender), d->flush_at_ms);
	struct error e;

	if (d->sender.stopping)
		until = earlier(until, d->give_up_at_ms);
	if (has_room(d) && !wants_input)
		until = now_ms;
	if (http_wait(d->sender.http, fds, wants_input ? 2 : 1, until, &e) < 0) {
		fail(d, &e);
		return;
	}
	if (wants_input && fds[1].revents)
		source_fill(&d->input, &d->stage);
	if (fds[0].revents)
		take_signals(d);
}

static bool
is_finished(const struct deliver *d)
{
	return d->input.ended && d->sender.n_calls == 0;
}

static void
run(struct deliver *d)
{
	struct error e;
	int64_t now_ms;

	while (!is_finished(d)) {
		check_registry(d);
		read_calls(d);
		now_ms = clock_mono_ms();
		if (sender_start(&d->sender, now_ms, &e) < 0)
			fail(d, &e);
		flush_if_due(d, now_ms);
		if (is_finished(d))
			break;
		wait_for_more(d, now_ms);
		now_ms = clock_mono_ms();
		(void)sender_collect(&d->sender, now_ms);
		if (d->sender.stopping && now_ms >= d->give_up_at_ms)
			stop_now(d);
	}
	source_close(&d->input);
	if (d->n_aborted)
		diag_print(&d->stage.diag, DIAG_WARNING,
		    "stopped: %zu calls ended dead, aborted", d->n_aborted);
}

/* The set-up */

static size_t
number(struct stage *s, const char *option, const char *arg)
{
	uint64_t n;

	if (num_u64(span_of(arg), 1, MAX_CONCURRENCY, &n) < 0)
		stage_die(s, EX_SETUP, "--%s '%s' is no number from 1 to %d",
		    option, arg, MAX_CONCURRENCY);
	return (size_t)n;
}

static int64_t
duration(struct stage *s, const char *option, const char *arg,
    int64_t min_ms, int64_t max_ms)
{
	int64_t ms;

	if (num_duration(span_of(arg), max_ms, &ms) < 0 || ms < min_ms)
		stage_die(s, EX_SETUP, "--%s '%s' is no time from %lld ms to "
		    "%lld s, such as 500ms or 10s", option, arg,
		    (long long)min_ms, (long long)max_ms / 1000);
	return ms;
}

static void
read_schedule(struct deliver *d, const char *arg)
{
	struct schedule *schedule = &d->sender.options.schedule;
	const char *at = arg, *comma;

	free(d->waits_ms);
	d->waits_ms = alloc_zero(MAX_WAITS, sizeof(*d->waits_ms));
	*schedule = (struct schedule){ .waits_ms = d->waits_ms };
	if (strcmp(arg, "none") == 0)
		return;
	for (;; at = comma + 1) {
		struct span one;

		comma = at + strcspn(at, ",");
		one = (struct span){ at, (size_t)(comma - at) };
		if (schedule->n_waits == MAX_WAITS || num_duration(one,
		    MAX_WAIT_MS, &d->waits_ms[schedule->n_waits++]) < 0)
			stage_die(&d->stage, EX_SETUP, "--schedule '%s' is no "
			    "list of at most %d times, such as 1s,5s,1m, "
			    "and not 'none'", arg, MAX_WAITS);
		if (!*comma)
			return;
	}
}

static void
read_policy(struct deliver *d, const char *arg)
{
	if (strcmp(arg, "failures") == 0)
		d->sender.options.policy = RETRY_FAILURES;
	else if (strcmp(arg, "network") == 0)
		d->sender.options.policy = RETRY_NETWORK;
	else
		stage_die(&d->stage, EX_SETUP,
		    "--policy '%s' is neither failures nor network", arg);
}

static void
read_connect_to(struct deliver *d, const char *arg)
{
	const char *at = arg;
	size_t n_colons = 0;

	for (; *at; at++)
		n_colons += *at == ':';
	if (n_colons < 3)
		stage_die(&d->stage, EX_SETUP,
		    "--connect-to '%s' is not HOST:PORT:ADDR:PORT", arg);
	d->connect_to = alloc_grow(d->connect_to, &d->cap_connect_to,
	    d->n_connect_to + 2, sizeof(*d->connect_to));
	d->connect_to[d->n_connect_to++] = arg;
	d->connect_to[d->n_connect_to] = NULL;
}

static void
read_allow_net(struct deliver *d, const char *arg)
{
	struct error e;

	if (guard_allow(&d->guard, span_of(arg), &e) < 0)
		stage_die(&d->stage, EX_SETUP, "--allow-net '%s': %s", arg,
		    e.text);
}

/* Its text is not shown: somebody may have put a password there. */
static void
read_proxy(struct deliver *d, const char *arg)
{
	struct buf href = { 0 };
	struct error e;

	d->proxy.len = 0;
	if (url_normalise(span_of(arg), &href, &e) < 0)
		stage_die(&d->stage, EX_SETUP, "--proxy: %s", e.text);
	url_dial(buf_bytes(&href), &d->proxy);
	buf_clear(&href);
}

static bool
own_option(struct deliver *d, int c, const char *arg)
{
	struct sender_options *o = &d->sender.options;
	struct stage *s = &d->stage;

	switch (c) {
	case OPT_ALLOW_NET:
		read_allow_net(d, arg);
		return true;
	case OPT_CA:
		d->ca_file = arg;
		return true;
	case OPT_CONCURRENCY:
		o->concurrency = number(s, "concurrency", arg);
		return true;
	case OPT_CONNECT_TIMEOUT:
		o->connect_ms = duration(s, "connect-timeout", arg, 1,
		    WEBHOOK_MAX_TIMEOUT_MS);
		return true;
	case OPT_CONNECT_TO:
		read_connect_to(d, arg);
		return true;
	case OPT_GRACE:
		d->grace_ms = duration(s, "grace", arg, 0, MAX_GRACE_MS);
		return true;
	case OPT_PER_WEBHOOK:
		o->per_webhook = number(s, "per-webhook", arg);
		return true;
	case OPT_POLICY:
		read_policy(d, arg);
		return true;
	case OPT_PROXY:
		read_proxy(d, arg);
		return true;
	case OPT_SCHEDULE:
		read_schedule(d, arg);
		return true;
	case OPT_SECRETS:
		d->secrets_path = arg;
		return true;
	case OPT_TIMEOUT:
		o->total_ms = duration(s, "timeout", arg, 1,
		    WEBHOOK_MAX_TIMEOUT_MS);
		return true;
	case 'w':
		d->registry_path = arg;
		return true;
	default:
		return false;
	}
}

static void
read_options(struct deliver *d, int argc, char **argv)
{
	int c;

	while ((c = option_next(&d->stage, argc, argv, "hr:Vvw:",
	    options)) != -1) {
		if (stage_option(&d->stage, c, optarg) ||
		    own_option(d, c, optarg))
			continue;
		if (c == 'h')
			stage_help(usage);
		if (c == 'V')
			stage_version(&d->stage);
		stage_usage(&d->stage, usage);
	}
	source_open(&d->input, argv + optind);
}

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

/* A connection for each request in flight, and idle ones being replaced. */
static void
raise_file_limit(size_t concurrency)
{
	struct rlimit limit;
	rlim_t need = (rlim_t)concurrency * 2 + SPARE_FILES;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= need)
		return;
	limit.rlim_cur = need < limit.rlim_max ? need : limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void
open_all(struct deliver *d)
{
	struct http_options o = {
		.max_connections = d->sender.options.concurrency,
		.ca_file = d->ca_file,
		.connect_to = d->connect_to,
		.guard = &d->guard,
		.proxy = d->proxy.len ? buf_str(&d->proxy) : NULL,
	};
	struct error e;

	open_registry(d);
	open_secrets(d);
	stage_open(&d->stage);
	raise_file_limit(o.max_connections);
	d->sender.http = http_open(&o, &e);
	if (!d->sender.http)
		stage_die(&d->stage, EX_SETUP, "%s", e.text);
	d->sender.report = on_result;
	d->sender.ctx = d;
	sender_init(&d->sender);
	call_reader_init(&d->reader);
	catch_signals(d);
}

int
main(int argc, char **argv)
{
	struct deliver d = {
		.grace_ms = 30 * 1000,
		.flush_at_ms = -1,
		.sender.options = { .concurrency = 64,
			.connect_ms = 10 * 1000, .total_ms = 30 * 1000,
			.policy = RETRY_FAILURES },
	};

	stage_init(&d.stage, "ev-deliver", STAGE_CALL_MAX_LINE);
	read_options(&d, argc, argv);
	open_all(&d);
	run(&d);
	http_close(d.sender.http);
	sender_clear(&d.sender);
	call_reader_clear(&d.reader);
	if (d.sender.registry)
		registry_close(&d.registry);
	secrets_close(&d.secrets);
	free(d.connect_to);
	guard_clear(&d.guard);
	buf_clear(&d.proxy);
	free(d.waits_ms);
	return stage_close(&d.stage);
}
