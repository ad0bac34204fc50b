/*
 * The delivery queue: what is due, and what became of it.
 */
#include "store/queue_db.h"

/* Reading: a statement left open would keep showing the past. */

static struct span
copy_column(struct buf *b, sqlite3_stmt *stmt, int i)
{
	b->len = 0;
	buf_span(b, db_column(stmt, i));
	return buf_bytes(b);
}

static void
read_health(sqlite3_stmt *stmt, struct health *h)
{
	struct span why = db_column(stmt, 10);

	*h = (struct health){
		.state = (enum health_state)sqlite3_column_int(stmt, 3),
		.failures = (unsigned)sqlite3_column_int64(stmt, 4),
		.pauses = (unsigned)sqlite3_column_int64(stmt, 5),
		.failing_ms = sqlite3_column_int64(stmt, 6),
		.since_ms = sqlite3_column_int64(stmt, 7),
		.until_ms = sqlite3_column_int64(stmt, 8),
		.held_ms = sqlite3_column_int64(stmt, 9),
	};
	if (why.len >= sizeof(h->why))
		why.len = sizeof(h->why) - 1;
	memcpy(h->why, why.p, why.len);
}

static int
read_lane(struct queue *q, enum queue_statement which, int64_t no,
    struct queue_lane *lane, struct error *e)
{
	sqlite3_stmt *stmt = db_stmt(&q->db, which, e);
	int rc;

	if (!stmt)
		return -1;
	db_bind_int(&q->db, stmt, 1, no);
	rc = db_step(&q->db, stmt, e);
	if (rc < 0)
		return -1;
	if (rc == SQLITE_ROW) {
		lane->no = sqlite3_column_int64(stmt, 0);
		lane->webhook = sqlite3_column_type(stmt, 1) != SQLITE_NULL;
		lane->name = copy_column(&q->name, stmt, lane->webhook ? 1 : 2);
		read_health(stmt, &lane->health);
	}
	db_reset(stmt);
	return rc == SQLITE_ROW;
}

int
queue_lane(struct queue *q, int64_t no, struct queue_lane *lane,
    struct error *e)
{
	return read_lane(q, Q_LANE, no, lane, e);
}

int
queue_next_lane(struct queue *q, int64_t no, struct queue_lane *lane,
    struct error *e)
{
	return read_lane(q, Q_NEXT_LANE, no, lane, e);
}

int
queue_arrivals(struct queue *q, int64_t *seq, int64_t *lanes, size_t max,
    struct error *e)
{
	sqlite3_stmt *stmt = db_stmt(&q->db, Q_ARRIVALS, e);
	int rc, n = 0;

	if (!stmt)
		return -1;
	db_bind_int(&q->db, stmt, 1, *seq);
	db_bind_int(&q->db, stmt, 2, (int64_t)max);
	while ((rc = db_step(&q->db, stmt, e)) == SQLITE_ROW) {
		*seq = sqlite3_column_int64(stmt, 0);
		lanes[n++] = sqlite3_column_int64(stmt, 1);
	}
	if (rc < 0)
		return -1;
	db_reset(stmt);
	return n;
}

int64_t
queue_last(struct queue *q, struct error *e)
{
	int64_t n;

	return db_number(&q->db, db_stmt(&q->db, Q_LAST, e), 0, &n, e) < 0 ? -1 : n;
}

int64_t
queue_changes(struct queue *q, struct error *e)
{
	int64_t n;

	return db_number(&q->db, db_stmt(&q->db, Q_CHANGES, e), 0, &n, e) < 0 ?
	    -1 : n;
}

int
queue_due(struct queue *q, int64_t lane, int64_t from_ms, int64_t to_ms,
    int64_t *seqs, size_t max, struct error *e)
{
	sqlite3_stmt *stmt = db_stmt(&q->db, Q_DUE, e);
	int rc, n = 0;

	if (!stmt)
		return -1;
	db_bind_int(&q->db, stmt, 1, lane);
	db_bind_int(&q->db, stmt, 2, from_ms);
	db_bind_int(&q->db, stmt, 3, to_ms);
	db_bind_int(&q->db, stmt, 4, (int64_t)max);
	while ((rc = db_step(&q->db, stmt, e)) == SQLITE_ROW)
		seqs[n++] = sqlite3_column_int64(stmt, 0);
	if (rc < 0)
		return -1;
	db_reset(stmt);
	return n;
}

int64_t
queue_next_due(struct queue *q, int64_t lane, int64_t after_ms,
    struct error *e)
{
	sqlite3_stmt *stmt = db_stmt(&q->db, Q_NEXT_DUE, e);
	int64_t due;

	if (!stmt)
		return -2;
	db_bind_int(&q->db, stmt, 1, lane);
	db_bind_int(&q->db, stmt, 2, after_ms);
	return db_number(&q->db, stmt, -1, &due, e) < 0 ? -2 : due;
}

int64_t
queue_waiting(struct queue *q, int64_t lane, int64_t seq, struct error *e)
{
	sqlite3_stmt *stmt = db_stmt(&q->db, Q_WAITING, e);
	int64_t n;

	if (!stmt)
		return -1;
	db_bind_int(&q->db, stmt, 1, lane);
	db_bind_int(&q->db, stmt, 2, seq);
	return db_number(&q->db, stmt, 0, &n, e) < 0 ? -1 : n;
}

int64_t
queue_first_due(struct queue *q, int64_t lane, struct error *e)
{
	int64_t timed_ms = queue_next_due(q, lane, 0, e), new_ms;
	sqlite3_stmt *stmt = timed_ms < -1 ? NULL : db_stmt(&q->db,
	    Q_FIRST_NEW, e);

	if (!stmt)
		return -2;
	db_bind_int(&q->db, stmt, 1, lane);
	if (db_number(&q->db, stmt, -1, &new_ms, e) < 0)
		return -2;
	return new_ms < 0 || (timed_ms >= 0 && timed_ms < new_ms) ? timed_ms :
	    new_ms;
}

int
queue_load(struct queue *q, int64_t seq, struct queue_row *row,
    struct error *e)
{
	sqlite3_stmt *stmt = db_stmt(&q->db, Q_LOAD, e);
	int rc;

	if (!stmt)
		return -1;
	db_bind_int(&q->db, stmt, 1, seq);
	rc = db_step(&q->db, stmt, e);
	if (rc < 0)
		return -1;
	if (rc == SQLITE_ROW)
		*row = (struct queue_row){
			.seq = seq,
			.lane = sqlite3_column_int64(stmt, 0),
			.taken_ms = sqlite3_column_int64(stmt, 1),
			.attempts = (unsigned)sqlite3_column_int64(stmt, 2),
			.ordered = sqlite3_column_int(stmt, 3) != 0,
			.text = copy_column(&q->text, stmt, 4),
		};
	db_reset(stmt);
	return rc == SQLITE_ROW;
}

/* Recording */

static struct span
text_of(const char *s)
{
	return s ? span_of(s) : (struct span){ 0 };
}

static int
add_attempt(struct queue *q, const struct queue_record *r, struct error *e)
{
	const int64_t us[] = { r->duration_us, r->dns_us, r->connect_us,
		r->tls_us, r->first_us };
	sqlite3_stmt *stmt = db_stmt(&q->db, Q_ATTEMPT, e);
	int i;

	if (!stmt)
		return -1;
	db_bind_int(&q->db, stmt, 1, r->seq);
	db_bind_int(&q->db, stmt, 2, r->attempts);
	db_bind_int(&q->db, stmt, 3, r->time_ms);
	db_bind_int(&q->db, stmt, 4, (int64_t)r->outcome);
	db_bind_int_if(&q->db, stmt, 5, r->status != 0, r->status);
	db_bind_text(&q->db, stmt, 6, text_of(r->reason));
	db_bind_text(&q->db, stmt, 7, r->error);
	for (i = 0; i < 5; i++)
		db_bind_int_if(&q->db, stmt, 8 + i, us[i] >= 0, us[i]);
	db_bind_blob(&q->db, stmt, 13, r->answer);
	return db_run(&q->db, stmt, e) < 0 ? -1 : 0;
}

static int
write_hour(struct queue *q, struct hour *h, struct error *e)
{
	sqlite3_stmt *stmt = db_stmt(&q->db, Q_HOUR, e);
	int i;

	if (!stmt)
		return -1;
	db_bind_int(&q->db, stmt, 1, h->lane);
	db_bind_int(&q->db, stmt, 2, h->hour);
	for (i = 0; i < 4; i++)
		db_bind_int(&q->db, stmt, 3 + i, h->outcomes[i]);
	db_bind_int(&q->db, stmt, 7, h->us);
	for (i = 0; i < HOUR_BUCKETS; i++)
		db_bind_int(&q->db, stmt, 8 + i, h->buckets[i]);
	h->lane = 0;
	return db_run(&q->db, stmt, e) < 0 ? -1 : 0;
}

int
queue_write_hours(struct queue *q, struct error *e)
{
	size_t i;

	for (i = 0; i < HOUR_SLOTS; i++)
		if (q->hours[i].lane && write_hour(q, &q->hours[i], e) < 0)
			return -1;
	return 0;
}

static int
count(struct queue *q, const struct queue_record *r, struct error *e)
{
	static const int bounds_ms[HOUR_BUCKETS - 1] = { 1, 2, 5, 10, 20, 50,
		100, 200, 500, 1000, 2000, 5000, 10000, 30000 };
	struct hour *h = &q->hours[(uint64_t)r->lane % HOUR_SLOTS];
	int64_t hour = r->time_ms / 3600000;
	int i = 0;

	if (h->lane && (h->lane != r->lane || h->hour != hour) &&
	    write_hour(q, h, e) < 0)
		return -1;
	if (!h->lane)
		*h = (struct hour){ .lane = r->lane, .hour = hour };
	h->outcomes[r->outcome - OUTCOME_DELIVERED]++;
	if (!r->sent)
		return 0;
	h->us += r->duration_us;
	while (i < HOUR_BUCKETS - 1 && r->duration_us > bounds_ms[i] * 1000LL)
		i++;
	h->buckets[i]++;
	return 0;
}

static int
retry(struct queue *q, const struct queue_record *r, struct error *e)
{
	sqlite3_stmt *stmt = db_stmt(&q->db, Q_RETRY, e);

	if (!stmt)
		return -1;
	db_bind_int(&q->db, stmt, 1, r->seq);
	db_bind_int(&q->db, stmt, 2, r->due_ms);
	db_bind_int(&q->db, stmt, 3, r->attempts);
	return db_run(&q->db, stmt, e);
}

static int
settle(struct queue *q, const struct queue_record *r, bool *released,
    struct error *e)
{
	sqlite3_stmt *stmt = db_stmt(&q->db, Q_SETTLE, e);
	int n;

	if (!stmt)
		return -1;
	db_bind_int(&q->db, stmt, 1, r->seq);
	db_bind_int(&q->db, stmt, 2, (int64_t)r->outcome);
	db_bind_int(&q->db, stmt, 3, r->attempts);
	db_bind_int(&q->db, stmt, 4, r->time_ms);
	db_bind_text(&q->db, stmt, 5, text_of(r->reason));
	n = db_run(&q->db, stmt, e);
	if (n <= 0)
		return n;
	if (!r->keep && queue_run_on(q, Q_DROP_PAYLOAD, r->seq, e) < 0)
		return -1;
	if (!r->ordered)
		return 1;
	n = queue_run_on(q, Q_RELEASE, r->seq, e);
	*released = n > 0;
	return n < 0 ? -1 : 1;
}

int
queue_note(struct queue *q, const struct queue_record *r, struct error *e)
{
	struct feed_entry entry = { r->seq, feed_state(r->attempts,
	    r->outcome != OUTCOME_RETRY) };

	buf_add(&q->feed, (const char *)&entry, sizeof(entry));
	if (r->sent && add_attempt(q, r, e) < 0)
		return -1;
	return count(q, r, e);
}

int
queue_record(struct queue *q, const struct queue_record *r, bool *released,
    struct error *e)
{
	int n;

	*released = false;
	n = r->outcome == OUTCOME_RETRY ? retry(q, r, e) :
	    settle(q, r, released, e);
	return n <= 0 ? n : queue_note(q, r, e);
}

int
queue_set_health(struct queue *q, int64_t lane, const struct health *h,
    bool changed, int64_t now_ms, struct error *e)
{
	const int64_t numbers[] = { lane, (int64_t)h->state, h->failures,
		h->pauses, h->failing_ms, h->since_ms, h->until_ms,
		h->held_ms };
	sqlite3_stmt *stmt = db_stmt(&q->db, Q_HEALTH, e);
	int i;

	if (!stmt)
		return -1;
	for (i = 0; i < 8; i++)
		db_bind_int(&q->db, stmt, i + 1, numbers[i]);
	db_bind_text(&q->db, stmt, 9, span_of(h->why));
	if (db_run(&q->db, stmt, e) < 0)
		return -1;
	if (!changed)
		return 0;
	stmt = db_stmt(&q->db, Q_CHANGE, e);
	if (!stmt)
		return -1;
	db_bind_int(&q->db, stmt, 1, lane);
	db_bind_int(&q->db, stmt, 2, now_ms);
	db_bind_int(&q->db, stmt, 3, (int64_t)h->state);
	db_bind_int(&q->db, stmt, 4, h->until_ms);
	db_bind_text(&q->db, stmt, 5, span_of(h->why));
	return db_run(&q->db, stmt, e) < 0 ? -1 : 0;
}

int
queue_prove(struct queue *q, struct error *e)
{
	if (queue_begin(q, true, e) < 0)
		return -1;
	if (db_run(&q->db, db_stmt(&q->db, Q_CHANGED, e), e) < 0 ||
	    queue_commit(q, e) < 0) {
		queue_rollback(q);
		return -1;
	}
	return 0;
}

int
queue_enable(struct queue *q, struct span webhook, int64_t now_ms,
    struct error *e)
{
	sqlite3_stmt *stmt = db_stmt(&q->db, Q_ENABLE, e);
	const struct health fresh = { .since_ms = now_ms };
	int64_t lane;

	if (!stmt)
		return -1;
	db_bind_text(&q->db, stmt, 1, webhook);
	db_bind_int(&q->db, stmt, 2, now_ms);
	if (db_number(&q->db, stmt, 0, &lane, e) < 0)
		return -1;
	if (!lane)
		return 0;
	if (queue_set_health(q, lane, &fresh, true, now_ms, e) < 0 ||
	    db_run(&q->db, db_stmt(&q->db, Q_CHANGED, e), e) < 0)
		return -1;
	return 1;
}
