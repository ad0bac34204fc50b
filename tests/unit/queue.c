/*
 * The delivery queue, through its own interface: what is taken, absorbed,
 * given in which order, recorded, released, pruned; and what another process's
 * handle sees of it.
 */
#include "store/queue.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "store/history.h"

static char path[64];
static int n_tests, n_bad;

static void
check(bool good, const char *what)
{
	n_bad += !good;
	printf("%s %d queue: %s\n", good ? "ok" : "not ok", ++n_tests, what);
}

static void
must(int r, const struct error *e)
{
	if (r < 0) {
		printf("Bail out! %s\n", e->text);
		exit(1);
	}
}

static void
fresh_file(void)
{
	static const char *const tails[] = { "", "-wal", "-shm", "-journal" };
	char name[80];
	size_t i;

	for (i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "%s%s", path, tails[i]);
		unlink(name);
	}
}

static struct queue *
open_queue(void)
{
	struct queue *q;
	struct error e;

	must(queue_open(&q, path, &e), &e);
	return q;
}

static enum queue_put
put_call(struct queue *q, struct queue_call c, int64_t now)
{
	struct queue_place place;
	enum queue_put what;
	struct error e;

	if (!c.lane.len)
		c.lane = SPAN("hook");
	c.webhook = true;
	if (!c.text.len)
		c.text = SPAN("{}");
	must(queue_begin(q, true, &e), &e);
	must(queue_put(q, &c, now, 1000, &what, &place, &e), &e);
	must(queue_commit(q, &e), &e);
	return what;
}

static enum queue_put
put_id(struct queue *q, const char *id, const char *body, int64_t now)
{
	return put_call(q, (struct queue_call){ .id = span_of(id),
		.body = span_of(body) }, now);
}

static enum queue_put
put_key(struct queue *q, const char *key)
{
	return put_call(q, (struct queue_call){ .ordered = true,
		.key = span_of(key) }, 1);
}

static bool
record(struct queue *q, int64_t seq, enum outcome o, int64_t due, int64_t now)
{
	struct queue_record r = { .seq = seq, .lane = 1, .outcome = o,
		.attempts = 1, .sent = true, .ordered = true, .due_ms = due,
		.keep = o == OUTCOME_DEAD, .time_ms = now,
		.duration_us = 2500, .dns_us = -1, .connect_us = -1,
		.tls_us = -1, .first_us = 2400,
		.reason = o == OUTCOME_DELIVERED ? NULL : "http-5xx" };
	struct error e;
	bool released;

	must(queue_begin(q, false, &e), &e);
	must(queue_record(q, &r, &released, &e), &e);
	must(queue_commit(q, &e), &e);
	return released;
}

/* "1 2 5": the calls of lane 1 due from..to. */
static bool
due_is(struct queue *q, int64_t from, int64_t to, const char *want)
{
	int64_t seqs[32];
	struct buf got = { 0 };
	struct error e;
	int n = queue_due(q, 1, from, to, seqs, 32, &e), i;
	bool same;

	must(n, &e);
	for (i = 0; i < n; i++)
		buf_printf(&got, "%s%lld", i ? " " : "", (long long)seqs[i]);
	same = strcmp(buf_str(&got), want) == 0;
	if (!same)
		printf("# due: '%s', not '%s'\n", buf_str(&got), want);
	buf_clear(&got);
	return same;
}

static void
test_repeats(void)
{
	static const char v7[] = "01939b1e-7c5a-7abc-8def-0123456789ab";
	struct queue *q = open_queue();
	struct queue_call bare = { .text = SPAN("{}") };
	struct queue_call timed = { .id = SPAN("msg_1"), .event = span_of(v7) };

	check(put_id(q, "a", "{}", 10) == QUEUE_TAKEN, "a call is taken");
	check(put_id(q, "a", "{}", 20) == QUEUE_DUPLICATE, "its repeat is not");
	check(put_id(q, "a", "[]", 20) == QUEUE_CONFLICT,
	    "a repeat with another body is a conflict");
	check(put_id(q, "b", "{}", 20) == QUEUE_TAKEN, "another id is taken");
	check(put_call(q, bare, 30) == QUEUE_TAKEN &&
	    put_call(q, bare, 30) == QUEUE_TAKEN,
	    "calls without an id are all distinct");
	check(put_call(q, timed, 30) == QUEUE_TAKEN &&
	    put_call(q, timed, 30) == QUEUE_DUPLICATE,
	    "an event's id that begins with its time");
	check(put_call(q, (struct queue_call){ .id = SPAN("a"),
	    .force = true }, 30) ==
	    QUEUE_TAKEN, "force takes it all the same");
	record(q, 1, OUTCOME_DELIVERED, 0, 40);
	check(put_id(q, "a", "{}", 1039) == QUEUE_DUPLICATE,
	    "settled within the retention: a repeat");
	check(put_id(q, "a", "{}", 1041) == QUEUE_TAKEN,
	    "settled longer ago: taken");
	record(q, 2, OUTCOME_DEAD, 0, 1041);
	check(put_id(q, "b", "{}", 1041) == QUEUE_DUPLICATE,
	    "one that was taken before another died repeats it");
	check(put_id(q, "b", "{}", 1042) == QUEUE_TAKEN,
	    "a dead one is taken again");
	check(put_id(q, "b", "{}", 1043) == QUEUE_DUPLICATE,
	    "and is then the one that repeats are of");
	queue_close(q);
}

/* To be sorted in */

static void
add_todo(struct queue *q, struct queue_call c)
{
	struct error e;

	c.webhook = true;
	if (!c.lane.len)
		c.lane = SPAN("hook");
	if (!c.text.len)
		c.text = SPAN("{}");
	must(queue_begin(q, true, &e), &e);
	must(queue_add_todo(q, &c, 10, 1000, &e), &e);
	must(queue_commit(q, &e), &e);
}

static bool
same_call(const struct queue_call *a, const struct queue_call *b)
{
	return span_eq(a->text, b->text) && span_eq(a->id, b->id) &&
	    span_eq(a->event, b->event) && span_eq(a->name, b->name) &&
	    span_eq(a->lane, b->lane) && span_eq(a->key, b->key) &&
	    span_eq(a->body, b->body) && a->webhook == b->webhook &&
	    a->ordered == b->ordered && a->force == b->force &&
	    a->known == b->known;
}

static void
test_todo(void)
{
	static const char line[] = "{\"id\":\"i\\u0064\",\"body\":{\"k\":1}}";
	struct queue *q = open_queue();
	struct queue_call in[2] = { { .text = span_of(line),
		.id = SPAN("id"), .name = SPAN("n"), .lane = SPAN("hook"),
		.webhook = true, .ordered = true, .key = SPAN(""),
		.body = { line + 23, 7 } }, { .text = SPAN("{}"),
		.lane = SPAN("http://a:1"), .force = true } };
	struct queue_todo row = { 0 };
	struct queue_call out;
	struct error e;
	size_t at = 0;
	int i, n;

	check(queue_next_todo(q, 0, &row, &e) == 0, "nothing is to be sorted in");
	must(queue_begin(q, true, &e), &e);
	must(queue_add_todo(q, &in[0], 10, 1000, &e), &e);
	must(queue_add_todo(q, &in[1], 10, 1000, &e), &e);
	must(queue_commit(q, &e), &e);
	check(queue_last(q, &e) == 0, "what is stored is not put");
	check(queue_next_todo(q, 0, &row, &e) == 1 && row.taken_ms == 10 &&
	    row.repeats_ms == 1000, "a row of what was stored together");
	check(queue_todo_call(q, &row, &at, &out, &e) == 1 &&
	    same_call(&out, &in[0]) && span_eq(out.body, SPAN("{\"k\":1}")),
	    "a call comes back as it was, what was escaped, too");
	check(queue_todo_call(q, &row, &at, &out, &e) == 1 &&
	    same_call(&out, &in[1]), "and the next one");
	check(queue_todo_call(q, &row, &at, &out, &e) == 0, "and no more");
	check(queue_next_todo(q, row.no, &row, &e) == 0, "and no other row");
	must(queue_begin(q, true, &e), &e);
	for (i = 0; i < 2000; i++)
		must(queue_add_todo(q, &in[0], 10, 1000, &e), &e);
	must(queue_commit(q, &e), &e);
	for (n = 0; queue_next_todo(q, row.no, &row, &e) == 1; n++)
		check(row.bytes.len < (64 << 10) + 200, "rows are small");
	check(n > 2, "many calls are many rows");
	row.bytes.p[0] ^= 1; /* its size */
	for (at = 0; (i = queue_todo_call(q, &row, &at, &out, &e)) == 1; )
		;
	check(i == -1 && strstr(e.text, "damaged"), "what is damaged is told");
	must(queue_begin(q, true, &e), &e);
	must(queue_add_todo(q, &in[1], 10, 1000, &e), &e);
	queue_rollback(q);
	i = queue_next_todo(q, row.no, &row, &e);
	check(i == 0, "what is rolled back is not there");
	buf_clear(&row.bytes);
	queue_close(q);
}

static int
known_in(struct queue *q, int64_t no)
{
	struct queue_todo row = { 0 };
	struct queue_call c;
	struct error e;
	size_t at = 0;
	int known = -1;

	if (queue_next_todo(q, no, &row, &e) == 1 &&
	    queue_todo_call(q, &row, &at, &c, &e) == 1)
		known = (int)c.known;
	buf_clear(&row.bytes);
	return known;
}

static void
test_sorting(void)
{
	struct queue *q = open_queue(), *other = open_queue();
	struct error e;

	add_todo(q, (struct queue_call){ .id = SPAN("a") });
	add_todo(q, (struct queue_call){ .id = SPAN("b") });
	check(queue_claim(other, &e) == 1 && queue_claim(q, &e) == 0 &&
	    queue_sort(q, 9, &e) == 0 && queue_last(q, &e) == 0,
	    "one at a time sorts in");
	queue_disclaim(other);
	check(queue_sort(q, 1, &e) == 1 && due_is(q, 0, 0, "1"),
	    "sorting in, a row");
	check(queue_sort(q, 9, &e) == 0 && due_is(q, 0, 0, "1 2"),
	    "and the rest");
	check(known_in(q, 0) == -1, "then it is over");
	add_todo(q, (struct queue_call){ .id = SPAN("a") });
	add_todo(q, (struct queue_call){ .id = SPAN("b"), .body = SPAN("x") });
	add_todo(q, (struct queue_call){ .id = SPAN("a"), .force = true });
	check(queue_sort(q, 9, &e) == 0 && due_is(q, 0, 0, "1 2 3"),
	    "a repeat is not put, unless forced");
	check(known_in(q, 0) == QUEUE_DUPLICATE && known_in(q, 1) ==
	    QUEUE_CONFLICT, "repeats are kept for who tells them");
	record(q, 1, OUTCOME_DEAD, 0, 20);
	check(queue_sort(q, 9, &e) == 0 && due_is(q, 0, 0, "2 3") &&
	    known_in(q, 0) == QUEUE_DUPLICATE, "and are repeats for good");
	add_todo(q, (struct queue_call){ .id = SPAN("c") });
	check(queue_sort(q, 1, &e) == 1 && due_is(q, 0, 0, "2 3 4"),
	    "and do not keep what comes after them from being sorted in");
	queue_close(q);
	queue_close(other);
}

static int64_t
put_done(struct queue *q, struct queue_call c, enum outcome o)
{
	struct queue_record r = { .outcome = o, .attempts = 1, .lane = 1,
		.sent = true, .due_ms = 500, .time_ms = 20, .duration_us = 1,
		.keep = o == OUTCOME_DEAD };
	struct error e;

	must(queue_begin(q, false, &e), &e);
	must(queue_put_done(q, &c, 10, &r, &e), &e);
	must(queue_commit(q, &e), &e);
	return r.seq;
}

static void
note_seq(void *seq, const struct history_call *c)
{
	*(int64_t *)seq = c->seq;
}

static void
test_done(void)
{
	struct queue *q = open_queue();
	struct queue_call a = { .text = SPAN("{}"), .id = SPAN("a"),
		.body = SPAN("{}"),
		.lane = SPAN("hook"), .webhook = true }, b = a;
	struct queue_row row;
	int64_t lane, seq;
	struct error e;

	check(queue_is_fresh(q, &a, &lane, &e) == 0 && lane == 0,
	    "a call of a new lane is put first");
	put_id(q, "before", "{}", 1); /* 1 */
	check(queue_is_fresh(q, &a, &lane, &e) == 1 && lane == 1,
	    "one of a known lane may be sent first");
	b.ordered = true;
	check(queue_is_fresh(q, &b, &lane, &e) == 0, "unless it has an order");
	seq = put_done(q, a, OUTCOME_DELIVERED);
	check(seq == 2 && due_is(q, 0, 1000, "1") &&
	    queue_load(q, 2, &row, &e) == 0, "it is put when it is delivered");
	check(queue_is_fresh(q, &a, &lane, &e) == 0 &&
	    put_id(q, "a", "{}", 30) == QUEUE_DUPLICATE,
	    "its repeats are repeats");
	a.force = true;
	check(queue_is_fresh(q, &a, &lane, &e) == 1, "unless they are forced");
	b = (struct queue_call){ .text = SPAN("[1]"), .lane = a.lane,
		.webhook = true };
	seq = put_done(q, b, OUTCOME_RETRY);
	check(due_is(q, 500, 500, "3") && queue_load(q, seq, &row, &e) == 1 &&
	    row.attempts == 1 && row.taken_ms == 10 &&
	    span_eq(row.text, b.text), "one that failed waits");
	seq = put_done(q, b, OUTCOME_DEAD);
	must(history_calls(q, &(struct history_filter){ .with_payload = true },
	    note_seq, &lane, &e), &e);
	check(seq == 4 && lane == 4, "a dead one keeps its payload");
	queue_close(q);
}

static void
test_order(void)
{
	struct queue *q = open_queue();

	put_key(q, "x");                            /* 1 */
	put_key(q, "x");                            /* 2, behind 1 */
	put_key(q, "y");                            /* 3 */
	put_call(q, (struct queue_call){ 0 }, 1); /* 4: no order */
	put_key(q, "x");                            /* 5, behind 1 and 2 */
	put_key(q, "");                             /* 6: the empty key is one */
	put_key(q, "");                             /* 7, behind 6 */
	check(due_is(q, 0, 0, "1 3 4 6"), "one of a key at a time");
	check(!record(q, 1, OUTCOME_RETRY, 500, 10), "a retry releases nobody");
	check(due_is(q, 0, 0, "3 4 6") && due_is(q, 1, 499, "") &&
	    due_is(q, 1, 500, "1"), "a retry waits, and its key behind it");
	queue_close(q);
	q = open_queue();
	check(due_is(q, 0, 500, "3 4 6 1"), "so it is after a restart");
	check(record(q, 1, OUTCOME_DEAD, 0, 20), "a dead head lets the next go");
	check(due_is(q, 0, 0, "2 3 4 6"), "the next one only");
	check(!record(q, 3, OUTCOME_DELIVERED, 0, 20),
	    "nobody is behind the last of a key");
	check(!record(q, 1, OUTCOME_DELIVERED, 0, 30) &&
	    due_is(q, 0, 0, "2 4 6"), "what is settled stays as it is");
	check(record(q, 2, OUTCOME_DELIVERED, 0, 30) &&
	    due_is(q, 0, 0, "4 5 6"), "the last of the key");
	queue_close(q);
}

static void
test_reading(void)
{
	struct queue *q = open_queue(), *other = open_queue();
	struct pollfd bell = { queue_fd(q), POLLIN, 0 };
	int64_t lanes[8], seq = 0;
	struct queue_lane lane;
	struct queue_row row;
	struct error e;

	check(queue_lock(q, &e) == 1, "one has the lock");
	check(queue_lock(other, &e) == 0, "another one has not");
	put_call(other, (struct queue_call){ .text = SPAN("{\"k\":1}") },
	    77);
	check(poll(&bell, 1, 0) == 1 && queue_heard(q) && !queue_heard(q),
	    "who delivers hears that another stored");
	put_call(q, (struct queue_call){ .lane = SPAN("second") }, 78);
	check(poll(&bell, 1, 0) == 0, "and does not ring for itself");
	check(queue_arrivals(q, &seq, lanes, 8, &e) == 2 && seq == 2 &&
	    lanes[0] == 1 && lanes[1] == 2, "arrivals name their lanes");
	check(queue_arrivals(q, &seq, lanes, 8, &e) == 0, "each once");
	check(queue_lane(q, 2, &lane, &e) == 1 && lane.webhook &&
	    span_eq(lane.name, SPAN("second")) &&
	    lane.health.state == HEALTH_OK, "a lane by its number");
	check(queue_next_lane(q, 2, &lane, &e) == 0, "no lane after the last");
	check(queue_load(q, 1, &row, &e) == 1 && row.taken_ms == 77 &&
	    row.lane == 1 && row.attempts == 0 && !row.ordered &&
	    span_eq(row.text, SPAN("{\"k\":1}")), "a call by its number");
	check(queue_load(q, 9, &row, &e) == 0, "no such call");
	record(q, 1, OUTCOME_RETRY, 900, 80);
	check(queue_next_due(q, 1, 80, &e) == 900 &&
	    queue_next_due(q, 1, 900, &e) == -1, "when the next is due");
	queue_close(q);
	check(queue_lock(other, &e) == 1, "the lock goes with its holder");
	queue_close(other);
}

static void
test_health(void)
{
	struct queue *q = open_queue();
	struct health h = { .state = HEALTH_DISABLED, .failures = 3,
		.pauses = 2, .failing_ms = 5, .since_ms = 6, .until_ms = 7,
		.held_ms = 8, .why = "gone" };
	struct queue_lane lane;
	struct error e;

	put_id(q, "a", "{}", 1);
	must(queue_begin(q, false, &e), &e);
	must(queue_set_health(q, 1, &h, true, 9, &e), &e);
	must(queue_commit(q, &e), &e);
	queue_close(q);
	q = open_queue();
	must(queue_lane(q, 1, &lane, &e), &e);
	check(lane.health.state == h.state && lane.health.failures == 3 &&
	    lane.health.pauses == 2 && lane.health.failing_ms == 5 &&
	    lane.health.since_ms == 6 && lane.health.until_ms == 7 &&
	    lane.health.held_ms == 8 && strcmp(lane.health.why, "gone") == 0,
	    "a lane's state is kept");
	must(queue_begin(q, true, &e), &e);
	check(queue_enable(q, SPAN("hook"), 10, &e) == 1, "enable clears it");
	check(queue_enable(q, SPAN("other"), 10, &e) == 0, "if there is one");
	must(queue_commit(q, &e), &e);
	must(queue_lane(q, 1, &lane, &e), &e);
	check(lane.health.state == HEALTH_OK && lane.health.why[0] == '\0',
	    "and it is ok then");
	check(queue_changes(q, &e) == 1, "who delivers is told");
	queue_close(q);
}

static void
test_prune(void)
{
	struct queue *q = open_queue();
	struct queue_prune p = { .settled_ms = 100, .payload_ms = 150,
		.held_ms = 100 };
	struct health off = { .state = HEALTH_DISABLED, .since_ms = 50 };
	int64_t seq = 0, expired[4];
	struct queue_row row;
	struct error e;
	size_t n;
	int i;

	for (i = 1; i <= 6; i++)
		put_id(q, (char[]){ (char)('0' + i), 0 }, "{}", 10 * i);
	put_id(q, "late", "{}", 200);
	record(q, 1, OUTCOME_DELIVERED, 0, 99);
	record(q, 2, OUTCOME_DELIVERED, 0, 101);
	record(q, 3, OUTCOME_DEAD, 0, 99);
	must(queue_prune(q, &p, &seq, expired, 4, &n, &e), &e);
	check(seq == -1 && n == 0, "a walk to the end");
	check(put_id(q, "1", "{}", 102) == QUEUE_TAKEN,
	    "what is out of retention is forgotten");
	check(put_id(q, "2", "{}", 102) == QUEUE_DUPLICATE,
	    "what is not is known");
	check(queue_load(q, 4, &row, &e) == 1, "unsettled calls stay");
	must(queue_begin(q, false, &e), &e);
	must(queue_set_health(q, 1, &off, true, 50, &e), &e);
	must(queue_commit(q, &e), &e);
	seq = 0;
	must(queue_prune(q, &p, &seq, expired, 4, &n, &e), &e);
	check(n == 3 && expired[0] == 4 && expired[2] == 6,
	    "calls held too long are to expire, later ones are not");
	for (i = 4; i <= 8; i++)
		record(q, i, OUTCOME_DELIVERED, 0, 90);
	seq = 0;
	must(queue_prune(q, &p, &seq, expired, 4, &n, &e), &e);
	check(queue_last(q, &e) == 8, "the last seq is never given again");
	queue_close(q);
}

static bool
refused(int want, const char *part)
{
	struct queue *q;
	struct error e = { "" };
	int r = queue_open(&q, path, &e);

	if (r == 0)
		queue_close(q);
	if (r != want || !strstr(e.text, part))
		printf("# %d: %s\n", r, e.text);
	return r == want && strstr(e.text, part);
}

static void
write_file(const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, text, len) != (ssize_t)len || close(fd) < 0)
		exit(1);
}

static void
test_opening(void)
{
	static char junk[4096] = "this is no database, but long enough to be";
	struct stat st;

	queue_close(open_queue());
	check(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600,
	    "the file is for its user alone");
	fresh_file();
	write_file(junk, sizeof(junk));
	check(refused(-1, "no SQLite file"), "a file that is none");
	fresh_file();
	if (mkdir(path, 0700) < 0)
		exit(1);
	check(refused(-1, "directory"), "a folder");
	rmdir(path);
}

int
main(void)
{
	void (*const tests[])(void) = { test_repeats, test_todo, test_sorting,
		test_done, test_order, test_reading, test_health, test_prune,
		test_opening };
	size_t i;

	snprintf(path, sizeof(path), "/tmp/evpipe-queue-%ld", (long)getpid());
	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		fresh_file();
		tests[i]();
	}
	fresh_file();
	printf("1..%d\n", n_tests);
	return n_bad > 0;
}
