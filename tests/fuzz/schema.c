/*
 * libFuzzer: a line that is a schema, and behind it an instance, through the
 * reader, the compiler and the validator. The pass that decides and the one
 * that explains must agree, and each fault must have a place.
 */
#include "json/schema.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(bool ok)
{
	if (!ok)
		abort();
}

static void
explain(struct schema *schema, const struct json *j, bool all, bool valid)
{
	const struct schema_fault *list;
	struct buf text = { 0 };
	size_t n, i;

	list = schema_faults(schema, j, 0, all, &n);
	must((n == 0) == valid && (all || n <= 1));
	for (i = 0; i < n; i++) {
		text.len = 0;
		schema_fault_text(schema, &list[i], j, 0, "", true, &text);
		schema_fault_json(schema, &list[i], j, 0, "", true, &text);
		must(text.len > 0);
	}
	buf_clear(&text);
}

static void
check(struct schema *schema, struct buf *instance)
{
	struct json_error bad;
	struct json j;
	bool valid;

	json_init(&j);
	if (json_read(&j, buf_str(instance), instance->len, &bad) == 0) {
		valid = schema_check(schema, &j, 0);
		explain(schema, &j, false, valid);
		explain(schema, &j, true, valid);
	}
	json_clear(&j);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *line = len ? memchr(data, '\n', len) : NULL;
	size_t n = line ? (size_t)(line - data) : len;
	struct schemas *s = schemas_new(len & 1 ? SCHEMA_FORMAT : 0);
	struct buf text = { 0 }, instance = { 0 };
	struct schema *schema = NULL;
	struct json_error bad;
	struct error e = { "" };
	int document;

	buf_add(&text, data, n);
	(void)buf_room(&text, BUF_PAD);
	document = schemas_read(s, &text, "file:///schema", &bad);
	if (document >= 0) {
		schemas_declare(s, document, 0);
		schema = schemas_compile(s, document, &e);
		must(schema || *e.text);
	}
	if (schema && line) {
		buf_add(&instance, line + 1, len - n - 1);
		check(schema, &instance);
	}
	schemas_free(s);
	buf_clear(&text);
	buf_clear(&instance);
	return 0;
}
