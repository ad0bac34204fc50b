/*
 * The delivery queue: calls as they came. Who stores without delivering appends
 * them to the table todo, many in a row; they are sorted in later, a row at a
 * time. (qmail's queue/todo, which qmail-queue fills and qmail-send works off.)
 */
#include "store/queue_db.h"

enum { ROW_BYTES = 64 << 10 }; /* sorted in at a time: a millisecond or so */

enum part { TEXT, ID, EVENT, NAME, LANE, KEY, BODY, N_PARTS };

/* One in a row: this, then the call's bytes. */
struct item {
	uint32_t size; /* with the bytes */
	uint8_t webhook, ordered, force, known;
	struct { uint32_t at, len; } parts[N_PARTS]; /* among the bytes */
};

/* Storing */

/* Most parts are in the text; what is not comes behind it. */
static void
add_part(struct buf *b, size_t bytes, struct item *item, int part,
    struct span s, struct span text)
{
	bool inside = s.p >= text.p && s.p + s.len <= text.p + text.len;
	size_t at = inside ? (size_t)(s.p - text.p) : b->len - bytes;

	item->parts[part].at = (uint32_t)at;
	item->parts[part].len = (uint32_t)s.len;
	if (!inside)
		buf_span(b, s);
}

static void
add_item(struct buf *b, const struct queue_call *c)
{
	const struct span parts[N_PARTS] = { [TEXT] = c->text, [ID] = c->id,
		[EVENT] = c->event, [NAME] = c->name, [LANE] = c->lane,
		[KEY] = c->key, [BODY] = c->body };
	struct item item = { .webhook = c->webhook, .ordered = c->ordered,
		.force = c->force, .known = (uint8_t)c->known };
	size_t start = b->len, bytes = start + sizeof(item);
	int i;

	(void)buf_room(b, sizeof(item) + c->text.len);
	b->len = bytes;
	buf_span(b, c->text);
	for (i = 0; i < N_PARTS; i++)
		add_part(b, bytes, &item, i, parts[i], c->text);
	item.size = (uint32_t)(b->len - start);
	memcpy(b->p + start, &item, sizeof(item));
}

int
queue_write_todo(struct queue *q, struct error *e)
{
	sqlite3_stmt *stmt;

	if (q->todo.len == 0)
		return 0;
	stmt = db_stmt(&q->db, Q_ADD_TODO, e);
	if (!stmt)
		return -1;
	db_bind_int(&q->db, stmt, 1, q->todo_ms);
	db_bind_int(&q->db, stmt, 2, q->todo_repeats_ms);
	db_bind_int(&q->db, stmt, 3, q->n_todo);
	db_bind_blob(&q->db, stmt, 4, buf_bytes(&q->todo));
	q->todo.len = 0;
	q->n_todo = 0;
	return db_run(&q->db, stmt, e) < 0 ? -1 : 0;
}

int
queue_add_todo(struct queue *q, const struct queue_call *c, int64_t now_ms,
    int64_t repeats_ms, struct error *e)
{
	q->todo_ms = now_ms;
	q->todo_repeats_ms = repeats_ms;
	q->n_todo++;
	add_item(&q->todo, c);
	return q->todo.len >= ROW_BYTES ? queue_write_todo(q, e) : 0;
}

/* Reading */

static int
next_row(struct queue *q, enum queue_statement which, int64_t no,
    struct queue_todo *row, struct error *e)
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
		row->no = sqlite3_column_int64(stmt, 0);
		row->taken_ms = sqlite3_column_int64(stmt, 1);
		row->repeats_ms = sqlite3_column_int64(stmt, 2);
		row->bytes.len = 0;
		buf_span(&row->bytes, db_column(stmt, 3));
	}
	db_reset(stmt);
	return rc == SQLITE_ROW;
}

int
queue_next_todo(struct queue *q, int64_t no, struct queue_todo *row,
    struct error *e)
{
	return next_row(q, Q_NEXT_TODO, no, row, e);
}

static bool
read_item(struct span rest, struct item *item, struct span parts[N_PARTS])
{
	size_t n, i;

	if (rest.len < sizeof(*item))
		return false;
	memcpy(item, rest.p, sizeof(*item));
	if (item->size < sizeof(*item) || item->size > rest.len)
		return false;
	n = item->size - sizeof(*item);
	for (i = 0; i < N_PARTS; i++) {
		if (item->parts[i].at > n ||
		    item->parts[i].len > n - item->parts[i].at)
			return false;
		parts[i] = (struct span){ rest.p + sizeof(*item) +
			item->parts[i].at, item->parts[i].len };
	}
	return true;
}

int
queue_todo_call(const struct queue *q, const struct queue_todo *row, size_t *at,
    struct queue_call *c, struct error *e)
{
	struct span rest = buf_bytes(&row->bytes), parts[N_PARTS];
	struct item item;

	rest.p += *at;
	rest.len -= *at;
	if (rest.len == 0)
		return 0;
	if (!read_item(rest, &item, parts))
		return error_set(e, "%s: damaged: row %lld of the table todo "
		    "cannot be read; nothing behind it is sent until it is "
		    "taken out, with what it held: sqlite3 %s 'DELETE FROM todo "
		    "WHERE no = %lld'", q->db.path, (long long)row->no,
		    q->db.path, (long long)row->no);
	*c = (struct queue_call){ .text = parts[TEXT], .id = parts[ID],
		.event = parts[EVENT], .name = parts[NAME],
		.lane = parts[LANE], .webhook = item.webhook != 0,
		.ordered = item.ordered != 0, .key = parts[KEY],
		.body = parts[BODY], .force = item.force != 0,
		.known = (enum queue_put)item.known };
	*at += item.size;
	return 1;
}

int
queue_end_todo(struct queue *q, int64_t no, struct error *e)
{
	return queue_run_on(q, Q_DELETE_TODO, no, e) < 0 ? -1 : 0;
}

int
queue_unsorted(struct queue *q, int64_t no, int64_t *n, int64_t *taken_ms,
    struct error *e)
{
	sqlite3_stmt *stmt = db_stmt(&q->db, Q_UNSORTED, e);
	int rc;

	if (!stmt)
		return -1;
	db_bind_int(&q->db, stmt, 1, no);
	rc = db_step(&q->db, stmt, e);
	if (rc < 0)
		return -1;
	*n = sqlite3_column_int64(stmt, 0); /* NULL: 0 */
	*taken_ms = sqlite3_column_int64(stmt, 1);
	db_reset(stmt);
	return 0;
}

/* Sorting in for who does not deliver */

static int
put_calls(struct queue *q, const struct queue_todo *row, struct buf *repeats,
    struct error *e)
{
	struct queue_place place;
	enum queue_put what;
	struct queue_call c;
	size_t at = 0;
	int r;

	while ((r = queue_todo_call(q, row, &at, &c, e)) == 1) {
		if (queue_put(q, &c, row->taken_ms, row->repeats_ms, &what,
		    &place, e) < 0)
			return -1;
		c.known = what;
		if (what != QUEUE_TAKEN)
			add_item(repeats, &c);
	}
	return r;
}

static int
sort_row(struct queue *q, const struct queue_todo *row, struct error *e)
{
	struct buf repeats = { 0 };
	int r = queue_begin(q, false, e);

	if (r == 0)
		r = put_calls(q, row, &repeats, e);
	if (r == 0)
		r = repeats.len ? queue_run_blob(q, Q_KEEP_TODO, row->no,
		    buf_bytes(&repeats), e) : queue_end_todo(q, row->no, e);
	if (r == 0)
		r = queue_commit(q, e);
	if (r < 0)
		queue_rollback(q);
	buf_clear(&repeats);
	return r;
}

int
queue_sort(struct queue *q, size_t max, struct error *e)
{
	struct queue_todo row = { 0 };
	size_t i;
	int r = queue_claim(q, e);

	if (r <= 0)
		return r;
	for (i = 0; r == 1 && i < max; i++) {
		r = next_row(q, Q_NEXT_UNSORTED, row.no, &row, e);
		if (r == 1 && sort_row(q, &row, e) < 0)
			r = -1;
	}
	queue_disclaim(q);
	buf_clear(&row.bytes);
	return r;
}
