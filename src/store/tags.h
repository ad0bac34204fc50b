/*
 * The tags of events that a broker gave, over one connection after another, and
 * which of them are settled. The broker counts from 1 on each connection; what an
 * earlier one gave it gives again, so that its tags mean nothing any more. Pure.
 */
#ifndef STORE_TAGS_H
#define STORE_TAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tags_range {
	int64_t from, to;
};

struct tags {
	int64_t base;    /* those up to it are of earlier connections */
	int64_t last;    /* given last */
	int64_t settled; /* all up to it are, and these, in no order: */
	struct tags_range *done;
	size_t n, cap;
	int64_t *held;   /* not to be acknowledged */
	size_t n_held, cap_held;
};

/* Zeroed it is empty. */
void tags_clear(struct tags *);

/* The connection is lost. */
void tags_restart(struct tags *);

/* The tag of what the broker calls n. */
int64_t tags_give(struct tags *, uint64_t n);

bool tags_are_settled(const struct tags *, int64_t tag);

/* They are, by whatever way. */
void tags_settle(struct tags *, int64_t from, int64_t to);

/* It is not acknowledged, whatever range it is in, until it is released. */
void tags_hold(struct tags *, int64_t tag);
void tags_release(struct tags *, int64_t tag);

/*
 * Acknowledge those from tag to tag that are not held, each once, with
 * ack(ctx, n, multiple) in the broker's numbers: with multiple it means all up to
 * n, and is used only if those before are settled. They are settled then. 0, or
 * what ack returned.
 */
int tags_ack(struct tags *, int64_t from, int64_t to,
    int (*ack)(void *ctx, uint64_t n, bool multiple), void *ctx);

#endif
