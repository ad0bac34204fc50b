/*
 * What a broker is told to forget, against a model of one: window and tags as
 * ev-pull puts them together, with connections that are lost, commands that die,
 * poison, and dead letters that take their time. Nothing is acknowledged that the
 * command has not done or that is no safe dead letter, nothing twice, and nothing
 * of an earlier connection; in the end nothing is left.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/tags.h"
#include "store/window.h"

enum { N = 400, PREFETCH = 60, MAX_STEPS = 400000, MAX_OUT = 4096 };

enum state { READY, GIVEN, GONE };

/* The broker; events are numbers from 1. */
static struct {
	enum state state[N + 1];
	int n_of[N + 1];       /* what this connection calls it */
	int event_of[MAX_STEPS]; /* and back */
	int n;                 /* given on this connection */
	size_t n_out;
} broker;

static bool done[N + 1], dead[N + 1], poison[N + 1], unfit[N + 1];
static int event_of_tag[MAX_STEPS];
static struct window w;
static struct tags tags;
static struct { int64_t tag; int event; } letters[N];
static size_t n_letters;
static int fed[MAX_OUT];     /* with the command; 0 is a barrier */
static size_t n_fed, n_lost;
static const char *fault;
static uint64_t random_state;

static unsigned
dice(unsigned n)
{
	random_state = random_state * 6364136223846793005 +
	    1442695040888963407;
	return (unsigned)(random_state >> 33) % n;
}

static int
ack_one(int n)
{
	int event = broker.event_of[n];

	if (broker.state[event] != GIVEN || broker.n_of[event] != n)
		return -1;
	if (!done[event] && !dead[event])
		fault = "acknowledged, and neither done nor a safe letter";
	broker.state[event] = GONE;
	broker.n_out--;
	return 0;
}

static int
ack(void *ctx, uint64_t n, bool multiple)
{
	int i, n_acked = 0;

	(void)ctx;
	if (n == 0 || n > (uint64_t)broker.n) {
		fault = "a tag that this connection does not know";
		return 0;
	}
	for (i = multiple ? 1 : (int)n; i <= (int)n; i++)
		n_acked += ack_one(i) == 0;
	if (n_acked == 0)
		fault = "acknowledged twice";
	return 0;
}

static void
lose(void)
{
	int i;

	for (i = 1; i <= N; i++)
		if (broker.state[i] == GIVEN)
			broker.state[i] = READY;
	broker.n = 0;
	broker.n_out = 0;
	tags_restart(&tags);
	n_letters = 0;
	n_lost++;
}

static void
bury(struct window_event *ev)
{
	if (ev->tag > tags.base) {
		letters[n_letters].tag = ev->tag;
		letters[n_letters++].event = event_of_tag[ev->tag];
		tags_hold(&tags, ev->tag);
	}
	window_drop(&w, ev);
}

static void
settle_deaths(void)
{
	struct window_event *ev;

	window_stale(&w, tags.base);
	while ((ev = window_counted(&w)))
		if (ev->deaths >= WINDOW_MAX_DEATHS)
			bury(ev);
}

static void
confirm(void)
{
	size_t i = n_letters ? dice((unsigned)n_letters) : 0;
	int64_t tag;

	if (n_letters == 0)
		return;
	tag = letters[i].tag;
	dead[letters[i].event] = true;
	letters[i] = letters[--n_letters];
	tags_release(&tags, tag);
	(void)tags_ack(&tags, tag, tag, ack, NULL);
}

static void
give(void)
{
	unsigned n = dice(30);
	int i;

	window_stale(&w, tags.base);
	for (i = 1; i <= N && n > 0 && broker.n_out < PREFETCH; i++) {
		int64_t tag;

		if (broker.state[i] != READY)
			continue;
		n--;
		broker.state[i] = GIVEN;
		broker.n_of[i] = ++broker.n;
		broker.event_of[broker.n] = i;
		broker.n_out++;
		tag = tags_give(&tags, (uint64_t)broker.n);
		event_of_tag[tag] = i;
		window_add(&w, tag, 0, SPAN("line"));
		if (unfit[i])
			window_condemn(&w, "unfit");
	}
	settle_deaths();
}

static void
restart(bool of_itself)
{
	n_fed = 0;
	if (of_itself)
		(void)window_died(&w, "exit status 1", SPAN(""));
	else
		window_restart(&w);
}

static void
feed(void)
{
	unsigned n = dice(20);
	struct span line;
	size_t at;

	while (n-- > 0 && n_fed < MAX_OUT - 1 && window_feed(&w, &line)) {
		at = w.mode == WINDOW_ALONE ? w.alone : w.next - 1;
		fed[n_fed++] = event_of_tag[w.events[at].tag];
	}
	if (w.n_unmarked && w.n_marks < WINDOW_MAX_MARKS) {
		window_mark(&w);
		fed[n_fed++] = 0;
	}
}

/* Some of what it was fed; the barriers among it come back together. */
static void
work(void)
{
	size_t i, n = n_fed ? dice((unsigned)n_fed + 1) : 0;
	int64_t from = 0, to = 0, a, b;

	for (i = 0; i < n; i++) {
		if (fed[i] && poison[fed[i]]) {
			restart(true);
			break;
		}
		if (fed[i])
			done[fed[i]] = true;
		else if (window_pass(&w, &a, &b)) {
			from = from ? from : a;
			to = b;
		}
	}
	if (i == n) {
		memmove(fed, fed + n, (n_fed - n) * sizeof(*fed));
		n_fed -= n;
	}
	if (from) {
		(void)tags_ack(&tags, from, to, ack, NULL);
		settle_deaths();
	}
}

static void
set_up(unsigned seed)
{
	int i;

	random_state = seed;
	memset(&broker, 0, sizeof(broker));
	memset(done, 0, sizeof(done));
	memset(dead, 0, sizeof(dead));
	for (i = 1; i <= N; i++) {
		poison[i] = dice(80) == 0;
		unfit[i] = dice(60) == 0;
	}
	window_clear(&w);
	tags_clear(&tags);
	n_letters = n_fed = n_lost = 0;
	fault = NULL;
}

/* Without another event, which the command does, nothing counts against poison. */
static bool
is_over(void)
{
	int i;

	for (i = 1; i <= N; i++)
		if (broker.state[i] != GONE && !poison[i])
			return false;
	return n_letters == 0;
}

/* Once a step in so many the connection is lost, and the command killed. */
static bool
run(unsigned seed, unsigned per_loss, unsigned per_kill, unsigned per_confirm)
{
	int i, step;

	set_up(seed);
	for (step = 0; step < MAX_STEPS / 8 && !fault && !is_over(); step++) {
		give();
		feed();
		work();
		if (dice(per_confirm) == 0)
			confirm();
		if (dice(per_kill) == 0)
			restart(false);
		if (dice(per_loss) == 0 && tags.last < MAX_STEPS - 2 * N)
			lose();
	}
	if (!fault && !is_over())
		fault = "some are never acknowledged";
	for (i = 1; i <= N && !fault; i++)
		if (broker.state[i] == GONE && (poison[i] || unfit[i] ?
		    !dead[i] || done[i] : !done[i] || dead[i]))
			fault = "some are not what they ought to be";
	if (fault)
		printf("# seed %u, %zu connections lost: %s\n", seed, n_lost,
		    fault);
	return !fault;
}

int
main(void)
{
	static const struct { unsigned loss, kill, confirm; const char *what; }
	tries[] = {
		{ INT32_MAX, INT32_MAX, 1, "nothing is lost or killed" },
		{ INT32_MAX, 40, 30, "letters take long" },
		{ 300, 100, 10, "connections are lost" },
		{ 60, 50, 4, "and often" },
	};
	unsigned seed;
	size_t i;
	bool good;

	for (i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		good = true;
		for (seed = 1; seed <= 60 && good; seed++)
			good = run(seed, tries[i].loss, tries[i].kill,
			    tries[i].confirm);
		printf("%s %zu acks: %s\n", good ? "ok" : "not ok", i + 1,
		    tries[i].what);
	}
	window_clear(&w);
	tags_clear(&tags);
	printf("1..4\n");
	return 0;
}
