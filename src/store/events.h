/*
 * The event queue: an SQLite file, or a quorum queue of RabbitMQ. What each does
 * and what a crash leaves is in src/README. Any number of processes push. A puller
 * gets each event once, says what is done, and keeps meanwhile what it needs to
 * feed again. A file has one puller; a broker several, and gives an event again, to
 * anybody, when it loses the connection to the one that had it.
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

struct events_wishes {
	/* What a person should know and is no error: NULL to be silent. */
	void (*tell)(void *ctx, const char *text);
	void *ctx;
	/* How long a push tries to reach a broker. */
	int64_t patience_ms;
	bool drain; /* events_is_drained will be asked */
	bool exists; /* a file is not created */
	/* Of a file that another process holds a push says so at once, instead
	 * of waiting for some seconds. */
	bool tells_busy;
};

/*
 * Open a file, or create it with mode 0600, or connect to the broker of an
 * amqp:// or amqps:// URL (store/amqp_url.h). 0, or with the error -1: the set-up
 * is wrong (no such folder, another program's file, a newer version's, a bad URL),
 * -2: the system failed (full, locked, damaged, no right to write, no broker). No
 * error shows a password.
 */
int events_open(struct events **, const char *path,
    const struct events_wishes *, struct error *);
void events_close(struct events *); /* NULL is fine */

/* The path or URL, without user, password and query. */
const char *events_shown(const struct events *);

/* What files that belong to it begin with: the path, or the queue's name. */
const char *events_name(const struct events *);

/*
 * Make what the URL means on the broker, or see that it is so; the error says
 * what differs. A file is there once it is open.
 */
int events_declare(struct events *, struct error *);

/* Pushing */

struct events_item {
	struct span text;
	struct span id;
	bool own;         /* the id is the producer's: it may be a repeat, */
	struct span same; /* with this of the text in common */
};

struct events_pushed {
	size_t n;         /* the first so many are on disk: with 0 all */
	size_t n_repeats; /* which were there already, with this id and the */
	                  /* same bytes; a broker does not look */
	bool unsure;      /* of those behind, some may be, too */
};

/*
 * All are on disk; or, with -1, what is is told, too. 1, with the error, to one with
 * tells_busy: none is, for the moment. Pushing nothing tells whether some can be
 * pushed.
 */
int events_push(struct events *, const struct events_item *, size_t n,
    int64_t now_ms, struct events_pushed *, struct error *);

/* Pulling */

/* Be the one that pulls: 1, or 0: another process is. */
int events_lock(struct events *, struct error *);

/*
 * Readable when events may have come; events_heard makes it silent. -1: the
 * queue is not there any more.
 */
int events_fd(const struct events *);
int events_heard(struct events *, struct error *);

/* When to call events_heard without being woken (monotonic ms); -1: never. */
int64_t events_wake_ms(const struct events *);

/* Known to its puller by its tag; tags grow. */
struct events_given {
	int64_t tag;
	unsigned deaths; /* that count against it, from earlier pullers */
	struct span text;
	const char *unfit; /* why it can't be fed; NULL: it can */
};

/*
 * The events behind those given so far: at most max, and no more after
 * max_bytes. How many.
 */
int events_next(struct events *, size_t max, size_t max_bytes,
    void (*give)(void *ctx, const struct events_given *), void *ctx,
    struct error *);

/* After events_next gave none: is there nothing left, as far as can be known? */
bool events_is_drained(struct events *);

/*
 * Tags up to it mean nothing any more: the broker gives those events again, to
 * anybody. It grows when a connection is lost.
 */
int64_t events_stale(const struct events *);

/* Those given from tag to tag are done, but those that were before. */
int events_ack(struct events *, int64_t from, int64_t to, struct error *);

/* So many deaths count against it. A broker forgets them with the connection. */
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
	struct span text;   /* the event */
};

/*
 * It is given to nobody any more, but kept: 0; or 1: it will be as soon as the broker
 * takes it, and until then is what it was to anybody else.
 */
int events_bury(struct events *, const struct events_dead *, struct error *);

/* Give each dead letter; what is given is valid during the call. */
int events_each_dead(struct events *,
    void (*give)(void *ctx, const struct events_dead *), void *ctx,
    struct error *);

/*
 * Put those of the tags, or all if n is 0, at the end of the queue. How many; the
 * tags of those that were found become 0.
 */
int events_requeue(struct events *, int64_t *tags, size_t n, struct error *);

#endif
