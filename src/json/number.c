/*
 * Numbers. Their text is never made a binary number: comparing digits is exact
 * and, for numbers as short as they come, no slower.
 */
#include "json/number.h"

#include <stddef.h>

enum {
	MAX_EXPONENT_DIGITS = 17,
	MAX_PLAIN_BYTES = 20, /* of an integer that is spelled as it is */
};

/* The number behind an "e"; saturates, far beyond any text's length. */
static int64_t
read_exponent(const char *p, const char *end)
{
	bool minus = *p == '-';
	int64_t n = 0;
	int digits = 0;

	if (*p == '-' || *p == '+')
		p++;
	for (; p < end; p++) {
		digits += n > 0 || *p != '0';
		if (digits > MAX_EXPONENT_DIGITS)
			break;
		n = n * 10 + (*p - '0');
	}
	return minus ? -n : n;
}

struct number
number_of(struct span text)
{
	const char *p = text.p, *end = text.p + text.len;
	const char *first = NULL, *last = NULL, *point = NULL;
	struct number n = { .digits = { p, 0 } };
	int64_t exponent = 0;

	if (*p == '-')
		p++;
	for (; p < end && (*p | 0x20) != 'e'; p++) {
		if (*p == '.') {
			point = p;
		} else if (*p != '0') {
			if (!first)
				first = p;
			last = p;
		}
	}
	if (!first)
		return n;
	if (!point)
		point = p;
	if (p < end)
		exponent = read_exponent(p + 1, end);
	n.negative = *text.p == '-';
	n.digits = (struct span){ first, (size_t)(last + 1 - first) };
	/* How far the point is behind the first digit that counts. */
	n.exponent = exponent + (point - first) + (point < first);
	return n;
}

/* Of the digits alone. */
static int
compare_digits(struct span a, struct span b)
{
	size_t i = 0, k = 0;

	for (;;) {
		if (i < a.len && a.p[i] == '.')
			i++;
		if (k < b.len && b.p[k] == '.')
			k++;
		if (i == a.len || k == b.len)
			return (i < a.len) - (k < b.len);
		if (a.p[i] != b.p[k])
			return a.p[i] < b.p[k] ? -1 : 1;
		i++;
		k++;
	}
}

int
number_cmp(const struct number *a, const struct number *b)
{
	int sign = a->negative ? -1 : 1;

	if (a->negative != b->negative)
		return sign;
	if (!a->digits.len || !b->digits.len)
		return sign * ((a->digits.len > 0) - (b->digits.len > 0));
	if (a->exponent != b->exponent)
		return a->exponent < b->exponent ? -sign : sign;
	return sign * compare_digits(a->digits, b->digits);
}

size_t
number_n_digits(const struct number *n)
{
	return n->digits.len - (n->digits.len > 0 &&
	    memchr(n->digits.p, '.', n->digits.len) != NULL);
}

bool
number_is_integer(struct span text)
{
	struct number n;
	size_t i;

	for (i = 0; i < text.len; i++)
		if (text.p[i] == '.' || (text.p[i] | 0x20) == 'e')
			break;
	if (i == text.len)
		return true;
	n = number_of(text);
	return !n.digits.len || (n.exponent > 0 &&
	    (uint64_t)n.exponent >= number_n_digits(&n));
}

/* The remainder of the digits, taken as an integer. */
static uint64_t
remainder_of(struct span digits, uint64_t divisor)
{
	unsigned __int128 r = 0;
	size_t i;

	for (i = 0; i < digits.len; i++)
		if (digits.p[i] != '.')
			r = (r * 10 + (unsigned)(digits.p[i] - '0')) % divisor;
	return (uint64_t)r;
}

/* r times ten to the power of n, less what the divisor goes into. */
static uint64_t
shift_remainder(uint64_t r, uint64_t n, uint64_t divisor)
{
	unsigned __int128 ten = 10 % divisor, x = r;

	for (; n && x; n >>= 1) {
		if (n & 1)
			x = x * ten % divisor;
		ten = ten * ten % divisor;
	}
	return (uint64_t)x;
}

bool
number_is_multiple(const struct number *value, const struct number *divisor)
{
	/* Both as integers that end in no 0, times a power of ten. */
	int64_t v = value->exponent - (int64_t)number_n_digits(value);
	int64_t d = divisor->exponent - (int64_t)number_n_digits(divisor);
	uint64_t n = 0;
	size_t i;

	if (!value->digits.len)
		return true;
	if (v < d)
		return false;
	for (i = 0; i < divisor->digits.len; i++)
		if (divisor->digits.p[i] != '.')
			n = n * 10 + (uint64_t)(divisor->digits.p[i] - '0');
	return shift_remainder(remainder_of(value->digits, n) % n,
	    (uint64_t)(v - d), n) == 0;
}

bool
number_to_size(struct span text, size_t *out)
{
	struct number n = number_of(text);
	int64_t left = n.exponent;
	size_t i;

	*out = 0;
	if (n.negative || !number_is_integer(text))
		return false;
	for (i = 0; n.digits.len && left > 0; left--) {
		size_t digit = 0;

		if (i < n.digits.len && n.digits.p[i] == '.')
			i++;
		if (i < n.digits.len)
			digit = (size_t)(n.digits.p[i++] - '0');
		if (*out > (SIZE_MAX - digit) / 10) {
			*out = SIZE_MAX;
			break;
		}
		*out = *out * 10 + digit;
	}
	return true;
}

struct span
number_spell(struct span text, struct buf *b)
{
	struct number n;
	int64_t left;
	size_t i;

	for (i = *text.p == '-'; i < text.len; i++)
		if (text.p[i] < '0' || text.p[i] > '9')
			break;
	if (i == text.len && text.len <= MAX_PLAIN_BYTES &&
	    !span_eq(text, SPAN("-0")))
		return text;
	n = number_of(text);
	b->len = 0;
	if (n.negative)
		buf_putc(b, '-');
	for (i = 0; i < n.digits.len; i++)
		if (n.digits.p[i] != '.')
			buf_putc(b, n.digits.p[i]);
	left = n.exponent - (int64_t)number_n_digits(&n);
	if (!n.digits.len)
		buf_putc(b, '0');
	else if (left < 0 || n.exponent + n.negative > MAX_PLAIN_BYTES)
		buf_printf(b, "e%lld", (long long)n.exponent);
	else
		while (left--)
			buf_putc(b, '0');
	return buf_bytes(b);
}
