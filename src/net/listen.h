/*
 * An HTTP/1.1 server for requests that are answered when something is on disk:
 * one thread, the caller's poll loop, several requests at a time. Nothing above
 * this header knows libmicrohttpd.
 *
 *	while (listener_wait(l, fd, e) == 0) {
 *		while ((r = listener_next(l)))
 *			...		gather; then, for each that was gathered:
 *		listen_answer(r, &answer);
 *	}
 *
 * Requests that are complete at the same time come one behind the other, so that
 * one commit can serve them all.
 */
#ifndef NET_LISTEN_H
#define NET_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

struct listener;
struct listen_request;

struct listen_answer {
	unsigned status;
	struct span body;        /* JSON; copied */
	const char *field, *value; /* one more header field; NULL: none */
};

struct listener_options {
	const int *fds;          /* net/bind.h; closed by listener_close */
	size_t n_fds;
	size_t max_connections;
	size_t max_body_bytes;   /* of a request */
	size_t max_held_bytes;   /* of all bodies that are held at a time */
	int64_t request_ms;      /* from a request's first line to its end, and
	                          * for the client to take the answer */
	int64_t idle_ms;         /* from one request to the next */
	/*
	 * The head of a request is there: false, with the answer, to refuse it
	 * before its body is taken. listen_method and so on tell about it.
	 */
	bool (*admit)(void *ctx, struct listen_request *,
	    struct listen_answer *);
	/* For counting: a request gets this answer, so long after its head.
	 * refused: why, if it was refused here; or NULL. */
	void (*answered)(void *ctx, unsigned status, const char *refused,
	    int64_t us);
	void *ctx;
};

/* NULL with the error. */
struct listener *listener_open(const struct listener_options *, struct error *);
void listener_close(struct listener *); /* NULL is fine */

/*
 * Accept, read and write; wait until a request is complete, also_fd is readable
 * or the deadline (monotonic ms; -1: none) has passed; it may come back earlier.
 * 0, or -1 with the error.
 */
int listener_wait(struct listener *, int also_fd, int64_t deadline_ms,
    struct error *);

/* A complete request, to be answered at once or later; NULL: none now. */
struct listen_request *listener_next(struct listener *);

/* What is read of it is borrowed until it is answered. */
struct span listen_method(const struct listen_request *);
struct span listen_path(const struct listen_request *); /* without its query */
struct span listen_field(const struct listen_request *, const char *name);
struct span listen_body(struct listen_request *); /* it may be written to;
                                                   * BUF_PAD bytes behind it */

void listen_answer(struct listen_request *, const struct listen_answer *);

/*
 * Take no more connections, and close each with its next answer; the next wait
 * reads what was sent already.
 */
void listener_stop(struct listener *);

/* Is no request under way? */
bool listener_is_idle(const struct listener *);

size_t listener_connections(const struct listener *);

#endif
