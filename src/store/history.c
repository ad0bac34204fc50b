/*
 * What a delivery queue remembers. Statements are made to order: nothing here is
 * on the way of a delivery. `seq` grows with `taken`, so that a time is found by
 * bisection; calls of a lane come in the order of seq from the index over
 * (lane, due) once they are settled.
 */
#include "store/history.h"

#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "event/call_id.h"
#include "store/queue_db.h"

enum {
	/* Clocks of those who store differ, and go back. */
	CLOCK_SLACK_MS = 10 * 60 * 1000,
	REPLAYS_A_COMMIT = 500,
};

const int history_bucket_ms[HISTORY_BUCKETS - 1] = { 1, 2, 5, 10, 20, 50, 100,
	200, 500, 1000, 2000, 5000, 10000, 30000 };

_Static_assert(HISTORY_BUCKETS == (int)HOUR_BUCKETS, "as in the file");

#define CALL_COLUMNS "c.seq, c.id, c.event, c.name, " \
	"coalesce(l.webhook, l.origin), l.webhook IS NOT NULL, c.outcome, " \
	"c.attempts, c.taken, c.settled, c.due, c.reason, a.status, a.error, a.us "
#define CALL_TABLES "FROM call AS c JOIN lane AS l ON l.no = c.lane " \
	"LEFT JOIN attempt AS a ON a.call = c.seq AND a.n = c.attempts "

/* SQLITE_ROW, SQLITE_DONE or -1. */
static int
step(struct queue *q, sqlite3_stmt *stmt, struct error *e)
{
	int rc = sqlite3_step(stmt);

	if (rc == SQLITE_ROW || rc == SQLITE_DONE)
		return rc;
	(void)db_failed(&q->db, e);
	return -1;
}

/* The one number that a statement with one parameter gives. */
static int
number(struct queue *q, const char *sql, int64_t parameter, int64_t fallback,
    int64_t *out, struct error *e)
{
	sqlite3_stmt *stmt = db_prepare(&q->db, sql, e);
	int rc;

	if (!stmt)
		return -1;
	(void)sqlite3_bind_int64(stmt, 1, parameter);
	rc = step(q, stmt, e);
	*out = rc == SQLITE_ROW && sqlite3_column_type(stmt, 0) !=
	    SQLITE_NULL ? sqlite3_column_int64(stmt, 0) : fallback;
	sqlite3_finalize(stmt);
	return rc < 0 ? -1 : 0;
}

/* Filters */

/* The first seq of what was taken then or later, roughly: never too high. */
static int
seq_at(struct queue *q, int64_t time_ms, int64_t *seq, struct error *e)
{
	int64_t low, high, taken;

	if (number(q, "SELECT min(seq) FROM call WHERE ?1 = 0", 0, 1, &low,
	    e) < 0 ||
	    number(q, "SELECT max(seq) + 1 FROM call WHERE ?1 = 0", 0, 1,
	    &high, e) < 0)
		return -1;
	while (low < high) {
		int64_t mid = low + (high - low) / 2;

		if (number(q, "SELECT taken FROM call WHERE seq >= ?1 "
		    "ORDER BY seq LIMIT 1", mid, INT64_MAX, &taken, e) < 0)
			return -1;
		if (taken < time_ms)
			low = mid + 1;
		else
			high = mid;
	}
	*seq = low;
	return 0;
}

static int
add_times(struct queue *q, const struct history_filter *f, struct buf *sql,
    struct error *e)
{
	int64_t seq;

	if (f->since_ms) {
		if (seq_at(q, f->since_ms - CLOCK_SLACK_MS, &seq, e) < 0)
			return -1;
		buf_printf(sql, "AND c.seq >= %lld AND c.taken >= %lld ",
		    (long long)seq, (long long)f->since_ms);
	}
	if (f->until_ms) {
		if (seq_at(q, f->until_ms + CLOCK_SLACK_MS, &seq, e) < 0)
			return -1;
		buf_printf(sql, "AND c.seq <= %lld AND c.taken < %lld ",
		    (long long)seq, (long long)f->until_ms);
	}
	return 0;
}

/*
 * The calls of an event: their ids follow from the webhooks', so that the index
 * for repeats finds them; and those that it does not have (replayed, forced), and
 * calls without a webhook, which may have any id.
 */
static int
add_event(struct queue *q, struct span event, struct buf *sql, struct error *e)
{
	struct buf scratch = { 0 };
	char id[CALL_ID_BYTES];
	sqlite3_stmt *lanes;
	int64_t seq;
	int rc;

	lanes = db_prepare(&q->db, "SELECT webhook FROM lane "
	    "WHERE webhook IS NOT NULL", e);
	if (!lanes)
		return -1;
	buf_puts(sql, "AND c.event = ?2 AND c.seq IN ("
	    "SELECT seq FROM call WHERE same IS NULL AND event = ?2 UNION ALL "
	    "SELECT o.seq FROM lane AS n CROSS JOIN call AS o ON o.lane = n.no "
	    "WHERE n.origin IS NOT NULL AND o.event = ?2 UNION ALL "
	    "VALUES(-1)");
	while ((rc = step(q, lanes, e)) == SQLITE_ROW) {
		call_id(event, db_column(lanes, 0), &scratch, id);
		if (queue_find_same(q, (struct span){ id, sizeof(id) }, event,
		    &seq, e) < 0) {
			rc = -1;
			break;
		}
		if (seq)
			buf_printf(sql, ",(%lld)", (long long)seq);
	}
	buf_puts(sql, ") ");
	sqlite3_finalize(lanes);
	buf_clear(&scratch);
	return rc < 0 ? -1 : 0;
}

/* Is it a status of failures? */
static bool
failure(const struct history_filter *f)
{
	return f->status && (f->status < 200 || f->status > 299);
}

/* All conditions but those on lane and due. */
static int
add_conditions(struct queue *q, const struct history_filter *f,
    struct buf *sql, struct error *e)
{
	if (add_times(q, f, sql, e) < 0)
		return -1;
	if (f->event.len && add_event(q, f->event, sql, e) < 0)
		return -1;
	if (f->name.len)
		buf_puts(sql, "AND c.name = ?3 ");
	if (f->by_outcome)
		buf_printf(sql, "AND c.outcome = %d ", (int)f->outcome);
	/*
	 * As the index attempt_failed has it (an older file is walked through);
	 * coalesce() keeps the others from beginning with all attempts.
	 */
	if (failure(f))
		buf_printf(sql, "AND a.status = %d "
		    "AND a.status NOT BETWEEN 200 AND 299 ", f->status);
	else if (f->status)
		buf_printf(sql, "AND coalesce(a.status, 0) = %d ", f->status);
	if (f->with_payload)
		buf_puts(sql, "AND c.due IS NULL AND EXISTS(SELECT 1 FROM "
		    "payload AS p WHERE p.seq = c.seq) ");
	if (f->seq)
		buf_printf(sql, "AND c.seq = %lld ", (long long)f->seq);
	if (f->above)
		buf_printf(sql, "AND c.seq > %lld ", (long long)f->above);
	if (f->below)
		buf_printf(sql, "AND c.seq < %lld ", (long long)f->below);
	return 0;
}

static void
add_end(const struct history_filter *f, struct buf *sql)
{
	/* The same order; of failures it is that of their index. */
	buf_puts(sql, failure(f) && !f->webhook.len ? "ORDER BY a.call " :
	    "ORDER BY c.seq ");
	buf_puts(sql, f->oldest_first ? "" : "DESC ");
	if (f->limit)
		buf_printf(sql, "LIMIT %zu ", f->limit);
}

/*
 * What the filter selects. Of one webhook: settled calls are in order in the
 * index, the few others are sorted.
 */
static sqlite3_stmt *
select_calls(struct queue *q, const struct history_filter *f, struct error *e)
{
	struct buf sql = { 0 }, where = { 0 };
	sqlite3_stmt *stmt = NULL;

	if (add_conditions(q, f, &where, e) < 0)
		goto out;
	if (!f->webhook.len) {
		buf_puts(&sql, "SELECT " CALL_COLUMNS CALL_TABLES "WHERE 1 ");
		buf_span(&sql, buf_bytes(&where));
		add_end(f, &sql);
	} else {
		static const char *const parts[] = { "c.due IS NULL ",
			"c.due >= -1 " };
		size_t i;

		buf_puts(&sql, "SELECT * FROM (");
		for (i = 0; i < 2; i++) {
			buf_puts(&sql, i ? ") UNION ALL SELECT * FROM (" : "");
			buf_puts(&sql, "SELECT " CALL_COLUMNS CALL_TABLES
			    "WHERE c.lane = (SELECT no FROM lane "
			    "WHERE webhook = ?1) AND ");
			buf_puts(&sql, parts[i]);
			buf_span(&sql, buf_bytes(&where));
			add_end(f, &sql);
		}
		buf_puts(&sql, f->oldest_first ? ") ORDER BY 1 " :
		    ") ORDER BY 1 DESC ");
		if (f->limit)
			buf_printf(&sql, "LIMIT %zu", f->limit);
	}
	stmt = db_prepare(&q->db, buf_str(&sql), e);
	if (stmt) {
		db_bind_text(&q->db, stmt, 1, f->webhook);
		db_bind_text(&q->db, stmt, 2, f->event);
		db_bind_text(&q->db, stmt, 3, f->name);
		q->db.bind = SQLITE_OK; /* those that it does not have */
	}
out:
	buf_clear(&sql);
	buf_clear(&where);
	return stmt;
}

/* Rows */

static int64_t
number_or(sqlite3_stmt *stmt, int i, int64_t none)
{
	return sqlite3_column_type(stmt, i) == SQLITE_NULL ? none :
	    sqlite3_column_int64(stmt, i);
}

static struct history_call
read_call(sqlite3_stmt *stmt)
{
	return (struct history_call){
		.seq = sqlite3_column_int64(stmt, 0),
		.id = db_column(stmt, 1),
		.event = db_column(stmt, 2),
		.name = db_column(stmt, 3),
		.lane = db_column(stmt, 4),
		.webhook = sqlite3_column_int(stmt, 5),
		.outcome = sqlite3_column_int(stmt, 6),
		.attempts = (unsigned)sqlite3_column_int64(stmt, 7),
		.taken_ms = sqlite3_column_int64(stmt, 8),
		.settled_ms = sqlite3_column_int64(stmt, 9),
		.due_ms = number_or(stmt, 10, 0),
		.reason = db_column(stmt, 11),
		.status = (int)number_or(stmt, 12, 0),
		.error = db_column(stmt, 13),
		.us = number_or(stmt, 14, -1),
	};
}

int
history_calls(struct queue *q, const struct history_filter *f,
    void (*give)(void *, const struct history_call *), void *ctx,
    struct error *e)
{
	sqlite3_stmt *stmt = select_calls(q, f, e);
	int rc;

	if (!stmt)
		return -1;
	while ((rc = step(q, stmt, e)) == SQLITE_ROW) {
		struct history_call c = read_call(stmt);

		give(ctx, &c);
	}
	sqlite3_finalize(stmt);
	return rc < 0 ? -1 : 0;
}

int
history_find(struct queue *q, struct span id, int64_t *seq, struct error *e)
{
	struct buf sql = { 0 };
	sqlite3_stmt *stmt;
	int64_t covered;
	int rc;

	rc = queue_find_id(q, id, seq, &covered, e);
	if (rc != 0)
		return rc;
	*seq = 0;
	/* What an earlier version stored. */
	buf_printf(&sql, "SELECT seq FROM call WHERE id = ?1 AND seq < %lld "
	    "ORDER BY seq DESC LIMIT 1", (long long)covered);
	stmt = db_prepare(&q->db, buf_str(&sql), e);
	buf_clear(&sql);
	if (!stmt)
		return -1;
	db_bind_text(&q->db, stmt, 1, id);
	rc = step(q, stmt, e);
	if (rc == SQLITE_ROW)
		*seq = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return rc < 0 ? -1 : rc == SQLITE_ROW;
}

static int
give_attempts(struct queue *q, int64_t seq,
    void (*give)(void *, const struct history_attempt *), void *ctx,
    struct error *e)
{
	sqlite3_stmt *stmt;
	int rc;

	stmt = db_prepare(&q->db, "SELECT n, time, outcome, status, reason, "
	    "error, answer, us, dns_us, connect_us, tls_us, first_us "
	    "FROM attempt WHERE call = ?1 ORDER BY n", e);
	if (!stmt)
		return -1;
	(void)sqlite3_bind_int64(stmt, 1, seq);
	while ((rc = step(q, stmt, e)) == SQLITE_ROW)
		give(ctx, &(struct history_attempt){
			.n = (unsigned)sqlite3_column_int64(stmt, 0),
			.time_ms = sqlite3_column_int64(stmt, 1),
			.outcome = sqlite3_column_int(stmt, 2),
			.status = (int)number_or(stmt, 3, 0),
			.reason = db_column(stmt, 4),
			.error = db_column(stmt, 5),
			.answer = db_column(stmt, 6),
			.us = number_or(stmt, 7, -1),
			.dns_us = number_or(stmt, 8, -1),
			.connect_us = number_or(stmt, 9, -1),
			.tls_us = number_or(stmt, 10, -1),
			.first_us = number_or(stmt, 11, -1) });
	sqlite3_finalize(stmt);
	return rc < 0 ? -1 : 0;
}

int
history_show(struct queue *q, int64_t seq,
    void (*call)(void *, const struct history_call *),
    void (*attempt)(void *, const struct history_attempt *), void *ctx,
    struct error *e)
{
	sqlite3_stmt *stmt;
	int rc;

	stmt = db_prepare(&q->db, "SELECT " CALL_COLUMNS CALL_TABLES
	    "WHERE c.seq = ?1", e);
	if (!stmt)
		return -1;
	(void)sqlite3_bind_int64(stmt, 1, seq);
	rc = step(q, stmt, e);
	if (rc == SQLITE_ROW) {
		struct history_call c = read_call(stmt);

		call(ctx, &c);
	}
	sqlite3_finalize(stmt);
	if (rc != SQLITE_ROW)
		return rc < 0 ? -1 : 0;
	return give_attempts(q, seq, attempt, ctx, e) < 0 ? -1 : 1;
}

/* Following */

/* What the filter selects, of a call ?4. */
static sqlite3_stmt *
select_call(struct queue *q, const struct history_filter *f, struct error *e)
{
	struct history_filter rest = *f;
	struct buf sql = { 0 };
	sqlite3_stmt *stmt = NULL;

	rest.event.len = rest.below = rest.since_ms = rest.until_ms = 0;
	buf_puts(&sql, "SELECT " CALL_COLUMNS CALL_TABLES "WHERE c.seq = ?4 ");
	if (f->webhook.len)
		buf_puts(&sql, "AND l.webhook = ?1 ");
	if (f->event.len)
		buf_puts(&sql, "AND c.event = ?2 ");
	if (f->since_ms)
		buf_printf(&sql, "AND c.taken >= %lld ",
		    (long long)f->since_ms);
	if (f->until_ms)
		buf_printf(&sql, "AND c.taken < %lld ",
		    (long long)f->until_ms);
	if (add_conditions(q, &rest, &sql, e) == 0)
		stmt = db_prepare(&q->db, buf_str(&sql), e);
	buf_clear(&sql);
	if (!stmt)
		return NULL;
	db_bind_text(&q->db, stmt, 1, f->webhook);
	db_bind_text(&q->db, stmt, 2, f->event);
	db_bind_text(&q->db, stmt, 3, f->name);
	q->db.bind = SQLITE_OK; /* those that it does not have */
	return stmt;
}

/* The deliverer rings after its commit, so that a look that follows sees it. */
static int
watch(struct history_follow *f, struct error *e)
{
	char *bell = queue_bell(f->queue);

	f->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (!bell || f->fd < 0 ||
	    inotify_add_watch(f->fd, bell, IN_ATTRIB) < 0) {
		error_set(e, "%s-shm: cannot be watched: inotify: %s",
		    f->queue->db.path, strerror(errno));
		free(bell);
		return -1;
	}
	free(bell);
	return 0;
}

int
history_follow_open(struct history_follow *f, struct queue *q,
    const struct history_filter *filter, struct error *e)
{
	*f = (struct history_follow){ .queue = q, .fd = -1 };
	f->call = select_call(q, filter, e);
	if (!f->call || db_number(&q->db, db_stmt(&q->db, Q_FED, e), 0, &f->no,
	    e) < 0)
		return -1;
	return watch(f, e);
}

void
history_follow_close(struct history_follow *f)
{
	if (!f->queue)
		return;
	sqlite3_finalize(f->call);
	if (f->fd >= 0)
		close(f->fd);
	f->queue = NULL;
}

/* The call, unless it has gone on since: that is further on in the feed. */
static int
give_entry(struct history_follow *f, const struct feed_entry *entry,
    void (*give)(void *, const struct history_call *), void *ctx,
    struct error *e)
{
	int rc;

	(void)sqlite3_bind_int64(f->call, 4, entry->seq);
	rc = step(f->queue, f->call, e);
	if (rc == SQLITE_ROW) {
		struct history_call c = read_call(f->call);

		if (feed_state(c.attempts, c.outcome != 0) == entry->state)
			give(ctx, &c);
	}
	(void)sqlite3_reset(f->call);
	return rc < 0 ? -1 : 0;
}

static int
give_entries(struct history_follow *f,
    void (*give)(void *, const struct history_call *), void *ctx,
    struct error *e)
{
	struct queue *q = f->queue;
	sqlite3_stmt *stmt = db_stmt(&q->db, Q_FEED_NEXT, e);
	struct feed_entry entry;
	struct span entries;
	int64_t no, n;
	int rc;

	if (!stmt)
		return -1;
	db_bind_int(&q->db, stmt, 1, f->no);
	rc = db_step(&q->db, stmt, e);
	if (rc != SQLITE_ROW) {
		if (rc == SQLITE_DONE)
			db_reset(stmt);
		return rc < 0 ? -1 : 0;
	}
	no = sqlite3_column_int64(stmt, 0);
	entries = db_column(stmt, 1);
	n = (int64_t)(entries.len / sizeof(entry));
	if (no - n > f->no)
		f->n_missed += no - n - f->no;
	f->no = no;
	for (rc = 0; rc == 0 && n > 0; n--) {
		memcpy(&entry, entries.p, sizeof(entry));
		entries.p += sizeof(entry);
		rc = give_entry(f, &entry, give, ctx, e);
	}
	db_reset(stmt);
	return rc < 0 ? -1 : 1;
}

int
history_follow_next(struct history_follow *f,
    void (*give)(void *, const struct history_call *), void *ctx,
    struct error *e)
{
	char events[4096];
	int r;

	/* First what was heard, then the look. */
	while (read(f->fd, events, sizeof(events)) > 0)
		;
	if (queue_begin_reading(f->queue, e) < 0)
		return -1;
	r = give_entries(f, give, ctx, e);
	if (r < 0)
		queue_rollback(f->queue);
	else if (queue_end_reading(f->queue, e) < 0)
		r = -1;
	return r;
}

/* Replay */

struct seqs {
	int64_t list[REPLAYS_A_COMMIT];
	size_t n;
};

static void
note_seq(void *ctx, const struct history_call *c)
{
	struct seqs *s = ctx;

	s->list[s->n++] = c->seq;
}

/* In one transaction. How many, or -1. */
static int64_t
replay_some(struct queue *q, const struct seqs *s, int64_t now_ms,
    struct error *e)
{
	int64_t n = 0;
	size_t i;
	int r = queue_begin(q, true, e);

	for (i = 0; r >= 0 && i < s->n; i++) {
		r = queue_replay(q, s->list[i], now_ms, e);
		n += r > 0;
	}
	if (r >= 0 && queue_commit(q, e) == 0)
		return n;
	queue_rollback(q);
	return -1;
}

int64_t
history_replay(struct queue *q, const struct history_filter *f, int64_t now_ms,
    struct error *e)
{
	struct history_filter next = *f;
	struct seqs s;
	int64_t n = 0, more;

	next.with_payload = next.oldest_first = true;
	next.limit = REPLAYS_A_COMMIT;
	do {
		s.n = 0;
		if (history_calls(q, &next, note_seq, &s, e) < 0)
			return -1;
		if (s.n == 0)
			break;
		more = replay_some(q, &s, now_ms, e);
		if (more < 0)
			return -1;
		n += more;
		next.above = s.list[s.n - 1];
	} while (s.n == REPLAYS_A_COMMIT);
	return n;
}

/* Prune */

int
history_old(struct queue *q, int64_t before_ms, struct queue_old *old,
    struct error *e)
{
	int64_t last;

	*old = (struct queue_old){ .before_ms = before_ms };
	/* What was taken later was settled later; and the last one stays, so
	 * that no seq is given twice. */
	if (seq_at(q, before_ms + CLOCK_SLACK_MS, &old->end, e) < 0)
		return -1;
	last = queue_last(q, e);
	if (last < old->end)
		old->end = last;
	return last < 0 ? -1 : 0;
}

/* Lanes */

/* One look at the index for most lanes: nothing waits. */
static sqlite3_stmt *
select_waiting(struct queue *q, struct error *e)
{
	return db_prepare(&q->db, "SELECT count(*) FROM call WHERE lane = ?1 "
	    "AND due >= -1", e);
}

static int
count_waiting(struct queue *q, sqlite3_stmt *waiting, int64_t lane,
    struct history_lane *l, struct error *e)
{
	int rc;

	(void)sqlite3_bind_int64(waiting, 1, lane);
	rc = step(q, waiting, e);
	if (rc == SQLITE_ROW)
		l->waiting = sqlite3_column_int64(waiting, 0);
	(void)sqlite3_reset(waiting);
	if (rc < 0 || l->waiting == 0)
		return rc < 0 ? -1 : 0;
	return number(q, "SELECT min(taken) FROM call WHERE lane = ?1 "
	    "AND due >= -1", lane, 0, &l->oldest_ms, e);
}

static sqlite3_stmt *
select_hours(struct queue *q, int64_t since_ms, struct error *e)
{
	struct buf sql = { 0 };
	sqlite3_stmt *stmt;
	int i;

	buf_puts(&sql, "SELECT sum(delivered), sum(answered), sum(retry), "
	    "sum(dead), sum(us)");
	for (i = 0; i < HISTORY_BUCKETS - 1; i++)
		buf_printf(&sql, ", sum(ms_%d)", history_bucket_ms[i]);
	buf_printf(&sql, ", sum(ms_more) FROM hour "
	    "WHERE lane = ?1 AND hour >= %lld", (long long)since_ms / 3600000);
	stmt = db_prepare(&q->db, buf_str(&sql), e);
	buf_clear(&sql);
	return stmt;
}

static int
sum_hours(struct queue *q, sqlite3_stmt *hours, int64_t lane,
    struct history_lane *l, struct error *e)
{
	int rc, i;

	(void)sqlite3_bind_int64(hours, 1, lane);
	rc = step(q, hours, e);
	if (rc == SQLITE_ROW) {
		l->delivered = sqlite3_column_int64(hours, 0);
		l->answered = sqlite3_column_int64(hours, 1);
		l->retry = sqlite3_column_int64(hours, 2);
		l->dead = sqlite3_column_int64(hours, 3);
		l->us = sqlite3_column_int64(hours, 4);
		for (i = 0; i < HISTORY_BUCKETS; i++)
			l->buckets[i] = sqlite3_column_int64(hours, 5 + i);
	}
	(void)sqlite3_reset(hours);
	return rc < 0 ? -1 : 0;
}

int
history_lanes(struct queue *q, int64_t since_ms,
    void (*give)(void *, const struct history_lane *), void *ctx,
    struct error *e)
{
	sqlite3_stmt *hours = select_hours(q, since_ms, e);
	sqlite3_stmt *waiting = hours ? select_waiting(q, e) : NULL;
	struct queue_lane lane = { 0 };
	int r = waiting ? 0 : -1;

	while (r >= 0 && (r = queue_next_lane(q, lane.no, &lane, e)) > 0) {
		struct history_lane l = { .lane = lane.name,
			.webhook = lane.webhook, .health = lane.health };

		if (count_waiting(q, waiting, lane.no, &l, e) < 0 ||
		    sum_hours(q, hours, lane.no, &l, e) < 0)
			r = -1;
		else
			give(ctx, &l);
	}
	sqlite3_finalize(hours);
	sqlite3_finalize(waiting);
	return r < 0 ? -1 : 0;
}

int64_t
history_requests(const struct history_lane *l)
{
	int64_t n = 0;
	int i;

	for (i = 0; i < HISTORY_BUCKETS; i++)
		n += l->buckets[i];
	return n;
}

int
history_percentile(const struct history_lane *l, unsigned percent)
{
	int64_t all = history_requests(l), below = 0;
	int i;

	for (i = 0; all && i < HISTORY_BUCKETS - 1; i++) {
		below += l->buckets[i];
		if (below * 100 >= all * percent)
			return history_bucket_ms[i];
	}
	return -1;
}
