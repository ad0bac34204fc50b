/*
 * Connections. libcurl makes them: it tries a host's addresses in turn, speaks
 * TLS and asks proxies. It is held to the addresses of the way (net/way.h), and
 * what it opens a socket for is judged once more (net/guard.h). Then bytes go in
 * and out; nothing above this header knows libcurl.
 */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "net/http.h"
#include "net/way.h"

struct dialer;

/* Certificates are verified by the CA file; NULL: the system's. NULL with the
 * error. One at a time in a process; the ways are borrowed. */
struct dialer *dialer_open(const struct ways *, const char *ca_file,
    struct error *);
void dialer_close(struct dialer *); /* connections are closed first */

enum connection_state {
	CONNECTION_PENDING, CONNECTION_OPEN, CONNECTION_FAILED,
	CONNECTION_CLOSED, /* and freed by the next dialer_next */
};

struct connection {
	struct connection *next, *prev; /* in a list of dial.c */
	enum connection_state state;
	bool readable;  /* there may be something, or the end, to be received */
	bool ended;     /* after which there is nothing more */
	enum http_failure failure;      /* CONNECTION_FAILED, and why; why */
	struct error why;               /* also where it breaks */
	int64_t connect_us, tls_us;     /* after dialer_dial; 0: not */
	/* Of the caller. */
	void *user;
	char *key;                      /* freed with the connection */
	uint64_t hash;
	int64_t idle_ms;
	struct connection *newer, *older; /* when they became idle */
	struct connection *below;         /* in a bucket */
	/* Of dial.c. */
	struct dialer *dialer;
	struct handle *handle; /* libcurl's; NULL: it is done with it */
	int fd;                /* -1: libcurl reads and writes */
	bool tls, untold;
};

struct dial {
	const char *url;
	const struct way *way;        /* judged just before */
	const char *ca, *certificate, *private_key; /* PEM, borrowed while the
	                                             * connection lives; NULL */
	int64_t connect_ms;           /* at most */
};

/* It comes out of dialer_next, be it open or failed. NULL with the error. */
struct connection *dialer_dial(struct dialer *, const struct dial *,
    struct error *);
void connection_close(struct connection *);

/* How many files all connections have open, or may before they are open. */
size_t dialer_files(const struct dialer *);

/*
 * Bytes that were sent or received; 0: not now, dialer_next says when;
 * CONNECTION_END: the peer has ended; CONNECTION_BROKEN: see why.
 */
enum { CONNECTION_END = -1, CONNECTION_BROKEN = -2 };
ssize_t connection_send(struct connection *, const void *, size_t);
ssize_t connection_receive(struct connection *, void *, size_t);

/*
 * The descriptor that is readable when a connection moves, and by when to call
 * dialer_next without that (monotonic ms; -1: never).
 */
int dialer_fd(const struct dialer *);
int64_t dialer_deadline(const struct dialer *);

/*
 * The next connection that became open or failed, or that is open and can be
 * received from or sent to again. NULL: none is left; then wait for dialer_fd.
 * One that was closed is freed in here and nowhere else.
 */
struct connection *dialer_next(struct dialer *);

#endif
