/*
 * A table for people: its columns are as wide as what is in them, and cut where
 * the terminal is narrower than all of them. What the first column holds, people
 * copy: it is cut last.
 */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include "base/buf.h"
#include "base/out.h"
#include "base/term.h"

enum tone { TONE_PLAIN, TONE_GOOD, TONE_BAD, TONE_FAINT };

enum {
	TABLE_MAX_COLUMNS = 16,
	TABLE_CELL_BYTES = 1024, /* wider than any terminal */
};

struct table {
	const char *const *heads; /* NULL ends them */
	size_t n_columns;
	struct table_cell {
		size_t at; /* in the text */
		enum tone tone;
	} *cells;
	size_t n_cells, cap_cells;
	struct buf text;
	/* As printed so far; a head of no width was not. */
	size_t width[TABLE_MAX_COLUMNS];
};

/* heads: names of the columns; NULL ends them. They must outlive the table. */
void table_open(struct table *, const char *const *heads);
void table_close(struct table *);

/*
 * The next cell, row by row: add its text, which has no control characters (see
 * diag_foreign), and little more than TABLE_CELL_BYTES of it.
 */
struct buf *table_cell(struct table *, enum tone);

/*
 * Print head and rows, and forget the rows. Further ones go on below, in columns
 * as wide at least. A failure is out's.
 */
void table_print(struct table *, const struct term *, struct out *);

#endif
