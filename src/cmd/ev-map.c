/*
 * ev-map: passes public events on untouched and replaces a non-public one by
 * what its map gives.
 */
#include <getopt.h>

#include "cmd/config.h"
#include "cmd/option.h"
#include "cmd/source.h"
#include "event/map.h"

static const char usage[] =
    "usage: ev-map [-hVv] [-c DIR] [--max-line BYTES] [-r FILE] [-w FILE]\n"
    "              [FILE ...]\n";

static const struct option options[] = {
	{ "catalog", required_argument, NULL, 'c' },
	{ "help", no_argument, NULL, 'h' },
	{ "max-line", required_argument, NULL, OPT_MAX_LINE },
	{ "rejects", required_argument, NULL, 'r' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, 'V' },
	{ "webhooks", required_argument, NULL, 'w' },
	{ 0 },
};

/* libjq reads the environment itself: $ENV, and HOME for ~/.jq. */
extern char **environ;

struct mapper {
	struct config config;
	struct map *map;
	struct event event;
	struct fault fault;
};

static void
each_event(struct stage *s, void *ctx)
{
	struct mapper *m = ctx;
	const struct catalog_event *entry = NULL;
	int r = -1;

	if (event_read(&m->event, s->input, &m->fault) == 0)
		entry = event_check(&m->event, &m->config.catalog, &m->fault);
	if (entry && entry->public) {
		(void)out_line(&s->out, m->event.text);
		return;
	}
	if (entry) {
		if (config_check(&m->config, s))
			map_bind(m->map, &m->config.registry.webhooks);
		r = map_event(m->map, &m->event, entry, &s->out.buf,
		    &m->fault);
	}
	if (r == -2)
		stage_die(s, EX_SETUP, "%s", buf_str(&m->fault.error));
	if (r < 0)
		stage_reject(s, m->fault.reason, buf_bytes(&m->fault.error),
		    buf_bytes(&m->fault.detail));
	else if (s->out.buf.len >= OUT_BYTES)
		(void)out_flush(&s->out);
}

static void
read_options(struct stage *s, struct mapper *m, int argc, char **argv)
{
	int c;

	while ((c = option_next(s, argc, argv, "c:hr:Vvw:", options)) != -1) {
		if (stage_option(s, c, optarg) ||
		    config_option(&m->config, c, optarg))
			continue;
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
	static char *no_environment[] = { NULL };
	struct mapper m = { 0 };
	struct stage s;

	stage_init(&s, "ev-map", STAGE_CALL_MAX_LINE);
	read_options(&s, &m, argc, argv);
	config_open(&m.config, &s);
	stage_open(&s);
	environ = no_environment;
	event_init(&m.event);
	m.map = map_new(&m.config.catalog);
	map_bind(m.map, &m.config.registry.webhooks);
	source_run(&s, argv + optind, each_event, &m);
	map_free(m.map);
	event_clear(&m.event);
	fault_clear(&m.fault);
	config_close(&m.config);
	return stage_close(&s);
}
