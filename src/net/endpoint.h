/*
 * Where a connection goes: a host and a port, and detours on the way to it.
 */
#ifndef NET_ENDPOINT_H
#define NET_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "net/guard.h"

struct endpoint {
	char *host;    /* an IPv6 address without brackets */
	unsigned port; /* 0: none given */
	bool literal;  /* host is an address: this one */
	struct ip ip;
};

/* Of a URL as url_dial makes it. */
void endpoint_of_url(struct endpoint *, const char *dial);
void endpoint_clear(struct endpoint *);

/* "HOST:PORT:ADDR:PORT" as in curl(1) --connect-to. */
struct detour {
	struct endpoint from, to; /* host "" or port 0: any; the same */
};

/* 0, or -1 with the reason. detour_clear in either case. */
int detour_parse(struct detour *, const char *text, struct error *);
void detour_clear(struct detour *);

/*
 * The index of the first detour that the endpoint falls under, whose way *to
 * is then set to (it borrows from both); n: none, and *to is from.
 */
size_t detour_find(const struct detour *, size_t n, const struct endpoint *from,
    struct endpoint *to);

#endif
