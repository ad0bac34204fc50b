/*
 * What the parts of the delivery queue share: the database, its statements and
 * how they fail. For store/queue*.c alone.
 */
#ifndef STORE_QUEUE_DB_H
#define STORE_QUEUE_DB_H

#include <sqlite3.h>

#include "base/buf.h"
#include "store/queue.h"

enum queue_statement {
	Q_BEGIN, Q_COMMIT, Q_ROLLBACK, Q_SYNC_FULL, Q_SYNC_NORMAL, Q_CHANGED,
	/* storing */
	Q_LANE_OF_WEBHOOK, Q_LANE_OF_ORIGIN, Q_ADD_LANE, Q_BEHIND, Q_PUT,
	Q_PUT_PAYLOAD, Q_SAME, Q_FORGET_SAME,
	/* delivering */
	Q_LANE, Q_NEXT_LANE, Q_ARRIVALS, Q_LAST, Q_CHANGES, Q_DUE, Q_NEXT_DUE, Q_LOAD,
	/* recording */
	Q_RETRY, Q_SETTLE, Q_DROP_PAYLOAD, Q_RELEASE, Q_ATTEMPT, Q_HOUR,
	Q_HEALTH, Q_CHANGE, Q_ENABLE,
	/* pruning */
	Q_WALK, Q_DELETE, Q_DELETE_ATTEMPTS, Q_DELETE_CHANGES, Q_DELETE_HOURS,
	Q_VACUUM,
	Q_N
};

enum { LANE_SLOTS = 256, HOUR_SLOTS = 64, HOUR_BUCKETS = 15 };

/* What is to be added to a row of the table hour. */
struct hour {
	int64_t lane, hour; /* since 1970; lane 0: free */
	int64_t outcomes[4], us, buckets[HOUR_BUCKETS];
};

struct queue {
	sqlite3 *db;
	sqlite3_stmt *stmts[Q_N];
	char *path;
	int fd;        /* of the file, for flock; closed last: closing any
	                * descriptor of it drops SQLite's own locks */
	int inotify;
	bool delivers; /* holds the lock */
	bool full;     /* synchronous is */
	bool durable;  /* the transaction is */
	int bind;      /* the first failed bind since the last step */
	struct lane_slot { /* numbers of lanes met lately, by hash of the name */
		char *name;
		size_t len;
		bool webhook;
		int64_t no;
	} lanes[LANE_SLOTS];
	struct buf text, name; /* of the row and the lane read last */
	struct hour hours[HOUR_SLOTS]; /* written when committing */
};

extern const char *const queue_sql[Q_N];

/* The statement, to be bound; NULL with the error. */
sqlite3_stmt *queue_stmt(struct queue *, enum queue_statement, struct error *);

void queue_bind_int(struct queue *, sqlite3_stmt *, int i, int64_t);
void queue_bind_text(struct queue *, sqlite3_stmt *, int i, struct span);
void queue_bind_blob(struct queue *, sqlite3_stmt *, int i, struct span);

/* SQLITE_ROW or SQLITE_DONE, then to be reset; -1 with the error, reset. */
int queue_step(struct queue *, sqlite3_stmt *, struct error *);
void queue_reset(sqlite3_stmt *);

/* Run to the end. How many rows it changed, or -1 with the error. */
int queue_run(struct queue *, sqlite3_stmt *, struct error *);

/* The one number that the statement gives; none: fallback. */
int queue_number(struct queue *, sqlite3_stmt *, int64_t fallback, int64_t *,
    struct error *);

/* Write what queue_record has counted. */
int queue_write_hours(struct queue *, struct error *);

/* Fill the error from SQLite's. -1: it can't be used, -2: the system failed. */
int queue_failed(struct queue *, struct error *);

static inline struct span
queue_column(sqlite3_stmt *stmt, int i)
{
	const void *p = sqlite3_column_blob(stmt, i);

	return (struct span){ p ? p : "", (size_t)sqlite3_column_bytes(stmt, i) };
}

#endif
