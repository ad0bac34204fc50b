/*
 * URI references: RFC 3986's own examples and what JSON Schema needs beyond.
 */
#include "json/uri.h"

#define RFC "http://a/b/c/d;p?q" /* 5.4 */
#define URN "urn:uuid:deadbeef-1234-0000-0000-4321feebdaed"

static const struct {
	const char *base, *reference, *want;
} resolved[] = {
	/* 5.4.1 */
	{ RFC, "g:h", "g:h" },
	{ RFC, "g", "http://a/b/c/g" },
	{ RFC, "./g", "http://a/b/c/g" },
	{ RFC, "g/", "http://a/b/c/g/" },
	{ RFC, "/g", "http://a/g" },
	{ RFC, "//g", "http://g" },
	{ RFC, "?y", "http://a/b/c/d;p?y" },
	{ RFC, "g?y", "http://a/b/c/g?y" },
	{ RFC, "#s", "http://a/b/c/d;p?q#s" },
	{ RFC, "g#s", "http://a/b/c/g#s" },
	{ RFC, "g?y#s", "http://a/b/c/g?y#s" },
	{ RFC, ";x", "http://a/b/c/;x" },
	{ RFC, "g;x", "http://a/b/c/g;x" },
	{ RFC, "g;x?y#s", "http://a/b/c/g;x?y#s" },
	{ RFC, "", "http://a/b/c/d;p?q" },
	{ RFC, ".", "http://a/b/c/" },
	{ RFC, "./", "http://a/b/c/" },
	{ RFC, "..", "http://a/b/" },
	{ RFC, "../", "http://a/b/" },
	{ RFC, "../g", "http://a/b/g" },
	{ RFC, "../..", "http://a/" },
	{ RFC, "../../", "http://a/" },
	{ RFC, "../../g", "http://a/g" },
	/* 5.4.2 */
	{ RFC, "../../../g", "http://a/g" },
	{ RFC, "../../../../g", "http://a/g" },
	{ RFC, "/./g", "http://a/g" },
	{ RFC, "/../g", "http://a/g" },
	{ RFC, "g.", "http://a/b/c/g." },
	{ RFC, ".g", "http://a/b/c/.g" },
	{ RFC, "g..", "http://a/b/c/g.." },
	{ RFC, "..g", "http://a/b/c/..g" },
	{ RFC, "./../g", "http://a/b/g" },
	{ RFC, "./g/.", "http://a/b/c/g/" },
	{ RFC, "g/./h", "http://a/b/c/g/h" },
	{ RFC, "g/../h", "http://a/b/c/h" },
	{ RFC, "g;x=1/./y", "http://a/b/c/g;x=1/y" },
	{ RFC, "g;x=1/../y", "http://a/b/c/y" },
	{ RFC, "g?y/./x", "http://a/b/c/g?y/./x" },
	{ RFC, "g?y/../x", "http://a/b/c/g?y/../x" },
	{ RFC, "g#s/./x", "http://a/b/c/g#s/./x" },
	{ RFC, "g#s/../x", "http://a/b/c/g#s/../x" },
	{ RFC, "http:g", "http:g" },
	/* No slash in the base's path, and no base. */
	{ URN, "#/$defs/a", URN "#/$defs/a" },
	{ URN "#old", "", URN },
	{ "urn:example:a", "b", "urn:b" },
	{ "urn:example:a?=q", "#f", "urn:example:a?=q#f" },
	{ "tag:a,2026:x/y", "z", "tag:a,2026:x/z" },
	{ "http://a", "b", "http://a/b" },
	{ "http://a", "../b", "http://a/b" },
	{ "http://a?q", "#f", "http://a?q#f" },
	{ "http://a/b/", "c//d/../e", "http://a/b/c//e" },
	{ "", "a/../b#", "/b#" },
	{ "", "#", "#" },
	{ "", "", "" },
	{ "", "..", "" },
	{ "dir/a.json", "b.json#c", "dir/b.json#c" },
	{ "/dir/a.json", "../b.json", "/b.json" },
	{ "http://a/b", "//", "http://" },
	{ "http://a/b", "?", "http://a/b?" },
};

enum { URIS = 1, REFERENCE = 2, IRI = 4, IRI_REFERENCE = 8 };
#define ALL (URIS | REFERENCE | IRI | IRI_REFERENCE)
#define RELATIVE (REFERENCE | IRI_REFERENCE)
#define BEYOND (IRI | IRI_REFERENCE)

static const struct {
	const char *text;
	unsigned forms;
} checked[] = {
	/* RFC 3986, 1.1.2 */
	{ "ftp://ftp.is.co.za/rfc/rfc1808.txt", ALL },
	{ "http://www.ietf.org/rfc/rfc2396.txt", ALL },
	{ "ldap://[2001:db8::7]/c=GB?objectClass?one", ALL },
	{ "mailto:John.Doe@example.com", ALL },
	{ "news:comp.infosystems.www.servers.unix", ALL },
	{ "tel:+1-816-555-1212", ALL },
	{ "telnet://192.0.2.16:80/", ALL },
	{ "urn:oasis:names:specification:docbook:dtd:xml:4.1.2", ALL },
	{ "a:", ALL },
	{ "a+b-c.d:/", ALL },
	{ "http://", ALL },
	{ "http://u:p;x@h:/%41?/?#/?", ALL },
	{ "http://[v7.a:b]:80", ALL },
	{ "", RELATIVE },
	{ "#", RELATIVE },
	{ "?", RELATIVE },
	{ "a/b:c", RELATIVE },
	{ "./b:c", RELATIVE },
	{ "//h:1/b:c", RELATIVE },
	{ "1:2", 0 },
	{ ":a", 0 },
	{ "a b:c", 0 },
	{ "http://h:1x/", 0 },
	{ "http://h:1:2/", 0 },
	{ "http://a@b@c/", 0 },
	{ "http://[::1", 0 },
	{ "http://[::1]x", 0 },
	{ "http://[1.2.3.4]/", 0 },
	{ "http://[v.a]", 0 },
	{ "http://[vg.a]", 0 },
	{ "http://[v1.]", 0 },
	{ "http://[v1.%41]", 0 },
	{ "http://[::1%25eth0]/", 0 },
	{ "http://h[::1]/", 0 },
	{ "http://h/[a]", 0 },
	{ "a#b#c", 0 },
	{ "%", 0 },
	{ "%4", 0 },
	{ "%4g", 0 },
	{ "a b", 0 },
	{ "a\\b", 0 },
	{ "\"<>^`{|}", 0 },
	{ "a\x7f", 0 },
	{ "http://\xc3\xa9.example/\xf0\x9f\x98\x80#\xc2\xa0", BEYOND },
	{ "a?\xee\x80\x80", IRI_REFERENCE },
	{ "a?\xf4\x80\x80\x80", IRI_REFERENCE },
	{ "a#\xee\x80\x80", 0 },
	{ "a/\xc2\x80", 0 },
	{ "a/\xef\xbf\xbe", 0 },
	{ "a/\xef\xb7\x90", 0 },
	{ "a/\xf0\x9f\xbf\xbf", 0 },
	{ "a/\xf3\xa0\x80\x80", 0 },
	{ "a/\xff", 0 },
};

static const struct {
	const char *text;
	int family; /* 4, 6 or 0 */
} addresses[] = {
	{ "0.0.0.0", 4 }, { "255.249.199.99", 4 }, { "1.2.3", 0 },
	{ "1.2.3.4.", 0 }, { "1.2.3.4.5", 0 }, { "1.2.3.256", 0 },
	{ "1.2.3.04", 0 }, { "1.2.3.00", 0 }, { "1..3.4", 0 }, { "", 0 },
	{ "1.2.3.4 ", 0 }, { "1.2.3.99999999999999999999", 0 },
	{ "::", 6 }, { "::1", 6 }, { "1::", 6 }, { "1:2:3:4:5:6:7:8", 6 },
	{ "1:2:3:4:5:6:7::", 6 }, { "::2:3:4:5:6:7:8", 6 },
	{ "1:2:3:4::5:6:7:8", 0 }, { "1:2:3:4:5:6:7", 0 },
	{ "1:2:3:4:5:6:7:8:9", 0 }, { "1::2::3", 0 }, { ":::", 0 },
	{ "1:::2", 0 }, { ":", 0 }, { ":1", 0 }, { "1:", 0 }, { "1:2:", 0 },
	{ ":1::", 0 }, { "::1:", 0 }, { "12345::", 0 }, { "g::", 0 },
	{ "FFFF::abcd", 6 }, { "::1.2.3.4", 6 }, { "1:2:3:4:5:6:1.2.3.4", 6 },
	{ "1:2:3:4:5:6:7:1.2.3.4", 0 }, { "1::1.2.3.4:5", 0 },
	{ "::1.2.3.256", 0 }, { "::1.2.3", 0 }, { "::1%eth0", 0 },
	{ "::1/64", 0 },
};

static const struct {
	const char *text, *want; /* NULL: refused */
} decoded[] = {
	{ "", "" }, { "/a%25b%22c", "/a%b\"c" }, { "%C3%a9", "\xc3\xa9" },
	{ "%", NULL }, { "%2", NULL }, { "a%2x", NULL }, { "%x2", NULL },
};

static size_t n_tests, n_bad;

static void
say(bool right, const char *what, const char *text)
{
	n_bad += !right;
	printf("%s %zu uri: %s: %s\n", right ? "ok" : "not ok", ++n_tests,
	    what, text);
}

static unsigned
forms(struct span s)
{
	return (uri_is_valid(s) ? URIS : 0u) |
	    (uri_is_reference(s) ? REFERENCE : 0u) |
	    (iri_is_valid(s) ? IRI : 0u) |
	    (iri_is_reference(s) ? IRI_REFERENCE : 0u);
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

int
main(void)
{
	struct buf out = { 0 };
	struct uri u = uri_split(SPAN("//h?#"));
	size_t i;

	printf("1..%zu\n", COUNT(resolved) + COUNT(checked) +
	    COUNT(addresses) + COUNT(decoded) + 1);
	for (i = 0; i < COUNT(resolved); i++) {
		out.len = 0;
		uri_resolve(span_of(resolved[i].base),
		    span_of(resolved[i].reference), &out);
		say(span_eq(buf_bytes(&out), span_of(resolved[i].want)),
		    "resolve", resolved[i].reference);
	}
	for (i = 0; i < COUNT(checked); i++)
		say(forms(span_of(checked[i].text)) == checked[i].forms,
		    "check", checked[i].text);
	for (i = 0; i < COUNT(addresses); i++) {
		struct span s = span_of(addresses[i].text);

		say(uri_is_ipv4(s) == (addresses[i].family == 4) &&
		    uri_is_ipv6(s) == (addresses[i].family == 6), "address",
		    addresses[i].text);
	}
	for (i = 0; i < COUNT(decoded); i++) {
		const char *want = decoded[i].want;
		int code;

		out.len = 0;
		code = uri_decode(span_of(decoded[i].text), &out);
		say(want ? code == 0 && span_eq(buf_bytes(&out), span_of(want)) :
		    code == -1, "decode", decoded[i].text);
	}
	say(!u.scheme.p && u.authority.len == 1 && u.path.p && !u.path.len &&
	    u.query.p && !u.query.len && u.fragment.p && !u.fragment.len,
	    "split", "empty is not absent");
	buf_clear(&out);
	return n_bad > 0;
}
