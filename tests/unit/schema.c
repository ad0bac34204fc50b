/*
 * The schema compiler and its checks, on a table of schemas and values.
 */
#include <stdio.h>

#include "base/buf.h"
#include "json/schema.h"

static const struct {
	const char *schema, *value;
	const char *want; /* NULL: valid; else the explanation */
} rows[] = {
	{ "true", "1", NULL },
	{ "false", "1", "the value is not allowed (false, schema at '')" },
	{ "{\"type\":\"integer\"}", "1", NULL },
	{ "{\"type\":\"integer\"}", "1.0", NULL },
	{ "{\"type\":\"integer\"}", "1.50e1", NULL },
	{ "{\"type\":\"integer\"}", "10e-1", NULL },
	{ "{\"type\":\"integer\"}", "100.00e-2", NULL },
	{ "{\"type\":\"integer\"}", "0.000e-5", NULL },
	{ "{\"type\":\"integer\"}", "-0", NULL },
	{ "{\"type\":\"integer\"}", "1e400", NULL },
	{ "{\"type\":\"integer\"}", "1.5",
	    "the value has the wrong type (type, schema at '/type')" },
	{ "{\"type\":\"integer\"}", "10e-2",
	    "the value has the wrong type (type, schema at '/type')" },
	{ "{\"type\":\"integer\"}", "1e-1",
	    "the value has the wrong type (type, schema at '/type')" },
	{ "{\"type\":[\"null\",\"string\"]}", "null", NULL },
	{ "{\"type\":[\"null\",\"string\"]}", "\"\"", NULL },
	{ "{\"type\":[\"null\",\"string\"]}", "{}",
	    "the value has the wrong type (type, schema at '/type')" },
	{ "{\"type\":\"boolean\"}", "false", NULL },
	{ "{\"enum\":[\"A\",null,true]}", "\"\\u0041\"", NULL },
	{ "{\"enum\":[\"A\",null,true]}", "false",
	    "the value is not one of the values allowed (enum, schema at "
	    "'/enum')" },
	{ "{\"const\":\"x\"}", "\"x\"", NULL },
	{ "{\"const\":\"x\"}", "\"y\"",
	    "the value is not the value required (const, schema at '/const')" },
	{ "{\"minLength\":2}", "\"\xc3\xa9\"",
	    "the value is too short (minLength, schema at '/minLength')" },
	{ "{\"minLength\":1}", "\"\\u0000\"", NULL },
	{ "{\"minLength\":1}", "5", NULL },
	{ "{\"maxLength\":1}", "\"\\ud83c\\udf0a\"", NULL },
	{ "{\"maxLength\":1}", "\"ab\"",
	    "the value is too long (maxLength, schema at '/maxLength')" },
	{ "{\"pattern\":\"^[A-Z]{2}$\"}", "\"AB\"", NULL },
	{ "{\"pattern\":\"^[A-Z]{2}$\"}", "\"AB\\n\"",
	    "the value does not match the pattern (pattern, schema at "
	    "'/pattern')" },
	{ "{\"required\":[\"a\"]}", "{\"a\":1}", NULL },
	{ "{\"required\":[\"a\"]}", "[]", NULL },
	{ "{\"required\":[\"a\",\"a\"]}", "{\"b\":1}",
	    "the value lacks the member 'a' (required, schema at '/required')" },
	{ "{\"properties\":{\"a/b\":{\"items\":{\"type\":\"null\"}}}}",
	    "{\"a/b\":[null,[null],1]}",
	    "/a~1b/1 has the wrong type (type, schema at "
	    "'/properties/a~1b/items/type')" },
	{ "{\"properties\":{\"a\":true},\"additionalProperties\":false}",
	    "{\"a\":1,\"b\":{\"c\":2}}",
	    "/b is not allowed (false, schema at '/additionalProperties')" },
	{ "{\"additionalProperties\":{\"type\":\"string\"}}",
	    "{\"x\":\"\",\"y\":\"\"}", NULL },
	/* The last of two equal names is the one that counts. */
	{ "{\"properties\":{\"a\":{\"type\":\"null\"}}}",
	    "{\"a\":1,\"a\":null}", NULL },
};

static const struct {
	const char *schema, *want;
} refused[] = {
	{ "1", "schema at '': neither an object nor a boolean" },
	{ "{\"typ\":\"string\"}", "schema at '/typ': unknown keyword" },
	{ "{\"type\":\"text\"}",
	    "schema at '/type': type: not a type, nor a list of types" },
	{ "{\"properties\":{\"x\":{\"minLength\":-1}}}",
	    "schema at '/properties/x/minLength': not a number of characters" },
	{ "{\"pattern\":\"a++\"}", "schema at '/pattern': pattern: "
	    "nothing to repeat at offset 2" },
	{ "{\"pattern\":\"(\"}", "schema at '/pattern': pattern: a group "
	    "that is not closed at offset 0" },
};

static int failures;

static void
read_text(struct json *j, struct buf *b, const char *text)
{
	struct json_error e;

	b->len = 0;
	buf_puts(b, text);
	if (json_read(j, buf_str(b), b->len, &e) < 0) {
		printf("cannot read %s: %s\n", text, e.what);
		failures++;
	}
}

static void
expect(const char *what, const char *got, const char *want)
{
	if (strcmp(got, want) == 0)
		return;
	printf("%s\n  got  %s\n  want %s\n", what, got, want);
	failures++;
}

int
main(void)
{
	struct buf s = { 0 }, v = { 0 }, text = { 0 };
	struct schema_fault fault;
	struct schema *schema;
	struct error e;
	struct json j;
	size_t i;

	json_init(&j);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		text.len = 0;
		read_text(&j, &s, rows[i].schema);
		schema = schema_compile(&j, 0, &e);
		if (!schema) {
			expect(rows[i].schema, e.text, "a schema");
			continue;
		}
		read_text(&j, &v, rows[i].value);
		if (!schema_check(schema, &j, 0, &fault))
			schema_explain(&fault, &j, 0, "", &text);
		expect(rows[i].value, buf_str(&text),
		    rows[i].want ? rows[i].want : "");
		schema_free(schema);
	}
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		read_text(&j, &s, refused[i].schema);
		schema = schema_compile(&j, 0, &e);
		expect(refused[i].schema, schema ? "taken" : e.text,
		    refused[i].want);
		schema_free(schema);
	}
	json_clear(&j);
	buf_clear(&s);
	buf_clear(&v);
	buf_clear(&text);
	return failures != 0;
}
