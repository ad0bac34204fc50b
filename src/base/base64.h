/*
 * Base64 (RFC 4648 section 4), with padding.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buf.h"
#include "base/span.h"

void base64_put(struct buf *, struct span);

/* Add what the text stands for; padding may be missing. 0, or -1: nothing. */
int base64_get(struct buf *, struct span text);

#endif
