/*
 * What an event queue can be: the functions of store/events.h, for each kind. For
 * store/events*.c alone.
 */
#ifndef STORE_EVENTS_KIND_H
#define STORE_EVENTS_KIND_H

#include "store/events.h"

struct events_kind {
	void (*close)(struct events *);
	int (*push)(struct events *, const struct events_item *, size_t n,
	    int64_t now_ms, struct events_pushed *, struct error *);
	int (*lock)(struct events *, struct error *);
	int (*fd)(const struct events *);
	int64_t (*wake_ms)(const struct events *); /* NULL: never */
	int (*heard)(struct events *, struct error *);
	int (*next)(struct events *, size_t max, size_t max_bytes,
	    void (*give)(void *, const struct events_given *), void *ctx,
	    struct error *);
	bool (*is_drained)(struct events *); /* NULL: always */
	int64_t (*stale)(const struct events *); /* NULL: none is */
	int (*ack)(struct events *, int64_t from, int64_t to, struct error *);
	/* NULL: it is not kept. */
	int (*blame)(struct events *, int64_t tag, unsigned deaths,
	    struct error *);
	int (*count)(struct events *, struct events_counts *, struct error *);
	int (*bury)(struct events *, const struct events_dead *,
	    struct error *);
	int (*each_dead)(struct events *,
	    void (*give)(void *, const struct events_dead *), void *ctx,
	    struct error *);
	int (*requeue)(struct events *, int64_t *tags, size_t n,
	    struct error *);
	int (*declare)(struct events *, struct error *); /* NULL: it is there */
};

/* What each kind's struct begins with. */
struct events {
	const struct events_kind *kind;
	char *shown; /* the path, or the URL without what nobody may see */
	char *name;  /* for files beside it */
};

/* As events_open. */
int events_open_file(struct events **, const char *path,
    const struct events_wishes *, struct error *);
int events_open_amqp(struct events **, const char *url,
    const struct events_wishes *, struct error *);

#endif
