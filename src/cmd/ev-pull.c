/*
 * ev-pull: keeps a command running and feeds it events out of the event queue,
 * which leave it when the command has done all that they ask for. Beside that,
 * the dead letters: events that the command dies of.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/num.h"
#include "cmd/option.h"
#include "cmd/pull.h"
#include "cmd/event_queue.h"
#include "json/write.h"

enum {
	MAX_TIME_MS = 24 * 3600 * 1000,
	OPT_BARRIER_TIMEOUT = OPT_OWN, OPT_DEAD, OPT_DECLARE, OPT_DRAIN,
	OPT_GRACE,
	OPT_REQUEUE,
};

static const char usage[] =
    "usage: ev-pull [-hVv] [--barrier-timeout TIME] [--drain] [--grace TIME]\n"
    "               [--metrics FILE] -q EVENTS [-r FILE] [--] COMMAND [ARG ...]\n"
    "   or: ev-pull -q EVENTS --declare\n"
    "   or: ev-pull -q EVENTS --dead\n"
    "   or: ev-pull -q EVENTS --requeue [NUMBER ...]\n";

static const struct option options[] = {
	{ "barrier-timeout", required_argument, NULL, OPT_BARRIER_TIMEOUT },
	{ "dead", no_argument, NULL, OPT_DEAD },
	{ "declare", no_argument, NULL, OPT_DECLARE },
	{ "drain", no_argument, NULL, OPT_DRAIN },
	{ "events", required_argument, NULL, 'q' },
	{ "grace", required_argument, NULL, OPT_GRACE },
	{ "help", no_argument, NULL, 'h' },
	{ "metrics", required_argument, NULL, OPT_METRICS },
	{ "rejects", required_argument, NULL, 'r' },
	{ "requeue", no_argument, NULL, OPT_REQUEUE },
	{ "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

struct options {
	bool dead, declare, requeue;
};

/* Dead letters */

static void
put_dead(void *ctx, const struct events_dead *d)
{
	struct stage *s = ctx;
	struct buf *b = &s->out.buf;
	char time[CLOCK_RFC3339_BYTES];

	clock_rfc3339(d->time_ms, time);
	buf_putc(b, '{');
	json_put_member_u64(b, "number", (uint64_t)d->tag);
	json_put_member(b, "time", span_of(time));
	json_put_member_u64(b, "deaths", d->deaths);
	json_put_member(b, "status", d->status);
	json_put_member(b, "stderr", d->said);
	json_put_member(b, "input", d->text);
	buf_putc(b, '}');
	(void)out_end_line(&s->out); /* a failure sticks */
}

static void
list_dead(struct stage *s, struct events *events)
{
	struct error e;

	if (events_each_dead(events, put_dead, s, &e) < 0)
		stage_die(s, EX_SYSTEM, "%s", e.text);
}

static int64_t
number_of(struct stage *s, const char *number)
{
	uint64_t n;

	if (num_u64(span_of(number), 1, INT64_MAX, &n) < 0)
		stage_die(s, EX_SETUP, "'%s' is no number of a dead letter",
		    number);
	return (int64_t)n;
}

static void
requeue(struct stage *s, struct events *events, char **numbers, size_t n)
{
	int64_t *tags = alloc_zero(n + 1, sizeof(*tags));
	struct error e;
	size_t i;

	for (i = 0; i < n; i++)
		tags[i] = number_of(s, numbers[i]);
	/* All at once: numbers may change with what is put back. */
	if (events_requeue(events, tags, n, &e) < 0)
		stage_die(s, EX_SYSTEM, "%s", e.text);
	for (i = 0; i < n; i++) {
		if (!tags[i])
			continue;
		diag_print(&s->diag, DIAG_WARNING, "no dead letter %s",
		    numbers[i]);
		stage_worsen(s, EX_REJECTED);
	}
	free(tags);
}

static void
declare(struct stage *s, struct events *events)
{
	struct error e;

	if (events_declare(events, &e) < 0)
		stage_die(s, EX_SETUP, "%s", e.text);
}

/* Pulling */

/* The stages of the command find a place for their rejects. */
static void
set_rejects(struct stage *s, const char *name)
{
	const char *given = s->reject_path ? s->reject_path :
	    getenv("EV_REJECTS");
	struct buf own = { 0 };

	buf_printf(&own, "%s.rejects", name);
	if (setenv("EV_REJECTS", given && *given ? given : buf_str(&own), 1) < 0)
		stage_die(s, EX_SYSTEM, "cannot set EV_REJECTS");
	buf_clear(&own);
}

static void
pull(struct pull *p)
{
	struct stage *s = p->stage;
	struct error e;
	int r = events_lock(p->events, &e);

	if (r <= 0)
		stage_die(s, EX_SYSTEM, "%s", r < 0 ? e.text :
		    "another ev-pull pulls from this queue");
	set_rejects(s, events_name(p->events));
	pull_run(p);
}

static void
read_options(struct pull *p, struct options *o, int argc, char **argv)
{
	struct stage *s = p->stage;
	int c;

	while ((c = option_next(s, argc, argv, "+hq:r:Vv", options)) != -1) {
		if (stage_option(s, c, optarg))
			continue;
		switch (c) {
		case OPT_BARRIER_TIMEOUT:
			p->barrier_ms = option_duration(s, "barrier-timeout",
			    optarg, 1, MAX_TIME_MS);
			break;
		case OPT_DEAD:
			o->dead = true;
			break;
		case OPT_DECLARE:
			o->declare = true;
			break;
		case OPT_DRAIN:
			p->drain = true;
			break;
		case OPT_GRACE:
			p->grace_ms = option_duration(s, "grace", optarg, 0,
			    MAX_TIME_MS);
			break;
		case OPT_REQUEUE:
			o->requeue = true;
			break;
		case 'q':
			p->path = optarg;
			break;
		case 'h':
			stage_help(usage);
		case 'V':
			stage_version(s);
		default:
			stage_usage(s, usage);
		}
	}
	p->argv = argv + optind;
	if (o->dead + o->declare + o->requeue > 1 ||
	    (o->dead || o->declare ? *p->argv != NULL :
	    !o->requeue && !*p->argv))
		stage_usage(s, usage);
	if (!p->path)
		stage_die(s, EX_SETUP, "no event queue: give one with -q");
}

int
main(int argc, char **argv)
{
	struct stage s;
	struct pull p = { .stage = &s, .barrier_ms = 5 * 60 * 1000,
		.grace_ms = 30 * 1000 };
	struct options o = { .dead = false };

	stage_init(&s, "ev-pull", STAGE_CALL_MAX_LINE);
	read_options(&p, &o, argc, argv);
	p.events = event_queue_open(&s, p.path,
	    (struct events_wishes){ .drain = p.drain,
	    .exists = o.dead || o.requeue });
	if (o.declare)
		declare(&s, p.events);
	else if (o.dead)
		list_dead(&s, p.events);
	else if (o.requeue)
		requeue(&s, p.events, p.argv, (size_t)(argc - optind));
	else
		pull(&p);
	events_close(p.events);
	return stage_close(&s);
}
