/*
 * libcrypto, for a program of which few runs need it: loading it takes longer than
 * all the rest of a start (6,400 relocations, 0.8 ms). The functions are those that
 * net/ uses.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include "lazy/lazy.h"

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
#define LIBRARY "libcrypto.so." TEXT(OPENSSL_SHLIB_VERSION)

static void *library;

LAZY(int, CRYPTO_memcmp, (const void *a, const void *b, size_t n), a, b, n)
LAZY(int, RAND_bytes, (unsigned char *p, int n), p, n)
LAZY(void, ERR_clear_error, (void))

/* A copy of what it wipes need not wake the library. */
void
OPENSSL_cleanse(void *p, size_t n)
{
	volatile unsigned char *at = p;

	while (n--)
		*at++ = 0;
}

LAZY(OSSL_PARAM, OSSL_PARAM_construct_end, (void))
LAZY(OSSL_PARAM, OSSL_PARAM_construct_utf8_string,
    (const char *key, char *p, size_t n), key, p, n)

LAZY(EVP_MAC *, EVP_MAC_fetch,
    (OSSL_LIB_CTX *lib, const char *name, const char *properties), lib, name,
    properties)
LAZY(void, EVP_MAC_free, (EVP_MAC *m), m)
LAZY(EVP_MAC_CTX *, EVP_MAC_CTX_new, (EVP_MAC *m), m)
LAZY(void, EVP_MAC_CTX_free, (EVP_MAC_CTX *c), c)
LAZY(int, EVP_MAC_init, (EVP_MAC_CTX *c, const unsigned char *key, size_t n,
    const OSSL_PARAM params[]), c, key, n, params)
LAZY(int, EVP_MAC_update, (EVP_MAC_CTX *c, const unsigned char *p, size_t n),
    c, p, n)
LAZY(int, EVP_MAC_final, (EVP_MAC_CTX *c, unsigned char *p, size_t *n,
    size_t max), c, p, n, max)

LAZY(EVP_MD_CTX *, EVP_MD_CTX_new, (void))
LAZY(void, EVP_MD_CTX_free, (EVP_MD_CTX *c), c)
LAZY(int, EVP_DigestSignInit, (EVP_MD_CTX *c, EVP_PKEY_CTX **key,
    const EVP_MD *type, ENGINE *e, EVP_PKEY *k), c, key, type, e, k)
LAZY(int, EVP_DigestSign, (EVP_MD_CTX *c, unsigned char *sig, size_t *len,
    const unsigned char *p, size_t n), c, sig, len, p, n)
LAZY(int, EVP_DigestVerifyInit, (EVP_MD_CTX *c, EVP_PKEY_CTX **key,
    const EVP_MD *type, ENGINE *e, EVP_PKEY *k), c, key, type, e, k)
LAZY(int, EVP_DigestVerify, (EVP_MD_CTX *c, const unsigned char *sig,
    size_t len, const unsigned char *p, size_t n), c, sig, len, p, n)

/* Of the types of keys that take no further argument. */
LAZY(EVP_PKEY *, EVP_PKEY_Q_keygen,
    (OSSL_LIB_CTX *lib, const char *properties, const char *type, ...), lib,
    properties, type)
LAZY(void, EVP_PKEY_free, (EVP_PKEY *k), k)
LAZY(EVP_PKEY *, EVP_PKEY_new_raw_private_key, (int type, ENGINE *e,
    const unsigned char *p, size_t n), type, e, p, n)
LAZY(EVP_PKEY *, EVP_PKEY_new_raw_public_key, (int type, ENGINE *e,
    const unsigned char *p, size_t n), type, e, p, n)
LAZY(int, EVP_PKEY_get_raw_private_key, (const EVP_PKEY *k, unsigned char *p,
    size_t *n), k, p, n)
LAZY(int, EVP_PKEY_get_raw_public_key, (const EVP_PKEY *k, unsigned char *p,
    size_t *n), k, p, n)

LAZY(BIO *, BIO_new_mem_buf, (const void *p, int n), p, n)
LAZY(int, BIO_free, (BIO *b), b)
LAZY(X509 *, PEM_read_bio_X509, (BIO *b, X509 **x, pem_password_cb *cb,
    void *ctx), b, x, cb, ctx)
LAZY(EVP_PKEY *, PEM_read_bio_PrivateKey, (BIO *b, EVP_PKEY **k,
    pem_password_cb *cb, void *ctx), b, k, cb, ctx)
LAZY(int, X509_check_private_key, (const X509 *x, const EVP_PKEY *k), x, k)
LAZY(const ASN1_TIME *, X509_get0_notAfter, (const X509 *x), x)
LAZY(void, X509_free, (X509 *x), x)
LAZY(int, ASN1_TIME_to_tm, (const ASN1_TIME *t, struct tm *tm), t, tm)
