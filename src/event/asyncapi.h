/*
 * The catalog as an AsyncAPI 3.0.0 document, for those who write receivers: the
 * public events with the schemas of their bodies, examples and the signature
 * (Standard Webhooks 1.0.0). Webhooks' own URLs are where messages go, so there
 * are no servers, and channels have no address.
 */
#ifndef EVENT_ASYNCAPI_H
#define EVENT_ASYNCAPI_H

#include "base/error.h"
#include "event/catalog.h"

/*
 * Add the document, indented. The same catalog gives the same bytes. 0, or -1
 * with the error: libcrypto could not sign the examples.
 */
int asyncapi_put(const struct catalog *, struct buf *, struct error *);

#endif
