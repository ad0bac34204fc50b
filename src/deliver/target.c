/*
 * Where a call goes.
 */
#include "deliver/target.h"

#include <assert.h>

#include "base/alloc.h"
#include "net/field.h"
#include "net/url.h"

/* The lines of a head being gathered: ends[i] is where line i's NUL is. */
struct head {
	struct buf text;
	size_t *starts;
	size_t n, cap;
	bool content_type, user_agent;
	/* A webhook's alone. */
	char *ca; /* NULL: none */
	const struct credentials *credentials; /* NULL: none */
	struct signer *signer;
};

static void
head_clear(struct head *h)
{
	sign_wipe(h->text.p, h->text.cap);
	buf_clear(&h->text);
	free(h->starts);
	free(h->ca);
}

static void
head_start_line(struct head *h)
{
	h->starts = alloc_grow(h->starts, &h->cap, h->n + 1,
	    sizeof(*h->starts));
	h->starts[h->n++] = h->text.len;
}

static void
head_add(struct head *h, struct span name, struct span value)
{
	head_start_line(h);
	field_put(&h->text, name, value);
	buf_putc(&h->text, '\0');
	h->content_type |= field_is(name, "content-type");
	h->user_agent |= field_is(name, "user-agent");
}

/* What is sent unless the fields say otherwise. */
static void
head_finish(struct head *h)
{
	if (!h->content_type)
		head_add(h, SPAN("Content-Type"), SPAN("application/json"));
	if (!h->user_agent)
		head_add(h, SPAN("User-Agent"), SPAN("evpipe/" EV_VERSION));
}

static struct http_target *
prepare(const char *dial, const struct head *h)
{
	const char **lines = alloc_zero(h->n, sizeof(*lines));
	struct http_target_spec spec = { .url = dial, .fields = lines,
		.n_fields = h->n, .signer = h->signer, .ca = h->ca };
	struct http_target *t;
	size_t i;

	for (i = 0; i < h->n; i++)
		lines[i] = h->text.p + h->starts[i];
	if (h->credentials) {
		spec.certificate = h->credentials->certificate;
		spec.private_key = h->credentials->private_key;
	}
	t = http_target_new(&spec);
	free(lines);
	return t;
}

static struct span
origin_of(const char *dial)
{
	const char *host = strstr(dial, "://");
	const char *path = host ? strchr(host + 3, '/') : NULL;

	return (struct span){ dial, path ? (size_t)(path - dial) :
		strlen(dial) };
}

static struct target *
target_new(struct span href, struct head *h, struct error *e)
{
	struct buf dial = { 0 };
	struct target *t;

	head_finish(h);
	url_dial(href, &dial);
	if (dial.len + h->text.len > TARGET_MAX_HEAD_BYTES) {
		error_set(e, "url and headers have more than %d bytes",
		    TARGET_MAX_HEAD_BYTES);
		buf_clear(&dial);
		return NULL;
	}
	t = alloc_zero(1, sizeof(*t));
	t->refs = 1;
	t->dial = alloc_copy(dial.p, dial.len);
	t->href = alloc_copy(href.p, href.len);
	t->shown = url_without_query((struct span){ t->href, href.len });
	t->origin = origin_of(t->dial);
	t->http = prepare(t->dial, h);
	buf_clear(&dial);
	return t;
}

/* Does the field come from the credentials, not from the registry? */
static bool
is_secret(const struct credentials *c, struct span name)
{
	size_t i;

	if (c && c->n_signing && (field_is(name, "webhook-id") ||
	    field_is(name, "webhook-timestamp") ||
	    field_is(name, "webhook-signature")))
		return true;
	for (i = 0; c && i < c->n_headers; i++)
		if (field_is(name, c->headers[i].name))
			return true;
	return false;
}

static void
head_add_secrets(struct head *h, const struct credentials *c)
{
	size_t i;

	h->credentials = c;
	for (i = 0; i < c->n_headers; i++)
		head_add(h, span_of(c->headers[i].name),
		    span_of(c->headers[i].value));
	if (c->n_signing)
		h->signer = signer_new();
	for (i = 0; i < c->n_signing; i++) {
		struct error unused;
		struct sign_key *key = sign_key_new(
		    span_of(c->signing[i].text), &unused);

		assert(key); /* it was when it was read */
		signer_add(h->signer, key, c->signing[i].until_ms);
	}
}

struct target *
target_of_webhook(const struct webhook *w, const struct credentials *c,
    struct error *e)
{
	struct head h = { 0 };
	struct target *t;
	size_t i;

	for (i = 0; i < w->n_headers; i++)
		if (!is_secret(c, w->headers[i].name))
			head_add(&h, w->headers[i].name, w->headers[i].value);
	if (w->ca.len)
		h.ca = alloc_copy(w->ca.p, w->ca.len);
	if (c)
		head_add_secrets(&h, c);
	t = target_new(w->url, &h, e);
	if (!t)
		signer_free(h.signer);
	head_clear(&h);
	if (t) {
		t->timeout_ms = w->timeout_ms;
		t->concurrency = w->concurrency;
		t->rate = w->rate;
		t->retry = w->retry;
	}
	return t;
}

/* The members of a call's headers, checked. */
static int
read_headers(struct head *h, const struct json *j, uint32_t headers,
    struct error *e)
{
	struct buf name = { 0 }, value = { 0 };
	uint32_t k;
	int rc = 0;

	for (k = headers + 1; rc == 0 && k < json_next(j, headers);
	    k = json_next(j, k + 1)) {
		struct span n = json_string(j, k, &name);
		struct span v = json_string(j, k + 1, &value);

		rc = field_check(n, v, e);
		if (rc == 0)
			head_add(h, n, v);
	}
	buf_clear(&name);
	buf_clear(&value);
	return rc;
}

static struct target *
read_target(const struct json *j, uint32_t url, uint32_t headers,
    struct error *e)
{
	struct buf scratch = { 0 }, href = { 0 };
	struct target *t = NULL;
	struct head h = { 0 };

	if (url_normalise(json_string(j, url, &scratch), &href, e) == 0 &&
	    read_headers(&h, j, headers, e) == 0)
		t = target_new(buf_bytes(&href), &h, e);
	head_clear(&h);
	buf_clear(&href);
	buf_clear(&scratch);
	return t;
}

struct target *
target_of_call(struct hash *table, const struct json *j, uint32_t url,
    uint32_t headers, struct error *e)
{
	struct span u = json_bytes(j, url), h = json_bytes(j, headers);
	struct target *t;
	struct buf key = { 0 };
	struct entry *found;

	buf_span(&key, u);
	buf_span(&key, h);
	found = hash_find(table, buf_bytes(&key));
	if (found) {
		buf_clear(&key);
		return target_share((struct target *)(void *)found);
	}
	t = read_target(j, url, headers, e);
	if (t) {
		t->entry.key = (struct span){ alloc_copy(key.p, key.len),
			key.len };
		t->table = table;
		hash_add(table, &t->entry);
	}
	buf_clear(&key);
	return t;
}

struct target *
target_share(struct target *t)
{
	t->refs++;
	return t;
}

void
target_release(struct target *t)
{
	if (!t || --t->refs)
		return;
	if (t->table) {
		hash_remove(t->table, &t->entry);
		free((char *)(uintptr_t)t->entry.key.p);
	}
	http_target_free(t->http);
	free(t->dial);
	free(t->href);
	free(t);
}
