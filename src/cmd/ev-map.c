/*
 * ev-map: passes public events on untouched and replaces a non-public one by
 * what its map gives.
 */
#include <getopt.h>

#include "cmd/config.h"
#include "cmd/option.h"
#include "cmd/pipeline.h"
#include "cmd/source.h"
#include "event/map.h"

static const char usage[] =
    "usage: ev-map [-hVv] [-c DIR] [--max-line BYTES] [--metrics FILE]\n"
    "              [--progress | --no-progress] [-r FILE]\n"
    "              [--timeout DURATION] [-w FILE] [FILE ...]\n";

enum { OPT_TIMEOUT = OPT_OWN };

static const struct option options[] = {
	{ "catalog", required_argument, NULL, 'c' },
	{ "help", no_argument, NULL, 'h' },
	{ "max-line", required_argument, NULL, OPT_MAX_LINE },
	{ "metrics", required_argument, NULL, OPT_METRICS },
	{ "no-progress", no_argument, NULL, OPT_NO_PROGRESS },
	{ "progress", no_argument, NULL, OPT_PROGRESS },
	{ "rejects", required_argument, NULL, 'r' },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, 'V' },
	{ "webhooks", required_argument, NULL, 'w' },
	{ 0 },
};

struct mapper {
	struct config config;
	struct map *map;
	int64_t timeout_ms;
	struct pipeline pipeline;
	struct event event;
	struct fault fault, late; /* of the line at hand; of one settled */
	uint64_t n_mapped;
};

/* Lines that a map has added from there on. */
static void
count_lines(struct out *out, size_t from)
{
	const char *at = out->buf.p + from, *end = out->buf.p + out->buf.len;

	while (at < end && (at = memchr(at, '\n', (size_t)(end - at)))) {
		out->n_lines++;
		at++;
	}
}

static void
settle(struct stage *s, void *ctx, unsigned n)
{
	struct mapper *m = ctx;
	struct fault *f = &m->late;
	size_t from = s->out.buf.len;

	(void)n;
	m->n_mapped++;
	switch (map_receive(m->map, &s->input, &s->out.buf, f)) {
	case MAP_DONE:
		count_lines(&s->out, from);
		break;
	case MAP_REJECT:
		stage_reject(s, f->reason, buf_bytes(&f->error),
		    buf_bytes(&f->detail));
		break;
	case MAP_BROKEN:
		stage_die(s, EX_SETUP, "%s", buf_str(&f->error));
	case MAP_FAILED:
		stage_die(s, EX_SYSTEM, "%s", buf_str(&f->error));
	}
}

static void
drain(struct stage *s, void *ctx)
{
	struct mapper *m = ctx;

	pipeline_drain(&m->pipeline, s);
}

static void
each_event(struct stage *s, void *ctx)
{
	struct mapper *m = ctx;
	const struct catalog_event *entry = NULL;

	pipeline_make_room(&m->pipeline, s);
	if (event_read(&m->event, s->input, &m->fault) == 0)
		entry = event_check(&m->event, &m->config.catalog, &m->fault);
	if (!entry) {
		drain(s, m);
		stage_reject_fault(s, &m->fault);
	} else if (entry->public) {
		buf_span(pipeline_out(&m->pipeline, s), m->event.text);
		pipeline_end_line(&m->pipeline, s);
	} else {
		if (config_check(&m->config, s)) {
			drain(s, m);
			map_bind(m->map, &m->config.registry.webhooks);
		}
		map_send(m->map, s->input);
		pipeline_sent(&m->pipeline, s, 1, s->input.len);
	}
}

static void
read_options(struct stage *s, struct mapper *m, int argc, char **argv)
{
	int c;

	while ((c = option_next(s, argc, argv, "c:hr:Vvw:", options)) != -1) {
		if (stage_option(s, c, optarg) ||
		    config_option(&m->config, c, optarg))
			continue;
		if (c == OPT_TIMEOUT) {
			m->timeout_ms = pipeline_timeout(s, optarg);
			continue;
		}
		if (c == 'h')
			stage_help(usage);
		if (c == 'V')
			stage_version(s);
		stage_usage(s, usage);
	}
}

static void
put_metrics(void *ctx, struct exposition *x)
{
	const struct mapper *m = ctx;

	config_put_metrics(&m->config.registry, x);
	metrics_put(x, METRIC_WORKER_REQUESTS, m->n_mapped);
	metrics_put(x, METRIC_WORKER_DEATHS, m->map ? map_deaths(m->map) : 0);
}

int
main(int argc, char **argv)
{
	struct mapper m = { .timeout_ms = WORKER_LIMIT_MS };
	struct stage s;

	stage_init(&s, "ev-map", STAGE_CALL_MAX_LINE);
	read_options(&s, &m, argc, argv);
	s.metrics.put = put_metrics;
	s.metrics.ctx = &m;
	m.config.checks_payloads = true;
	config_open(&m.config, &s);
	stage_open(&s);
	event_init(&m.event);
	pipeline_init(&m.pipeline, settle, &m);
	m.map = map_new(&m.config.catalog, m.timeout_ms);
	map_bind(m.map, &m.config.registry.webhooks);
	s.drain = drain;
	source_run(&s, argv + optind, each_event, &m);
	map_free(m.map);
	pipeline_clear(&m.pipeline);
	event_clear(&m.event);
	fault_clear(&m.fault);
	fault_clear(&m.late);
	config_close(&m.config);
	return stage_close(&s);
}
