/*
 * Host names to addresses. A thread is given a lookup that it alone owns, and
 * hands it back as a pointer through a pipe; nothing else is shared.
 */
#include "net/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "json/siphash.h"

enum {
	BUCKETS = 1024,
	STACK_BYTES = 512 * 1024, /* of a lookup: plenty for getaddrinfo */
};

struct lookup {
	struct host *host;
	char *name;
	int reply; /* where the lookup goes when it is done */
	struct ip *list;
	size_t n;
};

struct resolver {
	int replies[2];
	size_t n_pending;
	uint64_t seed[2];
	struct host *buckets[BUCKETS];
};

static bool
take_address(const struct sockaddr *sa, struct ip *ip)
{
	*ip = (struct ip){ .v6 = sa->sa_family == AF_INET6 };
	if (sa->sa_family == AF_INET)
		memcpy(ip->byte, &((const struct sockaddr_in *)
		    (const void *)sa)->sin_addr, 4);
	else if (ip->v6)
		memcpy(ip->byte, &((const struct sockaddr_in6 *)
		    (const void *)sa)->sin6_addr, 16);
	else
		return false;
	return true;
}

static void
lookup_free(struct lookup *l)
{
	free(l->name);
	free(l->list);
	free(l);
}

static void *
look_up(void *arg)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct lookup *l = arg;
	struct addrinfo *all = NULL, *a;
	size_t cap = 0;

	if (getaddrinfo(l->name, NULL, &hints, &all) == 0) {
		for (a = all; a; a = a->ai_next) {
			l->list = alloc_grow(l->list, &cap, l->n + 1,
			    sizeof(*l->list));
			l->n += take_address(a->ai_addr, &l->list[l->n]);
		}
		freeaddrinfo(all);
	}
	/* A pointer is less than PIPE_BUF: whole or, nobody there, not. */
	if (write(l->reply, &l, sizeof(struct lookup *)) < 0)
		lookup_free(l);
	return NULL;
}

struct resolver *
resolver_open(struct error *e)
{
	struct resolver *r = alloc_zero(1, sizeof(*r));

	if (pipe(r->replies) < 0) {
		error_set(e, "pipe: %s", strerror(errno));
		free(r);
		return NULL;
	}
	(void)fcntl(r->replies[0], F_SETFD, FD_CLOEXEC);
	(void)fcntl(r->replies[1], F_SETFD, FD_CLOEXEC);
	(void)fcntl(r->replies[0], F_SETFL, O_NONBLOCK);
	r->seed[0] = (uint64_t)clock_mono_us();
	return r;
}

static void
host_free(struct host *h)
{
	free(h->name);
	free(h->list);
	free(h);
}

void
resolver_close(struct resolver *r)
{
	struct host *h, *next;
	size_t i;

	if (!r)
		return;
	for (i = 0; i < BUCKETS; i++)
		for (h = r->buckets[i]; h; h = next) {
			next = h->next;
			host_free(h);
		}
	close(r->replies[0]);
	/* Threads that write to it yet must not find another file there. */
	if (r->n_pending == 0)
		close(r->replies[1]);
	free(r);
}

/* Signals are the main thread's. */
static int
start_thread(struct lookup *l)
{
	pthread_attr_t attr;
	sigset_t all, before;
	pthread_t id;
	int code = pthread_attr_init(&attr);

	if (code)
		return code;
	(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	code = pthread_create(&id, &attr, look_up, l);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attr);
	return code;
}

static int
start(struct resolver *r, struct host *h, struct error *e)
{
	struct lookup *l = alloc_zero(1, sizeof(*l));
	int code;

	l->host = h;
	l->name = alloc_copy(h->name, strlen(h->name));
	l->reply = r->replies[1];
	code = start_thread(l);
	if (code) {
		lookup_free(l);
		return error_set(e, "cannot look up a name: %s",
		    strerror(code));
	}
	h->pending = true;
	r->n_pending++;
	return 0;
}

/* The name's host in its bucket, or NULL; the old ones there are dropped. */
static struct host *
search(struct host **at, const char *name, int64_t now_ms)
{
	struct host *h, *found = NULL;

	while ((h = *at)) {
		if (strcmp(h->name, name) == 0) {
			found = h;
		} else if (!h->pending && h->expires_ms <= now_ms) {
			*at = h->next;
			host_free(h);
			continue;
		}
		at = &h->next;
	}
	return found;
}

struct host *
resolver_find(struct resolver *r, const char *name, struct error *e)
{
	int64_t now_ms = clock_coarse_ms();
	struct host **bucket = &r->buckets[siphash13(r->seed, name,
	    strlen(name)) % BUCKETS];
	struct host *h = search(bucket, name, now_ms);

	if (!h) {
		h = alloc_zero(1, sizeof(*h));
		h->name = alloc_copy(name, strlen(name));
		h->next = *bucket;
		*bucket = h;
	}
	if (h->pending || h->expires_ms > now_ms)
		return h;
	return start(r, h, e) < 0 ? NULL : h;
}

int
resolver_fd(const struct resolver *r)
{
	return r->n_pending ? r->replies[0] : -1;
}

void
resolver_take(struct resolver *r)
{
	int64_t now_ms = clock_coarse_ms();
	struct lookup *l;

	while (read(r->replies[0], &l, sizeof(struct lookup *)) ==
	    (ssize_t)sizeof(struct lookup *)) {
		struct host *h = l->host;

		r->n_pending--;
		h->pending = false;
		free(h->list);
		h->list = l->list;
		h->n = l->n;
		h->clear = false;
		/* That there is none is not kept: it may come. */
		h->expires_ms = h->n ? now_ms + RESOLVE_KEEP_MS : 0;
		l->list = NULL;
		lookup_free(l);
	}
}
