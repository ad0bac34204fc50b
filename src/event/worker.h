/*
 * A worker: a forked process that answers requests, one after the other, for
 * what can't be trusted to end. libjq can be neither interrupted nor kept from
 * aborting, so a jq program runs where it can be killed: whoever uses more
 * processor time or memory than allowed dies, and costs the request that it
 * died of. The rest goes to a new process.
 *
 * It has none of the parent's descriptors and no environment, and dies with the
 * parent. event/workers.h is how it is used.
 */
#ifndef EVENT_WORKER_H
#define EVENT_WORKER_H

#include <poll.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

/* What a request may add to the memory of the process. */
#define WORKER_MEMORY_BYTES ((uint64_t)256 << 20)

enum { WORKER_LIMIT_MS = 1000 }; /* processor time of a request, by default */

struct worker;

/*
 * In the worker: add the answer to a request, behind which BUF_PAD bytes are
 * readable. ctx is what the parent had when the worker was started.
 */
typedef void worker_answer(void *ctx, struct span request, struct buf *answer);

/* limit_ms: processor time for a request. */
struct worker *worker_new(worker_answer *, void *ctx, int64_t limit_ms);
void worker_free(struct worker *);

/* Start the process, unless it runs. 0, or -1 with the error. */
int worker_start(struct worker *, struct error *);

/* End the process, for ctx changed; nothing may be unanswered. */
void worker_stop(struct worker *);

/* Does not wait: requests are held, and written when it suits. */
void worker_send(struct worker *, struct span request);

/* How many bytes of requests are unanswered. */
size_t worker_load(const struct worker *);

/*
 * Write what it takes of the requests. What to poll for (fd -1: nothing), and
 * then to worker_read if there is more than POLLOUT. wanted: an answer is waited
 * for; otherwise some are read ahead, so that it can go on.
 */
struct pollfd worker_poll(struct worker *, bool wanted);
void worker_read(struct worker *);

enum worker_status {
	WORKER_ANSWERED,
	WORKER_TIMEOUT, /* it took too long: no answer */
	WORKER_DIED,    /* out of memory, or libjq's fault: no answer */
	WORKER_BUSY,    /* not yet: see that it runs, poll */
	WORKER_FAILED,  /* the system: no process can be started */
};

/*
 * What became of the oldest request, if that is known: never WORKER_FAILED. Both
 * are valid until the next worker_send or worker_read.
 */
enum worker_status worker_take(struct worker *, struct span *request,
    struct span *answer);

/*
 * In the worker, around what is not the request's fault, like compiling: it
 * does not count.
 */
struct worker_limits {
	struct itimerval left;
	struct rlimit memory;
};
void worker_lift_limits(struct worker_limits *);
void worker_restore_limits(const struct worker_limits *);

/* Parts of a request or answer, one behind the other. */
void part_put(struct buf *, struct span);
struct span part_take(struct span *rest); /* they are our own: no error */

#endif
