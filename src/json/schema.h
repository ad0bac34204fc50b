/*
 * JSON Schema, draft 2020-12, all of it. Documents are gathered in a set, in
 * which they find each other by $id or by the URI that they were read from;
 * nothing is ever fetched. A schema is checked against its metaschema, compiled
 * once into rules, and run over the reader's nodes without allocation.
 *
 * `format` annotates only, unless SCHEMA_FORMAT or a vocabulary asks for more.
 * Numbers are exact, patterns those of ECMA-262 (json/number.h, json/regex.h).
 */
#ifndef JSON_SCHEMA_H
#define JSON_SCHEMA_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "json/names.h"
#include "json/reader.h"

struct schemas; /* the set */
struct schema;  /* one of its documents, compiled; lives as long as the set */

enum {
	SCHEMA_FORMAT = 1, /* `format` asserts */
	/* A keyword that the standard does not have is an error, unless it
	 * begins with "x-"; the standard has it ignored. */
	SCHEMA_STRICT = 2,
};

struct schemas *schemas_new(unsigned flags);
void schemas_free(struct schemas *);

/*
 * Read a document. The text is taken over. uri: absolute, where it comes from;
 * the base of its references, and its name where it has no $id. Its number, or
 * -1 with the error.
 */
int schemas_read(struct schemas *, struct buf *text, const char *uri,
    struct json_error *);
const struct json *schemas_json(const struct schemas *, int document);

/* The value at a node of a document is a schema that others may refer to. */
void schemas_declare(struct schemas *, int document, uint32_t node);

/*
 * Compile what was declared of a document, and what it refers to; all that may
 * be referred to is declared before. NULL with the error, which gives the
 * place as a JSON Pointer.
 */
struct schema *schemas_compile(struct schemas *, int document, struct error *);

/*
 * Names of keywords met that the standard does not have, so that they were
 * ignored, except those that begin with "x-".
 */
const struct names *schemas_unknown(const struct schemas *);

/* Add the keyword that such a name was meant for, if one is near: a hint. */
void schema_put_meant(struct span unknown, struct buf *);

/*
 * Is the value at a node valid? What takes more than REGEX_WORK is not.
 */
bool schema_check(struct schema *, const struct json *, uint32_t node);

/* A keyword that failed. */
struct schema_fault {
	const struct block *block; /* the schema that has it */
	const char *keyword;       /* static; "false": that schema; "" with
	                            * a limit: none in particular */
	uint32_t node;             /* the value, in the instance */
	struct span name;          /* of the member that is missing or bad */
	bool limit;                /* it took too many steps */
};

/*
 * The faults of a value that is not valid: the first, or with `all` each, up to
 * SCHEMA_MAX_FAULTS. They live until the set is used again.
 */
enum { SCHEMA_MAX_FAULTS = 1000 };
const struct schema_fault *schema_faults(struct schema *, const struct json *,
    uint32_t node, bool all, size_t *n);

/*
 * Add a fault in words: "/a is too short (minLength 1, schema at
 * '/properties/a/minLength')"; with `found` also the instance's value if it is
 * short, else none of it. The instance's pointer starts at root; prefix goes
 * before it ("/payload").
 */
void schema_fault_text(const struct schema *, const struct schema_fault *,
    const struct json *, uint32_t root, const char *prefix, bool found,
    struct buf *);

/*
 * Add it as an object: keyword, instanceLocation, schemaLocation (a pointer, or
 * a URI with one where it is in another document), expected (the keyword's
 * value) where that is short, and found likewise, if asked for.
 */
void schema_fault_json(const struct schema *, const struct schema_fault *,
    const struct json *, uint32_t root, const char *prefix, bool found,
    struct buf *);

#endif
