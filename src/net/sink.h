/*
 * A receiver of HTTP/1.1 requests for tests: many connections, one thread,
 * poll(2). It reads requests and carries out steps (net/sink_script.h); which
 * step a request gets, and what is told about it, is the caller's:
 *
 *	for (;;) {
 *		sink_send(s);
 *		if (sink_wait(s, stop_fd, e) != 0)
 *			break;
 *		while ((c = sink_next(s)))
 *			sink_answer(s, c, step);
 *	}
 *
 * What the caller writes between sink_next and sink_send is written before the
 * sender has its answer. SIGPIPE must be ignored.
 */
#ifndef NET_SINK_H
#define NET_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "net/sink_request.h"
#include "net/sink_script.h"

enum sink_phase {
	SINK_READING,  /* a request, or the wait for one */
	SINK_READY,    /* a request is whole, or broken: sink_next gives it */
	SINK_DELAYED,  /* the answer waits for the deadline */
	SINK_SENDING,  /* the answer */
	SINK_CONTINUING, /* sending 100, in the middle of a request */
	SINK_HANGING,
	SINK_POURING,  /* an endless body */
	SINK_DRIPPING, /* a byte of body at each deadline */
	SINK_LINGERING, /* our side is closed; the rest is read and dropped */
	SINK_CLOSED,
};

struct sink_conn {
	uint64_t number; /* counted from 1 */
	struct sink_request request;
	/* For sink.c alone. */
	enum sink_phase phase;
	int fd;
	struct buf in;        /* received; what is before at is used */
	size_t at;
	bool ended;           /* the sender has closed its side */
	bool owed;            /* an answer is, and not counted in n_done */
	enum sink_then then;
	struct span out;      /* what is left to send */
	struct buf refusal;
	int64_t deadline_ms;  /* monotonic; -1: none */
	int64_t drip_ms;
};

struct pollfd;

struct sink {
	uint64_t n_done; /* requests answered, or whose sender went away */
	int fd;          /* it listens: net/bind.h */
	/* For sink.c alone. */
	bool full; /* out of descriptors: no accept until one is closed */
	uint64_t n_accepted;
	struct sink_conn **conns;
	size_t n_conns, cap_conns;
	struct pollfd *polls; /* the stop descriptor, ours, then conns */
	size_t cap_polls;
	size_t next;    /* where sink_next looks */
	size_t n_fresh; /* made ready since the last sink_wait */
};

/* Listen on what bind_address takes. 0, or -1 with the error. */
int sink_open(struct sink *, const char *address, struct error *);
void sink_close(struct sink *);


/* Send answers, as far as it goes without waiting. */
void sink_send(struct sink *);

/*
 * Wait until something happens, and take it in. 0; 1 if stop_fd is readable;
 * -1 with the error.
 */
int sink_wait(struct sink *, int stop_fd, struct error *);

/*
 * A connection whose request is done (sink_request_done), valid until the next
 * sink_send; NULL: no more. One that is passed over is not given again before
 * the next sink_wait.
 */
struct sink_conn *sink_next(struct sink *);

/* Do the step, which must stay as it is until the sink is closed. */
void sink_answer(struct sink_conn *, const struct sink_step *);

/* A request in state SINK_BAD: answer its status and close. Not counted. */
void sink_refuse(struct sink_conn *);

#endif
