/*
 * The commands that change what a delivery queue remembers: replay, prune. They
 * say how much it is before they act, and ask if there is somebody to be asked.
 */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "cmd/admin-history.h"
#include "json/write.h"

enum { MAX_TOOK_US = 100 * 1000 }; /* of a transaction of prune */

/* A terminal is asked, unless --yes. */
static bool
is_sure(struct history *h)
{
	struct admin *a = h->admin;
	char answer[16];
	ssize_t n;

	if ((a->given & ADMIN_BIT(ADMIN_YES)) || !isatty(STDIN_FILENO) ||
	    !isatty(STDERR_FILENO))
		return true;
	(void)fputs("do it? [y/N] ", stderr);
	(void)fflush(stderr);
	n = read(STDIN_FILENO, answer, sizeof(answer));
	if (n > 0 && (answer[0] == 'y' || answer[0] == 'Y'))
		return true;
	diag_print(&a->stage.diag, DIAG_NOTICE, "nothing was done");
	return false;
}

static void
put_count(struct history *h, const char *name, int64_t n)
{
	struct out *out = &h->admin->stage.out;

	buf_putc(&out->buf, '{');
	json_put_member_u64(&out->buf, name, (uint64_t)n);
	(void)out_line(out, SPAN("}"));
}

/* replay */

static void
note_call(void *ctx, const struct history_call *c)
{
	struct history *h = ctx;

	if (h->n++ == 0)
		h->last = c->seq;
	h->first = c->seq;
}

/* Print what is selected, or note how much and from where to where. */
static void
look(struct history *h, const struct history_filter *f)
{
	bool dry = h->admin->given & ADMIN_BIT(ADMIN_DRY_RUN);
	struct error e;

	if (history_calls(h->queue, f, dry ? history_give_call : note_call, h,
	    &e) < 0)
		history_die(h, &e);
}

/* Each of the operands, or none: the seqs, 0 behind them. NULL: one is wrong. */
static int64_t *
read_operands(struct history *h, const struct history_filter *f)
{
	struct admin *a = h->admin;
	int64_t *seqs = alloc_zero(a->n_operands + 1, sizeof(*seqs));
	struct history one = { .admin = a, .queue = h->queue };
	struct history_filter only = *f;
	bool good = true;
	struct error e;
	size_t i;

	for (i = 0; i < a->n_operands; i++) {
		seqs[i] = only.seq = history_seq_of(h, a->operands[i]);
		one.n = 0;
		if (only.seq && history_calls(h->queue, &only, note_call, &one,
		    &e) < 0)
			history_die(h, &e);
		if (one.n)
			continue;
		good = false;
		if (!only.seq)
			history_say_absent(h, a->operands[i]);
		else
			diag_print(&a->stage.diag, DIAG_ERROR, "call '%s' "
			    "cannot be sent again: it waits still, was sent "
			    "again already, is not what the filters select, "
			    "or was delivered and the queue has not its text: "
			    "for that, ev-deliver needs --keep",
			    a->operands[i]);
	}
	if (good)
		return seqs;
	stage_worsen(&a->stage, EX_SETUP);
	free(seqs);
	return NULL;
}

/* Why there is nothing to be sent, if calls were selected. */
static void
explain_none(struct history *h, const struct history_filter *f)
{
	struct history any = { .admin = h->admin, .queue = h->queue };
	struct history_filter all = *f;
	struct error e;

	all.with_payload = false;
	all.limit = 1;
	if (history_calls(h->queue, &all, note_call, &any, &e) < 0)
		history_die(h, &e);
	if (any.n)
		diag_print(&h->admin->stage.diag, DIAG_NOTICE, "of the calls "
		    "that were selected, none is settled and has its text: "
		    "what was delivered keeps it only with ev-deliver --keep");
}

/* Send what was looked at; what has died since is not. */
static int64_t
replay_seen(struct history *h, struct history_filter f, const int64_t *seqs)
{
	int64_t now_ms = clock_wall_ms(), n = 0, more;
	struct error e;

	if (!*seqs) {
		f.above = h->first - 1;
		f.below = h->last + 1;
	}
	do {
		f.seq = *seqs;
		more = history_replay(h->queue, &f, now_ms, &e);
		if (more < 0)
			history_die(h, &e);
		n += more;
	} while (*seqs && *++seqs);
	return n;
}

static void
replay(struct history *h, struct history_filter f)
{
	struct diag *diag = &h->admin->stage.diag;
	int64_t *seqs = read_operands(h, &f);
	size_t i = 0;

	if (!seqs)
		return;
	do {
		f.seq = seqs[i];
		look(h, &f);
	} while (seqs[i] && seqs[++i]);
	f.seq = 0;
	history_print_rows(h);
	if (h->n == 0)
		explain_none(h, &f);
	if (h->admin->given & ADMIN_BIT(ADMIN_DRY_RUN)) {
		diag_print(diag, DIAG_NOTICE, "%zu calls would be sent again",
		    h->n);
	} else {
		diag_print(diag, DIAG_NOTICE, "sending %zu calls again", h->n);
		if (h->n == 0)
			put_count(h, "replayed", 0);
		else if (is_sure(h))
			put_count(h, "replayed", replay_seen(h, f, seqs));
	}
	free(seqs);
}

void
admin_replay(struct admin *a)
{
	struct history_filter f = history_read_filter(a);
	struct history h;

	if (!f.webhook.len && !f.event.len && !f.name.len && !f.by_outcome &&
	    !f.status && !f.since_ms && !f.until_ms && !f.limit &&
	    !a->n_operands)
		admin_misuse(a, "replay: of everything? Say which calls: "
		    "--outcome dead, --webhook ID, --since 2h");
	history_open(&h, a);
	f.with_payload = true;
	h.table = h.table && (a->given & ADMIN_BIT(ADMIN_DRY_RUN));
	if (h.table)
		table_open(&h.rows, history_heads);
	replay(&h, f);
	queue_close(h.queue);
}

/* prune */

/*
 * After a transaction others get thrice as long, and a look: store/db's on_busy.
 * What took longer has waited for them.
 */
static void
make_room(int64_t from_us)
{
	int64_t took_us = clock_mono_us() - from_us;
	int64_t us = 3 * (took_us < MAX_TOOK_US ? took_us : MAX_TOOK_US) + 1000;
	const struct timespec pause = { us / 1000000, us % 1000000 * 1000 };

	(void)nanosleep(&pause, NULL);
}

static void
walk(struct history *h, struct queue_old old, bool dry, int64_t *n)
{
	struct error e;
	int64_t from_us;
	int r;

	old.dry = dry;
	do {
		from_us = clock_mono_us();
		r = queue_prune_old(h->queue, &old, &e);
		if (r < 0)
			history_die(h, &e);
		if (!dry)
			make_room(from_us);
	} while (r > 0);
	*n = old.n;
}

static void
give_back(struct history *h)
{
	struct error e;
	int64_t from_us;
	int r;

	do {
		from_us = clock_mono_us();
		r = queue_give_back(h->queue, &e);
		if (r < 0)
			history_die(h, &e);
		make_room(from_us);
	} while (r > 0);
}

void
admin_prune(struct admin *a)
{
	struct history_filter f = history_read_filter(a);
	bool dry = a->given & ADMIN_BIT(ADMIN_DRY_RUN);
	struct queue_old old;
	struct history h;
	struct error e;
	int64_t n;

	if (!a->before)
		admin_misuse(a, "prune: of what age? Say --before 30d, or "
		    "--before and a time");
	if (f.by_outcome && !f.outcome)
		admin_misuse(a, "prune: calls that wait are never pruned");
	history_open(&h, a);
	if (history_old(h.queue, history_time(a, "before", a->before), &old,
	    &e) < 0)
		history_die(&h, &e);
	old.outcome = f.outcome;
	walk(&h, old, true, &n);
	diag_print(&a->stage.diag, DIAG_NOTICE, dry ? "%lld calls would be "
	    "forgotten" : "forgetting %lld calls", (long long)n);
	if (!dry && is_sure(&h)) {
		walk(&h, old, false, &n);
		give_back(&h);
		put_count(&h, "pruned", n);
	}
	queue_close(h.queue);
}
