/*
 * What a receiver does with its requests: steps, one a request in turn. The
 * answers are made when the script is read, so that answering only sends.
 * hook-sink(1) describes the language.
 */
#ifndef NET_SINK_SCRIPT_H
#define NET_SINK_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

enum sink_then { /* when the answer is sent */
	SINK_KEEP,    /* wait for the next request */
	SINK_CLOSE,
	SINK_RESET,   /* close with RST */
	SINK_HANG,    /* until the sender gives up */
	SINK_ENDLESS, /* go on sending, as fast as it goes */
	SINK_DRIP,    /* go on sending, a byte each drip_ms */
};

struct sink_step {
	const char *action; /* its first word; static */
	int status;         /* of the answer; 0: it has none */
	int64_t delay_ms;   /* before the answer */
	int64_t drip_ms;
	struct buf answer;
	enum sink_then then;
};

struct sink_script {
	struct sink_step *steps;
	size_t n_steps, cap_steps;
	size_t at; /* the next one */
	bool loop; /* begin again at the end; else the last one repeats */
};

void sink_script_clear(struct sink_script *);

/* Read the steps of a text or file; 0, or -1 with the error and its line. */
int sink_script_parse(struct sink_script *, struct span text, struct error *);
int sink_script_load(struct sink_script *, const char *path, struct error *);

/* A script of one step: `status N`, N from 200 to 999. */
void sink_script_status(struct sink_script *, int status);

/*
 * The step for the next request; valid until the script is cleared. The script
 * must have been read.
 */
const struct sink_step *sink_script_next(struct sink_script *);

/*
 * Add an answer without a body: status line, Content-Length unless the status
 * has none (RFC 9110 section 8.6), the fields (lines that end in CRLF).
 */
void sink_put_answer(struct buf *, int status, struct span fields);

#endif
