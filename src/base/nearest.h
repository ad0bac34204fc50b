/*
 * The name that was meant: "did you mean". Of the names offered, the one that
 * the fewest edits make of a misspelt word; an edit puts in, takes out or
 * replaces a byte, or swaps two neighbours (Damerau and Levenshtein, optimal
 * string alignment). The case of ASCII letters does not count.
 */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

enum { NEAREST_MAX_BYTES = 80 }; /* of a word or name; longer ones match none */

struct nearest {
	struct span word;
	struct span best; /* the first of the nearest; empty: none is near */
	size_t edits;     /* that make the best; until there is one: too many */
};

/*
 * One edit is allowed for three bytes of the word, and in any case one. A name
 * that only goes on where the word ends is near enough, too.
 */
void nearest_open(struct nearest *, struct span word);

/* The names must live as long as the best is used. */
void nearest_offer(struct nearest *, struct span name);

/* Add "; did you mean 'BEGIN…NAME'?" if there is one; begin is "--", say. */
void nearest_put(const struct nearest *, const char *begin, struct buf *);

#endif
