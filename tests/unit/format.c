/*
 * Formats: texts that are of one, and texts that are not.
 */
#include "json/format.h"

#include <stdio.h>

#define LABEL61 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz012345678"
#define LABEL63 LABEL61 "9a"

static const struct {
	const char *format;
	bool good;
	struct span text;
} cases[] = {
#define GOOD(format, text) { format, true, SPAN(text) }
#define BAD(format, text) { format, false, SPAN(text) }
	GOOD("date", "2024-02-29"), BAD("date", "2023-02-29"),
	BAD("date", "2024-2-29"), BAD("date", "20240229"),
	BAD("date", "2024-02-29Z"), BAD("date", ""), BAD("date", "2024-00-01"),
	BAD("date", "2024-01-00"), BAD("date", "2024-01-1\xe0\xa7\xaa"),
	GOOD("time", "23:59:60Z"), GOOD("time", "00:29:60-23:30"),
	GOOD("time", "08:30:06.283185z"), GOOD("time", "08:30:06-00:00"),
	BAD("time", "23:58:60Z"), BAD("time", "23:59:60+01:00"),
	BAD("time", "23:59:61Z"), BAD("time", "12:00:00"),
	BAD("time", "12:00:00.Z"), BAD("time", "12:00:00Z\n"),
	BAD("time", "12:00:00+24:00"), BAD("time", "12:00:00+01"),
	BAD("time", "12:00:00,5Z"), BAD("time", "12:00Z"), BAD("time", ""),
	GOOD("date-time", "1998-12-31T15:59:60.123-08:00"),
	GOOD("date-time", "1963-06-19t08:30:06z"),
	BAD("date-time", "1963-06-19 08:30:06Z"),
	BAD("date-time", "1963-06-19T08:30:06"),
	BAD("date-time", "1963-06-19T"), BAD("date-time", "1963-06-19"),
	GOOD("duration", "P4DT12H30M5S"), GOOD("duration", "P1Y2M3D"),
	GOOD("duration", "PT0S"), GOOD("duration", "P1M"),
	GOOD("duration", "PT1M2S"), GOOD("duration", "P2W"),
	GOOD("duration", "P00000000000000000000000000000000000001D"),
	BAD("duration", "P"), BAD("duration", "PT"), BAD("duration", "P1YT"),
	BAD("duration", "P1"), BAD("duration", "P1Y2D"),
	BAD("duration", "PT1H2S"), BAD("duration", "P2D1Y"),
	BAD("duration", "P1Y1Y"), BAD("duration", "P1D2H"),
	BAD("duration", "PT1D"), BAD("duration", "P2S"),
	BAD("duration", "P1Y2W"), BAD("duration", "P1W2W"),
	BAD("duration", "P1WT1H"), BAD("duration", "P0.5D"),
	BAD("duration", "-P1D"), BAD("duration", "P1D\n"),
	BAD("duration", "P1\0"), BAD("duration", "P1D2T3H"),
	BAD("duration", ""), BAD("duration", "1D"),
	GOOD("email", "joe.bloggs@example.com"), GOOD("email", "~te~st~@io"),
	GOOD("email", "\"joe@ ..\\\"\"@example.com"), GOOD("email", "\"\"@a"),
	GOOD("email", "a@[127.0.0.1]"), GOOD("email", "a@[ipv6:::1]"),
	GOOD("email", "a@255.255.255.255"), BAD("email", "2962"),
	BAD("email", ""), BAD("email", "@a"), BAD("email", "a@"),
	BAD("email", ".a@b"), BAD("email", "a.@b"), BAD("email", "a..b@c"),
	BAD("email", "a@b@c"), BAD("email", "a b@c"), BAD("email", "a@b "),
	BAD("email", "\"a@b"), BAD("email", "\"a\"b@c"), BAD("email", "\"\\\"@b"),
	BAD("email", "\"\xc3\xa9\"@b"), BAD("email", "\xc3\xa9@b"),
	BAD("email", "a@\xc3\xa9"), BAD("email", "a@-b"), BAD("email", "a@b-.c"),
	BAD("email", "a@b..c"), BAD("email", "a@b."), BAD("email", "a@[]"),
	BAD("email", "a@[1.2.3]"), BAD("email", "a@[1.2.3.4"),
	BAD("email", "a@b[1.2.3.4]"), BAD("email", "a@[IPv6:1.2.3.4]"),
	BAD("email", "a@[::1]"), BAD("email", "a@b_c"), BAD("email", "a@b\0"),
	GOOD("hostname", "www.example.com"), GOOD("hostname", "1host"),
	GOOD("hostname", "a--b"), GOOD("hostname", "xn--4gbwdl.xn--wgbh1c"),
	GOOD("hostname", LABEL63 ".com"), BAD("hostname", LABEL63 "b.com"),
	GOOD("hostname", LABEL63 "." LABEL63 "." LABEL63 "." LABEL61),
	BAD("hostname", LABEL63 "." LABEL63 "." LABEL63 ".a" LABEL61),
	BAD("hostname", ""), BAD("hostname", "."), BAD("hostname", "a."),
	BAD("hostname", ".a"), BAD("hostname", "a..b"), BAD("hostname", "-a"),
	BAD("hostname", "a-"), BAD("hostname", "a.-b"), BAD("hostname", "a_b"),
	BAD("hostname", "\xc3\xa9"), BAD("hostname", "a\0b"),
	GOOD("ipv4", "192.168.0.1"), BAD("ipv4", "192.168.00.1"),
	BAD("ipv4", "1.2.3.4\0"), GOOD("ipv6", "1::d6:192.168.0.1"),
	BAD("ipv6", "1::d6::42"), BAD("ipv6", "::1\0"),
	GOOD("uri", "urn:a:b"), BAD("uri", "//a"), BAD("uri", "\xc3\xa9:a"),
	GOOD("uri-reference", "../a#b"), BAD("uri-reference", "a\\b"),
	GOOD("iri", "http://\xc3\xa9/?\xee\x80\x80"), BAD("iri", "/\xc3\xa9"),
	GOOD("iri-reference", "\xc3\xa9"), BAD("iri-reference", "#\xee\x80\x80"),
	GOOD("uri-template", "http://a/{b:1}/{+c,d*}{?e.f,%41}'"),
	GOOD("uri-template", ""), GOOD("uri-template", "\xee\x80\x80%41"),
	GOOD("uri-template", "{a:9999}"), BAD("uri-template", "{"),
	BAD("uri-template", "}"), BAD("uri-template", "{}"),
	BAD("uri-template", "{+}"), BAD("uri-template", "{a,}"),
	BAD("uri-template", "{a,,b}"), BAD("uri-template", "{,+a}"),
	BAD("uri-template", "{a..b}"), BAD("uri-template", "{a.}"),
	BAD("uri-template", "{.a.}"), BAD("uri-template", "{a:0}"),
	BAD("uri-template", "{a:10000}"), BAD("uri-template", "{a:}"),
	BAD("uri-template", "{a:1*}"), BAD("uri-template", "{a**}"),
	BAD("uri-template", "{a=b}"), BAD("uri-template", "{%4}"),
	BAD("uri-template", "{a{b}}"), BAD("uri-template", "a b"),
	BAD("uri-template", "%4"), BAD("uri-template", "a\"b"),
	BAD("uri-template", "{:1}"), BAD("uri-template", "{\xc3\xa9}"),
	GOOD("uuid", "2eb8aa08-AA98-11ea-B4Aa-73B441D16380"),
	BAD("uuid", "2eb8aa08-aa98-11ea-b4ga-73b441d16380"),
	BAD("uuid", "2eb8aa08-aa98-11ea-b4aa-73b441d1638"),
	BAD("uuid", "2eb8-aa08-aa98-11ea-b4aa73b44-1d16380"),
	BAD("uuid", ""), GOOD("json-pointer", ""), GOOD("json-pointer", "/"),
	GOOD("json-pointer", "/~0~1/%a/\0"), BAD("json-pointer", "a"),
	BAD("json-pointer", "/~"), BAD("json-pointer", "/~2"),
	BAD("json-pointer", "#/"), GOOD("relative-json-pointer", "0"),
	GOOD("relative-json-pointer", "120/a"), GOOD("relative-json-pointer",
	    "0-1#"), GOOD("relative-json-pointer", "1+0/a~0"),
	BAD("relative-json-pointer", ""), BAD("relative-json-pointer", "/a"),
	BAD("relative-json-pointer", "01"), BAD("relative-json-pointer", "0+"),
	BAD("relative-json-pointer", "0-01"), BAD("relative-json-pointer", "0##"),
	BAD("relative-json-pointer", "1#/a"), BAD("relative-json-pointer", "1a"),
	BAD("relative-json-pointer", "-1"), BAD("relative-json-pointer", "0/~"),
	GOOD("regex", "(?<=a+)b"), GOOD("regex", "(?i:a)"), GOOD("regex", ""),
	BAD("regex", "^(abc]"), BAD("regex", "\\a"), BAD("regex", "*a"),
};

int
main(void)
{
	size_t i, n = sizeof(cases) / sizeof(cases[0]), n_bad = 0;
	bool right;

	printf("1..%zu\n", n + 1);
	for (i = 0; i < n; i++) {
		const struct format *f = format_find(span_of(cases[i].format));

		right = f && format_check(f, cases[i].text) == cases[i].good;
		n_bad += !right;
		printf("%s %zu format: %s %s\n", right ? "ok" : "not ok", i + 1,
		    cases[i].format, cases[i].text.p);
	}
	right = !format_find(SPAN("idn-hostname")) && !format_find(SPAN("")) &&
	    !format_find(SPAN("dat")) && !format_find(SPAN("Date"));
	n_bad += !right;
	printf("%s %zu format: unknown names\n", right ? "ok" : "not ok",
	    n + 1);
	return n_bad > 0;
}
