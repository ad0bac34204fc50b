/*
 * FILE operands or stdin, one after the other, line by line, for a program
 * that waits for more than its input: it polls the descriptor itself. The
 * rules are stage_run's.
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
};

/* operands as stage_run takes them; NULL or none: stdin. */
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

/* Read once. A failure ends the operand and makes the exit code EX_SYSTEM. */
void source_fill(struct source *, struct stage *);

#endif
