/*
 * ev-route: writes one call for each webhook that wants the event.
 */
#include <getopt.h>
#include <unistd.h>

#include "base/alloc.h"
#include "cmd/config.h"
#include "cmd/option.h"
#include "cmd/pipeline.h"
#include "cmd/source.h"
#include "event/explain.h"
#include "event/route.h"

static const char usage[] =
    "usage: ev-route [-hVv] [-c DIR] [--explain] [--max-line BYTES]\n"
    "                [--metrics FILE] [--progress | --no-progress] "
    "[-r FILE]\n"
    "                [--timeout DURATION] [--unmatched FILE] [-w FILE]\n"
    "                [FILE ...]\n";

enum {
	OPT_TIMEOUT = OPT_OWN, OPT_EXPLAIN, OPT_UNMATCHED,
	HEAD_BYTES = 512, /* of a call without its body, or thereabouts */
	SHOWN_BYTES = 200, /* of a value, on a terminal */
};

static const struct option options[] = {
	{ "catalog", required_argument, NULL, 'c' },
	{ "explain", no_argument, NULL, OPT_EXPLAIN },
	{ "help", no_argument, NULL, 'h' },
	{ "max-line", required_argument, NULL, OPT_MAX_LINE },
	{ "metrics", required_argument, NULL, OPT_METRICS },
	{ "no-progress", no_argument, NULL, OPT_NO_PROGRESS },
	{ "progress", no_argument, NULL, OPT_PROGRESS },
	{ "rejects", required_argument, NULL, 'r' },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "unmatched", required_argument, NULL, OPT_UNMATCHED },
	{ "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, 'V' },
	{ "webhooks", required_argument, NULL, 'w' },
	{ 0 },
};

#define CLASH_REASON "invalid-transform"
#define CLASH_ERROR SPAN("its transform gave a header that it has itself")

struct router {
	struct config config;
	struct route *route;
	int64_t timeout_ms;
	bool explain, is_terminal;
	const char *unmatched_path;
	struct explanation explanation;
	struct pipeline pipeline;
	struct transforms *transforms; /* NULL: no webhook has a program */
	struct event event;
	struct fault fault;
	/* Of the event: */
	const struct catalog_event *entry;
	const uint32_t *matches;
	size_t n_matches;
	size_t n_called; /* with --explain */
	bool wanted;     /* by somebody whose program may have failed */
	uint32_t *tasks; /* distinct ones of the matches */
	unsigned n_tasks;
	uint64_t serial;
	uint64_t *wanted_by; /* by task: the last event's serial */
	uint64_t n_requests, n_unmatched;
	uint64_t n_deaths; /* of registries before */
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
	r->n_deaths += transforms_deaths(r->transforms);
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
task_of(const struct router *r, size_t webhook)
{
	return r->transforms ? transforms_task(r->transforms,
	    (uint32_t)webhook) : 0;
}

static const struct ruling *
ruling_of(const struct router *r, size_t webhook)
{
	uint32_t task = task_of(r, webhook);

	return task ? transforms_ruling(r->transforms, task) : NULL;
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

/* What a ruling comes to: 1 a call, 0 none, -1 none, for it was rejected. */
static int
obey(struct stage *s, struct router *r, const struct webhook *w,
    const struct ruling *v)
{
	switch (v->kind) {
	case RULING_NO_FILTER:
	case RULING_NO_OUTPUT:
		return 0;
	case RULING_CALL:
		return 1;
	case RULING_FAILED:
		reject_call(s, w, v->reason, v->error, v->detail);
		return -1;
	case RULING_BODY:
		break;
	}
	if (!transforms_clash(r->transforms, v, w))
		return 1;
	reject_call(s, w, CLASH_REASON, CLASH_ERROR, SPAN(""));
	return -1;
}

/* The calls of the event; false if nobody wants it. */
static bool
put_calls(struct stage *s, struct router *r)
{
	const struct webhook *list = r->config.registry.webhooks.list;
	bool wanted = false;
	size_t i;

	for (i = 0; i < r->n_matches; i++) {
		uint32_t match = r->matches[i];
		uint32_t w = route_webhook(r->route, match);
		const struct ruling *v = ruling_of(r, w);
		int called = v ? obey(s, r, &list[w], v) : 1;

		wanted = wanted || called != 0;
		if (called != 1)
			continue;
		route_put_call(r->route, match, &r->event, v,
		    pipeline_out(&r->pipeline, s));
		pipeline_end_line(&r->pipeline, s);
	}
	return wanted;
}

static void
judge(struct router *r, size_t webhook)
{
	const struct webhook *w = &r->config.registry.webhooks.list[webhook];
	const struct ruling *v = ruling_of(r, webhook);

	explain(&r->explanation, w, &r->event, r->entry, v);
	if (explanation_is_match(&r->explanation) && v &&
	    v->kind == RULING_BODY && transforms_clash(r->transforms, v, w))
		explanation_fail(&r->explanation, CLASH_REASON, CLASH_ERROR);
	r->n_called += explanation_is_match(&r->explanation);
	r->wanted = r->wanted || explanation_is_match(&r->explanation) ||
	    r->explanation.error.len;
}

/* For a person: "  wh2  attribute name: wants "wh2", has "wh1"" */
static void
put_text(const struct explanation *x, const struct webhook *w, struct buf *b)
{
	buf_printf(b, "  %.*s  %s", (int)w->id.len, w->id.p, x->verdict);
	if (x->attribute.p) {
		buf_putc(b, ' ');
		diag_foreign(b, x->attribute, SHOWN_BYTES);
	}
	if (x->wants.len) {
		buf_puts(b, ": wants ");
		diag_foreign(b, buf_bytes(&x->wants), SHOWN_BYTES);
	}
	if (x->has.len) {
		buf_puts(b, ", has ");
		diag_foreign(b, buf_bytes(&x->has), SHOWN_BYTES);
	}
	if (x->error.len) {
		buf_puts(b, ": ");
		diag_foreign(b, buf_bytes(&x->error), SHOWN_BYTES);
	}
}

/* "line 3: ping e1: 1 of 3 webhooks" */
static void
put_summary(struct stage *s, struct router *r)
{
	struct buf *b = pipeline_out(&r->pipeline, s);

	buf_printf(b, "line %llu: ", (unsigned long long)s->diag.line);
	diag_foreign(b, r->event.name, SHOWN_BYTES);
	if (r->event.id_text.len) {
		buf_putc(b, ' ');
		diag_foreign(b, r->event.id_text, SHOWN_BYTES);
	}
	buf_printf(b, ": %zu of %zu webhooks", r->n_called,
	    r->config.registry.webhooks.n);
	pipeline_end_line(&r->pipeline, s);
}

/* A verdict for each webhook; false if nobody wants the event. */
static bool
put_explanations(struct stage *s, struct router *r)
{
	const struct webhooks *all = &r->config.registry.webhooks;
	size_t i;

	r->n_called = 0;
	r->wanted = false;
	if (r->is_terminal) {
		for (i = 0; i < all->n; i++)
			judge(r, i);
		put_summary(s, r);
	}
	for (i = 0; i < all->n; i++) {
		struct buf *b = pipeline_out(&r->pipeline, s);

		judge(r, i);
		if (r->is_terminal)
			put_text(&r->explanation, &all->list[i], b);
		else
			explanation_put(&r->explanation, &all->list[i],
			    &r->event, s->diag.file, s->diag.line, b);
		pipeline_end_line(&r->pipeline, s);
	}
	return r->wanted;
}

/* Write what comes of the event; its rulings, if it needs any, are there. */
static void
put_event(struct stage *s, struct router *r)
{
	struct buf line = { 0 };
	struct error e;

	if (r->explain ? put_explanations(s, r) : put_calls(s, r))
		return;
	r->n_unmatched++;
	if (s->unmatched.fd < 0)
		return;
	buf_span(&line, s->input);
	buf_putc(&line, '\n');
	if (append_write(&s->unmatched, buf_bytes(&line), &e) < 0)
		stage_die(s, EX_SYSTEM, "%s", e.text);
	buf_clear(&line);
}

/* Note the distinct tasks of the matches. */
static void
find_tasks(struct router *r)
{
	size_t i;

	r->n_tasks = 0;
	r->serial++;
	for (i = 0; i < r->n_matches; i++) {
		uint32_t task = task_of(r, route_webhook(r->route, r->matches[i]));

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
	r->entry = NULL;
	if (event_read(&r->event, line, &r->fault) == 0)
		r->entry = find_public(r);
	if (!r->entry)
		return false;
	r->n_matches = route_match(r->route, &r->event, r->entry, &r->matches);
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
	r->n_requests++;
}

static void
settle(struct stage *s, void *ctx, unsigned n)
{
	struct router *r = ctx;

	while (n--)
		receive(s, r, &s->input);
	if (match_line(r, s->input)) /* as when it was sent */
		put_event(s, r);
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
	put_event(s, r);
}

/* Ask for the rulings, and go on with the next line. */
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
check_config(struct stage *s, struct router *r)
{
	/* Lines on their way need the registry that they were matched with. */
	drain(s, r);
	if (config_check(&r->config, s)) {
		close_route(r);
		open_route(r);
	}
}

static void
each_event(struct stage *s, void *ctx)
{
	struct router *r = ctx;
	size_t n;

	if (config_is_due(&r->config))
		check_config(s, r);
	pipeline_make_room(&r->pipeline, s);
	if (!match_line(r, s->input)) {
		/* It keeps the fault: lines on their way have none. */
		drain(s, r);
		stage_reject_fault(s, &r->fault);
		return;
	}
	n = r->n_tasks ? r->n_tasks : r->explain ?
	    r->config.registry.webhooks.n : r->n_matches;
	if (r->n_tasks == 0 && pipeline_is_idle(&r->pipeline))
		put_event(s, r);
	else if (pipeline_is_full(&r->pipeline, n * (s->input.len +
	    HEAD_BYTES)))
		route_alone(s, r);
	else if (r->n_tasks)
		send(s, r);
	else
		put_event(s, r);
}

static void
read_options(struct stage *s, struct router *r, int argc, char **argv)
{
	int c;

	while ((c = option_next(s, argc, argv, "c:hr:Vvw:", options)) != -1) {
		if (stage_option(s, c, optarg) ||
		    config_option(&r->config, c, optarg))
			continue;
		switch (c) {
		case OPT_TIMEOUT:
			r->timeout_ms = pipeline_timeout(s, optarg);
			break;
		case OPT_EXPLAIN:
			r->explain = true;
			break;
		case OPT_UNMATCHED:
			r->unmatched_path = optarg;
			break;
		case 'h':
			stage_help(usage);
		case 'V':
			stage_version(s);
		default:
			stage_usage(s, usage);
		}
	}
}

static void
open_unmatched(struct stage *s, const struct router *r)
{
	struct error e;

	if (append_open(&s->unmatched, "unmatched", r->unmatched_path,
	    &e) < 0)
		stage_die(s, EX_SETUP, "%s", e.text);
}

static void
put_metrics(void *ctx, struct exposition *x)
{
	const struct router *r = ctx;

	config_put_metrics(&r->config.registry, x);
	metrics_put(x, METRIC_WORKER_REQUESTS, r->n_requests);
	metrics_put(x, METRIC_WORKER_DEATHS, r->n_deaths +
	    transforms_deaths(r->transforms));
	metrics_put(x, METRIC_UNMATCHED, r->n_unmatched);
}

int
main(int argc, char **argv)
{
	struct router r = { .timeout_ms = WORKER_LIMIT_MS };
	struct stage s;

	stage_init(&s, "ev-route", STAGE_CALL_MAX_LINE);
	read_options(&s, &r, argc, argv);
	s.metrics.put = put_metrics;
	s.metrics.ctx = &r;
	config_open(&r.config, &s);
	stage_open(&s);
	open_unmatched(&s, &r);
	event_init(&r.event);
	r.is_terminal = isatty(STDOUT_FILENO);
	pipeline_init(&r.pipeline, settle, &r);
	open_route(&r);
	s.drain = drain;
	source_run(&s, argv + optind, each_event, &r);
	close_route(&r);
	pipeline_clear(&r.pipeline);
	event_clear(&r.event);
	fault_clear(&r.fault);
	explanation_clear(&r.explanation);
	config_close(&r.config);
	return stage_close(&s);
}
