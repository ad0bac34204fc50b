/*
 * Signatures of requests, by libcrypto.
 */
#include "net/sign.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/num.h"
#include "net/digest.h"

enum {
	MAC_BYTES = 32,
	SEED_BYTES = 32,      /* of Ed25519: the private half of a whsk_ */
	SIGNATURE_BYTES = 64,
	MAX_KEY_BYTES = 1024, /* what anybody may call a v1 secret */
	HASHED_DIGITS = 32,
};

struct sign_key {
	EVP_MAC_CTX *mac; /* v1, keyed once: a signature costs two hashes less */
	EVP_PKEY *pkey;   /* v1a */
	bool private;
	size_t bytes;
	char fingerprint[SIGN_FINGERPRINT_BYTES];
};

struct signer {
	struct valid_key {
		struct sign_key *key;
		int64_t until_ms;
	} *keys;
	size_t n, cap;
	struct buf message; /* Ed25519 wants it in one piece */
};

void
sign_wipe(void *p, size_t len)
{
	if (p)
		OPENSSL_cleanse(p, len);
}

static void
wipe_buf(struct buf *b)
{
	sign_wipe(b->p, b->cap);
	buf_clear(b);
}

/* Keys */

static bool
take_prefix(struct span *s, struct span prefix)
{
	if (s->len < prefix.len || memcmp(s->p, prefix.p, prefix.len) != 0)
		return false;
	s->p += prefix.len;
	s->len -= prefix.len;
	return true;
}

static int
set_mac(struct sign_key *k, struct span secret, struct error *e)
{
	OSSL_PARAM params[2];
	char name[] = "SHA256";
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);

	params[0] = OSSL_PARAM_construct_utf8_string("digest", name, 0);
	params[1] = OSSL_PARAM_construct_end();
	if (mac)
		k->mac = EVP_MAC_CTX_new(mac);
	EVP_MAC_free(mac);
	if (!k->mac || EVP_MAC_init(k->mac, (const unsigned char *)secret.p,
	    secret.len, params) != 1)
		return error_set(e, "libcrypto: no HMAC-SHA256");
	k->private = true;
	k->bytes = secret.len;
	return 0;
}

static int
set_private(struct sign_key *k, struct span raw, struct error *e)
{
	unsigned char public[SEED_BYTES];
	size_t len = sizeof(public);

	if (raw.len != SEED_BYTES && raw.len != 2 * SEED_BYTES)
		return error_set(e, "has not the 32 or 64 bytes of an Ed25519 "
		    "key");
	k->pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL,
	    (const unsigned char *)raw.p, SEED_BYTES);
	if (!k->pkey || EVP_PKEY_get_raw_public_key(k->pkey, public,
	    &len) != 1)
		return error_set(e, "libcrypto: no Ed25519");
	if (raw.len > SEED_BYTES && memcmp(raw.p + SEED_BYTES, public,
	    sizeof(public)) != 0)
		return error_set(e, "its second half is not the public key of "
		    "its first");
	k->private = true;
	return 0;
}

static int
set_public(struct sign_key *k, struct span raw, struct error *e)
{
	if (raw.len != SEED_BYTES)
		return error_set(e, "has not the 32 bytes of an Ed25519 "
		    "public key");
	k->pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
	    (const unsigned char *)raw.p, raw.len);
	return k->pkey ? 0 : error_set(e, "libcrypto: no Ed25519");
}

static int
set_key(struct sign_key *k, struct span text, struct buf *raw,
    struct error *e)
{
	bool private = take_prefix(&text, SPAN("whsk_"));
	bool public = !private && take_prefix(&text, SPAN("whpk_"));

	if (!private && !public)
		(void)take_prefix(&text, SPAN("whsec_"));
	(void)buf_room(raw, MAX_KEY_BYTES + 4); /* it must not move */
	if (text.len > MAX_KEY_BYTES || base64_get(raw, text) != 0)
		return error_set(e, "is not whsec_, whsk_ or whpk_ and base64");
	if (raw->len == 0)
		return error_set(e, "is empty");
	digest_hex(buf_bytes(raw), k->fingerprint, SIGN_FINGERPRINT_BYTES - 1);
	if (private)
		return set_private(k, buf_bytes(raw), e);
	return public ? set_public(k, buf_bytes(raw), e) :
	    set_mac(k, buf_bytes(raw), e);
}

struct sign_key *
sign_key_new(struct span text, struct error *e)
{
	struct sign_key *k = alloc_zero(1, sizeof(*k));
	struct buf raw = { 0 };

	if (set_key(k, text, &raw, e) != 0) {
		sign_key_free(k);
		k = NULL;
	}
	wipe_buf(&raw);
	return k;
}

void
sign_key_free(struct sign_key *k)
{
	if (!k)
		return;
	EVP_MAC_CTX_free(k->mac);
	EVP_PKEY_free(k->pkey);
	free(k);
}

const char *
sign_key_version(const struct sign_key *k)
{
	return k->mac ? "v1" : "v1a";
}

bool
sign_key_signs(const struct sign_key *k)
{
	return k->private;
}

size_t
sign_key_bytes(const struct sign_key *k)
{
	return k->bytes;
}

void
sign_key_fingerprint(const struct sign_key *k,
    char out[SIGN_FINGERPRINT_BYTES])
{
	memcpy(out, k->fingerprint, SIGN_FINGERPRINT_BYTES);
}

static int
generate_v1(struct buf *raw)
{
	if (RAND_bytes((unsigned char *)buf_room(raw, MAC_BYTES),
	    MAC_BYTES) != 1)
		return -1;
	raw->len = MAC_BYTES;
	return 0;
}

static int
generate_v1a(struct buf *raw)
{
	unsigned char *p = (unsigned char *)buf_room(raw, 2 * SEED_BYTES);
	EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	size_t seed = SEED_BYTES, public = SEED_BYTES;
	int rc = -1;

	if (pkey && EVP_PKEY_get_raw_private_key(pkey, p, &seed) == 1 &&
	    EVP_PKEY_get_raw_public_key(pkey, p + SEED_BYTES, &public) == 1)
		rc = 0;
	raw->len = 2 * SEED_BYTES;
	EVP_PKEY_free(pkey);
	return rc;
}

int
sign_generate(bool v1a, struct buf *secret, struct error *e)
{
	struct buf raw = { 0 };
	int rc = v1a ? generate_v1a(&raw) : generate_v1(&raw);

	if (rc == 0) {
		(void)buf_room(secret, 128); /* it must not move */
		buf_puts(secret, v1a ? "whsk_" : "whsec_");
		base64_put(secret, buf_bytes(&raw));
	} else {
		error_set(e, "libcrypto: cannot make a key");
	}
	wipe_buf(&raw);
	return rc;
}

int
sign_public(const struct sign_key *k, struct buf *text)
{
	char public[SEED_BYTES];
	size_t len = sizeof(public);

	if (!k->pkey || EVP_PKEY_get_raw_public_key(k->pkey,
	    (unsigned char *)public, &len) != 1)
		return -1;
	buf_puts(text, "whpk_");
	base64_put(text, (struct span){ public, len });
	return 0;
}

/* Signing */

struct signer *
signer_new(void)
{
	return alloc_zero(1, sizeof(struct signer));
}

void
signer_free(struct signer *s)
{
	size_t i;

	if (!s)
		return;
	for (i = 0; i < s->n; i++)
		sign_key_free(s->keys[i].key);
	free(s->keys);
	buf_clear(&s->message);
	free(s);
}

void
signer_add(struct signer *s, struct sign_key *key, int64_t until_ms)
{
	s->keys = alloc_grow(s->keys, &s->cap, s->n + 1, sizeof(*s->keys));
	s->keys[s->n++] = (struct valid_key){ key, until_ms };
}

/* HMAC of the head, "ID.TIMESTAMP.", and the body. 0 or -1. */
static int
mac(EVP_MAC_CTX *ctx, struct span head, struct span body,
    unsigned char out[MAC_BYTES])
{
	size_t len = 0;

	if (EVP_MAC_init(ctx, NULL, 0, NULL) == 1 && /* the key stays */
	    EVP_MAC_update(ctx, (const unsigned char *)head.p, head.len) == 1 &&
	    EVP_MAC_update(ctx, (const unsigned char *)body.p, body.len) == 1 &&
	    EVP_MAC_final(ctx, out, &len, MAC_BYTES) == 1 && len == MAC_BYTES)
		return 0;
	return -1;
}

static int
put_v1(struct buf *b, struct sign_key *k, struct span head, struct span body)
{
	unsigned char out[MAC_BYTES];

	if (mac(k->mac, head, body, out) != 0)
		return -1;
	buf_puts(b, "v1,");
	base64_put(b, (struct span){ (const char *)out, sizeof(out) });
	return 0;
}

static int
put_v1a(struct buf *b, struct sign_key *k, struct span message)
{
	unsigned char out[SIGNATURE_BYTES];
	size_t len = sizeof(out);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int good = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL,
	    k->pkey) == 1 && EVP_DigestSign(ctx, out, &len,
	    (const unsigned char *)message.p, message.len) == 1;

	EVP_MD_CTX_free(ctx);
	if (!good)
		return -1;
	buf_puts(b, "v1a,");
	base64_put(b, (struct span){ (const char *)out, len });
	return 0;
}

static bool
is_plain(struct span id)
{
	size_t i;

	for (i = 0; i < id.len; i++) {
		char c = id.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		    (c >= 'a' && c <= 'z') || c == '_' || c == '-'))
			return false;
	}
	return id.len != 0;
}

/* The head of the message at the start of s->message. */
static struct span
put_head(struct signer *s, struct span id, int64_t now_ms)
{
	char hashed[HASHED_DIGITS];

	s->message.len = 0;
	if (is_plain(id)) {
		buf_span(&s->message, id);
	} else {
		digest_hex(id, hashed, sizeof(hashed));
		buf_puts(&s->message, "msg_");
		buf_add(&s->message, hashed, sizeof(hashed));
	}
	buf_putc(&s->message, '.');
	buf_u64(&s->message, (uint64_t)(now_ms / 1000));
	buf_putc(&s->message, '.');
	return buf_bytes(&s->message);
}

static int
put_signature(struct signer *s, struct buf *b, struct sign_key *k,
    size_t head_len, struct span body)
{
	if (k->mac)
		return put_v1(b, k, (struct span){ s->message.p, head_len },
		    body);
	if (s->message.len == head_len)
		buf_span(&s->message, body);
	return put_v1a(b, k, buf_bytes(&s->message));
}

int
signer_put(struct signer *s, struct buf *b, struct span id, struct span body,
    int64_t now_ms, struct error *e)
{
	struct span head = put_head(s, id, now_ms);
	const char *dot = memchr(head.p, '.', head.len);
	size_t id_len = (size_t)(dot - head.p), i, n = 0;

	b->len = 0;
	buf_puts(b, "webhook-id: ");
	buf_add(b, head.p, id_len);
	buf_putc(b, '\0');
	buf_puts(b, "webhook-timestamp: ");
	buf_add(b, dot + 1, head.len - id_len - 2);
	buf_putc(b, '\0');
	buf_puts(b, "webhook-signature:");
	for (i = 0; i < s->n; i++) {
		if (s->keys[i].until_ms && s->keys[i].until_ms <= now_ms)
			continue;
		buf_putc(b, ' ');
		if (put_signature(s, b, s->keys[i].key, head.len, body) != 0)
			return error_set(e, "libcrypto: cannot sign");
		n++;
	}
	buf_putc(b, '\0');
	return n ? 0 : error_set(e, "no signing secret is valid any more");
}

/* Verifying */

static bool
is_right(struct sign_key *k, struct span head, struct span body,
    struct span given)
{
	unsigned char out[MAC_BYTES];
	struct buf message = { 0 };
	EVP_MD_CTX *ctx;
	bool right;

	if (k->mac)
		return given.len == MAC_BYTES && mac(k->mac, head, body,
		    out) == 0 && CRYPTO_memcmp(out, given.p, MAC_BYTES) == 0;
	buf_span(&message, head);
	buf_span(&message, body);
	ctx = EVP_MD_CTX_new();
	right = ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL,
	    k->pkey) == 1 && EVP_DigestVerify(ctx,
	    (const unsigned char *)given.p, given.len,
	    (const unsigned char *)message.p, message.len) == 1;
	EVP_MD_CTX_free(ctx);
	buf_clear(&message);
	return right;
}

/* The next "version,base64" of the list, split. */
static bool
next_item(struct span *list, struct span *version, struct span *value)
{
	const char *blank, *comma;
	struct span item;

	while (list->len && *list->p == ' ') {
		list->p++;
		list->len--;
	}
	if (list->len == 0)
		return false;
	blank = memchr(list->p, ' ', list->len);
	item = (struct span){ list->p, blank ? (size_t)(blank - list->p) :
	    list->len };
	list->p += item.len;
	list->len -= item.len;
	comma = memchr(item.p, ',', item.len);
	*version = *value = item;
	if (comma) {
		version->len = (size_t)(comma - item.p);
		*value = (struct span){ comma + 1, item.len - version->len - 1 };
	}
	return true;
}

static const char *
check_timestamp(struct span text, int64_t now_ms)
{
	uint64_t now_s = (uint64_t)(now_ms / 1000), t;

	if (num_u64(text, 0, UINT32_MAX, &t) != 0)
		return "webhook-timestamp is not a number of seconds";
	if (t + SIGN_TOLERANCE_S < now_s)
		return "webhook-timestamp is more than 5 minutes ago";
	if (t > now_s + SIGN_TOLERANCE_S)
		return "webhook-timestamp is more than 5 minutes ahead";
	return NULL;
}

/* NULL: one is right. */
static const char *
check_items(struct sign_key *const *keys, size_t n, struct span head,
    const struct signed_message *m)
{
	const char *why = "webhook-signature has no version of these secrets";
	struct span list = m->signature, version, value;
	struct buf given = { 0 };
	size_t i;

	while (why && next_item(&list, &version, &value))
		for (i = 0; i < n && why; i++) {
			if (!span_eq(version,
			    span_of(sign_key_version(keys[i]))))
				continue;
			why = "no signature is that of a secret and the bytes "
			    "that came";
			given.len = 0;
			if (base64_get(&given, value) == 0 && is_right(keys[i],
			    head, m->body, buf_bytes(&given)))
				why = NULL;
		}
	buf_clear(&given);
	return why;
}

const char *
sign_verify(struct sign_key *const *keys, size_t n,
    const struct signed_message *m, int64_t now_ms)
{
	struct buf head = { 0 };
	const char *why;

	if (!m->id.p)
		return "no webhook-id";
	if (!m->timestamp.p)
		return "no webhook-timestamp";
	if (!m->signature.p)
		return "no webhook-signature";
	why = check_timestamp(m->timestamp, now_ms);
	if (why)
		return why;
	buf_span(&head, m->id);
	buf_putc(&head, '.');
	buf_span(&head, m->timestamp);
	buf_putc(&head, '.');
	why = check_items(keys, n, buf_bytes(&head), m);
	buf_clear(&head);
	return why;
}
