/*
 * A call: one POST to be made, read from its line (DESIGN.md section 2). It
 * holds the line's bytes once; all else are spans into them.
 */
#ifndef DELIVER_CALL_H
#define DELIVER_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "deliver/target.h"
#include "deliver/timer.h"
#include "json/reader.h"

struct lane;
struct hand_item;

struct call {
	struct call *next, *prev; /* in its lane, or under way */
	struct lane *lane;
	struct target *target; /* of a bare call; of others while under way */
	const char *file;      /* where it was read, for diagnostics */
	uint64_t line;
	struct timer timer; /* of the next attempt, from memory */
	struct entry held;  /* from a queue: by seq */
	int64_t seq;        /* 0: from memory, or in hand: */
	struct hand_item *item; /* of the row that it came in; NULL: in none */
	int64_t taken_ms;   /* by the queue */
	unsigned attempt; /* how many were begun */
	bool probe;       /* the attempt under way: of a paused lane; */
	bool unproven;    /* of one that has not shown much */
	bool ordered;     /* has an order key */
	struct span text; /* the call as it came */
	struct span body; /* JSON, as sent */
	/* JSON strings with their quotes; empty: absent. */
	struct span id, event, name, webhook, key;
	struct span webhook_id; /* decoded; empty: goes to its own url */
	char *own_id;           /* what it points to if that was escaped */
	char *traceparent;      /* the field as sent; NULL: none */
	char *fields;           /* a webhook's: of this call alone, as sent,
	                         * each with a NUL; an empty one ends */
	char *made_id;          /* stands in for id where it is signed */
	char bytes[];
};

struct call_reader {
	struct json json;
	struct buf unwrapped, scratch;
	struct hash targets; /* of the bare calls that are held */
};

void call_reader_init(struct call_reader *);
void call_reader_clear(struct call_reader *); /* after all calls are freed */

/*
 * Read a line, behind which BUF_PAD bytes are readable. A line that is a JSON
 * string holding JSON is unwrapped once. NULL with the reason code of the
 * reject and the error.
 */
struct call *call_read(struct call_reader *, struct span line,
    const char **reason, struct error *);
void call_free(struct call *);

/*
 * The fields of the call alone: what a webhook has in its target wins, as the
 * registry says now.
 */
void call_own_fields(const struct call *, const struct http_target *,
    const char *fields[HTTP_MAX_OWN_FIELDS]);

/*
 * What stands for the call on the wire, the same at each attempt: its id, as
 * it is written in the line, or one that is made when first asked for.
 */
struct span call_wire_id(struct call *);

#endif
