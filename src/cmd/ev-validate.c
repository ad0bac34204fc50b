/*
 * ev-validate: passes valid events on, byte for byte, and rejects the others
 * with the reason. With --schema, any lines against any JSON Schema.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <unistd.h>

#include "cmd/option.h"
#include "cmd/source.h"
#include "event/event.h"

static const char usage[] =
    "usage: ev-validate [-hVv] [-c DIR | --schema FILE] [--max-line BYTES]\n"
    "                   [-r FILE] [FILE ...]\n";

enum { OPT_SCHEMA = OPT_OWN };

static const struct option options[] = {
	{ "catalog", required_argument, NULL, 'c' },
	{ "help", no_argument, NULL, 'h' },
	{ "max-line", required_argument, NULL, OPT_MAX_LINE },
	{ "rejects", required_argument, NULL, 'r' },
	{ "schema", required_argument, NULL, OPT_SCHEMA },
	{ "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

struct validate {
	struct catalog catalog;
	struct schema *schema; /* --schema */
	struct event event;
	struct fault fault;
	const char *catalog_dir, *schema_file;
};

static void
each_event(struct stage *s, void *ctx)
{
	struct validate *v = ctx;

	if (event_read(&v->event, s->input, &v->fault) < 0 ||
	    !event_check(&v->event, &v->catalog, &v->fault)) {
		stage_reject(s, v->fault.reason, buf_bytes(&v->fault.error),
		    buf_bytes(&v->fault.detail));
		return;
	}
	(void)out_line(&s->out, v->event.text);
}

static void
each_value(struct stage *s, void *ctx)
{
	struct validate *v = ctx;
	struct json *j = &v->event.json;
	struct schema_fault why;
	struct json_error bad;

	if (json_read(j, s->input.p, s->input.len, &bad) < 0) {
		fault_set(&v->fault, "not-json", "%s at byte %zu", bad.what,
		    bad.column);
	} else if (!schema_check(v->schema, j, 0, &why)) {
		fault_set(&v->fault, "invalid", "%s", "");
		schema_explain(&why, j, 0, "", &v->fault.error);
	} else {
		(void)out_line(&s->out, s->input);
		return;
	}
	stage_reject(s, v->fault.reason, buf_bytes(&v->fault.error),
	    (struct span){ 0 });
}

static void
load_catalog(struct stage *s, struct validate *v)
{
	struct buf reasons = { 0 };

	if (catalog_open(&v->catalog, v->catalog_dir, &reasons) < 0)
		stage_die(s, EX_SETUP, "the catalog does not load:\n%s",
		    buf_str(&reasons));
}

static void
load_schema(struct stage *s, struct validate *v)
{
	int fd = open(v->schema_file, O_RDONLY | O_CLOEXEC);
	struct buf text = { 0 };
	struct json_error bad;
	struct error e;
	ssize_t n = fd;

	while (n >= 0 && (n = read(fd, buf_room(&text, 65536), 65536)) > 0)
		text.len += (size_t)n;
	if (n < 0)
		stage_die(s, EX_SETUP, "cannot read the schema '%s': %s",
		    v->schema_file, strerror(errno));
	close(fd);
	if (json_read(&v->event.json, buf_str(&text), text.len, &bad) < 0)
		stage_die(s, EX_SETUP, "the schema '%s' is not JSON: %s at "
		    "byte %zu", v->schema_file, bad.what, bad.column);
	v->schema = schema_compile(&v->event.json, 0, &e);
	if (!v->schema)
		stage_die(s, EX_SETUP, "%s: %s", v->schema_file, e.text);
	buf_clear(&text);
}

static void
read_options(struct stage *s, struct validate *v, int argc, char **argv)
{
	int c;

	while ((c = option_next(s, argc, argv, "c:hr:Vv", options)) != -1) {
		if (stage_option(s, c, optarg))
			continue;
		switch (c) {
		case 'c':
			v->catalog_dir = optarg;
			break;
		case OPT_SCHEMA:
			v->schema_file = optarg;
			break;
		case 'h':
			stage_help(usage);
		case 'V':
			stage_version(s);
		default:
			stage_usage(s, usage);
		}
	}
	if (v->catalog_dir && v->schema_file)
		stage_usage(s, usage);
}

int
main(int argc, char **argv)
{
	struct validate v = { 0 };
	struct stage s;

	stage_init(&s, "ev-validate", STAGE_EVENT_MAX_LINE);
	read_options(&s, &v, argc, argv);
	event_init(&v.event);
	if (v.schema_file)
		load_schema(&s, &v);
	else
		load_catalog(&s, &v);
	stage_open(&s);
	source_run(&s, argv + optind, v.schema ? each_value : each_event, &v);
	catalog_close(&v.catalog);
	schema_free(v.schema);
	event_clear(&v.event);
	fault_clear(&v.fault);
	return stage_close(&s);
}
