/*
 * Header fields (RFC 9110 section 5): which ones a user may set in a request,
 * and what values hold.
 */
#ifndef NET_FIELD_H
#define NET_FIELD_H

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

/*
 * May a webhook or call set this field? The name must be a token and none of
 * Connection, Transfer-Encoding, Keep-Alive, Upgrade, Expect, Content-Length,
 * TE, Trailer, Proxy-Connection; the value (UTF-8) must hold no control
 * character but tab and nothing beyond U+00FF, since it is sent as
 * ISO-8859-1. An empty value is fine here. 0, or -1 with the reason, which
 * names the field but never shows its value.
 */
int field_check(struct span name, struct span value, struct error *);

/* Is it that name or word, in any case? */
bool field_is(struct span, const char *what);

/* A value without the blanks around it. */
struct span field_trim(struct span value);

/* Is the word, in any case, in the comma-separated list? */
bool field_lists(struct span value, const char *word);

/* Add "Name: value" as sent (ISO-8859-1), for a field that passed. */
void field_put(struct buf *, struct span name, struct span value);

#endif
