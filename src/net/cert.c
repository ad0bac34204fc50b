/*
 * Certificates and keys, read by libcrypto.
 */
#include "net/cert.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

static const char BEGIN[] = "-----BEGIN ", END[] = "-----END ";

/* The next block of PEM, from its BEGIN to the end of its END line. */
static bool
next_block(struct span *rest, struct span *label, struct span *block)
{
	const char *limit = rest->p + rest->len, *at, *end;
	size_t i;

	for (i = 0; i + sizeof(BEGIN) <= rest->len &&
	    memcmp(rest->p + i, BEGIN, sizeof(BEGIN) - 1) != 0; i++)
		continue;
	if (i + sizeof(BEGIN) > rest->len)
		return false;
	at = rest->p + i;
	label->p = at + sizeof(BEGIN) - 1;
	end = memchr(label->p, '\n', (size_t)(limit - label->p));
	if (!end)
		return false;
	for (label->len = 0; label->p[label->len] != '-' &&
	    label->p + label->len < end; label->len++)
		continue;
	while (end && limit - end > (ptrdiff_t)sizeof(END) &&
	    memcmp(end + 1, END, sizeof(END) - 1) != 0)
		end = memchr(end + 1, '\n', (size_t)(limit - end - 1));
	if (!end || limit - end <= (ptrdiff_t)sizeof(END))
		return false;
	end = memchr(end + 1, '\n', (size_t)(limit - end - 1));
	end = end ? end + 1 : limit;
	*block = (struct span){ at, (size_t)(end - at) };
	*rest = (struct span){ end, (size_t)(limit - end) };
	return true;
}

static BIO *
bio_of(struct span pem)
{
	return pem.len > INT_MAX ? NULL : BIO_new_mem_buf(pem.p, (int)pem.len);
}

/* No terminal is asked for a passphrase. */
static int
no_passphrase(char *buf, int size, int writing, void *user)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)user;
	return -1;
}

static X509 *
read_certificate(struct span pem)
{
	BIO *bio = bio_of(pem);
	X509 *x = bio ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	return x;
}

static EVP_PKEY *
read_key(struct span pem)
{
	BIO *bio = bio_of(pem);
	EVP_PKEY *k = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase,
	    NULL) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	return k;
}

static int
check_certificate(struct span block, struct error *e)
{
	X509 *x = read_certificate(block);

	if (!x)
		return error_set(e, "holds a certificate that can't be read");
	X509_free(x);
	return 0;
}

static bool
is_key(struct span label)
{
	static const char key[] = "PRIVATE KEY";

	return label.len >= sizeof(key) - 1 && memcmp(label.p + label.len -
	    (sizeof(key) - 1), key, sizeof(key) - 1) == 0;
}

int
cert_check_ca(struct span pem, struct error *e)
{
	struct span label, block;
	size_t n = 0;

	for (; next_block(&pem, &label, &block); n++) {
		if (!span_eq(label, SPAN("CERTIFICATE")))
			return error_set(e, "holds more than certificates");
		if (check_certificate(block, e) != 0)
			return -1;
	}
	return n ? 0 : error_set(e, "holds no certificate (PEM)");
}

static int
check_pair(struct span certificate, struct span key, struct error *e)
{
	X509 *x = read_certificate(certificate);
	EVP_PKEY *k = read_key(key);
	int rc = 0;

	if (!k)
		rc = error_set(e, "the key can't be read, or has a "
		    "passphrase");
	else if (!x || X509_check_private_key(x, k) != 1)
		rc = error_set(e, "the key is not that of the first "
		    "certificate");
	X509_free(x);
	EVP_PKEY_free(k);
	ERR_clear_error();
	return rc;
}

int
cert_split(struct span pem, struct buf *certificate, struct buf *private_key,
    struct error *e)
{
	struct span label, block;

	/* Room for all, so that no key moves and leaves a copy behind. */
	(void)buf_room(private_key, pem.len + 1);
	while (next_block(&pem, &label, &block)) {
		if (span_eq(label, SPAN("CERTIFICATE"))) {
			if (check_certificate(block, e) != 0)
				return -1;
			buf_span(certificate, block);
		} else if (is_key(label)) {
			if (private_key->len)
				return error_set(e, "holds two keys");
			buf_span(private_key, block);
		}
	}
	if (!certificate->len)
		return error_set(e, "holds no certificate (PEM)");
	if (!private_key->len)
		return error_set(e, "holds no private key (PEM)");
	return check_pair(buf_bytes(certificate), buf_bytes(private_key), e);
}

int
cert_put_end(struct span pem, struct buf *b)
{
	X509 *x = read_certificate(pem);
	struct tm tm;
	int rc = x && ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1 ? 0 : -1;

	if (rc == 0)
		buf_printf(b, "%04d-%02d-%02dT%02d:%02d:%02dZ",
		    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
		    tm.tm_min, tm.tm_sec);
	X509_free(x);
	return rc;
}
