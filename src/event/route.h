/*
 * Routing: which webhooks want an event, and the call for each (DESIGN.md
 * section 5, ev-route; seed/behaviour.md 2.2). By index, not by scan: the cost
 * grows with the matches, not with the registry.
 */
#ifndef EVENT_ROUTE_H
#define EVENT_ROUTE_H

#include "base/buf.h"
#include "event/event.h"
#include "event/transform.h"
#include "event/webhook.h"

struct route;

/* Both must outlive it; build another when either changes. */
struct route *route_new(const struct catalog *, const struct webhooks *);
void route_free(struct route *);

/*
 * Who wants a public event, in registry order: how many, and their numbers at
 * *matches until the next call; they mean something to the calls below alone.
 */
size_t route_match(struct route *, const struct event *,
    const struct catalog_event *, const uint32_t **matches);

/* The match's index in the list of webhooks. */
uint32_t route_webhook(const struct route *, uint32_t match);

/*
 * Add the call record for a match of the event last matched. Its body has the
 * payload's members but those that are attributes of the webhook, in the bytes
 * that they came in; a ruling (or NULL) may say otherwise.
 */
void route_put_call(struct route *, uint32_t match, const struct event *,
    const struct ruling *, struct buf *);

#endif
