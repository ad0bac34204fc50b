/*
 * FILE operands or stdin (none, or "-"), one after the other, line by line:
 * source_run for a filter; the rest for a program that waits for more than its
 * input and polls the descriptor itself.
 */
#ifndef CMD_SOURCE_H
#define CMD_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/line.h"
#include "cmd/stage.h"

enum source_status {
	SOURCE_LINE, /* in stage->input, until the next call */
	SOURCE_WAIT, /* poll `fd` for reading, then source_fill */
	SOURCE_END,
};

struct source {
	char **operands; /* those still to come, NULL ends */
	struct line_reader lines;
	bool open, ended;
	bool starved;     /* no whole line is held */
	const char *file; /* NULL: stdin */
	uint64_t line;    /* number of the last one taken */
	uint64_t n_before;     /* lines of the operands before */
	uint64_t bytes_before; /* and their bytes */
	uint64_t bytes;        /* of all operands; 0: some are no files */
};

/* operands: NULL ends them; NULL or none: stdin. */
void source_open(struct source *, char **operands);
void source_close(struct source *); /* SOURCE_END from now on */

/*
 * The next line that is not blank; the stage's diagnostics name it. Oversize
 * lines are rejected. A file that can't be opened ends it and makes the exit
 * code EX_SETUP.
 */
enum source_status source_take(struct source *, struct stage *);

/* After SOURCE_WAIT: the descriptor to poll. */
static inline int
source_fd(const struct source *in)
{
	return in->lines.fd;
}

/* Wait for something to read; metrics are written meanwhile. */
void source_wait(const struct source *, struct stage *);

/* Read once. A failure ends the operand and makes the exit code EX_SYSTEM. */
void source_fill(struct source *, struct stage *);

/* Lines taken of all operands. */
static inline uint64_t
source_lines(const struct source *in)
{
	return in->n_before + in->line;
}

/* How much of all operands was read, 0 to 1; negative: nobody knows. */
double source_part(const struct source *);

/*
 * A filter's loop: each is called for every line that is not blank, with the
 * line in stage->input and BUF_PAD bytes readable behind it, but for barriers,
 * which are passed on; stdout is flushed before a read would block; both after
 * stage->drain, if there is one. A reader of
 * stdout that is gone ends it quietly.
 */
void source_run(struct stage *, char **operands,
    void (*each)(struct stage *, void *ctx), void *ctx);

#endif
