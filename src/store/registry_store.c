/*
 * The SQLite form of the registry. The rollback journal, not WAL: readers may
 * be other users without the right to write beside it, and writes are rare.
 *
 * States: a change is either all there or not at all; a crash before commit
 * leaves a journal that the next writer (or a reader with the right to write)
 * rolls back.
 */
#include "store/registry.h"

#include <errno.h>
#include <sqlite3.h>
#include <unistd.h>

#include "base/alloc.h"

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

static int
failed(struct registry_store *s, struct error *e)
{
	int code = sqlite3_errcode(s->db);

	if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
		return error_set(e, "locked by another process");
	return error_set(e, "%s", sqlite3_errmsg(s->db));
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

/* 1: ours; 0: an empty file, not yet ours; -1 with the error. */
static int
whose(struct registry_store *s, struct error *e)
{
	sqlite3_int64 application, version, objects;

	if (get_number(s, "PRAGMA application_id", &application, e) != 0 ||
	    get_number(s, "PRAGMA user_version", &version, e) != 0 ||
	    get_number(s, "SELECT count(*) FROM sqlite_master", &objects,
	    e) != 0)
		return -1;
	if (application == 0 && version == 0 && objects == 0)
		return 0;
	if (application != REGISTRY_APPLICATION_ID)
		return error_set(e, "an SQLite file, but not a registry");
	if (version > REGISTRY_VERSION)
		return error_set(e, "written by a newer version of evpipe "
		    "(format %lld, this one knows %d)", (long long)version,
		    REGISTRY_VERSION);
	return 1;
}

static int
create(struct registry_store *s, struct error *e)
{
	int r;

	if (registry_store_begin(s, e) != 0)
		return -1;
	/* Someone else may have been faster. */
	r = whose(s, e);
	if (r == 0)
		r = run(s, schema, e);
	if (r < 0)
		return -1;
	return registry_store_commit(s, e);
}

static int
prepare(struct registry_store *s, enum registry_mode mode, struct error *e)
{
	int r;

	if (mode != REGISTRY_READ && run(s, "PRAGMA journal_mode = DELETE;"
	    "PRAGMA synchronous = FULL", e) != 0)
		return -1;
	r = whose(s, e);
	if (r < 0)
		return -1;
	if (r == 0)
		return mode == REGISTRY_CREATE ? create(s, e) :
		    error_set(e, "empty");
	return 0;
}

/* An absent or empty file, or an SQLite one. */
static int
check_form(const char *path, enum registry_mode mode, struct error *e)
{
	char head[16];
	FILE *f = fopen(path, "rb");
	size_t n;

	if (!f && errno == ENOENT && mode == REGISTRY_CREATE)
		return 0;
	if (!f)
		return error_set(e, "%s", strerror(errno));
	n = fread(head, 1, sizeof(head), f);
	(void)fclose(f); /* only read from */
	if (n != 0 && (n != sizeof(head) ||
	    memcmp(head, "SQLite format 3", sizeof(head)) != 0))
		return error_set(e, "a JSON file, which is not written to: "
		    "make an SQLite registry of it with "
		    "'hook-admin -w NEW import FILE'");
	return 0;
}

struct registry_store *
registry_store_open(const char *path, enum registry_mode mode, int busy_ms,
    struct error *e)
{
	static const int flags[] = {
		[REGISTRY_READ] = SQLITE_OPEN_READONLY,
		[REGISTRY_WRITE] = SQLITE_OPEN_READWRITE,
		[REGISTRY_CREATE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
	};
	struct registry_store *s;

	if (check_form(path, mode, e) != 0)
		return NULL;
	s = alloc_zero(1, sizeof(*s));
	if (sqlite3_open_v2(path, &s->db, flags[mode], NULL) != SQLITE_OK) {
		failed(s, e);
		goto fail;
	}
	sqlite3_busy_timeout(s->db, busy_ms);
	if (prepare(s, mode, e) != 0)
		goto fail;
	return s;
fail:
	registry_store_close(s);
	return NULL;
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

int
registry_store_begin(struct registry_store *s, struct error *e)
{
	return run(s, "BEGIN IMMEDIATE", e);
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
	int step = SQLITE_ERROR, n = 0;

	if (sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL) == SQLITE_OK)
		while ((step = sqlite3_step(stmt)) == SQLITE_ROW) {
			const void *p = sqlite3_column_text(stmt, 0);

			buf_puts(text, n++ ? ",\n" : "[");
			buf_add(text, p, (size_t)sqlite3_column_bytes(stmt, 0));
		}
	if (step != SQLITE_DONE)
		failed(s, e);
	sqlite3_finalize(stmt);
	buf_puts(text, n ? "]" : "[]");
	return step == SQLITE_DONE ? 0 : -1;
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
	if (finish(s, stmt, e) != 0)
		return -1;
	return sqlite3_changes(s->db) != 0;
}

int
registry_store_remove_all(struct registry_store *s, struct error *e)
{
	return run(s, "DELETE FROM webhook", e);
}
