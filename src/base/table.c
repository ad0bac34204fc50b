/*
 * A table for people.
 */
#include "base/table.h"

#include <assert.h>

#include "base/alloc.h"

enum { GAP = 2, MIN_WIDTH = 6 };

static const char mark[] = "…"; /* where a text was cut */

void
table_open(struct table *t, const char *const *heads)
{
	*t = (struct table){ .heads = heads };
	while (heads[t->n_columns])
		t->n_columns++;
	assert(t->n_columns <= TABLE_MAX_COLUMNS);
}

void
table_close(struct table *t)
{
	free(t->cells);
	buf_clear(&t->text);
	*t = (struct table){ 0 };
}

struct buf *
table_cell(struct table *t, enum tone tone)
{
	t->cells = alloc_grow(t->cells, &t->cap_cells, t->n_cells + 1,
	    sizeof(*t->cells));
	t->cells[t->n_cells++] = (struct table_cell){ t->text.len, tone };
	return &t->text;
}

static struct span
text_of(const struct table *t, size_t cell)
{
	size_t at = t->cells[cell].at;
	size_t end = cell + 1 < t->n_cells ? t->cells[cell + 1].at :
	    t->text.len;

	return (struct span){ t->text.p + at, end - at };
}

/* Take from the widest column until all fit; from the first one last. */
static void
fit(const struct table *t, size_t *width, size_t room)
{
	for (;;) {
		size_t sum = width[0] + GAP * (t->n_columns - 1), i;
		size_t widest = t->n_columns > 1;

		for (i = 1; i < t->n_columns; i++) {
			sum += width[i];
			if (width[i] > width[widest])
				widest = i;
		}
		if (width[widest] <= MIN_WIDTH)
			widest = 0;
		if (sum <= room || width[widest] <= MIN_WIDTH)
			return;
		width[widest]--;
	}
}

static void
measure(const struct table *t, const struct term *term, size_t *width)
{
	size_t i;

	for (i = 0; i < t->n_columns; i++)
		width[i] = t->width[i] ? t->width[i] :
		    term_width(term, span_of(t->heads[i]));
	for (i = 0; i < t->n_cells; i++) {
		size_t n = term_width(term, text_of(t, i));

		if (n > width[i % t->n_columns])
			width[i % t->n_columns] = n;
	}
	fit(t, width, term->columns);
}

/* As much as fits, and the mark if that is not all; how wide that is. */
static size_t
put_text(struct buf *b, const struct term *term, struct span s, size_t width)
{
	bool whole = term_width(term, s) <= width;
	size_t room = whole ? width : width - 1, used = 0, n;

	while (s.len) {
		size_t len = term_character(term, s, &n);

		if (used + n > room)
			break;
		used += n;
		buf_add(b, s.p, len);
		s.p += len;
		s.len -= len;
	}
	if (whole)
		return used;
	buf_puts(b, mark);
	return used + 1;
}

static void
put_cell(struct buf *b, const struct term *term, struct span s, size_t width,
    const char *style)
{
	size_t used;

	if (*style)
		buf_puts(b, style);
	used = put_text(b, term, s, width);
	if (*style)
		buf_puts(b, "\033[0m");
	for (; used < width + GAP; used++)
		buf_putc(b, ' ');
}

static const char *
style_of(const struct term *term, enum tone tone)
{
	static const char *const styles[] = {
		[TONE_PLAIN] = "", [TONE_GOOD] = "\033[32m",
		[TONE_BAD] = "\033[31m", [TONE_FAINT] = "\033[2m",
	};

	return term->colour ? styles[tone] : "";
}

static void
end_row(struct out *out)
{
	while (out->buf.len && out->buf.p[out->buf.len - 1] == ' ')
		out->buf.len--;
	(void)out_end_line(out);
}

void
table_print(struct table *t, const struct term *term, struct out *out)
{
	size_t *width = t->width, i;
	bool headed = width[0] > 0;

	measure(t, term, width);
	for (i = 0; !headed && i < t->n_columns; i++)
		put_cell(&out->buf, term, span_of(t->heads[i]), width[i],
		    term->colour ? "\033[1m" : "");
	if (!headed)
		end_row(out);
	for (i = 0; i < t->n_cells; i++) {
		put_cell(&out->buf, term, text_of(t, i), width[i % t->n_columns],
		    style_of(term, t->cells[i].tone));
		if ((i + 1) % t->n_columns == 0)
			end_row(out);
	}
	t->n_cells = t->text.len = 0;
}
