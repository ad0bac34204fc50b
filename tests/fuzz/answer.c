/*
 * libFuzzer: any bytes as answers, one after the other, behind a byte that says
 * how they come in pieces. In whatever pieces, they say the same; what is kept
 * has its caps.
 */
#include "net/answer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(bool ok)
{
	if (!ok)
		abort();
}

/* The first in one piece; then as the dice fall, mostly small. */
static size_t
piece(uint32_t *dice, size_t left)
{
	size_t n = left;

	if (!*dice)
		return n;
	*dice ^= *dice << 13;
	*dice ^= *dice >> 17;
	*dice ^= *dice << 5;
	n = *dice % 8 ? *dice / 8 % 16 + 1 : *dice / 8 % 20000 + 1;
	return n < left ? n : left;
}

/* What is taken of the bytes. */
static size_t
feed(struct answer *a, struct span in, uint32_t dice)
{
	size_t used = 0, n, took;

	while (used < in.len && a->state < ANSWER_WHOLE) {
		n = piece(&dice, in.len - used);
		took = answer_feed(a, (struct span){ in.p + used, n });
		must(took == n || a->state >= ANSWER_WHOLE);
		used += took;
		must(a->head_bytes + a->line.len <= HTTP_MAX_HEADER_BYTES);
		must(a->body_bytes <= HTTP_MAX_BODY_BYTES + n);
		must(a->complete || a->state < ANSWER_BODY ||
		    a->state == ANSWER_BAD);
	}
	return used;
}

static size_t
kept(const struct answer *a)
{
	return a->body_bytes < sizeof(a->body) ? a->body_bytes :
	    sizeof(a->body);
}

static void
must_agree(const struct answer *a, const struct answer *b)
{
	must(a->state == b->state && a->complete == b->complete &&
	    a->status == b->status && a->persists == b->persists &&
	    a->wish == b->wish && a->refused == b->refused);
	must(strcmp(a->retry_after, b->retry_after) == 0);
	must((a->why == NULL) == (b->why == NULL) &&
	    (!a->why || strcmp(a->why, b->why) == 0));
	must(kept(a) == kept(b) && memcmp(a->body, b->body, kept(a)) == 0);
	must(answer_retry_after_ms(a, 0) == answer_retry_after_ms(b, 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct answer one = { 0 }, two = { 0 };
	struct span rest = { (const char *)data + 1, len - 1 };
	size_t used;

	if (len == 0)
		return 0;
	while (rest.len) {
		used = feed(&one, rest, 0);
		(void)feed(&two, rest, data[0] + 1u);
		must_agree(&one, &two);
		if (one.state != ANSWER_WHOLE || !one.persists)
			break;
		rest = (struct span){ rest.p + used, rest.len - used };
		answer_reset(&one);
		answer_reset(&two);
	}
	answer_clear(&one);
	answer_clear(&two);
	return 0;
}
