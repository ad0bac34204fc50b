/*
 * ev-route: writes one call for each webhook that wants the event.
 */
#include <getopt.h>

#include "cmd/config.h"
#include "cmd/option.h"
#include "cmd/source.h"
#include "event/route.h"

static const char usage[] =
    "usage: ev-route [-hVv] [-c DIR] [--max-line BYTES] [-r FILE] [-w FILE]\n"
    "                [FILE ...]\n";

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

struct router {
	struct config config;
	struct route *route;
	struct event event;
	struct fault fault;
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
each_event(struct stage *s, void *ctx)
{
	struct router *r = ctx;
	const struct catalog_event *entry = NULL;
	const uint32_t *matches;
	size_t n, i;

	if (event_read(&r->event, s->input, &r->fault) == 0)
		entry = find_public(r);
	if (!entry) {
		stage_reject(s, r->fault.reason, buf_bytes(&r->fault.error),
		    buf_bytes(&r->fault.detail));
		return;
	}
	if (config_check(&r->config, s)) {
		route_free(r->route);
		r->route = route_new(&r->config.catalog,
		    &r->config.registry.webhooks);
	}
	n = route_match(r->route, &r->event, entry, &matches);
	for (i = 0; i < n; i++) {
		route_put_call(r->route, matches[i], &r->event, &s->out.buf);
		(void)out_end_line(&s->out);
	}
}

static void
read_options(struct stage *s, struct router *r, int argc, char **argv)
{
	int c;

	while ((c = option_next(s, argc, argv, "c:hr:Vvw:", options)) != -1) {
		if (stage_option(s, c, optarg) ||
		    config_option(&r->config, c, optarg))
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
	struct router r = { 0 };
	struct stage s;

	stage_init(&s, "ev-route", STAGE_CALL_MAX_LINE);
	read_options(&s, &r, argc, argv);
	config_open(&r.config, &s);
	stage_open(&s);
	event_init(&r.event);
	r.route = route_new(&r.config.catalog, &r.config.registry.webhooks);
	source_run(&s, argv + optind, each_event, &r);
	route_free(r.route);
	event_clear(&r.event);
	fault_clear(&r.fault);
	config_close(&r.config);
	return stage_close(&s);
}
