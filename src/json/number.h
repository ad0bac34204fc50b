/*
 * JSON numbers compared by value, exactly, whatever their size: 1.0 is 1,
 * 9007199254740993 is not 9007199254740992, 1e400 is a number like others.
 */
#ifndef JSON_NUMBER_H
#define JSON_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

enum { NUMBER_MAX_DIVISOR_DIGITS = 18 };

/*
 * A number taken apart: 0.DIGITS times ten to the exponent. Zero has no digits,
 * others neither begin nor end with 0. Exponents are exact to 17 digits.
 */
struct number {
	struct span digits; /* of the text; may hold a point, to be skipped */
	int64_t exponent;
	bool negative;      /* never of zero */
};

/* text: a number that the reader took. The digits are borrowed from it. */
struct number number_of(struct span text);

int number_cmp(const struct number *, const struct number *);
bool number_is_integer(struct span text);

/*
 * Is the value an integral multiple of the divisor, which is not zero and has
 * at most NUMBER_MAX_DIVISOR_DIGITS?
 */
bool number_is_multiple(const struct number *value,
    const struct number *divisor);

/*
 * An integer that is not negative, as a size; SIZE_MAX stands for all that are
 * larger. false: it is none.
 */
bool number_to_size(struct span text, size_t *);

/*
 * The same text for the same number: the integer, if it is short, else digits
 * and exponent. A span of the text, or of *scratch, whose contents are replaced.
 */
struct span number_spell(struct span text, struct buf *scratch);

/* How many digits there are, without the point. */
size_t number_n_digits(const struct number *);

#endif
