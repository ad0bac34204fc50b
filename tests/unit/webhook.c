/*
 * Webhooks: entry -> canonical JSON or reasons; ids, call heads, finding, size.
 */
#include "event/webhook.h"

#define U "\"url\":\"http://a.example/in\""
#define ID "\"id\":\"wh_79d89d15ba82\","
#define MIN U ",\"subscriptions\":[]"

static const struct {
	const char *text, *json; /* json: without its id */
} good[] = {
	{ "{" MIN "}", MIN },
	{ "{" U ",\"subscriptions\":[\" ping\",\"\",\"a,b\"]}",
	    U ",\"subscriptions\":[\" ping\",\"\",\"a,b\"]" },
	{ "{" U ",\"subscriptions\":\"  ping\\u00a0, ,,\\ufeffx y\\t,\"}",
	    U ",\"subscriptions\":[\"ping\",\"x y\"]" },
	{ "{" U ",\"subscriptions\":\"\"}", MIN },
	{ "{" U ",\"subscriptions\":\",,\"}", MIN },
	{ "{" MIN ",\"attributes\":null,\"headers\":null,\"disabled\":null,"
	    "\"id\":null,\"timeout\":null,\"filter\":null,\"new\":1}", MIN },
	{ "{" MIN ",\"attributes\":{},\"headers\":{},\"disabled\":false}", MIN },
	{ "{" MIN ",\"attributes\":{\"b\":\"\",\"a\":\"\\u0000\\\"\",\"\":\"x\"}}",
	    MIN ",\"attributes\":{\"b\":\"\",\"a\":\"\\u0000\\\"\",\"\":\"x\"}" },
	{ "{" MIN ",\"headers\":{\"X-B\":\"1\",\"x-b\":\"\xc3\xa9\\t\",\"9\":\"n\"}}",
	    MIN ",\"headers\":{\"X-B\":\"1\",\"x-b\":\"\xc3\xa9\\t\",\"9\":\"n\"}" },
	{ "{" MIN ",\"disabled\":true,\"timeout\":10,\"concurrency\":3,"
	    "\"retry\":\"network\",\"description\":\"d\"}",
	    U ",\"description\":\"d\",\"subscriptions\":[],\"disabled\":true,"
	    "\"timeout\":10,\"concurrency\":3,\"retry\":\"network\"" },
	{ "{" MIN ",\"timeout\":\"1500ms\",\"retry\":\"failures\"}",
	    MIN ",\"timeout\":1.5,\"retry\":\"failures\"" },
	{ "{" MIN ",\"rate\":5,\"order\":\"/a/~0\"}",
	    MIN ",\"rate\":5,\"order\":\"/a/~0\"" },
	{ "{" MIN ",\"order\":\"none\"}", MIN },
	{ "{" MIN ",\"timeout\":0.001}", MIN ",\"timeout\":0.001" },
	{ "{\"url\":{\"href\":\"http://a.example/in\",\"protocol\":\"http:\"},"
	    "\"subscriptions\":[]}", MIN },
	{ "{\"url\":1,\"url\":\"http://a.example/in\",\"subscriptions\":[]}",
	    MIN },
};

static const struct {
	const char *text, *reasons;
} bad[] = {
	{ "null", "not an object" },
	{ "[]", "not an object" },
	{ "{}", "url: missing; subscriptions: missing" },
	{ "{\"url\":null,\"subscriptions\":null}", "url: not a string; "
	    "subscriptions: not a list of strings or a string of names with "
	    "commas" },
	{ "{" U ",\"subscriptions\":[\"a\",1]}",
	    "subscriptions: an item is not a string" },
	{ "{\"url\":\"ftp://a/\",\"subscriptions\":[]}",
	    "url: scheme is not http or https" },
	{ "{\"url\":{\"href\":\"http://a/\"},\"subscriptions\":[]}",
	    "url: not a string" },
	{ "{" MIN ",\"attributes\":[]}", "attributes: not an object" },
	{ "{" MIN ",\"attributes\":{\"n\":null,\"o\":{}}}",
	    "attributes 'n': not a string; attributes 'o': not a string" },
	{ "{" MIN ",\"headers\":\"x\"}", "headers: not an object" },
	{ "{" MIN ",\"headers\":{\"A\":\"\"}}", "headers 'A': empty" },
	{ "{" MIN ",\"headers\":{\"A\":\"b\\r\\nc\"}}",
	    "headers: field 'A': the value has a control character" },
	{ "{" MIN ",\"headers\":{\"A\":\"\xe2\x82\xac\"}}",
	    "headers: field 'A': the value has a character beyond U+00FF" },
	{ "{" MIN ",\"headers\":{\"A b\":\"x\"}}",
	    "headers: field 'A b': the name is not a token" },
	{ "{" MIN ",\"headers\":{\"transfer-encoding\":\"x\"}}",
	    "headers: field 'transfer-encoding': belongs to the connection, "
	    "not to you" },
	{ "{" MIN ",\"disabled\":\"true\"}", "disabled: not true or false" },
	{ "{" MIN ",\"disabled\":1}", "disabled: not true or false" },
	{ "{" MIN ",\"timeout\":0}", "timeout: not a number of seconds, or a "
	    "duration like \"10s\", up to 10min" },
	{ "{" MIN ",\"timeout\":true}", "timeout: not a number of seconds, or "
	    "a duration like \"10s\", up to 10min" },
	{ "{" MIN ",\"timeout\":601}", "timeout: not a number of seconds, or "
	    "a duration like \"10s\", up to 10min" },
	{ "{" MIN ",\"concurrency\":\"3\"}",
	    "concurrency: not a whole number from 1 to 1000" },
	{ "{" MIN ",\"concurrency\":1001}",
	    "concurrency: not a whole number from 1 to 1000" },
	{ "{" MIN ",\"retry\":\"never\"}",
	    "retry: not \"failures\" or \"network\"" },
	{ "{" MIN ",\"rate\":0.5}", "rate: not a whole number of calls a "
	    "second from 1 to 10000" },
	{ "{" MIN ",\"order\":\"payload\"}", "order: not \"none\", "
	    "\"webhook\" or a JSON Pointer like \"/payload/serviceId\"" },
	{ "{" MIN ",\"order\":\"/a~2\"}", "order: not \"none\", "
	    "\"webhook\" or a JSON Pointer like \"/payload/serviceId\"" },
	{ "{" MIN ",\"secret\":\"x\"}",
	    "secret: belongs in the secrets file: hook-admin secret import" },
	{ "{" MIN ",\"ca\":5}", "ca: not a string" },
	{ "{" MIN ",\"ca\":\"x\"}",
	    "ca: not certificates in PEM, and nothing else" },
	{ "{" MIN ",\"ca\":\"-----BEGIN CERTIFICATE-----\\n-----BEGIN "
	    "PRIVATE KEY-----\"}",
	    "ca: not certificates in PEM, and nothing else" },
	{ "{" MIN ",\"filter\":1,\"transform\":[]}",
	    "filter: not a string; transform: not a string" },
	{ "{" MIN ",\"filter\":\"\",\"transform\":\" \\n\"}",
	    "filter: not a jq program; transform: not a jq program" },
	{ "{" MIN ",\"filter\":\".a\\u0000b\"}",
	    "filter: not a jq program" },
	{ "{" MIN ",\"id\":\"\"}",
	    "id: not 1 to 64 of the characters A-Z a-z 0-9 _ -" },
	{ "{" MIN ",\"id\":\"a b\"}",
	    "id: not 1 to 64 of the characters A-Z a-z 0-9 _ -" },
	{ "{" MIN ",\"id\":7}", "id: not a string" },
};

/* Read text as a registry; 0 or -1 with the reasons. */
static int
load(struct webhooks *w, const char *text, struct buf *reasons)
{
	struct buf b = { 0 };
	int r;

	*w = (struct webhooks){ 0 };
	reasons->len = 0;
	buf_puts(&b, text);
	r = webhooks_read(w, buf_bytes(&b), reasons);
	buf_clear(&b);
	return r;
}

static int
expect(const char *what, struct span got, const char *want)
{
	if (span_eq(got, span_of(want)))
		return 0;
	printf("%s\n  got  %.*s\n  want %s\n", what, (int)got.len, got.p, want);
	return 1;
}

static int
check_good(size_t i)
{
	struct webhooks w;
	struct buf text = { 0 }, json = { 0 }, reasons = { 0 };
	int failed;

	buf_printf(&text, "[%s]", good[i].text);
	failed = load(&w, buf_str(&text), &reasons) != 0;
	failed += expect(good[i].text, buf_bytes(&reasons), "");
	if (w.n == 1) {
		webhook_put_json(&w.list[0], &json);
		text.len = 0;
		buf_printf(&text, "{" ID "%s}", good[i].json);
		failed += expect(good[i].text, buf_bytes(&json),
		    buf_str(&text));
	}
	webhooks_clear(&w);
	buf_clear(&text);
	buf_clear(&json);
	buf_clear(&reasons);
	return failed;
}

static int
check_bad(const char *text, const char *want)
{
	struct webhooks w;
	struct buf reasons = { 0 };
	int failed = load(&w, text, &reasons) == 0;

	failed += expect(text, buf_bytes(&reasons), want);
	webhooks_clear(&w);
	buf_clear(&reasons);
	return failed;
}

static int
check_bad_entry(size_t i)
{
	struct buf text = { 0 }, want = { 0 };
	int failed;

	buf_printf(&text, "[{" MIN "},%s]", bad[i].text);
	buf_printf(&want, "entry 2: %s", bad[i].reasons);
	failed = check_bad(buf_str(&text), buf_str(&want));
	buf_clear(&text);
	buf_clear(&want);
	return failed;
}

static int
check_ids(void)
{
	static const char text[] = "[{" MIN "},{" MIN "},{\"id\":\"mine\"," MIN
	    ",\"headers\":{\"A\":\"b\"}},{" MIN "}]";
	struct webhooks w;
	struct buf reasons = { 0 };
	int failed = load(&w, text, &reasons) != 0 || w.n != 4;

	if (!failed) {
		failed += expect("first", w.list[0].id, "wh_79d89d15ba82");
		failed += expect("second", w.list[1].id, "wh_79d89d15ba82-2");
		failed += expect("third", w.list[3].id, "wh_79d89d15ba82-3");
		failed += expect("head", w.list[2].call_head, "{" U
		    ",\"headers\":{\"A\":\"b\"},\"webhook\":\"mine\"");
		failed += expect("head", w.list[3].call_head, "{" U
		    ",\"headers\":{},\"webhook\":\"wh_79d89d15ba82-3\"");
		failed += expect("url", w.list[3].url, "http://a.example/in");
		failed += webhooks_find(&w, SPAN("mine")) != &w.list[2];
		failed += webhooks_find(&w, SPAN("wh_79d89d15ba82-3")) !=
		    &w.list[3];
		failed += webhooks_find(&w, SPAN("none")) != NULL;
	}
	webhooks_clear(&w);
	failed += webhooks_find(&w, SPAN("none")) != NULL;
	buf_clear(&reasons);
	return failed;
}

int
main(void)
{
	size_t i;
	int failed = check_ids();

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		failed += check_good(i);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		failed += check_bad_entry(i);
	failed += check_bad("", "byte 1 of line 1: unexpected end of text");
	failed += check_bad("{}", "not a JSON array of webhooks");
	failed += check_bad("\"[]\"", "not a JSON array of webhooks");
	failed += check_bad("[1,{" MIN "},{}]", "entry 1: not an object\n"
	    "entry 3: url: missing; subscriptions: missing");
	failed += check_bad("[{\"id\":\"x\"," MIN "},{\"id\":\"x\"," MIN "}]",
	    "entry 2: id: the same as that of entry 1");
	return failed != 0;
}
