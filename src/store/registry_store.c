/*
 * The SQLite form of the registry. The rollback journal, not WAL: readers may
 * be other users without the right to write beside it, and writes are rare.
 *
 * States: a change is either all there or not at all; a crash before commit
 * leaves a journal beside the file, and the next one to open it who may write
 * rolls it back: readers too, else all would stand still until the next change.
 */
#include "store/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "store/db.h"

struct registry_store {
	sqlite3 *db;
	sqlite3_stmt *put, *remove;
};

static const char schema[] =
    "PRAGMA application_id = 1163284562;" /* REGISTRY_APPLICATION_ID */
    "PRAGMA user_version = 1;"            /* REGISTRY_VERSION */
    "CREATE TABLE webhook("
    "position INTEGER PRIMARY KEY,"
    "id TEXT NOT NULL UNIQUE,"
    "config TEXT NOT NULL CHECK(json_valid(config)));";

static const char put_sql[] =
    "INSERT INTO webhook(position, id, config) VALUES("
    "(SELECT coalesce(max(position), 0) + 1 FROM webhook), ?1, ?2)"
    "ON CONFLICT(id) DO UPDATE SET config = excluded.config";

_Static_assert(REGISTRY_APPLICATION_ID == 1163284562, "as in the schema");
_Static_assert(REGISTRY_VERSION == 1, "as in the schema");

/* Did a writer die in the middle, and we may not undo what it did? */
static bool
needs_rollback(const struct registry_store *s)
{
	int code = sqlite3_extended_errcode(s->db);

	return code == SQLITE_READONLY_ROLLBACK ||
	    code == SQLITE_READONLY_RECOVERY;
}

/* -1: the file is not what it should be; -2: it might be, but not now. */
static int
failed(struct registry_store *s, struct error *e)
{
	error_set(e, "%s", sqlite3_errmsg(s->db));
	if (needs_rollback(s)) {
		error_set(e, "a change was cut short, which a user who may "
		    "write the file can undo: hook-admin -w FILE list");
		return -2;
	}
	switch (sqlite3_errcode(s->db)) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		error_set(e, "locked by another process");
		return -2;
	case SQLITE_READONLY:
		return error_set(e, "no right to write to the file and its "
		    "directory, which holds the journal");
	case SQLITE_IOERR:
		error_set(e, "%s: %s", sqlite3_errmsg(s->db),
		    db_cause(s->db));
		return -2;
	case SQLITE_FULL:
	case SQLITE_INTERRUPT:
	case SQLITE_NOMEM:
	case SQLITE_PROTOCOL:
		return -2;
	default:
		return -1;
	}
}

static int
run(struct registry_store *s, const char *sql, struct error *e)
{
	if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return failed(s, e);
	return 0;
}

/* The number that the statement gives. */
static int
get_number(struct registry_store *s, const char *sql, sqlite3_int64 *n,
    struct error *e)
{
	sqlite3_stmt *stmt = NULL;
	int r = 0;

	if (sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL) != SQLITE_OK ||
	    sqlite3_step(stmt) != SQLITE_ROW)
		r = failed(s, e);
	else
		*n = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return r;
}

/*
 * 1: ours; 0: an empty file, not yet ours; -1 or -2 with the error. One look at
 * all three numbers: someone may be creating it.
 */
static int
whose(struct registry_store *s, struct error *e)
{
	sqlite3_int64 application, version, objects, code;
	int r = run(s, "SAVEPOINT look", e);

	/* The schema first: a pragma alone does not begin to read. */
	if (r == 0)
		r = get_number(s, "SELECT count(*) FROM sqlite_master",
		    &objects, e);
	/* Either could run for ever, or make a change a different one. */
	if (r == 0)
		r = get_number(s, "SELECT count(*) FROM sqlite_master "
		    "WHERE type IN ('view', 'trigger')", &code, e);
	if (r == 0)
		r = get_number(s, "PRAGMA application_id", &application, e);
	if (r == 0)
		r = get_number(s, "PRAGMA user_version", &version, e);
	if (r == 0)
		r = run(s, "RELEASE look", e);
	if (r != 0)
		return r;
	if (application == 0 && version == 0 && objects == 0)
		return 0;
	if (application != REGISTRY_APPLICATION_ID)
		return error_set(e, "an SQLite file, but not a registry");
	if (version > REGISTRY_VERSION)
		return error_set(e, "written by a newer version of evpipe "
		    "(format %lld, this one knows %d)", (long long)version,
		    REGISTRY_VERSION);
	if (code)
		return error_set(e, "has views or triggers, which are not of "
		    "hook-admin's making");
	return 1;
}

static int
create(struct registry_store *s, struct error *e)
{
	int r = run(s, "BEGIN IMMEDIATE", e);

	/* Someone else may have been faster. */
	if (r == 0)
		r = whose(s, e);
	if (r == 0)
		r = run(s, schema, e);
	return r < 0 ? r : registry_store_commit(s, e);
}

static int
prepare(struct registry_store *s, enum registry_mode mode, struct error *e)
{
	int r = 0;

	if (mode != REGISTRY_READ)
		r = run(s, "PRAGMA journal_mode = DELETE;"
		    "PRAGMA synchronous = FULL", e);
	if (r == 0)
		r = whose(s, e);
	if (r == 0)
		return mode == REGISTRY_CREATE ? create(s, e) :
		    error_set(e, "empty");
	return r < 0 ? r : 0;
}

/*
 * An empty file, or an SQLite one. A new one is made here: SQLite would not say
 * why it can't.
 */
static int
check_form(const char *path, enum registry_mode mode, struct error *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK |
	    (mode == REGISTRY_CREATE ? O_CREAT : 0), 0644), r = 0;
	char head[16];
	struct stat st;
	ssize_t n = 0;

	if (fd < 0)
		return error_set(e, "%s", strerror(errno));
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		r = error_set(e, "not a regular file");
	else if ((n = read(fd, head, sizeof(head))) < 0)
		r = error_set(e, "%s", strerror(errno));
	else if (n != 0 && (n != sizeof(head) ||
	    memcmp(head, "SQLite format 3", sizeof(head)) != 0))
		r = error_set(e, "a JSON file, which is not written to: "
		    "make an SQLite registry of it with "
		    "'hook-admin -w NEW import FILE'");
	close(fd);
	return r;
}

static int
open_db(struct registry_store *s, const char *path, int flags,
    enum registry_mode mode, int busy_ms, struct error *e)
{
	if (db_open_sqlite(path, &s->db, flags) != SQLITE_OK)
		return failed(s, e);
	sqlite3_busy_timeout(s->db, busy_ms);
	sqlite3_limit(s->db, SQLITE_LIMIT_LENGTH, REGISTRY_MAX_BYTES);
	return prepare(s, mode, e);
}

int
registry_store_open(struct registry_store **store, const char *path,
    enum registry_mode mode, int busy_ms, struct error *e)
{
	static const int flags[] = {
		[REGISTRY_READ] = SQLITE_OPEN_READONLY,
		[REGISTRY_WRITE] = SQLITE_OPEN_READWRITE,
		[REGISTRY_CREATE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
	};
	struct registry_store *s;
	int r;

	*store = NULL;
	if (check_form(path, mode, e) != 0)
		return -1;
	s = alloc_zero(1, sizeof(*s));
	r = open_db(s, path, flags[mode], mode, busy_ms, e);
	if (r != 0 && needs_rollback(s)) {
		sqlite3_close(s->db);
		s->db = NULL;
		r = open_db(s, path, SQLITE_OPEN_READWRITE, mode, busy_ms, e);
	}
	if (r == 0)
		*store = s;
	else
		registry_store_close(s);
	return r;
}

void
registry_store_close(struct registry_store *s)
{
	if (!s)
		return;
	sqlite3_finalize(s->put);
	sqlite3_finalize(s->remove);
	sqlite3_close(s->db);
	free(s);
}

/*
 * Rows are found by the column id, webhooks by the id in their JSON: where
 * others wrote, a change of one could make a second one of it.
 */
int
registry_store_begin(struct registry_store *s, struct error *e)
{
	sqlite3_int64 n = 0;
	int r = run(s, "BEGIN IMMEDIATE", e);

	if (r == 0)
		r = get_number(s, "SELECT count(*) FROM webhook WHERE "
		    "json_valid(config) AND id IS NOT "
		    "json_extract(config, '$.id')", &n, e);
	if (n)
		return error_set(e, "%lld rows have another id in their column "
		    "than in their JSON: this is not of hook-admin's making; "
		    "'export' it and 'import' that into a new file",
		    (long long)n);
	return r;
}

int
registry_store_commit(struct registry_store *s, struct error *e)
{
	return run(s, "COMMIT", e);
}

int
registry_store_text(struct registry_store *s, struct buf *text,
    struct error *e)
{
	static const char sql[] = "SELECT config FROM webhook ORDER BY position";
	sqlite3_stmt *stmt = NULL;
	int step = SQLITE_ERROR, n = 0, r;

	if (sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL) == SQLITE_OK)
		while ((step = sqlite3_step(stmt)) == SQLITE_ROW &&
		    text->len <= REGISTRY_MAX_BYTES) {
			const void *p = sqlite3_column_text(stmt, 0);

			buf_puts(text, n++ ? ",\n" : "[");
			if (p)
				buf_add(text, p,
				    (size_t)sqlite3_column_bytes(stmt, 0));
			else
				buf_puts(text, "null");
		}
	if (text->len > REGISTRY_MAX_BYTES)
		r = error_set(e, "larger than 256 MiB");
	else
		r = step == SQLITE_DONE ? 0 : failed(s, e);
	sqlite3_finalize(stmt);
	buf_puts(text, n ? "]" : "[]");
	return r;
}

/* Prepare once; ready to be bound. */
static sqlite3_stmt *
statement(struct registry_store *s, sqlite3_stmt **stmt, const char *sql)
{
	if (!*stmt)
		(void)sqlite3_prepare_v3(s->db, sql, -1,
		    SQLITE_PREPARE_PERSISTENT, stmt, NULL);
	return *stmt;
}

/* Run to the end; reset, so that its texts are not used any more. */
static int
finish(struct registry_store *s, sqlite3_stmt *stmt, struct error *e)
{
	int r = sqlite3_step(stmt) == SQLITE_DONE ? 0 : failed(s, e);

	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return r;
}

int
registry_store_put(struct registry_store *s, const struct webhook *w,
    struct error *e)
{
	sqlite3_stmt *stmt = statement(s, &s->put, put_sql);
	struct buf json = { 0 };
	int r;

	if (!stmt)
		return failed(s, e);
	webhook_put_json(w, &json);
	if (sqlite3_bind_text(stmt, 1, w->id.p, (int)w->id.len,
	    SQLITE_STATIC) != SQLITE_OK || sqlite3_bind_text(stmt, 2, json.p,
	    (int)json.len, SQLITE_STATIC) != SQLITE_OK)
		r = failed(s, e);
	else
		r = finish(s, stmt, e);
	buf_clear(&json);
	return r;
}

int
registry_store_remove(struct registry_store *s, struct span id,
    struct error *e)
{
	sqlite3_stmt *stmt = statement(s, &s->remove,
	    "DELETE FROM webhook WHERE id = ?1");

	if (!stmt || sqlite3_bind_text(stmt, 1, id.p, (int)id.len,
	    SQLITE_STATIC) != SQLITE_OK)
		return failed(s, e);
	return finish(s, stmt, e);
}

int
registry_store_remove_all(struct registry_store *s, struct error *e)
{
	return run(s, "DELETE FROM webhook", e);
}
