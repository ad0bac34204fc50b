/*
 * What a receiver does with its requests.
 */
#include "net/sink_script.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/diag.h"
#include "base/num.h"
#include "net/field.h"

enum {
	MAX_FILE_BYTES = 16 * 1024 * 1024, /* a script, or a file of `raw` */
	MAX_WAIT_MS = 24 * 60 * 60 * 1000, /* a delay, a drip */
	MIN_HEADER_BYTES = 64,             /* `headers`: what is always there */
	HEADER_LINE_BYTES = 1000,          /* `headers`: curl takes 100 KiB */
	CUT_BODY_BYTES = 1000,             /* `close-early`: announced */
	SHOWN_BYTES = 60,                  /* of a bad word, in a message */
};

static const struct {
	int status;
	const char *phrase;
} phrases[] = { { 200, "OK" }, { 201, "Created" }, { 202, "Accepted" },
	{ 204, "No Content" }, { 301, "Moved Permanently" }, { 302, "Found" },
	{ 303, "See Other" }, { 304, "Not Modified" },
	{ 307, "Temporary Redirect" }, { 308, "Permanent Redirect" },
	{ 400, "Bad Request" }, { 401, "Unauthorized" }, { 403, "Forbidden" },
	{ 404, "Not Found" }, { 405, "Method Not Allowed" },
	{ 408, "Request Timeout" }, { 409, "Conflict" }, { 410, "Gone" },
	{ 413, "Content Too Large" }, { 415, "Unsupported Media Type" },
	{ 422, "Unprocessable Content" }, { 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" }, { 501, "Not Implemented" },
	{ 502, "Bad Gateway" }, { 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" }, { 505, "HTTP Version Not Supported" } };

static const char *
phrase(int status)
{
	size_t i;

	for (i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return ""; /* the phrase may be missing, the blank before it not */
}

void
sink_put_answer(struct buf *b, int status, struct span fields)
{
	buf_printf(b, "HTTP/1.1 %d %s\r\n", status, phrase(status));
	buf_span(b, fields);
	if (status != 204 && status != 304)
		buf_puts(b, "Content-Length: 0\r\n");
	buf_puts(b, "\r\n");
}

void
sink_script_clear(struct sink_script *s)
{
	size_t i;

	for (i = 0; i < s->n_steps; i++)
		buf_clear(&s->steps[i].answer);
	free(s->steps);
	*s = (struct sink_script){ 0 };
}

static struct sink_step *
add_step(struct sink_script *s)
{
	if (s->n_steps == s->cap_steps)
		s->steps = alloc_grow(s->steps, &s->cap_steps, s->n_steps + 1,
		    sizeof(*s->steps));
	s->steps[s->n_steps] = (struct sink_step){ 0 };
	return &s->steps[s->n_steps++];
}

const struct sink_step *
sink_script_next(struct sink_script *s)
{
	const struct sink_step *step = &s->steps[s->at];

	if (s->at + 1 < s->n_steps)
		s->at++;
	else if (s->loop)
		s->at = 0;
	return step;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct span
trim(struct span s)
{
	while (s.len && is_blank(*s.p))
		s = (struct span){ s.p + 1, s.len - 1 };
	while (s.len && is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

/* Cut the first word off a trimmed text, and the blanks behind it. */
static struct span
cut_word(struct span *rest)
{
	struct span word = { rest->p, 0 };

	while (word.len < rest->len && !is_blank(rest->p[word.len]))
		word.len++;
	*rest = trim((struct span){ rest->p + word.len, rest->len - word.len });
	return word;
}

static int
bad_word(struct error *e, const char *what, struct span word)
{
	struct buf shown = { 0 };

	diag_foreign(&shown, word, SHOWN_BYTES);
	(void)error_set(e, "%s '%s'", what, buf_str(&shown));
	buf_clear(&shown);
	return -1;
}

/* The whole file, at most MAX_FILE_BYTES. */
static int
read_file(const char *path, struct buf *b, struct error *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return error_set(e, "cannot open '%s': %s", path,
		    strerror(errno));
	do {
		n = read(fd, buf_room(b, 65536), 65536);
		if (n > 0)
			b->len += (size_t)n;
	} while ((n > 0 && b->len <= MAX_FILE_BYTES) ||
	    (n < 0 && errno == EINTR));
	if (n < 0)
		(void)error_set(e, "cannot read '%s': %s", path,
		    strerror(errno));
	else if (n > 0)
		(void)error_set(e, "'%s' has more than %d bytes", path,
		    MAX_FILE_BYTES);
	close(fd);
	return n == 0 ? 0 : -1;
}

/* `Name: value`…; a word that ends in a colon begins the next field. */
static int
read_fields(struct sink_step *step, struct span rest, struct buf *fields,
    struct error *e)
{
	struct span name = { 0 };

	while (rest.len) {
		struct span word = cut_word(&rest);

		if (word.len > 1 && word.p[word.len - 1] == ':') {
			buf_puts(fields, name.len ? "\r\n" : "");
			name = (struct span){ word.p, word.len - 1 };
			if (field_is(name, "content-length") ||
			    field_is(name, "transfer-encoding"))
				return error_set(e, "the answer has no body; "
				    "raw-string sends any bytes");
		} else if (name.len == 0) {
			return bad_word(e, "no 'Name:' before", word);
		} else {
			buf_putc(fields, ' ');
			if (field_is(name, "connection") &&
			    field_is(word, "close"))
				step->then = SINK_CLOSE;
		}
		buf_span(fields, word);
	}
	buf_puts(fields, name.len ? "\r\n" : "");
	return 0;
}

static int
read_status(struct sink_step *step, struct span rest, struct error *e)
{
	struct span word = cut_word(&rest);
	struct buf fields = { 0 };
	uint64_t status;
	int failed;

	if (num_u64(word, 200, 999, &status) < 0)
		return bad_word(e, "a status is a number from 200 to 999, not",
		    word);
	step->status = (int)status;
	failed = read_fields(step, rest, &fields, e);
	if (!failed)
		sink_put_answer(&step->answer, step->status,
		    buf_bytes(&fields));
	buf_clear(&fields);
	return failed;
}

static int
read_redirect(struct sink_step *step, struct span rest, struct error *e)
{
	struct span url = cut_word(&rest);
	struct buf field = { 0 };

	if (url.len == 0 || rest.len)
		return error_set(e, "redirect takes one URL");
	buf_puts(&field, "Location: ");
	buf_span(&field, url);
	buf_puts(&field, "\r\n");
	step->status = 302;
	sink_put_answer(&step->answer, step->status, buf_bytes(&field));
	buf_clear(&field);
	return 0;
}

static int
no_operand(struct span rest, struct error *e)
{
	return rest.len ? bad_word(e, "nothing is expected, but there is", rest)
	    : 0;
}

static int
read_hang(struct sink_step *step, struct span rest, struct error *e)
{
	step->then = SINK_HANG;
	return no_operand(rest, e);
}

static int
read_drop(struct sink_step *step, struct span rest, struct error *e)
{
	step->then = SINK_CLOSE;
	return no_operand(rest, e);
}

static int
read_reset(struct sink_step *step, struct span rest, struct error *e)
{
	step->then = SINK_RESET;
	return no_operand(rest, e);
}

static int
read_close_early(struct sink_step *step, struct span rest, struct error *e)
{
	step->then = SINK_CLOSE;
	step->status = 200;
	buf_printf(&step->answer, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n"
	    "\r\n%0*d", CUT_BODY_BYTES, CUT_BODY_BYTES / 2, 0);
	return no_operand(rest, e);
}

static int
read_garbage(struct sink_step *step, struct span rest, struct error *e)
{
	step->then = SINK_CLOSE;
	buf_span(&step->answer, SPAN("\0\1\2\xff\xfe this is no HTTP\n\n"));
	return no_operand(rest, e);
}

/* A body whose end is the end of the connection, which does not come. */
static void
put_unending(struct sink_step *step, enum sink_then then)
{
	step->then = then;
	step->status = 200;
	buf_puts(&step->answer, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
}

static int
read_endless(struct sink_step *step, struct span rest, struct error *e)
{
	put_unending(step, SINK_ENDLESS);
	return no_operand(rest, e);
}

static int
read_drip(struct sink_step *step, struct span rest, struct error *e)
{
	struct span word = cut_word(&rest);

	put_unending(step, SINK_DRIP);
	if (num_duration(word, MAX_WAIT_MS, &step->drip_ms) < 0 ||
	    step->drip_ms == 0)
		return bad_word(e, "drip takes a duration such as 100ms, not",
		    word);
	return no_operand(rest, e);
}

static int
read_headers(struct sink_step *step, struct span rest, struct error *e)
{
	struct buf *b = &step->answer;
	struct span word = cut_word(&rest);
	uint64_t bytes;
	size_t left, n;

	if (num_bytes(word, MAX_FILE_BYTES, &bytes) < 0 ||
	    bytes < MIN_HEADER_BYTES)
		return bad_word(e, "headers takes a number of bytes from 64 to "
		    "16MiB, not", word);
	step->status = 200;
	buf_puts(b, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
	for (left = (size_t)bytes - b->len - 2; left; left -= n) {
		n = left < HEADER_LINE_BYTES ? left : HEADER_LINE_BYTES;
		/* Room for one more name, unless this is the last line. */
		if (left > n && left - n < 10)
			n -= 10;
		buf_printf(b, "X-Fill: %0*d", (int)(n - 10), 0);
		b->len = b->len - (n == 10);
		buf_puts(b, "\r\n");
	}
	buf_puts(b, "\r\n");
	return no_operand(rest, e);
}

/* Bytes of the user's own; a status is shown if they begin with one. */
static void
end_raw(struct sink_step *step)
{
	const struct buf *b = &step->answer;
	uint64_t status;

	step->then = SINK_CLOSE;
	if (b->len >= 12 && memcmp(b->p, "HTTP/1.", 7) == 0 &&
	    num_u64((struct span){ b->p + 9, 3 }, 100, 999, &status) == 0)
		step->status = (int)status;
}

static int
read_raw(struct sink_step *step, struct span rest, struct error *e)
{
	char *path;
	int failed;

	if (rest.len == 0)
		return error_set(e, "raw takes the name of a file");
	path = alloc_copy(rest.p, rest.len);
	failed = read_file(path, &step->answer, e);
	free(path);
	end_raw(step);
	return failed;
}

/* The value of up to max digits of the base at *p, which is moved. */
static char
read_digits(const char **p, const char *end, int base, int max)
{
	static const char digits[] = "0123456789abcdef";
	unsigned value = 0;

	for (; max > 0 && *p < end; max--, (*p)++) {
		const char *d = strchr(digits, **p | (base == 16 ? 0x20 : 0));

		if (**p == '\0' || !d || d - digits >= base)
			break;
		value = value * (unsigned)base + (unsigned)(d - digits);
	}
	return (char)value;
}

/* The escape behind a backslash at *p; *p is moved behind it. 0 or -1. */
static int
read_escape(struct buf *b, const char **p, const char *end)
{
	static const char names[] = "abefnrtv\\\"'";
	static const char values[] = "\a\b\033\f\n\r\t\v\\\"'";
	const char *name, *digits;

	if (*p == end)
		return -1;
	if (**p == 'x') {
		digits = ++*p;
		buf_putc(b, read_digits(p, end, 16, 2));
		return *p > digits ? 0 : -1;
	}
	if (**p >= '0' && **p <= '7') {
		buf_putc(b, read_digits(p, end, 8, 3));
		return 0;
	}
	name = **p ? strchr(names, **p) : NULL;
	if (!name)
		return -1;
	buf_putc(b, values[name - names]);
	++*p;
	return 0;
}

static int
read_raw_string(struct sink_step *step, struct span rest, struct error *e)
{
	const char *p = rest.p + 1, *end = rest.p + rest.len - 1;

	if (rest.len < 2 || rest.p[0] != '"' || *end != '"')
		return error_set(e, "raw-string takes a string in \"…\"");
	while (p < end) {
		if (*p == '"')
			return error_set(e, "a quote in the string needs a "
			    "backslash");
		if (*p != '\\') {
			buf_putc(&step->answer, *p++);
			continue;
		}
		p++;
		if (read_escape(&step->answer, &p, end) < 0)
			return error_set(e, "an escape in the string is none "
			    "of C's");
	}
	end_raw(step);
	return 0;
}

static const struct {
	const char *name;
	int (*read)(struct sink_step *, struct span, struct error *);
} actions[] = {
	{ "status", read_status }, { "redirect", read_redirect },
	{ "hang", read_hang }, { "drop", read_drop }, { "reset", read_reset },
	{ "close-early", read_close_early }, { "garbage", read_garbage },
	{ "endless", read_endless }, { "drip", read_drip },
	{ "headers", read_headers }, { "raw", read_raw },
	{ "raw-string", read_raw_string },
};

static int
read_delay(struct sink_step *step, struct span *rest, struct error *e)
{
	struct span word = cut_word(rest), after = *rest;
	int64_t ms;

	if (num_duration(word, MAX_WAIT_MS - step->delay_ms, &ms) < 0)
		return bad_word(e, "delay takes a duration such as 200ms, not",
		    word);
	step->delay_ms += ms;
	if (span_eq(cut_word(&after), SPAN("then")))
		*rest = after;
	return 0;
}

static int
read_step(struct sink_script *s, struct span line, struct error *e)
{
	struct sink_step *step = add_step(s);
	struct span word;
	size_t i;

	while (span_eq(word = cut_word(&line), SPAN("delay")))
		if (read_delay(step, &line, e) < 0)
			return -1;
	for (i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (span_eq(word, span_of(actions[i].name))) {
			step->action = actions[i].name;
			return actions[i].read(step, line, e);
		}
	}
	if (word.len == 0)
		return error_set(e, "nothing follows the delay");
	return bad_word(e, "unknown step", word);
}

static int
read_line(struct sink_script *s, struct span line, struct error *e)
{
	if (line.len == 0 || line.p[0] == '#')
		return 0;
	if (s->loop)
		return error_set(e, "a step follows loop");
	if (!span_eq(line, SPAN("loop")))
		return read_step(s, line, e);
	s->loop = true;
	return 0;
}

int
sink_script_parse(struct sink_script *s, struct span text, struct error *e)
{
	size_t number = 0;

	*s = (struct sink_script){ 0 };
	while (text.len) {
		const char *lf = memchr(text.p, '\n', text.len);
		size_t n = lf ? (size_t)(lf - text.p) : text.len;
		struct error why;

		number++;
		if (read_line(s, trim((struct span){ text.p, n }), &why) < 0) {
			sink_script_clear(s);
			return error_set(e, "line %zu: %s", number, why.text);
		}
		n += lf != NULL;
		text = (struct span){ text.p + n, text.len - n };
	}
	if (s->n_steps == 0) {
		sink_script_clear(s);
		return error_set(e, "the script has no step");
	}
	return 0;
}

int
sink_script_load(struct sink_script *s, const char *path, struct error *e)
{
	struct buf text = { 0 };
	struct error why;
	int failed = -1;

	if (read_file(path, &text, e) < 0)
		goto out;
	failed = sink_script_parse(s, buf_bytes(&text), &why);
	if (failed)
		(void)error_set(e, "%s: %s", path, why.text);
out:
	buf_clear(&text);
	return failed;
}

void
sink_script_status(struct sink_script *s, int status)
{
	struct sink_step *step;

	*s = (struct sink_script){ 0 };
	step = add_step(s);
	step->action = "status";
	step->status = status;
	sink_put_answer(&step->answer, status, (struct span){ 0 });
}
