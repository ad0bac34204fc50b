/*
 * hook-admin secret: signing secrets, secret headers and client certificates,
 * in a file of their own beside the registry. What is secret comes in by stdin
 * or a file, never by an argument, and goes out once: when it is made.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "cmd/admin.h"
#include "json/write.h"
#include "net/cert.h"
#include "net/field.h"
#include "net/sign.h"
#include "store/secrets.h"

enum {
	MAX_INPUT_BYTES = 256 * 1024,
	DAY_MS = 24 * 3600 * 1000,
	MAX_OVERLAP_DAYS = 30,
};

static void
wipe(struct buf *b)
{
	sign_wipe(b->p, b->cap);
	buf_clear(b);
}

static void
put_path(struct admin *a, struct buf *path)
{
	if (a->secrets_path)
		buf_puts(path, a->secrets_path);
	else
		secrets_path(path, admin_registry_path(a));
}

static _Noreturn void
die_reasons(struct admin *a, const char *path, struct buf *reasons)
{
	admin_say(a, DIAG_ERROR, path, buf_bytes(reasons));
	exit(EX_SETUP);
}

static void
begin(struct admin *a, struct secrets_edit *edit)
{
	struct buf path = { 0 }, reasons = { 0 };

	put_path(a, &path);
	if (secrets_begin(edit, buf_str(&path), &reasons) != 0)
		die_reasons(a, buf_str(&path), &reasons);
	buf_clear(&path);
}

static void
commit(struct admin *a, struct secrets_edit *edit)
{
	struct error e;

	if (secrets_commit(edit, &e) != 0)
		stage_die(&a->stage, EX_SYSTEM, "cannot write '%s': %s",
		    edit->path, e.text);
	secrets_cancel(edit);
}

/* The registry's webhook with the id that is the first operand; or it dies. */
static void
need_webhook(struct admin *a)
{
	struct registry r;

	admin_load(a, &r);
	if (!admin_find(a, &r.webhooks, a->operands[0]))
		exit(EX_SETUP);
	registry_close(&r);
}

/* All of a file or stdin. */
static void
read_all(struct admin *a, const char *path, struct buf *b)
{
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	ssize_t n = fd < 0 ? -1 : 1;

	/* At once, so that it does not move and leave a copy behind. */
	(void)buf_room(b, MAX_INPUT_BYTES + 1);
	while (n > 0 && b->len <= MAX_INPUT_BYTES) {
		n = read(fd, b->p + b->len, MAX_INPUT_BYTES + 1 - b->len);
		if (n > 0)
			b->len += (size_t)n;
		else if (n < 0 && errno == EINTR)
			n = 1;
	}
	if (n < 0)
		stage_die(&a->stage, EX_SETUP, "cannot read '%s': %s",
		    path ? path : "stdin", strerror(errno));
	if (b->len > MAX_INPUT_BYTES)
		stage_die(&a->stage, EX_SETUP, "'%s' is larger than 256 KiB",
		    path ? path : "stdin");
	if (path)
		close(fd);
}

/* The one line of stdin, or all of it that there is before a newline. */
static struct span
read_value(struct admin *a, struct buf *b)
{
	struct span s;

	read_all(a, NULL, b);
	s = buf_bytes(b);
	while (s.len && memchr("\r\n", s.p[s.len - 1], 2))
		s.len--;
	if (s.len == 0)
		stage_die(&a->stage, EX_SETUP, "secret: nothing on stdin");
	return s;
}

/* Signing secrets */

static int64_t
overlap_ms(struct admin *a)
{
	int64_t ms = DAY_MS;

	if (a->overlap && num_duration(span_of(a->overlap),
	    (int64_t)MAX_OVERLAP_DAYS * DAY_MS, &ms) != 0)
		admin_misuse(a, "--overlap '%s' is no duration up to %dd, such "
		    "as 24h", a->overlap, MAX_OVERLAP_DAYS);
	return ms;
}

static struct sign_key *
key_of(struct admin *a, struct span text)
{
	struct error e;
	struct sign_key *key = sign_key_new(text, &e);

	if (!key)
		stage_die(&a->stage, EX_SETUP, "secret: the secret %s", e.text);
	if (!sign_key_signs(key))
		stage_die(&a->stage, EX_SETUP, "secret: a public key does not "
		    "sign; the secret begins with whsec_ or whsk_");
	return key;
}

/* What it signs until now, it signs until then; what is over is dropped. */
static void
retire(struct credentials *c, int64_t now_ms, int64_t until_ms)
{
	size_t i;

	for (i = c->n_signing; i-- > 0;) {
		struct signing_secret *s = &c->signing[i];

		if (!s->until_ms || s->until_ms > until_ms)
			s->until_ms = until_ms;
		if (s->until_ms <= now_ms)
			credentials_remove_signing(c, i);
	}
}

/* Make it the current one, and the ones before it last as long as asked for. */
static void
put_current(struct admin *a, struct span secret)
{
	int64_t now_ms = clock_wall_ms(), overlap = overlap_ms(a);
	struct secrets_edit edit;
	struct credentials *c;

	need_webhook(a);
	begin(a, &edit);
	c = secrets_get(&edit.secrets, span_of(a->operands[0]));
	retire(c, now_ms, now_ms + overlap);
	if (c->n_signing == SECRETS_MAX_KEYS)
		stage_die(&a->stage, EX_SETUP, "secret: %d secrets are valid "
		    "already: revoke one", SECRETS_MAX_KEYS);
	credentials_add_signing(c, secret, 0);
	commit(a, &edit);
}

static void
check_unsigned(struct admin *a)
{
	struct secrets_edit edit;
	const struct credentials *c;

	begin(a, &edit);
	c = secrets_find(&edit.secrets, span_of(a->operands[0]));
	if (c && c->n_signing)
		stage_die(&a->stage, EX_SETUP, "secret: '%s' has one already: "
		    "'secret rotate' replaces it", a->operands[0]);
	secrets_cancel(&edit);
}

/* Shown once: what the receiver is to be given. */
static void
make(struct admin *a)
{
	bool v1a = a->given & ADMIN_BIT(ADMIN_ED25519);
	struct out *out = &a->stage.out;
	struct buf secret = { 0 };
	struct sign_key *key;
	struct error e;

	if (sign_generate(v1a, &secret, &e) != 0)
		stage_die(&a->stage, EX_SYSTEM, "secret: %s", e.text);
	put_current(a, buf_bytes(&secret));
	key = key_of(a, buf_bytes(&secret));
	if (!v1a)
		buf_span(&out->buf, buf_bytes(&secret));
	else if (sign_public(key, &out->buf) != 0)
		stage_die(&a->stage, EX_SYSTEM, "secret: libcrypto: no public "
		    "key");
	(void)out_end_line(out);
	sign_key_free(key);
	wipe(&secret);
}

static void
generate(struct admin *a)
{
	check_unsigned(a);
	make(a);
}

static void
import(struct admin *a)
{
	struct buf text = { 0 };
	struct span secret = read_value(a, &text);
	struct sign_key *key = key_of(a, secret);
	size_t n = sign_key_bytes(key);

	if (n && (n < SIGN_MIN_KEY_BYTES || n > SIGN_MAX_KEY_BYTES))
		diag_print(&a->stage.diag, DIAG_WARNING, "secret: it has %zu "
		    "bytes; Standard Webhooks asks for %d to %d", n,
		    SIGN_MIN_KEY_BYTES, SIGN_MAX_KEY_BYTES);
	sign_key_free(key);
	put_current(a, secret);
	wipe(&text);
}

static bool
is_called(struct admin *a, const struct signing_secret *s, const char *name)
{
	char fingerprint[SIGN_FINGERPRINT_BYTES];
	struct sign_key *key = key_of(a, span_of(s->text));

	sign_key_fingerprint(key, fingerprint);
	sign_key_free(key);
	return strcmp(name, fingerprint) == 0;
}

static void
revoke(struct admin *a)
{
	bool all = strcmp(a->operands[1], "all") == 0;
	struct secrets_edit edit;
	struct credentials *c;
	size_t i, n = 0;

	begin(a, &edit);
	c = secrets_get(&edit.secrets, span_of(a->operands[0]));
	for (i = c->n_signing; i-- > 0;)
		if (all || is_called(a, &c->signing[i], a->operands[1])) {
			credentials_remove_signing(c, i);
			n++;
		}
	if (n == 0)
		stage_die(&a->stage, EX_SETUP, "secret: '%s' has no secret "
		    "'%s'", a->operands[0], a->operands[1]);
	/* A retired one may be the first that is left: it stays retired. */
	if (c->n_signing && c->signing[0].until_ms)
		diag_print(&a->stage.diag, DIAG_WARNING, "secret: the current "
		    "one is gone; what is left ends soon: rotate");
	commit(a, &edit);
}

/* Headers and certificates */

static void
set_header(struct admin *a)
{
	struct span name = span_of(a->operands[1]), value;
	struct secrets_edit edit;
	struct buf text = { 0 };
	struct error e;

	need_webhook(a);
	value = read_value(a, &text);
	if (field_check(name, value, &e) != 0)
		stage_die(&a->stage, EX_SETUP, "secret: %s", e.text);
	begin(a, &edit);
	credentials_set_header(secrets_get(&edit.secrets,
	    span_of(a->operands[0])), name, value);
	commit(a, &edit);
	wipe(&text);
}

static void
remove_header(struct admin *a)
{
	struct secrets_edit edit;

	begin(a, &edit);
	if (!credentials_remove_header(secrets_get(&edit.secrets,
	    span_of(a->operands[0])), span_of(a->operands[1])))
		stage_die(&a->stage, EX_SETUP, "secret: '%s' has no secret "
		    "header of that name", a->operands[0]);
	commit(a, &edit);
}

static void
set_certificate(struct admin *a)
{
	struct buf text = { 0 }, certificate = { 0 }, key = { 0 };
	struct secrets_edit edit;
	struct error e;

	need_webhook(a);
	read_all(a, a->operands[1], &text);
	if (cert_split(buf_bytes(&text), &certificate, &key, &e) != 0)
		stage_die(&a->stage, EX_SETUP, "%s: %s", a->operands[1],
		    e.text);
	begin(a, &edit);
	credentials_set_certificate(secrets_get(&edit.secrets,
	    span_of(a->operands[0])), buf_bytes(&certificate),
	    buf_bytes(&key));
	commit(a, &edit);
	wipe(&text);
	buf_clear(&certificate);
	wipe(&key);
}

static void
remove_certificate(struct admin *a)
{
	struct secrets_edit edit;
	struct credentials *c;

	begin(a, &edit);
	c = secrets_get(&edit.secrets, span_of(a->operands[0]));
	if (!c->certificate)
		stage_die(&a->stage, EX_SETUP, "secret: '%s' has no "
		    "certificate", a->operands[0]);
	credentials_set_certificate(c, SPAN(""), SPAN(""));
	commit(a, &edit);
}

/* What there is, without telling it */

static void
put_signing(struct admin *a, const struct signing_secret *s)
{
	struct buf *b = &a->stage.out.buf, public = { 0 };
	struct sign_key *key = key_of(a, span_of(s->text));
	char text[CLOCK_RFC3339_BYTES], fingerprint[SIGN_FINGERPRINT_BYTES];

	sign_key_fingerprint(key, fingerprint);
	buf_putc(b, '{');
	json_put_member(b, "version", span_of(sign_key_version(key)));
	json_put_member(b, "fingerprint", span_of(fingerprint));
	if (sign_public(key, &public) == 0)
		json_put_member(b, "public", buf_bytes(&public));
	if (s->until_ms) {
		clock_rfc3339(s->until_ms, text);
		json_put_member(b, "until", span_of(text));
	}
	buf_putc(b, '}');
	buf_clear(&public);
	sign_key_free(key);
}

static void
put_certificate(struct buf *b, const struct credentials *c)
{
	struct buf end = { 0 };

	json_put_name(b, "certificate");
	buf_putc(b, '{');
	if (cert_put_end(span_of(c->certificate), &end) == 0)
		json_put_member(b, "until", buf_bytes(&end));
	buf_putc(b, '}');
	buf_clear(&end);
}

static void
put_record(struct admin *a, const struct credentials *c)
{
	struct buf *b = &a->stage.out.buf;
	size_t i;

	buf_putc(b, '{');
	json_put_member(b, "webhook", span_of(c->webhook));
	json_put_name(b, "secrets");
	buf_putc(b, '[');
	for (i = 0; i < c->n_signing; i++) {
		if (i)
			buf_putc(b, ',');
		put_signing(a, &c->signing[i]);
	}
	buf_putc(b, ']');
	json_put_name(b, "headers");
	buf_putc(b, '[');
	for (i = 0; i < c->n_headers; i++) {
		if (i)
			buf_putc(b, ',');
		json_put_string(b, span_of(c->headers[i].name));
	}
	buf_putc(b, ']');
	if (c->certificate)
		put_certificate(b, c);
	buf_putc(b, '}');
	(void)out_end_line(&a->stage.out);
}

static void
show(struct admin *a)
{
	struct buf path = { 0 }, reasons = { 0 };
	struct secrets_file f;
	size_t i;

	put_path(a, &path);
	if (secrets_open(&f, buf_str(&path), a->secrets_path != NULL,
	    &reasons) != 0)
		die_reasons(a, buf_str(&path), &reasons);
	for (i = 0; i < f.secrets.n; i++)
		if (!a->operands[0] ||
		    strcmp(a->operands[0], f.secrets.list[i].webhook) == 0)
			put_record(a, &f.secrets.list[i]);
	secrets_close(&f);
	buf_clear(&path);
}

/* The command */

#define ED25519 ADMIN_BIT(ADMIN_ED25519)
#define OVERLAP ADMIN_BIT(ADMIN_OVERLAP)

static const struct {
	const char *name;
	void (*run)(struct admin *);
	size_t min, max; /* operands */
	uint64_t options;
} actions[] = {
	{ "certificate", set_certificate, 2, 2, 0 },
	{ "generate", generate, 1, 1, ED25519 },
	{ "header", set_header, 2, 2, 0 },
	{ "import", import, 1, 1, OVERLAP },
	{ "remove-certificate", remove_certificate, 1, 1, 0 },
	{ "remove-header", remove_header, 2, 2, 0 },
	{ "revoke", revoke, 2, 2, 0 },
	{ "rotate", make, 1, 1, ED25519 | OVERLAP },
	{ "show", show, 0, 1, 0 },
};

void
admin_secret(struct admin *a)
{
	const char *name = a->operands[0];
	struct nearest near;
	size_t i;

	nearest_open(&near, span_of(name));
	for (i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		nearest_offer(&near, span_of(actions[i].name));
		if (strcmp(actions[i].name, name) != 0)
			continue;
		a->operands++;
		a->n_operands--;
		if (a->n_operands < actions[i].min ||
		    a->n_operands > actions[i].max)
			admin_misuse(a, "secret %s: %s", name,
			    a->n_operands < actions[i].min ?
			    "an operand is missing" : "too many operands");
		if (a->given & (ED25519 | OVERLAP) & ~actions[i].options)
			admin_misuse(a, "secret %s: takes no --%s", name,
			    a->given & ED25519 & ~actions[i].options ?
			    "ed25519" : "overlap");
		actions[i].run(a);
		return;
	}
	admin_unknown(a, &near, "; see hook-admin -h",
	    "secret: unknown action '%s'", name);
}

void
admin_forget_secrets(struct admin *a, const struct webhooks *left)
{
	struct buf path = { 0 };
	struct secrets_edit edit;
	size_t i, n;

	put_path(a, &path);
	if (access(buf_str(&path), F_OK) == 0) {
		begin(a, &edit);
		n = edit.secrets.n;
		for (i = n; i-- > 0;) {
			struct span id = span_of(edit.secrets.list[i].webhook);

			if (!webhooks_find(left, id))
				secrets_remove(&edit.secrets, id);
		}
		if (edit.secrets.n < n)
			commit(a, &edit);
		else
			secrets_cancel(&edit);
	}
	buf_clear(&path);
}

static bool
signs_nothing(const struct credentials *c, int64_t now_ms)
{
	size_t i;

	for (i = 0; i < c->n_signing; i++)
		if (!c->signing[i].until_ms || c->signing[i].until_ms > now_ms)
			return false;
	return c->n_signing != 0;
}

void
admin_check_secrets(struct admin *a, const struct webhooks *all)
{
	struct buf path = { 0 }, reasons = { 0 };
	struct secrets_file f;
	size_t i;

	put_path(a, &path);
	/* Another user may check the rest. */
	if (access(buf_str(&path), R_OK) != 0) {
		buf_clear(&path);
		return;
	}
	if (secrets_open(&f, buf_str(&path), true, &reasons) != 0) {
		admin_say(a, DIAG_ERROR, buf_str(&path), buf_bytes(&reasons));
		a->stage.code = EX_SETUP;
	}
	for (i = 0; i < f.secrets.n; i++) {
		const struct credentials *c = &f.secrets.list[i];

		if (!webhooks_find(all, span_of(c->webhook)))
			diag_print(&a->stage.diag, DIAG_WARNING, "%s: there "
			    "is no webhook '%s'", buf_str(&path), c->webhook);
		else if (signs_nothing(c, clock_wall_ms()))
			diag_print(&a->stage.diag, DIAG_WARNING, "webhook "
			    "'%s': no signing secret is valid any more",
			    c->webhook);
	}
	secrets_close(&f);
	buf_clear(&path);
	buf_clear(&reasons);
}
