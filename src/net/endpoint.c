/*
 * Where a connection goes.
 */
#include "net/endpoint.h"

#include <string.h>

#include "base/alloc.h"
#include "base/num.h"

static void
set_host(struct endpoint *e, struct span host)
{
	if (host.len >= 2 && host.p[0] == '[' && host.p[host.len - 1] == ']') {
		host.p++;
		host.len -= 2;
	}
	e->host = alloc_copy(host.p, host.len);
	e->literal = ip_parse(host, &e->ip) == 0;
}

static unsigned
port_of(struct span text)
{
	uint64_t n = 0;

	(void)num_u64(text, 1, 65535, &n); /* checked before */
	return (unsigned)n;
}

/* Take the host off *s, brackets and all. */
static struct span
take_host(struct span *s)
{
	struct span host = { s->p, 0 };
	const char *end = s->len && *s->p == '[' ? memchr(s->p, ']', s->len) :
	    NULL;

	host.len = end ? (size_t)(end - s->p) + 1 : 0;
	while (host.len < s->len && !memchr(":/", s->p[host.len], 2))
		host.len++;
	s->p += host.len;
	s->len -= host.len;
	return host;
}

void
endpoint_of_url(struct endpoint *e, const char *dial)
{
	const char *scheme_end = strstr(dial, "://");
	struct span rest = span_of(scheme_end ? scheme_end + 3 : dial);

	*e = (struct endpoint){ .port =
	    strncmp(dial, "https:", 6) == 0 ? 443 : 80 };
	set_host(e, take_host(&rest));
	if (rest.len && *rest.p == ':') {
		const char *slash = memchr(rest.p, '/', rest.len);

		e->port = port_of((struct span){ rest.p + 1, slash ?
		    (size_t)(slash - rest.p) - 1 : rest.len - 1 });
	}
}

void
endpoint_clear(struct endpoint *e)
{
	free(e->host);
	*e = (struct endpoint){ 0 };
}

/* Take "HOST:PORT" off *s. */
static int
take_endpoint(struct endpoint *e, struct span *s)
{
	struct span port;
	const char *colon;
	uint64_t n = 0;

	*e = (struct endpoint){ 0 };
	set_host(e, take_host(s));
	if (s->len == 0 || *s->p != ':')
		return -1;
	port = (struct span){ s->p + 1, s->len - 1 };
	colon = memchr(port.p, ':', port.len);
	if (colon)
		port.len = (size_t)(colon - port.p);
	if (port.len && num_u64(port, 1, 65535, &n) != 0)
		return -1;
	e->port = (unsigned)n;
	s->p += port.len + 1;
	s->len -= port.len + 1;
	return 0;
}

int
detour_parse(struct detour *d, const char *text, struct error *e)
{
	struct span rest = span_of(text);

	*d = (struct detour){ 0 };
	if (take_endpoint(&d->from, &rest) == 0 && rest.len &&
	    *rest.p == ':') {
		rest.p++;
		rest.len--;
		if (take_endpoint(&d->to, &rest) == 0 && rest.len == 0)
			return 0;
	}
	return error_set(e, "'%s' is not HOST:PORT:ADDR:PORT", text);
}

void
detour_clear(struct detour *d)
{
	endpoint_clear(&d->from);
	endpoint_clear(&d->to);
}

size_t
detour_find(const struct detour *list, size_t n, const struct endpoint *from,
    struct endpoint *to)
{
	size_t i;

	*to = *from;
	for (i = 0; i < n; i++) {
		const struct detour *d = &list[i];

		if ((*d->from.host && strcasecmp(d->from.host, from->host)) ||
		    (d->from.port && d->from.port != from->port))
			continue;
		if (*d->to.host)
			*to = d->to;
		to->port = d->to.port ? d->to.port : from->port;
		break;
	}
	return i;
}
