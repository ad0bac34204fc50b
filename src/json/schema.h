/*
 * JSON Schema, draft 2020-12, compiled once into checks that run over the
 * reader's nodes. A keyword that is not known here is an error when the schema
 * is loaded, never ignored.
 *
 * Keywords: type enum const properties required additionalProperties items
 * minLength maxLength pattern; annotations: $schema $id $comment title
 * description default examples deprecated readOnly writeOnly format.
 */
#ifndef JSON_SCHEMA_H
#define JSON_SCHEMA_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "json/reader.h"

struct schema;

/* The first check that failed. */
struct schema_fault {
	uint32_t node;           /* the value, in the instance */
	const char *keyword;     /* static */
	const char *location;    /* JSON Pointer into the schema; its lifetime */
	struct span name;        /* required: the missing member's; else empty */
};

/*
 * Compile the schema at a node; nothing of the text is needed afterwards. NULL
 * with the error, which gives the place as a JSON Pointer.
 */
struct schema *schema_compile(const struct json *, uint32_t node,
    struct error *);
void schema_free(struct schema *);

/* Check the value at a node. false with the fault. */
bool schema_check(struct schema *, const struct json *, uint32_t node,
    struct schema_fault *);

/*
 * Add the fault in words, without values: "/fiscalCode: does not match the
 * pattern (pattern at /properties/fiscalCode)". The instance pointer starts at
 * root; prefix goes before it ("/payload").
 */
void schema_explain(const struct schema_fault *, const struct json *,
    uint32_t root, const char *prefix, struct buf *);

#endif
