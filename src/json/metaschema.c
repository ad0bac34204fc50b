/*
 * The metaschemas: metaschema/ as it stands, made string literals by the
 * Makefile.
 */
#include "json/metaschema.h"

#define BASE "https://json-schema.org/draft/2020-12/"

static const struct metaschema list[] = {
#include "metaschema.inc"
};

const struct metaschema *
metaschema_find(struct span uri)
{
	size_t i;

	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (span_eq(list[i].uri, uri))
			return &list[i];
	return NULL;
}
