/*
 * Arenas: blocks that are handed out from front to back.
 */
#include "base/arena.h"

#include <stdint.h>

#include "base/alloc.h"

enum { BLOCK_BYTES = 64 * 1024, ALIGN = 8 };

void
arena_clear(struct arena *a)
{
	size_t i;

	for (i = 0; i < a->n; i++)
		free(a->blocks[i]);
	free(a->blocks);
	*a = (struct arena){ 0 };
}

static void *
room(struct arena *a, size_t len)
{
	void *p;

	len = (len + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (len > a->size - a->used) {
		a->blocks = alloc_grow(a->blocks, &a->cap, a->n + 1,
		    sizeof(*a->blocks));
		a->size = len > BLOCK_BYTES ? len : BLOCK_BYTES;
		a->blocks[a->n++] = alloc_zero(a->size, 1);
		a->used = 0;
	}
	p = a->blocks[a->n - 1] + a->used;
	a->used += len;
	return p;
}

void *
arena_alloc(struct arena *a, size_t n, size_t size)
{
	if (size && n > (SIZE_MAX / 2) / size)
		n = SIZE_MAX / 2 / size; /* alloc_zero says that it is too much */
	return room(a, n && size ? n * size : 1);
}

struct span
arena_copy(struct arena *a, struct span s)
{
	char *p = room(a, s.len + 1);

	if (s.len)
		memcpy(p, s.p, s.len);
	return (struct span){ p, s.len };
}
