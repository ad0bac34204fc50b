/*
 * What the parts of the delivery queue share: its statements and what is kept
 * between them. For store/queue*.c alone.
 */
#ifndef STORE_QUEUE_DB_H
#define STORE_QUEUE_DB_H

#include "base/buf.h"
#include "store/db.h"
#include "store/queue.h"

enum queue_statement {
	Q_READ, Q_READ_END, Q_CHANGED,
	/* storing */
	Q_ADD_TODO, Q_NEXT_TODO, Q_NEXT_UNSORTED, Q_UNSORTED, Q_KEEP_TODO,
	Q_DELETE_TODO,
	/* sorting in */
	Q_LANE_OF_WEBHOOK, Q_LANE_OF_ORIGIN, Q_ADD_LANE, Q_BEHIND, Q_PUT,
	Q_PUT_PAYLOAD, Q_SAME, Q_HAS_SAME, Q_FORGET_SAME, Q_SEQ_OF_SAME,
	Q_SAME_OF, Q_PUT_AGAIN, Q_MOVE_PAYLOAD, Q_ID_BLOCK, Q_ID_BLOCKS,
	Q_HAS_ID, Q_PUT_ID_BLOCK,
	/* delivering */
	Q_LANE, Q_NEXT_LANE, Q_ARRIVALS, Q_LAST, Q_CHANGES, Q_DUE, Q_NEXT_DUE,
	Q_WAITING, Q_FIRST_NEW, Q_LOAD,
	/* recording */
	Q_RETRY, Q_SETTLE, Q_DROP_PAYLOAD, Q_RELEASE, Q_ATTEMPT, Q_HOUR,
	Q_HEALTH, Q_CHANGE, Q_ENABLE, Q_FEED, Q_FEED_END,
	/* following */
	Q_FED, Q_FEED_NEXT,
	/* pruning */
	Q_WALK, Q_WALK_OLD, Q_DELETE, Q_DELETE_ATTEMPTS, Q_DELETE_CHANGES, Q_DELETE_HOURS,
	Q_DELETE_ID_BLOCKS, Q_VACUUM, Q_FREE_PAGES,
	Q_N
};

/* Calls of a block: half a page. */
enum { ID_BLOCK_CALLS = 512 };

enum { LANE_SLOTS = 256, HOUR_SLOTS = 64, HOUR_BUCKETS = 15 };

/* What is to be added to a row of the table hour. */
struct hour {
	int64_t lane, hour; /* since 1970; lane 0: free */
	int64_t outcomes[4], us, buckets[HOUR_BUCKETS];
};

struct queue {
	struct db db;
	struct lane_slot { /* numbers of lanes met lately, by hash of the name */
		char *name;
		size_t len;
		bool webhook;
		int64_t no;
	} lanes[LANE_SLOTS];
	struct buf text, name; /* of the row and the lane read last */
	struct buf todo;       /* the row of the table todo that is begun */
	int64_t todo_ms, todo_repeats_ms, n_todo;
	struct hour hours[HOUR_SLOTS]; /* written when committing, */
	struct buf feed;               /* and struct feed_entries, */
	struct id_block {              /* and what calls have for ids */
		int64_t no; /* -1: none is being filled */
		uint32_t hashes[ID_BLOCK_CALLS];
	} ids;
};

extern const char *const queue_sql[Q_N];

/*
 * The seq of the call with this id, by the index for repeats; event: its
 * event's id, or empty. 0: none. 0, or -1 with the error.
 */
int queue_find_same(struct queue *, struct span id, struct span event,
    int64_t *seq, struct error *);

/*
 * Send a settled call again, in a transaction: a new call with its payload,
 * found instead of it when it is repeated, in no order. 1, or 0: it has none.
 */
int queue_replay(struct queue *, int64_t seq, int64_t now_ms, struct error *);

/* In the table feed: a call's state after a record. */
struct feed_entry {
	int64_t seq;
	int64_t state; /* feed_state() */
};

/* Of the feed, what is kept for those who follow. */
enum { FEED_ENTRIES = 1 << 17 };

static inline int64_t
feed_state(int64_t attempts, bool settled)
{
	return attempts * 2 + settled;
}

/* "QUEUE-shm": who follows watches it. NULL: there is none. */
char *queue_bell(const struct queue *);

/* Run one with a number: how many rows it changed, or -1. */
int queue_run_on(struct queue *, enum queue_statement, int64_t,
    struct error *);

/* And one with a number and a blob. 0 or -1. */
int queue_run_blob(struct queue *, enum queue_statement, int64_t, struct span,
    struct error *);

/* Write what queue_add_todo has gathered. */
int queue_write_todo(struct queue *, struct error *);

/* The rows that a record has beside that of its call: feed, attempt, hour. */
int queue_note(struct queue *, const struct queue_record *, struct error *);

/* Write the hashes of ids of what was stored. */
int queue_write_ids(struct queue *, struct error *);

/*
 * The newest call with this id, by the blocks of ids. 1 and its seq; 0: none that
 * is as new as *covered or newer: those before it are in no block. -1: error.
 */
int queue_find_id(struct queue *, struct span id, int64_t *seq,
    int64_t *covered, struct error *);

/* Write what queue_record has counted. */
int queue_write_hours(struct queue *, struct error *);

#endif
