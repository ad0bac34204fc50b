/*
 * The catalog. Every fault of every file is named, not only the first.
 */
#include "event/catalog.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "base/file.h"
#include "base/nearest.h"
#include "json/reader.h"
#include "json/schema_file.h"

/* Where the programs' data lie: beside bin/ if it is there, else as built. */
static char *
default_dir(void)
{
	static const char *const beside[] = { "/../share/evpipe/catalog",
		"/../examples/catalog" };
	char exe[4096];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	struct buf path = { 0 };
	struct stat st;
	size_t i;

	exe[n > 0 ? n : 0] = '\0';
	if (strrchr(exe, '/'))
		*strrchr(exe, '/') = '\0';
	for (i = 0; *exe && i < sizeof(beside) / sizeof(beside[0]); i++) {
		path.len = 0;
		buf_printf(&path, "%s%s", exe, beside[i]);
		if (stat(buf_str(&path), &st) == 0 && S_ISDIR(st.st_mode))
			return path.p;
	}
	buf_clear(&path);
	return alloc_copy(EV_DATADIR "/catalog",
	    strlen(EV_DATADIR "/catalog"));
}

/* To open a FIFO would wait for who writes to it. */
static int
refuse_fifo(const char *path, struct error *e)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISFIFO(st.st_mode))
		return error_set(e, "a FIFO, not a file");
	return 0;
}

int
catalog_read(const struct catalog *c, const char *file, struct buf *text,
    struct error *e)
{
	struct buf path = { 0 };
	int r;

	if (strchr(file, '/'))
		return error_set(e, "'%s' is not a file name in the catalog",
		    file);
	buf_printf(&path, "%s/%s", c->dir, file);
	r = refuse_fifo(buf_str(&path), e);
	if (r == 0)
		r = file_read(buf_str(&path), SCHEMA_FILE_MAX_BYTES, text, e);
	buf_clear(&path);
	return r;
}

/* The faults of one file go to one buffer, with the file's name before each. */
struct loading {
	struct catalog_event *event;
	const struct json *j;
	struct buf *reasons;
};

static void
fault(struct loading *l, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
fault(struct loading *l, const char *fmt, ...)
{
	va_list ap;

	if (l->reasons->len)
		buf_putc(l->reasons, '\n');
	buf_printf(l->reasons, "%s: ", l->event->file);
	va_start(ap, fmt);
	buf_vprintf(l->reasons, fmt, ap);
	va_end(ap);
}

/* A string that lives as long as the file's text: no escapes, or a copy. */
static struct span
keep_string(struct loading *l, struct catalog *c, uint32_t i)
{
	struct buf b = { 0 };

	if (!json_at(l->j, i)->escaped)
		return json_string(l->j, i, &b);
	json_add_string(l->j, i, &b);
	c->texts = alloc_grow(c->texts, &c->cap_texts, c->n_texts + 1,
	    sizeof(*c->texts));
	c->texts[c->n_texts++] = b.p;
	return buf_bytes(&b);
}

static bool
take_bool(struct loading *l, uint32_t i, const char *member, bool *out)
{
	enum json_kind kind = json_kind(l->j, i);

	*out = kind == JSON_TRUE;
	if (kind == JSON_TRUE || kind == JSON_FALSE)
		return true;
	fault(l, "%s: neither true nor false", member);
	return false;
}

static void
take_required(struct loading *l, struct catalog *c, uint32_t list)
{
	struct catalog_event *ev = l->event;
	uint32_t i;

	if (json_kind(l->j, list) != JSON_ARRAY) {
		fault(l, "required_attributes: not an array");
		return;
	}
	ev->required = alloc_zero(json_at(l->j, list)->n,
	    sizeof(*ev->required));
	for (i = list + 1; i < json_next(l->j, list); i = json_next(l->j, i)) {
		if (json_kind(l->j, i) != JSON_STRING)
			fault(l, "required_attributes: not all are strings");
		else
			ev->required[ev->n_required++] = keep_string(l, c, i);
	}
}

static void
fault_unknown(struct loading *l, struct span name)
{
	static const char *const members[] = { "name", "public", "deprecated",
		"description", "payload", "map", "required_attributes",
		"examples" };
	struct buf b = { 0 };
	struct nearest near;
	size_t i;

	buf_puts(&b, "unknown member '");
	diag_foreign(&b, name, 64);
	buf_putc(&b, '\'');
	nearest_open(&near, name);
	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		nearest_offer(&near, span_of(members[i]));
	nearest_put(&near, "", &b);
	fault(l, "%s", buf_str(&b));
	buf_clear(&b);
}

static void
take_member(struct loading *l, struct catalog *c, uint32_t name)
{
	struct catalog_event *ev = l->event;
	uint32_t v = name + 1;
	bool string = json_kind(l->j, v) == JSON_STRING;
	struct buf scratch = { 0 };

	if (json_string_is(l->j, name, SPAN("name"))) {
		if (!string || json_at(l->j, v)->len == 2)
			fault(l, "name: not a non-empty string");
		else
			ev->name = keep_string(l, c, v);
	} else if (json_string_is(l->j, name, SPAN("public"))) {
		take_bool(l, v, "public", &ev->public);
	} else if (json_string_is(l->j, name, SPAN("deprecated"))) {
		take_bool(l, v, "deprecated", &ev->deprecated);
	} else if (json_string_is(l->j, name, SPAN("description"))) {
		if (!string)
			fault(l, "description: not a string");
		else
			ev->description = keep_string(l, c, v);
	} else if (json_string_is(l->j, name, SPAN("payload"))) {
		ev->payload = json_bytes(l->j, v);
		schemas_declare(c->schemas, ev->document, v);
	} else if (json_string_is(l->j, name, SPAN("map"))) {
		struct span s = string ? json_string(l->j, v, &scratch) :
		    (struct span){ 0 };

		if (!s.len || memchr(s.p, '/', s.len) ||
		    memchr(s.p, '\0', s.len))
			fault(l, "map: not a file name in the catalog");
		else
			ev->map = alloc_copy(s.p, s.len);
	} else if (json_string_is(l->j, name, SPAN("required_attributes"))) {
		take_required(l, c, v);
	} else if (json_string_is(l->j, name, SPAN("examples"))) {
		if (json_kind(l->j, v) != JSON_ARRAY)
			fault(l, "examples: not an array");
		ev->examples = json_bytes(l->j, v);
	} else {
		fault_unknown(l, json_string(l->j, name, &scratch));
	}
	buf_clear(&scratch);
}

static void
take_event(struct loading *l, struct catalog *c)
{
	struct catalog_event *ev = l->event;
	bool has_public = false;
	uint32_t k;

	if (json_kind(l->j, 0) != JSON_OBJECT) {
		fault(l, "not a JSON object");
		return;
	}
	for (k = 1; k < json_next(l->j, 0); k = json_next(l->j, k + 1)) {
		has_public |= json_string_is(l->j, k, SPAN("public"));
		take_member(l, c, k);
	}
	if (!ev->name.len)
		fault(l, "name: missing");
	if (!has_public)
		fault(l, "public: missing");
	if (!ev->payload.len)
		fault(l, "payload: missing (a JSON Schema; true accepts all)");
	if (!has_public)
		return;
	if (ev->public && ev->map)
		fault(l, "map: a public event has none");
	if (!ev->public && !ev->map)
		fault(l, "map: missing (a non-public event needs one)");
	if (!ev->public && ev->n_required)
		fault(l, "required_attributes: for public events only");
}

static void
load_file(struct catalog *c, const char *path, char *file, struct buf *reasons)
{
	struct catalog_event *ev;
	struct loading l;
	struct error e;

	c->events = alloc_grow(c->events, &c->cap, c->n + 1, sizeof(*ev));
	ev = &c->events[c->n++];
	*ev = (struct catalog_event){ .file = file };
	l = (struct loading){ .event = ev, .reasons = reasons };
	ev->document = schema_file_read(c->schemas, path, NULL, &e);
	if (ev->document < 0) {
		fault(&l, "%s", e.text);
		return;
	}
	l.j = schemas_json(c->schemas, ev->document);
	take_event(&l, c);
}

static bool
ends_in(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n > m && strcmp(name + n - m, end) == 0;
}

/* An event's file, or a schema for others to refer to. */
static void
load_entry(struct catalog *c, const char *name, struct buf *reasons)
{
	struct loading l = { .reasons = reasons };
	struct catalog_event shared = { 0 };
	struct buf path = { 0 };
	struct error e;
	int n;

	if (*name == '.' || !ends_in(name, ".json"))
		return;
	buf_printf(&path, "%s/%s", c->dir, name);
	n = refuse_fifo(buf_str(&path), &e);
	if (n == 0 && !ends_in(name, ".schema.json")) {
		load_file(c, buf_str(&path), alloc_copy(name, strlen(name)),
		    reasons);
	} else if (n == 0) {
		n = schema_file_read(c->schemas, buf_str(&path), NULL, &e);
		if (n >= 0)
			schemas_declare(c->schemas, n, 0);
	}
	if (n < 0) {
		shared.file = (char *)(uintptr_t)name;
		l.event = &shared;
		fault(&l, "%s", e.text);
	}
	buf_clear(&path);
}

/* When all that they may refer to is there. */
static void
compile_schemas(struct catalog *c, struct buf *reasons)
{
	struct error e;
	size_t i;

	for (i = 0; i < c->n; i++) {
		struct loading l = { .event = &c->events[i],
			.reasons = reasons };

		if (!l.event->payload.len)
			continue;
		l.event->schema = schemas_compile(c->schemas,
		    l.event->document, &e);
		if (!l.event->schema)
			fault(&l, "payload: %s", e.text);
	}
}

static int
by_name(const void *a, const void *b)
{
	const struct catalog_event *x = a, *y = b;
	int c = span_cmp(x->name, y->name);

	return c ? c : strcmp(x->file, y->file);
}

static int
load_dir(struct catalog *c, DIR *d, unsigned flags, struct buf *reasons)
{
	struct dirent *entry;
	size_t i;

	while ((errno = 0, entry = readdir(d)) != NULL)
		load_entry(c, entry->d_name, reasons);
	if (errno) {
		buf_printf(reasons, "cannot read the catalog '%s': %s", c->dir,
		    strerror(errno));
		return -1;
	}
	if (c->n)
		qsort(c->events, c->n, sizeof(*c->events), by_name);
	if (!(flags & CATALOG_NO_SCHEMAS))
		compile_schemas(c, reasons);
	for (i = 0; i < c->n; i++)
		if (names_add(&c->names, c->events[i].name) != i)
			break;
	for (i = 1; i < c->n; i++) {
		struct loading l = { .event = &c->events[i],
			.reasons = reasons };

		if (c->events[i].name.len && span_eq(c->events[i].name,
		    c->events[i - 1].name))
			fault(&l, "name: the same as in %s",
			    c->events[i - 1].file);
	}
	if (!c->n && !reasons->len)
		buf_printf(reasons, "the catalog '%s' holds no event (*.json)",
		    c->dir);
	return reasons->len ? -1 : 0;
}

int
catalog_open(struct catalog *c, const char *dir, unsigned flags,
    struct buf *reasons)
{
	DIR *d;
	int r;

	*c = (struct catalog){ .schemas = schemas_new(flags | SCHEMA_STRICT) };
	if (!dir)
		dir = getenv("EV_CATALOG");
	c->dir = dir && *dir ? alloc_copy(dir, strlen(dir)) : default_dir();
	d = opendir(c->dir);
	if (!d) {
		buf_printf(reasons, "cannot open the catalog '%s': %s; give "
		    "one with -c or EV_CATALOG", c->dir, strerror(errno));
		return -1;
	}
	r = load_dir(c, d, flags, reasons);
	closedir(d);
	return r;
}

void
catalog_close(struct catalog *c)
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		free(c->events[i].map);
		free(c->events[i].required);
		free(c->events[i].file);
	}
	for (i = 0; i < c->n_texts; i++)
		free(c->texts[i]);
	free(c->texts);
	names_clear(&c->names);
	schemas_free(c->schemas);
	free(c->events);
	free(c->dir);
	*c = (struct catalog){ 0 };
}

const struct catalog_event *
catalog_find(const struct catalog *c, struct span name)
{
	long i = names_find(&c->names, name);

	return i < 0 ? NULL : &c->events[i];
}
