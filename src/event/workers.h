/*
 * Workers (event/worker.h): requests are spread over as many as there are
 * processors, WORKERS_MAX at most, and answers come in the order of requests.
 *
 * One is started at the first request. Another one costs another compilation of
 * the programs, so it is started in the midst of a stream, never for some lines.
 */
#ifndef EVENT_WORKERS_H
#define EVENT_WORKERS_H

#include "event/worker.h"

struct workers;

/* limit_ms: processor time for a request. */
struct workers *workers_new(worker_answer *, void *ctx, int64_t limit_ms);
void workers_free(struct workers *);

/* End the processes, for ctx changed; nothing may be unanswered. */
void workers_stop(struct workers *);

/* Does not wait: requests are held, and written when it suits. */
void workers_send(struct workers *, struct span request);

/*
 * Wait for the answer to the oldest request; WORKER_FAILED with the error. Both
 * are valid until the next workers_send or workers_receive.
 */
enum worker_status workers_receive(struct workers *, struct span *request,
    struct span *answer, struct error *);

#endif
