/*
 * A receiver of HTTP/1.1 requests for tests.
 */
#include "net/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "net/bind.h"

enum {
	READ_BYTES = 16 * 1024,       /* one read; a connection's memory, too */
	MAX_AHEAD_BYTES = 64 * 1024,  /* read while an answer waits */
	LINGER_MS = 1000,             /* for a sender to read our last answer */
	POUR_BYTES = 16 * 1024,       /* an endless body, piece by piece */
};

static const char continue_answer[] = "HTTP/1.1 100 Continue\r\n\r\n";

/* Opening and closing. */

int
sink_open(struct sink *s, const char *address, struct error *e)
{
	*s = (struct sink){ .fd = -1 };
	s->fd = bind_address(address, e);
	return s->fd < 0 ? -1 : 0;
}

static void
conn_free(struct sink_conn *c)
{
	sink_request_clear(&c->request);
	buf_clear(&c->in);
	buf_clear(&c->refusal);
	free(c);
}

static void
conn_close(struct sink *s, struct sink_conn *c)
{
	if (c->phase == SINK_CLOSED)
		return;
	close(c->fd);
	c->phase = SINK_CLOSED;
	c->deadline_ms = -1;
	s->n_done += c->owed;
	c->owed = false;
	s->full = false;
}

void
sink_close(struct sink *s)
{
	size_t i;

	for (i = 0; i < s->n_conns; i++) {
		conn_close(s, s->conns[i]);
		conn_free(s->conns[i]);
	}
	free(s->conns);
	free(s->polls);
	if (s->fd >= 0)
		close(s->fd);
	*s = (struct sink){ .fd = -1 };
}

/* Sending. */

static void
conn_reset(struct sink *s, struct sink_conn *c)
{
	struct linger now = { .l_onoff = 1 };

	(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	conn_close(s, c);
}

/*
 * Closing with input unread would send RST, and the sender could lose an
 * answer that is on its way (RFC 9112 section 9.6).
 */
static void
conn_linger(struct sink *s, struct sink_conn *c)
{
	if (c->ended || shutdown(c->fd, SHUT_WR) < 0) {
		conn_close(s, c);
		return;
	}
	c->phase = SINK_LINGERING;
	c->in.len = c->at = 0;
	c->deadline_ms = clock_mono_ms() + LINGER_MS;
}

static void conn_feed(struct sink *, struct sink_conn *);

static void
conn_keep(struct sink *s, struct sink_conn *c)
{
	if (!c->request.keep_alive) {
		conn_linger(s, c);
		return;
	}
	sink_request_reset(&c->request);
	c->phase = SINK_READING;
	conn_feed(s, c);
}

/* All of c->out is sent. */
static void
conn_sent(struct sink *s, struct sink_conn *c)
{
	if (c->phase == SINK_CONTINUING) {
		c->phase = SINK_READING;
		return;
	}
	if (c->then <= SINK_RESET) {
		s->n_done += c->owed;
		c->owed = false;
	}
	switch (c->then) {
	case SINK_KEEP:
		conn_keep(s, c);
		break;
	case SINK_CLOSE:
		conn_linger(s, c);
		break;
	case SINK_RESET:
		conn_reset(s, c);
		break;
	case SINK_HANG:
		c->phase = SINK_HANGING;
		break;
	case SINK_ENDLESS:
		c->phase = SINK_POURING;
		break;
	case SINK_DRIP:
		c->phase = SINK_DRIPPING;
		c->deadline_ms = clock_mono_ms() + c->drip_ms;
		break;
	}
	/* A sender that closed its side takes an answer, but not for ever. */
	if (c->ended && c->then >= SINK_HANG)
		conn_close(s, c);
}

static void
conn_send(struct sink *s, struct sink_conn *c)
{
	while (c->out.len) {
		ssize_t n = send(c->fd, c->out.p, c->out.len, 0);

		if (n >= 0) {
			c->out.p += n;
			c->out.len -= (size_t)n;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			return;
		} else if (errno != EINTR) {
			conn_close(s, c);
			return;
		}
	}
	conn_sent(s, c);
}

static void
conn_pour(struct sink *s, struct sink_conn *c)
{
	static const char body[POUR_BYTES] = { '\n' };

	if (send(c->fd, body, sizeof(body), 0) < 0 && errno != EAGAIN &&
	    errno != EWOULDBLOCK && errno != EINTR)
		conn_close(s, c);
}

static void
conn_drip(struct sink *s, struct sink_conn *c, int64_t now_ms)
{
	c->deadline_ms = now_ms + c->drip_ms;
	if (send(c->fd, ".", 1, 0) < 0 && errno != EAGAIN &&
	    errno != EWOULDBLOCK && errno != EINTR)
		conn_close(s, c);
}

/* Forget the closed ones. */
static void
sweep(struct sink *s)
{
	size_t i, n = 0;

	for (i = 0; i < s->n_conns; i++) {
		if (s->conns[i]->phase == SINK_CLOSED)
			conn_free(s->conns[i]);
		else
			s->conns[n++] = s->conns[i];
	}
	s->n_conns = n;
}

void
sink_send(struct sink *s)
{
	size_t i;

	for (i = 0; i < s->n_conns; i++)
		if (s->conns[i]->phase == SINK_SENDING)
			conn_send(s, s->conns[i]);
	sweep(s);
}

/* Receiving. */

static void
conn_ready(struct sink *s, struct sink_conn *c)
{
	c->phase = SINK_READY;
	s->n_fresh++;
}

static void
conn_continue(struct sink *s, struct sink_conn *c)
{
	c->request.wants_continue = false;
	c->phase = SINK_CONTINUING;
	c->out = span_of(continue_answer);
	conn_send(s, c);
}

/* Use what was received; note a sender that closed its side. */
static void
conn_feed(struct sink *s, struct sink_conn *c)
{
	struct sink_request *r = &c->request;

	c->at += sink_request_feed(r, (struct span){ c->in.p + c->at,
	    c->in.len - c->at });
	if (c->at == c->in.len)
		c->at = c->in.len = 0;
	if (sink_request_done(r)) {
		conn_ready(s, c);
	} else if (!c->ended) {
		if (r->wants_continue && r->body.len == 0)
			conn_continue(s, c);
	} else if (sink_request_begun(r)) {
		sink_request_end(r);
		conn_ready(s, c);
	} else {
		conn_close(s, c);
	}
}

static void
conn_received(struct sink *s, struct sink_conn *c)
{
	switch (c->phase) {
	case SINK_READING:
	case SINK_CONTINUING:
		conn_feed(s, c);
		break;
	case SINK_HANGING:
	case SINK_POURING:
	case SINK_DRIPPING:
	case SINK_LINGERING:
		c->at = c->in.len = 0;
		if (c->ended)
			conn_close(s, c);
		break;
	default: /* the next request, ahead of its time */
		break;
	}
}

static void
conn_receive(struct sink *s, struct sink_conn *c)
{
	ssize_t n;

	if (c->at) {
		memmove(c->in.p, c->in.p + c->at, c->in.len - c->at);
		c->in.len -= c->at;
		c->at = 0;
	}
	n = recv(c->fd, buf_room(&c->in, READ_BYTES), READ_BYTES, 0);
	if (n < 0) {
		if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			conn_close(s, c);
		return;
	}
	c->in.len += (size_t)n;
	c->ended = n == 0;
	conn_received(s, c);
}

static int
conn_set_up(int fd)
{
	int on = 1;

	return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0;
}

static void
add_conn(struct sink *s, int fd)
{
	struct sink_conn *c;

	if (conn_set_up(fd)) { /* the sender is gone already */
		close(fd);
		return;
	}
	if (s->n_conns == s->cap_conns)
		s->conns = alloc_grow(s->conns, &s->cap_conns, s->n_conns + 1,
		    sizeof(struct sink_conn *));
	c = alloc_zero(1, sizeof(*c));
	c->fd = fd;
	c->number = ++s->n_accepted;
	c->deadline_ms = -1;
	s->conns[s->n_conns++] = c;
}

static int
accept_all(struct sink *s, struct error *e)
{
	for (;;) {
		int fd = accept(s->fd, NULL, NULL);

		if (fd >= 0) {
			add_conn(s, fd);
			continue;
		}
		switch (errno) {
		case EINTR:
		case ECONNABORTED:
		case EPROTO:
			continue;
		case EMFILE:
		case ENFILE:
			s->full = s->n_conns > 0;
			if (s->full)
				return 0;
			break;
		default:
			if (errno == EAGAIN || errno == EWOULDBLOCK)
				return 0;
		}
		return error_set(e, "cannot accept a connection: %s",
		    strerror(errno));
	}
}

/* Waiting. */

static short
conn_events(const struct sink_conn *c)
{
	switch (c->phase) {
	case SINK_READY:
	case SINK_CLOSED:
		return 0;
	case SINK_DELAYED:
		return !c->ended && c->in.len - c->at < MAX_AHEAD_BYTES
		    ? POLLIN : 0;
	case SINK_SENDING:
	case SINK_CONTINUING:
		return POLLOUT;
	case SINK_POURING:
		return POLLIN | POLLOUT;
	default:
		return POLLIN;
	}
}

/* Fill s->polls; the earliest deadline or -1. */
static int64_t
prepare(struct sink *s, int stop_fd)
{
	int64_t deadline = -1;
	size_t i;

	if (s->cap_polls < s->n_conns + 2)
		s->polls = alloc_grow(s->polls, &s->cap_polls, s->n_conns + 2,
		    sizeof(struct pollfd));
	s->polls[0] = (struct pollfd){ .fd = stop_fd, .events = POLLIN };
	s->polls[1] = (struct pollfd){ .fd = s->full ? -1 : s->fd,
		.events = POLLIN };
	for (i = 0; i < s->n_conns; i++) {
		const struct sink_conn *c = s->conns[i];

		s->polls[i + 2] = (struct pollfd){ .fd = c->fd,
			.events = conn_events(c) };
		if (c->deadline_ms >= 0 &&
		    (deadline < 0 || c->deadline_ms < deadline))
			deadline = c->deadline_ms;
	}
	return deadline;
}

static int
timeout_ms(const struct sink *s, int64_t deadline_ms)
{
	int64_t left;

	if (s->n_fresh)
		return 0;
	if (deadline_ms < 0)
		return -1;
	left = deadline_ms - clock_mono_ms();
	return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

static void
conn_event(struct sink *s, struct sink_conn *c, short events)
{
	if (events & (POLLERR | POLLNVAL) ||
	    (events & (POLLHUP | POLLIN)) == POLLHUP) {
		conn_close(s, c);
		return;
	}
	if (events & POLLIN)
		conn_receive(s, c);
	if (!(events & POLLOUT))
		return;
	if (c->phase == SINK_SENDING || c->phase == SINK_CONTINUING)
		conn_send(s, c);
	else if (c->phase == SINK_POURING)
		conn_pour(s, c);
}

static void
conn_late(struct sink *s, struct sink_conn *c, int64_t now_ms)
{
	if (c->deadline_ms < 0 || c->deadline_ms > now_ms)
		return;
	c->deadline_ms = -1;
	if (c->phase == SINK_DELAYED) {
		c->phase = SINK_SENDING;
		conn_send(s, c);
	} else if (c->phase == SINK_DRIPPING) {
		conn_drip(s, c, now_ms);
	} else {
		conn_close(s, c);
	}
}

int
sink_wait(struct sink *s, int stop_fd, struct error *e)
{
	int64_t deadline = prepare(s, stop_fd), now_ms;
	size_t i, n = s->n_conns;

	if (poll(s->polls, n + 2, timeout_ms(s, deadline)) < 0 &&
	    errno != EINTR && errno != EAGAIN)
		return error_set(e, "cannot wait: %s", strerror(errno));
	s->next = s->n_fresh = 0;
	if (s->polls[0].revents)
		return 1;
	if (deadline >= 0) {
		now_ms = clock_mono_ms();
		for (i = 0; i < n; i++)
			conn_late(s, s->conns[i], now_ms);
	}
	for (i = 0; i < n; i++)
		if (s->polls[i + 2].revents &&
		    s->conns[i]->phase != SINK_CLOSED)
			conn_event(s, s->conns[i], s->polls[i + 2].revents);
	return s->polls[1].revents ? accept_all(s, e) : 0;
}

/* Answering. */

struct sink_conn *
sink_next(struct sink *s)
{
	while (s->next < s->n_conns) {
		struct sink_conn *c = s->conns[s->next++];

		if (c->phase == SINK_READY)
			return c;
	}
	return NULL;
}

void
sink_answer(struct sink_conn *c, const struct sink_step *step)
{
	c->owed = true;
	c->then = step->then;
	c->out = buf_bytes(&step->answer);
	c->drip_ms = step->drip_ms;
	c->phase = SINK_SENDING;
	if (step->delay_ms) {
		c->phase = SINK_DELAYED;
		/* At least as long: the clock cuts fractions off. */
		c->deadline_ms = clock_mono_ms() + step->delay_ms + 1;
	}
}

void
sink_refuse(struct sink_conn *c)
{
	c->then = SINK_CLOSE;
	c->phase = SINK_SENDING;
	c->refusal.len = 0;
	if (c->request.status)
		sink_put_answer(&c->refusal, c->request.status,
		    SPAN("Connection: close\r\n"));
	c->out = buf_bytes(&c->refusal);
}
