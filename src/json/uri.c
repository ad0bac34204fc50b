/*
 * URI references. The grammar leaves no choice where a component ends, so that
 * splitting needs no checks, and checking works on what was split.
 */
#include "json/uri.h"

#include "base/utf8.h"

static bool
letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The value of a hex digit, or -1. */
static int
hex(char c)
{
	if (digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool
one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

/* Bytes before the first of stops. */
static size_t
before(struct span s, const char *stops)
{
	size_t i;

	for (i = 0; i < s.len && !one_of(s.p[i], stops); i++)
		continue;
	return i;
}

/* Take the first n bytes off *s. */
static struct span
take(struct span *s, size_t n)
{
	struct span head = { s->p, n };

	if (n) { /* an absent component has no p */
		s->p += n;
		s->len -= n;
	}
	return head;
}

/* Bytes of the scheme that s begins with, less its colon; 0: there is none. */
static size_t
scheme_len(struct span s)
{
	size_t i;

	if (s.len == 0 || !letter(s.p[0]))
		return 0;
	for (i = 1; i < s.len && (letter(s.p[i]) || digit(s.p[i]) ||
	    one_of(s.p[i], "+-.")); i++)
		continue;
	return i < s.len && s.p[i] == ':' ? i : 0;
}

struct span
uri_cut_fragment(struct span *uri)
{
	size_t n = before(*uri, "#");
	struct span fragment = *uri;

	if (n == uri->len)
		return (struct span){ NULL, 0 };
	uri->len = n;
	take(&fragment, n + 1);
	return fragment;
}

struct uri
uri_split(struct span s)
{
	struct uri u = { 0 };
	size_t n;

	u.fragment = uri_cut_fragment(&s);
	n = scheme_len(s);
	if (n) {
		u.scheme = take(&s, n);
		take(&s, 1);
	}
	if (s.len >= 2 && s.p[0] == '/' && s.p[1] == '/') {
		take(&s, 2);
		u.authority = take(&s, before(s, "/?"));
	}
	u.path = take(&s, before(s, "?"));
	if (s.len) {
		take(&s, 1);
		u.query = s;
	}
	if (!u.path.p)
		u.path.p = "";
	return u;
}

static bool
starts(struct span s, const char *with)
{
	size_t n = strlen(with);

	return s.len >= n && memcmp(s.p, with, n) == 0;
}

/* remove_dot_segments (5.2.4) on b from `start` on, in place, step by step. */
static void
remove_dots(struct buf *b, size_t start)
{
	struct span in = { b->p + start, b->len - start };
	char *out = b->p + start;

	while (in.len) {
		bool up = starts(in, "/../") || span_eq(in, SPAN("/.."));

		if (starts(in, "../")) {
			take(&in, 3);
		} else if (starts(in, "./")) {
			take(&in, 2);
		} else if (up || starts(in, "/./") || span_eq(in, SPAN("/."))) {
			while (up && out > b->p + start && *--out != '/')
				continue;
			take(&in, up ? 3 : 2);
			if (in.len == 0)
				*out++ = '/';
		} else if (span_eq(in, SPAN(".")) || span_eq(in, SPAN(".."))) {
			take(&in, in.len);
		} else {
			do {
				*out++ = *take(&in, 1).p;
			} while (in.len && in.p[0] != '/');
		}
	}
	b->len = (size_t)(out - b->p);
}

/* What a relative path is put behind: the base's path up to its last slash. */
static struct span
folder(const struct uri *base)
{
	struct span path = base->path;

	if (base->authority.p && path.len == 0)
		return SPAN("/");
	while (path.len && path.p[path.len - 1] != '/')
		path.len--;
	return path;
}

void
uri_resolve(struct span base_text, struct span reference, struct buf *b)
{
	struct uri base = uri_split(base_text), u = uri_split(reference);
	struct span above = SPAN("");
	bool dots = true;
	size_t path;

	if (!u.scheme.p) {
		u.scheme = base.scheme;
		if (!u.authority.p) {
			u.authority = base.authority;
			if (u.path.len == 0) {
				u.path = base.path;
				if (!u.query.p)
					u.query = base.query;
				dots = false;
			} else if (u.path.p[0] != '/') {
				above = folder(&base);
			}
		}
	}
	if (u.scheme.p) {
		buf_span(b, u.scheme);
		buf_putc(b, ':');
	}
	if (u.authority.p) {
		buf_puts(b, "//");
		buf_span(b, u.authority);
	}
	path = b->len;
	buf_span(b, above);
	buf_span(b, u.path);
	if (dots && b->len > path)
		remove_dots(b, path);
	if (u.query.p) {
		buf_putc(b, '?');
		buf_span(b, u.query);
	}
	if (u.fragment.p) {
		buf_putc(b, '#');
		buf_span(b, u.fragment);
	}
}

int
uri_decode(struct span s, struct buf *b)
{
	while (s.len) {
		char c = *take(&s, 1).p;

		if (c == '%') {
			int high = s.len ? hex(s.p[0]) : -1;
			int low = s.len > 1 ? hex(s.p[1]) : -1;

			if (high < 0 || low < 0)
				return -1;
			c = (char)(high << 4 | low);
			take(&s, 2);
		}
		buf_putc(b, c);
	}
	return 0;
}

bool
uri_is_ipv4(struct span s)
{
	unsigned part, n;

	for (part = 0; part < 4; part++) {
		unsigned value = 0;

		if (part && (s.len == 0 || *take(&s, 1).p != '.'))
			return false;
		for (n = 0; s.len && digit(s.p[0]) && n < 4; n++)
			value = value * 10 + (unsigned)(*take(&s, 1).p - '0');
		/* dec-octet: no leading zero. */
		if (n == 0 || value > 255 || n != 1u + (value > 9) + (value > 99))
			return false;
	}
	return s.len == 0;
}

bool
uri_is_ipv6(struct span s)
{
	unsigned parts = 0, n;
	bool gap = false;

	if (starts(s, "::"))
		take(&s, 1); /* the colon that is left begins the gap */
	else if (starts(s, ":"))
		return false;
	while (s.len) {
		if (starts(s, ":")) {
			/* Behind a part's own colon, or at the start: a gap. */
			if (gap)
				return false;
			gap = true;
			take(&s, 1);
			continue;
		}
		if (uri_is_ipv4(s)) {
			parts += 2;
			break;
		}
		for (n = 0; s.len && hex(s.p[0]) >= 0; n++)
			take(&s, 1);
		if (n == 0 || n > 4 || (s.len && s.p[0] != ':') || s.len == 1)
			return false;
		parts++;
		if (s.len)
			take(&s, 1);
	}
	return gap ? parts < 8 : parts == 8;
}

/* Which characters beyond ASCII: none, RFC 3987's ucschar, also iprivate. */
enum beyond { NONE, UCS, PRIVATE };

static bool
international(uint32_t c, enum beyond beyond)
{
	if (beyond == NONE)
		return false;
	if (c >= 0xf0000 || (c >= 0xe000 && c < 0xf900))
		return beyond == PRIVATE && (c & 0xffff) < 0xfffe;
	if (c >= 0x10000)
		return (c & 0xffff) < 0xfffe && (c < 0xe0000 || c >= 0xe1000);
	return c >= 0xa0 && c < 0xfff0 && (c < 0xfdd0 || c > 0xfdef);
}

/* Only unreserved, sub-delims, %XX (2.1 to 2.3), `also` and `beyond`? */
static bool
made_of(struct span s, const char *also, enum beyond beyond)
{
	while (s.len) {
		char c = s.p[0];
		size_t n = 1;

		if (c == '%') {
			if (s.len < 3 || hex(s.p[1]) < 0 || hex(s.p[2]) < 0)
				return false;
			n = 3;
		} else if ((unsigned char)c >= 0x80) {
			n = utf8_len(s.p, s.len);
			if (n == 0 || !international(utf8_decode(s.p, n), beyond))
				return false;
		} else if (!letter(c) && !digit(c) &&
		    !one_of(c, "-._~!$&'()*+,;=") && !one_of(c, also)) {
			return false;
		}
		take(&s, n);
	}
	return true;
}

/* What is between the brackets of a host. */
static bool
is_ip_literal(struct span s)
{
	size_t n = 1;

	if (!starts(s, "v") && !starts(s, "V"))
		return uri_is_ipv6(s);
	while (n < s.len && hex(s.p[n]) >= 0)
		n++;
	if (n == 1 || n == s.len || s.p[n] != '.')
		return false;
	take(&s, n + 1);
	return s.len > 0 && made_of(s, ":", NONE) && before(s, "%") == s.len;
}

static bool
is_authority(struct span s, enum beyond ucs)
{
	size_t n = before(s, "@"), i;
	struct span host;

	if (n < s.len) {
		if (!made_of(take(&s, n), ":", ucs))
			return false;
		take(&s, 1);
	}
	if (starts(s, "[")) {
		n = before(s, "]");
		if (n == s.len)
			return false;
		host = take(&s, n + 1);
		if (!is_ip_literal((struct span){ host.p + 1, n - 1 }))
			return false;
	} else if (!made_of(take(&s, before(s, ":")), "", ucs)) {
		return false;
	}
	if (s.len && s.p[0] != ':')
		return false;
	for (i = 1; i < s.len; i++)
		if (!digit(s.p[i]))
			return false;
	return true;
}

static bool
is_right(struct span s, bool reference, bool iri)
{
	struct uri u = uri_split(s);
	enum beyond ucs = iri ? UCS : NONE;

	/* path-noscheme: its first segment holds no colon (4.2). */
	if (!u.scheme.p && (!reference ||
	    (!u.authority.p && before(u.path, ":") < before(u.path, "/"))))
		return false;
	return is_authority(u.authority, ucs) && made_of(u.path, ":@/", ucs) &&
	    made_of(u.query, ":@/?", iri ? PRIVATE : NONE) &&
	    made_of(u.fragment, ":@/?", ucs);
}

bool
uri_is_valid(struct span s)
{
	return is_right(s, false, false);
}

bool
uri_is_reference(struct span s)
{
	return is_right(s, true, false);
}

bool
iri_is_valid(struct span s)
{
	return is_right(s, false, true);
}

bool
iri_is_reference(struct span s)
{
	return is_right(s, true, true);
}

/* RFC 6570, 2.3 and 2.4: a variable's name, and ":" or "*" behind it. */
static bool
is_varspec(struct span s)
{
	struct span name = take(&s, before(s, ":*"));
	size_t i;

	for (i = 0; i < name.len; i++) {
		char c = name.p[i];

		if (c == '%' && name.len - i > 2 && hex(name.p[i + 1]) >= 0 &&
		    hex(name.p[i + 2]) >= 0)
			i += 2;
		else if (c == '.' ? i == 0 || i + 1 == name.len ||
		    name.p[i - 1] == '.' : !letter(c) && !digit(c) && c != '_')
			return false;
	}
	if (name.len == 0 || s.len == 0 || s.p[0] == '*')
		return name.len > 0 && s.len <= 1;
	for (i = 1; i < s.len && digit(s.p[i]); i++)
		continue;
	return i == s.len && i > 1 && i <= 5 && s.p[1] != '0';
}

bool
uri_is_template(struct span s)
{
	while (s.len) {
		struct span part = take(&s, before(s, "{"));
		size_t n = before(s, "}");

		/* What a reference is made of: 2.1, with erratum 6937. */
		if (!made_of(part, ":/?#[]@", PRIVATE))
			return false;
		if (s.len == 0)
			break;
		if (n == s.len)
			return false;
		part = take(&s, n);
		take(&part, 1);
		take(&s, 1);
		if (part.len && one_of(part.p[0], "+#./;?&=,!@|"))
			take(&part, 1);
		for (;; take(&part, 1)) {
			if (!is_varspec(take(&part, before(part, ","))))
				return false;
			if (part.len == 0)
				break;
		}
	}
	return true;
}
