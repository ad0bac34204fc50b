/*
 * An error's text, filled below cmd/ and printed there (STYLE.md, the text 4).
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdarg.h>

enum { ERROR_BYTES = 512 };

struct error {
	char text[ERROR_BYTES];
};

/* Fill it, cut to fit. Returns -1, for `return error_set(…)`. */
int error_set(struct error *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
