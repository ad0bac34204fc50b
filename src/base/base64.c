/*
 * Base64.
 */
#include "base/base64.h"

void
base64_put(struct buf *b, struct span s)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                          "abcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t i;

	for (i = 0; i < s.len; i += 3) {
		size_t n = s.len - i < 3 ? s.len - i : 3, j;
		uint32_t w = 0;
		char out[4];

		for (j = 0; j < 3; j++)
			w = w << 8 | (j < n ? (unsigned char)s.p[i + j] : 0);
		for (j = 0; j < 4; j++)
			out[j] = j <= n ? set[w >> (18 - 6 * j) & 63] : '=';
		buf_add(b, out, 4);
	}
}

static int
digit_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int
base64_get(struct buf *b, struct span text)
{
	size_t before = b->len, n_digits = text.len, i;
	uint32_t w = 0;

	while (n_digits && text.len - n_digits < 2 &&
	    text.p[n_digits - 1] == '=')
		n_digits--;
	/* One digit is no byte; bits that no byte has would be lost. */
	if (n_digits % 4 == 1 || (n_digits < text.len && text.len % 4))
		return -1;
	for (i = 0; i < n_digits; i++) {
		int digit = digit_of(text.p[i]);

		if (digit < 0)
			goto bad;
		w = w << 6 | (uint32_t)digit;
		if (i % 4)
			buf_putc(b, (char)(w >> (6 - 2 * (i % 4)) & 255));
	}
	if ((n_digits % 4 == 2 && w & 15) || (n_digits % 4 == 3 && w & 3))
		goto bad;
	return 0;
bad:
	b->len = before;
	return -1;
}
