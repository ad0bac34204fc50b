/*
 * The loop of ev-pull: feeds events and barriers to a command, acknowledges the
 * events before a barrier that came back, and deals with a command that dies
 * (DESIGN.md section 6).
 */
#ifndef CMD_PULL_H
#define CMD_PULL_H

#include "cmd/command.h"
#include "cmd/stage.h"
#include "store/events.h"
#include "store/window.h"

enum { PULL_SESSION_BYTES = 16 };

struct pull {
	struct stage *stage;
	struct events *events;
	const char *path;    /* -q */
	char **argv;         /* of the command */
	int64_t barrier_ms;  /* --barrier-timeout */
	int64_t grace_ms;    /* --grace */
	bool drain;          /* --drain: end when nothing is left */

	struct window window;
	struct command command;
	struct buf feed;     /* to be written to it, */
	size_t feed_at;      /* from here on */
	char session[2 * PULL_SESSION_BYTES];
	int64_t issued, back; /* barriers of the session */
	int64_t first_fed_ms; /* the first event behind the last barrier */
	int64_t active_ms;   /* it took or gave something */
	int64_t nudge_ms;    /* when the next nudge is due, and how many */
	unsigned n_nudges;   /* there were since the last barrier came back */
	bool nudged;         /* nothing else was fed since the last one */
	bool hungry;         /* there may be more events */
	bool proven;         /* a barrier 0 came back, once */
	unsigned n_early;    /* deaths in a row before a barrier 0 */
	unsigned n_futile;   /* ends in a row with nothing acknowledged */
	int64_t start_ms;    /* when to start it again; -1: it runs */
	int64_t end_ms;      /* when its end is not waited for any more; -1 */
	bool stopping;       /* no more is fed, */
	bool terminated;     /* it was told to end, and is killed next */
	bool failed;         /* nothing is acknowledged any more */
	int64_t from, to;    /* tags to be acknowledged; from 0: none */
	int signals;

	/* For --metrics. */
	uint64_t n_fed, n_acked, n_buried, n_starts, n_deaths;
	int64_t issued_us[WINDOW_MAX_MARKS]; /* barriers, by their number */
	struct histogram barriers;           /* how long they took */
};

/* Until it is stopped, drained or failed; the stage has the exit code. */
void pull_run(struct pull *);

#endif
