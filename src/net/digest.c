/*
 * SHA-256 by libcrypto.
 */
#include "net/digest.h"

#include <openssl/sha.h>

void
digest_hex(struct span bytes, char *out, size_t n_digits)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char md[SHA256_DIGEST_LENGTH];
	size_t i;

	SHA256((const unsigned char *)bytes.p, bytes.len, md);
	for (i = 0; i < n_digits && i < DIGEST_HEX_BYTES; i++)
		out[i] = hex[i % 2 ? md[i / 2] & 15 : md[i / 2] >> 4];
}
