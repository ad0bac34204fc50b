/*
 * The event queue: a handful of functions, behind which is one SQLite file; its
 * states and what a crash leaves are in src/README. Any number of processes
 * push; one at a time pulls. A broker will be the other implementation: so a
 * puller gets each event once, says in the order of getting what is done, and
 * keeps meanwhile what it needs to feed again.
 *
 * Functions return 0, or -1 with the error; events_open tells more. Times are
 * wall time, ms since 1970.
 */
#ifndef STORE_EVENTS_H
#define STORE_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

enum {
	EVENTS_APPLICATION_ID = 0x45565045, /* "EVPE" */
	EVENTS_VERSION = 1,
	EVENTS_REPEATS_MS = 24 * 3600 * 1000, /* a push may be repeated so long */
};

struct events;

/*
 * Open, or create with mode 0600. 0, or with the error -1: the set-up is wrong
 * (no such folder, another program's file, a newer version's), -2: the system
 * failed (full, locked, damaged, no right to write).
 */
int events_open(struct events **, const char *path, struct error *);
void events_close(struct events *); /* NULL is fine */

/* Pushing */

struct events_item {
	struct span text;
	struct span id;   /* given by the producer; empty: none, it can't repeat */
	struct span same; /* what of the text a repeat has in common with it */
};

/*
 * All of them are on disk, or with -1 none is. *n_repeats: how many were there
 * already, with this id and the same bytes.
 */
int events_push(struct events *, const struct events_item *, size_t n,
    int64_t now_ms, size_t *n_repeats, struct error *);

/* Pulling */

/* Be the one that pulls: 1, or 0: another process is. */
int events_lock(struct events *, struct error *);

/*
 * Readable when events may have come; events_heard makes it silent. -1: the
 * queue is not there any more.
 */
int events_fd(const struct events *);
int events_heard(struct events *, struct error *);

/* Known to its puller by its tag; tags grow. */
struct events_given {
	int64_t tag;
	unsigned deaths; /* that count against it, from earlier pullers */
	struct span text;
};

/*
 * The events behind those given so far: at most max, and no more after
 * max_bytes. How many.
 */
int events_next(struct events *, size_t max, size_t max_bytes,
    void (*give)(void *ctx, const struct events_given *), void *ctx,
    struct error *);

/* Those given from tag to tag are done, but those that were before. */
int events_ack(struct events *, int64_t from, int64_t to, struct error *);

/* So many deaths count against it. */
int events_blame(struct events *, int64_t tag, unsigned deaths,
    struct error *);

/* What lies in the queue; -1: nobody knows. */
struct events_counts {
	int64_t waiting; /* events that were not given yet */
	int64_t dead;
};

/* Cheap, however many events there are; once some were asked for. */
int events_count(struct events *, struct events_counts *, struct error *);

/* A dead letter. */
struct events_dead {
	int64_t tag;
	unsigned deaths;
	int64_t time_ms;
	struct span status; /* how the command ended */
	struct span said;   /* its last lines on stderr */
	struct span text;   /* the event; not for events_bury */
};

/* It is given to nobody any more, but kept. */
int events_bury(struct events *, const struct events_dead *, struct error *);

/* Give each dead letter; what is given is valid during the call. */
int events_each_dead(struct events *,
    void (*give)(void *ctx, const struct events_dead *), void *ctx,
    struct error *);

/* Put the one of that tag, or all (0), at the end of the queue. How many. */
int events_requeue(struct events *, int64_t tag, struct error *);

#endif
