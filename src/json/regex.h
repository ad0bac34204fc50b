/*
 * Regular expressions of JSON Schema's `pattern`: ECMA-262 in Unicode mode, on
 * PCRE2 (whose only user this is).
 */
#ifndef JSON_REGEX_H
#define JSON_REGEX_H

#include <stdbool.h>

#include "base/error.h"
#include "base/span.h"

struct regex;

enum regex_result { REGEX_NO, REGEX_YES, REGEX_LIMIT };

/*
 * Compile the pattern. What is no ECMA-262, and what PCRE2 would match
 * otherwise than ECMA-262 says, is refused, never taken silently. NULL with
 * the error; regex_free the result.
 */
struct regex *regex_compile(struct span pattern, struct error *);
void regex_free(struct regex *);

/*
 * Does the pattern match anywhere in the text (good UTF-8)? REGEX_LIMIT if that
 * would take more work or memory than one match is given: some tenths of a
 * second in the worst case, always at the same place.
 */
enum regex_result regex_match(struct regex *, struct span text);

/* Is it a regular expression of ECMA-262, whether we can match it or not? */
bool regex_is_valid(struct span pattern);

#endif
