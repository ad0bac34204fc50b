/*
 * A hash table of records that embed their entry: keys are bytes that a stream
 * chooses, so the hash is keyed.
 */
#ifndef DELIVER_TABLE_H
#define DELIVER_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct entry {
	struct entry *next;
	uint64_t hash;
	struct span key; /* lives as long as the record */
};

struct table {
	struct entry **slots;
	size_t n_slots, n;
	uint64_t seed[2];
};

void table_init(struct table *);
void table_clear(struct table *); /* the records are the caller's */

/* NULL: none. */
struct entry *table_find(const struct table *, struct span key);

/* Add an entry with its key set, which must not be there yet. */
void table_add(struct table *, struct entry *);
void table_remove(struct table *, struct entry *);

#endif
