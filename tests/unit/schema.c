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
	    "the value has the wrong type (type \"integer\", schema at '/type')" },
	{ "{\"type\":\"integer\"}", "10e-2",
	    "the value has the wrong type (type \"integer\", schema at '/type')" },
	{ "{\"type\":\"integer\"}", "1e-1",
	    "the value has the wrong type (type \"integer\", schema at '/type')" },
	{ "{\"type\":[\"null\",\"string\"]}", "null", NULL },
	{ "{\"type\":[\"null\",\"string\"]}", "\"\"", NULL },
	{ "{\"type\":[\"null\",\"string\"]}", "{}",
	    "the value has the wrong type (type [\"null\",\"string\"], schema at '/type')" },
	{ "{\"type\":\"boolean\"}", "false", NULL },
	{ "{\"enum\":[\"A\",null,true]}", "\"\\u0041\"", NULL },
	{ "{\"enum\":[\"A\",null,true]}", "false",
	    "the value is not one of the values allowed (enum "
	    "[\"A\",null,true], schema at '/enum')" },
	{ "{\"enum\":[1000,-15e-1,0]}", "1e3", NULL },
	{ "{\"enum\":[1000,-15e-1,0]}", "-1.50", NULL },
	{ "{\"enum\":[1000,-15e-1,0]}", "-0", NULL },
	{ "{\"enum\":[1000,-15e-1,0]}", "1.5",
	    "the value is not one of the values allowed (enum "
	    "[1000,-15e-1,0], schema at '/enum')" },
	{ "{\"const\":12345678901234567890}", "1.234567890123456789e19", NULL },
	{ "{\"const\":1e400}", "10.0e399", NULL },
	{ "{\"const\":100000000000000000000}", "1e20", NULL },
	{ "{\"uniqueItems\":true}", "[1.5,1,2,3,4,5,6,7,8,9,15e-2]", NULL },
	{ "{\"uniqueItems\":true}", "[1.5,1,2,3,4,5,6,7,8,9,15e-1]",
	    "the value has items that are equal (uniqueItems true, schema at "
	    "'/uniqueItems')" },
	{ "{\"const\":\"x\"}", "\"x\"", NULL },
	{ "{\"const\":\"x\"}", "\"y\"",
	    "the value is not the value required (const \"x\", schema at '/const')" },
	{ "{\"minLength\":2}", "\"\xc3\xa9\"",
	    "the value is too short (minLength 2, schema at '/minLength')" },
	{ "{\"minLength\":1}", "\"\\u0000\"", NULL },
	{ "{\"minLength\":1}", "5", NULL },
	{ "{\"maxLength\":1}", "\"\\ud83c\\udf0a\"", NULL },
	{ "{\"maxLength\":1}", "\"ab\"",
	    "the value is too long (maxLength 1, schema at '/maxLength')" },
	{ "{\"pattern\":\"^[A-Z]{2}$\"}", "\"AB\"", NULL },
	{ "{\"pattern\":\"^[A-Z]{2}$\"}", "\"AB\\n\"",
	    "the value does not match the pattern (pattern "
	    "\"^[A-Z]{2}$\", schema at '/pattern')" },
	{ "{\"required\":[\"a\"]}", "{\"a\":1}", NULL },
	{ "{\"required\":[\"a\"]}", "[]", NULL },
	{ "{\"required\":[\"a\"]}", "{\"b\":1}",
	    "the value lacks the member 'a' (required, schema at '/required')" },
	{ "{\"properties\":{\"a/b\":{\"items\":{\"type\":\"null\"}}}}",
	    "{\"a/b\":[null,[null],1]}",
	    "/a~1b/1 has the wrong type (type \"null\", schema at "
	    "'/properties/a~1b/items/type')" },
	{ "{\"properties\":{\"a\":true},\"additionalProperties\":false}",
	    "{\"a\":1,\"b\":{\"c\":2}}",
	    "/b is not allowed (false, schema at '/additionalProperties')" },
	{ "{\"additionalProperties\":{\"type\":\"string\"}}",
	    "{\"x\":\"\",\"y\":\"\"}", NULL },
	/* A resource that is but passed through is in the dynamic scope. */
	{ "{\"$id\":\"http://x/main\",\"$ref\":\"list#/$defs/go\",\"$defs\":{"
	    "\"list\":{\"$id\":\"list\",\"$defs\":{\"go\":{\"$ref\":\"any\"},"
	    "\"i\":{\"$dynamicAnchor\":\"i\",\"type\":\"string\"}}},"
	    "\"any\":{\"$id\":\"any\",\"items\":{\"$dynamicRef\":\"#i\"},"
	    "\"$defs\":{\"i\":{\"$dynamicAnchor\":\"i\",\"type\":\"null\"}}}}}",
	    "[\"a\"]", NULL },
	/* A metaschema that is part of its schema. */
	{ "{\"$id\":\"http://x/own\",\"$schema\":\"http://x/meta\","
	    "\"type\":\"string\",\"$defs\":{\"m\":{\"$id\":\"http://x/meta\","
	    "\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
	    "\"type\":\"object\"}}}", "\"a\"", NULL },
	/* The last of two equal names is the one that counts. */
	{ "{\"properties\":{\"a\":{\"type\":\"null\"}}}",
	    "{\"a\":1,\"a\":null}", NULL },
};

static const struct {
	const char *schema, *want;
} refused[] = {
	{ "1", "schema at '': has the wrong type (type "
	    "[\"object\", \"boolean\"])" },
	{ "{\"typ\":\"string\"}", "schema at '/typ': unknown keyword; did you "
	    "mean 'type'?" },
	{ "{\"type\":\"text\"}",
	    "schema at '/type': is not one of the values allowed (enum "
	    "[\"array\", \"boolean\", \"integer\", \"null\", \"number\", "
	    "\"object\", \"string\"])" },
	{ "{\"properties\":{\"x\":{\"minLength\":-1}}}",
	    "schema at '/properties/x/minLength': is too small (minimum 0)" },
	{ "{\"multipleOf\":0}",
	    "schema at '/multipleOf': is too small (exclusiveMinimum 0)" },
	{ "{\"$ref\":\"#\"}",
	    "schema at '': refers to itself without a step into the value" },
	{ "{\"not\":{\"anyOf\":[{\"$ref\":\"#\"}]}}",
	    "schema at '': refers to itself without a step into the value" },
	{ "{\"$ref\":\"other.json\"}", "schema at '/$ref': there is no schema "
	    "'file:///other.json' in the catalog or the --ref directories" },
	{ "{\"$ref\":\"#/$defs/x\"}",
	    "schema at '/$ref': 'file:///s#/$defs/x' leads to nothing" },
	{ "{\"x-unit\":1,\"$schema\":\"urn:x\"}", "$schema: there is no "
	    "schema 'urn:x' in the catalog or the --ref directories; the "
	    "draft known here is "
	    "'https://json-schema.org/draft/2020-12/schema'" },
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

static int
add(struct schemas *s, const char *text, const char *uri)
{
	struct json_error bad;
	struct buf b = { 0 };
	int n;

	buf_puts(&b, text);
	n = schemas_read(s, &b, uri, &bad);
	if (n >= 0)
		schemas_declare(s, n, 0);
	return n;
}

/* Each of an instance's faults, a line. */
static void
explain(struct schema *schema, const struct json *j, bool all, struct buf *b)
{
	const struct schema_fault *list;
	size_t n, i;

	list = schema_faults(schema, j, 0, all, &n);
	for (i = 0; i < n; i++) {
		if (i)
			buf_putc(b, '\n');
		schema_fault_text(schema, &list[i], j, 0, "", false, b);
	}
}

static void
run_rows(struct json *j)
{
	struct buf v = { 0 }, text = { 0 };
	struct error e;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct schemas *s = schemas_new(SCHEMA_STRICT);
		struct schema *schema = schemas_compile(s,
		    add(s, rows[i].schema, "file:///s"), &e);

		text.len = 0;
		read_text(j, &v, rows[i].value);
		if (!schema)
			expect(rows[i].schema, e.text, "a schema");
		else if (!schema_check(schema, j, 0))
			explain(schema, j, false, &text);
		expect(rows[i].value, buf_str(&text),
		    rows[i].want ? rows[i].want : "");
		schemas_free(s);
	}
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct schemas *s = schemas_new(SCHEMA_STRICT);
		struct schema *schema = schemas_compile(s,
		    add(s, refused[i].schema, "file:///s"), &e);

		expect(refused[i].schema, schema ? "taken" : e.text,
		    refused[i].want);
		schemas_free(s);
	}
	buf_clear(&v);
	buf_clear(&text);
}

/* Several documents, several faults. */
static void
run_set(struct json *j)
{
	struct schemas *s = schemas_new(0);
	struct buf v = { 0 }, text = { 0 };
	const struct schema_fault *list;
	struct schema *schema;
	struct error e;
	size_t n;
	int main_;

	main_ = add(s, "{\"properties\":{\"a\":{\"$ref\":\"b.json#/$defs/x\"},"
	    "\"c\":{\"$ref\":\"urn:c\"}},\"required\":[\"d\"],"
	    "\"anyOf\":[{\"required\":[\"e\"]},{\"maxProperties\":1}]}",
	    "file:///dir/a.json");
	add(s, "{\"$defs\":{\"x\":{\"type\":\"null\"}}}",
	    "file:///dir/b.json");
	add(s, "{\"$id\":\"urn:c\",\"multipleOf\":0.01}", "file:///dir/c");
	schema = schemas_compile(s, main_, &e);
	if (!schema) {
		expect("a set", e.text, "a schema");
		return;
	}
	read_text(j, &v, "{\"a\":1,\"c\":0.001}");
	explain(schema, j, true, &text);
	expect("all faults", buf_str(&text),
	    "/a has the wrong type (type \"null\", schema at "
	    "'file:///dir/b.json#/$defs/x/type')\n"
	    "/c is not a multiple (multipleOf 0.01, schema at "
	    "'file:///dir/c#/multipleOf')\n"
	    "the value lacks the member 'd' (required, schema at '/required')\n"
	    "the value matches none of the schemas (anyOf "
	    "[{\"required\":[\"e\"]},{\"maxProperties\":1}], schema at "
	    "'/anyOf')\n"
	    "the value lacks the member 'e' (required, schema at "
	    "'/anyOf/0/required')\n"
	    "the value has too many members (maxProperties 1, schema at "
	    "'/anyOf/1/maxProperties')");
	text.len = 0;
	list = schema_faults(schema, j, 0, false, &n);
	schema_fault_json(schema, list, j, 0, "/payload", true, &text);
	expect("a record", buf_str(&text),
	    "{\"keyword\":\"type\",\"instanceLocation\":\"/payload/a\","
	    "\"schemaLocation\":\"file:///dir/b.json#/$defs/x/type\","
	    "\"expected\":\"null\",\"found\":1}");
	expect("one fault", n == 1 ? "1" : "more", "1");
	schemas_free(s);
	buf_clear(&v);
	buf_clear(&text);
}

/* Each schema refers to the next one. */
static void
run_chain(void)
{
	struct schemas *s = schemas_new(0);
	struct buf b = { 0 };
	struct error e;
	int i;

	buf_puts(&b, "{\"$defs\":{");
	for (i = 0; i < 2000; i++)
		buf_printf(&b, "\"%d\":{\"not\":{\"$ref\":\"#/$defs/%d\"}},",
		    i, i + 1);
	buf_puts(&b, "\"2000\":true},\"$ref\":\"#/$defs/0\"}");
	if (schemas_compile(s, add(s, buf_str(&b), "file:///s"), &e))
		expect("a chain", "taken", "an error");
	else
		expect("a chain", e.text, "schema at '': leads through too "
		    "many schemas without a step into the value");
	schemas_free(s);
	buf_clear(&b);
}

/* What two branches have in common is named once. */
static void
run_common(struct json *j)
{
	struct schemas *s = schemas_new(0);
	struct buf v = { 0 }, text = { 0 };
	struct schema *schema;
	struct error e;

	schema = schemas_compile(s, add(s, "{\"anyOf\":[{\"$ref\":\"#/$defs/x\"},"
	    "{\"$ref\":\"#/$defs/x\"}],\"$defs\":{\"x\":{\"type\":\"null\"}}}",
	    "file:///s"), &e);
	read_text(j, &v, "1");
	if (schema)
		explain(schema, j, true, &text);
	expect("common", buf_str(&text), "the value matches none of the "
	    "schemas (anyOf [{\"$ref\":\"#/$defs/x\"},{\"$ref\":\"#/$defs/x\"}],"
	    " schema at '/anyOf')\nthe value has the wrong type (type \"null\","
	    " schema at '/$defs/x/type')");
	schemas_free(s);
	buf_clear(&v);
	buf_clear(&text);
}

/*
 * A schema that takes each value many ways ends nevertheless, and what is said
 * is that alone: `open` 16 times, what is innermost, `close` 16 times.
 */
static void
run_hostile(struct json *j, const char *text, const char *open,
    const char *close)
{
	struct schemas *s = schemas_new(0);
	struct buf v = { 0 }, value = { 0 }, got = { 0 };
	struct schema *schema;
	struct error e;
	int i;

	for (i = 0; i < 16; i++)
		buf_puts(&value, open);
	buf_puts(&value, "{\"a\":0");
	for (i = 0; i < 5000; i++)
		buf_printf(&value, ",\"a%d\":[%d,%d]", i, i, i + 1);
	buf_putc(&value, '}');
	for (i = 0; i < 16; i++)
		buf_puts(&value, close);
	schema = schemas_compile(s, add(s, text, "file:///s"), &e);
	read_text(j, &v, buf_str(&value));
	if (!schema)
		expect(text, e.text, "a schema");
	else if (schema_check(schema, j, 0))
		expect(text, "valid", "not valid");
	else
		explain(schema, j, false, &got);
	if (!strstr(buf_str(&got), "takes too many steps to check") ||
	    strchr(got.p, '\n'))
		expect(text, buf_str(&got), "one line, of too many steps");
	schemas_free(s);
	buf_clear(&v);
	buf_clear(&value);
	buf_clear(&got);
}

static void
run_all_hostile(struct json *j)
{
	run_hostile(j, "{\"anyOf\":["
	    "{\"items\":{\"$ref\":\"#\"},\"contains\":false},"
	    "{\"items\":{\"$ref\":\"#\"},\"contains\":false}]}",
	    "[[[", "]]]");
	/* Few blocks, but each over a large value. */
	run_hostile(j, "{\"anyOf\":["
	    "{\"properties\":{\"c\":{\"$ref\":\"#\"}},\"required\":[\"x\"]},"
	    "{\"properties\":{\"c\":{\"$ref\":\"#\"}},\"required\":[\"y\"]}]}",
	    "{\"c\":", "}");
	run_hostile(j, "{\"$ref\":\"#/$defs/x\",\"$defs\":{\"x\":{\"anyOf\":["
	    "{\"items\":{\"$ref\":\"#/$defs/x\"},\"uniqueItems\":true,"
	    "\"not\":true},{\"items\":{\"$ref\":\"#/$defs/x\"},"
	    "\"uniqueItems\":true,\"not\":true}]}}}", "[", "]");
}

int
main(void)
{
	struct json j;

	json_init(&j);
	run_rows(&j);
	run_set(&j);
	run_chain();
	run_common(&j);
	run_all_hostile(&j);
	json_clear(&j);
	return failures != 0;
}
