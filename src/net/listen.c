/*
 * An HTTP server by libmicrohttpd: it parses and frames, we accept, wait and
 * keep the deadlines. A request goes from begin() through gather() to
 * listener_next(), where its connection is suspended, and by listen_answer()
 * back to the library.
 */
#include "net/listen.h"

#include <errno.h>
#include <limits.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/num.h"

enum {
	/* Of a connection: its head has to fit. */
	CONNECTION_BYTES = 16 * 1024,
	MAX_ACCEPTED = 64,   /* in a turn */
	MAX_FDS = 16,
	FULL_MS = 200,       /* then descriptors are looked for again */
	/* A line of a chunk that does not fit a connection's bytes the library
	 * tries again and again, until its deadline: with some patience. */
	MAX_VAIN_TURNS = 16,
	VAIN_MS = 10,
	/* Of a body that is refused: read, so that the connection can be kept
	 * and the client sees the answer; one that is longer costs both. */
	MAX_DROPPED_BYTES = 1 << 20,
};

struct peer { /* a connection */
	struct peer *next, *prev;
	struct MHD_Connection *connection;
	int fd;
	int64_t deadline_ms; /* -1: it waits for us */
	bool busy;           /* with a request */
	bool idle;           /* between two of them */
};

struct listen_request {
	struct listen_request *next; /* in ready */
	struct listener *listener;
	struct peer *peer;
	struct MHD_Connection *connection;
	const char *method, *path;
	struct buf body;
	size_t dropped_bytes;
	struct MHD_Response *response; /* the answer; NULL: none yet */
	unsigned status;
	const char *refused; /* by us, and why; NULL */
	int64_t begun_us;
};

struct listener {
	struct MHD_Daemon *daemon;
	struct listener_options options;
	int epoll, fds[MAX_FDS];
	struct peer *peers;
	size_t n_peers, n_requests, held_bytes;
	int64_t look_ms;    /* no deadline is before that; -1: there is none */
	int64_t full_ms;    /* no descriptors: no accept before that; -1 */
	bool stopping, resumed;
	bool moved;         /* the library told something in this turn */
	unsigned n_vain;    /* turns at its wish in which it told nothing */
	struct listen_request *ready, **ready_tail;
};

/* Deadlines */

static void
set_deadline(struct listener *l, struct peer *p, int64_t wait_ms)
{
	p->deadline_ms = clock_mono_ms() + wait_ms;
	l->look_ms = clock_earlier(l->look_ms, p->deadline_ms);
}

/*
 * The library sees the end of what it reads, and closes. Where it has no room to
 * read, it does so when it finds that nothing has come for a second.
 */
static void
cut_off(struct peer *p)
{
	(void)shutdown(p->fd, SHUT_RDWR);
	(void)MHD_set_connection_option(p->connection,
	    MHD_CONNECTION_OPTION_TIMEOUT, 1U);
	p->deadline_ms = -1;
}

static void
keep_deadlines(struct listener *l)
{
	int64_t now_ms = clock_mono_ms();
	struct peer *p;

	if (l->look_ms < 0 || now_ms < l->look_ms)
		return;
	l->look_ms = -1;
	for (p = l->peers; p; p = p->next) {
		if (p->deadline_ms >= 0 && p->deadline_ms <= now_ms)
			cut_off(p);
		else
			l->look_ms = clock_earlier(l->look_ms, p->deadline_ms);
	}
}

/* Connections */

static void
on_connection(void *ctx, struct MHD_Connection *c, void **context,
    enum MHD_ConnectionNotificationCode what)
{
	struct listener *l = ctx;
	struct peer *p = *context;

	l->moved = true;
	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		p = alloc_zero(1, sizeof(*p));
		p->connection = c;
		p->fd = MHD_get_connection_info(c,
		    MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
		p->next = l->peers;
		if (p->next)
			p->next->prev = p;
		l->peers = p;
		l->n_peers++;
		set_deadline(l, p, l->options.request_ms);
		*context = p;
		return;
	}
	if (p->next)
		p->next->prev = p->prev;
	if (p->prev)
		p->prev->next = p->next;
	else
		l->peers = p->next;
	l->n_peers--;
	l->full_ms = -1;
	free(p);
	*context = NULL;
}

static struct peer *
peer_of(struct MHD_Connection *c)
{
	return MHD_get_connection_info(c,
	    MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* The first line of a request has come. */
static void *
on_line(void *ctx, const char *uri, struct MHD_Connection *c)
{
	struct listener *l = ctx;

	(void)uri;
	peer_of(c)->idle = false;
	set_deadline(l, peer_of(c), l->options.request_ms);
	return NULL;
}

static bool
has_room(const struct listener *l)
{
	return l->n_peers < l->options.max_connections;
}

/* Is there nothing of it that the library has not read? */
static bool
is_silent(const struct peer *p)
{
	char c;

	return recv(p->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

/* Who was served longest ago and has sent nothing since; NULL: nobody. */
static struct peer *
idlest(const struct listener *l)
{
	struct peer *p, *found = NULL;

	for (p = l->peers; p; p = p->next)
		if (p->idle && p->deadline_ms >= 0 &&
		    (!found || p->deadline_ms <= found->deadline_ms) &&
		    is_silent(p))
			found = p;
	return found;
}

/* Somebody waits to be taken: who only might come back makes way. */
static void
make_room(struct listener *l)
{
	struct peer *p = has_room(l) ? NULL : idlest(l);

	if (p)
		cut_off(p);
}

static void
accept_all(struct listener *l, int fd)
{
	struct sockaddr_storage a;
	socklen_t len;
	int i, got;

	for (i = 0; i < MAX_ACCEPTED && has_room(l); i++) {
		len = sizeof(a);
		got = accept(fd, (struct sockaddr *)&a, &len);
		if (got < 0) {
			if (errno == EMFILE || errno == ENFILE ||
			    errno == ENOBUFS || errno == ENOMEM)
				l->full_ms = clock_mono_ms() + FULL_MS;
			return;
		}
		/* It closes what it does not take. */
		(void)MHD_add_connection(l->daemon, got,
		    (struct sockaddr *)&a, len);
	}
}

/* Requests */

static void
make_answer(struct listen_request *r, const struct listen_answer *a)
{
	r->status = a->status;
	/* It copies; the pointer is not written through. */
	r->response = MHD_create_response_from_buffer(a->body.len,
	    (void *)(uintptr_t)(a->body.len ? a->body.p : ""),
	    MHD_RESPMEM_MUST_COPY);
	if (!r->response)
		abort(); /* no memory */
	(void)MHD_add_response_header(r->response, "Content-Type",
	    "application/json");
	if (a->field)
		(void)MHD_add_response_header(r->response, a->field, a->value);
}

static void
refuse(struct listen_request *r, unsigned status, const char *reason,
    const char *error)
{
	char body[256];
	int n = snprintf(body, sizeof(body),
	    "{\"reason\":\"%s\",\"error\":\"%s\"}\n", reason, error);

	r->refused = error;
	make_answer(r, &(struct listen_answer){ .status = status,
		.body = { body, (size_t)n },
		.field = status == MHD_HTTP_SERVICE_UNAVAILABLE ?
		    "Retry-After" : NULL, .value = "1" });
}

static void
refuse_long(struct listen_request *r)
{
	refuse(r, 413 /* the library's name for it changed */, "too-large",
	    "the body is longer than --max-body");
}

static void
refuse_busy(struct listen_request *r)
{
	refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "busy",
	    "too many requests at a time; try again");
}

static void
release_body(struct listen_request *r)
{
	r->listener->held_bytes -= r->body.len;
	buf_clear(&r->body);
}

static enum MHD_Result
send_answer(struct listen_request *r)
{
	if (r->listener->stopping)
		(void)MHD_add_response_header(r->response, "Connection",
		    "close");
	set_deadline(r->listener, r->peer, r->listener->options.request_ms);
	r->listener->options.answered(r->listener->options.ctx, r->status,
	    r->refused, clock_mono_us() - r->begun_us);
	return MHD_queue_response(r->connection, r->status, r->response);
}

/* The announced length of the body; 0: unknown, or none. */
static uint64_t
length_of(const struct listen_request *r)
{
	uint64_t n = 0;

	/* That it is a number the library sees to. */
	(void)num_u64(listen_field(r, MHD_HTTP_HEADER_CONTENT_LENGTH), 0,
	    UINT64_MAX, &n);
	return n;
}

struct head { /* what of it decides where the request ends */
	int n_lengths, n_hosts;
	const char *fault;
};

static enum MHD_Result
look_at_field(void *ctx, enum MHD_ValueKind kind, const char *name,
    const char *value)
{
	struct head *h = ctx;
	bool is_coding = strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0;

	(void)kind;
	h->n_lengths += is_coding ||
	    strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
	h->n_hosts += strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0;
	/* The library would take all that comes for the body. */
	if (is_coding && strcasecmp(value, "chunked") != 0)
		h->fault = "the Transfer-Encoding can only be chunked";
	else if (name[strcspn(name, " \t")])
		h->fault = "there is a blank in a field's name";
	return MHD_YES;
}

/*
 * What makes its end a matter of opinion, so that the proxy in front may mean
 * another request (RFC 9112 3.2, 5.1, 6.1, 6.3); NULL: nothing.
 */
static const char *
head_fault(const struct listen_request *r)
{
	struct head h = { 0 };

	(void)MHD_get_connection_values(r->connection, MHD_HEADER_KIND,
	    look_at_field, &h);
	if (h.n_lengths > 1)
		return "the length is told twice";
	return h.n_hosts > 1 ? "the host is told twice" : h.fault;
}

static enum MHD_Result
begin(struct listener *l, struct listen_request *r)
{
	struct listen_answer a = { 0 };
	uint64_t length = length_of(r);
	const char *fault = head_fault(r);

	l->n_requests++;
	r->peer->busy = true;
	if (fault) {
		refuse(r, MHD_HTTP_BAD_REQUEST, "protocol", fault);
		return send_answer(r);
	}
	if (!l->options.admit(l->options.ctx, r, &a))
		make_answer(r, &a);
	else if (length > l->options.max_body_bytes)
		refuse_long(r);
	else if (length + l->held_bytes > l->options.max_held_bytes)
		refuse_busy(r);
	if (r->response && (length > MAX_DROPPED_BYTES ||
	    listen_field(r, MHD_HTTP_HEADER_EXPECT).p))
		return send_answer(r);
	return MHD_YES;
}

/* MHD_NO closes the connection. */
static enum MHD_Result
gather(struct listener *l, struct listen_request *r, const char *p, size_t n)
{
	if (!r->response && r->body.len + n > l->options.max_body_bytes)
		refuse_long(r);
	else if (!r->response && l->held_bytes + n > l->options.max_held_bytes)
		refuse_busy(r);
	if (!r->response) {
		buf_add(&r->body, p, n);
		l->held_bytes += n;
		return MHD_YES;
	}
	release_body(r);
	r->dropped_bytes += n;
	return r->dropped_bytes <= MAX_DROPPED_BYTES ? MHD_YES : MHD_NO;
}

/* Of a target in absolute form, what is behind the authority (RFC 9112 3.2.2). */
static const char *
path_of(const char *target)
{
	const char *p = strncasecmp(target, "http://", 7) == 0 ? target + 7 :
	    strncasecmp(target, "https://", 8) == 0 ? target + 8 : NULL;

	if (!p)
		return target;
	p += strcspn(p, "/");
	return *p ? p : "/";
}

static enum MHD_Result
on_request(void *ctx, struct MHD_Connection *c, const char *url,
    const char *method, const char *version, const char *data, size_t *n,
    void **state)
{
	struct listener *l = ctx;
	struct listen_request *r = *state;
	enum MHD_Result result;

	(void)version;
	l->moved = true;
	if (!r) {
		r = *state = alloc_zero(1, sizeof(*r));
		r->listener = l;
		r->connection = c;
		r->peer = peer_of(c);
		r->method = method;
		r->path = path_of(url);
		r->begun_us = clock_mono_us();
		return begin(l, r);
	}
	if (*n) {
		result = gather(l, r, data, *n);
		*n = 0;
		return result;
	}
	if (r->response)
		return send_answer(r);
	r->peer->deadline_ms = -1;
	MHD_suspend_connection(c);
	*l->ready_tail = r;
	l->ready_tail = &r->next;
	return MHD_YES;
}

static void
on_completed(void *ctx, struct MHD_Connection *c, void **state,
    enum MHD_RequestTerminationCode how)
{
	struct listener *l = ctx;
	struct listen_request *r = *state;
	struct peer *p = peer_of(c);

	(void)how;
	p->busy = false;
	p->idle = true;
	set_deadline(l, p, l->stopping ? 0 : l->options.idle_ms);
	if (!r)
		return;
	l->n_requests--;
	release_body(r);
	if (r->response)
		MHD_destroy_response(r->response);
	free(r);
	*state = NULL;
}

struct listen_request *
listener_next(struct listener *l)
{
	struct listen_request *r = l->ready;

	if (!r)
		return NULL;
	l->ready = r->next;
	if (!l->ready)
		l->ready_tail = &l->ready;
	r->next = NULL;
	return r;
}

struct span
listen_method(const struct listen_request *r)
{
	return span_of(r->method);
}

struct span
listen_path(const struct listen_request *r)
{
	return span_of(r->path);
}

struct span
listen_field(const struct listen_request *r, const char *name)
{
	const char *value = MHD_lookup_connection_value(r->connection,
	    MHD_HEADER_KIND, name);

	return value ? span_of(value) : (struct span){ 0 };
}

struct span
listen_body(struct listen_request *r)
{
	(void)buf_room(&r->body, BUF_PAD);
	return buf_bytes(&r->body);
}

void
listen_answer(struct listen_request *r, const struct listen_answer *a)
{
	make_answer(r, a);
	release_body(r);
	r->listener->resumed = true;
	MHD_resume_connection(r->connection);
}

/* The server */

static void
say_nothing(void *ctx, const char *fmt, va_list ap)
{
	(void)ctx;
	(void)fmt;
	(void)ap;
}

struct listener *
listener_open(const struct listener_options *o, struct error *e)
{
	struct listener *l = alloc_zero(1, sizeof(*l));
	size_t i;

	l->options = *o;
	l->options.n_fds = o->n_fds < MAX_FDS ? o->n_fds : MAX_FDS;
	for (i = 0; i < l->options.n_fds; i++)
		l->fds[i] = o->fds[i];
	l->look_ms = l->full_ms = -1;
	l->ready_tail = &l->ready;
	l->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET |
	    MHD_USE_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
	    on_request, l,
	    MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL,
	    MHD_OPTION_CONNECTION_LIMIT, (unsigned)o->max_connections + 1,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
	    MHD_OPTION_CONNECTION_TIMEOUT, 0U,
	    MHD_OPTION_NOTIFY_CONNECTION, on_connection, l,
	    MHD_OPTION_NOTIFY_COMPLETED, on_completed, l,
	    MHD_OPTION_URI_LOG_CALLBACK, on_line, l,
	    MHD_OPTION_STRICT_FOR_CLIENT, 1,
	    MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
	    MHD_OPTION_END);
	if (!l->daemon) {
		error_set(e, "cannot start the HTTP server: %s",
		    strerror(errno));
		listener_close(l);
		return NULL;
	}
	l->epoll = MHD_get_daemon_info(l->daemon,
	    MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	return l;
}

static void
close_sockets(struct listener *l)
{
	size_t i;

	for (i = 0; i < l->options.n_fds; i++)
		close(l->fds[i]);
	l->options.n_fds = 0;
}

void
listener_close(struct listener *l)
{
	struct listen_request *r;

	if (!l)
		return;
	close_sockets(l);
	while ((r = listener_next(l)))
		MHD_resume_connection(r->connection);
	if (l->daemon)
		MHD_stop_daemon(l->daemon);
	free(l);
}

static int
timeout_of(struct listener *l, int64_t deadline_ms, bool is_full)
{
	MHD_UNSIGNED_LONG_LONG library_ms;
	int left_ms;

	if (l->resumed || l->ready)
		return 0;
	deadline_ms = clock_earlier(deadline_ms, l->look_ms);
	if (is_full)
		deadline_ms = clock_earlier(deadline_ms, l->full_ms);
	left_ms = clock_left_ms(deadline_ms);
	if (MHD_get_timeout(l->daemon, &library_ms) == MHD_NO)
		return left_ms;
	if (library_ms == 0 && l->n_vain > MAX_VAIN_TURNS)
		library_ms = VAIN_MS;
	if (left_ms < 0 || library_ms < (uint64_t)left_ms)
		left_ms = library_ms > INT_MAX ? INT_MAX : (int)library_ms;
	return left_ms;
}

/* The sockets to wait for. How many. */
static size_t
prepare_poll(const struct listener *l, struct pollfd *fds, bool accepts)
{
	size_t n = accepts ? l->options.n_fds : 0, i;

	for (i = 0; i < n; i++)
		fds[i] = (struct pollfd){ l->fds[i], POLLIN, 0 };
	return n;
}

int
listener_wait(struct listener *l, int also_fd, int64_t deadline_ms,
    struct error *e)
{
	bool is_full = l->full_ms >= 0 && clock_mono_ms() < l->full_ms;
	struct pollfd fds[2 + MAX_FDS] = {
		{ also_fd, POLLIN, 0 }, { l->epoll, POLLIN, 0 },
	};
	size_t n = prepare_poll(l, fds + 2, !is_full &&
	    (has_room(l) || idlest(l))), i;
	int ready = poll(fds, 2 + n, timeout_of(l, deadline_ms, is_full));

	if (ready < 0 && errno != EINTR)
		return error_set(e, "cannot wait: %s", strerror(errno));
	for (i = 0; i < n; i++) {
		if (!fds[2 + i].revents)
			continue;
		make_room(l);
		accept_all(l, l->fds[i]);
	}
	l->resumed = l->moved = false;
	if (MHD_run(l->daemon) != MHD_YES)
		return error_set(e, "the HTTP server failed");
	l->n_vain = l->moved ? 0 : l->n_vain + (ready == 0);
	keep_deadlines(l);
	return 0;
}

void
listener_stop(struct listener *l)
{
	struct peer *p;

	close_sockets(l);
	l->stopping = true;
	for (p = l->peers; p; p = p->next)
		if (!p->busy && is_silent(p))
			cut_off(p);
}

bool
listener_is_idle(const struct listener *l)
{
	return l->n_requests == 0;
}

size_t
listener_connections(const struct listener *l)
{
	return l->n_peers;
}
