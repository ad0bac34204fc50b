/*
 * ev-listen: takes events by HTTP and answers when they are on disk. Requests
 * that are complete at the same time are stored in one transaction.
 */
#include <getopt.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/num.h"
#include "cmd/reception.h"
#include "cmd/notify.h"
#include "cmd/option.h"
#include "cmd/port_file.h"
#include "cmd/event_queue.h"
#include "cmd/signals.h"
#include "net/bind.h"

static const char usage[] =
    "usage: ev-listen [-hVv] [--connections N] [--grace TIME] [--listen ADDR] ...\n"
    "                 [--max-body BYTES] [--max-line BYTES] [--metrics FILE]\n"
    "                 [--open | --tokens FILE] [--port-file FILE]\n"
    "                 [--timeout TIME] -q EVENTS\n";

enum { OPT_CONNECTIONS = OPT_OWN, OPT_GRACE, OPT_LISTEN, OPT_MAX_BODY,
	OPT_OPEN, OPT_PORT_FILE, OPT_TIMEOUT, OPT_TOKENS };

static const struct option options[] = {
	{ "connections", required_argument, NULL, OPT_CONNECTIONS },
	{ "events", required_argument, NULL, 'q' },
	{ "grace", required_argument, NULL, OPT_GRACE },
	{ "help", no_argument, NULL, 'h' },
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "max-body", required_argument, NULL, OPT_MAX_BODY },
	{ "max-line", required_argument, NULL, OPT_MAX_LINE },
	{ "metrics", required_argument, NULL, OPT_METRICS },
	{ "open", no_argument, NULL, OPT_OPEN },
	{ "port-file", required_argument, NULL, OPT_PORT_FILE },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "tokens", required_argument, NULL, OPT_TOKENS },
	{ "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

enum {
	MAX_CONNECTIONS = 100 * 1000,
	MAX_TIME_MS = 3600 * 1000,
	IDLE_MS = 60 * 1000,        /* between two requests */
	HELD_BODIES = 8,            /* of the longest, at a time */
	SPARE_FILES = 32,
	FIRST_PASSED_FD = 3,        /* sd_listen_fds(3) */
	MAX_ADDRESSES = 16,
	PATIENCE_MS = 3 * 1000,     /* with a broker that is gone: 503 */
};

struct server {
	struct stage stage;
	struct reception reception;
	struct listener *listener;
	const char *queue_path, *tokens_path, *port_file;
	const char *addresses[MAX_ADDRESSES];
	int fds[MAX_ADDRESSES];
	size_t n_addresses, n_fds;
	uint64_t max_connections, max_body;
	int64_t grace_ms, timeout_ms, watchdog_ms, alive_ms;
	bool open; /* --open: to whoever can connect */
};

static void
read_limit(struct server *v, int c)
{
	struct stage *s = &v->stage;

	if (c == OPT_MAX_BODY && (num_bytes(span_of(optarg), (uint64_t)1 << 28,
	    &v->max_body) < 0 || v->max_body == 0))
		stage_die(s, EX_SETUP, "--max-body '%s' is no size from 1 to "
		    "256MiB, such as 65536 or 8MiB", optarg);
	if (c == OPT_CONNECTIONS && num_u64(span_of(optarg), 1, MAX_CONNECTIONS,
	    &v->max_connections) < 0)
		stage_die(s, EX_SETUP, "--connections '%s' is no number from 1 "
		    "to %d", optarg, MAX_CONNECTIONS);
}

static void
read_option(struct server *v, int c)
{
	struct stage *s = &v->stage;

	switch (c) {
	case 'q':
		v->queue_path = optarg;
		break;
	case OPT_CONNECTIONS:
	case OPT_MAX_BODY:
		read_limit(v, c);
		break;
	case OPT_GRACE:
		v->grace_ms = option_duration(s, "grace", optarg, 0,
		    MAX_TIME_MS);
		break;
	case OPT_LISTEN:
		if (v->n_addresses == MAX_ADDRESSES)
			stage_die(s, EX_SETUP, "more than %d addresses",
			    MAX_ADDRESSES);
		v->addresses[v->n_addresses++] = optarg;
		break;
	case OPT_OPEN:
		v->open = true;
		break;
	case OPT_PORT_FILE:
		v->port_file = optarg;
		break;
	case OPT_TIMEOUT:
		v->timeout_ms = option_duration(s, "timeout", optarg, 1,
		    MAX_TIME_MS);
		break;
	case OPT_TOKENS:
		v->tokens_path = optarg;
		break;
	default:
		stage_usage(s, usage);
	}
}

static void
read_options(struct server *v, int argc, char **argv)
{
	struct stage *s = &v->stage;
	int c;

	while ((c = option_next(s, argc, argv, "hq:Vv", options)) != -1) {
		if (c == 'h')
			stage_help(usage);
		if (c == 'V')
			stage_version(s);
		if (!stage_option(s, c, optarg))
			read_option(v, c);
	}
	if (optind < argc)
		stage_usage(s, usage);
	if (!v->queue_path)
		stage_die(s, EX_SETUP, "no event queue: give one with -q");
	if (v->open && v->tokens_path)
		stage_die(s, EX_SETUP, "--open and --tokens contradict each "
		    "other");
}

/* What systemd opened for us (sd_listen_fds(3)). */
static void
take_passed_sockets(struct server *v)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
	uint64_t number;
	struct error e;

	if (!pid || !n || num_u64(span_of(pid), 1, INT32_MAX, &number) < 0 ||
	    number != (uint64_t)getpid())
		return;
	if (num_u64(span_of(n), 1, MAX_ADDRESSES - v->n_addresses,
	    &number) < 0)
		stage_die(&v->stage, EX_SETUP, "LISTEN_FDS is '%s', no number "
		    "from 1 to %zu", n, MAX_ADDRESSES - v->n_addresses);
	while (v->n_fds < number) {
		int fd = FIRST_PASSED_FD + (int)v->n_fds;

		if (bind_take(fd, &e) < 0)
			stage_die(&v->stage, EX_SETUP, "LISTEN_FDS: %s",
			    e.text);
		v->fds[v->n_fds++] = fd;
	}
}

static void
open_sockets(struct server *v)
{
	struct stage *s = &v->stage;
	struct error e;
	size_t i;

	take_passed_sockets(v);
	for (i = 0; i < v->n_addresses; i++) {
		int fd = bind_address(v->addresses[i], &e);

		if (fd < 0)
			stage_die(s, EX_SETUP, "%s", e.text);
		v->fds[v->n_fds++] = fd;
	}
	if (v->n_fds == 0)
		stage_die(s, EX_SETUP, "nowhere to listen: give an address with "
		    "--listen, such as 127.0.0.1:8080");
	for (i = 0; i < v->n_fds && !v->open && !v->tokens_path; i++)
		if (!bind_is_local(v->fds[i]))
			stage_die(s, EX_SETUP, "others than this machine could "
			    "connect: give --tokens FILE, or --open if whoever "
			    "can connect may send events");
	if (v->port_file)
		port_file_write(s, v->port_file, bind_port(v->fds[0]));
}

static void
open_reception(struct server *v)
{
	struct stage *s = &v->stage;
	struct error e;

	v->reception.events = event_queue_open(s, v->queue_path,
	    (struct events_wishes){ .patience_ms = PATIENCE_MS,
	    .tells_busy = true });
	if (v->tokens_path && tokens_open(&v->reception.tokens, v->tokens_path,
	    &e) < 0)
		stage_die(s, EX_SETUP, "%s", e.text);
	reception_open(&v->reception, s, v->tokens_path != NULL);
}

static void
open_listener(struct server *v)
{
	struct listener_options o = {
		.fds = v->fds, .n_fds = v->n_fds,
		.max_connections = stage_raise_files(v->max_connections,
		    SPARE_FILES),
		.max_body_bytes = v->max_body,
		.max_held_bytes = v->max_body * HELD_BODIES,
		.request_ms = v->timeout_ms, .idle_ms = IDLE_MS,
		.admit = reception_admit, .answered = reception_count,
		.ctx = &v->reception,
	};
	struct error e;

	v->listener = listener_open(&o, &e);
	if (!v->listener)
		stage_die(&v->stage, EX_SYSTEM, "%s", e.text);
}

static void
put_metrics(void *ctx, struct exposition *x)
{
	const struct server *v = ctx;

	reception_put_metrics(&v->reception, x);
	metrics_put(x, METRIC_HTTP_CONNECTIONS, v->listener ?
	    listener_connections(v->listener) : 0);
}

/* Wait for requests until end_ms (-1: without an end), and answer them. */
static void
serve(struct server *v, int signals, int64_t end_ms)
{
	struct stage *s = &v->stage;
	int64_t now_ms = clock_mono_ms();
	struct error e;

	if (v->watchdog_ms && now_ms >= v->alive_ms) {
		notify("WATCHDOG=1");
		v->alive_ms = now_ms + v->watchdog_ms;
	}
	end_ms = clock_earlier(end_ms, metrics_tend(s));
	if (v->watchdog_ms)
		end_ms = clock_earlier(end_ms, v->alive_ms);
	end_ms = clock_earlier(end_ms, reception_wake_ms(&v->reception));
	if (listener_wait(v->listener, signals, end_ms, &e) < 0)
		stage_die(s, EX_SYSTEM, "%s", e.text);
	metrics_touch(s);
	reception_take(&v->reception, v->listener);
}

/* Until a signal, and then until what is under way is answered. */
static void
run(struct server *v)
{
	int64_t end_ms;
	struct error e;
	int signals = signals_open(&e);

	if (signals < 0)
		stage_die(&v->stage, EX_SYSTEM, "%s", e.text);
	v->watchdog_ms = notify_watchdog_ms();
	notify("READY=1");
	while (!signals_take() && !v->reception.failed)
		serve(v, signals, -1);
	notify("STOPPING=1");
	listener_stop(v->listener);
	end_ms = clock_mono_ms() + v->grace_ms;
	serve(v, signals, clock_mono_ms()); /* what came while we stored */
	while (!listener_is_idle(v->listener) && clock_mono_ms() < end_ms &&
	    signals_take() == 0)
		serve(v, signals, end_ms);
	reception_stop(&v->reception);
	(void)listener_wait(v->listener, -1, clock_mono_ms(), &e);
}

int
main(int argc, char **argv)
{
	struct server v = { .max_connections = 1000, .max_body = 8 << 20,
		.grace_ms = 30 * 1000, .timeout_ms = 30 * 1000 };

	stage_init(&v.stage, "ev-listen", STAGE_EVENT_MAX_LINE);
	read_options(&v, argc, argv);
	v.stage.metrics.put = put_metrics;
	v.stage.metrics.ctx = &v;
	open_reception(&v);
	open_sockets(&v);
	open_listener(&v);
	run(&v);
	metrics_end(&v.stage);
	listener_close(v.listener);
	reception_close(&v.reception);
	return stage_close(&v.stage);
}
