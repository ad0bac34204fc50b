/*
 * Requests as commands. What curl(1) would add of its own is taken away: its
 * Accept, its Expect, the settings of ~/.curlrc.
 */
#include "net/command.h"

#include "net/field.h"
#include "net/sign.h"

enum {
	MAX_WORD_BYTES = 100 * 1024, /* Linux takes 128 KiB in one argument */
};

/* A word in quotes: nothing in it means anything to a shell. */
static void
put_quoted(struct buf *b, struct span s)
{
	size_t i;

	buf_putc(b, '\'');
	for (i = 0; i < s.len; i++) {
		if (s.p[i] == '\'')
			buf_puts(b, "'\\''");
		else
			buf_putc(b, s.p[i]);
	}
	buf_putc(b, '\'');
}

/* 'Name: '"$NAME": a name may hold what means something to a shell. */
static void
put_variable(struct buf *b, struct span field)
{
	const char *colon = memchr(field.p, ':', field.len);
	size_t n = (size_t)(colon - field.p), i;

	put_quoted(b, (struct span){ field.p, n });
	b->len--; /* the quote goes on */
	buf_puts(b, ": '\"$");
	for (i = 0; i < n; i++) {
		char c = field.p[i];

		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		else if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')))
			c = '_';
		if (i == 0 && c >= '0' && c <= '9')
			buf_putc(b, '_');
		buf_putc(b, c);
	}
	buf_putc(b, '"');
}

static void
put_option(struct buf *b, const char *option, struct span value)
{
	buf_printf(b, " \\\n\t%s ", option);
	put_quoted(b, value);
}

/* curl(1) drops "Name:" and wants "Name;" for a field that is sent empty. */
static void
put_field(struct buf *b, struct span line)
{
	const char *colon = memchr(line.p, ':', line.len);
	struct buf name = { 0 };
	size_t n = (size_t)(colon - line.p);

	if (field_trim((struct span){ colon + 1, line.len - n - 1 }).len) {
		put_option(b, "-H", line);
		return;
	}
	buf_add(&name, line.p, n);
	buf_putc(&name, ';');
	put_option(b, "-H", buf_bytes(&name));
	buf_clear(&name);
}

static void
put_seconds(struct buf *b, const char *option, int64_t ms)
{
	buf_printf(b, " \\\n\t%s %lld.%03d", option, (long long)ms / 1000,
	    (int)(ms % 1000));
}

/* webhook-id, webhook-timestamp, webhook-signature. */
static int
put_signature(struct buf *b, const struct http_request *req, int64_t now_ms,
    struct error *e)
{
	struct signer *signer = http_target_signer(req->target);
	struct buf fields = { 0 };
	size_t at;
	int r = 0;

	if (signer)
		r = signer_put(signer, &fields, req->id, req->body, now_ms, e);
	for (at = 0; r == 0 && at < fields.len; at += strlen(fields.p + at) + 1)
		put_option(b, "-H", span_of(fields.p + at));
	buf_clear(&fields);
	return r;
}

static void
put_tls(struct buf *b, const struct http_target *t)
{
	if (http_target_has_certificate(t))
		buf_puts(b, " \\\n\t--cert \"$CLIENT_CERTIFICATE\""
		    " --key \"$CLIENT_KEY\"");
	if (http_target_ca(t))
		buf_puts(b, " \\\n\t--cacert /dev/stdin");
}

/* As a here-document, which ends where no line of the text does. */
static void
put_ca(struct buf *b, const char *ca)
{
	struct buf end = { 0 };

	buf_puts(&end, "END_OF_CA");
	while (strstr(ca, buf_str(&end)))
		buf_putc(&end, '_');
	buf_printf(b, " <<'%s'\n%s\n%s", buf_str(&end), ca, buf_str(&end));
	buf_clear(&end);
}

int
command_put(struct buf *b, const struct http_request *req,
    bool (*is_secret)(const void *, struct span), const void *ctx,
    int64_t now_ms, struct error *e)
{
	const struct http_target *t = req->target;
	bool piped = req->body.len > MAX_WORD_BYTES && !http_target_ca(t);
	size_t start = b->len, i, at = 0;
	struct span field;

	if (piped) {
		buf_puts(b, "printf %s ");
		put_quoted(b, req->body);
		buf_puts(b, " |\n");
	}
	buf_puts(b, "curl -q -g -sS -i --http1.1 --noproxy '*' --tlsv1.2");
	put_seconds(b, "--connect-timeout", req->connect_ms);
	put_seconds(b, "--max-time", req->total_ms);
	put_tls(b, t);
	for (i = 0; i < HTTP_MAX_OWN_FIELDS && req->own_fields[i]; i++)
		put_field(b, span_of(req->own_fields[i]));
	if (put_signature(b, req, now_ms, e) < 0) {
		b->len = start;
		return -1;
	}
	while (http_target_field(t, &at, &field)) {
		if (is_secret(ctx, field)) {
			buf_puts(b, " \\\n\t-H ");
			put_variable(b, field);
		} else {
			put_field(b, field);
		}
	}
	/* Without them curl adds its own; a field above comes first. */
	put_option(b, "-H", SPAN("Accept:"));
	put_option(b, "-H", SPAN("Expect:"));
	put_option(b, "--data-binary", piped ? SPAN("@-") : req->body);
	put_option(b, "--url", span_of(http_target_url(t)));
	if (http_target_ca(t))
		put_ca(b, http_target_ca(t));
	buf_putc(b, '\n');
	return 0;
}
