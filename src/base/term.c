/*
 * The terminal. The C library knows the widths of characters, but only in a
 * locale whose encoding has them: one of UTF-8, whatever the user's is, since
 * that is what we write.
 */
#include "base/term.h"

#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "base/num.h"
#include "base/utf8.h"

enum { DEFAULT_COLUMNS = 80, MIN_COLUMNS = 20, MAX_COLUMNS = 10000 };

static size_t
columns_of(int fd)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	uint64_t n;

	if (columns && num_u64(span_of(columns), MIN_COLUMNS, MAX_COLUMNS,
	    &n) == 0)
		return (size_t)n;
	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col)
		return size.ws_col;
	return DEFAULT_COLUMNS;
}

/* no-color.org: any text but an empty one says no. */
static bool
wants_colour(int fd)
{
	const char *no = getenv("NO_COLOR"), *type = getenv("TERM");

	return !(no && *no) && type && *type && strcmp(type, "dumb") != 0 &&
	    isatty(fd);
}

void
term_open(struct term *t, int fd)
{
	*t = (struct term){ .columns = columns_of(fd),
		.colour = wants_colour(fd),
		.utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL) };
	if (!t->utf8) /* macOS until lately */
		t->utf8 = newlocale(LC_CTYPE_MASK, "en_US.UTF-8", NULL);
}

void
term_close(struct term *t)
{
	if (t->utf8)
		freelocale(t->utf8);
	t->utf8 = NULL;
}

size_t
term_character(const struct term *t, struct span s, size_t *columns)
{
	size_t len = utf8_len(s.p, s.len);
	locale_t before;
	int n;

	*columns = 1;
	if (len < 2 || !t->utf8)
		return len ? len : 1;
	before = uselocale(t->utf8);
	n = wcwidth((wchar_t)utf8_decode(s.p, len));
	uselocale(before);
	if (n >= 0)
		*columns = (size_t)n;
	return len;
}

size_t
term_width(const struct term *t, struct span s)
{
	size_t width = 0, i, n;

	for (i = 0; i < s.len; width += n)
		i += term_character(t, (struct span){ s.p + i, s.len - i }, &n);
	return width;
}
