/*
 * Allocation that dies: out of memory ends the process in one place with a
 * message and exit code 3 (libjq aborts anyway). Release with free().
 */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include <stddef.h>

/* n items of size bytes, zeroed. Never NULL, not even for 0 items. */
void *alloc_zero(size_t n, size_t size);

/* Like realloc to n items of size bytes, the product checked. */
void *alloc_resize(void *p, size_t n, size_t size);

/* A NUL-terminated copy of len bytes. */
char *alloc_copy(const void *p, size_t len);

/*
 * Make room in an array that doubles: *cap items are there, need are wanted.
 * Returns the array, moved perhaps, and sets *cap.
 */
void *alloc_grow(void *p, size_t *cap, size_t need, size_t size);

#endif
