/*
 * Where an event queue of RabbitMQ is.
 */
#include "store/amqp_url.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/num.h"
#include "json/uri.h"

enum {
	PORT = 5672, TLS_PORT = 5671, /* IANA's amqp, amqps */
	PREFETCH = 4096, MAX_PREFETCH = 65535,
	MAX_NAME_BYTES = 255 - 5,     /* AMQP's short string, less ".dead" */
	MAX_LINE_BYTES = 1024,
};

bool
amqp_url_is(const char *text)
{
	return strncmp(text, "amqp://", 7) == 0 ||
	    strncmp(text, "amqps://", 8) == 0;
}

void
amqp_url_clear(struct amqp_url *u)
{
	size_t i;

	for (i = 0; i < u->n_hosts; i++)
		free(u->hosts[i].name);
	free(u->vhost);
	free(u->user);
	free(u->password);
	free(u->queue);
	free(u->ca_file);
	free(u->cert_file);
	free(u->key_file);
	free(u->shown);
	*u = (struct amqp_url){ 0 };
}

/* In *to, in the place of what is there. */
static int
decode(struct span text, const char *what, char **to, struct error *e)
{
	struct buf b = { 0 };
	int r = uri_decode(text, &b);

	if (r < 0 || (b.len && memchr(b.p, '\0', b.len))) {
		buf_clear(&b);
		return error_set(e, "-q: %s is not percent-encoded well", what);
	}
	free(*to);
	*to = alloc_copy(b.len ? b.p : "", b.len);
	buf_clear(&b);
	return 0;
}

/* Up to c, which is dropped, or all. */
static struct span
cut(struct span *rest, char c)
{
	const char *at = rest->len ? memchr(rest->p, c, rest->len) : NULL;
	struct span part = { rest->p, at ? (size_t)(at - rest->p) : rest->len };

	rest->p += part.len + (at != NULL);
	rest->len -= part.len + (at != NULL);
	return part;
}

static int
take_host(struct amqp_url *u, struct span text, struct error *e)
{
	struct span host = text, port = { 0 };
	uint64_t number = u->tls ? TLS_PORT : PORT;
	const char *end;

	if (text.len && text.p[0] == '[') {
		end = memchr(text.p, ']', text.len);
		if (!end)
			return error_set(e, "-q: a host lacks its ']'");
		host = (struct span){ text.p + 1, (size_t)(end - text.p) - 1 };
		port = (struct span){ end + 1,
			text.len - (size_t)(end + 1 - text.p) };
		(void)cut(&port, ':');
	} else {
		port = text;
		host = cut(&port, ':');
	}
	if (!host.len)
		return error_set(e, "-q: no host: amqp://HOST/VHOST?queue=NAME");
	if (port.len && num_u64(port, 1, UINT16_MAX, &number) < 0)
		return error_set(e, "-q: a port is no number from 1 to 65535");
	if (u->n_hosts == AMQP_MAX_HOSTS)
		return error_set(e, "-q: more than %d hosts", AMQP_MAX_HOSTS);
	u->hosts[u->n_hosts].port = (unsigned)number;
	return decode(host, "a host", &u->hosts[u->n_hosts++].name, e);
}

static int
take_authority(struct amqp_url *u, struct span text, struct error *e)
{
	struct span user = { 0 }, password;
	size_t at = text.len;

	while (at > 0 && text.p[at - 1] != '@')
		at--;
	if (at) {
		password = (struct span){ text.p, at - 1 };
		user = cut(&password, ':');
		text = (struct span){ text.p + at, text.len - at };
		if (decode(user, "the user", &u->user, e) < 0 ||
		    decode(password, "the password", &u->password, e) < 0)
			return -1;
	}
	do
		if (take_host(u, cut(&text, ','), e) < 0)
			return -1;
	while (text.len);
	return 0;
}

static int
take_bool(struct span value, bool *to, struct error *e)
{
	*to = span_eq(value, SPAN("true"));
	return *to || span_eq(value, SPAN("false")) ? 0 :
	    error_set(e, "-q: single is true or false");
}

static int
take_parameter(struct amqp_url *u, struct span text, struct error *e)
{
	struct span name = cut(&text, '=');
	uint64_t n;

	if (span_eq(name, SPAN("queue")))
		return decode(text, "queue", &u->queue, e);
	if (span_eq(name, SPAN("cacertfile")))
		return decode(text, "cacertfile", &u->ca_file, e);
	if (span_eq(name, SPAN("certfile")))
		return decode(text, "certfile", &u->cert_file, e);
	if (span_eq(name, SPAN("keyfile")))
		return decode(text, "keyfile", &u->key_file, e);
	if (span_eq(name, SPAN("single")))
		return take_bool(text, &u->single, e);
	if (span_eq(name, SPAN("prefetch"))) {
		if (num_u64(text, 1, MAX_PREFETCH, &n) < 0)
			return error_set(e, "-q: prefetch is a number from 1 "
			    "to %d", MAX_PREFETCH);
		u->prefetch = (unsigned)n;
		return 0;
	}
	if (span_eq(name, SPAN("auth_mechanism"))) {
		u->external = span_eq(text, SPAN("external"));
		return u->external || span_eq(text, SPAN("plain")) ? 0 :
		    error_set(e, "-q: auth_mechanism is plain or external");
	}
	return error_set(e, "-q: the query may have queue, cacertfile, "
	    "certfile, keyfile, auth_mechanism, prefetch and single, and "
	    "nothing else");
}

/* "USER:PASSWORD", which neither argv nor the environment shows. */
static int
read_credentials(struct amqp_url *u, struct error *e)
{
	const char *path = getenv("EV_AMQP_CREDENTIALS");
	char line[MAX_LINE_BYTES];
	struct span user, password;
	FILE *f;

	if (!path || !*path)
		return 0;
	f = file_open_private(path, NULL, e);
	if (!f)
		return -1;
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	(void)fclose(f);
	password = (struct span){ line, strcspn(line, "\r\n") };
	user = cut(&password, ':');
	if (!user.len || !password.len)
		return error_set(e, "%s is not a line 'USER:PASSWORD'", path);
	free(u->user);
	free(u->password);
	u->user = alloc_copy(user.p, user.len);
	u->password = alloc_copy(password.p, password.len);
	return 0;
}

static void
set_default(char **to, const char *text)
{
	if (!*to)
		*to = alloc_copy(text, strlen(text));
}

static void
show(struct amqp_url *u, struct span vhost)
{
	struct buf b = { 0 };
	size_t i;

	buf_puts(&b, u->tls ? "amqps://" : "amqp://");
	for (i = 0; i < u->n_hosts; i++)
		buf_printf(&b, "%s%s:%u", i ? "," : "", u->hosts[i].name,
		    u->hosts[i].port);
	buf_puts(&b, "/");
	buf_span(&b, vhost);
	buf_printf(&b, "?queue=%s", u->queue);
	u->shown = alloc_copy(buf_str(&b), b.len);
	buf_clear(&b);
}

static int
parse(struct amqp_url *u, const char *text, struct error *e)
{
	struct uri parts = uri_split(span_of(text));
	struct span query = parts.query, vhost = parts.path;

	u->tls = span_eq(parts.scheme, SPAN("amqps"));
	u->prefetch = PREFETCH;
	if (take_authority(u, parts.authority, e) < 0)
		return -1;
	/* "amqp://host/" is the virtual host "", by the specification. */
	if (vhost.len) {
		vhost.p++;
		vhost.len--;
		if (decode(vhost, "the virtual host", &u->vhost, e) < 0)
			return -1;
	}
	while (query.len)
		if (take_parameter(u, cut(&query, '&'), e) < 0)
			return -1;
	if (!u->cert_file != !u->key_file)
		return error_set(e, "-q: certfile needs keyfile, and keyfile "
		    "certfile");
	if (u->external && (!u->tls || !u->cert_file))
		return error_set(e, "-q: auth_mechanism=external needs amqps "
		    "and certfile");
	if (read_credentials(u, e) < 0)
		return -1;
	set_default(&u->vhost, "/");
	set_default(&u->user, "guest");
	set_default(&u->password, "guest");
	set_default(&u->queue, "evpipe");
	if (!*u->queue || strlen(u->queue) > MAX_NAME_BYTES)
		return error_set(e, "-q: the queue's name must have 1 to %d "
		    "bytes", MAX_NAME_BYTES);
	show(u, vhost);
	return 0;
}

int
amqp_url_parse(struct amqp_url *u, const char *text, struct error *e)
{
	*u = (struct amqp_url){ 0 };
	return parse(u, text, e);
}
