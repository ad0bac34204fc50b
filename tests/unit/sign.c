/*
 * Signatures: the vectors that the projects publish, what a receiver refuses,
 * keys that are none, and many random messages there and back.
 */
#include "net/sign.h"

#include "base/alloc.h"

#define NOW 1614265330000

static int n_failed, number;

static void
ok(bool right, const char *what)
{
	printf("%s %d sign: %s\n", right ? "ok" : "not ok", ++number, what);
	n_failed += !right;
}

/* Published test keys; never to be used. */
static const struct {
	const char *secret, *public, *id;
	int64_t time_s;
	const char *body, *want;
} vectors[] = {
	{ "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", NULL,
	    "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
	    "{\"test\": 2432232314}",
	    "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" },
	{ "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", NULL,
	    "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
	    "{\"test\": 2432232314}",
	    "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" },
	{ "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", NULL,
	    "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1649367553,
	    "{\"email\":\"test@example.com\",\"username\":\"test_user\"}",
	    "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=" },
	{ "whsec_plJ3nmyCDGBKInavdOK15jsl", NULL, "msg_loFOjxBNrRLzqYUf",
	    1731705121, "{\"event_type\":\"ping\",\"data\":{\"success\":true}}",
	    "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=" },
	{ "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX"
	    "0dRqSKJp4AJ6p9lMicMFs6Kvg==",
	    "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=",
	    "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
	    "{\"test\": 2432232314}",
	    "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA"
	    "7AZdpXwVLPo3mNl8EM+m7TBAg==" },
};

static struct sign_key *
key(const char *text)
{
	struct error e = { "" };
	struct sign_key *k = sign_key_new(span_of(text), &e);

	if (!k)
		printf("# key: %s\n", e.text);
	return k;
}

/* The value of line i of the fields. */
static struct span
value(const struct buf *fields, int i)
{
	const char *at = fields->p;

	while (i--)
		at += strlen(at) + 1;
	return span_of(strchr(at, ' ') + 1);
}

static struct signed_message
message_of(const struct buf *fields, struct span body)
{
	return (struct signed_message){ value(fields, 0), value(fields, 1),
		value(fields, 2), body };
}

static void
check_vectors(void)
{
	size_t i;

	for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct signer *s = signer_new();
		struct buf fields = { 0 };
		struct span body = span_of(vectors[i].body);
		struct sign_key *k;
		struct signed_message m;
		struct error e;
		int64_t now_ms = vectors[i].time_s * 1000 + 999;
		bool right;

		signer_add(s, key(vectors[i].secret), 0);
		right = signer_put(s, &fields, span_of(vectors[i].id), body,
		    now_ms, &e) == 0;
		m = message_of(&fields, body);
		k = key(vectors[i].public ? vectors[i].public :
		    vectors[i].secret);
		right = right && span_eq(m.id, span_of(vectors[i].id)) &&
		    span_eq(m.signature, span_of(vectors[i].want)) &&
		    !sign_verify(&k, 1, &m, now_ms);
		ok(right, vectors[i].want);
		sign_key_free(k);
		buf_clear(&fields);
		signer_free(s);
	}
}

static const struct {
	const char *text, *why;
} bad_keys[] = {
	{ "whsec_", "empty" }, { "", "empty" },
	{ "whsec_not base64", "is not" }, { "whsec_AAAA=AAA", "is not" },
	{ "whsec_A", "is not" }, { "whsec_AAB", "is not" },
	{ "whsk_AAAA", "32 or 64" }, { "whpk_AAAA", "32 bytes" },
	{ "whsk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	    "AAAAAAAAAAAAAAAAAAAAAA==", "second half" },
};

static void
check_keys(void)
{
	bool right = true;
	struct error e;
	size_t i;

	for (i = 0; i < sizeof(bad_keys) / sizeof(bad_keys[0]); i++) {
		struct sign_key *k = sign_key_new(span_of(bad_keys[i].text),
		    &e);

		if (!k && strstr(e.text, bad_keys[i].why))
			continue;
		printf("# %s: %s\n", bad_keys[i].text, k ? "taken" : e.text);
		sign_key_free(k);
		right = false;
	}
	ok(right, "keys that are none");
}

/* One wrong thing at a time. */
static void
check_refusals(void)
{
	struct sign_key *keys[2] = { key(vectors[2].secret),
		key(vectors[0].secret) };
	const struct signed_message good = {
		SPAN("msg_p5jXN8AQM9LWM0D4loKWxJek"), SPAN("1614265330"),
		SPAN("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
		SPAN("{\"test\": 2432232314}"),
	};
	struct signed_message m = good;
	const char *why;

	ok(!sign_verify(keys, 2, &m, NOW), "any of the keys will do");
	ok(!sign_verify(keys, 2, &m, NOW + 300999) &&
	    !sign_verify(keys, 2, &m, NOW - 300000), "five minutes off");
	why = sign_verify(keys, 2, &m, NOW + 301000);
	ok(why && strstr(why, "ago"), "too old");
	why = sign_verify(keys, 2, &m, NOW - 301000);
	ok(why && strstr(why, "ahead"), "too new");
	why = sign_verify(keys, 1, &m, NOW);
	ok(why && strstr(why, "no signature is"), "another key");
	m.signature = SPAN("v2,xx v1a,AAAA  v1,AAAA v1 ,, "
	    "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
	ok(!sign_verify(keys, 2, &m, NOW), "other items are skipped");
	m.signature = SPAN("v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
	why = sign_verify(keys, 2, &m, NOW);
	ok(why && strstr(why, "version"), "no version that is known");
	m = good;
	m.body = SPAN("{\"test\":2432232314}");
	ok(sign_verify(keys, 2, &m, NOW), "another body");
	m = good;
	m.id = SPAN("msg_p5jXN8AQM9LWM0D4loKWxJel");
	ok(sign_verify(keys, 2, &m, NOW), "another id");
	m = good;
	m.timestamp = SPAN("1614265331");
	ok(sign_verify(keys, 2, &m, NOW), "another time");
	m.timestamp = SPAN("1614265330.0");
	why = sign_verify(keys, 2, &m, NOW);
	ok(why && strstr(why, "number"), "a time that is none");
	m = good;
	m.id.p = NULL;
	ok(sign_verify(keys, 2, &m, NOW), "no id");
	m = good;
	m.signature = SPAN("");
	ok(sign_verify(keys, 2, &m, NOW), "an empty list");
	sign_key_free(keys[0]);
	sign_key_free(keys[1]);
}

static void
check_overlap(void)
{
	struct signer *s = signer_new();
	struct buf fields = { 0 };
	struct error e = { "" };
	struct span list;
	bool right;

	signer_add(s, key(vectors[0].secret), 0);
	signer_add(s, key(vectors[2].secret), NOW + 1000);
	signer_add(s, key(vectors[4].secret), NOW);
	right = signer_put(s, &fields, SPAN("msg_p5jXN8AQM9LWM0D4loKWxJek"),
	    span_of(vectors[0].body), NOW, &e) == 0;
	list = value(&fields, 2);
	ok(right && list.len == 2 * 47 + 1 && memcmp(list.p, vectors[0].want,
	    47) == 0 && list.p[47] == ' ', "valid secrets sign, current first");
	right = signer_put(s, &fields, SPAN("a.b"), SPAN(""), NOW + 1000,
	    &e) == 0;
	list = value(&fields, 2);
	ok(right && list.len == 47, "one whose time is over does not");
	list = value(&fields, 0);
	ok(list.len == 36 && !memchr(list.p, '.', list.len),
	    "an id with a dot is hashed");
	signer_free(s);
	s = signer_new();
	signer_add(s, key(vectors[0].secret), NOW);
	ok(signer_put(s, &fields, SPAN("a"), SPAN(""), NOW, &e) < 0 &&
	    strstr(e.text, "valid"), "none is left");
	signer_free(s);
	buf_clear(&fields);
}

/* A generated key of each version signs bodies of all lengths. */
static void
check_generated(bool v1a)
{
	struct buf secret = { 0 }, public = { 0 }, fields = { 0 }, body = { 0 };
	struct signer *s = signer_new();
	struct sign_key *k, *verify;
	struct error e = { "" };
	bool right = sign_generate(v1a, &secret, &e) == 0;
	char a[SIGN_FINGERPRINT_BYTES], b[SIGN_FINGERPRINT_BYTES];
	int64_t now_ms = NOW;
	size_t i;

	k = key(buf_str(&secret));
	verify = key(buf_str(&secret));
	sign_key_fingerprint(k, a);
	sign_key_fingerprint(verify, b);
	right = right && strcmp(a, b) == 0 && strlen(a) == 12;
	if (v1a) {
		right = right && sign_public(k, &public) == 0;
		sign_key_free(verify);
		verify = key(buf_str(&public));
		right = right && !sign_key_signs(verify);
	}
	signer_add(s, k, 0);
	for (i = 0; i < 300 && right; i++) {
		struct signed_message m;

		now_ms += 997;
		right = signer_put(s, &fields, SPAN("msg_1"), buf_bytes(&body),
		    now_ms, &e) == 0;
		m = message_of(&fields, buf_bytes(&body));
		right = right && !sign_verify(&verify, 1, &m, now_ms);
		buf_putc(&body, (char)(i * 31));
		m.body = buf_bytes(&body);
		right = right && sign_verify(&verify, 1, &m, now_ms);
	}
	ok(right, v1a ? "generated v1a" : "generated v1");
	sign_key_free(verify);
	signer_free(s);
	buf_clear(&secret);
	buf_clear(&public);
	buf_clear(&fields);
	buf_clear(&body);
}

int
main(void)
{
	check_vectors();
	check_keys();
	check_refusals();
	check_overlap();
	check_generated(false);
	check_generated(true);
	printf("1..%d\n", number);
	return n_failed;
}
