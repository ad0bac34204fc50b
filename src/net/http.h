/*
 * HTTP exchanges, many at once: a request in, a result out (RFC 9110, 9112).
 */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "net/guard.h"
#include "net/sign.h"

enum {
	HTTP_MAX_HEADER_BYTES = 16 * 1024, /* of an answer: Node's limit */
	HTTP_MAX_BODY_BYTES = 64 * 1024,   /* read of an answer, then closed */
	HTTP_KEPT_BODY_BYTES = 1024,       /* of an answer, for the record */
	HTTP_BODY_MS = 1000, /* that a body may take after its head */
	HTTP_MAX_OWN_FIELDS = 1 + 32,      /* of one request: see own_fields */
	HTTP_CONNECTION_FILES = 3,         /* that one has open at most */
};

/* Why an exchange gave no usable answer (reason codes of DESIGN.md 2). */
enum http_failure {
	HTTP_ANSWERED, /* status is set; it is the receiver's word */
	HTTP_DNS, HTTP_CONNECT, HTTP_TLS, HTTP_TIMEOUT, HTTP_TOO_LARGE,
	HTTP_PROTOCOL, HTTP_ABORTED,
	HTTP_BLOCKED, /* net/guard.h: nothing was dialled */
};

/* What a receiver may ask by the field webhook-delivery. */
enum http_wish { HTTP_NO_WISH, HTTP_WISH_DISABLE, HTTP_WISH_ABORT };

/* A URL and what every request to it carries, prepared once. */
struct http_target;

struct http_target_spec {
	const char *url; /* url_dial's */
	/* "Name: value" lines as sent, in their order, Content-Type and
	 * User-Agent among them. */
	const char *const *fields;
	size_t n_fields;
	/* PEM; NULL: none. Of the CA: the system's, or that of http_options. */
	const char *ca, *certificate, *private_key;
	struct signer *signer; /* taken over; NULL: requests are not signed */
};

/* Texts are copied. */
struct http_target *http_target_new(const struct http_target_spec *);
void http_target_free(struct http_target *);

/* What it is made of, borrowed; NULL: none. */
const char *http_target_url(const struct http_target *);
/* The field at *at, which is 0 for the first, as sent. False: no more. */
bool http_target_field(const struct http_target *, size_t *at, struct span *);
const char *http_target_ca(const struct http_target *);
bool http_target_has_certificate(const struct http_target *);
struct signer *http_target_signer(const struct http_target *);

/* All that it points to is borrowed until the result is out. */
struct http_request {
	const struct http_target *target;
	const char *own_fields[HTTP_MAX_OWN_FIELDS]; /* of this request, sent
	                                              * first; NULL ends */
	struct span id;               /* webhook-id, where it is signed */
	struct span body;
	int64_t connect_ms, total_ms; /* limits */
	void *user;                   /* comes back in the result */
};

struct http_result {
	void *user;
	enum http_failure failure;
	int status;         /* 0: none */
	int64_t duration_us;
	/* Since its begin: name known, connected, TLS done, first byte; 0: not
	 * reached, or the connection was open already. */
	int64_t dns_us, connect_us, tls_us, first_us;
	int64_t retry_after_ms; /* -1: not asked for */
	enum http_wish wish;
	struct span body;   /* the first HTTP_KEPT_BODY_BYTES; until http_send */
	char error[256];    /* text for failure; no URL, no payload */
};

struct http; /* the exchanges under way and the idle connections */

struct http_options {
	size_t max_files;            /* that all connections may have open */
	const char *ca_file;         /* NULL: the system's */
	const char *const *connect_to; /* HOST:PORT:ADDR:PORT as curl(1), NULL
	                                * ends; NULL: none */
	const char *proxy;          /* http(s)://HOST:PORT; NULL: none. It is
	                             * trusted, and what it dials is not seen */
	const struct guard *guard;  /* borrowed */
};

/* NULL with the error. One at a time in a process. */
struct http *http_open(const struct http_options *, struct error *);
void http_close(struct http *); /* what is under way is dropped */

/* Start an exchange. */
void http_send(struct http *, const struct http_request *);

/* A finished exchange, if there is one. */
bool http_next(struct http *, struct http_result *);

/*
 * Let the exchanges move; wait until one is finished, one of the n descriptors
 * is ready (poll(2), revents set), or the deadline (monotonic ms; -1: none) has
 * passed; it may come back earlier. 0, or -1 with the error.
 */
struct pollfd;
int http_wait(struct http *, struct pollfd *, size_t n, int64_t deadline_ms,
    struct error *);

#endif
