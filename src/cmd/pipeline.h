/*
 * Lines whose output a worker has to make (event/worker.h): they are sent
 * ahead, while it works, and settled in their order. What other lines give
 * meanwhile waits behind them.
 */
#ifndef CMD_PIPELINE_H
#define CMD_PIPELINE_H

#include "cmd/stage.h"

struct pipeline {
	/*
	 * Receive n answers and write to stage->out what comes of the line;
	 * diagnostics name it, stage->input is for it to set.
	 */
	void (*settle)(struct stage *, void *ctx, unsigned n);
	void *ctx;
	struct pipeline_line {
		const char *file;
		uint64_t line;
		unsigned n;
		size_t bytes;    /* of its requests */
		size_t held_end; /* of what waits behind it, in held */
	} *lines;
	size_t first, end, cap;
	struct buf held;
	size_t held_at;
	size_t bytes; /* of all requests */
	bool settling;
};

void pipeline_init(struct pipeline *,
    void (*settle)(struct stage *, void *ctx, unsigned n), void *ctx);
void pipeline_clear(struct pipeline *);

/* The line being worked on was sent: n requests, of so many bytes together. */
void pipeline_sent(struct pipeline *, struct stage *, unsigned n, size_t bytes);

/* Is so much, added to what is on its way, more than should be? */
bool pipeline_is_full(const struct pipeline *, size_t bytes);

/* Is nothing before the line at hand on its way? */
static inline bool
pipeline_is_idle(const struct pipeline *p)
{
	return p->first == p->end || p->settling;
}

/* Where a record goes of a line that was not sent; then pipeline_end_line. */
static inline struct buf *
pipeline_out(struct pipeline *p, struct stage *s)
{
	return pipeline_is_idle(p) ? &s->out.buf : &p->held;
}

void pipeline_end_line(struct pipeline *, struct stage *);

/* If it is full, settle the older half; before a line is worked on. */
void pipeline_make_room(struct pipeline *, struct stage *);

/* Settle all: before input is waited for, a reject, a change of the set-up. */
void pipeline_drain(struct pipeline *, struct stage *);

/* --timeout, in ms; dies of a bad one. */
int64_t pipeline_timeout(struct stage *, const char *arg);

#endif
