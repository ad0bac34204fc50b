/*
 * Options.
 */
#include "cmd/option.h"

#include <ctype.h>

#include "base/nearest.h"
#include "base/num.h"

enum { SHOWN_BYTES = 64 };

/* Its name, without what is behind '='; NULL: not a long option. */
static const char *
long_name(const char *arg, size_t *len)
{
	if (strncmp(arg, "--", 2) != 0)
		return NULL;
	*len = strcspn(arg + 2, "=");
	return arg + 2;
}

/* "--re" begins several: name them. false if it begins none. */
static bool
put_candidates(struct buf *b, struct span begin, const struct option *options)
{
	bool any = false;

	for (; options->name; options++) {
		if (strncmp(options->name, begin.p, begin.len) != 0)
			continue;
		buf_printf(b, "%s--%s", any ? ", " : " may be ",
		    options->name);
		any = true;
	}
	return any;
}

static void
put_unknown_long(struct buf *b, struct span name, const struct option *options)
{
	struct nearest near;

	buf_puts(b, "option '--");
	diag_foreign(b, name, SHOWN_BYTES);
	buf_putc(b, '\'');
	if (put_candidates(b, name, options))
		return;
	buf_puts(b, " is unknown");
	nearest_open(&near, name);
	for (; options->name; options++)
		nearest_offer(&near, span_of(options->name));
	nearest_put(&near, "--", b);
}

/*
 * getopt_long returned '?'. optopt is 0 for a long option that is unknown, else
 * the letter, or the long option's value: its argument is wrong.
 */
static void
put_reason(struct buf *b, char *arg, const char *letters,
    const struct option *options)
{
	bool is_letter = optopt < OPT_MAX_LINE;
	bool known = is_letter && isalpha(optopt) && strchr(letters, optopt);
	struct span name = { 0 };

	name.p = long_name(arg, &name.len);
	if (optopt == 0 && name.p) {
		put_unknown_long(b, name, options);
	} else if (is_letter && !known) {
		char c = (char)optopt;

		buf_puts(b, "option '-");
		diag_foreign(b, (struct span){ &c, 1 }, SHOWN_BYTES);
		buf_puts(b, "' is unknown");
	} else if (!name.p) {
		buf_printf(b, "option '-%c' needs an argument", optopt);
	} else {
		buf_puts(b, "option '--");
		diag_foreign(b, name, SHOWN_BYTES);
		buf_puts(b, name.p[name.len] ? "' takes no argument" :
		    "' needs an argument");
	}
}

int
option_next(const struct stage *s, int argc, char **argv, const char *letters,
    const struct option *options)
{
	struct buf b = { 0 };
	int c;

	opterr = 0;
	c = getopt_long(argc, argv, letters, options, NULL);
	if (c == '?') {
		put_reason(&b, argv[optind - 1], letters, options);
		diag_print(&s->diag, DIAG_ERROR, "%s", buf_str(&b));
		buf_clear(&b);
	}
	return c;
}

int64_t
option_duration(struct stage *s, const char *option, const char *arg,
    int64_t min_ms, int64_t max_ms)
{
	int64_t ms;

	if (num_duration(span_of(arg), max_ms, &ms) < 0 || ms < min_ms)
		stage_die(s, EX_SETUP, "--%s '%s' is no time from %lld ms to "
		    "%lld s, such as 500ms or 10s", option, arg,
		    (long long)min_ms, (long long)max_ms / 1000);
	return ms;
}
