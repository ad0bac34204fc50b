/*
 * SHA-256 by libmd: libcrypto would double the time that a filter takes to
 * start.
 */
#include "net/digest.h"

#include <sys/types.h>

#include <sha2.h>

void
digest_hex(struct span bytes, char *out, size_t n_digits)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char md[SHA256_DIGEST_LENGTH];
	SHA2_CTX ctx;
	size_t i;

	SHA256Init(&ctx);
	SHA256Update(&ctx, (const unsigned char *)bytes.p, bytes.len);
	SHA256Final(md, &ctx);
	for (i = 0; i < n_digits && i < DIGEST_HEX_BYTES; i++)
		out[i] = hex[i % 2 ? md[i / 2] & 15 : md[i / 2] >> 4];
}
