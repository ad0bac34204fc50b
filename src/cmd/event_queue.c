/*
 * The event queue, opened for a program.
 */
#include "cmd/event_queue.h"

/* It is about the queue, not the line at hand. */
static void
tell(void *ctx, const char *text)
{
	struct diag d = ((struct stage *)ctx)->diag;

	d.file = NULL;
	d.line = 0;
	diag_print(&d, DIAG_WARNING, "%s", text);
}

struct events *
event_queue_open(struct stage *s, const char *path, struct events_wishes w)
{
	struct events *events;
	struct error e;
	int r;

	w.tell = tell;
	w.ctx = s;
	r = events_open(&events, path, &w, &e);
	if (r < 0)
		stage_die(s, r == -1 ? EX_SETUP : EX_SYSTEM, "%s", e.text);
	return events;
}
