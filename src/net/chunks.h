/*
 * The chunked transfer coding (RFC 9112 section 7.1), decoded from bytes in
 * pieces of any size. Strict: lines end in CRLF; extensions and trailers are
 * skipped.
 */
#ifndef NET_CHUNKS_H
#define NET_CHUNKS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

enum { CHUNKS_MAX_TRAILER_BYTES = 64 * 1024 };

enum chunks_state {
	CHUNKS_SIZE, CHUNKS_DATA, CHUNKS_END, CHUNKS_TRAILER, CHUNKS_WHOLE,
	CHUNKS_BAD,
};

/* All zero before the first byte. */
struct chunks {
	enum chunks_state state;
	uint64_t left;        /* bytes to come of the chunk at hand */
	size_t trailer_bytes;
	struct buf line;
	const char *reason;   /* static; set when the state is CHUNKS_BAD */
};

void chunks_reset(struct chunks *); /* for the next body; memory is kept */
void chunks_clear(struct chunks *);

/*
 * Take bytes up to the end of a piece of the content, which *data then is (it
 * may be empty). Returns how many; none once the state is CHUNKS_WHOLE or
 * CHUNKS_BAD.
 */
size_t chunks_feed(struct chunks *, struct span in, struct span *data);

#endif
