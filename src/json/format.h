/*
 * The formats of JSON Schema's `format`, draft 2020-12, section 7.3 of the
 * validation part. Not those that need tables of international host names:
 * idn-hostname and idn-email.
 */
#ifndef JSON_FORMAT_H
#define JSON_FORMAT_H

#include <stdbool.h>

#include "base/span.h"

struct format;

/* The format of this name, static; NULL: unknown, and only an annotation. */
const struct format *format_find(struct span name);

/* Is the text (good UTF-8) of that format? */
bool format_check(const struct format *, struct span text);

#endif
