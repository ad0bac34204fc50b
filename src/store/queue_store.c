/*
 * The delivery queue: storing calls, absorbing repeats.
 */
#include "base/alloc.h"
#include "json/siphash.h"
#include "store/queue_db.h"

enum { SAME_BYTES = 6 + 8 };

/* Who makes two texts of one hash only keeps his own calls apart. */
static uint64_t
hash(struct span s)
{
	static const uint64_t key[2] = { 0 };

	return siphash13(key, s.p, s.len);
}

/* Lanes */

static struct lane_slot *
slot_of(struct queue *q, const struct queue_call *c)
{
	struct lane_slot *slot = &q->lanes[hash(c->lane) % LANE_SLOTS];

	if (slot->no && slot->webhook == c->webhook &&
	    span_eq((struct span){ slot->name, slot->len }, c->lane))
		return slot;
	free(slot->name);
	*slot = (struct lane_slot){ .name = alloc_copy(c->lane.p, c->lane.len),
		.len = c->lane.len, .webhook = c->webhook };
	return slot;
}

static int
add_lane(struct queue *q, const struct queue_call *c, int64_t *no,
    struct error *e)
{
	sqlite3_stmt *stmt = db_stmt(&q->db, Q_ADD_LANE, e);

	if (!stmt)
		return -1;
	db_bind_text(&q->db, stmt, 1, c->webhook ? c->lane : (struct span){ 0 });
	db_bind_text(&q->db, stmt, 2, c->webhook ? (struct span){ 0 } : c->lane);
	if (db_run(&q->db, stmt, e) < 0)
		return -1;
	*no = sqlite3_last_insert_rowid(q->db.sqlite);
	return 0;
}

/* 0: it has none yet. */
static int
find_lane(struct queue *q, const struct queue_call *c, int64_t *no,
    struct error *e)
{
	struct lane_slot *slot = slot_of(q, c);
	sqlite3_stmt *stmt;

	if (!slot->no) {
		stmt = db_stmt(&q->db, c->webhook ? Q_LANE_OF_WEBHOOK :
		    Q_LANE_OF_ORIGIN, e);
		if (!stmt)
			return -1;
		db_bind_text(&q->db, stmt, 1, c->lane);
		if (db_number(&q->db, stmt, 0, &slot->no, e) < 0)
			return -1;
	}
	*no = slot->no;
	return 0;
}

static int
lane_of(struct queue *q, const struct queue_call *c, int64_t *no,
    struct error *e)
{
	if (find_lane(q, c, no, e) < 0)
		return -1;
	if (*no)
		return 0;
	if (add_lane(q, c, no, e) < 0)
		return -1;
	slot_of(q, c)->no = *no;
	return 0;
}

/* The key for repeats */

static int
hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ?
	    c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/*
 * The time that a UUIDv7 begins with (RFC 9562 5.7), as 6 bytes in order; a
 * child's id begins with its parent's. false: no such id.
 */
static bool
time_of_id(struct span id, unsigned char time[6])
{
	size_t i, n = 0;
	int d;

	if (id.len < 36 || id.p[8] != '-' || id.p[13] != '-' ||
	    id.p[14] != '7' || id.p[18] != '-')
		return false;
	memset(time, 0, 6);
	for (i = 0; n < 12; i++) {
		if (i == 8)
			continue;
		d = hex_digit(id.p[i]);
		if (d < 0)
			return false;
		time[n / 2] = (unsigned char)(time[n / 2] << 4 | d);
		n++;
	}
	return true;
}

static struct span
same_of(struct span id, struct span event, unsigned char same[SAME_BYTES])
{
	size_t len = time_of_id(event.len ? event : id, same) ? 6 : 0;
	uint64_t h = hash(id);

	memcpy(same + len, &h, sizeof(h));
	return (struct span){ (char *)same, len + sizeof(h) };
}

/* Ids */

enum { ID_BLOCK_BYTES = ID_BLOCK_CALLS * sizeof(uint32_t) };

/* 0 is no id's. */
static uint32_t
hash_of_id(struct span id)
{
	uint32_t h = (uint32_t)hash(id);

	return id.len == 0 ? 0 : h ? h : 1;
}

static void
copy_block(uint32_t *hashes, struct span block)
{
	memset(hashes, 0, ID_BLOCK_BYTES);
	memcpy(hashes, block.p, block.len < ID_BLOCK_BYTES ? block.len :
	    ID_BLOCK_BYTES);
}

int
queue_write_ids(struct queue *q, struct error *e)
{
	int64_t no = q->ids.no;

	if (no < 0)
		return 0;
	/* Others may go on with it. */
	q->ids.no = -1;
	return queue_run_blob(q, Q_PUT_ID_BLOCK, no, (struct span){
	    (const char *)q->ids.hashes, ID_BLOCK_BYTES }, e);
}

/* A block that is filled up is written, and the next one begun. */
static int
note_id(struct queue *q, int64_t seq, uint32_t id_hash, struct error *e)
{
	int64_t no = seq / ID_BLOCK_CALLS;
	sqlite3_stmt *stmt;
	int rc;

	if (no != q->ids.no) {
		if (queue_write_ids(q, e) < 0)
			return -1;
		stmt = db_stmt(&q->db, Q_ID_BLOCK, e);
		if (!stmt)
			return -1;
		db_bind_int(&q->db, stmt, 1, no);
		rc = db_step(&q->db, stmt, e);
		if (rc < 0)
			return -1;
		copy_block(q->ids.hashes, rc == SQLITE_ROW ?
		    db_column(stmt, 0) : (struct span){ "", 0 });
		db_reset(stmt);
		q->ids.no = no;
	}
	q->ids.hashes[seq % ID_BLOCK_CALLS] = id_hash;
	return 0;
}

/* The newest of a block's calls with that id; 0: none. */
static int
look_in_block(struct queue *q, int64_t no, struct span block, struct span id,
    int64_t *seq, struct error *e)
{
	uint32_t hashes[ID_BLOCK_CALLS], wanted = hash_of_id(id);
	sqlite3_stmt *stmt;
	int rc, i;

	copy_block(hashes, block);
	for (i = ID_BLOCK_CALLS - 1; i >= 0; i--) {
		if (hashes[i] != wanted)
			continue;
		*seq = no * ID_BLOCK_CALLS + i;
		stmt = db_stmt(&q->db, Q_HAS_ID, e);
		if (!stmt)
			return -1;
		db_bind_int(&q->db, stmt, 1, *seq);
		db_bind_text(&q->db, stmt, 2, id);
		rc = db_step(&q->db, stmt, e);
		if (rc < 0)
			return -1;
		db_reset(stmt);
		if (rc == SQLITE_ROW)
			return 1;
	}
	return 0;
}

int
queue_find_id(struct queue *q, struct span id, int64_t *seq, int64_t *covered,
    struct error *e)
{
	sqlite3_stmt *stmt = db_stmt(&q->db, Q_ID_BLOCKS, e);
	int rc = stmt ? SQLITE_ROW : -1, r = 0;

	*covered = INT64_MAX;
	while (r == 0 && rc == SQLITE_ROW &&
	    (rc = db_step(&q->db, stmt, e)) == SQLITE_ROW) {
		int64_t no = sqlite3_column_int64(stmt, 0);

		/* What was stored before there were blocks may be in it. */
		*covered = (no + 1) * ID_BLOCK_CALLS;
		r = look_in_block(q, no, db_column(stmt, 1), id, seq, e);
	}
	if (rc < 0)
		return -1;
	db_reset(stmt);
	return r;
}

/* Putting */

/* Is an unsettled call of the same order key there? */
static int
is_behind(struct queue *q, int64_t lane, int64_t turn, struct error *e)
{
	sqlite3_stmt *stmt = db_stmt(&q->db, Q_BEHIND, e);
	int64_t found;

	if (!stmt)
		return -1;
	db_bind_int(&q->db, stmt, 1, lane);
	db_bind_int(&q->db, stmt, 2, turn);
	return db_number(&q->db, stmt, 0, &found, e) < 0 ? -1 : found != 0;
}

/* The columns that tell how far a call is. */
struct stage {
	int64_t due; /* as in the table; SETTLED: NULL */
	int64_t outcome, attempts, settled;
	const char *reason;
};

enum { SETTLED = -2 };

static struct stage
stage_of(const struct queue_record *r, int64_t taken_ms)
{
	if (!r)
		return (struct stage){ .settled = taken_ms };
	if (r->outcome == OUTCOME_RETRY)
		return (struct stage){ .due = r->due_ms,
			.attempts = r->attempts, .settled = taken_ms };
	return (struct stage){ .due = SETTLED, .outcome = (int64_t)r->outcome,
		.attempts = r->attempts, .settled = r->time_ms,
		.reason = r->reason };
}

/* How many rows were put: 0 if its key is there already. */
static int
put_row(struct queue *q, const struct queue_call *c, struct span same,
    int64_t lane, const struct stage *s, int64_t taken_ms, struct error *e)
{
	sqlite3_stmt *stmt;
	int64_t turn = 0, due = s->due;
	int behind = 0;

	if (c->ordered) {
		turn = (int64_t)(hash(c->key) >> 1);
		behind = is_behind(q, lane, turn, e);
	}
	stmt = behind < 0 ? NULL : db_stmt(&q->db, Q_PUT, e);
	if (!stmt)
		return -1;
	db_bind_int(&q->db, stmt, 1, lane);
	db_bind_int_if(&q->db, stmt, 2, due != SETTLED, behind ? -1 : due);
	db_bind_int(&q->db, stmt, 3, s->outcome);
	db_bind_int(&q->db, stmt, 4, s->attempts);
	db_bind_int(&q->db, stmt, 5, taken_ms);
	db_bind_int(&q->db, stmt, 6, s->settled);
	db_bind_int_if(&q->db, stmt, 7, c->ordered, turn);
	db_bind_int(&q->db, stmt, 8, (int64_t)hash(c->body));
	db_bind_blob(&q->db, stmt, 9, same);
	db_bind_text(&q->db, stmt, 10, c->id);
	db_bind_text(&q->db, stmt, 11, c->event);
	db_bind_text(&q->db, stmt, 12, c->name);
	db_bind_text(&q->db, stmt, 13, s->reason ? span_of(s->reason) :
	    (struct span){ 0 });
	return db_run(&q->db, stmt, e);
}

/* 1: put there; 0: its key is there already. */
static int
put(struct queue *q, const struct queue_call *c, struct span same,
    const struct queue_record *r, int64_t taken_ms, struct queue_place *place,
    struct error *e)
{
	struct stage s = stage_of(r, taken_ms);
	int n;

	if (lane_of(q, c, &place->lane, e) < 0)
		return -1;
	n = put_row(q, c, same, place->lane, &s, taken_ms, e);
	if (n <= 0)
		return n;
	place->seq = sqlite3_last_insert_rowid(q->db.sqlite);
	if ((s.due != SETTLED || r->keep) &&
	    queue_run_blob(q, Q_PUT_PAYLOAD, place->seq, c->text, e) < 0)
		return -1;
	return note_id(q, place->seq, hash_of_id(c->id), e) < 0 ? -1 : 1;
}

enum { REPEATS, ANOTHER_ID, GONE };

/* Is it not in the way of one that was taken then? */
static bool
is_gone(int64_t outcome, int64_t settled_ms, int64_t taken_ms,
    int64_t repeats_ms)
{
	/* What died since was not dead then. */
	return outcome && settled_ms < (outcome == OUTCOME_DEAD ? taken_ms :
	    taken_ms - repeats_ms);
}

/* What the call is that has the key. */
static int
compare(struct queue *q, const struct queue_call *c, struct span same,
    int64_t taken_ms, int64_t repeats_ms, enum queue_put *what,
    struct error *e)
{
	sqlite3_stmt *stmt = db_stmt(&q->db, Q_SAME, e);
	int rc, r;

	if (!stmt)
		return -1;
	db_bind_blob(&q->db, stmt, 1, same);
	rc = db_step(&q->db, stmt, e);
	if (rc < 0)
		return -1;
	*what = sqlite3_column_int64(stmt, 1) == (int64_t)hash(c->body) ?
	    QUEUE_DUPLICATE : QUEUE_CONFLICT;
	if (!span_eq(db_column(stmt, 0), c->id))
		r = ANOTHER_ID;
	else if (is_gone(sqlite3_column_int64(stmt, 2),
	    sqlite3_column_int64(stmt, 3), taken_ms, repeats_ms))
		r = GONE;
	else
		r = REPEATS;
	db_reset(stmt);
	return r;
}

/* The call that has the key is not to be found by it any more. */
static int
forget(struct queue *q, struct span same, struct error *e)
{
	sqlite3_stmt *stmt = db_stmt(&q->db, Q_FORGET_SAME, e);

	if (!stmt)
		return -1;
	db_bind_blob(&q->db, stmt, 1, same);
	return db_run(&q->db, stmt, e) < 0 ? -1 : 0;
}

static struct span
key_of(const struct queue_call *c, unsigned char bytes[SAME_BYTES])
{
	return c->id.len && !c->force ? same_of(c->id, c->event, bytes) :
	    (struct span){ 0 };
}

int
queue_put(struct queue *q, const struct queue_call *c, int64_t taken_ms,
    int64_t repeats_ms, enum queue_put *what, struct queue_place *place,
    struct error *e)
{
	unsigned char bytes[SAME_BYTES];
	struct span same = key_of(c, bytes);
	int r;

	*what = c->known;
	if (c->known != QUEUE_TAKEN)
		return 0;
	r = put(q, c, same, NULL, taken_ms, place, e);
	if (r != 0)
		return r < 0 ? -1 : 0;
	r = compare(q, c, same, taken_ms, repeats_ms, what, e);
	if (r < 0 || r == REPEATS)
		return r;
	*what = QUEUE_TAKEN;
	if (r == GONE && forget(q, same, e) < 0)
		return -1;
	return put(q, c, r == GONE ? same : (struct span){ 0 }, NULL, taken_ms,
	    place, e) < 0 ? -1 : 0;
}

int
queue_is_fresh(struct queue *q, const struct queue_call *c, int64_t *lane,
    struct error *e)
{
	unsigned char bytes[SAME_BYTES];
	struct span same = key_of(c, bytes);
	sqlite3_stmt *stmt;
	int64_t found;

	if (find_lane(q, c, lane, e) < 0)
		return -1;
	/* A call without an id is known to receivers by its place. */
	if (!*lane || c->ordered || !c->id.len)
		return 0;
	if (!same.len)
		return 1;
	stmt = db_stmt(&q->db, Q_HAS_SAME, e);
	if (!stmt)
		return -1;
	db_bind_blob(&q->db, stmt, 1, same);
	return db_number(&q->db, stmt, 0, &found, e) < 0 ? -1 : found == 0;
}

int
queue_put_done(struct queue *q, const struct queue_call *c, int64_t taken_ms,
    struct queue_record *r, struct error *e)
{
	unsigned char bytes[SAME_BYTES];
	struct queue_place place;
	int n = put(q, c, key_of(c, bytes), r, taken_ms, &place, e);

	/* It was fresh: at most another's id may have that key since. */
	if (n == 0)
		n = put(q, c, (struct span){ 0 }, r, taken_ms, &place, e);
	r->seq = place.seq;
	return n < 0 ? -1 : queue_note(q, r, e);
}

int
queue_find_same(struct queue *q, struct span id, struct span event,
    int64_t *seq, struct error *e)
{
	sqlite3_stmt *stmt = db_stmt(&q->db, Q_SEQ_OF_SAME, e);
	unsigned char bytes[SAME_BYTES];

	if (!stmt)
		return -1;
	db_bind_blob(&q->db, stmt, 1, same_of(id, event, bytes));
	db_bind_text(&q->db, stmt, 2, id);
	return db_number(&q->db, stmt, 0, seq, e);
}

/* A new row like the old one, which it replaces for repeats. */
static int
put_again(struct queue *q, int64_t seq, struct span same, uint32_t id_hash,
    int64_t now_ms, struct error *e)
{
	sqlite3_stmt *stmt;
	int64_t again;

	if (same.len && forget(q, same, e) < 0)
		return -1;
	stmt = db_stmt(&q->db, Q_PUT_AGAIN, e);
	if (!stmt)
		return -1;
	db_bind_int(&q->db, stmt, 1, seq);
	db_bind_int(&q->db, stmt, 2, now_ms);
	db_bind_blob(&q->db, stmt, 3, same);
	if (db_run(&q->db, stmt, e) < 0)
		return -1;
	again = sqlite3_last_insert_rowid(q->db.sqlite);
	stmt = note_id(q, again, id_hash, e) < 0 ? NULL :
	    db_stmt(&q->db, Q_MOVE_PAYLOAD, e);
	if (!stmt)
		return -1;
	db_bind_int(&q->db, stmt, 1, seq);
	db_bind_int(&q->db, stmt, 2, again);
	return db_run(&q->db, stmt, e) < 0 ? -1 : 1;
}

int
queue_replay(struct queue *q, int64_t seq, int64_t now_ms, struct error *e)
{
	sqlite3_stmt *stmt = db_stmt(&q->db, Q_SAME_OF, e);
	struct buf same = { 0 };
	uint32_t id_hash;
	int rc;

	if (!stmt)
		return -1;
	db_bind_int(&q->db, stmt, 1, seq);
	rc = db_step(&q->db, stmt, e);
	if (rc != SQLITE_ROW) {
		if (rc == SQLITE_DONE)
			db_reset(stmt);
		return rc < 0 ? -1 : 0;
	}
	buf_span(&same, db_column(stmt, 0));
	id_hash = hash_of_id(db_column(stmt, 1));
	db_reset(stmt);
	rc = put_again(q, seq, buf_bytes(&same), id_hash, now_ms, e);
	buf_clear(&same);
	return rc;
}
