/*
 * A line that says how far the work has come.
 */
#include "cmd/progress.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/out.h"
#include "base/term.h"

enum {
	FIRST_MS = 1000,    /* shorter work says nothing */
	LIVE_MS = 200,
	LINE_MS = 10 * 1000,
	RATE_MS = 2000,     /* the rate is that of so long, and up to twice */
};

static const char erase[] = "\r\033[K";

static bool
can_erase(void)
{
	const char *type = getenv("TERM");

	return isatty(STDERR_FILENO) && type && *type &&
	    strcmp(type, "dumb") != 0;
}

void
progress_start(struct progress *p, bool from_files)
{
	p->live = can_erase();
	p->on = p->wish == PROGRESS_ON || (p->wish == PROGRESS_AUTO &&
	    p->live && from_files && !isatty(STDOUT_FILENO));
	if (!p->on)
		return;
	p->start_ms = p->mark_ms = clock_coarse_ms();
	p->due_ms = p->start_ms + (p->live ? FIRST_MS : LINE_MS);
}

bool
progress_is_due(const struct progress *p)
{
	return p->on && clock_coarse_ms() >= p->due_ms;
}

static uint64_t
rate(uint64_t n, int64_t ms)
{
	return ms > 0 ? (uint64_t)((double)n * 1000 / (double)ms) : 0;
}

/* "0:05", "1:02:03" */
static void
put_time(struct buf *b, int64_t ms)
{
	int64_t s = ms / 1000;

	if (s >= 3600)
		buf_printf(b, "%lld:%02lld", (long long)s / 3600,
		    (long long)s / 60 % 60);
	else
		buf_printf(b, "%lld", (long long)s / 60);
	buf_printf(b, ":%02lld", (long long)s % 60);
}

static void
put_counts(struct buf *b, const struct progress *p, const struct diag *d,
    uint64_t n, uint64_t a_second)
{
	buf_printf(b, "%s: %llu records, %llu/s", d->program,
	    (unsigned long long)n, (unsigned long long)a_second);
	if (p->n_rejected)
		buf_printf(b, ", %llu rejected",
		    (unsigned long long)p->n_rejected);
}

static void
write_line(struct progress *p, struct diag *d, struct buf *text, bool last)
{
	struct buf b = { 0 };
	struct term term;

	if (p->live) {
		term_open(&term, STDERR_FILENO);
		if (text->len >= term.columns)
			text->len = term.columns - 1;
		term_close(&term);
		buf_puts(&b, erase);
		d->erase = last ? NULL : erase;
	}
	buf_span(&b, buf_bytes(text));
	if (last || !p->live)
		buf_putc(&b, '\n');
	(void)out_write_all(STDERR_FILENO, b.p, b.len);
	p->shown = true;
	buf_clear(&b);
}

void
progress_show(struct progress *p, struct diag *d, uint64_t n, double part)
{
	int64_t now_ms = clock_coarse_ms(), elapsed_ms = now_ms - p->start_ms;
	struct buf b = { 0 };

	put_counts(&b, p, d, n, rate(n - p->mark_n, now_ms - p->mark_ms));
	if (part >= 0)
		buf_printf(&b, ", %d %%", (int)(part * 100));
	buf_puts(&b, ", ");
	put_time(&b, elapsed_ms);
	if (part > 0) {
		buf_puts(&b, ", ");
		put_time(&b, (int64_t)((double)elapsed_ms * (1 - part) / part));
		buf_puts(&b, " left");
	}
	write_line(p, d, &b, false);
	if (now_ms - p->mark_ms >= RATE_MS) {
		p->mark_ms = now_ms;
		p->mark_n = n;
	}
	p->due_ms = now_ms + (p->live ? LIVE_MS : LINE_MS);
	buf_clear(&b);
}

void
progress_end(struct progress *p, struct diag *d, uint64_t n)
{
	int64_t elapsed_ms = clock_coarse_ms() - p->start_ms;
	struct buf b = { 0 };

	if (p->on && (p->shown || p->wish == PROGRESS_ON)) {
		put_counts(&b, p, d, n, rate(n, elapsed_ms));
		buf_puts(&b, ", ");
		put_time(&b, elapsed_ms);
		write_line(p, d, &b, true);
	}
	p->on = false;
	buf_clear(&b);
}
