/*
 * A line on stderr that says how far long work has come: how many records, how
 * many a second, how much of the files. It stands below the diagnostics, is
 * written when the program has come back to reading and some time has passed
 * (no timer), and not before a second has.
 */
#ifndef CMD_PROGRESS_H
#define CMD_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"

enum progress_wish {
	PROGRESS_AUTO, /* on a terminal, of files, whose output goes elsewhere:
	                * of a pipeline, by the stage that reads the file */
	PROGRESS_ON,   /* if stderr is no terminal, a line now and then */
	PROGRESS_OFF,
};

struct progress {
	enum progress_wish wish;
	bool on;
	bool live;        /* the line is written over and over */
	bool shown;       /* it stands there now, or did */
	int64_t start_ms, due_ms;
	int64_t mark_ms;  /* what the rate is counted from: a time */
	uint64_t mark_n;  /* and the records then */
	uint64_t n_rejected;
};

/* from_files: the input is regular files. Before it, nothing is on. */
void progress_start(struct progress *, bool from_files);

/* Is it time to write it? */
bool progress_is_due(const struct progress *);

/*
 * Write it. n: records so far; part: of the input, from 0 to 1, or negative:
 * not known. From now on diagnostics erase it before them.
 */
void progress_show(struct progress *, struct diag *, uint64_t n, double part);

/* The last line, which stays, if the work was long or it was asked for. */
void progress_end(struct progress *, struct diag *, uint64_t n);

#endif
