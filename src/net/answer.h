/*
 * The answer to a POST (RFC 9112), read from bytes in pieces of any size: what
 * its status is, whether its length is beyond doubt, where it ends, whether it
 * stays within its caps. Pure: bytes in, verdict out. An answer counts once its
 * head is complete, whatever happens to the body afterwards.
 */
#ifndef NET_ANSWER_H
#define NET_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "net/chunks.h"
#include "net/http.h"

enum { ANSWER_RETRY_AFTER_BYTES = 40 }; /* an HTTP-date has 29 */

enum answer_state {
	ANSWER_STATUS, ANSWER_FIELDS,             /* lines of a head */
	ANSWER_BODY, ANSWER_CHUNKS, ANSWER_TO_END, /* how the body ends */
	ANSWER_WHOLE, ANSWER_BAD,
};

/* All zeros before the first byte. */
struct answer {
	enum answer_state state;
	int status;         /* of the last status line */
	bool complete;      /* the head of a final answer, 200 to 999 */
	bool persists;      /* the connection may be used again, once whole */
	char retry_after[ANSWER_RETRY_AFTER_BYTES]; /* "": none that fits */
	enum http_wish wish;
	char body[HTTP_KEPT_BODY_BYTES]; /* its first body_bytes */
	size_t body_bytes;               /* of which so many came */
	enum http_failure refused; /* set in ANSWER_BAD, as is why */
	const char *why;           /* static text */
	/* How far it got. */
	size_t head_bytes;  /* of all lines, interim answers too */
	bool old;           /* HTTP/1.0 */
	bool chunked, sized, coded; /* coded: in a way that is not known */
	bool odd;           /* another may read another length */
	uint64_t left;      /* Content-Length, what is to come of it */
	size_t chunked_bytes; /* of chunks with their sizes and extensions */
	struct chunks chunks;
	struct buf line;    /* the part of one that came */
};

void answer_reset(struct answer *); /* for the next one; memory is kept */
void answer_clear(struct answer *);

/*
 * Take the bytes that belong to it. Returns how many; fewer than given only
 * when the state is ANSWER_WHOLE or ANSWER_BAD.
 */
size_t answer_feed(struct answer *, struct span);

/* Has anything of it come? */
static inline bool
answer_begun(const struct answer *a)
{
	return a->head_bytes > 0 || a->line.len > 0;
}

/* What Retry-After asks for, in ms from now; -1: nothing (RFC 9110 10.2.3). */
int64_t answer_retry_after_ms(const struct answer *, int64_t now_wall_ms);

#endif
