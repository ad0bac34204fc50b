/*
 * What the parts of ev-deliver share: its options, its loop (ev-deliver.c), and
 * what a queue adds to it.
 */
#ifndef CMD_DELIVER_H
#define CMD_DELIVER_H

#include "cmd/barrier.h"
#include "cmd/source.h"
#include "cmd/stage.h"
#include "deliver/backlog.h"
#include "deliver/intake.h"
#include "deliver/sender.h"
#include "net/guard.h"
#include "store/queue.h"
#include "store/registry.h"

enum deliver_mode {
	DELIVER_PLAIN,   /* with a queue: until the input ends and nothing is
	                  * due; without: until all is settled */
	DELIVER_ENQUEUE, /* store, send nothing */
	DELIVER_DRAIN,   /* until nothing is left */
	DELIVER_SERVE,   /* no input; until a signal */
};

enum {
	DELIVER_REASONS = 17, /* codes that results have, and "other" */
	DELIVER_CLASSES = 6,  /* of status; 0: no answer */
};

/* For --metrics. */
struct deliver_counts {
	uint64_t n_taken;
	uint64_t outcomes[OUTCOME_DISABLED + 1];
	uint64_t attempts[OUTCOME_DEAD + 1][DELIVER_REASONS][DELIVER_CLASSES];
	uint64_t dead[DELIVER_REASONS];
	struct histogram durations;
	struct hash webhooks; /* with --metrics-per-webhook */
};

struct deliver {
	struct stage stage;
	struct source input;
	char **operands;
	bool dry_run;
	const char *registry_path, *secrets_path;
	struct registry registry;
	struct secrets_file secrets;
	struct call_reader reader;
	struct sender sender;
	const char **connect_to;
	size_t n_connect_to, cap_connect_to;
	const char *ca_file;
	struct guard guard;
	struct buf proxy;
	int64_t *waits_ms;
	int64_t grace_ms;
	/* With a queue. */
	enum deliver_mode mode;
	const char *queue_path;    /* NULL: from memory */
	struct queue *queue;
	struct intake intake;
	struct backlog backlog;
	bool delivers;             /* we have the lock */
	bool failed;               /* the queue is not to be used any more */
	int64_t retry_lock_ms;     /* -1: when the queue says something */
	bool force;
	int64_t keep_ms, retention_ms, hold_ms;
	int64_t prune_seq;         /* how far the walk is; -1: it rests */
	int64_t prune_at_ms;       /* the next one begins */
	struct barriers barriers;
	int64_t watchdog_ms;       /* between signs of life; 0: not asked for */
	int64_t watchdog_at_ms;
	/* The loop's. */
	int signals;           /* readable once a signal came */
	int64_t flush_at_ms;   /* -1: no output waits */
	int64_t give_up_at_ms; /* once stopping */
	size_t n_aborted;      /* by stopping */
	uint64_t n_settled;
	struct deliver_counts counts;
	bool per_webhook;      /* --metrics-per-webhook */
};

void deliver_read_options(struct deliver *, int argc, char **argv);

/* --dry-run: read all input; what would be sent goes to stdout as commands. */
void deliver_dry_run(struct deliver *);

/* Stop: no more input, no new attempts; with the error and exit code 3. */
void deliver_fail(struct deliver *, const struct error *);

/* What became of something: a record, a diagnostic, the exit code. */
void deliver_report(void *deliver, const struct result *);

/* A result, for --metrics; and to add all that is counted. */
void deliver_count(struct deliver *, const struct result *);
void deliver_put_metrics(void *deliver, struct exposition *);
void deliver_counts_clear(struct deliver_counts *);

/* Open the queue and take the lock, if it is free. Dies if it can't. */
void deliver_open_queue(struct deliver *);
void deliver_close_queue(struct deliver *);

/* Read and store what is there to read. */
void deliver_store_input(struct deliver *);

/* Once a turn of the loop: the lock, the retention, the watchdog. */
void deliver_tend_queue(struct deliver *, int64_t now_ms);

/* When deliver_tend_queue has something to do; -1: unknown. */
int64_t deliver_queue_deadline(const struct deliver *);

/* The queue's descriptor is readable. */
void deliver_hear_queue(struct deliver *, int64_t now_ms);

/* Is there nothing more to do? */
bool deliver_is_through(struct deliver *);

#endif
