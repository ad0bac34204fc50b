/*
 * Header fields: what may be set, and how it is sent.
 */
#include "net/field.h"

#include "base/diag.h"
#include "base/utf8.h"

enum { NAME_SHOWN_BYTES = 64 };

static const char *const ours[] = {
	"Connection", "Content-Length", "Expect", "Keep-Alive",
	"Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
};

static int
refuse(struct error *e, struct span name, const char *why)
{
	struct buf shown = { 0 };

	diag_foreign(&shown, name, NAME_SHOWN_BYTES);
	error_set(e, "field '%s': %s", buf_str(&shown), why);
	buf_clear(&shown);
	return -1;
}

/* RFC 9110 5.6.2 */
static bool
is_token(struct span s)
{
	size_t i;

	for (i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		    (c >= 'a' && c <= 'z') ||
		    (c && strchr("!#$%&'*+-.^_`|~", c))))
			return false;
	}
	return s.len != 0;
}

bool
field_is(struct span s, const char *what)
{
	return s.len == strlen(what) && strncasecmp(s.p, what, s.len) == 0;
}

static bool
is_ours(struct span name)
{
	size_t i;

	for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (field_is(name, ours[i]))
			return true;
	return false;
}

int
field_check(struct span name, struct span value, struct error *e)
{
	size_t i, n;

	if (!is_token(name))
		return refuse(e, name, "the name is not a token");
	if (is_ours(name))
		return refuse(e, name, "belongs to the connection, not to you");
	for (i = 0; i < value.len; i += n) {
		unsigned char c = (unsigned char)value.p[i];

		n = utf8_len(value.p + i, value.len - i);
		if (n == 0)
			return refuse(e, name, "the value is not UTF-8");
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return refuse(e, name,
			    "the value has a control character");
		if (utf8_decode(value.p + i, n) > 0xff)
			return refuse(e, name,
			    "the value has a character beyond U+00FF");
	}
	return 0;
}

struct span
field_trim(struct span s)
{
	while (s.len && (*s.p == ' ' || *s.p == '\t'))
		s = (struct span){ s.p + 1, s.len - 1 };
	while (s.len && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

bool
field_lists(struct span list, const char *word)
{
	while (list.len) {
		const char *comma = memchr(list.p, ',', list.len);
		size_t n = comma ? (size_t)(comma - list.p) : list.len;
		struct span item = field_trim((struct span){ list.p, n });

		if (field_is(item, word))
			return true;
		n += comma != NULL;
		list = (struct span){ list.p + n, list.len - n };
	}
	return false;
}

void
field_put(struct buf *b, struct span name, struct span value)
{
	size_t i, n;

	buf_span(b, name);
	buf_puts(b, ": ");
	for (i = 0; i < value.len; i += n) {
		n = utf8_len(value.p + i, value.len - i);
		if (n == 0)
			break;
		buf_putc(b, (char)utf8_decode(value.p + i, n));
	}
}
