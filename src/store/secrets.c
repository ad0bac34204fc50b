/*
 * The secrets of webhooks. A reason names the line and the member, never the
 * value.
 */
#include "store/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "json/reader.h"
#include "json/write.h"
#include "net/field.h"
#include "net/sign.h"

enum { READ_BYTES = 64 * 1024, MAX_PEM_BYTES = 256 * 1024 };

/* Memory that held a secret */

static void
wipe_buf(struct buf *b)
{
	sign_wipe(b->p, b->cap);
	buf_clear(b);
}

static void
free_text(char *text)
{
	if (text)
		sign_wipe(text, strlen(text));
	free(text);
}

static void
set_text(char **text, struct span s)
{
	free_text(*text);
	*text = s.len ? alloc_copy(s.p, s.len) : NULL;
}

/* One webhook's */

static void
credentials_clear(struct credentials *c)
{
	size_t i;

	for (i = 0; i < c->n_signing; i++)
		free_text(c->signing[i].text);
	for (i = 0; i < c->n_headers; i++) {
		free(c->headers[i].name);
		free_text(c->headers[i].value);
	}
	free(c->signing);
	free(c->headers);
	free_text(c->certificate);
	free_text(c->private_key);
	free(c->webhook);
	*c = (struct credentials){ 0 };
}

void
credentials_add_signing(struct credentials *c, struct span text,
    int64_t until_ms)
{
	c->signing = alloc_resize(c->signing, c->n_signing + 1,
	    sizeof(*c->signing));
	memmove(c->signing + 1, c->signing, c->n_signing * sizeof(*c->signing));
	c->signing[0] = (struct signing_secret){ alloc_copy(text.p, text.len),
		until_ms };
	c->n_signing++;
}

void
credentials_remove_signing(struct credentials *c, size_t i)
{
	free_text(c->signing[i].text);
	memmove(&c->signing[i], &c->signing[i + 1],
	    (--c->n_signing - i) * sizeof(*c->signing));
}

static struct secret_header *
find_header(struct credentials *c, struct span name)
{
	size_t i;

	for (i = 0; i < c->n_headers; i++)
		if (strlen(c->headers[i].name) == name.len &&
		    strncasecmp(c->headers[i].name, name.p, name.len) == 0)
			return &c->headers[i];
	return NULL;
}

void
credentials_set_header(struct credentials *c, struct span name,
    struct span value)
{
	struct secret_header *h = find_header(c, name);

	if (!h) {
		c->headers = alloc_resize(c->headers, c->n_headers + 1,
		    sizeof(*c->headers));
		h = &c->headers[c->n_headers++];
		*h = (struct secret_header){ 0 };
		h->name = alloc_copy(name.p, name.len);
	}
	set_text(&h->value, value);
}

bool
credentials_remove_header(struct credentials *c, struct span name)
{
	struct secret_header *h = find_header(c, name);

	if (!h)
		return false;
	free(h->name);
	free_text(h->value);
	memmove(h, h + 1, (size_t)(c->headers + --c->n_headers - h) *
	    sizeof(*h));
	return true;
}

void
credentials_set_certificate(struct credentials *c, struct span certificate,
    struct span private_key)
{
	set_text(&c->certificate, certificate);
	set_text(&c->private_key, private_key);
}

/* All of them */

void
secrets_clear(struct secrets *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		credentials_clear(&s->list[i]);
	free(s->list);
	*s = (struct secrets){ 0 };
}

/* Where it is or would be. */
static size_t
place(const struct secrets *s, struct span webhook)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (span_cmp(span_of(s->list[middle].webhook), webhook) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
is_at(const struct secrets *s, size_t i, struct span webhook)
{
	return i < s->n && span_eq(span_of(s->list[i].webhook), webhook);
}

const struct credentials *
secrets_find(const struct secrets *s, struct span webhook)
{
	size_t i = place(s, webhook);

	return is_at(s, i, webhook) ? &s->list[i] : NULL;
}

struct credentials *
secrets_get(struct secrets *s, struct span webhook)
{
	size_t i = place(s, webhook);

	if (is_at(s, i, webhook))
		return &s->list[i];
	s->list = alloc_grow(s->list, &s->cap, s->n + 1, sizeof(*s->list));
	memmove(&s->list[i + 1], &s->list[i], (s->n++ - i) *
	    sizeof(*s->list));
	s->list[i] = (struct credentials){
		.webhook = alloc_copy(webhook.p, webhook.len) };
	return &s->list[i];
}

void
secrets_remove(struct secrets *s, struct span webhook)
{
	size_t i = place(s, webhook);

	if (!is_at(s, i, webhook))
		return;
	credentials_clear(&s->list[i]);
	memmove(&s->list[i], &s->list[i + 1], (--s->n - i) *
	    sizeof(*s->list));
}

/* Reading */

struct reader {
	struct json json;
	struct buf scratch, other;
	struct credentials *to;
	struct error why;
};

static int
bad(struct reader *r, const char *member, const char *why)
{
	return error_set(&r->why, "%s: %s", member, why);
}

/* The member's string; empty: absent. 0 or -1. */
static int
read_string(struct reader *r, uint32_t object, const char *name,
    struct buf *scratch, struct span *value)
{
	uint32_t i = json_get(&r->json, object, span_of(name));

	*value = SPAN("");
	if (!i || json_kind(&r->json, i) == JSON_NULL)
		return 0;
	if (json_kind(&r->json, i) != JSON_STRING)
		return bad(r, name, "not a string");
	*value = json_string(&r->json, i, scratch);
	if (memchr(value->p, 0, value->len))
		return bad(r, name, "holds a NUL");
	return 0;
}

static int
read_secret(struct reader *r, uint32_t i)
{
	struct span secret, until;
	struct sign_key *key;
	int64_t until_ms = 0;
	bool signs;

	if (json_kind(&r->json, i) != JSON_OBJECT)
		return bad(r, "secrets", "an item is not an object");
	if (read_string(r, i, "secret", &r->scratch, &secret) != 0 ||
	    read_string(r, i, "until", &r->other, &until) != 0)
		return -1;
	if (until.len && (until_ms = clock_of_rfc3339(until)) < 0)
		return bad(r, "until", "not a date-time (RFC 3339)");
	key = sign_key_new(secret, &r->why);
	signs = key && sign_key_signs(key);
	sign_key_free(key);
	if (!key)
		return bad(r, "secret", "not whsec_ or whsk_ and base64");
	if (!signs)
		return bad(r, "secret", "a public key does not sign");
	if (r->to->n_signing == SECRETS_MAX_KEYS)
		return bad(r, "secrets", "more than 10");
	credentials_add_signing(r->to, secret, until_ms);
	return 0;
}

static int
read_secrets(struct reader *r)
{
	uint32_t list = json_get(&r->json, 0, SPAN("secrets")), i;
	size_t a, b;

	if (!list)
		return 0;
	if (json_kind(&r->json, list) != JSON_ARRAY)
		return bad(r, "secrets", "not a list");
	for (i = list + 1; i < json_next(&r->json, list);
	    i = json_next(&r->json, i))
		if (read_secret(r, i) != 0)
			return -1;
	/* Each went to the front. */
	for (a = 0, b = r->to->n_signing; a + 1 < b; a++) {
		struct signing_secret swap = r->to->signing[a];

		r->to->signing[a] = r->to->signing[--b];
		r->to->signing[b] = swap;
	}
	return 0;
}

static int
read_headers(struct reader *r)
{
	const struct json *j = &r->json;
	uint32_t object = json_get(j, 0, SPAN("headers")), k;
	struct error why;

	if (!object)
		return 0;
	if (json_kind(j, object) != JSON_OBJECT)
		return bad(r, "headers", "not an object");
	for (k = object + 1; k < json_next(j, object); k = json_next(j, k + 1)) {
		struct span name = json_string(j, k, &r->other), value;

		if (json_kind(j, k + 1) != JSON_STRING)
			return bad(r, "headers", "a value is not a string");
		value = json_string(j, k + 1, &r->scratch);
		if (field_check(name, value, &why) != 0)
			return bad(r, "headers", why.text);
		if (value.len == 0)
			return bad(r, "headers", "a value is empty");
		credentials_set_header(r->to, name, value);
	}
	return 0;
}

static int
read_certificate(struct reader *r)
{
	struct span certificate, key;

	if (read_string(r, 0, "certificate", &r->scratch, &certificate) != 0 ||
	    read_string(r, 0, "private_key", &r->other, &key) != 0)
		return -1;
	if (!certificate.len != !key.len)
		return bad(r, certificate.len ? "private_key" : "certificate",
		    "missing beside the other");
	if (certificate.len > MAX_PEM_BYTES || key.len > MAX_PEM_BYTES)
		return bad(r, "certificate", "larger than 256 KiB");
	credentials_set_certificate(r->to, certificate, key);
	return 0;
}

/* One line. 0, or -1 with r->why. */
static int
read_line(struct secrets *s, struct reader *r, struct span line)
{
	struct json_error e;
	struct span webhook;

	if (json_read(&r->json, line.p, line.len, &e) != 0)
		return error_set(&r->why, "%s at byte %zu", e.what, e.column);
	if (json_kind(&r->json, 0) != JSON_OBJECT)
		return error_set(&r->why, "not an object");
	if (read_string(r, 0, "webhook", &r->scratch, &webhook) != 0)
		return -1;
	if (webhook.len == 0)
		return bad(r, "webhook", "missing");
	if (secrets_find(s, webhook))
		return bad(r, "webhook", "the same as in another line");
	r->to = secrets_get(s, webhook);
	return read_secrets(r) != 0 || read_headers(r) != 0 ||
	    read_certificate(r) != 0 ? -1 : 0;
}

int
secrets_read(struct secrets *s, struct span text, struct buf *reasons)
{
	struct reader r = { .why = { "" } };
	unsigned number = 0;
	int rc = 0;

	json_init(&r.json);
	while (text.len) {
		const char *nl = memchr(text.p, '\n', text.len);
		struct span line = { text.p, nl ? (size_t)(nl - text.p) :
		    text.len };

		number++;
		text.p += line.len + (nl != NULL);
		text.len -= line.len + (nl != NULL);
		while (line.len && memchr(" \t\r", *line.p, 3)) {
			line.p++;
			line.len--;
		}
		if (line.len == 0 || read_line(s, &r, line) == 0)
			continue;
		buf_printf(reasons, "%sline %u: %s", reasons->len ? "\n" : "",
		    number, r.why.text);
		rc = -1;
	}
	json_clear(&r.json);
	wipe_buf(&r.scratch);
	wipe_buf(&r.other);
	return rc;
}

/* Writing */

static void
put_signing(struct buf *b, const struct credentials *c)
{
	char until[CLOCK_RFC3339_BYTES];
	size_t i;

	json_put_name(b, "secrets");
	buf_putc(b, '[');
	for (i = 0; i < c->n_signing; i++) {
		buf_puts(b, i ? ",{" : "{");
		json_put_member(b, "secret", span_of(c->signing[i].text));
		if (c->signing[i].until_ms) {
			clock_rfc3339(c->signing[i].until_ms, until);
			json_put_member(b, "until", span_of(until));
		}
		buf_putc(b, '}');
	}
	buf_putc(b, ']');
}

static void
put_headers(struct buf *b, const struct credentials *c)
{
	size_t i;

	json_put_name(b, "headers");
	buf_putc(b, '{');
	for (i = 0; i < c->n_headers; i++) {
		if (i)
			buf_putc(b, ',');
		json_put_string(b, span_of(c->headers[i].name));
		buf_putc(b, ':');
		json_put_string(b, span_of(c->headers[i].value));
	}
	buf_putc(b, '}');
}

/* Nothing for a webhook that has none. */
static void
put_line(struct buf *b, const struct credentials *c)
{
	if (!c->n_signing && !c->n_headers && !c->certificate)
		return;
	buf_putc(b, '{');
	json_put_member(b, "webhook", span_of(c->webhook));
	if (c->n_signing)
		put_signing(b, c);
	if (c->n_headers)
		put_headers(b, c);
	if (c->certificate) {
		json_put_member(b, "certificate", span_of(c->certificate));
		json_put_member(b, "private_key", span_of(c->private_key));
	}
	buf_puts(b, "}\n");
}

/* The file */

void
secrets_path(struct buf *path, const char *registry)
{
	buf_puts(path, registry);
	buf_puts(path, ".secrets");
}

/* All of a file that nobody else can read. */
static int
read_fd(int fd, const char *path, const struct stat *st, struct buf *text,
    struct buf *reasons)
{
	ssize_t n;

	if (!S_ISREG(st->st_mode)) {
		buf_puts(reasons, "not a regular file");
		return -1;
	}
	if (!file_is_private(path, st)) {
		buf_printf(reasons, "others may read or write it (mode %04o): "
		    "chmod 600", (unsigned)(st->st_mode & 0777));
		return -1;
	}
	if (st->st_size > SECRETS_MAX_BYTES) {
		buf_puts(reasons, "larger than 256 MiB");
		return -1;
	}
	/* Room for all, so that it does not move and leave a copy behind. */
	(void)buf_room(text, (size_t)st->st_size + READ_BYTES);
	do {
		n = read(fd, buf_room(text, READ_BYTES), READ_BYTES);
		text->len += n > 0 ? (size_t)n : 0;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0) {
		buf_puts(reasons, strerror(errno));
		return -1;
	}
	return 0;
}

/* What fd holds becomes *s. 0, or -1 with the reasons and *s as it was. */
static int
load_fd(struct secrets *s, int fd, const char *path, const struct stat *st,
    struct buf *reasons)
{
	struct secrets fresh = { 0 };
	struct buf text = { 0 };
	int rc = read_fd(fd, path, st, &text, reasons);

	if (rc == 0)
		rc = secrets_read(&fresh, buf_bytes(&text), reasons);
	wipe_buf(&text);
	if (rc != 0) {
		secrets_clear(&fresh);
		return -1;
	}
	secrets_clear(s);
	*s = fresh;
	return 0;
}

static int
load(struct secrets_file *f, bool needed, struct buf *reasons)
{
	int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = -1;
	struct stat st = { 0 };

	if (fd < 0 && errno == ENOENT && !needed) {
		rc = 0;
	} else if (fd < 0 || fstat(fd, &st) != 0) {
		buf_puts(reasons, strerror(errno));
		st = (struct stat){ 0 };
	} else {
		rc = load_fd(&f->secrets, fd, f->path, &st, reasons);
	}
	if (fd >= 0)
		close(fd);
	watch_note(&f->watch, &st, false);
	f->generation += rc == 0;
	return rc;
}

int
secrets_open(struct secrets_file *f, const char *path, bool needed,
    struct buf *reasons)
{
	*f = (struct secrets_file){ .path = alloc_copy(path, strlen(path)) };
	return load(f, needed, reasons);
}

void
secrets_close(struct secrets_file *f)
{
	free(f->path);
	secrets_clear(&f->secrets);
	*f = (struct secrets_file){ 0 };
}

int
secrets_check(struct secrets_file *f, struct buf *reasons)
{
	if (!watch_look(&f->watch, f->path))
		return 0;
	reasons->len = 0;
	/* Gone is not empty: nothing may go out unsigned by a slip. */
	if (load(f, true, reasons) == 0) {
		watch_well(&f->watch);
		return 0;
	}
	return watch_tells(&f->watch) ? -1 : 0;
}

/* Editing */

/* The lock is on the file that the name means now, and for this process. */
static int
open_locked(const char *path, struct stat *st, struct buf *reasons)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat named;
	int fd;

	for (;;) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0)
			break;
		if (fcntl(fd, F_SETLKW, &lock) != 0 || fstat(fd, st) != 0)
			break;
		if (stat(path, &named) == 0 && named.st_dev == st->st_dev &&
		    named.st_ino == st->st_ino)
			return fd;
		close(fd); /* it was replaced while we waited */
	}
	buf_puts(reasons, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

int
secrets_begin(struct secrets_edit *edit, const char *path, struct buf *reasons)
{
	struct stat st;

	*edit = (struct secrets_edit){ .path = alloc_copy(path, strlen(path)) };
	edit->fd = open_locked(path, &st, reasons);
	if (edit->fd < 0 || load_fd(&edit->secrets, edit->fd, edit->path,
	    &st, reasons) != 0) {
		secrets_cancel(edit);
		return -1;
	}
	return 0;
}

void
secrets_cancel(struct secrets_edit *edit)
{
	secrets_clear(&edit->secrets);
	free(edit->path);
	edit->path = NULL;
	if (edit->fd >= 0)
		close(edit->fd);
	edit->fd = -1;
}

static int
write_all(int fd, struct span s)
{
	while (s.len) {
		ssize_t n = write(fd, s.p, s.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		s.p += n;
		s.len -= (size_t)n;
	}
	return 0;
}

/* The rename lasts once the directory is on disk. */
static int
sync_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? alloc_copy(path, (size_t)(slash - path) + 1) :
	    alloc_copy(".", 1);
	int fd = open(dir, O_RDONLY | O_CLOEXEC), rc;

	free(dir);
	if (fd < 0)
		return -1;
	rc = fsync(fd);
	close(fd);
	return rc;
}

static int
replace(const char *path, const char *new, struct span text)
{
	int fd = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), rc;

	if (fd < 0)
		return -1;
	rc = write_all(fd, text);
	if (rc == 0)
		rc = fsync(fd);
	if (close(fd) != 0)
		rc = -1;
	if (rc == 0)
		rc = rename(new, path);
	if (rc == 0)
		return sync_directory(path);
	rc = errno;
	(void)unlink(new);
	errno = rc;
	return -1;
}

int
secrets_commit(struct secrets_edit *edit, struct error *e)
{
	struct buf text = { 0 }, new = { 0 };
	size_t i;
	int rc;

	for (i = 0; i < edit->secrets.n; i++)
		put_line(&text, &edit->secrets.list[i]);
	/* Who holds the lock owns this name; a crash may have left it. */
	buf_printf(&new, "%s.new", edit->path);
	(void)unlink(buf_str(&new));
	rc = replace(edit->path, buf_str(&new), buf_bytes(&text));
	if (rc != 0)
		error_set(e, "%s", strerror(errno));
	wipe_buf(&text);
	buf_clear(&new);
	return rc;
}
