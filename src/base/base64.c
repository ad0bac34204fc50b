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
