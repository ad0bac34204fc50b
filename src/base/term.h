/*
 * The terminal that a table or a progress line is for.
 */
#ifndef BASE_TERM_H
#define BASE_TERM_H

#include <locale.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

struct term {
	size_t columns; /* $COLUMNS, else the terminal's own, else 80 */
	bool colour;    /* a terminal that is not dumb, and no $NO_COLOR */
	locale_t utf8;  /* for the widths of characters */
};

void term_open(struct term *, int fd);
void term_close(struct term *);

/*
 * Bytes of the character at s.p and in *columns what it takes: none if it
 * stands on the one before it, two if it is as wide as a Chinese one. The text
 * is UTF-8 without control characters; s.len is not 0.
 */
size_t term_character(const struct term *, struct span s, size_t *columns);

/* Columns that the text takes. */
size_t term_width(const struct term *, struct span);

#endif
