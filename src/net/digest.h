/*
 * SHA-256 (FIPS 180-4), as hexadecimal digits.
 */
#ifndef NET_DIGEST_H
#define NET_DIGEST_H

#include <stddef.h>

#include "base/span.h"

enum { DIGEST_HEX_BYTES = 64 };

/* Write the n_digits (at most 64) leading hex digits of SHA-256(bytes). */
void digest_hex(struct span bytes, char *out, size_t n_digits);

#endif
