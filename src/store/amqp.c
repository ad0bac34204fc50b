/*
 * A connection to RabbitMQ by librabbitmq.
 */
#include "store/amqp.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "store/librabbitmq.h"

enum {
	CHANNEL = 1, ASIDE = 2,  /* for what may fail and close it */
	FRAME_BYTES = 131072,
	CONNECT_S = 5,
	REPLY_S = 10,
	SHOWN_BYTES = 200,
	PERSISTENT = 2,
	MAX_PROPERTIES = 64 << 10, /* of a message; ours fit beside them */
	POOL_BYTES = 4096,
	N_DEAD_HEADERS = 4,
	DELIVERY_LIMIT = 20,     /* of RabbitMQ 4, too */
	KEEP_IDLE_S = 60, KEEP_INTERVAL_S = 10, KEEP_PROBES = 6,
	USER_TIMEOUT_MS = 60 * 1000,
};

/* What a message's frames have come to. */
enum incoming { NOTHING, DELIVERY, RETURN };

struct amqp {
	const struct amqp_url *url;
	struct amqp_events on;
	amqp_connection_state_t c;
	struct buf queue_dead; /* name of the dead letters' queue and exchange */
	enum incoming incoming;
	uint64_t tag, left;    /* bytes of the body that are to come */
	bool too_long;
	struct buf body, message_id, properties;
	amqp_message_t got;    /* of amqp_get_dead */
	bool has_got;
	struct buf status, said;
};

/* Not the library's own: it is loaded late (lazy/rabbitmq.c). */
static const amqp_bytes_t no_bytes;
static const amqp_table_t no_table;

/* Names and errors */

static amqp_bytes_t
bytes_of(struct span s)
{
	/* It only reads them. */
	return (amqp_bytes_t){ s.len, (void *)(uintptr_t)s.p };
}

static struct span
span_of_bytes(amqp_bytes_t b)
{
	return (struct span){ b.bytes, b.len };
}

static amqp_bytes_t
name(const char *s)
{
	return bytes_of(span_of(s));
}

static amqp_bytes_t
dead_name(const struct amqp *a)
{
	return bytes_of(buf_bytes(&a->queue_dead));
}

/* The broker's words, such as "NOT_FOUND - no queue 'a' in vhost '/'". */
static void
said(struct error *e, amqp_bytes_t text, const char *to_do)
{
	struct buf b = { 0 };

	diag_foreign(&b, span_of_bytes(text), SHOWN_BYTES);
	error_set(e, "the broker says: %s%s", buf_str(&b), to_do);
	buf_clear(&b);
}

static int
failed(struct error *e, const char *what, int status)
{
	return error_set(e, "%s: %s", what, amqp_error_string2(status));
}

static bool
begins_with(struct span s, const char *head)
{
	struct span h = span_of(head);

	return s.len >= h.len && span_eq((struct span){ s.p, h.len }, h);
}

/* What to do about it. */
static const char *
hint(const amqp_channel_close_t *c)
{
	if (c->reply_code == AMQP_NOT_FOUND)
		return " (ev-pull --declare makes what is missing)";
	if (begins_with(span_of_bytes(c->reply_text),
	    "PRECONDITION_FAILED - delivery acknowledgement"))
		return " (the command had events for longer than the broker's "
		    "consumer_timeout: give the URL a lower prefetch=, or "
		    "raise that)";
	return "";
}

static int
closed_by(struct error *e, const amqp_method_t *m)
{
	const amqp_channel_close_t *c = m->decoded;

	if (m->id == AMQP_CHANNEL_CLOSE_METHOD) {
		said(e, c->reply_text, hint(c));
		return AMQP_REFUSED;
	}
	if (m->id != AMQP_CONNECTION_CLOSE_METHOD)
		return error_set(e, "the broker closed the connection");
	said(e, ((amqp_connection_close_t *)m->decoded)->reply_text, "");
	return -1;
}

static int
check(const struct amqp *a, const char *what, struct error *e)
{
	amqp_rpc_reply_t r = amqp_get_rpc_reply(a->c);

	switch (r.reply_type) {
	case AMQP_RESPONSE_NORMAL:
		return 0;
	case AMQP_RESPONSE_SERVER_EXCEPTION:
		return closed_by(e, &r.reply);
	default:
		return failed(e, what, r.library_error);
	}
}

/* Connecting */

/* Where distributions keep the certificates of authorities. */
static const char *
system_ca(void)
{
	static const char *const files[] = {
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem",
	};
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (access(files[i], R_OK) == 0)
			return files[i];
	return NULL;
}

static int
set_tls(amqp_socket_t *s, const struct amqp_url *u, struct error *e)
{
	const char *ca = u->ca_file ? u->ca_file : system_ca();
	int r;

	amqp_ssl_socket_set_verify_peer(s, 1);
	amqp_ssl_socket_set_verify_hostname(s, 1);
	r = amqp_ssl_socket_set_ssl_versions(s, AMQP_TLSv1_2, AMQP_TLSvLATEST);
	if (r != AMQP_STATUS_OK)
		return failed(e, "TLS", r);
	if (!ca)
		return error_set(e, "no certificates of authorities: give "
		    "cacertfile");
	r = amqp_ssl_socket_set_cacert(s, ca);
	if (r != AMQP_STATUS_OK)
		return failed(e, ca, r);
	if (!u->cert_file)
		return 0;
	r = amqp_ssl_socket_set_key(s, u->cert_file, u->key_file);
	return r == AMQP_STATUS_OK ? 0 : failed(e, u->cert_file, r);
}

/* How long the other side may not take what was sent. */
static void
set_user_timeout(int fd, int ms)
{
#ifdef TCP_USER_TIMEOUT
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
#endif
}

static void
keep_alive(int fd)
{
	const struct { int level, option, value; } wishes[] = {
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
#ifdef TCP_KEEPIDLE
		{ IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S },
		{ IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S },
		{ IPPROTO_TCP, TCP_KEEPCNT, KEEP_PROBES },
#endif
	};
	size_t i;

	for (i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++)
		(void)setsockopt(fd, wishes[i].level, wishes[i].option,
		    &wishes[i].value, sizeof(int));
	set_user_timeout(fd, USER_TIMEOUT_MS);
}

static int
dial(struct amqp *a, size_t host, struct error *e)
{
	const struct timeval wait = { CONNECT_S, 0 }, reply = { REPLY_S, 0 };
	const struct amqp_url *u = a->url;
	amqp_socket_t *s = u->tls ? amqp_ssl_socket_new(a->c) :
	    amqp_tcp_socket_new(a->c);
	int r;

	if (!s)
		return error_set(e, "no memory for a socket");
	if (u->tls && set_tls(s, u, e) < 0)
		return -1;
	(void)amqp_set_handshake_timeout(a->c, &reply);
	(void)amqp_set_rpc_timeout(a->c, &reply);
	r = amqp_socket_open_noblock(s, u->hosts[host].name,
	    (int)u->hosts[host].port, &wait);
	if (r != AMQP_STATUS_OK)
		return failed(e, "cannot connect", r);
	keep_alive(amqp_get_sockfd(a->c));
	return 0;
}

/* That we hear of the broker's alarms. */
static amqp_table_entry_t
flag(const char *key)
{
	amqp_table_entry_t entry = { .key = name(key) };

	entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
	entry.value.value.boolean = 1;
	return entry;
}

static int
log_in(struct amqp *a, struct error *e)
{
	amqp_table_entry_t can[] = { flag("connection.blocked"),
		flag("authentication_failure_close"), flag("basic.nack"),
		flag("publisher_confirms"), flag("consumer_cancel_notify") };
	amqp_table_entry_t capabilities = { .key = name("capabilities") };
	amqp_table_t properties = { 1, &capabilities };
	const struct amqp_url *u = a->url;
	amqp_rpc_reply_t r;

	capabilities.value.kind = AMQP_FIELD_KIND_TABLE;
	capabilities.value.value.table = (amqp_table_t){
		sizeof(can) / sizeof(can[0]), can };
	if (u->external)
		r = amqp_login_with_properties(a->c, u->vhost, ASIDE,
		    FRAME_BYTES, 0, &properties, AMQP_SASL_METHOD_EXTERNAL,
		    "");
	else
		r = amqp_login_with_properties(a->c, u->vhost, ASIDE,
		    FRAME_BYTES, 0, &properties, AMQP_SASL_METHOD_PLAIN,
		    u->user, u->password);
	switch (r.reply_type) {
	case AMQP_RESPONSE_NORMAL:
		return 0;
	case AMQP_RESPONSE_SERVER_EXCEPTION:
		return closed_by(e, &r.reply);
	default:
		return failed(e, "cannot log in", r.library_error);
	}
}

static int
open_channel(struct amqp *a, struct error *e)
{
	amqp_channel_open(a->c, CHANNEL);
	if (check(a, "no channel", e) < 0)
		return -1;
	amqp_confirm_select(a->c, CHANNEL);
	return check(a, "no confirms", e);
}

struct amqp *
amqp_open(const struct amqp_url *u, size_t host, const struct amqp_events *on,
    struct error *e)
{
	struct amqp *a = alloc_zero(1, sizeof(*a));

	a->url = u;
	a->on = *on;
	a->c = amqp_new_connection();
	buf_printf(&a->queue_dead, "%s.dead", u->queue);
	if (!a->c)
		error_set(e, "no memory for a connection");
	else if (dial(a, host, e) == 0 && log_in(a, e) == 0 &&
	    open_channel(a, e) == 0)
		return a;
	amqp_close(a);
	return NULL;
}

static void
drop_got(struct amqp *a)
{
	if (a->has_got)
		amqp_destroy_message(&a->got);
	a->has_got = false;
}

void
amqp_close(struct amqp *a)
{
	if (!a)
		return;
	drop_got(a);
	/* Without a farewell: it may never be answered. */
	if (a->c)
		(void)amqp_destroy_connection(a->c);
	buf_clear(&a->queue_dead);
	buf_clear(&a->body);
	buf_clear(&a->message_id);
	buf_clear(&a->properties);
	buf_clear(&a->status);
	buf_clear(&a->said);
	free(a);
}

int
amqp_fd(const struct amqp *a)
{
	return amqp_get_sockfd(a->c);
}

/* What comes in */

static void
finish_message(struct amqp *a)
{
	enum incoming what = a->incoming;

	a->incoming = NOTHING;
	if (what == RETURN)
		a->on.refused(a->on.ctx, "no queue takes it: is it declared?");
	else
		a->on.delivered(a->on.ctx, a->tag, a->too_long ?
		    (struct span){ 0 } : (struct span){ a->body.len ?
		    a->body.p : "", a->body.len }, buf_bytes(&a->message_id),
		    buf_bytes(&a->properties));
}

static void
take_header(struct amqp *a, const amqp_frame_t *f)
{
	const amqp_basic_properties_t *p = f->payload.properties.decoded;

	a->left = f->payload.properties.body_size;
	a->too_long = a->left > AMQP_MAX_BODY;
	a->body.len = a->message_id.len = a->properties.len = 0;
	buf_span(&a->properties, span_of_bytes(f->payload.properties.raw));
	if (p && p->_flags & AMQP_BASIC_MESSAGE_ID_FLAG)
		buf_span(&a->message_id, span_of_bytes(p->message_id));
	if (a->left == 0)
		finish_message(a);
}

static void
take_body(struct amqp *a, struct span part)
{
	if (!a->too_long && a->incoming == DELIVERY)
		buf_span(&a->body, part);
	a->left -= part.len < a->left ? part.len : a->left;
	if (a->left == 0)
		finish_message(a);
}

/* By an alarm: it reads nothing, and does not take what is under way. */
static void
take_blocked(struct amqp *a, bool is_blocked)
{
	set_user_timeout(amqp_get_sockfd(a->c), is_blocked ? 0 :
	    USER_TIMEOUT_MS);
	a->on.blocked(a->on.ctx, is_blocked);
}

static int
take_method(struct amqp *a, const amqp_method_t *m, struct error *e)
{
	switch (m->id) {
	case AMQP_BASIC_DELIVER_METHOD:
		a->incoming = DELIVERY;
		a->tag = ((amqp_basic_deliver_t *)m->decoded)->delivery_tag;
		return 0;
	case AMQP_BASIC_RETURN_METHOD:
		a->incoming = RETURN;
		return 0;
	case AMQP_BASIC_ACK_METHOD: {
		const amqp_basic_ack_t *ack = m->decoded;

		a->on.confirmed(a->on.ctx, ack->delivery_tag, ack->multiple);
		return 0;
	}
	case AMQP_BASIC_NACK_METHOD:
		a->on.refused(a->on.ctx, "the queue does not take it: it is "
		    "full, or has lost most of its nodes");
		return 0;
	case AMQP_CONNECTION_BLOCKED_METHOD:
	case AMQP_CONNECTION_UNBLOCKED_METHOD:
		take_blocked(a, m->id == AMQP_CONNECTION_BLOCKED_METHOD);
		return 0;
	case AMQP_BASIC_CANCEL_METHOD:
		return error_set(e, "the broker cancelled: the queue is gone, "
		    "or its node");
	case AMQP_CHANNEL_CLOSE_METHOD:
	case AMQP_CONNECTION_CLOSE_METHOD:
		return closed_by(e, m);
	default:
		return 0;
	}
}

static int
take_frame(struct amqp *a, const amqp_frame_t *f, struct error *e)
{
	if (f->channel != CHANNEL && f->channel != 0)
		return 0;
	switch (f->frame_type) {
	case AMQP_FRAME_METHOD:
		return take_method(a, &f->payload.method, e);
	case AMQP_FRAME_HEADER:
		if (a->incoming != NOTHING)
			take_header(a, f);
		return 0;
	case AMQP_FRAME_BODY:
		if (a->incoming != NOTHING)
			take_body(a, span_of_bytes(f->payload.body_fragment));
		return 0;
	default:
		return 0;
	}
}

int
amqp_take(struct amqp *a, int64_t wait_ms, struct error *e)
{
	struct timeval wait = { (time_t)(wait_ms / 1000),
		(suseconds_t)(wait_ms % 1000 * 1000) };
	amqp_frame_t f;
	int r;

	while ((r = amqp_simple_wait_frame_noblock(a->c, &f, &wait)) ==
	    AMQP_STATUS_OK) {
		r = take_frame(a, &f, e);
		if (r < 0)
			return r;
		amqp_maybe_release_buffers(a->c);
		wait = (struct timeval){ 0, 0 };
		if (a->on.full(a->on.ctx))
			return 0;
	}
	return r == AMQP_STATUS_TIMEOUT ? 0 :
	    failed(e, "lost the connection", r);
}

/* What goes out */

static amqp_table_entry_t
text_entry(const char *key, struct span value)
{
	amqp_table_entry_t entry = { .key = name(key) };

	entry.value.kind = AMQP_FIELD_KIND_UTF8;
	entry.value.value.bytes = bytes_of(value);
	return entry;
}

static amqp_table_entry_t
number_entry(const char *key, int64_t value)
{
	amqp_table_entry_t entry = { .key = name(key) };

	entry.value.kind = AMQP_FIELD_KIND_I64;
	entry.value.value.i64 = value;
	return entry;
}

/* Does it tell what became of a message, and not what it is? */
static bool
is_passing(struct span key)
{
	static const char *const heads[] = { "evpipe-", "x-death",
		"x-first-death-", "x-last-death-", "x-delivery-count" };
	size_t i;

	for (i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		if (begins_with(key, heads[i]))
			return true;
	return false;
}

/*
 * Those that a message had, but for what would end it again (expiration) or make
 * the broker refuse it (the user-id is another's).
 */
static void
read_properties(amqp_basic_properties_t *p, struct span encoded,
    amqp_pool_t *pool)
{
	void *decoded;

	*p = (amqp_basic_properties_t){ ._flags = 0 };
	if (!encoded.len || amqp_decode_properties(AMQP_BASIC_CLASS, pool,
	    bytes_of(encoded), &decoded) != AMQP_STATUS_OK)
		return;
	*p = *(amqp_basic_properties_t *)decoded;
	p->_flags &= ~(amqp_flags_t)(AMQP_BASIC_EXPIRATION_FLAG |
	    AMQP_BASIC_USER_ID_FLAG);
	if (encoded.len > MAX_PROPERTIES)
		p->_flags &= ~(amqp_flags_t)AMQP_BASIC_HEADERS_FLAG;
}

/* The headers that it had and, if it is dead, those that tell of it. */
static amqp_table_entry_t *
put_headers(amqp_basic_properties_t *p, const struct amqp_dead *d)
{
	int i, n = 0, had = p->_flags & AMQP_BASIC_HEADERS_FLAG ?
	    p->headers.num_entries : 0;
	amqp_table_entry_t *all = alloc_zero((size_t)had + N_DEAD_HEADERS,
	    sizeof(*all));

	for (i = 0; i < had; i++)
		if (!is_passing(span_of_bytes(p->headers.entries[i].key)))
			all[n++] = p->headers.entries[i];
	if (d) {
		all[n++] = number_entry("evpipe-time", d->time_ms);
		all[n++] = number_entry("evpipe-deaths", d->deaths);
		all[n++] = text_entry("evpipe-status", d->status);
		all[n++] = text_entry("evpipe-stderr", d->said);
	}
	p->headers = (amqp_table_t){ n, all };
	p->_flags &= ~(amqp_flags_t)AMQP_BASIC_HEADERS_FLAG;
	if (n)
		p->_flags |= AMQP_BASIC_HEADERS_FLAG;
	return all;
}

static int
publish(struct amqp *a, const struct amqp_message *m,
    const amqp_basic_properties_t *p, struct error *e)
{
	int r = amqp_basic_publish(a->c, CHANNEL, m->dead ? dead_name(a) :
	    name(a->url->queue), name(a->url->queue), 1, 0, p,
	    bytes_of(m->body));

	return r == AMQP_STATUS_OK ? 0 : failed(e, "cannot publish", r);
}

static int
publish_again(struct amqp *a, const struct amqp_message *m, struct error *e)
{
	amqp_basic_properties_t p;
	amqp_table_entry_t *headers;
	amqp_pool_t pool;
	int r;

	init_amqp_pool(&pool, POOL_BYTES);
	read_properties(&p, m->properties, &pool);
	p._flags |= AMQP_BASIC_DELIVERY_MODE_FLAG;
	p.delivery_mode = PERSISTENT;
	headers = put_headers(&p, m->dead);
	r = publish(a, m, &p, e);
	free(headers);
	empty_amqp_pool(&pool);
	return r;
}

int
amqp_publish(struct amqp *a, const struct amqp_message *m, struct error *e)
{
	amqp_basic_properties_t p = {
		._flags = AMQP_BASIC_CONTENT_TYPE_FLAG |
		    AMQP_BASIC_DELIVERY_MODE_FLAG,
		.content_type = name("application/json"),
		.delivery_mode = PERSISTENT,
		.message_id = bytes_of(m->id),
	};

	if (m->properties.len || m->dead)
		return publish_again(a, m, e);
	if (m->id.len && m->id.len <= UINT8_MAX)
		p._flags |= AMQP_BASIC_MESSAGE_ID_FLAG;
	return publish(a, m, &p, e);
}

/* Consuming */

int
amqp_consume(struct amqp *a, struct error *e)
{
	amqp_basic_qos(a->c, CHANNEL, 0, (uint16_t)a->url->prefetch, 0);
	if (check(a, "no prefetch", e) < 0)
		return -1;
	amqp_basic_consume(a->c, CHANNEL, name(a->url->queue),
	    no_bytes, 0, 0, 0, no_table);
	return check(a, "cannot consume", e);
}

int
amqp_ack(struct amqp *a, uint64_t tag, bool multiple, struct error *e)
{
	int r = amqp_basic_ack(a->c, CHANNEL, tag, multiple);

	return r == AMQP_STATUS_OK ? 0 : failed(e, "cannot acknowledge", r);
}

int
amqp_drop(struct amqp *a, uint64_t tag, struct error *e)
{
	int r = amqp_basic_reject(a->c, CHANNEL, tag, 0);

	return r == AMQP_STATUS_OK ? 0 : failed(e, "cannot reject", r);
}

/* Dead letters */

static void
read_header(struct amqp *a, const amqp_table_entry_t *h, struct amqp_dead *d)
{
	struct span key = span_of_bytes(h->key);
	const amqp_field_value_t *v = &h->value;

	if (v->kind == AMQP_FIELD_KIND_I64 &&
	    span_eq(key, SPAN("evpipe-time")))
		d->time_ms = v->value.i64;
	if (v->kind == AMQP_FIELD_KIND_I64 &&
	    span_eq(key, SPAN("evpipe-deaths")))
		d->deaths = (unsigned)v->value.i64;
	if (v->kind == AMQP_FIELD_KIND_UTF8 &&
	    span_eq(key, SPAN("evpipe-status")))
		buf_span(&a->status, span_of_bytes(v->value.bytes));
	if (v->kind == AMQP_FIELD_KIND_UTF8 &&
	    span_eq(key, SPAN("evpipe-stderr")))
		buf_span(&a->said, span_of_bytes(v->value.bytes));
}

static void
read_headers(struct amqp *a, struct amqp_dead *d)
{
	const amqp_basic_properties_t *p = &a->got.properties;
	int i;

	*d = (struct amqp_dead){ 0 };
	a->status.len = a->said.len = 0;
	for (i = 0; p->_flags & AMQP_BASIC_HEADERS_FLAG &&
	    i < p->headers.num_entries; i++)
		read_header(a, &p->headers.entries[i], d);
	if (!a->status.len)
		buf_puts(&a->status, "dead-lettered by the broker");
	d->status = buf_bytes(&a->status);
	d->said = buf_bytes(&a->said);
}

/* As publish_again has them. */
static struct span
encode_properties(struct amqp *a)
{
	int n;

	a->properties.len = 0;
	(void)buf_room(&a->properties, FRAME_BYTES);
	n = amqp_encode_properties(AMQP_BASIC_CLASS, &a->got.properties,
	    (amqp_bytes_t){ FRAME_BYTES, a->properties.p });
	if (n > 0)
		a->properties.len = (size_t)n;
	return buf_bytes(&a->properties);
}

int
amqp_get_dead(struct amqp *a, uint64_t *tag, struct amqp_message *m,
    struct amqp_dead *d, struct error *e)
{
	amqp_rpc_reply_t r;

	drop_got(a);
	amqp_maybe_release_buffers(a->c);
	r = amqp_basic_get(a->c, CHANNEL, dead_name(a), 0);
	if (r.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION)
		return closed_by(e, &r.reply);
	if (r.reply_type != AMQP_RESPONSE_NORMAL)
		return failed(e, "lost the connection", r.library_error);
	if (r.reply.id == AMQP_BASIC_GET_EMPTY_METHOD)
		return 0;
	*tag = ((amqp_basic_get_ok_t *)r.reply.decoded)->delivery_tag;
	r = amqp_read_message(a->c, CHANNEL, &a->got, 0);
	if (r.reply_type != AMQP_RESPONSE_NORMAL)
		return failed(e, "lost the connection", r.library_error);
	a->has_got = true;
	*m = (struct amqp_message){ .body = span_of_bytes(a->got.body),
		.properties = encode_properties(a) };
	read_headers(a, d);
	return 1;
}

/* What has to be there */

static int
declare_exchange(struct amqp *a, amqp_bytes_t exchange, struct error *e)
{
	amqp_exchange_declare(a->c, ASIDE, exchange, name("direct"), 0, 1, 0,
	    0, no_table);
	return check(a, "cannot declare the exchange", e);
}

static int
declare_queue(struct amqp *a, amqp_bytes_t queue, amqp_table_t arguments,
    struct error *e)
{
	amqp_queue_declare(a->c, ASIDE, queue, 0, 1, 0, 0, arguments);
	if (check(a, "cannot declare the queue", e) < 0)
		return -1;
	amqp_queue_bind(a->c, ASIDE, queue, queue, name(a->url->queue),
	    no_table);
	return check(a, "cannot bind the queue", e);
}

int
amqp_declare(struct amqp *a, struct error *e)
{
	amqp_table_entry_t arguments[] = {
		text_entry("x-queue-type", SPAN("quorum")),
		text_entry("x-dead-letter-exchange",
		    buf_bytes(&a->queue_dead)),
		text_entry("x-dead-letter-strategy", SPAN("at-least-once")),
		text_entry("x-overflow", SPAN("reject-publish")),
		number_entry("x-delivery-limit", DELIVERY_LIMIT),
		flag("x-single-active-consumer"), /* the last: if asked for */
	};
	/* Each look at dead letters is a delivery: RabbitMQ 4's limit, 20, would
	 * drop them. */
	amqp_table_entry_t kept[] = { arguments[0],
		number_entry("x-delivery-limit", INT32_MAX) };
	const int n = sizeof(arguments) / sizeof(arguments[0]);

	amqp_channel_open(a->c, ASIDE);
	if (check(a, "no channel", e) < 0 ||
	    declare_exchange(a, dead_name(a), e) < 0 ||
	    declare_queue(a, dead_name(a), (amqp_table_t){ 2, kept },
	    e) < 0 || declare_exchange(a, name(a->url->queue), e) < 0)
		return -1;
	return declare_queue(a, name(a->url->queue), (amqp_table_t){
		a->url->single ? n : n - 1, arguments }, e);
}

int
amqp_count(struct amqp *a, bool dead, int64_t *n, struct error *e)
{
	amqp_queue_declare_ok_t *ok;

	amqp_channel_open(a->c, ASIDE);
	if (check(a, "no channel", e) < 0)
		return -1;
	ok = amqp_queue_declare(a->c, ASIDE, dead ? dead_name(a) :
	    name(a->url->queue), 1, 0, 0, 0, no_table);
	if (check(a, "cannot count", e) < 0)
		return -1;
	*n = ok->message_count;
	amqp_channel_close(a->c, ASIDE, AMQP_REPLY_SUCCESS);
	return check(a, "cannot close a channel", e);
}
