/*
 * Memory that goes all at once: for what is made of many small parts that live
 * as long as each other. Zeroed is empty.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/span.h"

struct arena {
	char **blocks;
	size_t n, cap, used, size; /* of the last block */
};

void arena_clear(struct arena *);

/* n items of size bytes, zeroed; aligned for any but vector types. Never NULL. */
void *arena_alloc(struct arena *, size_t n, size_t size);

/* A copy of bytes, with a NUL behind them. */
struct span arena_copy(struct arena *, struct span);

#endif
