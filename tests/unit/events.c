/*
 * The event queue through its own interface, and the window: whatever poison
 * lies where, each event is acknowledged once or buried, and only poison is.
 */
#include "store/events.h"

#include <unistd.h>

#include "base/buf.h"
#include "store/window.h"

static char path[64];
static int n_tests, n_bad;

static void
check(bool good, const char *what)
{
	n_bad += !good;
	printf("%s %d events: %s\n", good ? "ok" : "not ok", ++n_tests, what);
}

static void
must(int r, const struct error *e)
{
	if (r < 0) {
		printf("Bail out! %s\n", e->text);
		exit(1);
	}
}

static const struct events_wishes no_wishes;

static struct events *
open_events(void)
{
	struct events *ev;
	struct error e;

	must(events_open(&ev, path, &no_wishes, &e), &e);
	return ev;
}

static size_t
push(struct events *ev, const char *text, const char *id, int64_t now)
{
	struct events_item item = { span_of(text), span_of(id), *id != '\0',
		span_of(text) };
	struct events_pushed pushed;
	struct error e;

	must(events_push(ev, &item, 1, now, &pushed, &e), &e);
	return pushed.n_repeats;
}

/* "1:a 2:b ", what is given */
static void
on_given(void *ctx, const struct events_given *g)
{
	buf_printf(ctx, "%lld:%.*s ", (long long)g->tag, (int)g->text.len,
	    g->text.p);
}

static bool
next_is(struct events *ev, size_t max, const char *want)
{
	struct buf got = { 0 };
	struct error e;
	bool same;

	must(events_next(ev, max, 1000, on_given, &got, &e), &e);
	same = strcmp(buf_str(&got), want) == 0;
	if (!same)
		printf("# '%s', not '%s'\n", buf_str(&got), want);
	buf_clear(&got);
	return same;
}

static void
on_dead(void *ctx, const struct events_dead *d)
{
	buf_printf(ctx, "%lld:%.*s:%u:%.*s:%.*s ", (long long)d->tag,
	    (int)d->text.len, d->text.p, d->deaths, (int)d->status.len,
	    d->status.p, (int)d->said.len, d->said.p);
}

static bool
dead_is(struct events *ev, const char *want)
{
	struct buf got = { 0 };
	struct error e;
	bool same;

	must(events_each_dead(ev, on_dead, &got, &e), &e);
	same = strcmp(buf_str(&got), want) == 0;
	if (!same)
		printf("# '%s', not '%s'\n", buf_str(&got), want);
	buf_clear(&got);
	return same;
}

static void
test_queue(void)
{
	struct events *ev = open_events(), *other = open_events();
	struct events_dead d = { .tag = 2, .deaths = 5, .time_ms = 9,
		.status = SPAN("exit status 7"), .said = SPAN("oh") };
	int64_t wanted[] = { 7, 2 };
	struct error e;

	check(events_lock(ev, &e) == 1 && events_lock(other, &e) == 0,
	    "one of two has the lock");
	push(other, "a", "", 1);
	push(other, "b", "", 1);
	push(other, "c", "", 1);
	check(next_is(ev, 2, "1:a 2:b ") && next_is(ev, 2, "3:c ") &&
	    next_is(ev, 2, ""), "each is given once");
	must(events_ack(ev, 1, 1, &e), &e);
	must(events_bury(ev, &d, &e), &e);
	check(dead_is(ev, "2:b:5:exit status 7:oh "), "a dead letter");
	must(events_blame(ev, 3, 2, &e), &e);
	events_close(ev);
	ev = open_events();
	check(next_is(ev, 9, "3:c "), "what is not done is given again");
	must(events_ack(ev, 3, 3, &e), &e);
	push(other, "d", "", 1);
	check(next_is(ev, 9, "4:d "), "no number is given twice");
	check(events_requeue(other, wanted, 2, &e) == 1 && wanted[0] == 7 &&
	    wanted[1] == 0 && next_is(ev, 9, "5:b ") && dead_is(ev, ""),
	    "a dead letter goes back, to the end; which is not there is told");
	events_close(ev);
	events_close(other);
}

static void
test_repeats(void)
{
	struct events *ev = open_events();
	int64_t t = 1000000, day = EVENTS_REPEATS_MS;

	check(push(ev, "r", "id", t) == 0 && push(ev, "r", "id", t) == 1,
	    "a repeat");
	check(push(ev, "s", "id", t) == 0 && push(ev, "r", "id2", t) == 0 &&
	    push(ev, "r", "", t) == 0 && push(ev, "r", "", t) == 0,
	    "other bytes, another id, no id: none");
	check(push(ev, "r", "id", t + day - 1) == 1, "a repeat after a day");
	check(push(ev, "r", "id", t + 2 * day - 2) == 1,
	    "and in the next era");
	check(push(ev, "x", "x", t + 3 * day) == 0 &&
	    push(ev, "y", "y", t + 5 * day) == 0 &&
	    push(ev, "r", "id", t + 5 * day) == 0, "forgotten in the end");
	check(push(ev, "y", "y", 5) == 1, "the clock was set back: no harm");
	events_close(ev);
}

/* The window, against a command that dies of what `poison` says. */

enum { MAX_TAG = 3000 };

struct world {
	struct window w;
	bool poison[MAX_TAG + 1];
	bool broken;            /* the command dies of everything */
	int done[MAX_TAG + 1], buried[MAX_TAG + 1];
	int64_t n, given;
	size_t n_deaths, n_rounds;
};

static void
settle(struct world *x)
{
	struct window_event *ev;

	while ((ev = window_counted(&x->w)))
		if (ev->deaths >= WINDOW_MAX_DEATHS) {
			x->buried[ev->tag]++;
			window_drop(&x->w, ev);
		}
}

/* One barrier's worth: fed, and acknowledged or died of. */
static void
round_of(struct world *x, size_t max)
{
	int64_t from = 0, to = 0, tag;
	struct span line;
	bool dies = false;
	size_t n = 0;

	while (x->given < x->n && window_has_room(&x->w))
		window_add(&x->w, ++x->given, 0, SPAN("line"));
	while (n < max && window_feed(&x->w, &line)) {
		n++;
		dies |= x->broken || (x->w.mode == WINDOW_ALONE ?
		    x->poison[x->w.events[x->w.alone].tag] :
		    x->poison[x->w.events[x->w.next - 1].tag]);
		if (window_wants_mark(&x->w))
			break;
	}
	x->n_rounds++;
	if (dies) {
		x->n_deaths++;
		(void)window_died(&x->w, "exit status 1", SPAN("said"));
		return;
	}
	window_mark(&x->w);
	if (!window_pass(&x->w, &from, &to))
		return;
	for (tag = from; tag <= to; tag++)
		if (x->w.mode == WINDOW_ALONE || !x->poison[tag])
			x->done[tag]++;
	settle(x);
}

static bool
all_right(const struct world *x)
{
	int64_t i;

	for (i = 1; i <= x->n; i++)
		if (x->buried[i] != x->poison[i] ||
		    (x->poison[i] ? x->done[i] != 0 : x->done[i] < 1))
			return false;
	return true;
}

static void
try(const char *what, int64_t n, size_t max, const int *poison, size_t n_poison,
    size_t max_deaths)
{
	static struct world x;
	size_t i;

	memset(&x, 0, sizeof(x));
	x.n = n;
	for (i = 0; i < n_poison; i++)
		x.poison[poison[i]] = true;
	while ((x.given < x.n || !window_is_empty(&x.w)) &&
	    x.n_rounds < 100000)
		round_of(&x, max);
	check(all_right(&x), what);
	check(x.n_deaths <= max_deaths, "with few deaths");
	if (x.n_deaths > max_deaths)
		printf("# %zu deaths\n", x.n_deaths);
	window_clear(&x.w);
}

static void
test_window(void)
{
	static const int one[] = { 1500 }, side[] = { 700, 701, 702 },
	    first[] = { 1, 2, 3, 4 };
	static int every_tenth[300];
	static struct world x;
	size_t i;

	for (i = 0; i < 290; i++)
		every_tenth[i] = (int)(10 * i + 5);
	try("no poison", 3000, 500, one, 0, 0);
	try("one poison event", 3000, 3000, one, 1, 17);
	try("one, few events between two barriers", 3000, 7, one, 1, 12);
	try("three side by side", 3000, 3000, side, 3, 45);
	try("at the head", 3000, 3000, first, 4, 45);
	try("every tenth", 3000, 3000, every_tenth, 290, 290 * 17);

	memset(&x, 0, sizeof(x));
	x.n = 500;
	x.broken = true;
	for (i = 0; i < 200; i++)
		round_of(&x, 500);
	x.broken = false;
	while (!window_is_empty(&x.w) && x.n_rounds < 10000)
		round_of(&x, 500);
	check(all_right(&x), "a command that dies of everything, then is "
	    "repaired: nobody is sentenced");
	window_clear(&x.w);
}

int
main(void)
{
	static const char *const tails[] = { "", "-wal", "-shm" };
	char name[80];
	size_t i;

	snprintf(path, sizeof(path), "/tmp/events.%ld", (long)getpid());
	test_queue();
	test_repeats();
	test_window();
	for (i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s%s", path, tails[i]);
		unlink(name);
	}
	printf("1..%d\n", n_tests);
	return n_bad > 0;
}
