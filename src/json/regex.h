/*
 * Regular expressions of JSON Schema's `pattern`: ECMA-262 in Unicode mode, on
 * PCRE2 (whose only user this is).
 */
#ifndef JSON_REGEX_H
#define JSON_REGEX_H

#include "base/error.h"
#include "base/span.h"

struct regex;

enum regex_result { REGEX_NO, REGEX_YES, REGEX_LIMIT };

/*
 * Compile the pattern. What PCRE2 would read otherwise than ECMA-262 does is
 * refused, never taken silently. NULL with the error; regex_free the result.
 */
struct regex *regex_compile(struct span pattern, struct error *);
void regex_free(struct regex *);

/*
 * Does the pattern match anywhere in the text (good UTF-8)? REGEX_LIMIT if the
 * match took more steps than MATCH_LIMIT allows.
 */
enum regex_result regex_match(struct regex *, struct span text);

#endif
