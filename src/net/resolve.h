/*
 * Host names to addresses, all of them, so that they can be judged before one
 * is dialled: getaddrinfo(3) on a thread of its own for each name, answers
 * kept for a while. The caller polls a descriptor; nothing here waits.
 */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "net/guard.h"

enum { RESOLVE_KEEP_MS = 60 * 1000 };

struct host {
	struct host *next; /* for resolve.c alone, as is expires_ms */
	int64_t expires_ms;
	char *name;
	bool pending;      /* a lookup is under way */
	struct ip *list;   /* the answer */
	size_t n;          /* 0 and not pending: there is none */
	bool clear;        /* the caller's note on this answer: all well */
};

struct resolver;

struct resolver *resolver_open(struct error *); /* NULL with the error */
void resolver_close(struct resolver *); /* lookups under way are left to end */

/*
 * What is known of a name; if that is nothing, or too old, a lookup begins and
 * the host is pending. It stays valid while it is pending, and after that until
 * the next call of resolver_find. NULL with the error if no lookup can begin.
 */
struct host *resolver_find(struct resolver *, const char *name,
    struct error *);

/* Readable once a lookup is done; -1: none is under way. */
int resolver_fd(const struct resolver *);

/* Take in what is done: those hosts are pending no more. */
void resolver_take(struct resolver *);

#endif
