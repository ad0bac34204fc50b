/*
 * Mapping: a non-public event in, the public events that its catalog entry's
 * jq program gives out. Programs run in a worker, several lines ahead.
 */
#ifndef EVENT_MAP_H
#define EVENT_MAP_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "event/event.h"
#include "event/webhook.h"
#include "event/workers.h"

enum { MAP_MAX_DEPTH = 8 };

struct map;

/* limit_ms: processor time for an event. The catalog must outlive it. */
struct map *map_new(const struct catalog *, int64_t limit_ms);
void map_free(struct map *);

/*
 * Bind $webhooks to the enabled ones of a list, without headers: anew after
 * each change of the registry, with no event on its way. Programs are compiled
 * again when next needed.
 */
void map_bind(struct map *, const struct webhooks *);

/*
 * Send the line of a non-public event that event_check found good, to a worker
 * (event/worker.h) that maps it while the caller goes on.
 */
void map_send(struct map *, struct span line);

/* How many lines cost a worker its life, by time or memory. */
uint64_t map_deaths(const struct map *);

enum map_status {
	MAP_DONE,
	MAP_REJECT, /* the event is to be rejected: the fault */
	MAP_BROKEN, /* its map does not compile: the fault's error */
	MAP_FAILED, /* the system: the fault's error */
};

/*
 * Wait for the oldest line sent, and add what came of it to *out, a line each:
 * all of it, or nothing unless it is done. Children inherit time and traceparent
 * and get an id made of their parent's (DESIGN.md section 2, Ids). *line is
 * valid until the next map_send.
 */
enum map_status map_receive(struct map *, struct span *line, struct buf *out,
    struct fault *);

#endif
