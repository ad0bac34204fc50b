/*
 * The delivery queue: what goes when its time is over. A walk over the calls,
 * a piece at a time; unsettled ones are never deleted.
 */
#include "store/queue_db.h"

enum { WALK_ROWS = 500 };

struct walk {
	int64_t delete[WALK_ROWS], drop[WALK_ROWS];
	size_t n_delete, n_drop;
};

static int
run_each(struct queue *q, enum queue_statement which, const int64_t *seqs,
    size_t n, struct error *e)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (queue_run_on(q, which, seqs[i], e) < 0)
			return -1;
	return 0;
}

static int
delete(struct queue *q, const struct walk *w, struct error *e)
{
	if (w->n_delete + w->n_drop == 0)
		return 0;
	if (queue_begin(q, false, e) < 0)
		return -1;
	if (run_each(q, Q_DROP_PAYLOAD, w->drop, w->n_drop, e) < 0 ||
	    run_each(q, Q_DROP_PAYLOAD, w->delete, w->n_delete, e) < 0 ||
	    run_each(q, Q_DELETE_ATTEMPTS, w->delete, w->n_delete, e) < 0 ||
	    run_each(q, Q_DELETE, w->delete, w->n_delete, e) < 0 ||
	    queue_commit(q, e) < 0) {
		queue_rollback(q);
		return -1;
	}
	return 0;
}

static int
delete_id_blocks(struct queue *q, struct error *e)
{
	static const int64_t calls = ID_BLOCK_CALLS;

	return run_each(q, Q_DELETE_ID_BLOCKS, &calls, 1, e);
}

/* The rows that hang on no call, and room that the file does not need. */
static int
finish(struct queue *q, const struct queue_prune *p, struct error *e)
{
	if (run_each(q, Q_DELETE_CHANGES, &p->settled_ms, 1, e) < 0 ||
	    run_each(q, Q_DELETE_HOURS, &p->settled_ms, 1, e) < 0 ||
	    delete_id_blocks(q, e) < 0)
		return -1;
	return db_run(&q->db, db_stmt(&q->db, Q_VACUUM, e), e) < 0 ? -1 : 0;
}

int
queue_prune(struct queue *q, const struct queue_prune *p, int64_t *seq,
    int64_t *expired, size_t max, size_t *n_expired, struct error *e)
{
	sqlite3_stmt *stmt = db_stmt(&q->db, Q_WALK, e);
	struct walk w = { .n_delete = 0 };
	int rc = SQLITE_ROW, n = 0;

	*n_expired = 0;
	if (!stmt)
		return -1;
	db_bind_int(&q->db, stmt, 1, *seq);
	db_bind_int(&q->db, stmt, 2, p->held_ms);
	db_bind_int(&q->db, stmt, 3, WALK_ROWS);
	while (*n_expired < max &&
	    (rc = db_step(&q->db, stmt, e)) == SQLITE_ROW) {
		bool settled = sqlite3_column_type(stmt, 1) == SQLITE_NULL;
		int64_t at = sqlite3_column_int64(stmt, 3);

		*seq = sqlite3_column_int64(stmt, 0);
		n++;
		if (settled && at < p->settled_ms)
			w.delete[w.n_delete++] = *seq;
		else if (settled && at < p->payload_ms &&
		    sqlite3_column_int64(stmt, 2) != OUTCOME_DEAD)
			w.drop[w.n_drop++] = *seq;
		else if (!settled && sqlite3_column_int(stmt, 5) &&
		    sqlite3_column_int64(stmt, 4) < p->held_ms)
			expired[(*n_expired)++] = *seq;
	}
	if (rc < 0)
		return -1;
	db_reset(stmt);
	if (delete(q, &w, e) < 0)
		return -1;
	if (rc == SQLITE_ROW || n == WALK_ROWS)
		return 0;
	*seq = -1;
	return finish(q, p, e);
}

int
queue_prune_old(struct queue *q, struct queue_old *old, struct error *e)
{
	sqlite3_stmt *stmt = db_stmt(&q->db, Q_WALK_OLD, e);
	struct walk w = { .n_delete = 0 };
	int rc, n = 0;

	if (!stmt)
		return -1;
	db_bind_int(&q->db, stmt, 1, old->seq);
	db_bind_int(&q->db, stmt, 2, old->before_ms);
	db_bind_int(&q->db, stmt, 3, (int64_t)old->outcome);
	db_bind_int(&q->db, stmt, 4, old->end);
	db_bind_int(&q->db, stmt, 5, WALK_ROWS);
	for (; (rc = db_step(&q->db, stmt, e)) == SQLITE_ROW; n++) {
		old->seq = sqlite3_column_int64(stmt, 0);
		if (sqlite3_column_int(stmt, 1))
			w.delete[w.n_delete++] = old->seq;
	}
	if (rc < 0)
		return -1;
	db_reset(stmt);
	if (!old->dry && delete(q, &w, e) < 0)
		return -1;
	old->n += (int64_t)w.n_delete;
	if (n == WALK_ROWS)
		return 1;
	return old->dry || delete_id_blocks(q, e) == 0 ? 0 : -1;
}

int
queue_give_back(struct queue *q, struct error *e)
{
	int64_t before, after;

	if (db_number(&q->db, db_stmt(&q->db, Q_FREE_PAGES, e), 0, &before,
	    e) < 0)
		return -1;
	if (before == 0)
		return 0;
	if (db_run(&q->db, db_stmt(&q->db, Q_VACUUM, e), e) < 0 ||
	    db_number(&q->db, db_stmt(&q->db, Q_FREE_PAGES, e), 0, &after,
	    e) < 0)
		return -1;
	return after > 0 && after < before;
}
