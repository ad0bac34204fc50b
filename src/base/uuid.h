/*
 * UUIDs that begin with their time: version 7 (RFC 9562 section 5.7).
 */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include <stdint.h>

enum { UUID_BYTES = 36 }; /* as text, without a NUL */

/* Random bits are taken from the system in pieces. Zeroed: none are held. */
struct uuid_source {
	unsigned char bits[240];
	unsigned n; /* bytes that are left */
};

/* Write one of this time. 0, or -1 with errno: no random bits. */
int uuid7(struct uuid_source *, int64_t wall_ms, char out[UUID_BYTES]);

/* n random bytes as 2 n hex digits, without a NUL. 0, or -1 with errno. */
int random_hex(char *out, unsigned n);

#endif
