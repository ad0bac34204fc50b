/*
 * ev-deliver's options.
 */
#include <getopt.h>

#include "base/alloc.h"
#include "base/num.h"
#include "cmd/deliver.h"
#include "cmd/option.h"
#include "net/url.h"

enum {
	MAX_CONCURRENCY = 1000,
	MAX_WAITS = 100,
	MAX_GRACE_MS = 24 * 3600 * 1000,
	MAX_WAIT_MS = 7 * 24 * 3600 * 1000,
};

/* Ten years: what is meant to be kept for ever. */
#define MAX_KEEP_MS (3650 * 24 * INT64_C(3600000))

static const char usage[] =
    "usage: ev-deliver [-hVv] [--allow-net CIDR] ... [--ca FILE] "
    "[--concurrency N]\n"
    "                  [--connect-timeout TIME] "
    "[--connect-to HOST:PORT:ADDR:PORT] ...\n"
    "                  [--grace TIME] [--max-line BYTES] [--metrics FILE]\n"
    "                  [--metrics-per-webhook] [--per-webhook N]\n"
    "                  [--policy failures|network] "
    "[--progress | --no-progress]\n"
    "                  [--proxy URL] [-r FILE]\n"
    "                  [--schedule TIME,...] [--secrets FILE] "
    "[--timeout TIME] [-w FILE]\n"
    "                  [FILE ...]\n"
    "       ev-deliver -q QUEUE [--drain | --enqueue | --serve] [--force] "
    "[--hold TIME]\n"
    "                  [--keep TIME] [--retention TIME] [option ...] "
    "[FILE ...]\n"
    "       ev-deliver --dry-run [option ...] [FILE ...]\n";

enum { OPT_ALLOW_NET = OPT_OWN, OPT_CA, OPT_CONCURRENCY, OPT_CONNECT_TIMEOUT,
	OPT_CONNECT_TO, OPT_DRAIN, OPT_DRY_RUN, OPT_ENQUEUE, OPT_FORCE,
	OPT_GRACE, OPT_HOLD,
	OPT_KEEP, OPT_METRICS_PER_WEBHOOK, OPT_PER_WEBHOOK, OPT_POLICY, OPT_PROXY, OPT_RETENTION,
	OPT_SCHEDULE, OPT_SECRETS, OPT_SERVE, OPT_TIMEOUT };

static const struct option options[] = {
	{ "allow-net", required_argument, NULL, OPT_ALLOW_NET },
	{ "ca", required_argument, NULL, OPT_CA },
	{ "concurrency", required_argument, NULL, OPT_CONCURRENCY },
	{ "connect-timeout", required_argument, NULL, OPT_CONNECT_TIMEOUT },
	{ "connect-to", required_argument, NULL, OPT_CONNECT_TO },
	{ "drain", no_argument, NULL, OPT_DRAIN },
	{ "dry-run", no_argument, NULL, OPT_DRY_RUN },
	{ "enqueue", no_argument, NULL, OPT_ENQUEUE },
	{ "force", no_argument, NULL, OPT_FORCE },
	{ "grace", required_argument, NULL, OPT_GRACE },
	{ "help", no_argument, NULL, 'h' },
	{ "hold", required_argument, NULL, OPT_HOLD },
	{ "keep", required_argument, NULL, OPT_KEEP },
	{ "max-line", required_argument, NULL, OPT_MAX_LINE },
	{ "metrics", required_argument, NULL, OPT_METRICS },
	{ "metrics-per-webhook", no_argument, NULL, OPT_METRICS_PER_WEBHOOK },
	{ "no-progress", no_argument, NULL, OPT_NO_PROGRESS },
	{ "per-webhook", required_argument, NULL, OPT_PER_WEBHOOK },
	{ "policy", required_argument, NULL, OPT_POLICY },
	{ "progress", no_argument, NULL, OPT_PROGRESS },
	{ "proxy", required_argument, NULL, OPT_PROXY },
	{ "queue", required_argument, NULL, 'q' },
	{ "rejects", required_argument, NULL, 'r' },
	{ "retention", required_argument, NULL, OPT_RETENTION },
	{ "schedule", required_argument, NULL, OPT_SCHEDULE },
	{ "secrets", required_argument, NULL, OPT_SECRETS },
	{ "serve", no_argument, NULL, OPT_SERVE },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, 'V' },
	{ "webhooks", required_argument, NULL, 'w' },
	{ 0 },
};

static size_t
number(struct stage *s, const char *option, const char *arg)
{
	uint64_t n;

	if (num_u64(span_of(arg), 1, MAX_CONCURRENCY, &n) < 0)
		stage_die(s, EX_SETUP, "--%s '%s' is no number from 1 to %d",
		    option, arg, MAX_CONCURRENCY);
	return (size_t)n;
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

static void
set_mode(struct deliver *d, enum deliver_mode mode)
{
	if (d->mode != DELIVER_PLAIN && d->mode != mode)
		stage_die(&d->stage, EX_SETUP,
		    "--drain, --enqueue and --serve exclude each other");
	d->mode = mode;
}

static bool
queue_option(struct deliver *d, int c, const char *arg)
{
	struct stage *s = &d->stage;

	switch (c) {
	case OPT_DRAIN:
		set_mode(d, DELIVER_DRAIN);
		return true;
	case OPT_ENQUEUE:
		set_mode(d, DELIVER_ENQUEUE);
		return true;
	case OPT_FORCE:
		d->force = true;
		return true;
	case OPT_HOLD:
		d->hold_ms = option_duration(s, "hold", arg, 0, MAX_KEEP_MS);
		return true;
	case OPT_KEEP:
		d->keep_ms = option_duration(s, "keep", arg, 0, MAX_KEEP_MS);
		return true;
	case OPT_RETENTION:
		d->retention_ms = option_duration(s, "retention", arg, 0,
		    MAX_KEEP_MS);
		return true;
	case OPT_SERVE:
		set_mode(d, DELIVER_SERVE);
		return true;
	case 'q':
		d->queue_path = arg;
		return true;
	default:
		return false;
	}
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
		o->connect_ms = option_duration(s, "connect-timeout", arg, 1,
		    WEBHOOK_MAX_TIMEOUT_MS);
		return true;
	case OPT_CONNECT_TO:
		read_connect_to(d, arg);
		return true;
	case OPT_DRY_RUN:
		d->dry_run = true;
		return true;
	case OPT_GRACE:
		d->grace_ms = option_duration(s, "grace", arg, 0, MAX_GRACE_MS);
		return true;
	case OPT_METRICS_PER_WEBHOOK:
		d->per_webhook = true;
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
		o->total_ms = option_duration(s, "timeout", arg, 1,
		    WEBHOOK_MAX_TIMEOUT_MS);
		return true;
	case 'w':
		d->registry_path = arg;
		return true;
	default:
		return false;
	}
}

void
deliver_read_options(struct deliver *d, int argc, char **argv)
{
	int c;

	while ((c = option_next(&d->stage, argc, argv, "hq:r:Vvw:",
	    options)) != -1) {
		if (stage_option(&d->stage, c, optarg) ||
		    queue_option(d, c, optarg) || own_option(d, c, optarg))
			continue;
		if (c == 'h')
			stage_help(usage);
		if (c == 'V')
			stage_version(&d->stage);
		stage_usage(&d->stage, usage);
	}
	if (d->mode != DELIVER_PLAIN && !d->queue_path)
		stage_die(&d->stage, EX_SETUP, "--drain, --enqueue and --serve "
		    "need a queue: give one with -q");
	if (d->mode == DELIVER_SERVE && argv[optind])
		stage_die(&d->stage, EX_SETUP, "--serve reads no input");
	if (d->dry_run && d->queue_path)
		stage_die(&d->stage, EX_SETUP, "--dry-run takes calls from its "
		    "input, not from a queue");
	d->operands = argv + optind;
	source_open(&d->input, d->operands);
	if (d->mode == DELIVER_SERVE)
		source_close(&d->input);
}

