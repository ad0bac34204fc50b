/*
 * The id of a webhook's call for an event (DESIGN.md section 2).
 */
#ifndef EVENT_CALL_ID_H
#define EVENT_CALL_ID_H

#include "base/buf.h"
#include "base/span.h"

enum { CALL_ID_BYTES = 36 };

/* msg_ and 32 hex digits of SHA-256 over the lengths and bytes of both ids. */
void call_id(struct span event, struct span webhook, struct buf *scratch,
    char id[CALL_ID_BYTES]);

#endif
