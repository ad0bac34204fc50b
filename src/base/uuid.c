/*
 * UUIDs.
 */
#include "base/uuid.h"

#include <errno.h>
#include <sys/random.h>

enum { RANDOM_BYTES = 10, MAX_HEX_BYTES = 64 };

static const char digits[] = "0123456789abcdef";

static int
get_random(void *p, size_t n)
{
	ssize_t got;

	do
		got = getrandom(p, n, 0);
	while (got < 0 && errno == EINTR);
	return got == (ssize_t)n ? 0 : -1; /* up to 256 bytes come whole */
}

static char *
put_hex(char *out, const unsigned char *p, unsigned n)
{
	while (n--) {
		*out++ = digits[*p >> 4];
		*out++ = digits[*p++ & 15];
	}
	return out;
}

int
uuid7(struct uuid_source *s, int64_t wall_ms, char out[UUID_BYTES])
{
	unsigned char u[16];
	int i;

	if (s->n < RANDOM_BYTES) {
		if (get_random(s->bits, sizeof(s->bits)) < 0)
			return -1;
		s->n = sizeof(s->bits);
	}
	for (i = 0; i < 6; i++)
		u[i] = (unsigned char)(wall_ms >> (40 - 8 * i));
	for (; i < 16; i++)
		u[i] = s->bits[--s->n];
	u[6] = (unsigned char)(0x70 | (u[6] & 0x0f)); /* version */
	u[8] = (unsigned char)(0x80 | (u[8] & 0x3f)); /* variant */
	out = put_hex(out, u, 4);
	for (i = 4; i < 10; i += 2) {
		*out++ = '-';
		out = put_hex(out, u + i, 2);
	}
	*out++ = '-';
	(void)put_hex(out, u + 10, 6);
	return 0;
}

int
random_hex(char *out, unsigned n)
{
	unsigned char bytes[MAX_HEX_BYTES];

	if (n > sizeof(bytes) || get_random(bytes, n) < 0)
		return -1;
	(void)put_hex(out, bytes, n);
	return 0;
}
