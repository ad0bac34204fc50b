/*
 * JSON Pointers (RFC 6901).
 */
#ifndef JSON_POINTER_H
#define JSON_POINTER_H

#include "base/buf.h"
#include "json/reader.h"

/* Add a reference token: "/" and the name with ~ and / escaped. */
void pointer_add(struct buf *, struct span name);

/*
 * Add the pointer that leads from node `from` to `to`, which lies below it; a
 * name stands for its value.
 */
void pointer_to(const struct json *, uint32_t from, uint32_t to, struct buf *);

/*
 * The value that a pointer leads to from node `from`. 0, or -1: there is none,
 * or it is no pointer.
 */
int pointer_find(const struct json *, uint32_t from, struct span pointer,
    uint32_t *node);

#endif
