/*
 * Signatures of requests: Standard Webhooks 1.0.0, v1 (HMAC-SHA256) and v1a
 * (Ed25519), over ID "." TIMESTAMP "." BODY, the very bytes that are sent. No
 * reason that is given here holds a secret, and what held one is wiped.
 */
#ifndef NET_SIGN_H
#define NET_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

enum {
	SIGN_MIN_KEY_BYTES = 24, /* of v1, says the standard; others have */
	SIGN_MAX_KEY_BYTES = 64, /* shorter ones, which are taken too */
	SIGN_TOLERANCE_S = 300,  /* of a timestamp, as the libraries have it */
	SIGN_FINGERPRINT_BYTES = 13,
};

/* A secret or public key, ready for use. */
struct sign_key;

/*
 * "whsec_BASE64" or BASE64 (v1), "whsk_BASE64" (v1a), "whpk_BASE64" (v1a, to
 * verify alone). NULL with the reason.
 */
struct sign_key *sign_key_new(struct span text, struct error *);
void sign_key_free(struct sign_key *);

const char *sign_key_version(const struct sign_key *); /* "v1" or "v1a" */
bool sign_key_signs(const struct sign_key *);
size_t sign_key_bytes(const struct sign_key *); /* of v1 */

/* Names a key without telling it: leading digits of its SHA-256. */
void sign_key_fingerprint(const struct sign_key *,
    char out[SIGN_FINGERPRINT_BYTES]);

/* A new secret of that version, as text; and the public key of a v1a one. */
int sign_generate(bool v1a, struct buf *secret, struct error *);
int sign_public(const struct sign_key *, struct buf *text);

/* The keys that sign a webhook's requests, the current one first. */
struct signer;

struct signer *signer_new(void);
void signer_free(struct signer *); /* and its keys; NULL is fine */
/* Take over a key that signs until then (wall ms; 0: no end). */
void signer_add(struct signer *, struct sign_key *, int64_t until_ms);

/*
 * Replace *fields by webhook-id, webhook-timestamp and webhook-signature as
 * they are sent, each line with a NUL behind it. An id with other characters
 * than [A-Za-z0-9_-] is replaced by its hash: what is signed must not be
 * readable in two ways. 0, or -1 with the error (libcrypto failed, or no key
 * is valid any more).
 */
int signer_put(struct signer *, struct buf *fields, struct span id,
    struct span body, int64_t now_ms, struct error *);

enum { SIGNER_FIELDS = 3 };

/* What a receiver got. */
struct signed_message {
	struct span id, timestamp, signature; /* p is NULL: no such header */
	struct span body;
};

/* NULL: one of the keys verifies it. Otherwise why not, for people. */
const char *sign_verify(struct sign_key *const *, size_t n,
    const struct signed_message *, int64_t now_ms);

/* Overwrite what held a secret. */
void sign_wipe(void *, size_t);

#endif
