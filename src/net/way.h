/*
 * The way to an origin: round a detour, by a proxy, and whether it may be gone.
 * A name is resolved here and judged by all of its addresses; what is then
 * dialled is one of those (net/dial.h).
 */
#ifndef NET_WAY_H
#define NET_WAY_H

#include <stdbool.h>

#include "base/error.h"
#include "net/endpoint.h"
#include "net/http.h"
#include "net/resolve.h"

struct ways {
	const struct guard *guard;
	struct resolver *resolver;
	struct detour *detours;
	size_t n_detours;
	struct endpoint proxy; /* host NULL: none */
	bool proxy_tls;
};

struct way {
	struct endpoint to;          /* borrows its host */
	const struct detour *detour; /* NULL: none */
	struct host *host; /* the addresses to dial; NULL: an address as it is */
};

/* 0, or -1 with the error. ways_close in either case, and of zeroes. */
int ways_open(struct ways *, const struct http_options *, struct error *);
void ways_close(struct ways *);

/*
 * The way to an origin, if it may be gone, be it on a connection that is kept.
 * HTTP_ANSWERED: it may, unless way->host is pending: then ask way_judge once it
 * is not. Otherwise why not.
 */
enum http_failure way_find(struct ways *, const struct endpoint *, struct way *,
    struct error *why);
enum http_failure way_judge(const struct ways *, const struct way *,
    struct error *why);

/* Where the connection is made to: the proxy, or the origin. */
const struct endpoint *way_first_hop(const struct ways *, const struct way *);

/* Does the proxy want the whole URL in the request line? */
bool way_wants_url(const struct ways *, const struct way *, bool tls);

#endif
