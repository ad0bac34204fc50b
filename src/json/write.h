/*
 * JSON text out: strings escaped, nothing else to it.
 */
#ifndef JSON_WRITE_H
#define JSON_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

/*
 * A string with its quotes. Bytes are taken as UTF-8; only the quote, the
 * backslash and control characters are escaped (RFC 8259 section 7).
 */
void json_put_string(struct buf *, struct span);

/*
 * Members of an object, one after the other: `"name":` with a comma before it
 * unless the last byte opens the object.
 */
void json_put_name(struct buf *, const char *name);
void json_put_member(struct buf *, const char *name, struct span value);
void json_put_member_u64(struct buf *, const char *name, uint64_t value);
void json_put_member_bool(struct buf *, const char *name, bool value);

/* JSON text that was read, without the white space around its tokens. */
void json_put_compact(struct buf *, struct span);

#endif
