/*
 * HTTP/1.1: POST, keep-alive, nothing else. net/dial makes connections, this
 * frames requests on them, net/answer reads what comes back. An answer counts
 * once its head is complete, whatever happens to the bodies afterwards.
 */
#include "net/http.h"

#include <errno.h>
#include <poll.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "json/siphash.h"
#include "net/answer.h"
#include "net/dial.h"
#include "net/digest.h"
#include "net/way.h"

enum {
	MAX_WAIT_FDS = 8,
	RECEIVE_BYTES = 16 * 1024,
	COPIED_BODY_BYTES = 16 * 1024, /* goes out with the head, in one */
	BUCKETS = 1024,
	IDLE_MS = 2 * 60 * 1000, /* a connection is trusted to be still there */
};

struct http_target {
	char *url;
	struct endpoint endpoint;
	bool tls;
	const char *path;         /* in url */
	struct buf host;          /* "Host: …" CR LF; none if fields have it */
	struct buf fields;        /* lines that end in CR LF */
	struct buf key;           /* who has the same shares connections */
	uint64_t key_hash;
	char *ca, *certificate, *private_key; /* PEM; NULL: none */
	struct signer *signer;
};

/* It is always in one of the lists of struct http. */
struct exchange {
	struct exchange *next, *prev;
	struct http *http;
	struct list *in;
	struct http_request request;
	struct way way;
	struct connection *connection; /* NULL: not yet, or no more */
	bool reused;             /* it had served others */
	bool fresh;              /* it must not have */
	bool opened;
	bool broken;             /* nothing more can be sent */
	bool lingers;            /* only the rest of the body is waited for */
	struct buf out;          /* the head, and the body if it is small */
	size_t sent, total;      /* of out, then of the body if it is not */
	struct buf signature;    /* its fields, each with a NUL */
	int64_t start_us, end_us;
	int64_t seek_us;         /* the way there was sought */
	int64_t until_ms;        /* what it waits for has to come */
	int64_t dialled_us, connect_us, tls_us, first_us; /* after start; 0 */
	struct answer answer;
	enum http_failure failure; /* where there is no answer */
	struct error why;
};

struct list {
	struct exchange *first, *last;
};

struct http {
	struct ways ways;
	struct dialer *dialer;
	size_t max_files;
	struct list idle;
	struct list looking;      /* their names are being looked up */
	struct list active;       /* they have a connection */
	struct list done;
	int64_t look_ms;          /* nothing is over before; -1: never */
	/* Idle connections, by key and by age. */
	struct connection *buckets[BUCKETS];
	struct connection *newest, *oldest;
	char in[RECEIVE_BYTES];
};

static void
move(struct exchange *x, struct list *to)
{
	struct list *from = x->in;

	if (from) {
		*(x->prev ? &x->prev->next : &from->first) = x->next;
		*(x->next ? &x->next->prev : &from->last) = x->prev;
	}
	x->in = to;
	x->next = NULL;
	x->prev = to->last;
	*(to->last ? &to->last->next : &to->first) = x;
	to->last = x;
}

/* The target */

static bool
is_field(const char *line, const char *name)
{
	size_t len = strlen(name);

	return strncasecmp(line, name, len) == 0 && line[len] == ':';
}

static char *
copy_text(const char *text)
{
	return text ? alloc_copy(text, strlen(text)) : NULL;
}

/* Whom a connection of this target may serve: those with the same. */
static void
make_key(struct http_target *t)
{
	static const uint64_t key[2] = { 0 }; /* a clash costs a look */
	struct buf pem = { 0 };

	buf_add(&t->key, t->url, (size_t)(t->path - t->url));
	if (t->ca || t->certificate) {
		buf_puts(&pem, t->ca ? t->ca : "");
		buf_putc(&pem, '\0');
		buf_puts(&pem, t->certificate ? t->certificate : "");
		buf_putc(&pem, '\0');
		buf_puts(&pem, t->private_key ? t->private_key : "");
		digest_hex(buf_bytes(&pem), buf_room(&t->key,
		    DIGEST_HEX_BYTES), DIGEST_HEX_BYTES);
		t->key.len += DIGEST_HEX_BYTES;
		sign_wipe(pem.p, pem.cap);
		buf_clear(&pem);
	}
	t->key_hash = siphash13(key, t->key.p, t->key.len);
}

struct http_target *
http_target_new(const struct http_target_spec *spec)
{
	struct http_target *t = alloc_zero(1, sizeof(*t));
	bool has_host = false;
	const char *host;
	size_t i;

	t->url = copy_text(spec->url);
	t->tls = strncmp(t->url, "https:", 6) == 0;
	host = t->url + (t->tls ? 8 : 7);
	t->path = host + strcspn(host, "/");
	endpoint_of_url(&t->endpoint, t->url);
	t->ca = copy_text(spec->ca);
	t->certificate = copy_text(spec->certificate);
	t->private_key = copy_text(spec->private_key);
	t->signer = spec->signer;
	for (i = 0; i < spec->n_fields; i++) {
		buf_puts(&t->fields, spec->fields[i]);
		buf_puts(&t->fields, "\r\n");
		has_host |= is_field(spec->fields[i], "Host");
	}
	if (!has_host)
		buf_printf(&t->host, "Host: %.*s\r\n",
		    (int)(t->path - host), host);
	make_key(t);
	return t;
}

/* It may hold a secret. */
static void
free_text(char *text)
{
	if (text)
		sign_wipe(text, strlen(text));
	free(text);
}

static void
free_lines(struct buf *b)
{
	sign_wipe(b->p, b->cap);
	buf_clear(b);
}

void
http_target_free(struct http_target *t)
{
	if (!t)
		return;
	free_lines(&t->fields);
	free_text(t->ca);
	free_text(t->certificate);
	free_text(t->private_key);
	signer_free(t->signer);
	endpoint_clear(&t->endpoint);
	buf_clear(&t->host);
	buf_clear(&t->key);
	free(t->url);
	free(t);
}

const char *
http_target_url(const struct http_target *t)
{
	return t->url;
}

bool
http_target_field(const struct http_target *t, size_t *at, struct span *line)
{
	struct span rest = buf_bytes(&t->fields);

	rest.p += *at;
	rest.len -= *at;
	if (rest.len == 0)
		return false;
	*line = (struct span){ rest.p,
		(size_t)((const char *)memchr(rest.p, '\r', rest.len) - rest.p) };
	*at += line->len + 2;
	return true;
}

const char *
http_target_ca(const struct http_target *t)
{
	return t->ca;
}

bool
http_target_has_certificate(const struct http_target *t)
{
	return t->certificate != NULL;
}

struct signer *
http_target_signer(const struct http_target *t)
{
	return t->signer;
}

/* Idle connections */

static struct connection **
bucket_of(struct http *h, uint64_t hash)
{
	return &h->buckets[hash % BUCKETS];
}

static void
pool_remove(struct http *h, struct connection *c)
{
	struct connection **at = bucket_of(h, c->hash);

	while (*at != c)
		at = &(*at)->below;
	*at = c->below;
	*(c->newer ? &c->newer->older : &h->newest) = c->older;
	*(c->older ? &c->older->newer : &h->oldest) = c->newer;
}

static void
pool_drop(struct http *h, struct connection *c)
{
	pool_remove(h, c);
	connection_close(c);
}

static void
pool_add(struct http *h, struct connection *c)
{
	struct connection **bucket = bucket_of(h, c->hash);

	c->user = NULL;
	c->idle_ms = clock_coarse_ms();
	c->below = *bucket;
	*bucket = c;
	c->newer = NULL;
	c->older = h->newest;
	*(h->newest ? &h->newest->newer : &h->oldest) = c;
	h->newest = c;
}

/* One that leads where the target does, the last that was used; or NULL. */
static struct connection *
pool_take(struct http *h, const struct http_target *t)
{
	struct connection *c = *bucket_of(h, t->key_hash), *below;

	for (; c; c = below) {
		below = c->below;
		if (c->hash != t->key_hash ||
		    !span_eq(span_of(c->key), buf_bytes(&t->key)))
			continue;
		if (clock_coarse_ms() - c->idle_ms < IDLE_MS) {
			pool_remove(h, c);
			return c;
		}
		pool_drop(h, c);
	}
	return NULL;
}

/* Nothing has come that nobody asked for? What TLS keeps to itself may. */
static bool
is_quiet(struct http *h, struct connection *c)
{
	while (c->readable)
		if (connection_receive(c, h->in, 1) != 0)
			return false;
	return !c->ended;
}

/* The exchange */

static void
exchange_free(struct exchange *x)
{
	struct list in = { 0 };

	move(x, &in);
	if (x->connection)
		connection_close(x->connection);
	answer_clear(&x->answer);
	free_lines(&x->out);
	buf_clear(&x->signature);
	free(x);
}

static void
free_all(struct list *l)
{
	while (l->first)
		exchange_free(l->first);
}

static struct exchange *
take_exchange(struct http *h)
{
	struct exchange *x = h->idle.last;

	if (x)
		return x;
	x = alloc_zero(1, sizeof(*x));
	x->http = h;
	move(x, &h->idle);
	return x;
}

static void
begin(struct exchange *x, const struct http_request *req)
{
	answer_reset(&x->answer);
	x->request = *req;
	x->start_us = clock_mono_us();
	x->dialled_us = x->connect_us = x->tls_us = x->first_us = 0;
	x->failure = HTTP_ANSWERED;
	x->connection = NULL;
	x->opened = x->reused = x->broken = x->lingers = x->fresh = false;
}

/* What it waits for has to come within so long since its start. */
static void
set_limit(struct exchange *x, int64_t ms)
{
	struct http *h = x->http;

	x->until_ms = x->start_us / 1000 + ms;
	h->look_ms = clock_earlier(h->look_ms, x->until_ms);
}

static void
end(struct exchange *x)
{
	x->end_us = clock_mono_us();
	move(x, &x->http->done);
}

static void
fail(struct exchange *x, enum http_failure failure)
{
	x->failure = failure;
	end(x);
}

/* Its connection goes back to the others, or is closed. */
static void
release(struct exchange *x)
{
	struct connection *c = x->connection;

	x->connection = NULL;
	if (x->answer.state == ANSWER_WHOLE && x->answer.persists &&
	    x->sent == x->total && !x->broken && is_quiet(x->http, c))
		pool_add(x->http, c);
	else
		connection_close(c);
}

/* With an answer, or without: then it has said why. */
static void
finish(struct exchange *x)
{
	release(x);
	end(x);
}

/* The request */

static void
put_line(struct buf *b, const char *line)
{
	buf_puts(b, line);
	buf_puts(b, "\r\n");
}

/* The request's own fields, those of its signature, then the target's. */
static void
put_head(struct exchange *x)
{
	const struct http_request *req = &x->request;
	const struct http_target *t = req->target;
	struct buf *b = &x->out;
	const char *line = x->signature.p;
	bool has_host = false;
	size_t i;

	buf_puts(b, "POST ");
	buf_puts(b, way_wants_url(&x->http->ways, &x->way, t->tls) ?
	    t->url : t->path);
	buf_puts(b, " HTTP/1.1\r\n");
	for (i = 0; i < HTTP_MAX_OWN_FIELDS && req->own_fields[i]; i++)
		has_host |= is_field(req->own_fields[i], "Host");
	if (!has_host)
		buf_span(b, buf_bytes(&t->host));
	for (i = 0; i < HTTP_MAX_OWN_FIELDS && req->own_fields[i]; i++)
		put_line(b, req->own_fields[i]);
	for (i = 0; i < SIGNER_FIELDS && t->signer; i++) {
		put_line(b, line);
		line += strlen(line) + 1;
	}
	buf_span(b, buf_bytes(&t->fields));
	buf_puts(b, "Content-Length: ");
	buf_u64(b, req->body.len);
	buf_puts(b, "\r\n\r\n");
}

/* Signed as late as can be: the timestamp is that of this attempt. */
static int
compose(struct exchange *x)
{
	const struct http_request *req = &x->request;

	if (req->target->signer && signer_put(req->target->signer,
	    &x->signature, req->id, req->body, clock_wall_ms(), &x->why) < 0)
		return -1;
	x->out.len = x->sent = 0;
	x->broken = false;
	put_head(x);
	x->total = x->out.len + req->body.len;
	if (req->body.len <= COPIED_BODY_BYTES)
		buf_span(&x->out, req->body);
	return 0;
}

static void
send_rest(struct exchange *x)
{
	size_t head = x->total - x->request.body.len;
	ssize_t n;

	while (x->sent < x->total && !x->broken) {
		struct span rest = x->sent < x->out.len ?
		    (struct span){ x->out.p + x->sent, x->out.len - x->sent } :
		    (struct span){ x->request.body.p + (x->sent - head),
			x->total - x->sent };

		n = connection_send(x->connection, rest.p, rest.len);
		if (n == 0)
			break;
		x->broken = n < 0;
		x->sent += n < 0 ? 0 : (size_t)n;
	}
}

/* The way there */

/* So long after the start a connection has to be there. */
static int64_t
connect_until_ms(const struct exchange *x)
{
	const struct http_request *req = &x->request;
	int64_t ms = (x->seek_us - x->start_us) / 1000 + req->connect_ms;

	return ms < req->total_ms ? ms : req->total_ms;
}

static void
dial(struct exchange *x)
{
	const struct http_target *t = x->request.target;
	struct http *h = x->http;
	struct dial to = { .url = t->url, .way = &x->way, .ca = t->ca,
		.certificate = t->certificate, .private_key = t->private_key };

	while (h->oldest && h->max_files <
	    dialer_files(h->dialer) + HTTP_CONNECTION_FILES)
		pool_drop(h, h->oldest);
	x->opened = x->reused = false;
	x->dialled_us = clock_mono_us() - x->start_us;
	to.connect_ms = connect_until_ms(x) - x->dialled_us / 1000;
	x->connection = dialer_dial(h->dialer, &to, &x->why);
	if (!x->connection) {
		fail(x, HTTP_CONNECT);
		return;
	}
	x->connection->user = x;
	x->connection->key = alloc_copy(t->key.p, t->key.len);
	x->connection->hash = t->key_hash;
	set_limit(x, connect_until_ms(x));
	move(x, &h->active);
}

static void seek(struct exchange *);

/*
 * The connection has ended. What had served others may have been closed just
 * when the request was on its way, unseen (RFC 9112 9.3.1): that one is sent
 * again, by a new one.
 */
static void
lose(struct exchange *x, ssize_t how)
{
	struct connection *c = x->connection;
	bool again = x->reused && !answer_begun(&x->answer);

	if (!x->answer.complete && !again) {
		x->failure = HTTP_CONNECT;
		if (how == CONNECTION_END)
			error_set(&x->why,
			    "closed before the answer's head was complete");
		else
			error_set(&x->why, "connection broken before the "
			    "answer's head was complete%s%s",
			    *c->why.text ? ": " : "", c->why.text);
	}
	if (!again) {
		finish(x);
		return;
	}
	connection_close(c);
	x->connection = NULL;
	x->fresh = true;
	seek(x);
}

static void
receive(struct exchange *x)
{
	struct connection *c = x->connection;
	struct http *h = x->http;
	ssize_t n;

	while (c->readable && x->answer.state < ANSWER_WHOLE) {
		n = connection_receive(c, h->in, sizeof(h->in));
		if (n < 0) {
			lose(x, n);
			return;
		}
		if (n > 0 && !x->first_us)
			x->first_us = clock_mono_us() - x->start_us;
		if (answer_feed(&x->answer, (struct span){ h->in,
		    (size_t)n }) < (size_t)n)
			x->answer.persists = false;
	}
	if (x->answer.state >= ANSWER_WHOLE) {
		finish(x);
	} else if (x->answer.complete && !x->lingers) {
		/* A body that trickles is not waited for. */
		x->lingers = true;
		set_limit(x, (clock_mono_us() - x->start_us) / 1000 +
		    HTTP_BODY_MS);
	} else if (x->broken) {
		lose(x, CONNECTION_BROKEN);
	}
}

static void
talk(struct exchange *x)
{
	send_rest(x);
	/* Before it refused the rest, the peer may have answered. */
	x->connection->readable |= x->broken;
	receive(x);
}

/* By a connection that is there, or a new one. */
static void
start(struct exchange *x)
{
	struct http *h = x->http;

	if (compose(x) < 0) {
		fail(x, HTTP_ABORTED);
		return;
	}
	x->connection = x->fresh ? NULL : pool_take(h, x->request.target);
	if (!x->connection) {
		dial(x);
		return;
	}
	x->connection->user = x;
	x->opened = x->reused = true;
	set_limit(x, x->request.total_ms);
	move(x, &h->active);
	talk(x);
}

/* The way there: each time anew, since what is known of names grows old. */
static void
seek(struct exchange *x)
{
	struct http *h = x->http;
	enum http_failure verdict = way_find(&h->ways,
	    &x->request.target->endpoint, &x->way, &x->why);

	x->seek_us = clock_mono_us();
	if (verdict != HTTP_ANSWERED) {
		fail(x, verdict);
	} else if (x->way.host && x->way.host->pending) {
		set_limit(x, connect_until_ms(x));
		move(x, &h->looking);
	} else {
		start(x);
	}
}

void
http_send(struct http *h, const struct http_request *req)
{
	struct exchange *x = take_exchange(h);

	begin(x, req);
	seek(x);
}

bool
http_next(struct http *h, struct http_result *r)
{
	struct exchange *x = h->done.first;
	const struct answer *a;

	if (!x)
		return false;
	a = &x->answer;
	r->user = x->request.user;
	r->failure = a->complete ? HTTP_ANSWERED : x->failure ? x->failure :
	    a->refused;
	r->status = a->complete ? a->status : 0;
	r->duration_us = x->end_us - x->start_us;
	r->dns_us = x->dialled_us;
	r->connect_us = x->connect_us;
	r->tls_us = x->tls_us;
	r->first_us = x->first_us;
	r->retry_after_ms = answer_retry_after_ms(a, clock_wall_ms());
	r->wish = a->wish;
	r->body = (struct span){ a->body, a->body_bytes < sizeof(a->body) ?
	    a->body_bytes : sizeof(a->body) };
	snprintf(r->error, sizeof(r->error), "%.*s", (int)sizeof(r->error) - 1,
	    a->complete ? "" : x->failure ? x->why.text : a->why);
	move(x, &h->idle);
	return true;
}

/* All of them */

struct http *
http_open(const struct http_options *o, struct error *e)
{
	struct http *h = alloc_zero(1, sizeof(*h));

	h->max_files = o->max_files;
	h->look_ms = -1;
	if (ways_open(&h->ways, o, e) == 0 &&
	    (h->dialer = dialer_open(&h->ways, o->ca_file, e)) != NULL)
		return h;
	http_close(h);
	return NULL;
}

void
http_close(struct http *h)
{
	if (!h)
		return;
	free_all(&h->idle);
	free_all(&h->looking);
	free_all(&h->active);
	free_all(&h->done);
	while (h->oldest)
		pool_drop(h, h->oldest);
	dialer_close(h->dialer);
	ways_close(&h->ways);
	free(h);
}

/* Times count since the exchange began. */
static void
note_times(struct exchange *x)
{
	const struct connection *c = x->connection;

	x->connect_us = c->connect_us ? x->dialled_us + c->connect_us : 0;
	x->tls_us = c->tls_us ? x->dialled_us + c->tls_us : 0;
}

/* Something happened to it. */
static void
look_at(struct http *h, struct connection *c)
{
	struct exchange *x = c->user;

	if (!x) {
		if (!is_quiet(h, c))
			pool_drop(h, c);
		return;
	}
	if (c->state == CONNECTION_FAILED) {
		x->failure = c->failure;
		x->why = c->why;
		finish(x);
		return;
	}
	if (!x->opened) {
		x->opened = true;
		note_times(x);
		set_limit(x, x->request.total_ms);
	}
	talk(x);
}

/* Names that were found. */
static void
end_lookups(struct http *h)
{
	struct exchange *x, *next;
	enum http_failure verdict;

	resolver_take(h->ways.resolver);
	for (x = h->looking.first; x; x = next) {
		next = x->next;
		if (x->way.host->pending)
			continue;
		verdict = way_judge(&h->ways, &x->way, &x->why);
		if (verdict == HTTP_ANSWERED)
			start(x);
		else
			fail(x, verdict);
	}
}

static void
time_out(struct exchange *x)
{
	if (x->in == &x->http->looking) {
		error_set(&x->why, "the host's name was not resolved in time");
		fail(x, HTTP_DNS);
		return;
	}
	x->failure = HTTP_TIMEOUT;
	error_set(&x->why, x->opened ? "no answer in time" :
	    "no connection in time");
	finish(x);
}

static void
end_late(struct http *h, struct list *l, int64_t now_ms)
{
	struct exchange *x, *next;

	for (x = l->first; x; x = next) {
		next = x->next;
		if (x->until_ms <= now_ms)
			time_out(x);
		else
			h->look_ms = clock_earlier(h->look_ms, x->until_ms);
	}
}

/* Limits that have passed. */
static void
keep_limits(struct http *h)
{
	int64_t now_ms;

	if (h->look_ms < 0 || (now_ms = clock_mono_ms()) < h->look_ms)
		return;
	h->look_ms = -1;
	end_late(h, &h->looking, now_ms);
	end_late(h, &h->active, now_ms);
}

int
http_wait(struct http *h, struct pollfd *fds, size_t n, int64_t deadline_ms,
    struct error *e)
{
	struct pollfd all[MAX_WAIT_FDS + 2];
	struct connection *c;

	if (n > MAX_WAIT_FDS)
		return error_set(e, "too many descriptors to wait for");
	if (n)
		memcpy(all, fds, n * sizeof(*fds));
	all[n] = (struct pollfd){ dialer_fd(h->dialer), POLLIN, 0 };
	all[n + 1] = (struct pollfd){ resolver_fd(h->ways.resolver), POLLIN, 0 };
	if (!h->looking.first && !h->active.first)
		h->look_ms = -1;
	deadline_ms = clock_earlier(deadline_ms, h->look_ms);
	deadline_ms = clock_earlier(deadline_ms, dialer_deadline(h->dialer));
	if (poll(all, (nfds_t)n + 2, h->done.first ? 0 :
	    clock_left_ms(deadline_ms)) < 0 && errno != EINTR)
		return error_set(e, "poll: %s", strerror(errno));
	if (n)
		memcpy(fds, all, n * sizeof(*fds));
	if (h->looking.first)
		end_lookups(h);
	while ((c = dialer_next(h->dialer)))
		look_at(h, c);
	keep_limits(h);
	return 0;
}
