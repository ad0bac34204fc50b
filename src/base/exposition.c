/*
 * Metrics as text.
 */
#include "base/exposition.h"

#include "base/utf8.h"

static const struct {
	int64_t us;
	const char *le; /* in seconds */
} bounds[HISTOGRAM_BOUNDS] = {
	{ 1000, "0.001" }, { 2500, "0.0025" }, { 5000, "0.005" },
	{ 10000, "0.01" }, { 25000, "0.025" }, { 50000, "0.05" },
	{ 100000, "0.1" }, { 250000, "0.25" }, { 500000, "0.5" },
	{ 1000000, "1" }, { 2500000, "2.5" }, { 5000000, "5" },
	{ 10000000, "10" }, { 30000000, "30" }, { 60000000, "60" },
};

void
histogram_add(struct histogram *h, int64_t us)
{
	size_t i = 0;

	while (i < HISTOGRAM_BOUNDS && us > bounds[i].us)
		i++;
	h->counts[i]++;
	h->sum_us += us > 0 ? (uint64_t)us : 0;
}

void
exposition_clear(struct exposition *x)
{
	buf_clear(&x->text);
	buf_clear(&x->labels);
}

void
exposition_common(struct exposition *x)
{
	x->n_common = x->labels.len;
}

/* Backslash and line feed are escaped everywhere, the quote in labels. */
static void
put_escaped(struct buf *b, struct span s, const char *escaped)
{
	size_t i, n;

	for (i = 0; i < s.len; i += n) {
		n = utf8_len(s.p + i, s.len - i);
		if (n == 0) {
			buf_putc(b, '?');
			n = 1;
		} else if (s.p[i] == '\n') {
			buf_puts(b, "\\n");
		} else {
			if (s.p[i] && strchr(escaped, s.p[i]))
				buf_putc(b, '\\');
			buf_add(b, s.p + i, n);
		}
	}
}

void
exposition_family(struct exposition *x, const char *name,
    enum exposition_type type, const char *help)
{
	static const char *const names[] = { "counter", "gauge", "histogram" };

	x->name = name;
	buf_printf(&x->text, "# HELP %s ", name);
	put_escaped(&x->text, span_of(help), "\\");
	buf_printf(&x->text, "\n# TYPE %s %s\n", name, names[type]);
}

void
exposition_label(struct exposition *x, const char *name, struct span value)
{
	buf_printf(&x->labels, "%s%s=\"", x->labels.len ? "," : "", name);
	put_escaped(&x->labels, value, "\\\"");
	buf_putc(&x->labels, '"');
}

/* "name_suffix{labels,le="…"} " */
static void
put_head(struct exposition *x, const char *suffix, const char *le)
{
	struct buf *b = &x->text;

	buf_printf(b, "%s%s", x->name, suffix);
	if (x->labels.len || le) {
		buf_putc(b, '{');
		buf_span(b, buf_bytes(&x->labels));
		if (le)
			buf_printf(b, "%sle=\"%s\"", x->labels.len ? "," : "",
			    le);
		buf_putc(b, '}');
	}
	buf_putc(b, ' ');
}

static void
end_sample(struct exposition *x)
{
	x->labels.len = x->n_common;
}

static void
put_u64(struct exposition *x, uint64_t n)
{
	buf_u64(&x->text, n);
	buf_putc(&x->text, '\n');
}

static void
put_seconds(struct exposition *x, uint64_t us)
{
	buf_printf(&x->text, "%llu.%06llu\n", (unsigned long long)us / 1000000,
	    (unsigned long long)us % 1000000);
}

void
exposition_u64(struct exposition *x, uint64_t n)
{
	put_head(x, "", NULL);
	put_u64(x, n);
	end_sample(x);
}

void
exposition_seconds(struct exposition *x, int64_t us)
{
	put_head(x, "", NULL);
	put_seconds(x, us > 0 ? (uint64_t)us : 0);
	end_sample(x);
}

void
exposition_histogram(struct exposition *x, const struct histogram *h)
{
	uint64_t below = 0;
	size_t i;

	for (i = 0; i <= HISTOGRAM_BOUNDS; i++) {
		below += h->counts[i];
		put_head(x, "_bucket", i < HISTOGRAM_BOUNDS ? bounds[i].le :
		    "+Inf");
		put_u64(x, below);
	}
	put_head(x, "_sum", NULL);
	put_seconds(x, h->sum_us);
	put_head(x, "_count", NULL);
	put_u64(x, below);
	end_sample(x);
}
