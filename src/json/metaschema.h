/*
 * The metaschemas of JSON Schema draft 2020-12: the schema of schemas and the
 * vocabularies that it is made of. Nothing is ever fetched from a network.
 */
#ifndef JSON_METASCHEMA_H
#define JSON_METASCHEMA_H

#include "base/span.h"

#define METASCHEMA_2020_12 "https://json-schema.org/draft/2020-12/schema"

struct metaschema {
	struct span uri;  /* without a fragment */
	struct span text; /* NUL-terminated, BUF_PAD not assured */
};

/* NULL: none of them. */
const struct metaschema *metaschema_find(struct span uri);

#endif
