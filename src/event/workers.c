/*
 * Several workers. Each request goes to the one with the least to do, and a queue
 * tells whose answer is the next.
 */
#include "event/workers.h"

#include <assert.h>
#include <unistd.h>

#include "base/alloc.h"

enum {
	WORKERS_MAX = 2, /* what comes behind a map or filter takes longer */
	FULL_BYTES = 16 * 1024, /* a worker that has so much is busy */
};

struct workers {
	struct worker *list[WORKERS_MAX];
	size_t n, max;    /* in use; that may be */
	struct buf order; /* of each request a byte: which worker has it */
	size_t first;     /* the oldest unanswered one, in order */
	bool answered;    /* since the last start of one */
};

struct workers *
workers_new(worker_answer *answer, void *ctx, int64_t limit_ms)
{
	struct workers *ws = alloc_zero(1, sizeof(*ws));
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	size_t i;

	ws->n = 1;
	ws->max = processors < 1 ? 1 : processors > WORKERS_MAX ?
	    WORKERS_MAX : (size_t)processors;
	for (i = 0; i < ws->max; i++)
		ws->list[i] = worker_new(answer, ctx, limit_ms);
	return ws;
}

void
workers_stop(struct workers *ws)
{
	size_t i;

	for (i = 0; i < ws->n; i++)
		worker_stop(ws->list[i]);
	ws->n = 1;
	ws->answered = false;
}

void
workers_free(struct workers *ws)
{
	size_t i;

	if (!ws)
		return;
	for (i = 0; i < WORKERS_MAX; i++)
		worker_free(ws->list[i]);
	buf_clear(&ws->order);
	free(ws);
}

/* Which worker the next request is for. */
static size_t
choose(struct workers *ws)
{
	struct error ignored;
	size_t best = 0, i;

	for (i = 1; i < ws->n; i++)
		if (worker_load(ws->list[i]) < worker_load(ws->list[best]))
			best = i;
	if (ws->n == ws->max || !ws->answered ||
	    worker_load(ws->list[best]) < FULL_BYTES)
		return best;
	if (worker_start(ws->list[ws->n], &ignored) != 0) {
		ws->max = ws->n; /* those that run will do */
		return best;
	}
	ws->answered = false;
	return ws->n++;
}

void
workers_send(struct workers *ws, struct span request)
{
	size_t i = choose(ws);

	buf_putc(&ws->order, (char)i);
	worker_send(ws->list[i], request);
}

/* Let all go on until one has something. -1: the wanted one can't be started. */
static int
exchange(struct workers *ws, struct worker *wanted, struct error *e)
{
	struct pollfd pfds[WORKERS_MAX];
	size_t i;

	for (i = 0; i < ws->n; i++) {
		struct worker *w = ws->list[i];

		if (worker_load(w) && worker_start(w, e) != 0 && w == wanted)
			return -1;
		pfds[i] = worker_poll(w, w == wanted);
	}
	(void)poll(pfds, (nfds_t)ws->n, -1);
	for (i = 0; i < ws->n; i++)
		if (pfds[i].revents & ~POLLOUT)
			worker_read(ws->list[i]);
	return 0;
}

enum worker_status
workers_receive(struct workers *ws, struct span *request, struct span *answer,
    struct error *e)
{
	enum worker_status status;
	struct worker *w;

	assert(ws->first < ws->order.len);
	w = ws->list[(unsigned char)ws->order.p[ws->first]];
	while ((status = worker_take(w, request, answer)) == WORKER_BUSY)
		if (exchange(ws, w, e) != 0)
			return WORKER_FAILED;
	ws->answered = true;
	ws->first++;
	if (ws->first * 2 >= ws->order.len) {
		ws->order.len -= ws->first;
		memmove(ws->order.p, ws->order.p + ws->first, ws->order.len);
		ws->first = 0;
	}
	return status;
}
