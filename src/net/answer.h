/*
 * The head of an answer (RFC 9112), line by line: what its status is, whether
 * its length is beyond doubt, whether it stays within its cap. Pure: bytes in,
 * verdict out.
 */
#ifndef NET_ANSWER_H
#define NET_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "net/http.h"

enum { ANSWER_RETRY_AFTER_BYTES = 40 }; /* an HTTP-date has 29 */

/* All zeros before the first line. */
struct answer {
	int status;        /* of the last status line */
	bool complete;     /* the head of a final answer, 200 to 999 */
	bool chunked, sized;
	uint64_t length;   /* Content-Length, if sized */
	char retry_after[ANSWER_RETRY_AFTER_BYTES]; /* "": none that fits */
	enum http_wish wish;
	size_t head_bytes; /* all lines, interim answers and trailers too */
	enum http_failure refused; /* HTTP_ANSWERED: not refused */
	const char *why;           /* static text, if refused */
};

/*
 * The next line, with its line end; the empty one ends a head. 0, or -1 with
 * refused and why set: more lines must not follow.
 */
int answer_line(struct answer *, struct span line);

extern const char ANSWER_NOT_HTTP1[], ANSWER_HEAD_TOO_LARGE[];

#endif
