/*
 * What a queue adds to ev-deliver: storing the input, barriers, the lock, the
 * retention.
 */
#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "cmd/deliver.h"
#include "cmd/notify.h"

enum {
	/* In one transaction: as much as is there to read, up to that; less
	 * while we deliver, so that answers don't wait. */
	STORE_CALLS = 4096,
	STORE_CALLS_BUSY = 1024,
	STORE_BYTES = 8 << 20,
	MAX_EXPIRED = 64,          /* at a time */
	PRUNE_MS = 3600 * 1000,    /* between two walks */
	RETRY_LOCK_MS = 100,       /* the file is closed before it is unlocked */
};

/* Storing */

static void
store(struct deliver *d)
{
	uint64_t n = d->intake.n;
	struct error e;

	if (!d->intake.first)
		return;
	if (intake_store(&d->intake, clock_wall_ms(), &e) < 0) {
		deliver_fail(d, &e);
		return;
	}
	d->counts.n_taken += n;
	d->backlog.todo = d->delivers;
}

/* All that came before it is on disk before it goes on. */
static void
pass_barrier(struct deliver *d)
{
	struct stage *s = &d->stage;
	struct error e;

	barrier_need_rejects(s);
	store(d);
	if (d->sender.stopping)
		return;
	if (reject_sync(&s->reject, &e) < 0 ||
	    barriers_pass(&d->barriers, s->input, &e) < 0) {
		deliver_fail(d, &e);
		return;
	}
	(void)out_line(&s->out, s->input);
	(void)out_flush(&s->out); /* a failure sticks */
}

static void
take_line(struct deliver *d)
{
	struct stage *s = &d->stage;
	const char *reason;
	struct call *c;
	struct error e;

	if (barrier_is(s->input)) {
		pass_barrier(d);
		return;
	}
	c = call_read(&d->reader, s->input, &reason, &e);
	if (c)
		intake_add(&d->intake, c);
	else
		stage_reject(s, reason, span_of(e.text), (struct span){ 0 });
}

/* A pipe holds little: look whether there is more before the disk is asked. */
static bool
fill(struct deliver *d)
{
	struct pollfd fd = { source_fd(&d->input), POLLIN, 0 };

	if (poll(&fd, 1, 0) != 1)
		return false;
	source_fill(&d->input, &d->stage);
	return true;
}

void
deliver_store_input(struct deliver *d)
{
	size_t max = d->delivers ? STORE_CALLS_BUSY : STORE_CALLS;
	enum source_status status;

	while (!d->sender.stopping && d->intake.n < max &&
	    d->intake.n_bytes < STORE_BYTES) {
		status = source_take(&d->input, &d->stage);
		if (status == SOURCE_LINE)
			take_line(d);
		else if (status == SOURCE_END || !fill(d))
			break;
	}
	if (!d->sender.stopping)
		store(d);
	d->stage.diag.file = NULL;
	d->stage.diag.line = 0;
}

/* The lock */

static void
try_lock(struct deliver *d, int64_t now_ms)
{
	struct error e;
	int r;

	if (d->delivers || d->mode == DELIVER_ENQUEUE || d->sender.stopping)
		return;
	r = queue_lock(d->queue, &e);
	/* On a full disk each start would send some calls again. */
	if (r == 1 && (queue_prove(d->queue, &e) < 0 ||
	    backlog_open(&d->backlog, &e) < 0))
		r = -1;
	if (r < 0) {
		deliver_fail(d, &e);
		return;
	}
	if (r == 0)
		return;
	d->delivers = true;
	d->sender.backlog = &d->backlog;
	d->prune_at_ms = now_ms;
}

void
deliver_hear_queue(struct deliver *d, int64_t now_ms)
{
	(void)queue_heard(d->queue);
	d->backlog.rang = d->backlog.todo = d->delivers;
	if (!d->delivers)
		d->retry_lock_ms = now_ms + RETRY_LOCK_MS;
	try_lock(d, now_ms);
}

/* The retention */

static int
prune(struct deliver *d, int64_t now_ms, struct error *e)
{
	int64_t wall_ms = clock_wall_ms(), expired[MAX_EXPIRED];
	struct queue_prune p = {
		.settled_ms = wall_ms - d->retention_ms,
		.payload_ms = wall_ms - d->keep_ms,
		.held_ms = wall_ms - d->hold_ms,
	};
	size_t n, i;

	if (queue_prune(d->queue, &p, &d->prune_seq, expired, MAX_EXPIRED, &n,
	    e) < 0)
		return -1;
	for (i = 0; i < n; i++)
		if (sender_expire(&d->sender, expired[i], now_ms, e) < 0)
			return -1;
	return 0;
}

void
deliver_tend_queue(struct deliver *d, int64_t now_ms)
{
	struct error e;

	if (d->retry_lock_ms >= 0 && now_ms >= d->retry_lock_ms) {
		d->retry_lock_ms = -1;
		try_lock(d, now_ms);
	}
	if (d->watchdog_ms && now_ms >= d->watchdog_at_ms) {
		notify("WATCHDOG=1");
		d->watchdog_at_ms = now_ms + d->watchdog_ms;
	}
	if (!d->delivers || d->sender.stopping)
		return;
	if (d->prune_seq < 0 && now_ms >= d->prune_at_ms) {
		d->prune_seq = 0;
		d->prune_at_ms = now_ms + PRUNE_MS;
	}
	if (d->prune_seq >= 0 && prune(d, now_ms, &e) < 0)
		deliver_fail(d, &e);
}

int64_t
deliver_queue_deadline(const struct deliver *d)
{
	int64_t at_ms = d->retry_lock_ms;

	if (d->watchdog_ms)
		at_ms = clock_earlier(at_ms, d->watchdog_at_ms);
	if (d->delivers && !d->sender.stopping)
		at_ms = clock_earlier(at_ms, d->prune_seq >= 0 ? 0 : d->prune_at_ms);
	return at_ms;
}

/* Begin and end */

void
deliver_open_queue(struct deliver *d)
{
	struct stage *s = &d->stage;
	struct error e;
	int r = queue_open(&d->queue, d->queue_path, &e);

	if (r < 0)
		stage_die(s, r == -1 ? EX_SETUP : EX_SYSTEM, "%s", e.text);
	d->retry_lock_ms = d->prune_seq = -1;
	d->intake = (struct intake){
		.queue = d->queue, .force = d->force,
		.repeats_ms = d->retention_ms,
	};
	intake_open(&d->intake);
	d->backlog = (struct backlog){
		.queue = d->queue, .reader = &d->reader,
		.lanes = &d->sender.lanes, .keep = d->keep_ms > 0,
		.counts = d->stage.metrics.path != NULL,
		.report = deliver_report, .ctx = d,
	};
	try_lock(d, clock_mono_ms());
	if (s->code == EX_SYSTEM)
		return;
	d->watchdog_ms = notify_watchdog_ms();
	notify("READY=1");
}

void
deliver_close_queue(struct deliver *d)
{
	struct error e;

	notify("STOPPING=1");
	if (d->delivers && !d->failed &&
	    backlog_flush(&d->backlog, clock_mono_ms(), clock_wall_ms(), true,
	    &e) < 0) {
		diag_print(&d->stage.diag, DIAG_ERROR, "%s", e.text);
		stage_worsen(&d->stage, EX_SYSTEM);
	}
	intake_close(&d->intake);
}

bool
deliver_is_through(struct deliver *d)
{
	if (d->sender.stopping)
		return d->sender.in_flight == 0;
	if (!d->input.ended)
		return false;
	switch (d->mode) {
	case DELIVER_ENQUEUE:
		return true;
	case DELIVER_PLAIN:
		return !d->delivers || sender_is_idle(&d->sender);
	case DELIVER_DRAIN:
		return d->delivers && sender_is_drained(&d->sender);
	case DELIVER_SERVE:
		break;
	}
	return false;
}
