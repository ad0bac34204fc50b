/*
 * The name that was meant.
 */
#include "base/nearest.h"

#include "base/diag.h"

enum { BYTES_AN_EDIT = 3 };

void
nearest_open(struct nearest *n, struct span word)
{
	size_t allowed = word.len / BYTES_AN_EDIT;

	/* Of a single byte one edit would leave nothing. */
	if (allowed == 0 && word.len > 1)
		allowed = 1;
	*n = (struct nearest){ .word = word, .edits = allowed + 1 };
}

static int
fold(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static size_t
min(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * The table of the distances between all beginnings of both, of which three
 * rows are kept: for i bytes of a, then for i - 1 and i - 2.
 */
static size_t
distance(struct span a, struct span b)
{
	size_t rows[3][NEAREST_MAX_BYTES + 1], i, k;

	for (k = 0; k <= b.len; k++)
		rows[0][k] = k;
	for (i = 1; i <= a.len; i++) {
		size_t *row = rows[i % 3], *above = rows[(i + 2) % 3];
		const size_t *two_above = rows[(i + 1) % 3];

		row[0] = i;
		for (k = 1; k <= b.len; k++) {
			int x = fold(a.p[i - 1]), y = fold(b.p[k - 1]);

			row[k] = min(above[k - 1] + (x != y),
			    min(above[k], row[k - 1]) + 1);
			if (i > 1 && k > 1 && x == fold(b.p[k - 2]) &&
			    y == fold(a.p[i - 2]))
				row[k] = min(row[k], two_above[k - 2] + 1);
		}
	}
	return rows[a.len % 3][b.len];
}

static size_t
difference(size_t a, size_t b)
{
	return a > b ? a - b : b - a;
}

void
nearest_offer(struct nearest *n, struct span name)
{
	struct span w = n->word;
	size_t edits;

	if (w.len > NEAREST_MAX_BYTES || name.len > NEAREST_MAX_BYTES)
		return;
	if (w.len >= BYTES_AN_EDIT && name.len > w.len &&
	    memcmp(name.p, w.p, w.len) == 0)
		edits = 1;
	else if (difference(name.len, w.len) >= n->edits)
		return;
	else
		edits = distance(w, name);
	if (edits >= n->edits)
		return;
	n->best = name;
	n->edits = edits;
}

void
nearest_put(const struct nearest *n, const char *begin, struct buf *b)
{
	if (n->best.len == 0)
		return;
	buf_printf(b, "; did you mean '%s", begin);
	diag_foreign(b, n->best, NEAREST_MAX_BYTES);
	buf_puts(b, "'?");
}
