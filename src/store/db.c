/*
 * An SQLite file that processes share and ring a bell on.
 */
#include "store/db.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/folder.h"

enum {
	BUSY_MS = 10 * 1000, /* for another's transaction; they are short */
	CACHE_KIB = 8 * 1024,
	/*
	 * The WAL is copied back when it has so many pages, or after so many
	 * commits: then it is written over from its start, which syncs twice as
	 * fast as one that grows.
	 */
	WAL_PAGES = 4096,
	WAL_COMMITS = 64,
};

/* Behind those of the kind. */
enum { BEGIN, COMMIT, ROLLBACK, SYNC_FULL, SYNC_NORMAL, N_COMMON };

static const char *const common[N_COMMON] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[SYNC_FULL] = "PRAGMA synchronous = FULL",
	[SYNC_NORMAL] = "PRAGMA synchronous = NORMAL",
};

/* SQLite */

/* To it, ":memory:", "file:x" and "" are no files. */
int
db_open_sqlite(const char *path, sqlite3 **sqlite, int flags)
{
	struct buf name = { 0 };
	int code;

	if (*path != '/')
		buf_puts(&name, "./");
	buf_puts(&name, path);
	code = sqlite3_open_v2(buf_str(&name), sqlite, flags, NULL);
	buf_clear(&name);
	return code;
}

const char *
db_cause(sqlite3 *sqlite)
{
	int error = sqlite3_system_errno(sqlite);

	return error ? strerror(error) : "it was cut short";
}

/* Failures */

int
db_failed(struct db *d, struct error *e)
{
	int code = sqlite3_errcode(d->sqlite);

	d->was_busy = code == SQLITE_BUSY || code == SQLITE_PROTOCOL;
	switch (code) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		error_set(e, "%s: locked by another process; wait until it is "
		    "done", d->path);
		return -2;
	case SQLITE_FULL:
		error_set(e, "%s: the disk is full: make room; what was taken "
		    "is kept", d->path);
		return -2;
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
	case SQLITE_PERM:
		error_set(e, "%s: cannot be written: %s; the file and its "
		    "folder must be writable", d->path,
		    sqlite3_errmsg(d->sqlite));
		return -2;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		error_set(e, "%s: damaged: %s; move it away, and save what can "
		    "be read with: sqlite3 FILE .recover", d->path,
		    sqlite3_errmsg(d->sqlite));
		return -2;
	case SQLITE_IOERR:
	case SQLITE_NOMEM:
	case SQLITE_INTERRUPT:
		error_set(e, "%s: %s (%s); what was taken is kept", d->path,
		    sqlite3_errmsg(d->sqlite),
		    db_cause(d->sqlite));
		return -2;
	default:
		error_set(e, "%s: %s", d->path, sqlite3_errmsg(d->sqlite));
		return -1;
	}
}

/* Another's transaction ends in some ms; a fixed step does not starve. */
static int
on_busy(void *ctx, int n)
{
	const struct timespec step = { 0, 1000000 };
	struct db *d = ctx;

	if (n == 0)
		d->busy_ms = clock_mono_ms();
	if (clock_mono_ms() - d->busy_ms >= d->patience_ms)
		return 0;
	(void)nanosleep(&step, NULL);
	return 1;
}

/* After each commit. As SQLite's own (wal_autocheckpoint) it may fail. */
static int
on_commit(void *ctx, sqlite3 *sqlite, const char *name, int n_pages)
{
	struct db *d = ctx;

	d->n_commits++;
	if (n_pages < WAL_PAGES && d->n_commits < WAL_COMMITS)
		return SQLITE_OK;
	d->n_commits = 0;
	(void)sqlite3_wal_checkpoint_v2(sqlite, name,
	    SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	return SQLITE_OK;
}

/* Statements */

sqlite3_stmt *
db_prepare(struct db *d, const char *sql, struct error *e)
{
	sqlite3_stmt *stmt;

	if (sqlite3_prepare_v2(d->sqlite, sql, -1, &stmt, NULL) == SQLITE_OK)
		return stmt;
	(void)db_failed(d, e);
	return NULL;
}

sqlite3_stmt *
db_stmt(struct db *d, size_t which, struct error *e)
{
	const struct db_kind *k = d->kind;
	const char *sql = which < k->n ? k->sql[which] : common[which - k->n];

	d->bind = SQLITE_OK;
	if (!d->stmts[which] && sqlite3_prepare_v3(d->sqlite, sql, -1,
	    SQLITE_PREPARE_PERSISTENT, &d->stmts[which], NULL) != SQLITE_OK)
		(void)db_failed(d, e);
	return d->stmts[which];
}

static void
note_bind(struct db *d, int rc)
{
	if (d->bind == SQLITE_OK)
		d->bind = rc;
}

void
db_bind_int(struct db *d, sqlite3_stmt *stmt, int i, int64_t n)
{
	note_bind(d, sqlite3_bind_int64(stmt, i, n));
}

void
db_bind_int_if(struct db *d, sqlite3_stmt *stmt, int i, bool is, int64_t n)
{
	note_bind(d, is ? sqlite3_bind_int64(stmt, i, n) :
	    sqlite3_bind_null(stmt, i));
}

void
db_bind_text(struct db *d, sqlite3_stmt *stmt, int i, struct span s)
{
	note_bind(d, s.len ? sqlite3_bind_text64(stmt, i, s.p, s.len,
	    SQLITE_STATIC, SQLITE_UTF8) : sqlite3_bind_null(stmt, i));
}

void
db_bind_blob(struct db *d, sqlite3_stmt *stmt, int i, struct span s)
{
	note_bind(d, s.len ? sqlite3_bind_blob64(stmt, i, s.p, s.len,
	    SQLITE_STATIC) : sqlite3_bind_null(stmt, i));
}

void
db_reset(sqlite3_stmt *stmt)
{
	(void)sqlite3_reset(stmt); /* says again what the step said */
}

int
db_step(struct db *d, sqlite3_stmt *stmt, struct error *e)
{
	int rc;

	if (d->bind != SQLITE_OK) {
		db_reset(stmt);
		return error_set(e, "%s: %s", d->path,
		    sqlite3_errstr(d->bind));
	}
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW || rc == SQLITE_DONE)
		return rc;
	(void)db_failed(d, e);
	db_reset(stmt);
	return -1;
}

int
db_run(struct db *d, sqlite3_stmt *stmt, struct error *e)
{
	int rc;

	if (!stmt)
		return -1;
	while ((rc = db_step(d, stmt, e)) == SQLITE_ROW)
		;
	if (rc < 0)
		return -1;
	db_reset(stmt);
	return sqlite3_changes(d->sqlite);
}

int
db_number(struct db *d, sqlite3_stmt *stmt, int64_t fallback, int64_t *n,
    struct error *e)
{
	int rc = stmt ? db_step(d, stmt, e) : -1;

	if (rc < 0)
		return -1;
	*n = rc == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_NULL ?
	    sqlite3_column_int64(stmt, 0) : fallback;
	db_reset(stmt);
	return 0;
}

/* Transactions */

static int
run(struct db *d, size_t which, struct error *e)
{
	return db_run(d, db_stmt(d, d->kind->n + which, e), e) < 0 ? -1 : 0;
}

int
db_begin(struct db *d, bool durable, struct error *e)
{
	if (durable != d->full) {
		if (run(d, durable ? SYNC_FULL : SYNC_NORMAL, e) < 0)
			return -1;
		d->full = durable;
	}
	d->durable = durable;
	return run(d, BEGIN, e);
}

int
db_commit(struct db *d, struct error *e)
{
	if (run(d, COMMIT, e) < 0)
		return -1;
	if (d->durable && !d->locked &&
	    utimensat(AT_FDCWD, d->path, NULL, 0) < 0)
		return error_set(e, "%s: cannot set its times: %s", d->path,
		    strerror(errno));
	return 0;
}

void
db_rollback(struct db *d)
{
	struct error e;

	if (!sqlite3_get_autocommit(d->sqlite))
		(void)run(d, ROLLBACK, &e); /* closing would do it, too */
}

/* Opening */

static int
execute(struct db *d, const char *sql, struct error *e)
{
	return sqlite3_exec(d->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 :
	    db_failed(d, e);
}

static int
get_number(struct db *d, const char *sql, int64_t *n, struct error *e)
{
	sqlite3_stmt *stmt = NULL;
	int r = 0;

	if (sqlite3_prepare_v2(d->sqlite, sql, -1, &stmt, NULL) != SQLITE_OK ||
	    sqlite3_step(stmt) != SQLITE_ROW)
		r = db_failed(d, e);
	else
		*n = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return r;
}

/* 1: ours; 0: an empty file, not yet ours; -1 or -2 with the error. */
static int
whose(struct db *d, struct error *e)
{
	bool in_one = !sqlite3_get_autocommit(d->sqlite);
	int64_t application, version, objects;
	int r;

	/* At one moment: somebody may be making it. The schema first: a pragma
	 * alone does not begin to read. */
	r = in_one ? 0 : execute(d, "BEGIN", e);
	if (r == 0)
		r = get_number(d, "SELECT count(*) FROM sqlite_master",
		    &objects, e);
	if (r == 0)
		r = get_number(d, "PRAGMA application_id", &application, e);
	if (r == 0)
		r = get_number(d, "PRAGMA user_version", &version, e);
	if (r == 0 && !in_one)
		r = execute(d, "COMMIT", e);
	/* To move it away would be no good advice: it may be anything. */
	if (r != 0 && sqlite3_errcode(d->sqlite) == SQLITE_NOTADB)
		return error_set(e, "%s: no SQLite file, and so no %s; if it "
		    "was one, save what can be read with: sqlite3 FILE "
		    ".recover", d->path, d->kind->name);
	if (r != 0)
		return r;
	if (application == 0 && version == 0 && objects == 0)
		return 0;
	if (application != d->kind->application_id)
		return error_set(e, "%s: an SQLite file, but no %s", d->path,
		    d->kind->name);
	if (version > d->kind->version)
		return error_set(e, "%s: written by a newer version of evpipe "
		    "(format %lld, this one knows %d)", d->path,
		    (long long)version, d->kind->version);
	return 1;
}

static int
create(struct db *d, struct error *e)
{
	int r = execute(d, "BEGIN IMMEDIATE", e);

	/* Someone else may have been faster. */
	if (r == 0)
		r = whose(d, e);
	if (r == 0)
		r = execute(d, d->kind->schema, e);
	if (r >= 0)
		r = execute(d, "COMMIT", e);
	if (r == 0 && folder_sync(d->path) < 0) {
		error_set(e, "%s: cannot sync its folder: %s", d->path,
		    strerror(errno));
		r = -2;
	}
	return r;
}

static int
set_up(struct db *d, struct error *e)
{
	char cache[64];
	int known, r = 0;

	snprintf(cache, sizeof(cache), "PRAGMA cache_size = -%d", CACHE_KIB);
	/* Only a file that is ours, or empty, is changed. */
	known = whose(d, e);
	if (known < 0)
		r = known;
	if (r == 0 && !known)
		r = execute(d, "PRAGMA auto_vacuum = INCREMENTAL", e);
	if (r == 0)
		r = execute(d, "PRAGMA journal_mode = WAL;"
		    "PRAGMA synchronous = FULL;"
		    "PRAGMA journal_size_limit = 16777216", e);
	(void)sqlite3_wal_hook(d->sqlite, on_commit, d);
	d->full = true;
	if (r == 0)
		r = execute(d, cache, e);
	r = r == 0 && !known ? create(d, e) : r;
	if (r < 0 && !sqlite3_get_autocommit(d->sqlite))
		(void)sqlite3_exec(d->sqlite, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

static int
open_db(struct db *d, struct error *e)
{
	const struct timespec step = { 0, 1000000 };
	int64_t until_ms = clock_mono_ms() + BUSY_MS;
	int r;

	if (db_open_sqlite(d->path, &d->sqlite, SQLITE_OPEN_READWRITE |
	    SQLITE_OPEN_NOMUTEX) != SQLITE_OK)
		return db_failed(d, e);
	(void)sqlite3_busy_handler(d->sqlite, on_busy, d);
	/* Where several make a file, SQLite does not always ask on_busy. */
	while ((r = set_up(d, e)) == -2 && d->was_busy &&
	    clock_mono_ms() < until_ms)
		(void)nanosleep(&step, NULL);
	return r;
}

static int
open_file(struct db *d, struct error *e)
{
	struct stat st;

	d->fd = open(d->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (d->fd < 0) {
		error_set(e, "%s: cannot open%s: %s", d->path,
		    errno == EACCES || errno == EROFS ? " for writing" : "",
		    strerror(errno));
		return errno == ENOENT || errno == ENOTDIR || errno == EISDIR ?
		    -1 : -2;
	}
	if (fstat(d->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return error_set(e, "%s: not a file", d->path);
	return 0;
}

static int
open_bell(struct db *d, struct error *e)
{
	d->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (d->inotify < 0 || inotify_add_watch(d->inotify, d->path,
	    IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVE_SELF) < 0) {
		error_set(e, "%s: cannot be watched: inotify: %s", d->path,
		    strerror(errno));
		return -2;
	}
	return 0;
}

int
db_open(struct db *d, const struct db_kind *kind, const char *path,
    struct error *e)
{
	int r;

	*d = (struct db){ .kind = kind, .fd = -1, .inotify = -1,
		.patience_ms = BUSY_MS };
	d->path = alloc_copy(path, strlen(path));
	d->stmts = alloc_zero(kind->n + N_COMMON, sizeof(sqlite3_stmt *));
	r = open_file(d, e);
	if (r == 0)
		r = open_bell(d, e);
	return r == 0 ? open_db(d, e) : r;
}

void
db_close(struct db *d)
{
	size_t i;

	if (!d->path)
		return;
	for (i = 0; i < d->kind->n + N_COMMON; i++)
		(void)sqlite3_finalize(d->stmts[i]);
	free(d->stmts);
	(void)sqlite3_close(d->sqlite); /* every statement is finalized */
	if (d->inotify >= 0)
		close(d->inotify);
	if (d->fd >= 0)
		close(d->fd);
	free(d->path);
	d->path = NULL;
}

/* The lock and the bell */

int
db_lock(struct db *d, struct error *e)
{
	if (d->locked)
		return 1;
	if (flock(d->fd, LOCK_EX | LOCK_NB) == 0) {
		d->locked = true;
		return 1;
	}
	if (errno == EWOULDBLOCK || errno == EINTR)
		return 0;
	return error_set(e, "%s: cannot lock: %s", d->path, strerror(errno));
}

#ifndef F_OFD_SETLK /* fcntl.h shows Linux's with _GNU_SOURCE alone */
#define F_OFD_SETLK 37
#endif

/*
 * Beyond the bytes that SQLite locks, and of the open file, not of the process
 * (fcntl(2), open file description locks).
 */
static int
set_claim(struct db *d, short type)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET,
		.l_start = INT32_MAX, .l_len = 1 };

	return fcntl(d->fd, F_OFD_SETLK, &lock);
}

int
db_claim(struct db *d, struct error *e)
{
	if (set_claim(d, F_WRLCK) == 0)
		return 1;
	if (errno == EAGAIN || errno == EACCES)
		return 0;
	return error_set(e, "%s: cannot lock: %s", d->path, strerror(errno));
}

void
db_disclaim(struct db *d)
{
	(void)set_claim(d, F_UNLCK);
}

bool
db_heard(struct db *d)
{
	union {
		struct inotify_event event;
		char bytes[4096];
	} u;
	bool heard = false;

	while (read(d->inotify, u.bytes, sizeof(u.bytes)) > 0)
		heard = true;
	return heard;
}

bool
db_is_in_place(const struct db *d)
{
	struct stat now, open;

	return stat(d->path, &now) == 0 && fstat(d->fd, &open) == 0 &&
	    now.st_ino == open.st_ino && now.st_dev == open.st_dev;
}
