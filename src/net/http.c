/*
 * HTTP by libcurl's multi interface: HTTP/1.1, keep-alive, POST, nothing else.
 * The rule it keeps: an answer counts once its head is complete, whatever
 * happens to the bodies afterwards; so libcurl's verdict is asked only where
 * there is no such head (net/answer.h).
 */
#include "net/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/num.h"
#include "net/answer.h"

enum { MAX_WAIT_FDS = 8 };

struct http_target {
	char *url;
	struct curl_slist *fields;
};

struct exchange {
	struct exchange *next; /* idle or finished ones */
	CURL *easy;
	bool busy;
	void *user;
	struct curl_slist own[HTTP_MAX_OWN_FIELDS];
	int64_t start_us;
	CURLcode code; /* once finished */
	struct answer answer;
	size_t body_bytes;
	char body[HTTP_KEPT_BODY_BYTES];
};

struct http {
	CURLM *multi;
	struct curl_slist *connect_to;
	char *ca_file;
	bool drop_ca_path;
	struct exchange **all; /* for the end */
	size_t n_all, cap_all;
	struct exchange *idle;
	struct exchange *done, **done_tail;
};

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

struct http_target *
http_target_new(const char *url, const char *const *fields, size_t n_fields)
{
	struct http_target *t = alloc_zero(1, sizeof(*t));
	struct curl_slist **tail = &t->fields;
	bool accept = false;
	size_t i;

	t->url = alloc_copy(url, strlen(url));
	for (i = 0; i < n_fields; i++) {
		tail = add_line(tail, curl_line(fields[i]));
		accept |= is_field(fields[i], "Accept");
	}
	/* A name alone stops libcurl from adding its own. */
	if (!accept)
		tail = add_line(tail, alloc_copy("Accept:", 7));
	add_line(tail, alloc_copy("Expect:", 7));
	return t;
}

void
http_target_free(struct http_target *t)
{
	struct curl_slist *f, *next;

	if (!t)
		return;
	for (f = t->fields; f; f = next) {
		next = f->next;
		free(f->data);
		free(f);
	}
	free(t->url);
	free(t);
}

/* The answer */

static size_t
on_header(char *p, size_t size, size_t n, void *user)
{
	struct exchange *x = user;
	struct span line = { p, size * n };

	return answer_line(&x->answer, line) < 0 ? 0 : line.len;
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
	SET(x->easy, CURLOPT_PROXY, "");
	SET(x->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(x->easy, CURLOPT_PATH_AS_IS, 1L);
	SET(x->easy, CURLOPT_HEADERFUNCTION, on_header);
	SET(x->easy, CURLOPT_HEADERDATA, (void *)x);
	SET(x->easy, CURLOPT_WRITEFUNCTION, on_body);
	SET(x->easy, CURLOPT_WRITEDATA, (void *)x);
	if (h->connect_to)
		SET(x->easy, CURLOPT_CONNECT_TO, h->connect_to);
	if (h->ca_file)
		SET(x->easy, CURLOPT_CAINFO, h->ca_file);
	/* With a CA path libcurl reads its CA file anew for each connection. */
	if (h->drop_ca_path)
		SET(x->easy, CURLOPT_CAPATH, NULL);
	return code;
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
	x->easy = curl_easy_init();
	code = x->easy ? set_once(h, x) : CURLE_OUT_OF_MEMORY;
	if (code != CURLE_OK) {
		error_set(e, "libcurl: %s", curl_easy_strerror(code));
		curl_easy_cleanup(x->easy);
		free(x);
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
	x->user = req->user;
	x->start_us = clock_mono_us();
	x->answer = (struct answer){ 0 };
	x->body_bytes = 0;
	x->busy = true;
}

/* The request's own fields, then the target's. */
static struct curl_slist *
chain_fields(struct exchange *x, const struct http_request *req)
{
	struct curl_slist *list = req->target->fields;
	size_t i;

	for (i = HTTP_MAX_OWN_FIELDS; i-- > 0;)
		if (req->own_fields[i]) {
			/* libcurl only reads the line. */
			x->own[i].data = (char *)(uintptr_t)req->own_fields[i];
			x->own[i].next = list;
			list = &x->own[i];
		}
	return list;
}

int
http_send(struct http *h, const struct http_request *req, struct error *e)
{
	struct exchange *x = take_exchange(h, e);
	CURLcode code = CURLE_OK;
	CURLMcode mcode = CURLM_OK;

	if (!x)
		return -1;
	begin(x, req);
	SET(x->easy, CURLOPT_URL, req->target->url);
	SET(x->easy, CURLOPT_HTTPHEADER, chain_fields(x, req));
	SET(x->easy, CURLOPT_POSTFIELDS, req->body.p);
	SET(x->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body.len);
	SET(x->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)req->connect_ms);
	SET(x->easy, CURLOPT_TIMEOUT_MS, (long)req->total_ms);
	if (code == CURLE_OK)
		mcode = curl_multi_add_handle(h->multi, x->easy);
	if (code == CURLE_OK && mcode == CURLM_OK)
		return 0;
	x->busy = false;
	x->next = h->idle;
	h->idle = x;
	return error_set(e, "libcurl: %s", code ? curl_easy_strerror(code) :
	    curl_multi_strerror(mcode));
}

static enum http_failure
classify(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
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
	const char *text = x->answer.why ? x->answer.why : failure_text(x, r->failure);
	long os_error = 0;

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

static int64_t
time_of(struct exchange *x, CURLINFO which)
{
	curl_off_t us = 0;

	(void)curl_easy_getinfo(x->easy, which, &us);
	return us;
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

bool
http_next(struct http *h, struct http_result *r)
{
	struct exchange *x = h->done;

	if (!x)
		return false;
	h->done = x->next;
	if (!h->done)
		h->done_tail = &h->done;
	r->user = x->user;
	r->duration_us = clock_mono_us() - x->start_us;
	r->status = x->answer.complete ? x->answer.status : 0;
	r->error[0] = '\0';
	r->failure = HTTP_ANSWERED;
	fill_answer(x, r);
	if (!x->answer.complete) {
		r->failure = x->answer.refused != HTTP_ANSWERED ?
		    x->answer.refused : classify(x->code);
		describe(x, r);
	}
	x->next = h->idle;
	h->idle = x;
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
copy_connect_to(struct http *h, const char *const *list, struct error *e)
{
	struct curl_slist *longer;

	for (; list && *list; list++) {
		longer = curl_slist_append(h->connect_to, *list);
		if (!longer)
			return error_set(e, "libcurl: out of memory");
		h->connect_to = longer;
	}
	return 0;
}

struct http *
http_open(const struct http_options *o, struct error *e)
{
	struct http *h = alloc_zero(1, sizeof(*h));

	h->done_tail = &h->done;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		error_set(e, "libcurl does not start");
		free(h);
		return NULL;
	}
	if (find_ca(h, o->ca_file, e) < 0 ||
	    copy_connect_to(h, o->connect_to, e) < 0)
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
	for (i = 0; i < h->n_all; i++) {
		if (h->all[i]->busy)
			(void)curl_multi_remove_handle(h->multi,
			    h->all[i]->easy);
		curl_easy_cleanup(h->all[i]->easy);
		free(h->all[i]);
	}
	free(h->all);
	if (h->multi)
		(void)curl_multi_cleanup(h->multi);
	curl_slist_free_all(h->connect_to);
	free(h->ca_file);
	free(h);
	curl_global_cleanup();
}

/* Run what can run and gather what is finished. */
static CURLMcode
turn(struct http *h)
{
	struct exchange *x;
	struct CURLMsg *msg;
	int running, left;
	CURLMcode code = curl_multi_perform(h->multi, &running);

	while (code == CURLM_OK &&
	    (msg = curl_multi_info_read(h->multi, &left))) {
		char *owner;

		if (curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE,
		    &owner) != CURLE_OK)
			return CURLM_INTERNAL_ERROR;
		x = (struct exchange *)(void *)owner;
		x->code = msg->data.result; /* msg dies with the removal */
		code = curl_multi_remove_handle(h->multi, x->easy);
		x->busy = false;
		x->next = NULL;
		*h->done_tail = x;
		h->done_tail = &x->next;
	}
	return code;
}

static int
wait_ms(int64_t deadline_ms)
{
	int64_t left = deadline_ms - clock_mono_ms();

	if (deadline_ms < 0 || left > INT_MAX)
		return INT_MAX;
	return left > 0 ? (int)left : 0;
}

int
http_wait(struct http *h, struct pollfd *fds, size_t n, int64_t deadline_ms,
    struct error *e)
{
	struct curl_waitfd extra[MAX_WAIT_FDS];
	CURLMcode code = turn(h);
	size_t i;

	if (n > MAX_WAIT_FDS)
		return error_set(e, "too many descriptors to wait for");
	for (i = 0; i < n; i++)
		extra[i] = (struct curl_waitfd){ .fd = fds[i].fd,
			.events = CURL_WAIT_POLLIN };
	if (code == CURLM_OK && !h->done) {
		code = curl_multi_poll(h->multi, extra, (unsigned)n,
		    wait_ms(deadline_ms), NULL);
		if (code == CURLM_OK)
			code = turn(h);
	}
	if (code != CURLM_OK)
		return error_set(e, "libcurl: %s", curl_multi_strerror(code));
	/* curl_multi_poll does not tell of a hang-up; poll does. */
	if (poll(fds, (nfds_t)n, 0) < 0 && errno != EINTR)
		return error_set(e, "poll: %s", strerror(errno));
	return 0;
}
