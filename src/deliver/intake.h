/*
 * Calls into the queue: gathered as they are read, stored many in one durable
 * transaction. A call is taken when intake_store has returned.
 */
#ifndef DELIVER_INTAKE_H
#define DELIVER_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "deliver/call.h"
#include "json/reader.h"
#include "store/queue.h"

struct intake {
	struct queue *queue; /* borrowed */
	bool force;          /* repeats are stored, too */
	int64_t repeats_ms;  /* what was settled so long ago is no repeat */
	struct call *first, **tail;
	size_t n, n_bytes;
	struct json json;
	struct buf texts[4]; /* scratch: strings decoded */
};

/* All before `first` is set already. */
void intake_open(struct intake *);
void intake_close(struct intake *); /* what was not stored is dropped */

/* Take over a call. */
void intake_add(struct intake *, struct call *);

/* 0, or -1 with the error: nothing of it is stored. */
int intake_store(struct intake *, int64_t now_ms, struct error *);

#endif
