/*
 * The delivery queue's file: its schema, opening, the lock, the bell,
 * transactions.
 */
#include "store/queue.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "store/queue_db.h"

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
    /* In the order of seq, of all lanes. */
    "CREATE INDEX call_died ON call(outcome) WHERE outcome = 4;"
    "CREATE INDEX call_answered ON call(outcome) WHERE outcome = 2;"
    /* Names are few: a call comes at the end of those of its own. */
    "CREATE INDEX call_name ON call(name);"
    "CREATE TABLE payload(seq INTEGER PRIMARY KEY, text BLOB NOT NULL);"
    "CREATE TABLE attempt("
    "call INTEGER NOT NULL, n INTEGER NOT NULL,"
    "time INTEGER NOT NULL,"   /* when it ended */
    "outcome INTEGER NOT NULL," /* 3 retry */
    "status INTEGER, reason TEXT, error TEXT,"
    "us INTEGER, dns_us INTEGER, connect_us INTEGER, tls_us INTEGER,"
    "first_us INTEGER, answer BLOB,"
    "PRIMARY KEY(call, n)) WITHOUT ROWID;"
    /* Of failures alone: a delivery writes nothing more. */
    "CREATE INDEX attempt_failed ON attempt(status, call)"
    "WHERE status NOT BETWEEN 200 AND 299;"
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

/* Not in the first schema: files of earlier versions lack it. */
static const char later_schema[] =
    "CREATE TABLE IF NOT EXISTS todo("
    "no INTEGER PRIMARY KEY,"  /* in order of commit */
    "taken INTEGER NOT NULL,"
    "repeats INTEGER NOT NULL," /* ms, see queue_put; -1: it has nothing else */
    "n INTEGER NOT NULL DEFAULT 0," /* how many calls it came with */
    "calls BLOB NOT NULL);"    /* queue_todo.c: struct item, and bytes */
    "CREATE TABLE IF NOT EXISTS feed("
    "no INTEGER PRIMARY KEY,"  /* how many there were, with these */
    "entries BLOB NOT NULL);"  /* struct feed_entry: a transaction's */
    "CREATE TABLE IF NOT EXISTS id_block("
    "no INTEGER PRIMARY KEY,"  /* seq / ID_BLOCK_CALLS */
    "hashes BLOB NOT NULL)";   /* of their ids; 0: none */

const char *
outcome_name(enum outcome o)
{
	static const char *const names[] = {
		[OUTCOME_DELIVERED] = "delivered",
		[OUTCOME_ANSWERED] = "answered",
		[OUTCOME_RETRY] = "retry",
		[OUTCOME_DEAD] = "dead",
		[OUTCOME_DUPLICATE] = "duplicate",
		[OUTCOME_PAUSED] = "paused",
		[OUTCOME_RESUMED] = "resumed",
		[OUTCOME_DISABLED] = "disabled",
	};

	return names[o];
}

static const struct db_kind kind = {
	.name = "delivery queue",
	.application_id = QUEUE_APPLICATION_ID,
	.version = QUEUE_VERSION,
	.schema = schema,
	.sql = queue_sql,
	.n = Q_N,
};

int
queue_open(struct queue **queue, const char *path, struct error *e)
{
	struct queue *q = alloc_zero(1, sizeof(*q));
	int r = db_open(&q->db, &kind, path, e);

	q->ids.no = -1;
	*queue = NULL;
	if (r == 0 && sqlite3_exec(q->db.sqlite, later_schema, NULL, NULL,
	    NULL) != SQLITE_OK)
		r = db_failed(&q->db, e);
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
	db_close(&q->db);
	for (i = 0; i < LANE_SLOTS; i++)
		free(q->lanes[i].name);
	buf_clear(&q->text);
	buf_clear(&q->name);
	buf_clear(&q->todo);
	buf_clear(&q->feed);
	free(q);
}

int
queue_begin(struct queue *q, bool durable, struct error *e)
{
	return db_begin(&q->db, durable, e);
}

char *
queue_bell(const struct queue *q)
{
	const char *path = sqlite3_db_filename(q->db.sqlite, "main");
	struct buf b = { 0 };
	char *bell;

	if (!path)
		return NULL;
	buf_puts(&b, path);
	buf_puts(&b, "-shm");
	bell = alloc_copy(b.p, b.len);
	buf_clear(&b);
	return bell;
}

/*
 * Not the queue's own times: that would wake us. Nobody who delivers depends on
 * it, so that a failure is nobody's.
 */
static void
ring_followers(const struct queue *q)
{
	char *bell = queue_bell(q);

	if (bell)
		(void)utimensat(AT_FDCWD, bell, NULL, 0);
	free(bell);
}

static int
write_feed(struct queue *q, struct error *e)
{
	if (queue_run_blob(q, Q_FEED, (int64_t)(q->feed.len /
	    sizeof(struct feed_entry)), buf_bytes(&q->feed), e) < 0)
		return -1;
	q->feed.len = 0;
	return queue_run_on(q, Q_FEED_END, FEED_ENTRIES, e) < 0 ? -1 : 0;
}

int
queue_commit(struct queue *q, struct error *e)
{
	bool fed = q->feed.len > 0;

	if (queue_write_todo(q, e) < 0 || queue_write_ids(q, e) < 0 ||
	    queue_write_hours(q, e) < 0 || (fed && write_feed(q, e) < 0) ||
	    db_commit(&q->db, e) < 0)
		return -1;
	if (fed)
		ring_followers(q);
	return 0;
}

void
queue_rollback(struct queue *q)
{
	size_t i;

	db_rollback(&q->db);
	/* Numbers given in it are not given. */
	for (i = 0; i < LANE_SLOTS; i++)
		q->lanes[i].no = 0;
	memset(q->hours, 0, sizeof(q->hours));
	q->todo.len = q->feed.len = 0;
	q->n_todo = 0;
	q->ids.no = -1;
}

static int
run(struct queue *q, enum queue_statement which, struct error *e)
{
	return db_run(&q->db, db_stmt(&q->db, which, e), e) < 0 ? -1 : 0;
}

int
queue_run_on(struct queue *q, enum queue_statement which, int64_t n,
    struct error *e)
{
	sqlite3_stmt *stmt = db_stmt(&q->db, which, e);

	if (!stmt)
		return -1;
	db_bind_int(&q->db, stmt, 1, n);
	return db_run(&q->db, stmt, e);
}

int
queue_run_blob(struct queue *q, enum queue_statement which, int64_t n,
    struct span blob, struct error *e)
{
	sqlite3_stmt *stmt = db_stmt(&q->db, which, e);

	if (!stmt)
		return -1;
	db_bind_int(&q->db, stmt, 1, n);
	db_bind_blob(&q->db, stmt, 2, blob);
	return db_run(&q->db, stmt, e) < 0 ? -1 : 0;
}

int
queue_begin_reading(struct queue *q, struct error *e)
{
	return run(q, Q_READ, e);
}

int
queue_end_reading(struct queue *q, struct error *e)
{
	return run(q, Q_READ_END, e);
}

int
queue_lock(struct queue *q, struct error *e)
{
	return db_lock(&q->db, e);
}

int
queue_claim(struct queue *q, struct error *e)
{
	return db_claim(&q->db, e);
}

void
queue_disclaim(struct queue *q)
{
	db_disclaim(&q->db);
}

int
queue_fd(const struct queue *q)
{
	return q->db.inotify;
}

bool
queue_heard(struct queue *q)
{
	return db_heard(&q->db);
}
