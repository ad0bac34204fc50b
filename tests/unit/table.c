/*
 * Tables: as wide as what is in them, cut to fit, wide characters counted.
 */
#include "base/table.h"

#include <assert.h>
#include <stdio.h>

static const char *const heads[] = { "ID", "NAME", "TEXT", NULL };

/* A cell that begins with '!' is a bad one. */
static void
check(size_t columns, bool colour, const char *const *cells, const char *want)
{
	struct out out;
	struct table t;
	struct term term;

	unsetenv("COLUMNS");
	term_open(&term, -1);
	assert(term.columns == 80 && !term.colour);
	term.columns = columns;
	term.colour = colour;
	out_open(&out, -1);
	table_open(&t, heads);
	for (; *cells; cells++)
		buf_puts(table_cell(&t, **cells == '!' ? TONE_BAD : TONE_PLAIN),
		    *cells);
	table_print(&t, &term, &out);
	if (strcmp(buf_str(&out.buf), want) != 0) {
		fprintf(stderr, "got:\n%swant:\n%s", buf_str(&out.buf),
		    want);
		assert(!"the table that is wanted");
	}
	table_close(&t);
	term_close(&term);
	out_close(&out);
}

static void
check_width(const char *text, size_t want)
{
	struct term term;

	term_open(&term, -1);
	assert(term_width(&term, span_of(text)) == want);
	term_close(&term);
}

int
main(void)
{
	static const char *const none[] = { NULL };
	static const char *const two[] = { "a", "one", "first", "bb", "two",
		"", NULL };
	static const char *const longs[] = { "identifier", "a-long-name",
		"a text that is longer", NULL };
	static const char *const wide[] = { "a", "日本語", "x", "b", "e\u0301te",
		"y", "c", "日本語日本", "z", NULL };
	static const char *const bad[] = { "a", "!b", "", NULL };

	check(80, false, none, "ID  NAME  TEXT\n");
	check(80, false, two, "ID  NAME  TEXT\na   one   first\nbb  two\n");
	check(36, false, longs, "ID          NAME         TEXT\n"
	    "identifier  a-long-name  a text tha…\n");
	check(28, false, longs, "ID          NAME     TEXT\n"
	    "identifier  a-long…  a text…\n");
	/* The first column is the last to be cut, none below six columns. */
	check(23, false, longs, "ID       NAME    TEXT\n"
	    "identi…  a-lon…  a tex…\n");
	check(1, false, longs, "ID      NAME    TEXT\n"
	    "ident…  a-lon…  a tex…\n");
	check(80, false, wide, "ID  NAME        TEXT\n"
	    "a   日本語      x\nb   e\u0301te         y\nc   日本語日本  z\n");
	/* A half of a wide character is none. */
	check(18, false, wide, "ID  NAME      TEXT\n"
	    "a   日本語    x\nb   e\u0301te       y\nc   日本語…   z\n");
	check(80, true, bad, "\033[1mID\033[0m  \033[1mNAME\033[0m  "
	    "\033[1mTEXT\033[0m\na   \033[31m!b\033[0m\n");
	check_width("", 0);
	check_width("plain", 5);
	check_width("é", 1);
	check_width("e\u0301", 1);
	check_width("한국", 4);
	check_width("🙂", 2);
	return 0;
}
