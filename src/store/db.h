/*
 * An SQLite file that processes share and ring a bell on: what the event queue
 * and the delivery queue have in common. WAL; a durable transaction is fsynced;
 * flock(2) on the file makes one process the one that works on it. For
 * store/ alone.
 *
 * Functions return 0, or -1 with the error; db_open tells more.
 */
#ifndef STORE_DB_H
#define STORE_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

/* What a kind of file is. */
struct db_kind {
	const char *name;    /* "event queue" */
	int application_id, version;
	const char *schema;  /* sets both, too */
	const char *const *sql; /* its statements */
	size_t n;
};

struct db {
	const struct db_kind *kind;
	sqlite3 *sqlite;
	sqlite3_stmt **stmts; /* prepared when first used */
	char *path;
	int fd;        /* of the file, for flock; closed last: closing any
	                * descriptor of it drops SQLite's own locks */
	int inotify;
	bool locked;   /* by us */
	bool full;     /* synchronous is */
	bool durable;  /* the transaction is */
	unsigned n_commits; /* since the WAL was copied back */
	int64_t busy_ms; /* since when another is waited for, */
	int64_t patience_ms; /* and how long; may be set once it is open */
	int bind;      /* the first failed bind since the last step */
	bool was_busy; /* the last failure: another held it */
};

/* sqlite3_open_v2, but path is always the name of a file. */
int db_open_sqlite(const char *path, sqlite3 **, int flags);

/* What the system said to an SQLITE_IOERR. */
const char *db_cause(sqlite3 *);

/*
 * Open, or create with mode 0600. 0, or with the error -1: the set-up is wrong
 * (no such folder, another program's file, a newer version's), -2: the system
 * failed (full, locked, damaged, no right to write). Close it in either case.
 */
int db_open(struct db *, const struct db_kind *, const char *path,
    struct error *);
void db_close(struct db *); /* of zeroes: nothing */

/* One made to order, to be finalized; NULL with the error. */
sqlite3_stmt *db_prepare(struct db *, const char *sql, struct error *);

/* The statement, to be bound; NULL with the error. */
sqlite3_stmt *db_stmt(struct db *, size_t which, struct error *);

void db_bind_int(struct db *, sqlite3_stmt *, int i, int64_t);
void db_bind_int_if(struct db *, sqlite3_stmt *, int i, bool is, int64_t);
void db_bind_text(struct db *, sqlite3_stmt *, int i, struct span);
void db_bind_blob(struct db *, sqlite3_stmt *, int i, struct span);

/* SQLITE_ROW or SQLITE_DONE, then to be reset; -1 with the error, reset. */
int db_step(struct db *, sqlite3_stmt *, struct error *);
void db_reset(sqlite3_stmt *);

/* Run to the end. How many rows it changed, or -1 with the error. */
int db_run(struct db *, sqlite3_stmt *, struct error *);

/* The one number that the statement gives; none: fallback. */
int db_number(struct db *, sqlite3_stmt *, int64_t fallback, int64_t *,
    struct error *);

/* Fill the error from SQLite's. -1: it can't be used, -2: the system failed. */
int db_failed(struct db *, struct error *);

/*
 * Transactions. A durable one is on disk when committed; the other only with
 * the next durable one. Others that write wait meanwhile. A durable commit of
 * one who has not the lock rings.
 */
int db_begin(struct db *, bool durable, struct error *);
int db_commit(struct db *, struct error *);
void db_rollback(struct db *);

/* Take the lock: 1, or 0: another process has it. -1: error. */
int db_lock(struct db *, struct error *);

/* Another lock, for a moment or as long: 1, or 0: another process has it. */
int db_claim(struct db *, struct error *);
void db_disclaim(struct db *);

/*
 * db->inotify is readable when something happened: another rang (true here), or
 * closed the file, so that the lock may be free.
 */
bool db_heard(struct db *);

/* Does the path still lead to the file that is open? */
bool db_is_in_place(const struct db *);

static inline struct span
db_column(sqlite3_stmt *stmt, int i)
{
	const void *p = sqlite3_column_blob(stmt, i);

	return (struct span){ p ? p : "", (size_t)sqlite3_column_bytes(stmt, i) };
}

#endif
