/*
 * The inner loop of the reader: find the end of the plain run in a string.
 * SSE2 and NEON are part of every x86-64 and AArch64 machine; the portable
 * path takes eight bytes at a time. JSON_PORTABLE forces the latter, and the
 * tests compare the two.
 */
#ifndef JSON_SCAN_H
#define JSON_SCAN_H

#include <stdint.h>
#include <string.h>

#if defined(__SSE2__) && !defined(JSON_PORTABLE)
#define SCAN_SSE2
#include <emmintrin.h>
#elif defined(__aarch64__) && !defined(JSON_PORTABLE)
#define SCAN_NEON
#include <arm_neon.h>
#endif

enum { SCAN_BYTES = 16 }; /* how far beyond its end a scan may read */

/*
 * First byte from p on that is a quote, a backslash, below 0x20 or above 0x7f.
 * There must be one before the end of readable memory less SCAN_BYTES.
 */
static inline const char *
scan_plain(const char *p)
{
#if defined(SCAN_SSE2)
	const __m128i quote = _mm_set1_epi8('"');
	const __m128i slash = _mm_set1_epi8('\\');
	const __m128i space = _mm_set1_epi8(0x20);

	for (;; p += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		/* Signed: bytes from 0x80 on are below 0x20, too. */
		__m128i bad = _mm_or_si128(_mm_cmplt_epi8(v, space),
		    _mm_or_si128(_mm_cmpeq_epi8(v, quote),
		        _mm_cmpeq_epi8(v, slash)));
		int mask = _mm_movemask_epi8(bad);

		if (mask)
			return p + __builtin_ctz((unsigned)mask);
	}
#elif defined(SCAN_NEON)
	for (;; p += 16) {
		uint8x16_t v = vld1q_u8((const uint8_t *)p);
		uint8x16_t bad = vorrq_u8(
		    vorrq_u8(vceqq_u8(v, vdupq_n_u8('"')),
		        vceqq_u8(v, vdupq_n_u8('\\'))),
		    vcltq_s8(vreinterpretq_s8_u8(v), vdupq_n_s8(0x20)));
		uint64_t mask = vget_lane_u64(vreinterpret_u64_u8(
		    vshrn_n_u16(vreinterpretq_u16_u8(bad), 4)), 0);

		if (mask)
			return p + (__builtin_ctzll(mask) >> 2);
	}
#else
	for (;; p += 8) {
		const uint64_t ones = 0x0101010101010101u, high = ones * 0x80;
		uint64_t v, quote, slash;
		int i;

		memcpy(&v, p, 8);
		quote = v ^ ones * '"';
		slash = v ^ ones * '\\';
		/* May flag too much, never too little: then look by byte. */
		if (!((v | (v - ones * 0x20) | (quote - ones) | (slash - ones)) &
		    high))
			continue;
		for (i = 0; i < 8; i++) {
			unsigned char c = (unsigned char)p[i];

			if (c == '"' || c == '\\' || c < 0x20 || c > 0x7f)
				return p + i;
		}
	}
#endif
}

/* The same, but stops at end and reads nothing beyond it. */
static inline const char *
scan_plain_bounded(const char *p, const char *end)
{
#if defined(SCAN_SSE2)
	while (end - p >= 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		int mask = _mm_movemask_epi8(
		    _mm_or_si128(_mm_cmplt_epi8(v, _mm_set1_epi8(0x20)),
		        _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
		            _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')))));

		if (mask)
			return p + __builtin_ctz((unsigned)mask);
		p += 16;
	}
#endif
	while (p < end) {
		unsigned char c = (unsigned char)*p;

		if (c == '"' || c == '\\' || c < 0x20 || c > 0x7f)
			break;
		p++;
	}
	return p;
}

#endif
