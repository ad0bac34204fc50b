/*
 * ev-route: writes one call for each webhook that wants the event.
 */
#include <getopt.h>

#include "base/alloc.h"
#include "cmd/config.h"
#include "cmd/option.h"
#include "cmd/pipeline.h"
#include "cmd/source.h"
#include "event/route.h"

static const char usage[] =
    "usage: ev-route [-hVv] [-c DIR] [--max-line BYTES] [-r FILE]\n"
    "                [--timeout DURATION] [-w FILE] [FILE ...]\n";

enum {
	OPT_TIMEOUT = OPT_OWN,
	HEAD_BYTES = 512, /* of a call without its body, or thereabouts */
};

static const struct option options[] = {
	{ "catalog", required_argument, NULL, 'c' },
	{ "help", no_argument, NULL, 'h' },
	{ "max-line", required_argument, NULL, OPT_MAX_LINE },
	{ "rejects", required_argument, NULL, 'r' },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, 'V' },
	{ "webhooks", required_argument, NULL, 'w' },
	{ 0 },
};

struct router {
	struct config config;
	struct route *route;
	int64_t timeout_ms;
	struct pipeline pipeline;
	struct transforms *transforms; /* NULL: no webhook has a program */
	struct event event;
	struct fault fault;
	/* Of the event: */
	const uint32_t *matches;
	size_t n_matches;
	uint32_t *tasks; /* distinct ones of the matches */
	unsigned n_tasks;
	uint64_t serial;
	uint64_t *wanted_by; /* by task: the last event's serial */
};

static const struct catalog_event *
find_public(struct router *r)
{
	const struct catalog_event *entry =
	    catalog_find(&r->config.catalog, r->event.name);

	if (entry && entry->public)
		return entry;
	if (entry)
		fault_set(&r->fault, "not-public", "/name is a non-public "
		    "event, which ev-map would have replaced");
	else
		fault_set(&r->fault, "unknown-event",
		    "/name is not an event of the catalog");
	buf_span(&r->fault.detail, r->event.name);
	return NULL;
}

static void
close_route(struct router *r)
{
	route_free(r->route);
	transforms_free(r->transforms);
	free(r->tasks);
	free(r->wanted_by);
}

static void
open_route(struct router *r)
{
	const struct webhooks *w = &r->config.registry.webhooks;
	size_t n;

	r->route = route_new(&r->config.catalog, w);
	r->transforms = transforms_new(w, r->timeout_ms);
	r->tasks = NULL;
	r->wanted_by = NULL;
	if (!r->transforms)
		return;
	n = (size_t)transforms_count(r->transforms) + 1;
	r->tasks = alloc_zero(n, sizeof(*r->tasks));
	r->wanted_by = alloc_zero(n, sizeof(*r->wanted_by));
	r->serial = 0;
}

static uint32_t
task_of(const struct router *r, uint32_t match)
{
	return r->transforms ? transforms_task(r->transforms,
	    route_webhook(r->route, match)) : 0;
}

/* One webhook's part of the event is rejected. */
static void
reject_call(struct stage *s, const struct webhook *w, const char *reason,
    struct span error, struct span detail)
{
	struct buf text = { 0 };

	buf_printf(&text, "webhook '%.*s': %.*s", (int)w->id.len, w->id.p,
	    (int)error.len, error.p);
	stage_reject(s, reason, buf_bytes(&text), detail);
	buf_clear(&text);
}

/* Is there a call to be written? */
static bool
judge(struct stage *s, struct router *r, uint32_t match,
    const struct verdict *v)
{
	const struct webhook *w = &r->config.registry.webhooks.list[
	    route_webhook(r->route, match)];
	const struct pair *own;
	struct buf text = { 0 };

	if (v->kind == VERDICT_FAILED) {
		buf_span(&text, v->reason);
		reject_call(s, w, buf_str(&text), v->error, v->detail);
		buf_clear(&text);
		return false;
	}
	if (v->kind != VERDICT_BODY)
		return v->kind == VERDICT_CALL;
	own = transforms_clash(r->transforms, v, w);
	if (!own)
		return true;
	buf_printf(&text, "its transform gave header '%.*s', which is its own",
	    (int)own->name.len, own->name.p);
	reject_call(s, w, "invalid-transform", buf_bytes(&text), SPAN(""));
	buf_clear(&text);
	return false;
}

/* The calls of the event; verdicts, where it needs any, are there. */
static void
put_calls(struct stage *s, struct router *r)
{
	size_t i;

	for (i = 0; i < r->n_matches; i++) {
		uint32_t match = r->matches[i], task = task_of(r, match);
		const struct verdict *v = NULL;

		if (task)
			v = transforms_verdict(r->transforms, task);
		if (v && !judge(s, r, match, v))
			continue;
		route_put_call(r->route, match, &r->event, v,
		    pipeline_out(&r->pipeline, s));
		pipeline_end_line(&r->pipeline, s);
	}
}

/* Note the distinct tasks of the matches. */
static void
find_tasks(struct router *r)
{
	size_t i;

	r->n_tasks = 0;
	r->serial++;
	for (i = 0; i < r->n_matches; i++) {
		uint32_t task = task_of(r, r->matches[i]);

		if (task && r->wanted_by[task] != r->serial) {
			r->wanted_by[task] = r->serial;
			r->tasks[r->n_tasks++] = task;
		}
	}
}

/* Find out who wants the event of a line; false with the fault. */
static bool
match_line(struct router *r, struct span line)
{
	const struct catalog_event *entry = NULL;

	if (event_read(&r->event, line, &r->fault) == 0)
		entry = find_public(r);
	if (!entry)
		return false;
	r->n_matches = route_match(r->route, &r->event, entry, &r->matches);
	r->n_tasks = 0;
	if (r->transforms)
		find_tasks(r);
	return true;
}

static void
receive(struct stage *s, struct router *r, struct span *line)
{
	struct error e;

	if (transforms_receive(r->transforms, line, &e) < 0)
		stage_die(s, EX_SYSTEM, "%s", e.text);
}

static void
settle(struct stage *s, void *ctx, unsigned n)
{
	struct router *r = ctx;

	while (n--)
		receive(s, r, &s->input);
	if (match_line(r, s->input)) /* as when it was sent */
		put_calls(s, r);
}

static void
drain(struct stage *s, void *ctx)
{
	struct router *r = ctx;

	pipeline_drain(&r->pipeline, s);
}

/* An event with much to ask or to write: by itself, one task at a time. */
static void
route_alone(struct stage *s, struct router *r)
{
	struct span unused;
	unsigned i;

	drain(s, r);
	(void)match_line(r, s->input); /* draining matched others */
	for (i = 0; i < r->n_tasks; i++) {
		transforms_send(r->transforms, r->tasks[i], s->input);
		receive(s, r, &unused);
	}
	put_calls(s, r);
}

/* Ask for the verdicts, and go on with the next line. */
static void
send(struct stage *s, struct router *r)
{
	unsigned i;

	for (i = 0; i < r->n_tasks; i++)
		transforms_send(r->transforms, r->tasks[i], s->input);
	pipeline_sent(&r->pipeline, s, r->n_tasks,
	    r->n_tasks * s->input.len);
}

static void
each_event(struct stage *s, void *ctx)
{
	struct router *r = ctx;
	size_t n;

	if (config_check(&r->config, s)) {
		drain(s, r);
		close_route(r);
		open_route(r);
	}
	pipeline_make_room(&r->pipeline, s);
	if (!match_line(r, s->input)) {
		/* It keeps the fault: lines on their way have none. */
		drain(s, r);
		stage_reject_fault(s, &r->fault);
		return;
	}
	n = r->n_tasks ? r->n_tasks : r->n_matches;
	if (r->n_tasks == 0 && pipeline_is_idle(&r->pipeline))
		put_calls(s, r);
	else if (pipeline_is_full(&r->pipeline, n * (s->input.len +
	    HEAD_BYTES)))
		route_alone(s, r);
	else if (r->n_tasks)
		send(s, r);
	else
		put_calls(s, r);
}

static void
read_options(struct stage *s, struct router *r, int argc, char **argv)
{
	int c;

	while ((c = option_next(s, argc, argv, "c:hr:Vvw:", options)) != -1) {
		if (stage_option(s, c, optarg) ||
		    config_option(&r->config, c, optarg))
			continue;
		if (c == OPT_TIMEOUT) {
			r->timeout_ms = pipeline_timeout(s, optarg);
			continue;
		}
		if (c == 'h')
			stage_help(usage);
		if (c == 'V')
			stage_version(s);
		stage_usage(s, usage);
	}
}

int
main(int argc, char **argv)
{
	struct router r = { .timeout_ms = WORKER_LIMIT_MS };
	struct stage s;

	stage_init(&s, "ev-route", STAGE_CALL_MAX_LINE);
	read_options(&s, &r, argc, argv);
	config_open(&r.config, &s);
	stage_open(&s);
	event_init(&r.event);
	pipeline_init(&r.pipeline, settle, &r);
	open_route(&r);
	s.drain = drain;
	source_run(&s, argv + optind, each_event, &r);
	close_route(&r);
	pipeline_clear(&r.pipeline);
	event_clear(&r.event);
	fault_clear(&r.fault);
	config_close(&r.config);
	return stage_close(&s);
}
