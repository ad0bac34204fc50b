/*
 * Connections by libcurl's CONNECT_ONLY. Each is made in a multi handle of its
 * own: in a common one libcurl looks after those that it thinks idle, and
 * closes what has something to be read. A plain one is taken over once it is
 * connected, by a second descriptor, and libcurl closes its own; one with TLS
 * stays libcurl's, which reads and writes it.
 *
 * Sockets are watched by their edges: there is nothing to change while a
 * connection lives.
 */
#include "net/dial.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "net/trust.h"

enum {
	MAX_PINNED = 16,  /* of a name's addresses, for libcurl to try */
	MAX_SOCKETS = MAX_PINNED + 4, /* that it opens in one go */
	MAX_SPARE = 8,    /* handles kept for the next; each has two files */
	MAX_EVENTS = 256,
	MAX_TURNS = 4,    /* of libcurl without a socket, in one go */
	BLIND_MS = 100,   /* then the next, as curl_multi_fdset(3) has it */
};

/* libcurl's two handles. */
struct handle {
	struct handle *next;
	struct dialer *dialer;
	CURLM *multi;
	CURL *easy;
	int64_t look_ms;         /* when libcurl wants to look; -1: never */
	int sockets[MAX_SOCKETS];
	size_t n_sockets;        /* to be watched from now on */
	struct ip pinned[MAX_PINNED];
	size_t n_pinned;
	struct curl_slist pin, unpin; /* the one before comes first */
	struct buf pin_text, unpin_text;
	struct curl_slist via;   /* the detour, of via_text */
	struct buf via_text;
	size_t pin_host_bytes;   /* of pin_text: "HOST:PORT" */
	bool has_pem;
	enum http_failure refused; /* by us; HTTP_ANSWERED: not */
	struct error why;
};

struct list {
	struct connection *first, *last;
};

struct dialer {
	int epoll;
	const struct ways *ways;
	struct buf proxy;        /* "http://HOST:PORT"; empty: none */
	char *ca_file;           /* NULL: libcurl's own */
	struct trust *trust;     /* of that; NULL: libcurl reads it */
	struct handle *spare;
	size_t n_spare;
	struct list pending;
	struct list moved;       /* open or failed, not told yet */
	struct list closed;      /* to be freed */
	int64_t look_ms;         /* no pending one has to before; -1: none */
	struct epoll_event events[MAX_EVENTS];
	int n_events, at_event;
	bool is_drained;         /* there were no more */
	size_t n_files;
};

static void
list_add(struct list *l, struct connection *c)
{
	c->next = NULL;
	c->prev = l->last;
	if (c->prev)
		c->prev->next = c;
	else
		l->first = c;
	l->last = c;
}

static void
list_remove(struct list *l, struct connection *c)
{
	if (c->prev)
		c->prev->next = c->next;
	else
		l->first = c->next;
	if (c->next)
		c->next->prev = c->prev;
	else
		l->last = c->prev;
}

/* The address */

/*
 * Its addresses for libcurl's memory, where they stay for the time of the
 * dialling, whatever happens; what the handle had there before goes.
 */
static void
put_pin(struct handle *h, const struct way *w)
{
	const struct endpoint *at = way_first_hop(h->dialer->ways, w);
	char text[IP_TEXT_BYTES];
	size_t i;

	h->unpin_text.len = 0;
	if (h->pin_text.len)
		buf_printf(&h->unpin_text, "-%.*s", (int)h->pin_host_bytes,
		    h->pin_text.p);
	h->pin_text.len = 0;
	h->n_pinned = 0;
	if (!w->host)
		return;
	buf_printf(&h->pin_text, "%s:%u", at->host, at->port);
	h->pin_host_bytes = h->pin_text.len;
	for (i = 0; i < w->host->n && i < MAX_PINNED; i++) {
		h->pinned[h->n_pinned++] = w->host->list[i];
		buf_printf(&h->pin_text, "%c%s", i ? ',' : ':',
		    ip_text(&w->host->list[i], text));
	}
}

/* For CURLOPT_RESOLVE. */
static struct curl_slist *
pins(struct handle *h)
{
	struct curl_slist *list = NULL;

	/* libcurl only reads them. */
	if (h->pin_text.len) {
		h->pin.data = (char *)(uintptr_t)buf_str(&h->pin_text);
		list = &h->pin;
	}
	if (h->unpin_text.len) {
		h->unpin.data = (char *)(uintptr_t)buf_str(&h->unpin_text);
		h->unpin.next = list;
		list = &h->unpin;
	}
	return list;
}

/* For CURLOPT_CONNECT_TO. Ours was matched already: it holds for any host. */
static struct curl_slist *
via(struct handle *h, const struct way *w)
{
	const struct endpoint *to;

	if (!w->detour)
		return NULL;
	to = &w->detour->to;
	h->via_text.len = 0;
	buf_printf(&h->via_text, strchr(to->host, ':') ? "::[%s]:" : "::%s:",
	    to->host);
	if (to->port)
		buf_u64(&h->via_text, to->port);
	h->via.data = (char *)(uintptr_t)buf_str(&h->via_text);
	return &h->via;
}

static bool
take_address(const struct curl_sockaddr *a, struct ip *ip)
{
	*ip = (struct ip){ .v6 = a->family == AF_INET6 };
	if (a->family == AF_INET)
		memcpy(ip->byte, &((const struct sockaddr_in *)
		    (const void *)&a->addr)->sin_addr, 4);
	else if (ip->v6)
		memcpy(ip->byte, &((const struct sockaddr_in6 *)
		    (const void *)&a->addr)->sin6_addr, 16);
	return ip->v6 || a->family == AF_INET;
}

/* Is it one of those that were judged together? */
static bool
is_pinned(const struct handle *h, const struct ip *ip)
{
	size_t i;

	for (i = 0; i < h->n_pinned; i++)
		if (h->pinned[i].v6 == ip->v6 &&
		    memcmp(h->pinned[i].byte, ip->byte, ip->v6 ? 16 : 4) == 0)
			return true;
	return h->pin_text.len == 0;
}

/* The last word, whatever led here. */
static curl_socket_t
on_socket(void *user, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct handle *h = user;
	const struct ways *ways = h->dialer->ways;
	struct ip ip;
	int fd;

	(void)purpose;
	if (h->refused || !take_address(a, &ip) ||
	    h->n_sockets == MAX_SOCKETS)
		return CURL_SOCKET_BAD;
	if (!ways->proxy.host && guard_check(ways->guard, &ip, &h->why) < 0) {
		h->refused = HTTP_BLOCKED;
		return CURL_SOCKET_BAD;
	}
	if (!is_pinned(h, &ip)) {
		error_set(&h->why, "the host's addresses changed meanwhile");
		h->refused = HTTP_DNS;
		return CURL_SOCKET_BAD;
	}
	fd = socket(a->family, a->socktype, a->protocol);
	if (fd < 0)
		return CURL_SOCKET_BAD;
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	h->sockets[h->n_sockets++] = fd;
	return fd;
}

static int
watch(struct dialer *d, int fd, struct connection *c)
{
	struct epoll_event event = { .data.ptr = c,
		.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET };

	return epoll_ctl(d->epoll, EPOLL_CTL_ADD, fd, &event);
}

/*
 * Those that libcurl opened just now. Some may be closed again, and their numbers
 * be another's: it tells nobody of addresses that it gave up. What is closed is
 * watched no more (epoll(7)), so that nothing has to be known of it.
 */
static int
watch_new(struct connection *c)
{
	struct handle *h = c->handle;
	int rc = 0;

	while (h->n_sockets) {
		if (watch(c->dialer, h->sockets[--h->n_sockets], c) < 0 &&
		    errno != EBADF && errno != EEXIST)
			rc = -1;
	}
	return rc;
}

/* The handles */

#define SET(easy, option, value) \
	(code = code ? code : curl_easy_setopt(easy, option, value))

static CURLcode
set_protocols(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	return curl_easy_setopt(easy, CURLOPT_PROTOCOLS,
	    CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
}

/* What is the same for all. */
static CURLcode
set_once(struct handle *h)
{
	struct dialer *d = h->dialer;
	CURLcode code = set_protocols(h->easy);

	SET(h->easy, CURLOPT_NOSIGNAL, 1L);
	SET(h->easy, CURLOPT_CONNECT_ONLY, 1L);
	/* Neither the environment's proxy nor its exceptions from ours. */
	SET(h->easy, CURLOPT_PROXY, d->proxy.len ? buf_str(&d->proxy) : "");
	SET(h->easy, CURLOPT_NOPROXY, "");
	SET(h->easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	SET(h->easy, CURLOPT_OPENSOCKETDATA, (void *)h);
	SET(h->easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	SET(h->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(h->easy, CURLOPT_SSL_VERIFYPEER, 1L);
	SET(h->easy, CURLOPT_SSL_VERIFYHOST, 2L);
	SET(h->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	if (d->ca_file) {
		SET(h->easy, CURLOPT_CAINFO, d->trust ? NULL : d->ca_file);
		SET(h->easy, CURLOPT_CAPATH, NULL);
	}
	if (!d->proxy.len)
		return code;
	SET(h->easy, CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (d->ca_file) {
		SET(h->easy, CURLOPT_PROXY_CAINFO, d->ca_file);
		SET(h->easy, CURLOPT_PROXY_CAPATH, NULL);
	}
	return code;
}

static void
handle_free(struct handle *h)
{
	curl_easy_cleanup(h->easy);
	if (h->multi)
		(void)curl_multi_cleanup(h->multi);
	buf_clear(&h->pin_text);
	buf_clear(&h->unpin_text);
	buf_clear(&h->via_text);
	free(h);
}

static struct handle *
take_handle(struct dialer *d, struct error *e)
{
	struct handle *h = d->spare;
	CURLcode code = CURLE_OUT_OF_MEMORY;

	if (h) {
		d->spare = h->next;
		d->n_spare--;
		return h;
	}
	h = alloc_zero(1, sizeof(*h));
	h->dialer = d;
	h->easy = curl_easy_init();
	h->multi = curl_multi_init();
	if (h->easy && h->multi)
		code = set_once(h);
	if (code == CURLE_OK)
		return h;
	error_set(e, "libcurl: %s", curl_easy_strerror(code));
	handle_free(h);
	return NULL;
}

/* What it has open is closed, and so watched no more. */
static void
give_back(struct handle *h, bool was_open)
{
	struct dialer *d = h->dialer;

	(void)curl_multi_remove_handle(h->multi, h->easy);
	if (d->n_spare == MAX_SPARE || !was_open) {
		handle_free(h);
		return;
	}
	h->next = d->spare;
	d->spare = h;
	d->n_spare++;
}

static CURLcode
set_blob(CURL *easy, CURLoption option, const char *pem)
{
	struct curl_blob blob = { .data = (char *)(uintptr_t)pem,
		.flags = CURL_BLOB_NOCOPY };

	if (!pem)
		return curl_easy_setopt(easy, option, NULL);
	blob.len = strlen(pem);
	return curl_easy_setopt(easy, option, &blob);
}

/* libcurl keeps TLS sessions apart by these. */
static CURLcode
set_pem(struct handle *h, const char *ca, const char *certificate,
    const char *private_key)
{
	bool has = ca || certificate;
	CURLcode code = CURLE_OK;

	if (!has && !h->has_pem)
		return code;
	h->has_pem = has;
	code = set_blob(h->easy, CURLOPT_CAINFO_BLOB, ca);
	if (code == CURLE_OK)
		code = set_blob(h->easy, CURLOPT_SSLCERT_BLOB, certificate);
	if (code == CURLE_OK)
		code = set_blob(h->easy, CURLOPT_SSLKEY_BLOB, private_key);
	return code;
}

/* What became of it */

static enum http_failure
classify(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return HTTP_DNS;
	case CURLE_OPERATION_TIMEDOUT:
		return HTTP_TIMEOUT;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_ENGINE_INITFAILED:
		return HTTP_TLS;
	case CURLE_COULDNT_CONNECT:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_PROXY:
		return HTTP_CONNECT;
	default:
		return HTTP_PROTOCOL;
	}
}

/* libcurl's words where they say enough. */
static const char *
failure_text(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return "cannot resolve the host's name";
	case CURLE_COULDNT_RESOLVE_PROXY:
		return "cannot resolve the proxy's name";
	case CURLE_COULDNT_CONNECT:
		return "cannot connect";
	case CURLE_OPERATION_TIMEDOUT:
		return "no connection in time";
	default:
		return curl_easy_strerror(code);
	}
}

static void
describe(struct connection *c, CURLcode code)
{
	CURL *easy = c->handle->easy;
	long os_error = 0, proxy_status = 0;

	(void)curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE,
	    &proxy_status);
	if (c->failure == HTTP_CONNECT && proxy_status >= 300) {
		error_set(&c->why, "the proxy answered %ld", proxy_status);
		return;
	}
	if (c->failure == HTTP_CONNECT)
		(void)curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_error);
	if (os_error)
		error_set(&c->why, "%s: %s", failure_text(code),
		    strerror((int)os_error));
	else
		error_set(&c->why, "%s", failure_text(code));
}

static void
fail(struct connection *c, enum http_failure failure)
{
	c->failure = failure;
	c->state = CONNECTION_FAILED;
	give_back(c->handle, false);
	c->handle = NULL;
	c->dialer->n_files -= HTTP_CONNECTION_FILES;
}

/* Our own descriptor of the socket, which libcurl then closes its one of. */
static void
take_over(struct connection *c)
{
	curl_socket_t fd = CURL_SOCKET_BAD;

	if (curl_easy_getinfo(c->handle->easy, CURLINFO_ACTIVESOCKET, &fd) ==
	    CURLE_OK && fd != CURL_SOCKET_BAD)
		c->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (c->fd < 0 || watch(c->dialer, c->fd, c) < 0) {
		error_set(&c->why, "cannot connect: %s", strerror(errno));
		if (c->fd >= 0)
			(void)close(c->fd);
		c->fd = -1;
		fail(c, HTTP_CONNECT);
		return;
	}
	/* The socket stays open, and would stay watched by this number. */
	(void)epoll_ctl(c->dialer->epoll, EPOLL_CTL_DEL, fd, NULL);
	give_back(c->handle, true);
	c->handle = NULL;
	c->dialer->n_files -= HTTP_CONNECTION_FILES - 1;
}

static void
conclude(struct connection *c, CURLcode code)
{
	struct dialer *d = c->dialer;
	struct handle *h = c->handle;
	curl_off_t us = 0;

	list_remove(&d->pending, c);
	list_add(&d->moved, c);
	c->untold = true;
	if (h->refused) {
		c->why = h->why;
		fail(c, h->refused);
		return;
	}
	if (code != CURLE_OK) {
		c->failure = classify(code);
		describe(c, code);
		fail(c, c->failure);
		return;
	}
	c->state = CONNECTION_OPEN;
	(void)curl_easy_getinfo(h->easy, CURLINFO_CONNECT_TIME_T, &us);
	c->connect_us = us;
	us = 0;
	(void)curl_easy_getinfo(h->easy, CURLINFO_APPCONNECT_TIME_T, &us);
	c->tls_us = us;
	if (!c->tls) {
		take_over(c);
		return;
	}
	/* What came behind the handshake had its edge already. */
	c->readable = true;
	(void)set_pem(h, NULL, NULL, NULL);
}

static bool
has_socket(CURLM *multi)
{
	fd_set r, w, x;
	int last = -1;

	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_ZERO(&x);
	return curl_multi_fdset(multi, &r, &w, &x, &last) == CURLM_OK &&
	    last >= 0;
}

/*
 * Let libcurl go on, as far as it can. Where it gave up an address it has no
 * socket before it is called again, for the next one. It is also said to have
 * none where its number is beyond an fd_set.
 */
static void
progress(struct connection *c)
{
	struct dialer *d = c->dialer;
	struct handle *h = c->handle;
	struct CURLMsg *msg;
	long left_ms = -1;
	int running, left, turns = 0;
	CURLMcode code;

	do {
		code = curl_multi_perform(h->multi, &running);
		msg = curl_multi_info_read(h->multi, &left);
		if (watch_new(c) < 0)
			code = CURLM_OUT_OF_MEMORY;
		if (msg || code != CURLM_OK) {
			conclude(c, msg ? msg->data.result :
			    CURLE_OUT_OF_MEMORY);
			return;
		}
	} while (!has_socket(h->multi) && ++turns < MAX_TURNS);
	(void)curl_multi_timeout(h->multi, &left_ms);
	if (turns == MAX_TURNS && (left_ms < 0 || left_ms > BLIND_MS))
		left_ms = BLIND_MS;
	h->look_ms = left_ms < 0 ? -1 : clock_mono_ms() + left_ms;
	d->look_ms = clock_earlier(d->look_ms, h->look_ms);
}

/*
 * In the place of what libcurl would read. A target's own CA is left to it, and
 * so is then its proxy's.
 */
static CURLcode
on_ssl_ctx(CURL *easy, void *ssl_ctx, void *trust)
{
	(void)easy;
	return trust_give(trust, ssl_ctx) == 0 ? CURLE_OK :
	    CURLE_SSL_CACERT_BADFILE;
}

static CURLcode
set_trust(struct handle *h, bool own_ca)
{
	struct dialer *d = h->dialer;
	CURLcode code = CURLE_OK;

	if (!d->trust)
		return code;
	SET(h->easy, CURLOPT_SSL_CTX_FUNCTION, own_ca ? NULL : on_ssl_ctx);
	SET(h->easy, CURLOPT_SSL_CTX_DATA, (void *)d->trust);
	if (d->proxy.len)
		SET(h->easy, CURLOPT_PROXY_CAINFO, own_ca ? d->ca_file : NULL);
	return code;
}

static CURLcode
set_up(struct handle *h, const struct dial *dial)
{
	CURLcode code = set_pem(h, dial->ca, dial->certificate,
	    dial->private_key);

	put_pin(h, dial->way);
	if (code == CURLE_OK)
		code = set_trust(h, dial->ca != NULL);
	SET(h->easy, CURLOPT_URL, dial->url);
	SET(h->easy, CURLOPT_CONNECT_TO, via(h, dial->way));
	SET(h->easy, CURLOPT_RESOLVE, pins(h));
	SET(h->easy, CURLOPT_CONNECTTIMEOUT_MS,
	    dial->connect_ms > 1 ? (long)dial->connect_ms : 1L);
	return code;
}

struct connection *
dialer_dial(struct dialer *d, const struct dial *dial, struct error *e)
{
	struct handle *h = take_handle(d, e);
	struct connection *c;
	CURLcode code;

	if (!h)
		return NULL;
	c = alloc_zero(1, sizeof(*c));
	c->dialer = d;
	c->handle = h;
	c->fd = -1;
	c->tls = d->ways->proxy_tls || strncmp(dial->url, "https:", 6) == 0;
	h->refused = HTTP_ANSWERED;
	d->n_files += HTTP_CONNECTION_FILES; /* libcurl has two to be woken by */
	list_add(&d->pending, c);
	code = set_up(h, dial);
	if (code == CURLE_OK && curl_multi_add_handle(h->multi, h->easy) !=
	    CURLM_OK)
		code = CURLE_OUT_OF_MEMORY;
	if (code == CURLE_OK)
		progress(c);
	else
		conclude(c, code);
	return c;
}

/* What is open */

size_t
dialer_files(const struct dialer *d)
{
	return d->n_files;
}

void
connection_close(struct connection *c)
{
	struct dialer *d = c->dialer;

	if (c->state == CONNECTION_PENDING)
		list_remove(&d->pending, c);
	else if (c->untold)
		list_remove(&d->moved, c);
	if (c->handle) {
		give_back(c->handle, c->state == CONNECTION_OPEN);
		d->n_files -= HTTP_CONNECTION_FILES;
	} else if (c->fd >= 0) {
		(void)close(c->fd);
		d->n_files--;
	}
	c->handle = NULL;
	c->fd = -1;
	c->state = CONNECTION_CLOSED;
	list_add(&d->closed, c);
}

static ssize_t
broken(struct connection *c, int os_error)
{
	error_set(&c->why, "%s", os_error ? strerror(os_error) : "");
	return CONNECTION_BROKEN;
}

static long
os_error_of(const struct connection *c)
{
	long os_error = 0;

	(void)curl_easy_getinfo(c->handle->easy, CURLINFO_OS_ERRNO, &os_error);
	return os_error;
}

static ssize_t
send_by_libcurl(struct connection *c, const void *p, size_t len)
{
	size_t n = 0;
	CURLcode code = curl_easy_send(c->handle->easy, p, len, &n);

	if (code == CURLE_OK)
		return (ssize_t)n;
	return code == CURLE_AGAIN ? 0 : broken(c, (int)os_error_of(c));
}

ssize_t
connection_send(struct connection *c, const void *p, size_t len)
{
	ssize_t n;

	if (c->fd < 0)
		return send_by_libcurl(c, p, len);
	n = send(c->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EINTR ? 0 : broken(c, errno);
}

static ssize_t
receive_by_libcurl(struct connection *c, void *p, size_t len)
{
	size_t n = 0;
	CURLcode code = curl_easy_recv(c->handle->easy, p, len, &n);

	if (code == CURLE_OK)
		return n ? (ssize_t)n : CONNECTION_END;
	if (code != CURLE_AGAIN)
		return broken(c, (int)os_error_of(c));
	c->readable = false;
	return 0;
}

ssize_t
connection_receive(struct connection *c, void *p, size_t len)
{
	ssize_t n;

	if (c->fd < 0)
		return receive_by_libcurl(c, p, len);
	n = recv(c->fd, p, len, MSG_DONTWAIT);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return broken(c, errno);
	/* Less than was asked for: what follows is a new edge (epoll(7)). */
	if (n < (ssize_t)len && !c->ended)
		c->readable = false;
	return n > 0 ? n : n < 0 ? 0 : CONNECTION_END;
}

/* All of them */

int
dialer_fd(const struct dialer *d)
{
	return d->epoll;
}

int64_t
dialer_deadline(const struct dialer *d)
{
	return d->moved.first ? 0 : d->pending.first ? d->look_ms : -1;
}

/* Those that libcurl wants to look after. */
static void
tend(struct dialer *d)
{
	struct connection *c, *next;
	int64_t now_ms;

	if (d->look_ms < 0 || (now_ms = clock_mono_ms()) < d->look_ms)
		return;
	d->look_ms = -1;
	for (c = d->pending.first; c; c = next) {
		int64_t at_ms = c->handle->look_ms;

		next = c->next;
		if (at_ms >= 0 && at_ms <= now_ms)
			progress(c);
		else
			d->look_ms = clock_earlier(d->look_ms, at_ms);
	}
}

static void
bury(struct dialer *d)
{
	struct connection *c;

	while ((c = d->closed.first)) {
		list_remove(&d->closed, c);
		free(c->key);
		free(c);
	}
}

/* No event that is still to be looked at may be of one that is freed. */
static bool
take_events(struct dialer *d)
{
	bool more = !d->is_drained;

	d->is_drained = false;
	bury(d);
	if (!more)
		return false;
	tend(d);
	d->at_event = 0;
	d->n_events = epoll_wait(d->epoll, d->events, MAX_EVENTS, 0);
	d->is_drained = d->n_events < MAX_EVENTS;
	return true;
}

struct connection *
dialer_next(struct dialer *d)
{
	struct connection *c;

	do {
		while (!d->moved.first && d->at_event < d->n_events) {
			const struct epoll_event *v = &d->events[d->at_event++];

			c = v->data.ptr;
			if (c->state == CONNECTION_PENDING)
				progress(c);
			if (c->state != CONNECTION_OPEN || c->untold)
				continue;
			c->ended |= (v->events & (EPOLLRDHUP | EPOLLHUP |
			    EPOLLERR)) != 0;
			c->readable |= c->ended || (v->events & EPOLLIN);
			return c;
		}
		if ((c = d->moved.first)) {
			list_remove(&d->moved, c);
			c->untold = false;
			return c;
		}
	} while (take_events(d));
	return NULL;
}

/* Is libcurl's TLS the one that net/trust speaks of? */
static bool
is_openssl(void)
{
	const char *version = curl_version_info(CURLVERSION_NOW)->ssl_version;

	return version && strncmp(version, "OpenSSL/3", 9) == 0;
}

/*
 * Debian's libcurl knows where the CA file is; others are looked for where the
 * systems keep it.
 */
static int
find_ca(struct dialer *d, const char *given, struct error *e)
{
	const char *const places[] = {
		curl_version_info(CURLVERSION_NOW)->cainfo,
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/ca-bundle.pem",
		"/etc/ssl/cert.pem",
	};
	size_t i;

	if (given && access(given, R_OK) < 0)
		return error_set(e, "cannot read the CA file '%s': %s", given,
		    strerror(errno));
	for (i = 0; !given && i < sizeof(places) / sizeof(places[0]); i++)
		if (places[i] && access(places[i], R_OK) == 0)
			given = places[i];
	if (given)
		d->ca_file = alloc_copy(given, strlen(given));
	if (given && is_openssl())
		d->trust = trust_new(given);
	return 0;
}

/* libcurl's default ports of proxies are others than those of URLs. */
static void
put_proxy(struct dialer *d)
{
	const struct endpoint *at = &d->ways->proxy;

	if (at->host)
		buf_printf(&d->proxy, strchr(at->host, ':') ?
		    "%s://[%s]:%u" : "%s://%s:%u", d->ways->proxy_tls ?
		    "https" : "http", at->host, at->port);
}

struct dialer *
dialer_open(const struct ways *ways, const char *ca_file, struct error *e)
{
	struct dialer *d;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		error_set(e, "libcurl does not start");
		return NULL;
	}
	d = alloc_zero(1, sizeof(*d));
	d->ways = ways;
	d->look_ms = -1;
	put_proxy(d);
	d->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (d->epoll < 0)
		error_set(e, "epoll: %s", strerror(errno));
	else if (find_ca(d, ca_file, e) == 0)
		return d;
	dialer_close(d);
	return NULL;
}

void
dialer_close(struct dialer *d)
{
	struct handle *h;

	if (!d)
		return;
	bury(d);
	while ((h = d->spare)) {
		d->spare = h->next;
		handle_free(h);
	}
	if (d->epoll >= 0)
		(void)close(d->epoll);
	buf_clear(&d->proxy);
	trust_free(d->trust);
	free(d->ca_file);
	free(d);
	curl_global_cleanup();
}
