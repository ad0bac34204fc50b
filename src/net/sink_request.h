/*
 * A request as a receiver reads it (RFC 9112), from bytes in pieces of any
 * size. Strict, so that a sender's mistakes show: lines end in CRLF, names are
 * tokens, lengths agree. It owns what it keeps; nothing is allocated for a
 * request once warm.
 */
#ifndef NET_SINK_REQUEST_H
#define NET_SINK_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "net/chunks.h"

enum {
	SINK_MAX_HEAD_BYTES = 64 * 1024,        /* four times Node's limit */
	SINK_MAX_BODY_BYTES = 16 * 1024 * 1024, /* four times the longest line */
};

struct sink_field {
	struct span name, value; /* as sent; blanks around the value left out */
};

enum sink_request_state {
	SINK_HEAD, SINK_BODY, SINK_CHUNKS, SINK_WHOLE, SINK_BAD,
};

/* All zero is a request of which nothing has come yet. */
struct sink_request {
	enum sink_request_state state;
	struct buf head; /* from the method to the empty line */
	struct buf body; /* without chunk framing; trailers are dropped */
	/* Set once the head is there; spans of head. */
	struct span method, target, version;
	struct sink_field *fields;
	size_t n_fields, cap_fields;
	bool keep_alive;
	bool wants_continue; /* Expect: 100-continue; the answerer clears it */
	/* Set when state is SINK_BAD: the answer it deserves, and why (static). */
	int status;
	const char *reason;
	/* How far it got. */
	size_t line_at;       /* head: where its last line starts */
	uint64_t left;        /* bytes to come of the body */
	struct chunks chunks;
};

void sink_request_clear(struct sink_request *);

/* Ready for the next request; memory is kept unless it is much. */
void sink_request_reset(struct sink_request *);

/*
 * Take the bytes that belong to this request. Returns how many; fewer than
 * given only when the state is SINK_WHOLE or SINK_BAD.
 */
size_t sink_request_feed(struct sink_request *, struct span);

/* Note a sender that ended in the middle. */
void sink_request_end(struct sink_request *);

/* Has anything of it come? */
static inline bool
sink_request_begun(const struct sink_request *r)
{
	return r->state != SINK_HEAD || r->head.len > 0;
}

static inline bool
sink_request_done(const struct sink_request *r)
{
	return r->state >= SINK_WHOLE;
}

#endif
