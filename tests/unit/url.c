/*
 * URLs: text -> href and what is dialled, or the reason of the refusal.
 */
#include "net/url.h"

#define LONG64 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl"

static const struct {
	const char *text, *href, *dial;
} good[] = {
	{ "http://a.example", "http://a.example/", "http://a.example/" },
	{ "http://a.example/", "http://a.example/", "http://a.example/" },
	{ "HTTP://A.Example:80/P", "http://a.example:80/P",
	    "http://a.example/P" },
	{ "https://a.example:443", "https://a.example:443/",
	    "https://a.example/" },
	{ "https://a.example:80/", "https://a.example:80/",
	    "https://a.example:80/" },
	{ "http://a.example:443/", "http://a.example:443/",
	    "http://a.example:443/" },
	{ "http://a.example:08080/", "http://a.example:08080/",
	    "http://a.example:8080/" },
	{ "http://a.example:/x", "http://a.example/x", "http://a.example/x" },
	{ "http://a.example:", "http://a.example/", "http://a.example/" },
	{ "http://a.example?q=1#f", "http://a.example/?q=1",
	    "http://a.example/?q=1" },
	{ "http://a.example#f", "http://a.example/", "http://a.example/" },
	{ "http://a.example/x#f?q", "http://a.example/x",
	    "http://a.example/x" },
	{ "http://a.example?", "http://a.example/?", "http://a.example/?" },
	{ "http://a.example/a/../b/./c", "http://a.example/a/../b/./c",
	    "http://a.example/b/c" },
	{ "http://a.example/a/..", "http://a.example/a/..",
	    "http://a.example/" },
	{ "http://a.example/a/b/.", "http://a.example/a/b/.",
	    "http://a.example/a/b/" },
	{ "http://a.example/../../x", "http://a.example/../../x",
	    "http://a.example/x" },
	{ "http://a.example/a/%2E%2e/b", "http://a.example/a/%2E%2e/b",
	    "http://a.example/b" },
	{ "http://a.example/a//..", "http://a.example/a//..",
	    "http://a.example/a/" },
	{ "http://a.example/...", "http://a.example/...",
	    "http://a.example/..." },
	{ "http://a.example//x//", "http://a.example//x//",
	    "http://a.example//x//" },
	{ "http://a.example/?x=/../y", "http://a.example/?x=/../y",
	    "http://a.example/?x=/../y" },
	{ "http://a.example/a b", "http://a.example/a%20b",
	    "http://a.example/a%20b" },
	{ "http://a.example/\xc3\xa9?\xc3\xa9", "http://a.example/\xc3\xa9?\xc3\xa9",
	    "http://a.example/%C3%A9?%C3%A9" },
	{ "http://a.example/<x>", "http://a.example/%3Cx%3E",
	    "http://a.example/%3Cx%3E" },
	{ "http://a.example/\t\n\r \"'\\^`{|}",
	    "http://a.example/%09%0A%0D%20%22%27/%5E%60%7B%7C%7D",
	    "http://a.example/%09%0A%0D%20%22%27/%5E%60%7B%7C%7D" },
	{ "http://a.example/?\\'|", "http://a.example/?%5C%27%7C",
	    "http://a.example/?%5C%27%7C" },
	{ "http://a.example/\x01\x7f", "http://a.example/\x01\x7f",
	    "http://a.example/%01%7F" },
	{ "http://a.example/%zz%41", "http://a.example/%zz%41",
	    "http://a.example/%zz%41" },
	{ " http://a.example/x\n", "http://a.example/x", "http://a.example/x" },
	{ "\xc2\xa0\xef\xbb\xbf\t\fhttp://a.example/a z\f\xef\xbb\xbf\xc2\xa0",
	    "http://a.example/a%20z", "http://a.example/a%20z" },
	{ "http://a.example/a yz", "http://a.example/a%20yz",
	    "http://a.example/a%20yz" },
	{ "http:\\\\a.example\\x\\y", "http://a.example/x/y",
	    "http://a.example/x/y" },
	{ "http://b\xc3\xbc" "cher.example/", "http://xn--bcher-kva.example/",
	    "http://xn--bcher-kva.example/" },
	{ "http://B\xc3\x9c" "CHER.example:81/\xc3\xbc",
	    "http://xn--bcher-kva.example:81/\xc3\xbc",
	    "http://xn--bcher-kva.example:81/%C3%BC" },
	{ "http://fa\xc3\x9f.example/", "http://xn--fa-hia.example/",
	    "http://xn--fa-hia.example/" },
	{ "http:a.example/x", "http:a.example/x", "http://a.example/x" },
	{ "http:/a.example/x", "http:/a.example/x", "http://a.example/x" },
	{ "http:A.example:80", "http:A.example:80", "http://a.example/" },
	{ "https:a.example?x", "https:a.example?x", "https://a.example/?x" },
	{ "http:b\xc3\xbc" "cher.example/x", "http:b\xc3\xbc" "cher.example/x",
	    "http://xn--bcher-kva.example/x" },
	{ "http://127.1/x", "http://127.1/x", "http://127.0.0.1/x" },
	{ "http://2130706433/", "http://2130706433/", "http://127.0.0.1/" },
	{ "http://0x7F000001:81/", "http://0x7f000001:81/",
	    "http://127.0.0.1:81/" },
	{ "http://0177.0.0x0.1/", "http://0177.0.0x0.1/",
	    "http://127.0.0.1/" },
	{ "http://1.2.772/", "http://1.2.772/", "http://1.2.3.4/" },
	{ "http://10.0.0.5./", "http://10.0.0.5./", "http://10.0.0.5/" },
	{ "http://4294967295/", "http://4294967295/",
	    "http://255.255.255.255/" },
	{ "http://0x/", "http://0x/", "http://0.0.0.0/" },
	{ "http://0/", "http://0/", "http://0.0.0.0/" },
	{ "http://\xef\xbc\x91\xef\xbc\x90.1/", "http://10.1/",
	    "http://10.0.0.1/" },
	{ "http:2130706433/x", "http:2130706433/x", "http://127.0.0.1/x" },
	{ "http://1.2.3.4.example/", "http://1.2.3.4.example/",
	    "http://1.2.3.4.example/" },
	{ "http://a.0xg/", "http://a.0xg/", "http://a.0xg/" },
	{ "http://a.example./", "http://a.example./", "http://a.example./" },
	{ "http://127.0.0.1:9000/wh", "http://127.0.0.1:9000/wh",
	    "http://127.0.0.1:9000/wh" },
	{ "http://under_score.example/", "http://under_score.example/",
	    "http://under_score.example/" },
	{ "http://[::1]/x", "http://[::1]/x", "http://[::1]/x" },
	{ "http://[2001:DB8::1]:8080", "http://[2001:db8::1]:8080/",
	    "http://[2001:db8::1]:8080/" },
	{ "http://[::1]:/", "http://[::1]/", "http://[::1]/" },
	{ "http://a.example/x@y:z", "http://a.example/x@y:z",
	    "http://a.example/x@y:z" },
	{ "http://a.example\\@b.example/", "http://a.example/@b.example/",
	    "http://a.example/@b.example/" },
	{ "http://a.example:65535/", "http://a.example:65535/",
	    "http://a.example:65535/" },
};

static const struct {
	const char *text, *reason;
} bad[] = {
	{ "", "empty" },
	{ " \n\xc2\xa0", "empty" },
	{ "http:", "host is empty" },
	{ "http://", "host is empty" },
	{ "http:///x", "host is empty" },
	{ "http:////x", "host is empty" },
	{ "http://?x", "host is empty" },
	{ "http:?x", "host is empty" },
	{ "http://#x", "host is empty" },
	{ "http://:80/", "host is empty" },
	{ "http://u:p@a.example/x", "has a user name or password" },
	{ "http://@a.example/", "has a user name or password" },
	{ "http://a@b@c.example/", "has a user name or password" },
	{ "http:u@a.example/", "has a user name or password" },
	{ "http://a.example:80@b/", "has a user name or password" },
	{ "http://a b.example/x", "not a letter" },
	{ "http://a%2eb/x", "not a letter" },
	{ "http://a\tb/", "not a letter" },
	{ "http://a\x01/", "not a letter" },
	{ "http://a:b:80/", "not a letter" },
	{ "http://a*b/", "not a letter" },
	{ "http://256.1.1.1/", "no IPv4 address" },
	{ "http://1.2.3.256/", "no IPv4 address" },
	{ "http://1.2.3.4.5/", "no IPv4 address" },
	{ "http://4294967296/", "no IPv4 address" },
	{ "http://99999999999999999999999999/", "no IPv4 address" },
	{ "http://1.2.65536/", "no IPv4 address" },
	{ "http://1..2/", "no IPv4 address" },
	{ "http://08/", "no IPv4 address" },
	{ "http://a.example.1/", "no IPv4 address" },
	{ "http:256.1.1.1/x", "no IPv4 address" },
	{ "http://[::1/", "not a letter" },
	{ "http://[]/", "not a letter" },
	{ "http://[::1]x/", "not a letter" },
	{ "http://[::g]/", "bad IPv6 address" },
	{ "http://[fe80::1%25eth0]/", "bad IPv6 address" },
	{ "http://a.example:8x/", "port is not a number" },
	{ "http://a.example:0/", "port is not a number" },
	{ "http://a.example:65536/", "port is not a number" },
	{ "http://a.example:-1/", "port is not a number" },
	{ "http://a.example:99999999999999999999/", "port is not a number" },
	{ "http://\xff.example/", "not allowed" },
	{ "http://\xef\xbf\xbd.example:/", "international" },
	{ "http://" LONG64 LONG64 LONG64 LONG64 "/", "longer than 255" },
	{ "ftp://a.example/", "scheme is not" },
	{ "ws://a.example/", "scheme is not" },
	{ "httpx://a.example/", "scheme is not" },
	{ "mailto:a@b.example", "scheme is not" },
	{ "file:///etc/none", "scheme is not" },
	{ "//no.example/x", "not absolute" },
	{ "/only/path", "not absolute" },
	{ "a.example/x", "not absolute" },
	{ ":", "not absolute" },
};

static int
check_good(size_t i)
{
	struct buf href = { 0 }, dial = { 0 };
	struct error e = { "" };
	int failed = 1;

	if (url_normalise(span_of(good[i].text), &href, &e) != 0) {
		printf("%s: refused: %s\n", good[i].text, e.text);
	} else {
		url_dial(buf_bytes(&href), &dial);
		failed = !span_eq(buf_bytes(&href), span_of(good[i].href)) ||
		    !span_eq(buf_bytes(&dial), span_of(good[i].dial));
		if (failed)
			printf("%s: href %s dial %s\n", good[i].text,
			    buf_str(&href), buf_str(&dial));
	}
	buf_clear(&href);
	buf_clear(&dial);
	return failed;
}

static int
check_bad(struct span text, const char *reason)
{
	struct buf href = { 0 };
	struct error e = { "accepted" };
	int failed = url_normalise(text, &href, &e) == 0 ||
	    !strstr(e.text, reason);

	if (failed)
		printf("%s: %s, not '%s'\n", text.p, e.text, reason);
	buf_clear(&href);
	return failed;
}

int
main(void)
{
	int failed = 0;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		failed += check_good(i);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		failed += check_bad(span_of(bad[i].text), bad[i].reason);
	failed += check_bad(SPAN("http://a\0b/"), "not a letter");
	failed += check_bad(SPAN("http://\xc3\xbc\0b/"), "not allowed");
	failed += check_bad(SPAN("http://[::1\0]/"), "bad IPv6");
	failed += check_bad(SPAN("http\0://a/"), "not absolute");
	if (!span_eq(url_without_query(SPAN("http://a/b?c?d")),
	    SPAN("http://a/b")))
		failed++;
	return failed != 0;
}
