/*
 * The event queue in an SQLite file.
 */
#include "store/events_kind.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "json/siphash.h"
#include "store/db.h"

enum {
	/* Free pages that are worth a shorter file, and how many then go. */
	SPARE_PAGES = 4096,
	VACUUM_PAGES = 1024,
	ROOM_BYTES = 4 << 20, /* for the next push, and its checkpoint */
};

_Static_assert(EVENTS_APPLICATION_ID == 1163284549, "as in the schema");
_Static_assert(EVENTS_VERSION == 1, "as in the schema");

static const char schema[] =
    "PRAGMA application_id = 1163284549;"
    "PRAGMA user_version = 1;"
    "CREATE TABLE meta("
    "next INTEGER NOT NULL,"   /* seq to be given */
    "era INTEGER NOT NULL,"    /* which of seen_0 and seen_1 is added to */
    "since INTEGER NOT NULL);" /* when it became that */
    "INSERT INTO meta VALUES(1, 0, 0);"
    "CREATE TABLE event("
    "seq INTEGER PRIMARY KEY," /* in order of commit */
    "pushed INTEGER NOT NULL,"
    "deaths INTEGER NOT NULL,"
    "text BLOB NOT NULL);"
    "CREATE TABLE seen_0(key BLOB PRIMARY KEY) WITHOUT ROWID;"
    "CREATE TABLE seen_1(key BLOB PRIMARY KEY) WITHOUT ROWID;"
    "CREATE TABLE dead("
    "seq INTEGER PRIMARY KEY,"
    "pushed INTEGER NOT NULL,"
    "deaths INTEGER NOT NULL,"
    "time INTEGER NOT NULL,"
    "status TEXT NOT NULL,"    /* how the command ended */
    "said TEXT NOT NULL,"      /* its last lines on stderr */
    "text BLOB NOT NULL);";

enum statement {
	GET_META, SET_META, PUT, SEE_0, SEE_1, SEEN_0, SEEN_1, FORGET_0, FORGET_1,
	NEXT, ACK, BLAME, BURY, REMOVE, SPARE, VACUUM, EACH_DEAD, REQUEUE, UNBURY,
	LAST, COUNT_DEAD,
	N_STATEMENTS
};

static const char *const sql[N_STATEMENTS] = {
	[GET_META] = "SELECT next, era, since FROM meta",
	[SET_META] = "UPDATE meta SET next = ?1, era = ?2, since = ?3",
	[PUT] = "INSERT INTO event VALUES(?1, ?2, 0, ?3)",
	[SEE_0] = "INSERT OR IGNORE INTO seen_0 VALUES(?1)",
	[SEE_1] = "INSERT OR IGNORE INTO seen_1 VALUES(?1)",
	[SEEN_0] = "SELECT 1 FROM seen_0 WHERE key = ?1",
	[SEEN_1] = "SELECT 1 FROM seen_1 WHERE key = ?1",
	[FORGET_0] = "DELETE FROM seen_0",
	[FORGET_1] = "DELETE FROM seen_1",
	[NEXT] = "SELECT seq, deaths, text FROM event WHERE seq > ?1 "
	    "ORDER BY seq LIMIT ?2",
	[ACK] = "DELETE FROM event WHERE seq BETWEEN ?1 AND ?2",
	[BLAME] = "UPDATE event SET deaths = ?2 WHERE seq = ?1",
	[BURY] = "INSERT INTO dead SELECT seq, pushed, ?2, ?3, "
	    "coalesce(?4, ''), coalesce(?5, ''), text FROM event "
	    "WHERE seq = ?1",
	[REMOVE] = "DELETE FROM event WHERE seq = ?1",
	[SPARE] = "PRAGMA freelist_count",
	[VACUUM] = "PRAGMA incremental_vacuum(1024)",
	[EACH_DEAD] = "SELECT seq, deaths, time, status, said, text FROM dead "
	    "ORDER BY time, seq",
	[REQUEUE] = "INSERT INTO event SELECT ?2 + row_number() OVER "
	    "(ORDER BY time, seq) - 1, pushed, 0, text FROM dead "
	    "WHERE ?1 = 0 OR seq = ?1",
	[LAST] = "SELECT max(seq) FROM event",
	[COUNT_DEAD] = "SELECT count(*) FROM dead",
	[UNBURY] = "DELETE FROM dead WHERE ?1 = 0 OR seq = ?1",
};

_Static_assert(VACUUM_PAGES == 1024, "as in the statement");

static const struct db_kind kind = {
	.name = "event queue",
	.application_id = EVENTS_APPLICATION_ID,
	.version = EVENTS_VERSION,
	.schema = schema,
	.sql = sql,
	.n = N_STATEMENTS,
};

struct meta {
	int64_t next, era, since;
};

struct file {
	struct events events;
	struct db db;
	int64_t given; /* the last seq given */
	bool tells_busy;
	struct buf key;
};

static void
file_close(struct events *events)
{
	struct file *ev = (struct file *)events;

	db_close(&ev->db);
	buf_clear(&ev->key);
	free(ev);
}

/* A statement without parameters. */
static int
run(struct file *ev, enum statement which, struct error *e)
{
	return db_run(&ev->db, db_stmt(&ev->db, which, e), e);
}

/* One with numbers ?1 and ?2. How many rows it changed. */
static int
run_with(struct file *ev, enum statement which, int64_t a, int64_t b,
    struct error *e)
{
	sqlite3_stmt *stmt = db_stmt(&ev->db, which, e);

	if (!stmt)
		return -1;
	db_bind_int(&ev->db, stmt, 1, a);
	if (sqlite3_bind_parameter_count(stmt) > 1)
		db_bind_int(&ev->db, stmt, 2, b);
	return db_run(&ev->db, stmt, e);
}

/* What a transaction came to: committed, or rolled back and -1. */
static int
finish(struct file *ev, int r, struct error *e)
{
	if (r >= 0 && db_commit(&ev->db, e) == 0)
		return r;
	db_rollback(&ev->db);
	return -1;
}

/* Pushing */

static int
get_meta(struct file *ev, struct meta *m, struct error *e)
{
	sqlite3_stmt *stmt = db_stmt(&ev->db, GET_META, e);
	int rc = stmt ? db_step(&ev->db, stmt, e) : -1;

	if (rc < 0)
		return -1;
	if (rc == SQLITE_ROW)
		*m = (struct meta){ sqlite3_column_int64(stmt, 0),
			sqlite3_column_int64(stmt, 1),
			sqlite3_column_int64(stmt, 2) };
	db_reset(stmt);
	return rc == SQLITE_ROW ? 0 : error_set(e, "%s: damaged: no meta row",
	    ev->db.path);
}

static int
set_meta(struct file *ev, const struct meta *m, struct error *e)
{
	sqlite3_stmt *stmt = db_stmt(&ev->db, SET_META, e);

	if (!stmt)
		return -1;
	db_bind_int(&ev->db, stmt, 1, m->next);
	db_bind_int(&ev->db, stmt, 2, m->era);
	db_bind_int(&ev->db, stmt, 3, m->since);
	return db_run(&ev->db, stmt, e) < 0 ? -1 : 0;
}

/* Is the older half of what was seen out of date? Then it is the new one. */
static int
turn_era(struct file *ev, struct meta *m, int64_t now_ms, struct error *e)
{
	if (m->since <= 0 || m->since > now_ms)
		m->since = now_ms; /* new, or the clock was set back */
	if (now_ms - m->since < EVENTS_REPEATS_MS)
		return 0;
	m->era = !m->era;
	m->since = now_ms;
	return run(ev, m->era ? FORGET_1 : FORGET_0, e) < 0 ? -1 : 0;
}

/*
 * Remember it; 1: it was seen before. The id comes first: ids that begin with
 * their time fill the index from the right, which is many times as fast as
 * random ones. Who makes two lines of one hash loses his own event alone.
 */
static int
see(struct file *ev, const struct meta *m, const struct events_item *item,
    struct error *e)
{
	static const uint64_t hash_key[2] = { 0 };
	uint64_t h = siphash13(hash_key, item->same.p, item->same.len);
	sqlite3_stmt *stmt = db_stmt(&ev->db, m->era ? SEE_1 : SEE_0, e);
	int64_t found = 0;
	int n;

	ev->key.len = 0;
	buf_span(&ev->key, item->id);
	buf_add(&ev->key, &h, sizeof(h));
	if (!stmt)
		return -1;
	db_bind_blob(&ev->db, stmt, 1, buf_bytes(&ev->key));
	n = db_run(&ev->db, stmt, e);
	if (n <= 0)
		return n < 0 ? -1 : 1;
	stmt = db_stmt(&ev->db, m->era ? SEEN_0 : SEEN_1, e);
	if (!stmt)
		return -1;
	db_bind_blob(&ev->db, stmt, 1, buf_bytes(&ev->key));
	return db_number(&ev->db, stmt, 0, &found, e) < 0 ? -1 : found != 0;
}

static int
put(struct file *ev, int64_t seq, int64_t now_ms, struct span text,
    struct error *e)
{
	sqlite3_stmt *stmt = db_stmt(&ev->db, PUT, e);

	if (!stmt)
		return -1;
	db_bind_int(&ev->db, stmt, 1, seq);
	db_bind_int(&ev->db, stmt, 2, now_ms);
	db_bind_blob(&ev->db, stmt, 3, text);
	return db_run(&ev->db, stmt, e) < 0 ? -1 : 0;
}

static int
push_all(struct file *ev, const struct events_item *items, size_t n,
    int64_t now_ms, size_t *n_repeats, struct error *e)
{
	struct meta m;
	size_t i;

	if (get_meta(ev, &m, e) < 0 || turn_era(ev, &m, now_ms, e) < 0)
		return -1;
	for (i = 0; i < n; i++) {
		int seen = items[i].own ? see(ev, &m, &items[i], e) : 0;

		if (seen < 0)
			return -1;
		if (seen)
			++*n_repeats;
		else if (put(ev, m.next++, now_ms, items[i].text, e) < 0)
			return -1;
	}
	return set_meta(ev, &m, e);
}

/*
 * A transaction of nothing can find a place in the WAL where one of events does
 * not: the last of those that failed made it longer.
 */
static int
has_room(struct file *ev, struct error *e)
{
	struct statvfs fs;

	if (statvfs(ev->db.path, &fs) < 0)
		return error_set(e, "%s: %s", ev->db.path, strerror(errno));
	return (uint64_t)fs.f_bavail * fs.f_frsize >= ROOM_BYTES ? 0 :
	    error_set(e, "%s: the disk is full: make room", ev->db.path);
}

static int
file_push(struct events *events, const struct events_item *items, size_t n,
    int64_t now_ms, struct events_pushed *pushed, struct error *e)
{
	struct file *ev = (struct file *)events;
	size_t n_repeats = 0;
	int r;

	*pushed = (struct events_pushed){ 0 };
	if (db_begin(&ev->db, true, e) < 0)
		return ev->tells_busy && ev->db.was_busy ? 1 : -1;
	if (n == 0 && has_room(ev, e) < 0)
		return finish(ev, -1, e);
	r = finish(ev, push_all(ev, items, n, now_ms, &n_repeats, e), e);
	if (r == 0)
		*pushed = (struct events_pushed){ .n = n,
			.n_repeats = n_repeats };
	return r;
}

/* Pulling */

static int
file_lock(struct events *events, struct error *e)
{
	struct file *ev = (struct file *)events;

	return db_lock(&ev->db, e);
}

static int
file_fd(const struct events *events)
{
	const struct file *ev = (const struct file *)events;

	return ev->db.inotify;
}

static int
file_heard(struct events *events, struct error *e)
{
	struct file *ev = (struct file *)events;
	(void)db_heard(&ev->db);
	return db_is_in_place(&ev->db) ? 0 : error_set(e,
	    "%s: moved away or removed while it was pulled from", ev->db.path);
}

static int
file_next(struct events *events, size_t max, size_t max_bytes,
    void (*give)(void *, const struct events_given *), void *ctx,
    struct error *e)
{
	struct file *ev = (struct file *)events;
	sqlite3_stmt *stmt = db_stmt(&ev->db, NEXT, e);
	struct events_given g = { .unfit = NULL };
	size_t bytes = 0;
	int rc = SQLITE_DONE, n = 0;

	if (!stmt)
		return -1;
	db_bind_int(&ev->db, stmt, 1, ev->given);
	db_bind_int(&ev->db, stmt, 2, (int64_t)max);
	while (bytes < max_bytes &&
	    (rc = db_step(&ev->db, stmt, e)) == SQLITE_ROW) {
		g.tag = sqlite3_column_int64(stmt, 0);
		g.deaths = (unsigned)sqlite3_column_int(stmt, 1);
		g.text = db_column(stmt, 2);
		ev->given = g.tag;
		bytes += g.text.len;
		n++;
		give(ctx, &g);
	}
	if (rc < 0)
		return -1;
	db_reset(stmt);
	return n;
}

/* A file that was large gets shorter. */
static int
give_back_pages(struct file *ev, struct error *e)
{
	sqlite3_stmt *stmt = db_stmt(&ev->db, SPARE, e);
	int64_t n;

	if (!stmt || db_number(&ev->db, stmt, 0, &n, e) < 0)
		return -1;
	return n > SPARE_PAGES ? run(ev, VACUUM, e) : 0;
}

static int
file_ack(struct events *events, int64_t from, int64_t to, struct error *e)
{
	struct file *ev = (struct file *)events;
	int r;

	if (db_begin(&ev->db, false, e) < 0)
		return -1;
	r = run_with(ev, ACK, from, to, e);
	if (r >= 0)
		r = give_back_pages(ev, e);
	return finish(ev, r, e) < 0 ? -1 : 0;
}

static int
file_blame(struct events *events, int64_t tag, unsigned deaths, struct error *e)
{
	struct file *ev = (struct file *)events;

	if (db_begin(&ev->db, false, e) < 0)
		return -1;
	return finish(ev, run_with(ev, BLAME, tag, deaths, e), e) < 0 ? -1 : 0;
}

/*
 * seq is given without gaps, and what was not given stays where it is: so the
 * events behind the last one given are as many as their numbers.
 */
static int
file_count(struct events *events, struct events_counts *c, struct error *e)
{
	struct file *ev = (struct file *)events;
	int64_t last;

	if (db_number(&ev->db, db_stmt(&ev->db, LAST, e), 0, &last, e) < 0 ||
	    db_number(&ev->db, db_stmt(&ev->db, COUNT_DEAD, e), 0, &c->dead,
	    e) < 0)
		return -1;
	c->waiting = last > ev->given ? last - ev->given : 0;
	return 0;
}

/* Dead letters */

static int
file_bury(struct events *events, const struct events_dead *d, struct error *e)
{
	struct file *ev = (struct file *)events;
	sqlite3_stmt *stmt;
	int r;

	if (db_begin(&ev->db, true, e) < 0)
		return -1;
	stmt = db_stmt(&ev->db, BURY, e);
	if (!stmt)
		return finish(ev, -1, e);
	db_bind_int(&ev->db, stmt, 1, d->tag);
	db_bind_int(&ev->db, stmt, 2, d->deaths);
	db_bind_int(&ev->db, stmt, 3, d->time_ms);
	db_bind_text(&ev->db, stmt, 4, d->status);
	db_bind_text(&ev->db, stmt, 5, d->said);
	r = db_run(&ev->db, stmt, e);
	if (r >= 0)
		r = run_with(ev, REMOVE, d->tag, 0, e);
	return finish(ev, r, e) < 0 ? -1 : 0;
}

static int
file_each_dead(struct events *events,
    void (*give)(void *, const struct events_dead *), void *ctx,
    struct error *e)
{
	struct file *ev = (struct file *)events;
	sqlite3_stmt *stmt = db_stmt(&ev->db, EACH_DEAD, e);
	struct events_dead d;
	int rc;

	if (!stmt)
		return -1;
	while ((rc = db_step(&ev->db, stmt, e)) == SQLITE_ROW) {
		d.tag = sqlite3_column_int64(stmt, 0);
		d.deaths = (unsigned)sqlite3_column_int(stmt, 1);
		d.time_ms = sqlite3_column_int64(stmt, 2);
		d.status = db_column(stmt, 3);
		d.said = db_column(stmt, 4);
		d.text = db_column(stmt, 5);
		give(ctx, &d);
	}
	if (rc < 0)
		return -1;
	db_reset(stmt);
	return 0;
}

/* The one of that tag, or all (0). How many. */
static int
requeue(struct file *ev, struct meta *m, int64_t tag, struct error *e)
{
	int n = run_with(ev, REQUEUE, tag, m->next, e);

	if (n < 0 || run_with(ev, UNBURY, tag, 0, e) < 0)
		return -1;
	m->next += n;
	return n;
}

static int
file_requeue(struct events *events, int64_t *tags, size_t n_tags,
    struct error *e)
{
	struct file *ev = (struct file *)events;
	struct meta m;
	int n = 0, r;
	size_t i;

	if (db_begin(&ev->db, true, e) < 0)
		return -1;
	r = get_meta(ev, &m, e);
	if (r >= 0 && n_tags == 0)
		n = r = requeue(ev, &m, 0, e);
	for (i = 0; i < n_tags && r >= 0; i++) {
		r = requeue(ev, &m, tags[i], e);
		n += r > 0;
		if (r > 0)
			tags[i] = 0;
	}
	if (r >= 0)
		r = set_meta(ev, &m, e);
	return finish(ev, r < 0 ? -1 : n, e);
}

static const struct events_kind file_kind = {
	.close = file_close, .push = file_push, .lock = file_lock,
	.fd = file_fd, .heard = file_heard, .next = file_next,
	.ack = file_ack, .blame = file_blame, .count = file_count,
	.bury = file_bury, .each_dead = file_each_dead,
	.requeue = file_requeue,
};

int
events_open_file(struct events **events, const char *path,
    const struct events_wishes *w, struct error *e)
{
	struct file *ev;
	int r;

	if (w->exists && access(path, F_OK) < 0)
		return error_set(e, "%s: cannot open: %s", path,
		    strerror(errno));
	ev = alloc_zero(1, sizeof(*ev));
	r = db_open(&ev->db, &kind, path, e);
	ev->events.kind = &file_kind;
	ev->tells_busy = w->tells_busy;
	if (w->tells_busy)
		ev->db.patience_ms = 0;
	if (r == 0)
		*events = &ev->events;
	else
		file_close(&ev->events);
	return r;
}
