/*
 * Mapping: a non-public event in, the public events that its catalog entry's
 * jq program gives out.
 */
#ifndef EVENT_MAP_H
#define EVENT_MAP_H

#include "base/buf.h"
#include "base/error.h"
#include "event/event.h"
#include "event/webhook.h"

enum { MAP_MAX_DEPTH = 8 };

struct map;

/* Nothing is compiled yet. The catalog must outlive it. */
struct map *map_new(const struct catalog *);
void map_free(struct map *);

/*
 * Bind $webhooks to the enabled ones of a list, without headers: anew after
 * each change of the registry. Programs are compiled again when next needed.
 */
void map_bind(struct map *, const struct webhooks *);

/*
 * Add the public events that come of a non-public one to *out, a line each:
 * all of them, or on failure none. Children inherit time and traceparent and
 * get an id made of their parent's (DESIGN.md section 2, Ids). 0, or -1 with
 * the fault; a program that does not compile is -2.
 */
int map_event(struct map *, const struct event *, const struct catalog_event *,
    struct buf *out, struct fault *);

#endif
