/*
 * Formats: each a predicate, by the grammar of the standard that the
 * specification names, no looser and no stricter.
 */
#include "json/format.h"

#include "base/clock.h"
#include "json/regex.h"
#include "json/uri.h"

/* RFC 1035, 2.3.4: a host's name as text, and one label of it. */
enum { MAX_HOST_BYTES = 253, MAX_LABEL_BYTES = 63 };

struct format {
	const char *name;
	bool (*check)(struct span);
};

static bool
digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
letter_or_digit(char c)
{
	return digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
hex(char c)
{
	return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* The byte at i; NUL at the end, as no grammar here has one. */
static char
at(struct span s, size_t i)
{
	return i < s.len ? s.p[i] : '\0';
}

static bool
one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

static size_t
digits(struct span s, size_t i)
{
	size_t n = 0;

	while (digit(at(s, i + n)))
		n++;
	return n;
}

/*
 * Where numbers with these units, one after the other, end: from i on, beginning
 * with any of them, none left out in between.
 */
static size_t
units_end(struct span s, size_t i, const char *units)
{
	const char *unit = NULL;
	size_t n;

	while ((n = digits(s, i)) > 0 && i + n < s.len) {
		char c = s.p[i + n];

		if (!unit && one_of(c, units))
			unit = strchr(units, c);
		if (!unit || !c || *unit++ != c)
			break;
		i += n + 1;
	}
	return i;
}

/* RFC 3339, appendix A. */
static bool
is_duration(struct span s)
{
	size_t start = 1, end;

	if (at(s, 0) != 'P')
		return false;
	end = units_end(s, start, "W");
	if (end == start) {
		end = units_end(s, start, "YMD");
		if (at(s, end) == 'T') {
			start = end + 1;
			end = units_end(s, start, "HMS");
		}
	}
	return end > start && end == s.len;
}

/* RFC 1123, 2.1. */
static bool
is_hostname(struct span s)
{
	size_t i, start = 0;

	if (s.len > MAX_HOST_BYTES)
		return false;
	for (i = 0; i <= s.len; i++) {
		if (i < s.len && s.p[i] != '.') {
			if (!letter_or_digit(s.p[i]) && s.p[i] != '-')
				return false;
			continue;
		}
		if (i == start || i - start > MAX_LABEL_BYTES ||
		    s.p[start] == '-' || s.p[i - 1] == '-')
			return false;
		start = i + 1;
	}
	return true;
}

/* Quoted-string of RFC 5321, 4.1.2: its length at the start of s, or 0. */
static size_t
quoted_len(struct span s)
{
	size_t i;

	for (i = 1; at(s, i) >= ' ' && at(s, i) <= '~'; i++) {
		if (s.p[i] == '"')
			return i + 1;
		if (s.p[i] == '\\' &&
		    (at(s, ++i) < ' ' || at(s, i) > '~'))
			return 0;
	}
	return 0;
}

/* Dot-string, likewise. */
static size_t
dotted_len(struct span s)
{
	size_t i;

	for (i = 0; i < s.len; i++) {
		if (letter_or_digit(s.p[i]) ||
		    one_of(s.p[i], "!#$%&'*+-/=?^_`{|}~"))
			continue;
		if (s.p[i] != '.' || i == 0 || s.p[i - 1] == '.')
			break;
	}
	return i && s.p[i - 1] != '.' ? i : 0;
}

/* What is between the brackets of an address-literal. */
static bool
is_address(struct span s)
{
	if (s.len > 5 && strncasecmp(s.p, "IPv6:", 5) == 0)
		return uri_is_ipv6((struct span){ s.p + 5, s.len - 5 });
	return uri_is_ipv4(s);
}

/* RFC 5321, 4.1.2: Mailbox. */
static bool
is_email(struct span s)
{
	size_t n = at(s, 0) == '"' ? quoted_len(s) : dotted_len(s);
	struct span domain;

	if (n == 0 || at(s, n) != '@')
		return false;
	domain = (struct span){ s.p + n + 1, s.len - n - 1 };
	if (at(domain, 0) == '[' && s.p[s.len - 1] == ']')
		return is_address((struct span){ domain.p + 1,
			domain.len - 2 });
	return is_hostname(domain);
}

/* RFC 4122, 3. */
static bool
is_uuid(struct span s)
{
	size_t i;

	if (s.len != 36)
		return false;
	for (i = 0; i < s.len; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ?
		    s.p[i] != '-' : !hex(s.p[i]))
			return false;
	return true;
}

/* RFC 6901, 3. */
static bool
is_pointer(struct span s)
{
	size_t i;

	if (s.len && s.p[0] != '/')
		return false;
	for (i = 0; i < s.len; i++)
		if (s.p[i] == '~' && !one_of(at(s, i + 1), "01"))
			return false;
	return true;
}

/* Digits without a leading zero: how many; 0: there are none. */
static size_t
integer_len(struct span s, size_t i)
{
	size_t n = digits(s, i);

	return at(s, i) == '0' && n > 1 ? 0 : n;
}

/* draft-bhutton-relative-json-pointer-00, 3. */
static bool
is_relative_pointer(struct span s)
{
	size_t i = integer_len(s, 0), n;

	if (i == 0)
		return false;
	if (one_of(at(s, i), "+-")) {
		n = integer_len(s, i + 1);
		if (n == 0)
			return false;
		i += n + 1;
	}
	if (at(s, i) == '#')
		return i + 1 == s.len;
	return is_pointer((struct span){ s.p + i, s.len - i });
}

static const struct format formats[] = {
	{ "date", clock_is_date },
	{ "date-time", clock_is_rfc3339 },
	{ "duration", is_duration },
	{ "email", is_email },
	{ "hostname", is_hostname },
	{ "ipv4", uri_is_ipv4 },
	{ "ipv6", uri_is_ipv6 },
	{ "iri", iri_is_valid },
	{ "iri-reference", iri_is_reference },
	{ "json-pointer", is_pointer },
	{ "regex", regex_is_valid },
	{ "relative-json-pointer", is_relative_pointer },
	{ "time", clock_is_time },
	{ "uri", uri_is_valid },
	{ "uri-reference", uri_is_reference },
	{ "uri-template", uri_is_template },
	{ "uuid", is_uuid },
};

const struct format *
format_find(struct span name)
{
	size_t i;

	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (span_eq(name, span_of(formats[i].name)))
			return &formats[i];
	return NULL;
}

bool
format_check(const struct format *f, struct span text)
{
	return f->check(text);
}
