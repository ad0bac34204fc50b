/*
 * SipHash-1-3 (Aumasson, Bernstein 2012): a keyed hash for tables whose names
 * an attacker chooses.
 */
#ifndef JSON_SIPHASH_H
#define JSON_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t siphash13(const uint64_t key[2], const void *p, size_t len);

#endif
