/*
 * Regular expressions of JSON Schema's `pattern`: ECMA-262 in Unicode mode, on
 * PCRE2 (whose only user this is).
 */
#ifndef JSON_REGEX_H
#define JSON_REGEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

struct regex;

/*
 * Work that one line may cause, in bytes passed: 256 for each byte of the longest
 * event, and at most about 0.3 s.
 */
enum { REGEX_WORK = 1 << 28 };

enum regex_result { REGEX_NO, REGEX_YES, REGEX_LIMIT };

/*
 * Compile the pattern. What is no ECMA-262, and what PCRE2 would match
 * otherwise than ECMA-262 says, is refused, never taken silently. NULL with
 * the error; regex_free the result.
 */
struct regex *regex_compile(struct span pattern, struct error *);
void regex_free(struct regex *);

/*
 * Does the pattern match anywhere in the text (good UTF-8)? What that costs is
 * taken from *work; REGEX_LIMIT if there is not enough left, or if it takes too
 * much memory: always at the same place.
 */
enum regex_result regex_match(struct regex *, struct span text, int64_t *work);

/* Is it a regular expression of ECMA-262, whether we can match it or not? */
bool regex_is_valid(struct span pattern);

#endif
