/*
 * URLs of webhooks. Two readers of one text: the href that records show is
 * what Node's legacy parser made of it, the one dialled what a WHATWG parser
 * makes of that href. A host is checked once, when the href is made.
 */
#include "net/url.h"

#include <arpa/inet.h>
#include <idn2.h>

#include "base/num.h"
#include "base/utf8.h"

enum { MAX_HOST_BYTES = 255 }; /* RFC 1035 2.3.4, and the legacy parser */

/* Bytes of the JS white space character at p; 0: something else. */
static size_t
blank_len(const char *p, size_t n)
{
	unsigned char c = (unsigned char)p[0];

	if (c == ' ' || (c >= '\t' && c <= '\r' && c != '\v'))
		return 1;
	if (n >= 2 && memcmp(p, "\xc2\xa0", 2) == 0)
		return 2;
	if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		return 3;
	return 0;
}

/* The same for the one that ends at p + n. */
static size_t
last_blank_len(const char *p, size_t n)
{
	size_t i;

	for (i = 1; i <= 3 && i <= n; i++)
		if (blank_len(p + n - i, i) == i)
			return i;
	return 0;
}

struct span
url_trim(struct span s)
{
	size_t n;

	while (s.len && (n = blank_len(s.p, s.len)) != 0) {
		s.p += n;
		s.len -= n;
	}
	while ((n = last_blank_len(s.p, s.len)) != 0)
		s.len -= n;
	return s;
}

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

/* Take `scheme:` off *s: 0, 1 for https, or -1 with the reason. */
static int
take_scheme(struct span *s, struct error *e)
{
	size_t n = 0;
	int https;

	if (s->len == 0)
		return error_set(e, "url: empty");
	while (n < s->len && (letter(s->p[n]) || digit(s->p[n]) ||
	    strchr(".+-", s->p[n])) && s->p[n])
		n++;
	if (n == 0 || n == s->len || s->p[n] != ':')
		return error_set(e, "url: not absolute (http://HOST/...)");
	if (n == 4 && strncasecmp(s->p, "http", 4) == 0)
		https = 0;
	else if (n == 5 && strncasecmp(s->p, "https", 5) == 0)
		https = 1;
	else
		return error_set(e, "url: scheme is not http or https");
	s->p += n + 1;
	s->len -= n + 1;
	return https;
}

/* The bytes of s before the first of stops. */
static struct span
before(struct span s, const char *stops)
{
	size_t i;

	for (i = 0; i < s.len && (!s.p[i] || !strchr(stops, s.p[i])); i++)
		continue;
	return (struct span){ s.p, i };
}

static struct span
behind(struct span whole, struct span head)
{
	size_t at = (size_t)(head.p - whole.p) + head.len;

	return (struct span){ whole.p + at, whole.len - at };
}

/* As the legacy parser: '\' is '/' up to the query; no fragment. */
static void
add_slashed(struct buf *b, struct span s)
{
	size_t query = before(s, "?").len, i;

	s = before(s, "#");
	for (i = 0; i < s.len; i++)
		buf_putc(b, s.p[i] == '\\' && i < query ? '/' : s.p[i]);
}

static void
add_percent(struct buf *b, char c)
{
	static const char hex[] = "0123456789ABCDEF";
	unsigned char u = (unsigned char)c;

	buf_putc(b, '%');
	buf_putc(b, hex[u >> 4]);
	buf_putc(b, hex[u & 15]);
}

/* The characters that the legacy parser escapes. */
static void
add_escaped(struct buf *b, struct span s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (s.p[i] && strchr("\t\n\r \"'<>\\^`{|}", s.p[i]))
			add_percent(b, s.p[i]);
		else
			buf_putc(b, s.p[i]);
}

static int
add_ipv6(struct buf *b, struct span host, struct error *e)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr addr;
	size_t i;

	if (host.len - 2 >= sizeof(text))
		return error_set(e, "url: bad IPv6 address");
	memcpy(text, host.p + 1, host.len - 2);
	text[host.len - 2] = '\0';
	if (memchr(text, 0, host.len - 2) || inet_pton(AF_INET6, text, &addr) != 1)
		return error_set(e, "url: bad IPv6 address");
	for (i = 0; i < host.len; i++)
		buf_putc(b, letter(host.p[i]) ? (char)(host.p[i] | 32) : host.p[i]);
	return 0;
}

static int
check_name(struct span host, struct error *e)
{
	size_t i;

	if (host.len == 0)
		return error_set(e, "url: host is empty");
	if (host.len > MAX_HOST_BYTES)
		return error_set(e, "url: host is longer than %d bytes",
		    MAX_HOST_BYTES);
	for (i = 0; i < host.len; i++)
		if (!letter(host.p[i]) && !digit(host.p[i]) &&
		    (!host.p[i] || !strchr("-_.", host.p[i])))
			return error_set(e, "url: host has a character that "
			    "is not a letter, digit, '-', '_' or '.'");
	return 0;
}

/* One number of an IPv4 address: decimal, 0 octal, 0x hexadecimal. 0 or -1. */
static int
ipv4_number(struct span s, uint64_t *n)
{
	unsigned base = 10;
	size_t i = 0;

	if (s.len == 0)
		return -1;
	if (s.len >= 2 && s.p[0] == '0') {
		base = (s.p[1] | 32) == 'x' ? 16 : 8;
		i = base == 16 ? 2 : 1;
	}
	for (*n = 0; i < s.len; i++) {
		char c = (char)(s.p[i] | 32);
		unsigned d = digit(s.p[i]) ? (unsigned)(c - '0') :
		    c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;

		if (d >= base)
			return -1;
		if (*n <= UINT32_MAX) /* more is too much, however much */
			*n = *n * base + d;
	}
	return 0;
}

/* Where the last label starts; a dot at the end ends no further one. */
static struct span
last_label(struct span *host)
{
	size_t at;

	if (host->len && host->p[host->len - 1] == '.')
		host->len--;
	for (at = host->len; at > 0 && host->p[at - 1] != '.'; at--)
		continue;
	return (struct span){ host->p + at, host->len - at };
}

/* WHATWG's "ends in a number": an IPv4 address, or nothing. */
static bool
is_numeric(struct span host)
{
	struct span last = last_label(&host);
	uint64_t n;
	size_t i;

	for (i = 0; i < last.len && digit(last.p[i]); i++)
		continue;
	return last.len && (i == last.len || ipv4_number(last, &n) == 0);
}

/* WHATWG's IPv4 parser: 127.1, 0x7f000001 and 2130706433 are 127.0.0.1. */
static int
read_ipv4(struct span host, uint32_t *address, struct error *e)
{
	uint64_t n = 0, limit = (uint64_t)UINT32_MAX + 1;
	int parts = 0;

	(void)last_label(&host);
	*address = 0;
	for (;;) {
		struct span part = before(host, ".");
		bool last = part.len == host.len;

		if (++parts > 4 || ipv4_number(part, &n) != 0 ||
		    n >= (last ? limit : 256))
			return error_set(e, "url: host ends in a number, but "
			    "is no IPv4 address");
		if (last)
			break;
		limit /= 256;
		*address |= (uint32_t)n << (32 - 8 * parts);
		host.p += part.len + 1;
		host.len -= part.len + 1;
	}
	*address |= (uint32_t)n;
	return 0;
}

/* A checked host name or IPv4 address; the latter in four numbers if asked. */
static int
add_name(struct buf *b, struct span host, bool dotted, struct error *e)
{
	uint32_t a;
	size_t i;

	if (check_name(host, e) != 0)
		return -1;
	if (is_numeric(host)) {
		if (read_ipv4(host, &a, e) != 0)
			return -1;
		if (dotted) {
			buf_printf(b, "%u.%u.%u.%u", a >> 24, a >> 16 & 255,
			    a >> 8 & 255, a & 255);
			return 0;
		}
	}
	for (i = 0; i < host.len; i++)
		buf_putc(b, letter(host.p[i]) ? (char)(host.p[i] | 32) : host.p[i]);
	return 0;
}

/* A name with characters beyond ASCII, by UTS 46 (as browsers do). */
static int
add_idn(struct buf *b, struct span host, bool dotted, struct error *e)
{
	struct buf name = { 0 };
	char *ascii = NULL;
	int r = -1;

	/* A NUL would cut the name short. */
	if (memchr(host.p, 0, host.len) || !utf8_valid(host)) {
		error_set(e, "url: host has a character that is not allowed");
		goto out;
	}
	buf_span(&name, host);
	if (idn2_to_ascii_8z(buf_str(&name), &ascii, IDN2_NONTRANSITIONAL |
	    IDN2_NFC_INPUT) != IDN2_OK) {
		error_set(e, "url: host is not a valid international name");
		goto out;
	}
	r = add_name(b, span_of(ascii), dotted, e);
out:
	idn2_free(ascii);
	buf_clear(&name);
	return r;
}

static int
add_host(struct buf *b, struct span host, bool dotted, struct error *e)
{
	size_t i;

	if (host.len > 2 && host.p[0] == '[' && host.p[host.len - 1] == ']')
		return add_ipv6(b, host, e);
	for (i = 0; i < host.len; i++)
		if ((unsigned char)host.p[i] >= 0x80)
			return add_idn(b, host, dotted, e);
	return add_name(b, host, dotted, e);
}

/* Split off `:port` behind the host, with its colon; empty if there is none. */
static struct span
take_port(struct span *host)
{
	size_t i = host->len;
	struct span port;

	while (i > 0 && host->p[i - 1] != ':' && host->p[i - 1] != ']')
		i--;
	if (i == 0 || host->p[i - 1] == ']')
		i = host->len;
	else
		i--;
	port = (struct span){ host->p + i, host->len - i };
	host->len = i;
	return port;
}

/*
 * Check host and port and add them: both as written (default_port 0), or
 * numbers as numbers and the port only where it is not the default one.
 */
static int
add_authority(struct buf *b, struct span host, uint64_t default_port,
    struct error *e)
{
	struct span port = take_port(&host), digits = { port.p + 1, port.len - 1 };
	uint64_t n;

	if (memchr(host.p, '@', host.len) || memchr(port.p, '@', port.len))
		return error_set(e, "url: has a user name or password");
	if (add_host(b, host, default_port != 0, e) != 0)
		return -1;
	if (port.len <= 1)
		return 0;
	if (num_u64(digits, 1, 65535, &n) != 0)
		return error_set(e, "url: port is not a number from 1 to 65535");
	if (default_port == 0)
		buf_span(b, port);
	else if (n != default_port)
		buf_printf(b, ":%u", (unsigned)n);
	return 0;
}

/* Where the host starts in what follows the scheme, for a WHATWG parser. */
static struct span
skip_slashes(struct span s)
{
	while (s.len && s.p[0] == '/') {
		s.p++;
		s.len--;
	}
	return s;
}

/* `http:host/x` and `http:/host/x`: all is path to the legacy parser. */
static int
add_slashless(struct buf *href, struct span rest, struct error *e)
{
	struct buf host = { 0 };
	int r = add_authority(&host, before(skip_slashes(rest), "/?"), 0, e);

	buf_clear(&host);
	add_escaped(href, rest);
	return r;
}

static int
add_slashed_host(struct buf *href, struct span rest, struct error *e)
{
	struct span host = before((struct span){ rest.p + 2, rest.len - 2 }, "/?");
	struct span path = behind(rest, host);

	buf_puts(href, "//");
	if (add_authority(href, host, 0, e) != 0)
		return -1;
	if (path.len == 0 || path.p[0] != '/')
		buf_putc(href, '/');
	add_escaped(href, path);
	return 0;
}

int
url_normalise(struct span text, struct buf *href, struct error *e)
{
	struct buf slashed = { 0 };
	struct span rest = url_trim(text);
	int https = take_scheme(&rest, e), r;

	if (https < 0)
		return -1;
	add_slashed(&slashed, rest);
	rest = buf_bytes(&slashed);
	buf_puts(href, https ? "https:" : "http:");
	if (rest.len >= 2 && memcmp(rest.p, "//", 2) == 0)
		r = add_slashed_host(href, rest, e);
	else
		r = add_slashless(href, rest, e);
	buf_clear(&slashed);
	return r;
}

/* 1 for ".", 2 for "..", spelt with %2e or not; 0 for any other segment. */
static int
dots(struct span segment)
{
	int n = 0;

	while (segment.len) {
		size_t used = segment.p[0] == '.' ? 1 : segment.len >= 3 &&
		    strncasecmp(segment.p, "%2e", 3) == 0 ? 3 : 0;

		if (used == 0 || ++n > 2)
			return 0;
		segment.p += used;
		segment.len -= used;
	}
	return n;
}

static void
add_printable(struct buf *b, struct span s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7f)
			add_percent(b, s.p[i]);
		else
			buf_putc(b, s.p[i]);
}

/* The path without its dot segments; b ends at the host, at root. */
static void
add_path(struct buf *b, struct span path)
{
	size_t root = b->len;

	do {
		struct span segment;
		bool last;

		path.p++;
		path.len--;
		segment = before(path, "/");
		path = behind(path, segment);
		last = path.len == 0;
		switch (dots(segment)) {
		case 2:
			while (b->len > root && b->p[--b->len] != '/')
				continue;
			/* FALLTHROUGH */
		case 1:
			if (last)
				buf_putc(b, '/');
			break;
		default:
			buf_putc(b, '/');
			add_printable(b, segment);
		}
	} while (path.len);
}

void
url_dial(struct span href, struct buf *dial)
{
	struct error unused;
	int https = take_scheme(&href, &unused);
	struct span host = before(skip_slashes(href), "/?");
	struct span rest = behind(href, host), path = before(rest, "?");

	buf_puts(dial, https == 1 ? "https://" : "http://");
	(void)add_authority(dial, host, https == 1 ? 443 : 80, &unused);
	if (path.len)
		add_path(dial, path);
	else
		buf_putc(dial, '/');
	add_printable(dial, behind(rest, path));
}

struct span
url_without_query(struct span href)
{
	return before(href, "?");
}
