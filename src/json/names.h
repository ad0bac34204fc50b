/*
 * A fixed set of names, each with its number, looked up by hash: the members
 * that a schema knows, the values of an enum, the events of a catalog. The
 * names are ours; a stream can look up any text but add none, so the hash
 * needs no key.
 */
#ifndef JSON_NAMES_H
#define JSON_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* Short names are told apart here, without a look at their bytes. */
struct names_slot {
	uint64_t head;  /* the first eight bytes, or all of them */
	uint32_t len;
	int32_t number; /* -1: empty */
};

struct names {
	struct span *list; /* by number; the bytes are borrowed */
	size_t n, cap;
	struct names_slot *slots;
	size_t n_slots; /* a power of two; a quarter at least is empty */
};

void names_clear(struct names *); /* zeroed: an empty set */

/* The number of a name, which is given the next one if it is new. */
size_t names_add(struct names *, struct span name);

/* The number, or -1. */
long names_find(const struct names *, struct span name);

#endif
