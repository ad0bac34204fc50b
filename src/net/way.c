/*
 * The way to an origin.
 */
#include "net/way.h"

#include <string.h>

#include "base/alloc.h"

/* All of a name's addresses, or none: who mixes them plays games. */
enum http_failure
way_judge(const struct ways *ws, const struct way *w, struct error *why)
{
	struct host *host = w->host;
	size_t i;

	if (host->n == 0) {
		error_set(why, "cannot resolve the %s's name",
		    ws->proxy.host ? "proxy" : "host");
		return HTTP_DNS;
	}
	/* A proxy is trusted. */
	for (i = 0; i < host->n && !host->clear && !ws->proxy.host; i++)
		if (guard_check(ws->guard, &host->list[i], why) < 0)
			return HTTP_BLOCKED;
	host->clear = true;
	return HTTP_ANSWERED;
}

enum http_failure
way_find(struct ways *ws, const struct endpoint *origin, struct way *w,
    struct error *why)
{
	size_t i = detour_find(ws->detours, ws->n_detours, origin, &w->to);
	const struct endpoint *hop = way_first_hop(ws, w);

	w->detour = i < ws->n_detours ? &ws->detours[i] : NULL;
	w->host = NULL;
	if (w->to.literal && guard_check(ws->guard, &w->to.ip, why) < 0)
		return HTTP_BLOCKED;
	/* Names behind a proxy are the proxy's. */
	if (hop->literal)
		return HTTP_ANSWERED;
	w->host = resolver_find(ws->resolver, hop->host, why);
	if (!w->host)
		return HTTP_DNS;
	return w->host->pending ? HTTP_ANSWERED : way_judge(ws, w, why);
}

const struct endpoint *
way_first_hop(const struct ways *ws, const struct way *w)
{
	return ws->proxy.host ? &ws->proxy : &w->to;
}

/* libcurl has a detour behind a proxy be a tunnel through it. */
bool
way_wants_url(const struct ways *ws, const struct way *w, bool tls)
{
	return ws->proxy.host && !w->detour && !tls;
}

static int
read_detours(struct ways *ws, const char *const *list, struct error *e)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	ws->detours = alloc_zero(n, sizeof(*ws->detours));
	for (; ws->n_detours < n; ws->n_detours++) {
		struct detour *d = &ws->detours[ws->n_detours];

		if (detour_parse(d, list[ws->n_detours], e) < 0) {
			detour_clear(d);
			return -1;
		}
	}
	return 0;
}

int
ways_open(struct ways *ws, const struct http_options *o, struct error *e)
{
	*ws = (struct ways){ .guard = o->guard };
	if (o->proxy) {
		endpoint_of_url(&ws->proxy, o->proxy);
		ws->proxy_tls = strncmp(o->proxy, "https:", 6) == 0;
	}
	if (read_detours(ws, o->connect_to, e) < 0)
		return -1;
	ws->resolver = resolver_open(e);
	return ws->resolver ? 0 : -1;
}

void
ways_close(struct ways *ws)
{
	resolver_close(ws->resolver);
	while (ws->n_detours)
		detour_clear(&ws->detours[--ws->n_detours]);
	free(ws->detours);
	endpoint_clear(&ws->proxy);
	*ws = (struct ways){ 0 };
}
