/*
 * Sums over a delivery queue.
 */
#include "store/summary.h"

#include "store/queue_db.h"

/* The table has a row for each lane and hour, of the retention alone. */
static const char hours_sql[] =
    "SELECT hour, sum(delivered), sum(answered), sum(retry), sum(dead), sum(us), "
    "sum(ms_1), sum(ms_2), sum(ms_5), sum(ms_10), sum(ms_20), sum(ms_50), "
    "sum(ms_100), sum(ms_200), sum(ms_500), sum(ms_1000), sum(ms_2000), "
    "sum(ms_5000), sum(ms_10000), sum(ms_30000), sum(ms_more) "
    "FROM hour WHERE hour BETWEEN ?1 AND ?2 GROUP BY hour ORDER BY hour";

/* The last of those that died, and the one that is tried again last. */
static const char failures_sql[] =
    "SELECT coalesce(l.webhook, l.origin), l.webhook IS NOT NULL, a.time, "
    "a.status, a.reason, a.error, b.time, b.status, b.reason, b.error "
    "FROM lane AS l "
    "LEFT JOIN call AS c ON c.seq = (SELECT max(seq) FROM call "
    "INDEXED BY call_dead WHERE lane = l.no AND outcome = 4) "
    "LEFT JOIN attempt AS a ON a.call = c.seq AND a.n = c.attempts "
    "LEFT JOIN call AS d ON d.seq = (SELECT seq FROM call "
    "WHERE lane = l.no AND due > 0 ORDER BY due DESC LIMIT 1) "
    "LEFT JOIN attempt AS b ON b.call = d.seq AND b.n = d.attempts";

/* Those that were sent again since have no payload. */
static const char dead_sql[] =
    "SELECT reason, count(*) FROM call WHERE outcome = 4 "
    "AND EXISTS(SELECT 1 FROM payload WHERE payload.seq = call.seq) "
    "GROUP BY 1 ORDER BY 2 DESC";

/* What the steps of a statement came to. */
static int
finish(struct queue *q, sqlite3_stmt *stmt, int rc, struct error *e)
{
	if (rc != SQLITE_DONE)
		(void)db_failed(&q->db, e);
	sqlite3_finalize(stmt);
	return rc == SQLITE_DONE ? 0 : -1;
}

int
summary_hours(struct queue *q, int64_t from, int64_t to,
    void (*give)(void *, int64_t, const struct history_lane *), void *ctx,
    struct error *e)
{
	sqlite3_stmt *stmt = db_prepare(&q->db, hours_sql, e);
	int rc, i;

	if (!stmt)
		return -1;
	(void)sqlite3_bind_int64(stmt, 1, from);
	(void)sqlite3_bind_int64(stmt, 2, to);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct history_lane sums = {
			.delivered = sqlite3_column_int64(stmt, 1),
			.answered = sqlite3_column_int64(stmt, 2),
			.retry = sqlite3_column_int64(stmt, 3),
			.dead = sqlite3_column_int64(stmt, 4),
			.us = sqlite3_column_int64(stmt, 5),
		};

		for (i = 0; i < HISTORY_BUCKETS; i++)
			sums.buckets[i] = sqlite3_column_int64(stmt, 6 + i);
		give(ctx, sqlite3_column_int64(stmt, 0), &sums);
	}
	return finish(q, stmt, rc, e);
}

int
summary_failures(struct queue *q,
    void (*give)(void *, const struct summary_failure *), void *ctx,
    struct error *e)
{
	sqlite3_stmt *stmt = db_prepare(&q->db, failures_sql, e);
	int rc;

	if (!stmt)
		return -1;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		int at = sqlite3_column_int64(stmt, 6) >
		    sqlite3_column_int64(stmt, 2) ? 6 : 2;
		struct summary_failure f = {
			.lane = db_column(stmt, 0),
			.webhook = sqlite3_column_int(stmt, 1) != 0,
			.time_ms = sqlite3_column_int64(stmt, at),
			.status = sqlite3_column_int(stmt, at + 1),
			.reason = db_column(stmt, at + 2),
			.error = db_column(stmt, at + 3),
		};

		if (f.time_ms)
			give(ctx, &f);
	}
	return finish(q, stmt, rc, e);
}

int
summary_dead(struct queue *q, void (*give)(void *, struct span, int64_t),
    void *ctx, struct error *e)
{
	sqlite3_stmt *stmt = db_prepare(&q->db, dead_sql, e);
	int rc;

	if (!stmt)
		return -1;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
		give(ctx, db_column(stmt, 0), sqlite3_column_int64(stmt, 1));
	return finish(q, stmt, rc, e);
}
