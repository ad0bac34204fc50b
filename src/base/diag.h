/*
 * Diagnostics: one line each on stderr, "ev-route: line 12: cannot open 'x'",
 * with the level for journald where stderr is the journal (sd-daemon(3)).
 */
#ifndef BASE_DIAG_H
#define BASE_DIAG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

enum diag_level { DIAG_ERROR = 3, DIAG_WARNING = 4, DIAG_NOTICE = 5,
	DIAG_INFO = 6 };

struct diag {
	const char *program;
	const char *file; /* the operand being read; NULL for stdin */
	uint64_t line;    /* the line being worked on; 0: none */
	bool journal;
	bool verbose; /* -v: values out of payloads may be shown */
	const char *erase; /* what takes a progress line away; NULL: none */
};

void diag_open(struct diag *, const char *program);

/*
 * A text of several lines becomes as many diagnostics. Control characters in it
 * are shown as diag_foreign does.
 */
void diag_print(const struct diag *, enum diag_level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Add foreign text: UTF-8 kept, bad bytes, control characters and those that turn
 * the writing round as \xNN, cut after max_bytes with "...".
 */
void diag_foreign(struct buf *, struct span, size_t max_bytes);

#endif
