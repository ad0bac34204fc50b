/*
 * HTTP by libcurl's multi interface: HTTP/1.1, keep-alive, POST, nothing else.
 * The rules it keeps: an answer counts once its head is complete, whatever
 * happens to the bodies afterwards; so libcurl's verdict is asked only where
 * there is no such head (net/answer.h). And no address is dialled that the
 * guard refuses: a name is resolved here, judged by all of its addresses and
 * pinned to them; what libcurl opens a socket for is judged once more.
 */
#include "net/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/num.h"
#include "json/siphash.h"
#include "net/answer.h"
#include "net/endpoint.h"
#include "net/resolve.h"

enum {
	MAX_WAIT_FDS = 8,
	MAX_PINNED = 16, /* of a name's addresses, for libcurl to try */
	RECENT_ORIGINS = 1024,
	TLS_WEIGHT = 2, /* in them: idle, one takes 30 KB, another 4 */
	RECENT_SLOTS = 16 * RECENT_ORIGINS, /* so few are another's */
};

struct http_target {
	char *url;
	struct endpoint endpoint;
	struct curl_slist *fields;
	char *ca, *certificate, *private_key; /* PEM; NULL: none */
	struct signer *signer;
};

/* It is idle, or in one of the lists of struct http, or libcurl has it. */
struct exchange {
	struct exchange *next, *prev;
	struct http *http;
	CURL *easy;
	CURLSH *names;           /* libcurl's memory of them, this one's own */
	bool busy;               /* libcurl has it */
	bool lingering;          /* it is in that list, too */
	struct http_request request;
	struct endpoint to;      /* what is dialled; borrows its host */
	struct curl_slist *via;  /* the detour there; NULL: none */
	struct host *host;       /* while its name is being looked up */
	struct curl_slist pin;   /* of pin_text; data NULL: none */
	struct curl_slist unpin; /* of the one before, which comes first */
	struct buf pin_text, unpin_text;
	size_t pin_list;         /* where its addresses begin */
	struct curl_slist own[HTTP_MAX_OWN_FIELDS + SIGNER_FIELDS];
	struct buf signature;    /* its fields */
	bool has_pem;            /* easy has a target's certificates */
	int64_t start_us, body_until_ms;
	int64_t dialled_us;      /* after the start; -1: not */
	CURLcode code;           /* once libcurl is done with it */
	struct answer answer;
	size_t body_bytes;
	char body[HTTP_KEPT_BODY_BYTES];
	enum http_failure refused; /* by us; HTTP_ANSWERED: not */
	struct error why;
};

struct list {
	struct exchange *first, *last;
};

struct http {
	CURLM *multi;
	struct resolver *resolver;
	const struct guard *guard;
	struct detour *detours;
	struct curl_slist *vias;  /* for libcurl, one of each detour */
	size_t n_detours;
	size_t n_recent;          /* origins that find their connection kept */
	char *proxy, *ca_file;
	bool drop_ca_path;
	uint64_t n_strangers;     /* requests to origins not seen lately */
	uint64_t seen[RECENT_SLOTS]; /* origins: n_strangers at that time */
	struct exchange **all;    /* for the end */
	size_t n_all, cap_all;
	struct exchange *idle;
	struct list done;
	struct list looking;      /* their names are being looked up */
	struct list lingering;    /* answered, but for the body; oldest first */
};

static void
list_add(struct list *l, struct exchange *x)
{
	x->next = NULL;
	x->prev = l->last;
	if (x->prev)
		x->prev->next = x;
	else
		l->first = x;
	l->last = x;
}

static void
list_remove(struct list *l, struct exchange *x)
{
	if (x->prev)
		x->prev->next = x->next;
	else
		l->first = x->next;
	if (x->next)
		x->next->prev = x->prev;
	else
		l->last = x->prev;
}

/* The target */

/*
 * libcurl drops "Name:" and wants "Name;" for a field that is sent empty; so
 * it does with a value of blanks, which is the same by RFC 9110 5.5.
 */
static char *
curl_line(const char *line)
{
	size_t name = strcspn(line, ":");
	const char *value = line + name;
	char *copy;

	value += *value == ':';
	value += strspn(value, " \t");
	copy = alloc_copy(line, *value ? strlen(line) : name + 1);
	if (!*value) {
		copy[name] = ';';
		copy[name + 1] = '\0';
	}
	return copy;
}

static struct curl_slist **
add_line(struct curl_slist **tail, char *line)
{
	*tail = alloc_zero(1, sizeof(**tail));
	(*tail)->data = line;
	return &(*tail)->next;
}

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

struct http_target *
http_target_new(const struct http_target_spec *spec)
{
	struct http_target *t = alloc_zero(1, sizeof(*t));
	struct curl_slist **tail = &t->fields;
	bool accept = false;
	size_t i;

	t->url = copy_text(spec->url);
	endpoint_of_url(&t->endpoint, t->url);
	t->ca = copy_text(spec->ca);
	t->certificate = copy_text(spec->certificate);
	t->private_key = copy_text(spec->private_key);
	t->signer = spec->signer;
	for (i = 0; i < spec->n_fields; i++) {
		tail = add_line(tail, curl_line(spec->fields[i]));
		accept |= is_field(spec->fields[i], "Accept");
	}
	/* A name alone stops libcurl from adding its own. */
	if (!accept)
		tail = add_line(tail, alloc_copy("Accept:", 7));
	add_line(tail, alloc_copy("Expect:", 7));
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

void
http_target_free(struct http_target *t)
{
	struct curl_slist *f, *next;

	if (!t)
		return;
	for (f = t->fields; f; f = next) {
		next = f->next;
		free_text(f->data);
		free(f);
	}
	free_text(t->ca);
	free_text(t->certificate);
	free_text(t->private_key);
	signer_free(t->signer);
	endpoint_clear(&t->endpoint);
	free(t->url);
	free(t);
}

const char *
http_target_url(const struct http_target *t)
{
	return t->url;
}

const char *
http_target_field(const struct http_target *t, size_t i)
{
	const struct curl_slist *field = t->fields;

	while (field && i--)
		field = field->next;
	return field ? field->data : NULL;
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

/* The answer */

static size_t
on_header(char *p, size_t size, size_t n, void *user)
{
	struct exchange *x = user;
	struct span line = { p, size * n };

	if (answer_line(&x->answer, line) < 0)
		return 0;
	if (x->answer.complete && !x->lingering) {
		x->lingering = true;
		x->body_until_ms = clock_mono_ms() + HTTP_BODY_MS;
		list_add(&x->http->lingering, x);
	}
	return line.len;
}

static size_t
on_body(char *p, size_t size, size_t n, void *user)
{
	struct exchange *x = user;

	if (x->body_bytes < sizeof(x->body))
		memcpy(x->body + x->body_bytes, p,
		    size * n < sizeof(x->body) - x->body_bytes ? size * n :
		    sizeof(x->body) - x->body_bytes);
	x->body_bytes += size * n;
	return x->body_bytes > HTTP_MAX_BODY_BYTES ? 0 : size * n;
}

/* The address */

static enum http_failure
refuse(struct exchange *x, enum http_failure failure)
{
	x->refused = failure;
	return failure;
}

/*
 * Its addresses for libcurl's memory, where they stay for the time of the
 * request, whatever happens to its connection; what the exchange had there
 * before goes.
 */
static void
put_pin(struct exchange *x)
{
	char text[IP_TEXT_BYTES];
	size_t i;

	x->unpin_text.len = 0;
	if (x->pin_text.len)
		buf_printf(&x->unpin_text, "-%.*s", (int)x->pin_list - 1,
		    x->pin_text.p);
	x->pin_text.len = 0;
	buf_printf(&x->pin_text, "%s:%u:", x->to.host, x->to.port);
	x->pin_list = x->pin_text.len;
	for (i = 0; i < x->host->n && i < MAX_PINNED; i++)
		buf_printf(&x->pin_text, "%s%s", i ? "," : "",
		    ip_text(&x->host->list[i], text));
	/* libcurl only reads it. */
	x->pin.data = (char *)(uintptr_t)buf_str(&x->pin_text);
	x->unpin.data = (char *)(uintptr_t)buf_str(&x->unpin_text);
	x->unpin.next = &x->pin;
}

/* All of a name's addresses, or none: who mixes them plays games. */
static enum http_failure
judge_answer(struct exchange *x)
{
	struct http *h = x->http;
	struct host *host = x->host;
	size_t i;

	if (host->n == 0) {
		error_set(&x->why, "cannot resolve the host's name");
		return refuse(x, HTTP_DNS);
	}
	for (i = 0; i < host->n && !host->clear; i++)
		if (guard_check(h->guard, &host->list[i], &x->why) < 0)
			return refuse(x, HTTP_BLOCKED);
	host->clear = true;
	put_pin(x);
	x->host = NULL;
	return HTTP_ANSWERED;
}

/* May it be dialled? HTTP_ANSWERED: yes, or not known yet (x->host is set). */
static enum http_failure
judge(struct exchange *x)
{
	struct http *h = x->http;

	if (x->to.literal && guard_check(h->guard, &x->to.ip, &x->why) < 0)
		return refuse(x, HTTP_BLOCKED);
	/* Names behind a proxy are the proxy's. */
	if (x->to.literal || h->proxy)
		return HTTP_ANSWERED;
	x->host = resolver_find(h->resolver, x->to.host, &x->why);
	if (!x->host)
		return refuse(x, HTTP_DNS);
	return x->host->pending ? HTTP_ANSWERED : judge_answer(x);
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

static struct curl_slist *
pins(struct exchange *x)
{
	if (!x->pin.data)
		return NULL;
	return x->unpin_text.len ? &x->unpin : &x->pin;
}

/* Is it one of those that were judged together? */
static bool
is_pinned(const struct exchange *x, const struct ip *ip)
{
	char text[IP_TEXT_BYTES];
	size_t len = strlen(ip_text(ip, text));
	const char *at;

	if (!x->pin.data)
		return x->to.literal;
	for (at = x->pin.data + x->pin_list; ; at += strcspn(at, ",") + 1) {
		if (strncmp(at, text, len) == 0 && (!at[len] || at[len] == ','))
			return true;
		if (!strchr(at, ','))
			return false;
	}
}

/* The last word, whatever led here. */
static curl_socket_t
on_socket(void *user, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct exchange *x = user;
	struct ip ip;
	int fd;

	(void)purpose;
	if (x->refused || !take_address(a, &ip))
		return CURL_SOCKET_BAD;
	if (!x->http->proxy &&
	    guard_check(x->http->guard, &ip, &x->why) < 0) {
		x->refused = HTTP_BLOCKED;
		return CURL_SOCKET_BAD;
	}
	if (!x->http->proxy && !is_pinned(x, &ip)) {
		error_set(&x->why, "the host's addresses changed meanwhile");
		x->refused = HTTP_DNS;
		return CURL_SOCKET_BAD;
	}
	fd = socket(a->family, a->socktype, a->protocol);
	if (fd >= 0)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

/* The exchange */

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

/* What is the same for all requests. */
static CURLcode
set_once(struct http *h, struct exchange *x)
{
	CURLcode code = set_protocols(x->easy);

	SET(x->easy, CURLOPT_PRIVATE, (void *)x);
	SET(x->easy, CURLOPT_NOSIGNAL, 1L);
	SET(x->easy, CURLOPT_POST, 1L);
	/* Neither the environment's proxy nor its exceptions from ours. */
	SET(x->easy, CURLOPT_PROXY, h->proxy ? h->proxy : "");
	SET(x->easy, CURLOPT_NOPROXY, "");
	SET(x->easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(x->easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
	SET(x->easy, CURLOPT_FOLLOWLOCATION, 0L);
	SET(x->easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	SET(x->easy, CURLOPT_OPENSOCKETDATA, (void *)x);
	/*
	 * The end of each request looks at all that its memory of names has: each
	 * exchange has one of its own, with what is pinned and nothing else.
	 */
	SET(x->easy, CURLOPT_SHARE, x->names);
	SET(x->easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	SET(x->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(x->easy, CURLOPT_SSL_VERIFYPEER, 1L);
	SET(x->easy, CURLOPT_SSL_VERIFYHOST, 2L);
	SET(x->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(x->easy, CURLOPT_PATH_AS_IS, 1L);
	SET(x->easy, CURLOPT_HEADERFUNCTION, on_header);
	SET(x->easy, CURLOPT_HEADERDATA, (void *)x);
	SET(x->easy, CURLOPT_WRITEFUNCTION, on_body);
	SET(x->easy, CURLOPT_WRITEDATA, (void *)x);
	if (h->ca_file)
		SET(x->easy, CURLOPT_CAINFO, h->ca_file);
	/* With a CA path libcurl reads its CA file anew for each connection. */
	if (h->drop_ca_path)
		SET(x->easy, CURLOPT_CAPATH, NULL);
	if (!h->proxy)
		return code;
	SET(x->easy, CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (h->ca_file)
		SET(x->easy, CURLOPT_PROXY_CAINFO, h->ca_file);
	if (h->drop_ca_path)
		SET(x->easy, CURLOPT_PROXY_CAPATH, NULL);
	return code;
}

static void
exchange_free(struct exchange *x)
{
	if (x->busy)
		(void)curl_multi_remove_handle(x->http->multi, x->easy);
	curl_easy_cleanup(x->easy);
	(void)curl_share_cleanup(x->names);
	buf_clear(&x->pin_text);
	buf_clear(&x->unpin_text);
	buf_clear(&x->signature);
	free(x);
}

static struct exchange *
take_exchange(struct http *h, struct error *e)
{
	struct exchange *x = h->idle;
	CURLcode code;

	if (x) {
		h->idle = x->next;
		return x;
	}
	x = alloc_zero(1, sizeof(*x));
	x->http = h;
	x->easy = curl_easy_init();
	x->names = curl_share_init();
	code = x->easy && x->names && curl_share_setopt(x->names,
	    CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) == CURLSHE_OK ?
	    set_once(h, x) : CURLE_OUT_OF_MEMORY;
	if (code != CURLE_OK) {
		error_set(e, "libcurl: %s", curl_easy_strerror(code));
		exchange_free(x);
		return NULL;
	}
	h->all = alloc_grow(h->all, &h->cap_all, h->n_all + 1,
	    sizeof(struct exchange *));
	h->all[h->n_all++] = x;
	return x;
}

static void
begin(struct exchange *x, const struct http_request *req)
{
	const struct http *h = x->http;
	size_t detour = detour_find(h->detours, h->n_detours,
	    &req->target->endpoint, &x->to);

	x->via = detour < h->n_detours ? &h->vias[detour] : NULL;
	x->request = *req;
	x->start_us = clock_mono_us();
	x->answer = (struct answer){ 0 };
	x->body_bytes = 0;
	x->refused = HTTP_ANSWERED;
	x->code = CURLE_OK;
	x->host = NULL;
	x->pin.data = NULL;
	x->dialled_us = -1;
}

static void
idle(struct http *h, struct exchange *x)
{
	x->next = h->idle;
	h->idle = x;
}

/* The request's own fields, those of its signature, then the target's. */
static struct curl_slist *
chain_fields(struct exchange *x)
{
	const struct http_request *req = &x->request;
	const char *line = x->signature.p;
	size_t i, n = 0;

	/* libcurl only reads the lines. */
	for (i = 0; i < HTTP_MAX_OWN_FIELDS; i++)
		if (req->own_fields[i])
			x->own[n++].data = (char *)(uintptr_t)req->own_fields[i];
	for (i = 0; i < SIGNER_FIELDS && req->target->signer; i++) {
		x->own[n++].data = (char *)(uintptr_t)line;
		line += strlen(line) + 1;
	}
	for (i = 0; i < n; i++)
		x->own[i].next = i + 1 < n ? &x->own[i + 1] :
		    req->target->fields;
	return n ? x->own : req->target->fields;
}

/* Signed as late as can be: the timestamp is that of this attempt. */
static int
sign(struct exchange *x)
{
	const struct http_request *req = &x->request;

	if (!req->target->signer || signer_put(req->target->signer,
	    &x->signature, req->id, req->body, clock_wall_ms(), &x->why) == 0)
		return 0;
	x->refused = HTTP_ABORTED;
	return -1;
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

/*
 * libcurl keeps connections apart by these, so that one that was made with a
 * client certificate serves nobody else.
 */
static CURLcode
set_pem(struct exchange *x)
{
	const struct http_target *t = x->request.target;
	bool has = t->ca || t->certificate;
	CURLcode code = CURLE_OK;

	if (!has && !x->has_pem)
		return code;
	x->has_pem = has;
	code = set_blob(x->easy, CURLOPT_CAINFO_BLOB, t->ca);
	if (code == CURLE_OK)
		code = set_blob(x->easy, CURLOPT_SSLCERT_BLOB, t->certificate);
	if (code == CURLE_OK)
		code = set_blob(x->easy, CURLOPT_SSLKEY_BLOB, t->private_key);
	return code;
}

/* What is left of a limit, at least a millisecond: 0 would be none. */
static long
left_ms(const struct exchange *x, int64_t limit_ms)
{
	int64_t ms = limit_ms - x->dialled_us / 1000;

	return ms > 1 ? (long)ms : 1;
}

/*
 * Is its connection worth keeping? Not an origin's that comes after so many
 * others that it would be pushed out, until it is asked again soon. To 8.11,
 * libcurl leaves an empty entry for each origin whose connection was pushed out
 * of its cache, and walks them all to push out the next: tens of thousands cost
 * milliseconds a request.
 */
static bool
is_worth_keeping(struct http *h, const struct endpoint *to, bool tls)
{
	static const uint64_t key[2] = { 0 }; /* a wrong guess is harmless */
	uint64_t hash = siphash13(key, to->host, strlen(to->host)) + to->port;
	uint64_t *seen = &h->seen[hash % RECENT_SLOTS];
	bool stranger = *seen == 0 || h->n_strangers - *seen >= h->n_recent;

	if (stranger)
		h->n_strangers += tls ? TLS_WEIGHT : 1;
	*seen = h->n_strangers;
	return !stranger || h->n_strangers <= h->n_recent;
}

/*
 * Hand it to libcurl, or to the list of those that are done. 0, or -1 with the
 * error: then it is idle again.
 */
static int
dial(struct exchange *x, struct error *e)
{
	const struct http_request *req = &x->request;
	bool tls = strncmp(req->target->url, "https:", 6) == 0;
	CURLcode code = CURLE_OK;
	CURLMcode mcode = CURLM_OK;

	if (sign(x) != 0) {
		list_add(&x->http->done, x);
		return 0;
	}
	x->dialled_us = clock_mono_us() - x->start_us;
	code = set_pem(x);
	SET(x->easy, CURLOPT_URL, req->target->url);
	SET(x->easy, CURLOPT_CONNECT_TO, x->via);
	SET(x->easy, CURLOPT_FORBID_REUSE,
	    is_worth_keeping(x->http, &x->to, tls) ? 0L : 1L);
	SET(x->easy, CURLOPT_RESOLVE, pins(x));
	SET(x->easy, CURLOPT_HTTPHEADER, chain_fields(x));
	SET(x->easy, CURLOPT_POSTFIELDS, req->body.p);
	SET(x->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body.len);
	SET(x->easy, CURLOPT_CONNECTTIMEOUT_MS, left_ms(x, req->connect_ms));
	SET(x->easy, CURLOPT_TIMEOUT_MS, left_ms(x, req->total_ms));
	if (code == CURLE_OK)
		mcode = curl_multi_add_handle(x->http->multi, x->easy);
	x->busy = code == CURLE_OK && mcode == CURLM_OK;
	if (x->busy)
		return 0;
	idle(x->http, x);
	return error_set(e, "libcurl: %s", code ? curl_easy_strerror(code) :
	    curl_multi_strerror(mcode));
}

int
http_send(struct http *h, const struct http_request *req, struct error *e)
{
	struct exchange *x = take_exchange(h, e);

	if (!x)
		return -1;
	begin(x, req);
	if (judge(x) != HTTP_ANSWERED)
		list_add(&h->done, x);
	else if (x->host)
		list_add(&h->looking, x);
	else
		return dial(x, e);
	return 0;
}

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
	case CURLE_OUT_OF_MEMORY: /* so libcurl 7 calls a line over 100 KB */
#if LIBCURL_VERSION_NUM >= 0x080600
	case CURLE_TOO_LARGE:
#endif
		return HTTP_TOO_LARGE;
	case CURLE_OK: /* closed inside the head or after a 1xx */
	case CURLE_COULDNT_CONNECT:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_PARTIAL_FILE:
	case CURLE_PROXY:
		return HTTP_CONNECT;
	default:
		return HTTP_PROTOCOL;
	}
}

/* libcurl's words where they say enough. */
static const char *
failure_text(struct exchange *x, enum http_failure failure)
{
	curl_off_t connected_us = 0;

	switch (x->code) {
	case CURLE_OK:
	case CURLE_GOT_NOTHING:
		return "closed before the answer's head was complete";
	case CURLE_COULDNT_RESOLVE_HOST:
		return "cannot resolve the host's name";
	case CURLE_COULDNT_RESOLVE_PROXY:
		return "cannot resolve the proxy's name";
	case CURLE_COULDNT_CONNECT:
		return "cannot connect";
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		return "connection broken before the answer's head was "
		    "complete";
	case CURLE_OPERATION_TIMEDOUT:
		(void)curl_easy_getinfo(x->easy, CURLINFO_PRETRANSFER_TIME_T,
		    &connected_us);
		return connected_us ? "no answer in time" :
		    "no connection in time";
	case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9 */
		return ANSWER_NOT_HTTP1;
	default:
		return failure == HTTP_TOO_LARGE ? ANSWER_HEAD_TOO_LARGE :
		    curl_easy_strerror(x->code);
	}
}

static void
describe(struct exchange *x, struct http_result *r)
{
	const char *text;
	long os_error = 0, proxy_status = 0;

	if (x->refused) {
		snprintf(r->error, sizeof(r->error), "%.*s",
		    (int)sizeof(r->error) - 1, x->why.text);
		return;
	}
	text = x->answer.why ? x->answer.why : failure_text(x, r->failure);
	(void)curl_easy_getinfo(x->easy, CURLINFO_HTTP_CONNECTCODE,
	    &proxy_status);
	if (r->failure == HTTP_CONNECT && proxy_status >= 300) {
		snprintf(r->error, sizeof(r->error),
		    "the proxy answered %ld", proxy_status);
		return;
	}
	if (r->failure == HTTP_CONNECT)
		(void)curl_easy_getinfo(x->easy, CURLINFO_OS_ERRNO, &os_error);
	if (os_error)
		snprintf(r->error, sizeof(r->error), "%s: %s", text,
		    strerror((int)os_error));
	else
		snprintf(r->error, sizeof(r->error), "%s", text);
}

/* RFC 9110 10.2.3: seconds or a date. */
static int64_t
retry_after(const char *text)
{
	uint64_t seconds;
	time_t date;

	if (!*text)
		return -1;
	if (num_u64(span_of(text), 0, INT32_MAX, &seconds) == 0)
		return (int64_t)seconds * 1000;
	date = curl_getdate(text, NULL);
	if (date < 0)
		return -1;
	return (int64_t)date * 1000 > clock_wall_ms() ?
	    (int64_t)date * 1000 - clock_wall_ms() : 0;
}

/* libcurl counts from when it was told to dial. */
static int64_t
time_of(struct exchange *x, CURLINFO which)
{
	curl_off_t us = 0;

	if (x->dialled_us < 0)
		return 0;
	(void)curl_easy_getinfo(x->easy, which, &us);
	return us ? x->dialled_us + us : 0;
}

static void
fill_answer(struct exchange *x, struct http_result *r)
{
	size_t len = x->body_bytes < sizeof(x->body) ? x->body_bytes :
	    sizeof(x->body);

	r->retry_after_ms = retry_after(x->answer.retry_after);
	r->wish = x->answer.wish;
	r->body = (struct span){ x->body, len };
	r->dns_us = time_of(x, CURLINFO_NAMELOOKUP_TIME_T);
	r->connect_us = time_of(x, CURLINFO_CONNECT_TIME_T);
	r->tls_us = time_of(x, CURLINFO_APPCONNECT_TIME_T);
	r->first_us = time_of(x, CURLINFO_STARTTRANSFER_TIME_T);
}

static enum http_failure
failure_of(const struct exchange *x)
{
	if (x->answer.complete)
		return HTTP_ANSWERED;
	if (x->refused)
		return x->refused;
	return x->answer.refused ? x->answer.refused : classify(x->code);
}

bool
http_next(struct http *h, struct http_result *r)
{
	struct exchange *x = h->done.first;

	if (!x)
		return false;
	list_remove(&h->done, x);
	r->user = x->request.user;
	r->duration_us = clock_mono_us() - x->start_us;
	r->status = x->answer.complete ? x->answer.status : 0;
	r->error[0] = '\0';
	fill_answer(x, r);
	r->failure = failure_of(x);
	if (r->failure != HTTP_ANSWERED)
		describe(x, r);
	idle(h, x);
	return true;
}

/* All of them */

/*
 * Only the CA file: see set_once. Debian's libcurl knows where it is; others
 * are looked for where the systems keep it.
 */
static int
find_ca(struct http *h, const char *given, struct error *e)
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
	if (given) {
		h->ca_file = alloc_copy(given, strlen(given));
		h->drop_ca_path = true;
	}
	return 0;
}

static int
read_detours(struct http *h, const char *const *list, struct error *e)
{
	struct buf via = { 0 };
	size_t n = 0;

	while (list && list[n])
		n++;
	h->detours = alloc_zero(n, sizeof(*h->detours));
	h->vias = alloc_zero(n, sizeof(*h->vias));
	for (; h->n_detours < n; h->n_detours++) {
		struct detour *d = &h->detours[h->n_detours];

		if (detour_parse(d, list[h->n_detours], e) < 0) {
			detour_clear(d);
			return -1;
		}
		via.len = 0;
		/* Ours was matched already: it holds for any host. */
		buf_printf(&via, strchr(d->to.host, ':') ? "::[%s]:" : "::%s:",
		    d->to.host);
		if (d->to.port)
			buf_u64(&via, d->to.port);
		h->vias[h->n_detours].data = alloc_copy(via.p, via.len);
	}
	buf_clear(&via);
	return 0;
}

struct http *
http_open(const struct http_options *o, struct error *e)
{
	struct http *h = alloc_zero(1, sizeof(*h));

	h->guard = o->guard;
	h->n_recent = o->max_connections < RECENT_ORIGINS ?
	    o->max_connections : RECENT_ORIGINS;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		error_set(e, "libcurl does not start");
		free(h);
		return NULL;
	}
	if (o->proxy)
		h->proxy = alloc_copy(o->proxy, strlen(o->proxy));
	if (find_ca(h, o->ca_file, e) < 0 ||
	    read_detours(h, o->connect_to, e) < 0)
		goto fail;
	h->resolver = resolver_open(e);
	if (!h->resolver)
		goto fail;
	h->multi = curl_multi_init();
	if (!h->multi || curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS,
	    (long)o->max_connections) != CURLM_OK) {
		error_set(e, "libcurl: cannot make a multi handle");
		goto fail;
	}
	return h;
fail:
	http_close(h);
	return NULL;
}

void
http_close(struct http *h)
{
	size_t i;

	if (!h)
		return;
	for (i = 0; i < h->n_all; i++)
		exchange_free(h->all[i]);
	free(h->all);
	if (h->multi)
		(void)curl_multi_cleanup(h->multi);
	resolver_close(h->resolver);
	for (i = 0; i < h->n_detours; i++) {
		detour_clear(&h->detours[i]);
		free(h->vias[i].data);
	}
	free(h->detours);
	free(h->vias);
	free(h->proxy);
	free(h->ca_file);
	free(h);
	curl_global_cleanup();
}

/* Take it back from libcurl; what the answer lacks closes the connection. */
static CURLMcode
finish(struct exchange *x, CURLcode code)
{
	struct http *h = x->http;
	CURLMcode mcode = curl_multi_remove_handle(h->multi, x->easy);

	x->code = code;
	x->busy = false;
	if (x->lingering)
		list_remove(&h->lingering, x);
	x->lingering = false;
	list_add(&h->done, x);
	return mcode;
}

/* Run what can run and gather what is finished. */
static CURLMcode
turn(struct http *h)
{
	struct CURLMsg *msg;
	int running, left;
	CURLMcode code = curl_multi_perform(h->multi, &running);

	while (code == CURLM_OK &&
	    (msg = curl_multi_info_read(h->multi, &left))) {
		char *owner;

		if (curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE,
		    &owner) != CURLE_OK)
			return CURLM_INTERNAL_ERROR;
		code = finish((struct exchange *)(void *)owner,
		    msg->data.result);
	}
	return code;
}

static int64_t
look_up_until_ms(const struct exchange *x)
{
	return x->start_us / 1000 + x->request.connect_ms;
}

/* Names that were found, or took too long. */
static int
end_lookups(struct http *h, struct error *e)
{
	struct exchange *x, *next;
	int64_t now_ms = clock_mono_ms();

	resolver_take(h->resolver);
	for (x = h->looking.first; x; x = next) {
		next = x->next;
		if (x->host->pending) {
			if (look_up_until_ms(x) > now_ms)
				continue;
			error_set(&x->why, "the host's name was not resolved "
			    "in time");
			x->refused = HTTP_DNS;
		}
		list_remove(&h->looking, x);
		if (x->refused || judge_answer(x) != HTTP_ANSWERED)
			list_add(&h->done, x);
		else if (dial(x, e) < 0)
			return -1;
	}
	return 0;
}

/* A body that trickles is not waited for: the head has said it all. */
static CURLMcode
end_bodies(struct http *h)
{
	CURLMcode code = CURLM_OK;
	struct exchange *x;
	int64_t now_ms = h->lingering.first ? clock_mono_ms() : 0;

	while (code == CURLM_OK && (x = h->lingering.first) &&
	    x->body_until_ms <= now_ms)
		code = finish(x, CURLE_OK);
	return code;
}

static int
wait_ms(const struct http *h, int64_t deadline_ms)
{
	int64_t until_ms = deadline_ms < 0 ? INT64_MAX : deadline_ms, left_ms;
	const struct exchange *x;

	if (h->lingering.first && h->lingering.first->body_until_ms < until_ms)
		until_ms = h->lingering.first->body_until_ms;
	for (x = h->looking.first; x; x = x->next)
		if (look_up_until_ms(x) < until_ms)
			until_ms = look_up_until_ms(x);
	left_ms = until_ms - clock_mono_ms();
	return left_ms > INT_MAX ? INT_MAX : left_ms > 0 ? (int)left_ms : 0;
}

int
http_wait(struct http *h, struct pollfd *fds, size_t n, int64_t deadline_ms,
    struct error *e)
{
	struct curl_waitfd extra[MAX_WAIT_FDS + 1];
	CURLMcode code = turn(h);
	int lookups = resolver_fd(h->resolver);
	size_t i;

	if (n > MAX_WAIT_FDS)
		return error_set(e, "too many descriptors to wait for");
	for (i = 0; i < n; i++)
		extra[i] = (struct curl_waitfd){ .fd = fds[i].fd,
			.events = CURL_WAIT_POLLIN };
	if (lookups >= 0)
		extra[i++] = (struct curl_waitfd){ .fd = lookups,
			.events = CURL_WAIT_POLLIN };
	if (code == CURLM_OK && !h->done.first) {
		code = curl_multi_poll(h->multi, extra, (unsigned)i,
		    wait_ms(h, deadline_ms), NULL);
		if (lookups >= 0 && end_lookups(h, e) < 0)
			return -1;
		if (code == CURLM_OK)
			code = turn(h);
		if (code == CURLM_OK)
			code = end_bodies(h);
	}
	if (code != CURLM_OK)
		return error_set(e, "libcurl: %s", curl_multi_strerror(code));
	/* curl_multi_poll does not tell of a hang-up; poll does. */
	if (poll(fds, (nfds_t)n, 0) < 0 && errno != EINTR)
		return error_set(e, "poll: %s", strerror(errno));
	return 0;
}
