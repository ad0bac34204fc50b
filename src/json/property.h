/*
 * The Unicode properties that ECMA-262 knows in \p{…} (tables 69 to 72 of the
 * 2025 edition): their names exactly, not loosely as PCRE2 takes them.
 */
#ifndef JSON_PROPERTY_H
#define JSON_PROPERTY_H

#include <stdbool.h>

#include "base/span.h"

struct property {
	const char *kind; /* "", "sc:" or "scx:" */
	struct span name; /* the short name, static */
	bool not;         /* those that do not have it */
};

/* Find "Lu", "gc=Lu", "Script=Greek", "Alphabetic", …. false: no such one. */
bool property_find(struct span text, struct property *);

#endif
