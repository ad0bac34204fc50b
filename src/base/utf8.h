/*
 * UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing over U+10FFFF.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* Bytes of the character at p, of which n are there; 0 if it is not one. */
size_t utf8_len(const char *p, size_t n);

/* The character at p, which utf8_len has found good. */
uint32_t utf8_decode(const char *p, size_t len);

/* Write the character; how many bytes (1 to 4). */
size_t utf8_encode(uint32_t c, char out[4]);

/* Is this character, found good, one that a terminal obeys? */
bool utf8_is_control(const char *p, size_t len);

/* Does it turn the writing of what follows: an embedding, override or isolate? */
bool utf8_is_turn(const char *p, size_t len);

bool utf8_valid(struct span);

#endif
