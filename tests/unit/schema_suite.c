/*
 * The official JSON Schema test suite, draft 2020-12, as Debian packages it
 * (libtest-json-schema-acceptance-perl; EV_SCHEMA_SUITE names another place):
 * every required test, and the optional ones that the table names, each file
 * a TAP line with its counts.
 */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "json/schema.h"

#define SUITE "/usr/share/perl5/auto/share/dist/Test-JSON-Schema-Acceptance"
#define REMOTES "http://localhost:1234/"

/* The optional files, with what a schema set must be for them. */
static const struct {
	const char *file;
	unsigned flags;
} optional[] = {
	{ "bignum", 0 }, { "ecmascript-regex", SCHEMA_FORMAT }, { "float-overflow", 0 },
	{ "non-bmp-regex", 0 }, { "unicode", 0 }, { "no-schema", 0 },
	{ "format-assertion", 0 }, { "refOfUnknownKeyword", 0 },
	{ "format/date-time", SCHEMA_FORMAT }, { "format/date", SCHEMA_FORMAT },
	{ "format/time", SCHEMA_FORMAT }, { "format/duration", SCHEMA_FORMAT },
	{ "format/email", SCHEMA_FORMAT }, { "format/hostname", SCHEMA_FORMAT },
	{ "format/ipv4", SCHEMA_FORMAT }, { "format/ipv6", SCHEMA_FORMAT },
	{ "format/uri", SCHEMA_FORMAT },
	{ "format/uri-reference", SCHEMA_FORMAT },
	{ "format/uuid", SCHEMA_FORMAT },
	{ "format/json-pointer", SCHEMA_FORMAT },
	{ "format/regex", SCHEMA_FORMAT }, { "format/iri", SCHEMA_FORMAT },
	{ "format/iri-reference", SCHEMA_FORMAT },
	{ "format/uri-template", SCHEMA_FORMAT },
	{ "format/relative-json-pointer", SCHEMA_FORMAT },
	{ "format/unknown", SCHEMA_FORMAT },
};

/* Not run, and why: said with the counts. */
static const char left_out[] =
    "# left out: optional/cross-draft (other drafts), optional/"
    "dependencies-compatibility (a keyword of earlier ones), optional/format/"
    "idn-email and idn-hostname (formats that stay notes)\n";

static int lines, failures;
static long total, good;

static int
read_file(const char *path, struct buf *b)
{
	FILE *f = fopen(path, "r");
	size_t n;

	b->len = 0;
	if (!f)
		return -1;
	while ((n = fread(buf_room(b, 65536), 1, 65536, f)) > 0)
		b->len += n;
	fclose(f);
	return 0;
}

/* All documents below a folder, each known by its place there. */
static void
add_remotes(struct schemas *s, const char *dir, const char *uri)
{
	DIR *d = opendir(dir);
	struct dirent *entry;

	while (d && (entry = readdir(d)) != NULL) {
		struct buf path = { 0 }, name = { 0 }, text = { 0 };
		struct json_error bad;
		struct stat st;
		int n;

		buf_printf(&path, "%s/%s", dir, entry->d_name);
		buf_printf(&name, "%s%s", uri, entry->d_name);
		if (*entry->d_name == '.' || stat(buf_str(&path), &st) < 0) {
			;
		} else if (S_ISDIR(st.st_mode)) {
			buf_putc(&name, '/');
			add_remotes(s, path.p, buf_str(&name));
		} else if (read_file(path.p, &text) == 0) {
			n = schemas_read(s, &text, buf_str(&name), &bad);
			if (n >= 0)
				schemas_declare(s, n, 0);
		}
		buf_clear(&path);
		buf_clear(&name);
	}
	if (d)
		closedir(d);
}

/* One schema with its instances: how many verdicts were right. */
static long
run_group(const struct json *j, uint32_t group, const char *remotes,
    unsigned flags, struct buf *said)
{
	uint32_t tests = json_get(j, group, SPAN("tests")), t;
	struct schemas *s = schemas_new(flags);
	struct schema *schema;
	struct buf text = { 0 };
	struct json_error bad;
	struct error e = { "" };
	long right = 0;
	int n;

	add_remotes(s, remotes, REMOTES);
	buf_span(&text, json_bytes(j, json_get(j, group, SPAN("schema"))));
	n = schemas_read(s, &text, "file:///schema", &bad);
	schemas_declare(s, n, 0);
	schema = schemas_compile(s, n, &e);
	for (t = tests + 1; t < json_next(j, tests); t = json_next(j, t)) {
		uint32_t data = json_get(j, t, SPAN("data"));
		bool want = json_kind(j, json_get(j, t, SPAN("valid"))) ==
		    JSON_TRUE;
		struct span what = json_bytes(j, json_get(j, t,
		    SPAN("description")));
		size_t faults;

		total++;
		if (schema && schema_check(schema, j, data) == want) {
			/* The second pass must not see it otherwise. */
			(void)schema_faults(schema, j, data, true, &faults);
			if ((faults == 0) == want) {
				right++;
				continue;
			}
		}
		buf_printf(said, "#   %.*s: %.*s: %s\n",
		    (int)json_at(j, json_get(j, group,
		        SPAN("description")))->len,
		    json_bytes(j, json_get(j, group,
		        SPAN("description"))).p, (int)what.len, what.p,
		    schema ? want ? "not taken" : "taken" : e.text);
	}
	schemas_free(s);
	return right;
}

static void
run_file(const char *suite, const char *name, unsigned flags)
{
	struct buf path = { 0 }, remotes = { 0 }, text = { 0 }, said = { 0 };
	long had = total, right = 0;
	struct json_error bad;
	struct json j;
	uint32_t g;

	json_init(&j);
	buf_printf(&path, "%s/tests/draft2020-12/%s", suite, name);
	buf_printf(&remotes, "%s/remotes", suite);
	if (read_file(buf_str(&path), &text) < 0 ||
	    json_read(&j, buf_str(&text), text.len, &bad) < 0) {
		printf("not ok %d %s: cannot read\n", ++lines, name);
		failures++;
	} else {
		for (g = 1; g < json_next(&j, 0); g = json_next(&j, g))
			right += run_group(&j, g, buf_str(&remotes), flags,
			    &said);
		printf("%sok %d schema suite: %s: %ld of %ld\n%s",
		    right == total - had ? "" : "not ", ++lines, name, right,
		    total - had, said.len ? buf_str(&said) : "");
		failures += right != total - had;
		good += right;
	}
	json_clear(&j);
	buf_clear(&path);
	buf_clear(&remotes);
	buf_clear(&text);
	buf_clear(&said);
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int
is_test(const struct dirent *entry)
{
	return strstr(entry->d_name, ".json") != NULL;
}

int
main(void)
{
	const char *suite = getenv("EV_SCHEMA_SUITE");
	struct dirent **list = NULL;
	struct buf path = { 0 };
	size_t i;
	int n, k;

	if (!suite)
		suite = SUITE;
	buf_printf(&path, "%s/tests/draft2020-12", suite);
	n = scandir(buf_str(&path), &list, is_test, by_name);
	if (n <= 0) {
		printf("not ok 1 schema suite: nothing in %s: run 'make "
		    "deps'\n", path.p);
		return 1;
	}
	for (k = 0; k < n; k++) {
		run_file(suite, list[k]->d_name, 0);
		free(list[k]);
	}
	free(list);
	printf("# required: %ld of %ld\n", good, total);
	good = total = 0;
	for (i = 0; i < sizeof(optional) / sizeof(optional[0]); i++) {
		path.len = 0;
		buf_printf(&path, "optional/%s.json", optional[i].file);
		run_file(suite, buf_str(&path), optional[i].flags);
	}
	printf("# optional: %ld of %ld\n%s", good, total, left_out);
	buf_clear(&path);
	return failures != 0;
}
