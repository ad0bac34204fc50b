/*
 * A report on deliveries as one page of HTML: style and SVG in it, no script, and
 * nothing that is fetched. All foreign text is escaped and kept apart (bdi).
 */
#ifndef CMD_REPORT_PAGE_H
#define CMD_REPORT_PAGE_H

#include "base/buf.h"
#include "store/history.h"

/* A webhook, or an origin of calls without one. */
struct report_row {
	char *name, *url;   /* NULL: not in the registry, or none is known */
	bool webhook, off;  /* disabled in the registry */
	bool removed;       /* a webhook that the registry lacks */
	struct history_lane lane; /* without its name */
	int64_t failed_ms;  /* the last failure; 0: none */
	int failed_status;
	char *reason, *error;
};

struct report_hour {
	int64_t hour;       /* since 1970, UTC */
	struct history_lane sums;
};

struct report_reason {
	char *code;
	int64_t n;
};

struct report {
	const char *queue;
	int64_t made_ms, since_ms;
	struct report_hour *hours; /* that had attempts, in their order */
	struct report_row *rows;
	struct report_reason *reasons;
	size_t n_hours, n_rows, n_reasons;
};

/* Rows are sorted: those that want a look come first. */
void report_page(struct report *, struct buf *);

#endif
