/*
 * jq programs: the only user of libjq (1.6, 1.7, 1.8). libjq parses at a
 * twentieth of our reader's speed and its numbers are doubles, so values are
 * handed over from the reader's nodes and written by our own code.
 */
#ifndef EVENT_JQ_H
#define EVENT_JQ_H

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "json/reader.h"

struct jq_program;

/*
 * Compile a program (some 20 ms) with $webhooks bound to the value whose JSON
 * text is given; empty: without it. It sees no environment if the process has
 * none, no home directory if HOME is unset, and no modules, input or stderr in
 * any case. NULL with the error.
 */
struct jq_program *jq_program_new(struct span program, struct span webhooks,
    struct error *);
void jq_program_free(struct jq_program *);

/*
 * Run it on the value at a node, for as many outputs as there are, but max at
 * most (0: all). Each output's text is added to *out, with a '\n' behind it. 0,
 * or -1 with libjq's message, which may hold values, in *detail. It may never
 * return, or abort: run it in a worker (event/worker.h).
 */
int jq_program_run(struct jq_program *, const struct json *, uint32_t node,
    size_t max, struct buf *out, struct buf *detail);

#endif
