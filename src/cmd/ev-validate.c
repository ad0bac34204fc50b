/*
 * ev-validate: passes valid events on, byte for byte, and rejects the others
 * with the reason. With --schema, any lines against any JSON Schema.
 */
#include <getopt.h>

#include "base/alloc.h"
#include "cmd/option.h"
#include "cmd/source.h"
#include "event/event.h"
#include "json/schema_file.h"

static const char usage[] =
    "usage: ev-validate [-ahVv] [--format] [-c DIR] [--max-line BYTES]\n"
    "                   [--metrics FILE] [--progress | --no-progress] "
    "[-r FILE]\n"
    "                   [FILE ...]\n"
    "       ev-validate [-ahVv] [--format] --schema FILE [--ref [URI=]DIR]\n"
    "                   [--max-line BYTES] [--metrics FILE] "
    "[--progress | --no-progress]\n"
    "                   [-r FILE] [FILE ...]\n";

enum { OPT_FORMAT = OPT_OWN, OPT_REF, OPT_SCHEMA };

static const struct option options[] = {
	{ "all", no_argument, NULL, 'a' },
	{ "catalog", required_argument, NULL, 'c' },
	{ "format", no_argument, NULL, OPT_FORMAT },
	{ "help", no_argument, NULL, 'h' },
	{ "max-line", required_argument, NULL, OPT_MAX_LINE },
	{ "metrics", required_argument, NULL, OPT_METRICS },
	{ "no-progress", no_argument, NULL, OPT_NO_PROGRESS },
	{ "progress", no_argument, NULL, OPT_PROGRESS },
	{ "ref", required_argument, NULL, OPT_REF },
	{ "rejects", required_argument, NULL, 'r' },
	{ "schema", required_argument, NULL, OPT_SCHEMA },
	{ "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

struct validate {
	struct catalog catalog;
	struct schemas *schemas; /* with --schema, and: */
	struct schema *schema;
	struct event event;
	struct fault fault;
	const char *catalog_dir, *schema_file;
	const char **refs; /* --ref */
	size_t n_refs, cap_refs;
	unsigned flags; /* of schemas */
};

static void
each_event(struct stage *s, void *ctx)
{
	struct validate *v = ctx;

	if (event_read(&v->event, s->input, &v->fault) < 0 ||
	    !event_check(&v->event, &v->catalog, &v->fault))
		stage_reject_fault(s, &v->fault);
	else
		(void)out_line(&s->out, v->event.text);
}

static void
each_value(struct stage *s, void *ctx)
{
	struct validate *v = ctx;
	struct json *j = &v->event.json;
	struct json_error bad;

	if (json_read(j, s->input.p, s->input.len, &bad) < 0) {
		fault_set(&v->fault, "not-json", "%s at byte %zu", bad.what,
		    bad.column);
	} else if (!schema_check(v->schema, j, 0)) {
		fault_schema(&v->fault, "invalid", v->schema, j, 0, "");
	} else {
		(void)out_line(&s->out, s->input);
		return;
	}
	stage_reject_fault(s, &v->fault);
}

static void
load_catalog(struct stage *s, struct validate *v)
{
	struct buf reasons = { 0 };

	if (catalog_open(&v->catalog, v->catalog_dir, v->flags, &reasons) < 0)
		stage_die(s, EX_SETUP, "the catalog does not load:\n%s",
		    buf_str(&reasons));
}

/* --ref DIR, or --ref URI=DIR. */
static void
load_ref(struct stage *s, struct validate *v, const char *ref)
{
	const char *sign = strchr(ref, '=');
	struct buf uri = { 0 }, reasons = { 0 };
	const char *dir = ref;

	if (sign && memchr(ref, ':', (size_t)(sign - ref))) {
		buf_add(&uri, ref, (size_t)(sign - ref));
		dir = sign + 1;
	}
	if (schema_file_read_dir(v->schemas, dir, uri.len ? buf_str(&uri) :
	    NULL, &reasons) < 0)
		stage_die(s, EX_SETUP, "--ref %s does not load:\n%s", ref,
		    buf_str(&reasons));
	buf_clear(&uri);
}

/* A misspelt keyword checks nothing, and the standard has it ignored. */
static void
warn_unknown(struct stage *s, const struct validate *v)
{
	const struct names *unknown = schemas_unknown(v->schemas);
	size_t i;

	for (i = 0; i < unknown->n; i++) {
		struct buf shown = { 0 };

		buf_putc(&shown, '\'');
		diag_foreign(&shown, unknown->list[i], 80);
		buf_puts(&shown, "' is no keyword of JSON Schema and is "
		    "ignored");
		schema_put_meant(unknown->list[i], &shown);
		diag_print(&s->diag, DIAG_WARNING, "%s: %s", v->schema_file,
		    buf_str(&shown));
		buf_clear(&shown);
	}
}

static void
load_schema(struct stage *s, struct validate *v)
{
	struct error e;
	size_t i;
	int n;

	v->schemas = schemas_new(v->flags);
	n = schema_file_read(v->schemas, v->schema_file, NULL, &e);
	if (n < 0)
		stage_die(s, EX_SETUP, "the schema '%s' does not load: %s",
		    v->schema_file, e.text);
	schemas_declare(v->schemas, n, 0);
	for (i = 0; i < v->n_refs; i++)
		load_ref(s, v, v->refs[i]);
	v->schema = schemas_compile(v->schemas, n, &e);
	if (!v->schema)
		stage_die(s, EX_SETUP, "%s: %s", v->schema_file, e.text);
	warn_unknown(s, v);
}

static void
read_options(struct stage *s, struct validate *v, int argc, char **argv)
{
	int c;

	while ((c = option_next(s, argc, argv, "ac:hr:Vv", options)) != -1) {
		if (stage_option(s, c, optarg))
			continue;
		switch (c) {
		case 'a':
			v->fault.all = true;
			break;
		case 'c':
			v->catalog_dir = optarg;
			break;
		case OPT_FORMAT:
			v->flags |= SCHEMA_FORMAT;
			break;
		case OPT_REF:
			v->refs = alloc_grow(v->refs, &v->cap_refs,
			    v->n_refs + 1, sizeof(*v->refs));
			v->refs[v->n_refs++] = optarg;
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
	if (v->schema_file ? v->catalog_dir != NULL : v->n_refs > 0)
		stage_usage(s, usage);
	v->fault.values = s->diag.verbose;
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
	schemas_free(v.schemas);
	free(v.refs);
	event_clear(&v.event);
	fault_clear(&v.fault);
	return stage_close(&s);
}
