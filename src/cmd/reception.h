/*
 * What ev-listen does with a request: who may send, what is in it, and the
 * answer, which says 202 when all of it is on disk.
 */
#ifndef CMD_RECEPTION_H
#define CMD_RECEPTION_H

#include "cmd/stage.h"
#include "net/listen.h"
#include "store/batch.h"
#include "store/tokens.h"

enum { RECEPTION_STATUSES = 16 }; /* that occur; there are fewer */

struct reception {
	struct events *events;
	struct tokens tokens;
	bool failed;          /* for good: what comes is not taken any more */
	/* for reception.c alone. */
	struct stage *stage;
	bool needs_token;
	bool ailing;          /* the last transaction failed, */
	bool unsure;          /* and nobody knows what of it is on disk */
	int64_t probe_ms;     /* when /health may try one again */
	bool told;            /* that it is ailing, */
	int64_t tell_ms;      /* and not again before that */
	int64_t give_up_ms;   /* on another process that holds the queue */
	struct batch batch;
	struct fault fault;
	struct buf answer;
	struct waiting {      /* requests whose events are in the batch */
		struct listen_request *request;
		size_t from, n;
	} *waiting;
	size_t n_waiting, cap_waiting;
	uint64_t n_pushed, n_repeats;
	struct { /* status 0 ends them */
		unsigned status;
		uint64_t n;
	} answers[RECEPTION_STATUSES];
	struct histogram durations;
};

/* events and, if they are needed, tokens are open. */
void reception_open(struct reception *, struct stage *, bool needs_token);
void reception_close(struct reception *);

/* As admit of a struct listener_options. */
bool reception_admit(void *reception, struct listen_request *,
    struct listen_answer *);

/* As its answered. */
void reception_count(void *reception, unsigned status, const char *refused,
    int64_t us);

/* Add what was counted. */
void reception_put_metrics(const struct reception *, struct exposition *);

/*
 * Take in all requests that are complete, store, and answer. While another process
 * holds the queue they wait, and it is to be called again at reception_wake_ms
 * (monotonic; -1: nothing waits).
 */
void reception_take(struct reception *, struct listener *);
int64_t reception_wake_ms(const struct reception *);

/* Wait no more: what does is answered by 503. */
void reception_stop(struct reception *);

#endif
