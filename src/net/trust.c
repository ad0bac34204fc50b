/*
 * The certificates that others' are verified by.
 */
#include "net/trust.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"

enum { AGAIN_MS = 3600 * 1000 };

struct trust {
	char *file;
	X509_STORE *store; /* NULL: not read yet */
	int64_t again_ms;
};

/* As libcurl has it: trusted ones first, and an intermediate one is enough. */
static X509_STORE *
read_store(const char *file)
{
	X509_STORE *store = X509_STORE_new();

	if (store && X509_STORE_load_file(store, file) == 1 &&
	    X509_STORE_set_flags(store, X509_V_FLAG_TRUSTED_FIRST |
	    X509_V_FLAG_PARTIAL_CHAIN) == 1)
		return store;
	X509_STORE_free(store);
	return NULL;
}

struct trust *
trust_new(const char *file)
{
	struct trust *t = alloc_zero(1, sizeof(*t));

	t->file = alloc_copy(file, strlen(file));
	return t;
}

void
trust_free(struct trust *t)
{
	if (!t)
		return;
	X509_STORE_free(t->store);
	free(t->file);
	free(t);
}

int
trust_give(struct trust *t, void *ssl_ctx)
{
	int64_t now_ms = clock_mono_ms();

	if (!t->store || now_ms >= t->again_ms) {
		X509_STORE *store = read_store(t->file);

		t->again_ms = now_ms + AGAIN_MS;
		if (store) {
			X509_STORE_free(t->store);
			t->store = store;
		}
	}
	if (!t->store)
		return -1;
	SSL_CTX_set1_cert_store(ssl_ctx, t->store);
	return 0;
}
