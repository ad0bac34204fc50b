/*
 * Faults in words and as records.
 */
#include "json/schema_impl.h"

#include "json/pointer.h"
#include "json/write.h"

enum {
	MAX_EXPECTED_BYTES = 100, /* a keyword's value that is longer is not
	                           * shown */
	MAX_FOUND_BYTES = 100,    /* nor an instance's */
};

void
schema_place(const struct schemas *s, uint32_t main, uint32_t document,
    uint32_t node, struct buf *b)
{
	const struct document *d = s->set.documents[document];

	if (document != main) {
		buf_puts(b, d->uri);
		buf_putc(b, '#');
	}
	pointer_to(&d->json, d->root, node, b);
}

static void
put_place(const struct schema *s, const struct schema_fault *f, struct buf *b)
{
	schema_place(s->set, s->document, f->block->document, f->block->node,
	    b);
	if (!f->block->nothing && *f->keyword) {
		buf_putc(b, '/');
		buf_puts(b, f->keyword);
	}
}

/* The keyword's value as the schema has it; empty: too long to be shown. */
static struct span
expected(const struct schema *s, const struct schema_fault *f)
{
	const struct json *j =
	    &s->set->set.documents[f->block->document]->json;
	uint32_t node = json_get(j, f->block->node, span_of(f->keyword));
	struct span value = { 0 };

	if (node && strcmp(f->keyword, "required") != 0)
		value = json_bytes(j, node);
	if (value.len > MAX_EXPECTED_BYTES ||
	    (value.len && memchr(value.p, '\n', value.len)))
		value.len = 0;
	return value;
}

static void
put_verdict(const struct schema_fault *f, struct buf *b)
{
	static const struct {
		const char *keyword, *text;
	} texts[] = {
		{ "false", "is not allowed" },
		{ "type", "has the wrong type" },
		{ "enum", "is not one of the values allowed" },
		{ "const", "is not the value required" },
		{ "minLength", "is too short" },
		{ "maxLength", "is too long" },
		{ "pattern", "does not match the pattern" },
		{ "format", "does not have the format" },
		{ "minimum", "is too small" }, { "maximum", "is too large" },
		{ "exclusiveMinimum", "is too small" },
		{ "exclusiveMaximum", "is too large" },
		{ "multipleOf", "is not a multiple" },
		{ "minItems", "has too few items" },
		{ "maxItems", "has too many items" },
		{ "uniqueItems", "has items that are equal" },
		{ "contains", "has no item as required" },
		{ "minContains", "has too few items as required" },
		{ "maxContains", "has too many items as required" },
		{ "minProperties", "has too few members" },
		{ "maxProperties", "has too many members" },
		{ "required", "lacks the member" },
		{ "dependentRequired", "lacks the member" },
		{ "propertyNames", "has a name that is not allowed" },
		{ "anyOf", "matches none of the schemas" },
		{ "oneOf", "does not match exactly one of the schemas" },
		{ "not", "matches a schema that it must not" },
	};
	size_t i;

	if (f->limit) {
		buf_puts(b, " takes too many steps to check");
		return;
	}
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(texts[i].keyword, f->keyword) == 0)
			buf_printf(b, " %s", texts[i].text);
	if (f->name.len || strcmp(f->keyword, "required") == 0) {
		buf_puts(b, " '");
		buf_span(b, f->name);
		buf_putc(b, '\'');
	}
}

static void
put_keyword(const struct schema *s, const struct schema_fault *f,
    struct buf *b)
{
	struct span value = expected(s, f);

	buf_printf(b, "%s%s", f->keyword, value.len ? " " : "");
	buf_span(b, value);
}

void
schema_fault_brief(const struct schema *s, const struct schema_fault *f,
    struct buf *b)
{
	put_verdict(f, b);
	if (!*f->keyword)
		return;
	buf_puts(b, " (");
	put_keyword(s, f, b);
	buf_putc(b, ')');
}

void
schema_fault_text(const struct schema *s, const struct schema_fault *f,
    const struct json *j, uint32_t root, const char *prefix, bool found,
    struct buf *b)
{
	struct span have = json_bytes(j, f->node);
	size_t start = b->len;

	buf_puts(b, prefix);
	pointer_to(j, root, f->node, b);
	if (b->len == start)
		buf_puts(b, "the value");
	put_verdict(f, b);
	buf_puts(b, " (");
	put_keyword(s, f, b);
	buf_printf(b, "%sschema at '", *f->keyword ? ", " : "");
	put_place(s, f, b);
	buf_putc(b, '\'');
	if (found && have.len <= MAX_FOUND_BYTES) {
		buf_puts(b, ", found ");
		buf_span(b, have);
	}
	buf_putc(b, ')');
}

void
schema_fault_json(const struct schema *s, const struct schema_fault *f,
    const struct json *j, uint32_t root, const char *prefix, bool found,
    struct buf *b)
{
	struct span value = expected(s, f), have = json_bytes(j, f->node);
	struct buf text = { 0 };

	buf_putc(b, '{');
	if (*f->keyword)
		json_put_member(b, "keyword", span_of(f->keyword));
	buf_puts(&text, prefix);
	pointer_to(j, root, f->node, &text);
	json_put_member(b, "instanceLocation", buf_bytes(&text));
	text.len = 0;
	put_place(s, f, &text);
	json_put_member(b, "schemaLocation", buf_bytes(&text));
	buf_clear(&text);
	if (f->name.len) {
		json_put_member(b, "expected", f->name);
	} else if (value.len) {
		json_put_name(b, "expected");
		buf_span(b, value);
	}
	if (found && have.len <= MAX_FOUND_BYTES) {
		json_put_name(b, "found");
		buf_span(b, have);
	}
	buf_putc(b, '}');
}
