/*
 * A hash table of records that embed their entry: keys are bytes that a stream
 * chooses, so the hash is keyed.
 */
#ifndef DELIVER_HASH_H
#define DELIVER_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct entry {
	struct entry *next;
	uint64_t hash;
	struct span key; /* lives as long as the record */
};

struct hash {
	struct entry **slots;
	size_t n_slots, n;
	uint64_t seed[2];
};

void hash_init(struct hash *);
void hash_clear(struct hash *); /* the records are the caller's */

/* NULL: none. */
struct entry *hash_find(const struct hash *, struct span key);

/* Add an entry with its key set, which must not be there yet. */
void hash_add(struct hash *, struct entry *);
void hash_remove(struct hash *, struct entry *);

#endif
