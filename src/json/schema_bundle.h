/*
 * Schemas of a set, written out to stand alone in another document: what they
 * refer to is gathered as parts of that document, each with a name there, and
 * references lead to these. What gives schemas an identity ($id, $anchor, $defs,
 * …) has no place in it and is left out. A $dynamicRef is written as a $ref to
 * where it would lead by itself.
 */
#ifndef JSON_SCHEMA_BUNDLE_H
#define JSON_SCHEMA_BUNDLE_H

#include "json/schema.h"

struct schema_bundle;

/*
 * A reference to a part is begin, its name of [A-Za-z0-9._-] and end, such as
 * "#/components/schemas/", "address", "/schema". They and the set must outlive
 * the bundle.
 */
struct schema_bundle *schema_bundle_new(struct schemas *, const char *begin,
    const char *end);
void schema_bundle_free(struct schema_bundle *);

/*
 * Write the schema that was declared of a document and compiled, on one line.
 * absent (it outlives the bundle): members that are taken out of the instances;
 * then it holds for all that is left of valid ones, and for more besides where
 * there is no other way to say that (below not, if, oneOf).
 */
void schema_bundle_put(struct schema_bundle *, int document,
    const struct span *absent, size_t n_absent, struct buf *);

/*
 * Write the next part that was referred to. Its name, which is valid as long as
 * the bundle; empty: there are no more, until something else is written.
 */
struct span schema_bundle_next(struct schema_bundle *, struct buf *);

#endif
