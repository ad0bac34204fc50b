/*
 * The delivery queue's file: opening, the lock, the bell, transactions.
 */
#include "store/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "store/queue_db.h"

enum {
	BUSY_MS = 10 * 1000, /* for another's transaction; they are short */
	CACHE_KIB = 8 * 1024,
};

_Static_assert(QUEUE_APPLICATION_ID == 1163284561, "as in the schema");
_Static_assert(QUEUE_VERSION == 1, "as in the schema");

static const char schema[] =
    "PRAGMA application_id = 1163284561;"
    "PRAGMA user_version = 1;"
    "CREATE TABLE meta(changes INTEGER NOT NULL);"
    "INSERT INTO meta VALUES(0);"
    "CREATE TABLE lane("
    "no INTEGER PRIMARY KEY,"
    "webhook TEXT UNIQUE,"     /* its id, or */
    "origin TEXT UNIQUE,"      /* of calls without one */
    "state INTEGER NOT NULL DEFAULT 0," /* 0 ok, 1 paused, 2 disabled */
    "failures INTEGER NOT NULL DEFAULT 0," /* in a row */
    "pauses INTEGER NOT NULL DEFAULT 0,"   /* in a row */
    "failing INTEGER NOT NULL DEFAULT 0,"  /* since; 0: it is not */
    "since INTEGER NOT NULL DEFAULT 0,"    /* of the state */
    "until INTEGER NOT NULL DEFAULT 0,"    /* of a pause */
    "held INTEGER NOT NULL DEFAULT 0,"     /* disabled in the registry since */
    "why TEXT NOT NULL DEFAULT '');"
    "CREATE TABLE call("
    "seq INTEGER PRIMARY KEY," /* in order of commit */
    "lane INTEGER NOT NULL,"
    "due INTEGER,"             /* 0 at once, -1 behind, NULL settled */
    "outcome INTEGER NOT NULL," /* 0 unsettled, 1 delivered, 2 answered, 4 dead */
    "attempts INTEGER NOT NULL,"
    "taken INTEGER NOT NULL,"
    /* Until it is settled it is `taken`, so that the row does not grow. */
    "settled INTEGER NOT NULL,"
    "turn INTEGER,"            /* hash of the order key */
    "body INTEGER NOT NULL,"   /* hash */
    "same BLOB,"               /* for repeats: see src/README */
    "id TEXT, event TEXT, name TEXT,"
    "reason TEXT);"            /* of the last failure */
    "CREATE UNIQUE INDEX call_same ON call(same);"
    "CREATE INDEX call_due ON call(lane, due);"
    "CREATE INDEX call_turn ON call(lane, turn)"
    "WHERE turn IS NOT NULL AND due IS NOT NULL;"
    "CREATE INDEX call_dead ON call(lane) WHERE outcome = 4;"
    "CREATE TABLE payload(seq INTEGER PRIMARY KEY, text BLOB NOT NULL);"
    "CREATE TABLE attempt("
    "call INTEGER NOT NULL, n INTEGER NOT NULL,"
    "time INTEGER NOT NULL,"   /* when it ended */
    "outcome INTEGER NOT NULL," /* 3 retry */
    "status INTEGER, reason TEXT, error TEXT,"
    "us INTEGER, dns_us INTEGER, connect_us INTEGER, tls_us INTEGER,"
    "first_us INTEGER, answer BLOB,"
    "PRIMARY KEY(call, n)) WITHOUT ROWID;"
    "CREATE TABLE change("
    "no INTEGER PRIMARY KEY, lane INTEGER NOT NULL, time INTEGER NOT NULL,"
    "state INTEGER NOT NULL, until INTEGER NOT NULL, why TEXT NOT NULL);"
    "CREATE TABLE hour("       /* attempts; durations up to so many ms */
    "lane INTEGER NOT NULL, hour INTEGER NOT NULL,"
    "delivered INTEGER NOT NULL, answered INTEGER NOT NULL,"
    "retry INTEGER NOT NULL, dead INTEGER NOT NULL, us INTEGER NOT NULL,"
    "ms_1 INTEGER NOT NULL, ms_2 INTEGER NOT NULL, ms_5 INTEGER NOT NULL,"
    "ms_10 INTEGER NOT NULL, ms_20 INTEGER NOT NULL, ms_50 INTEGER NOT NULL,"
    "ms_100 INTEGER NOT NULL, ms_200 INTEGER NOT NULL,"
    "ms_500 INTEGER NOT NULL, ms_1000 INTEGER NOT NULL,"
    "ms_2000 INTEGER NOT NULL, ms_5000 INTEGER NOT NULL,"
    "ms_10000 INTEGER NOT NULL, ms_30000 INTEGER NOT NULL,"
    "ms_more INTEGER NOT NULL,"
    "PRIMARY KEY(lane, hour)) WITHOUT ROWID;";

/* Failures */

int
queue_failed(struct queue *q, struct error *e)
{
	switch (sqlite3_errcode(q->db)) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		error_set(e, "%s: locked by another process for %d s; try "
		    "again when it is done", q->path, BUSY_MS / 1000);
		return -2;
	case SQLITE_FULL:
		error_set(e, "%s: the disk is full; make room and start again: "
		    "what was taken is kept", q->path);
		return -2;
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
	case SQLITE_PERM:
		error_set(e, "%s: cannot be written: %s; the file and its "
		    "folder must be writable", q->path,
		    sqlite3_errmsg(q->db));
		return -2;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		error_set(e, "%s: damaged: %s; move it away, and save what can "
		    "be read with: sqlite3 FILE .recover", q->path,
		    sqlite3_errmsg(q->db));
		return -2;
	case SQLITE_IOERR:
	case SQLITE_NOMEM:
	case SQLITE_INTERRUPT:
		error_set(e, "%s: %s (%s); what was taken is kept", q->path,
		    sqlite3_errmsg(q->db),
		    strerror(sqlite3_system_errno(q->db)));
		return -2;
	default:
		error_set(e, "%s: %s", q->path, sqlite3_errmsg(q->db));
		return -1;
	}
}

/* Another's transaction ends in some ms; a fixed step does not starve. */
static int
on_busy(void *ctx, int n)
{
	const struct timespec step = { 0, 1000000 };

	(void)ctx;
	if (n >= BUSY_MS)
		return 0;
	(void)nanosleep(&step, NULL);
	return 1;
}

/* Statements */

sqlite3_stmt *
queue_stmt(struct queue *q, enum queue_statement which, struct error *e)
{
	q->bind = SQLITE_OK;
	if (!q->stmts[which] && sqlite3_prepare_v3(q->db, queue_sql[which], -1,
	    SQLITE_PREPARE_PERSISTENT, &q->stmts[which], NULL) != SQLITE_OK)
		(void)queue_failed(q, e);
	return q->stmts[which];
}

static void
note_bind(struct queue *q, int rc)
{
	if (q->bind == SQLITE_OK)
		q->bind = rc;
}

void
queue_bind_int(struct queue *q, sqlite3_stmt *stmt, int i, int64_t n)
{
	note_bind(q, sqlite3_bind_int64(stmt, i, n));
}

void
queue_bind_text(struct queue *q, sqlite3_stmt *stmt, int i, struct span s)
{
	note_bind(q, s.len ? sqlite3_bind_text64(stmt, i, s.p, s.len,
	    SQLITE_STATIC, SQLITE_UTF8) : sqlite3_bind_null(stmt, i));
}

void
queue_bind_blob(struct queue *q, sqlite3_stmt *stmt, int i, struct span s)
{
	note_bind(q, s.len ? sqlite3_bind_blob64(stmt, i, s.p, s.len,
	    SQLITE_STATIC) : sqlite3_bind_null(stmt, i));
}

void
queue_reset(sqlite3_stmt *stmt)
{
	(void)sqlite3_reset(stmt); /* says again what the step said */
}

int
queue_step(struct queue *q, sqlite3_stmt *stmt, struct error *e)
{
	int rc;

	if (q->bind != SQLITE_OK) {
		queue_reset(stmt);
		return error_set(e, "%s: %s", q->path,
		    sqlite3_errstr(q->bind));
	}
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW || rc == SQLITE_DONE)
		return rc;
	(void)queue_failed(q, e);
	queue_reset(stmt);
	return -1;
}

int
queue_run(struct queue *q, sqlite3_stmt *stmt, struct error *e)
{
	int rc;

	if (!stmt)
		return -1;
	while ((rc = queue_step(q, stmt, e)) == SQLITE_ROW)
		;
	if (rc < 0)
		return -1;
	queue_reset(stmt);
	return sqlite3_changes(q->db);
}

int
queue_number(struct queue *q, sqlite3_stmt *stmt, int64_t fallback, int64_t *n,
    struct error *e)
{
	int rc = stmt ? queue_step(q, stmt, e) : -1;

	if (rc < 0)
		return -1;
	*n = rc == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_NULL ?
	    sqlite3_column_int64(stmt, 0) : fallback;
	queue_reset(stmt);
	return 0;
}

/* Transactions */

static int
run(struct queue *q, enum queue_statement which, struct error *e)
{
	return queue_run(q, queue_stmt(q, which, e), e) < 0 ? -1 : 0;
}

int
queue_begin(struct queue *q, bool durable, struct error *e)
{
	if (durable != q->full) {
		if (run(q, durable ? Q_SYNC_FULL : Q_SYNC_NORMAL, e) < 0)
			return -1;
		q->full = durable;
	}
	q->durable = durable;
	return run(q, Q_BEGIN, e);
}

int
queue_commit(struct queue *q, struct error *e)
{
	if (queue_write_hours(q, e) < 0 || run(q, Q_COMMIT, e) < 0)
		return -1;
	if (q->durable && !q->delivers &&
	    utimensat(AT_FDCWD, q->path, NULL, 0) < 0)
		return error_set(e, "%s: cannot set its times: %s", q->path,
		    strerror(errno));
	return 0;
}

void
queue_rollback(struct queue *q)
{
	struct error e;
	size_t i;

	if (!sqlite3_get_autocommit(q->db))
		(void)run(q, Q_ROLLBACK, &e); /* closing would do it, too */
	/* Numbers given in it are not given. */
	for (i = 0; i < LANE_SLOTS; i++)
		q->lanes[i].no = 0;
	memset(q->hours, 0, sizeof(q->hours));
}

/* Opening */

static int
execute(struct queue *q, const char *sql, struct error *e)
{
	return sqlite3_exec(q->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 :
	    queue_failed(q, e);
}

static int
get_number(struct queue *q, const char *sql, int64_t *n, struct error *e)
{
	sqlite3_stmt *stmt = NULL;
	int r = 0;

	if (sqlite3_prepare_v2(q->db, sql, -1, &stmt, NULL) != SQLITE_OK ||
	    sqlite3_step(stmt) != SQLITE_ROW)
		r = queue_failed(q, e);
	else
		*n = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return r;
}

/* 1: ours; 0: an empty file, not yet ours; -1 or -2 with the error. */
static int
whose(struct queue *q, struct error *e)
{
	int64_t application, version, objects;
	int r;

	/* The schema first: a pragma alone does not begin to read. */
	r = get_number(q, "SELECT count(*) FROM sqlite_master", &objects, e);
	if (r == 0)
		r = get_number(q, "PRAGMA application_id", &application, e);
	if (r == 0)
		r = get_number(q, "PRAGMA user_version", &version, e);
	if (r != 0)
		return r;
	if (application == 0 && version == 0 && objects == 0)
		return 0;
	if (application != QUEUE_APPLICATION_ID)
		return error_set(e, "%s: an SQLite file, but no queue",
		    q->path);
	if (version > QUEUE_VERSION)
		return error_set(e, "%s: written by a newer version of evpipe "
		    "(format %lld, this one knows %d)", q->path,
		    (long long)version, QUEUE_VERSION);
	return 1;
}

static int
create(struct queue *q, struct error *e)
{
	int r = execute(q, "BEGIN IMMEDIATE", e);

	/* Someone else may have been faster. */
	if (r == 0)
		r = whose(q, e);
	if (r == 0)
		r = execute(q, schema, e);
	return r < 0 ? r : execute(q, "COMMIT", e);
}

static int
open_db(struct queue *q, struct error *e)
{
	char cache[64];
	int known, r = 0;

	if (sqlite3_open_v2(q->path, &q->db, SQLITE_OPEN_READWRITE |
	    SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return queue_failed(q, e);
	(void)sqlite3_busy_handler(q->db, on_busy, NULL);
	snprintf(cache, sizeof(cache), "PRAGMA cache_size = -%d", CACHE_KIB);
	/* Only a file that is ours, or empty, is changed. */
	known = whose(q, e);
	if (known < 0)
		return known;
	if (!known)
		r = execute(q, "PRAGMA auto_vacuum = INCREMENTAL", e);
	if (r == 0)
		r = execute(q, "PRAGMA journal_mode = WAL;"
		    "PRAGMA synchronous = FULL;"
		    "PRAGMA journal_size_limit = 16777216", e);
	q->full = true;
	if (r == 0)
		r = execute(q, cache, e);
	return r == 0 && !known ? create(q, e) : r;
}

static int
open_file(struct queue *q, struct error *e)
{
	struct stat st;

	q->fd = open(q->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (q->fd < 0) {
		error_set(e, "%s: cannot open: %s", q->path, strerror(errno));
		return errno == ENOENT || errno == ENOTDIR || errno == EISDIR ?
		    -1 : -2;
	}
	if (fstat(q->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return error_set(e, "%s: not a file", q->path);
	return 0;
}

static int
open_bell(struct queue *q, struct error *e)
{
	q->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (q->inotify < 0 || inotify_add_watch(q->inotify, q->path,
	    IN_ATTRIB | IN_CLOSE_WRITE) < 0) {
		error_set(e, "%s: cannot be watched: inotify: %s", q->path,
		    strerror(errno));
		return -2;
	}
	return 0;
}

int
queue_open(struct queue **queue, const char *path, struct error *e)
{
	struct queue *q = alloc_zero(1, sizeof(*q));
	int r;

	*queue = NULL;
	q->path = alloc_copy(path, strlen(path));
	q->fd = q->inotify = -1;
	r = open_file(q, e);
	if (r == 0)
		r = open_bell(q, e);
	if (r == 0)
		r = open_db(q, e);
	if (r == 0)
		*queue = q;
	else
		queue_close(q);
	return r;
}

void
queue_close(struct queue *q)
{
	size_t i;

	if (!q)
		return;
	for (i = 0; i < Q_N; i++)
		(void)sqlite3_finalize(q->stmts[i]);
	(void)sqlite3_close(q->db); /* every statement is finalized */
	for (i = 0; i < LANE_SLOTS; i++)
		free(q->lanes[i].name);
	buf_clear(&q->text);
	buf_clear(&q->name);
	if (q->inotify >= 0)
		close(q->inotify);
	if (q->fd >= 0)
		close(q->fd);
	free(q->path);
	free(q);
}

/* The lock and the bell */

int
queue_lock(struct queue *q, struct error *e)
{
	if (q->delivers)
		return 1;
	if (flock(q->fd, LOCK_EX | LOCK_NB) == 0) {
		q->delivers = true;
		return 1;
	}
	if (errno == EWOULDBLOCK || errno == EINTR)
		return 0;
	return error_set(e, "%s: cannot lock: %s", q->path, strerror(errno));
}

int
queue_fd(const struct queue *q)
{
	return q->inotify;
}

bool
queue_heard(struct queue *q)
{
	union {
		struct inotify_event event;
		char bytes[4096];
	} u;
	bool heard = false;

	while (read(q->inotify, u.bytes, sizeof(u.bytes)) > 0)
		heard = true;
	return heard;
}
