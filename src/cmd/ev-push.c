/*
 * ev-push: puts events on disk, in the event queue, and exits 0 when all are.
 */
#include <poll.h>

#include "base/clock.h"
#include "cmd/option.h"
#include "cmd/event_queue.h"
#include "cmd/source.h"
#include "store/batch.h"

enum { PATIENCE_MS = 30 * 1000 }; /* with a broker that is gone */

static const char usage[] =
    "usage: ev-push [-hVv] [--max-line BYTES] [--metrics FILE] -q EVENTS "
    "[-r FILE]\n"
    "               [FILE ...]\n";

static const struct option options[] = {
	{ "events", required_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ "max-line", required_argument, NULL, OPT_MAX_LINE },
	{ "metrics", required_argument, NULL, OPT_METRICS },
	{ "rejects", required_argument, NULL, 'r' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

/* Where an event of the batch was read. */
struct place {
	const char *file; /* NULL: stdin */
	uint64_t line;
};

struct push {
	struct events *events;
	const char *path;
	struct fault fault;
	struct batch batch;
	struct place places[BATCH_EVENTS];
	uint64_t n_stored, n_repeats; /* repeats are stored, too */
	const struct place *rest; /* it failed: from there on nothing is sure, */
	bool unsure;              /* and something may be on disk */
};

/* Whatever ends us: what is on disk is said unless all is well. */
static struct push *pushing;
static const struct stage *stage;

static void
say_how_many(void)
{
	struct diag d = stage->diag;

	if (!pushing)
		return;
	d.file = NULL;
	d.line = 0;
	diag_print(&d, DIAG_WARNING, "%llu events are on disk, %llu of them "
	    "from an earlier push", (unsigned long long)pushing->n_stored,
	    (unsigned long long)pushing->n_repeats);
	if (pushing->rest)
		diag_print(&d, DIAG_WARNING, "go on from line %llu of %s%s",
		    (unsigned long long)pushing->rest->line,
		    pushing->rest->file ? pushing->rest->file : "stdin",
		    pushing->unsure ? "; some lines behind it may be on disk, "
		    "too: what comes twice ev-deliver absorbs by its id, if "
		    "that is the producer's" : "");
}

/* Commit the batch; dies with 3. */
static void
store(struct push *p, struct stage *s)
{
	struct events_pushed pushed;
	struct error e;
	int r;

	if (p->batch.n == 0)
		return;
	r = batch_push(&p->batch, p->events, clock_wall_ms(), &pushed, &e);
	p->n_stored += pushed.n;
	p->n_repeats += pushed.n_repeats;
	if (r < 0) {
		p->rest = &p->places[pushed.n];
		p->unsure = pushed.unsure;
		s->diag.line = 0;
		stage_die(s, EX_SYSTEM, "%s", e.text);
	}
	batch_cut(&p->batch, 0);
}

static void
take_line(struct push *p, struct stage *s)
{
	switch (batch_add(&p->batch, s->input, (struct span){ 0 },
	    clock_wall_ms(), &p->fault)) {
	case 0:
		p->places[p->batch.n - 1] = (struct place){ s->diag.file,
			s->diag.line };
		if (batch_is_full(&p->batch))
			store(p, s);
		break;
	case -1:
		stage_reject(s, p->fault.reason, buf_bytes(&p->fault.error),
		    buf_bytes(&p->fault.detail));
		break;
	default:
		stage_die(s, EX_SYSTEM, "%s", buf_str(&p->fault.error));
	}
}

/* A pipe holds little: look whether there is more before the disk is asked. */
static void
fill(struct push *p, struct stage *s, struct source *in)
{
	struct pollfd fd = { source_fd(in), POLLIN, 0 };

	if (p->batch.n && poll(&fd, 1, 0) == 0)
		store(p, s);
	source_wait(in, s);
	source_fill(in, s);
}

static void
run(struct push *p, struct stage *s, char **operands)
{
	enum source_status status;
	struct source in;
	struct error e;

	source_open(&in, operands);
	while ((status = source_take(&in, s)) != SOURCE_END)
		if (status == SOURCE_LINE)
			take_line(p, s);
		else
			fill(p, s, &in);
	store(p, s);
	source_close(&in);
	s->diag.line = 0;
	s->diag.file = NULL;
	if (reject_sync(&s->reject, &e) < 0) {
		diag_print(&s->diag, DIAG_ERROR, "%s", e.text);
		stage_worsen(s, EX_SYSTEM);
	}
	metrics_end(s);
	if (s->code == EX_ALL_WELL && !s->diag.verbose)
		pushing = NULL;
}

static void
put_metrics(void *ctx, struct exposition *x)
{
	const struct push *p = ctx;

	metrics_put(x, METRIC_EVENTS_PUSHED, p->n_stored - p->n_repeats);
	metrics_put(x, METRIC_EVENTS_REPEATED, p->n_repeats);
}

static void
read_options(struct stage *s, struct push *p, int argc, char **argv)
{
	int c;

	while ((c = option_next(s, argc, argv, "hq:r:Vv", options)) != -1) {
		if (stage_option(s, c, optarg))
			continue;
		switch (c) {
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
	if (!p->path)
		stage_die(s, EX_SETUP, "no event queue: give one with -q");
}

int
main(int argc, char **argv)
{
	static struct push p; /* both for say_how_many */
	static struct stage s;

	stage_init(&s, "ev-push", STAGE_EVENT_MAX_LINE);
	read_options(&s, &p, argc, argv);
	s.metrics.put = put_metrics;
	s.metrics.ctx = &p;
	stage_open(&s);
	p.events = event_queue_open(&s, p.path,
	    (struct events_wishes){ .patience_ms = PATIENCE_MS });
	batch_init(&p.batch);
	pushing = &p;
	stage = &s;
	if (atexit(say_how_many) != 0)
		stage_die(&s, EX_SYSTEM, "atexit failed");
	run(&p, &s, argv + optind);
	events_close(p.events);
	batch_clear(&p.batch);
	fault_clear(&p.fault);
	return stage_close(&s);
}
