/*
 * What all programs do around a record: options they share, diagnostics,
 * rejects, exit code. The loop over FILE operands or stdin is cmd/source.h.
 */
#ifndef CMD_STAGE_H
#define CMD_STAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/exitcode.h"
#include "base/out.h"
#include "base/span.h"
#include "cmd/metrics.h"
#include "cmd/progress.h"
#include "event/event.h"
#include "event/reject.h"

/* Where events enter and between stages (DESIGN.md section 5). */
#define STAGE_EVENT_MAX_LINE ((size_t)1 << 20)
#define STAGE_CALL_MAX_LINE ((size_t)4 << 20)

enum { STAGE_REASONS = 64 }; /* codes of reasons; there are fewer */

struct stage {
	struct diag diag;
	struct reject reject;
	struct append unmatched; /* ev-route's --unmatched */
	struct out out;
	struct progress progress;
	struct metrics metrics;
	const char *reject_path; /* -r */
	size_t max_line;         /* --max-line */
	enum exitcode code;      /* the worst so far */
	const char *no_barrier;  /* why none can be passed on; NULL: they can */
	struct span input;       /* the line being worked on */
	uint64_t input_bytes;    /* of an oversize line; else 0 */
	uint64_t n_lines, n_bytes; /* read so far */
	struct {
		char *code;
		uint64_t n;
	} reasons[STAGE_REASONS]; /* of rejects; code NULL ends them */
	/* Finish the lines that are still on their way; or NULL. */
	void (*drain)(struct stage *, void *ctx);
};

/* getopt_long values of the long options that have no letter; others follow. */
enum { OPT_MAX_LINE = 256, OPT_METRICS, OPT_PROGRESS, OPT_NO_PROGRESS,
	OPT_OWN };

void stage_init(struct stage *, const char *program, size_t max_line);

/*
 * The options all stages share: -r -v --max-line --metrics --progress
 * --no-progress. true if c was one. A bad value ends the program with 2.
 */
bool stage_option(struct stage *, int c, const char *arg);

/* "usage: …" on stderr, exit 2; with -h the same on stdout, exit 0. */
_Noreturn void stage_usage(const struct stage *, const char *usage);
_Noreturn void stage_help(const char *usage);
_Noreturn void stage_version(const struct stage *);

/*
 * A diagnostic and the end, with exit code 2 or 3. Records that were ready are
 * written first.
 */
_Noreturn void stage_die(struct stage *, enum exitcode, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));

/* Open the rejects file (after the options were read); dies with 2. */
void stage_open(struct stage *);

/*
 * Reject the line being worked on: a record, a diagnostic (error text only
 * where it holds no payload value: `detail` goes to the record and, with -v,
 * to stderr), and exit code 1 at the end. Dies with 3 if it can't be written.
 */
void stage_reject(struct stage *, const char *reason, struct span error,
    struct span detail);
void stage_reject_fault(struct stage *, const struct fault *);

/* Add what all stages count. */
void stage_put_metrics(const struct stage *, struct exposition *);

/*
 * Let there be descriptors for n connections and some more, or fewer if the
 * system allows no more. For how many there are.
 */
size_t stage_raise_files(size_t n, size_t spare);

/* The exit code is to be this at least. */
void stage_worsen(struct stage *, enum exitcode);

/* Flush and close all; the exit code. */
int stage_close(struct stage *);

#endif
