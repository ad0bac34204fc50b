/*
 * Events on their way into the event queue: read, each with an id, gathered for
 * one transaction.
 */
#ifndef STORE_BATCH_H
#define STORE_BATCH_H

#include "base/buf.h"
#include "base/uuid.h"
#include "event/event.h"
#include "store/events.h"

enum {
	/* Enough that a commit's fsync does not count. */
	BATCH_EVENTS = 4096,
	BATCH_BYTES = 4 << 20,
};

struct batch {
	size_t n; /* events in it */
	struct buf bytes;
	/* For batch.c alone. */
	struct event event;
	struct uuid_source ids;
	struct batch_place {
		/* Among the bytes; same is the rest of the text from there. */
		size_t text, text_len, same, id, id_len;
		bool own; /* the id is the producer's */
	} *places;
	struct events_item *items;
	size_t cap_places, cap_items;
};

void batch_init(struct batch *);
void batch_clear(struct batch *);

/*
 * Read a line (as event_read does) and add the event: its bytes, with an id
 * (UUIDv7) and the given traceparent (empty: none) as first members where it has
 * none of its own. 0, or with the fault -1: it is none, -2: no random bits.
 */
int batch_add(struct batch *, struct span line, struct span traceparent,
    int64_t now_ms, struct fault *);

/* The id of the i-th, until the next batch_add or batch_cut. */
struct span batch_id(const struct batch *, size_t i);

/* Keep the first n. */
void batch_cut(struct batch *, size_t n);

static inline bool
batch_is_full(const struct batch *b)
{
	return b->n >= BATCH_EVENTS || b->bytes.len >= BATCH_BYTES;
}

/* events_push of all; what is in the batch stays. */
int batch_push(struct batch *, struct events *, int64_t now_ms,
    struct events_pushed *, struct error *);

#endif
