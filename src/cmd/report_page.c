/*
 * A report as a page.
 */
#include "cmd/report_page.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/diag.h"

enum {
	SHOWN_BYTES = 300,      /* of a foreign text */
	MAX_BARS = 60,
	MAX_LISTED = 200,       /* rows that want a look, before the fold */
	/* Of the charts, in their own units. */
	WIDTH = 720, HEIGHT = 200, LEFT = 64, RIGHT = 8, TOP = 10, BOTTOM = 26,
	PLOT_W = WIDTH - LEFT - RIGHT, PLOT_H = HEIGHT - TOP - BOTTOM,
	X_LABELS = 8,
};

#define HOUR_MS ((int64_t)3600 * 1000)

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
    "style-src 'unsafe-inline'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<title>evpipe: deliveries</title>\n<style>\n"
    ":root{--bg:#fff;--fg:#1b1f24;--soft:#57606a;--line:#d8dee4;--card:#f6f8fa;"
    "--ok:#1a7f5a;--fail:#9a5b00;--dead:#b3261e;--link:#0b5cad}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#0f1419;--fg:#e6e9ec;"
    "--soft:#9aa7b2;--line:#2b343d;--card:#171d24;--ok:#46b98f;--fail:#e0a545;"
    "--dead:#f2847b;--link:#7ab8f5}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;padding:1.5rem 1rem 3rem;max-width:62rem;"
    "background:var(--bg);color:var(--fg);"
    "font:16px/1.5 system-ui,sans-serif;font-variant-numeric:tabular-nums}\n"
    "h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2.5rem 0 .5rem}\n"
    "p{margin:.3rem 0}.soft,figcaption,caption,small{color:var(--soft)}\n"
    "caption,figcaption{text-align:left;font-size:.9rem;padding-bottom:.4rem}\n"
    "dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));"
    "gap:.75rem;margin:1.25rem 0 0}\n"
    "dl div{background:var(--card);border:1px solid var(--line);"
    "border-radius:8px;padding:.7rem .9rem}\n"
    "dt{color:var(--soft);font-size:.9rem}"
    "dd{margin:0;font-size:1.5rem;line-height:1.3}dd small{display:block;"
    "font-size:.85rem;line-height:1.4}\n"
    "figure{margin:0}svg{width:100%;height:auto;display:block;overflow:visible}\n"
    "svg text{fill:var(--soft);font:12px system-ui,sans-serif;"
    "font-variant-numeric:tabular-nums}\n"
    ".grid{stroke:var(--line);stroke-width:1}\n"
    ".ok{fill:var(--ok)}.fail{fill:url(#hatch)}.dead{fill:var(--dead)}\n"
    ".stroke{stroke:var(--fail);stroke-width:3}\n"
    ".p50,.p95,.p99{fill:none;stroke:var(--link);stroke-width:2.5;"
    "stroke-linejoin:round}.p95{stroke:var(--fail);stroke-dasharray:6 3}"
    ".p99{stroke:var(--dead);stroke-dasharray:2 3}\n"
    ".key{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;list-style:none;"
    "padding:0;margin:.2rem 0 .6rem;font-size:.9rem}.key li{display:flex;"
    "align-items:center;gap:.4rem}.key svg{width:26px;height:12px;flex:none}\n"
    "table{border-collapse:collapse;width:100%;font-size:.93rem}\n"
    "th,td{text-align:right;padding:.4rem .6rem;border-bottom:1px solid "
    "var(--line);vertical-align:top}\n"
    "th{font-weight:600;color:var(--soft)}"
    "th.t,td.t,tbody th{text-align:left}td.t small,tbody th small{"
    "font-weight:400;display:block;overflow-wrap:anywhere}\n"
    "tbody th{color:var(--fg);min-width:7rem;max-width:22rem;"
    "overflow-wrap:anywhere}td[data-l]{white-space:nowrap}"
    ".few{width:auto;min-width:min(100%,24rem)}\n"
    ".bad{color:var(--dead);font-weight:600}.warn{color:var(--fail);"
    "font-weight:600}\n"
    "details{margin:.8rem 0}summary{cursor:pointer;color:var(--link);"
    "padding:.3rem 0}:focus-visible{outline:3px solid var(--link);"
    "outline-offset:2px}\n"
    "@media(max-width:46rem){svg.chart text{font-size:19px}\n"
    ".rows,.rows caption,.rows tbody,.rows tr,.rows td,.rows th{display:block;"
    "width:auto}"
    ".rows thead{position:absolute;clip-path:inset(50%);width:1px;height:1px;"
    "overflow:hidden}"
    ".rows tr{border-bottom:1px solid var(--line);padding:.6rem 0}"
    ".rows th,.rows td{border:0;padding:.1rem 0;text-align:left;"
    "max-width:none}"
    ".rows td[data-l]{display:flex;justify-content:space-between;gap:1rem}"
    ".rows td[data-l]::before{content:attr(data-l);color:var(--soft)}"
    ".rows td[data-l]>span{text-align:right;white-space:normal}"
    ".rows td:empty{display:none}}\n"
    "@media print{body{max-width:none;padding:0}"
    "details::details-content{content-visibility:visible;display:block}"
    "tr,figure,dl div{break-inside:avoid}}\n"
    "</style>\n</head>\n<body>\n";

/* Text */

static void
put_escaped(struct buf *b, struct span s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		switch (s.p[i]) {
		case '&':
			buf_puts(b, "&amp;");
			break;
		case '<':
			buf_puts(b, "&lt;");
			break;
		case '>':
			buf_puts(b, "&gt;");
			break;
		case '"':
			buf_puts(b, "&quot;");
			break;
		case '\'':
			buf_puts(b, "&#39;");
			break;
		default:
			buf_putc(b, s.p[i]);
		}
}

/* Printable, escaped, and no neighbour of what turns the writing round. */
static void
put_foreign(struct buf *b, const char *text)
{
	struct buf shown = { 0 };

	diag_foreign(&shown, span_of(text), SHOWN_BYTES);
	buf_puts(b, "<bdi>");
	put_escaped(b, buf_bytes(&shown));
	buf_puts(b, "</bdi>");
	buf_clear(&shown);
}

/* 12,345 */
static void
put_number(struct buf *b, int64_t n)
{
	char digits[32];
	int len = snprintf(digits, sizeof(digits), "%" PRId64, n), i;

	for (i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0 && digits[i - 1] != '-')
			buf_putc(b, ',');
		buf_putc(b, digits[i]);
	}
}

/* 12k, for an axis */
static void
put_short(struct buf *b, int64_t n)
{
	if (n >= 1000 * 1000)
		buf_printf(b, "%gM", (double)n / 1e6);
	else if (n >= 1000)
		buf_printf(b, "%gk", (double)n / 1e3);
	else
		buf_printf(b, "%" PRId64, n);
}

static void
put_ms(struct buf *b, int64_t ms)
{
	if (ms >= 1000)
		buf_printf(b, "%g s", (double)ms / 1000);
	else
		buf_printf(b, "%" PRId64 " ms", ms);
}

/* A bucket's bound, or that it is over the last. */
static void
put_percentile(struct buf *b, const struct history_lane *l, unsigned percent)
{
	int ms = history_percentile(l, percent);

	if (history_requests(l) == 0)
		buf_puts(b, "–");
	else if (ms < 0)
		buf_puts(b, "over 30 s");
	else
		put_ms(b, ms);
}

/* 2026-11-23 18:42 */
static void
put_time(struct buf *b, int64_t ms)
{
	char text[CLOCK_RFC3339_BYTES];

	clock_rfc3339(ms, text);
	buf_printf(b, "<time datetime=\"%s\">%.10s %.5s</time>", text, text,
	    text + 11);
}

/* 3 min, 5 h, 2 days */
static void
put_age(struct buf *b, int64_t ms)
{
	int64_t s = ms / 1000;

	if (s < 120)
		buf_printf(b, "%" PRId64 " s", s < 0 ? 0 : s);
	else if (s < 2 * 3600)
		buf_printf(b, "%" PRId64 " min", s / 60);
	else if (s < 48 * 3600)
		buf_printf(b, "%" PRId64 " h", s / 3600);
	else
		buf_printf(b, "%" PRId64 " days", s / 86400);
}

/* Sums */

static int64_t
failed_of(const struct history_lane *l)
{
	return l->retry + l->dead;
}

static int64_t
attempts_of(const struct history_lane *l)
{
	return l->delivered + l->answered + failed_of(l);
}

static void
add(struct history_lane *to, const struct history_lane *l)
{
	int i;

	to->delivered += l->delivered;
	to->answered += l->answered;
	to->retry += l->retry;
	to->dead += l->dead;
	to->us += l->us;
	for (i = 0; i < HISTORY_BUCKETS; i++)
		to->buckets[i] += l->buckets[i];
}

/* The time axis: so many hours a bar, that there are few enough. */
struct bars {
	int64_t first, step; /* hours */
	size_t n;
	struct history_lane sums[MAX_BARS];
};

static void
fill_bars(struct bars *b, const struct report *r)
{
	static const int64_t steps[] = { 1, 2, 3, 6, 12, 24, 48, 168, 720 };
	int64_t from = r->since_ms / HOUR_MS, to = r->made_ms / HOUR_MS;
	size_t i = 0;

	while (i < sizeof(steps) / sizeof(steps[0]) - 1 &&
	    (to - from) / steps[i] + 1 > MAX_BARS)
		i++;
	*b = (struct bars){ .step = steps[i] };
	b->first = from / b->step * b->step;
	b->n = (size_t)((to - b->first) / b->step) + 1;
	if (b->n > MAX_BARS) { /* more than five years: the last of them */
		b->first += (int64_t)(b->n - MAX_BARS) * b->step;
		b->n = MAX_BARS;
	}
	for (i = 0; i < r->n_hours; i++) {
		int64_t at = (r->hours[i].hour - b->first) / b->step;

		if (r->hours[i].hour >= b->first && at < (int64_t)b->n)
			add(&b->sums[at], &r->hours[i].sums);
	}
}

/* Charts */

static double
x_of(const struct bars *b, double at)
{
	return LEFT + PLOT_W * at / (double)b->n;
}

static void
put_grid(struct buf *b, double y)
{
	buf_printf(b, "<path class=\"grid\" d=\"M%d %.1fH%d\"/>", LEFT, y,
	    WIDTH - RIGHT);
	buf_printf(b, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">", LEFT - 6,
	    y + 4);
}

/* At round hours, or at the begin of days: never more than a few. */
static void
put_x_axis(struct buf *b, const struct bars *bars)
{
	static const int64_t steps[] = { 1, 3, 6, 12, 24, 48, 96, 168, 336, 720,
		1440, 4320, 8760 };
	int64_t span = (int64_t)bars->n * bars->step;
	char text[CLOCK_RFC3339_BYTES];
	size_t i, k = 0;

	while (k < sizeof(steps) / sizeof(steps[0]) - 1 &&
	    (steps[k] < bars->step || span / steps[k] > X_LABELS))
		k++;
	for (i = 0; i < bars->n; i++) {
		int64_t hour = bars->first + (int64_t)i * bars->step;

		if (hour % steps[k] >= bars->step)
			continue;
		clock_rfc3339(hour * HOUR_MS, text);
		buf_printf(b, "<text x=\"%.1f\" y=\"%d\">%.5s</text>",
		    x_of(bars, (double)i), HEIGHT - 6,
		    steps[k] < 24 ? text + 11 : text + 5);
	}
}

static void
open_chart(struct buf *b, const char *id, const char *title,
    const char *description)
{
	buf_printf(b, "<svg class=\"chart\" viewBox=\"0 0 %d %d\" role=\"img\" "
	    "aria-labelledby=\"%s-t %s-d\"><title id=\"%s-t\">%s</title>"
	    "<desc id=\"%s-d\">%s The numbers are in the table below.</desc>\n",
	    WIDTH, HEIGHT, id, id, id, title, id, description);
}

/* 1, 2 or 5 times a power of ten, four or five of which reach to max. */
static int64_t
step_for(int64_t max)
{
	int64_t ten = 1;

	while (ten * 10 <= max / 4)
		ten *= 10;
	return max / 4 >= ten * 5 ? ten * 5 : max / 4 >= ten * 2 ? ten * 2 : ten;
}

static void
put_bar(struct buf *b, const char *class, double x, double width, double *y,
    double height)
{
	if (height <= 0)
		return;
	*y -= height;
	buf_printf(b, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
	    "height=\"%.1f\"/>", class, x, *y, width, height);
}

static void
put_attempts_chart(struct buf *b, const struct bars *bars)
{
	int64_t max = 4, tick, step, top;
	size_t i;

	for (i = 0; i < bars->n; i++)
		if (attempts_of(&bars->sums[i]) > max)
			max = attempts_of(&bars->sums[i]);
	step = step_for(max);
	top = (max + step - 1) / step * step;
	open_chart(b, "attempts", "Attempts over time",
	    "Bars of attempts that were delivered, failed, or ended a call.");
	for (tick = 0; tick <= top; tick += step) {
		put_grid(b, TOP + PLOT_H * (1 - (double)tick / (double)top));
		put_short(b, tick);
		buf_puts(b, "</text>");
	}
	for (i = 0; i < bars->n; i++) {
		const struct history_lane *l = &bars->sums[i];
		double unit = (double)PLOT_H / (double)top, y = TOP + PLOT_H;
		double w = (double)PLOT_W / (double)bars->n;
		double x = x_of(bars, (double)i) + w * .1;

		put_bar(b, "ok", x, w * .8, &y,
		    (double)(l->delivered + l->answered) * unit);
		put_bar(b, "fail", x, w * .8, &y, (double)l->retry * unit);
		put_bar(b, "dead", x, w * .8, &y, (double)l->dead * unit);
	}
	put_x_axis(b, bars);
	buf_puts(b, "</svg>\n");
}

/* A logarithm of sorts: the buckets' bounds at even distances. */
static double
y_of_ms(int ms)
{
	int i = 0;

	while (ms >= 0 && i < HISTORY_BUCKETS - 1 && history_bucket_ms[i] < ms)
		i++;
	if (ms < 0)
		i = HISTORY_BUCKETS - 1;
	return TOP + PLOT_H * (1 - (double)i / (HISTORY_BUCKETS - 1));
}

static void
put_latency_line(struct buf *b, const struct bars *bars, unsigned percent)
{
	bool drawn = false;
	size_t i;

	buf_printf(b, "<path class=\"p%u\" d=\"", percent);
	for (i = 0; i < bars->n; i++) {
		double y = y_of_ms(history_percentile(&bars->sums[i], percent));

		if (history_requests(&bars->sums[i]) == 0) {
			drawn = false;
			continue;
		}
		buf_printf(b, "%s%.1f %.1fH%.1f", drawn ? "L" : "M",
		    x_of(bars, (double)i), y, x_of(bars, (double)i + 1));
		drawn = true;
	}
	buf_puts(b, "\"/>");
}

static void
put_latency_chart(struct buf *b, const struct bars *bars)
{
	static const int ticks[] = { 1, 10, 100, 1000, 10000 };
	size_t i;

	open_chart(b, "latency", "How long attempts took",
	    "Lines of the median, the 95th and the 99th percentile.");
	for (i = 0; i < sizeof(ticks) / sizeof(ticks[0]); i++) {
		put_grid(b, y_of_ms(ticks[i]));
		put_ms(b, ticks[i]);
		buf_puts(b, "</text>");
	}
	put_latency_line(b, bars, 99);
	put_latency_line(b, bars, 95);
	put_latency_line(b, bars, 50);
	put_x_axis(b, bars);
	buf_puts(b, "</svg>\n");
}

static void
put_key(struct buf *b, bool is_latency)
{
	static const char *const keys[][2] = {
		{ "ok", "delivered" }, { "fail", "failed, tried again" },
		{ "dead", "failed for good" },
		{ "p50", "half within" }, { "p95", "95 of 100 within" },
		{ "p99", "99 of 100 within" },
	};
	size_t i = is_latency ? 3 : 0, end = i + 3;

	buf_puts(b, "<ul class=\"key\" aria-hidden=\"true\">");
	for (; i < end; i++)
		buf_printf(b, is_latency ? "<li><svg viewBox=\"0 0 26 12\"><path "
		    "class=\"%s\" d=\"M0 6H26\"/></svg>%s</li>" :
		    "<li><svg viewBox=\"0 0 26 12\"><rect class=\"%s\" width=\"26\" "
		    "height=\"12\"/></svg>%s</li>", keys[i][0], keys[i][1]);
	buf_puts(b, "</ul>\n");
}

static void
put_cell(struct buf *b, const char *label, int64_t n)
{
	buf_printf(b, "<td data-l=\"%s\"><span>", label);
	put_number(b, n);
	buf_puts(b, "</span></td>");
}

static void
put_cell_percentile(struct buf *b, const char *label,
    const struct history_lane *l, unsigned percent)
{
	buf_printf(b, "<td data-l=\"%s\"><span>", label);
	put_percentile(b, l, percent);
	buf_puts(b, "</span></td>");
}

/* What the charts show, for who can't see them and who wants numbers. */
static void
put_numbers(struct buf *b, const struct bars *bars)
{
	size_t i;

	buf_puts(b, "<details><summary>The numbers of both charts</summary>\n"
	    "<table class=\"rows\"><caption>Times are UTC, the begin of each "
	    "period</caption><thead><tr><th class=\"t\" scope=\"col\">from</th>"
	    "<th scope=\"col\">delivered</th><th scope=\"col\">failed</th>"
	    "<th scope=\"col\">for good</th><th scope=\"col\">half within</th>"
	    "<th scope=\"col\">95 of 100</th><th scope=\"col\">99 of 100</th>"
	    "</tr></thead><tbody>\n");
	for (i = 0; i < bars->n; i++) {
		const struct history_lane *l = &bars->sums[i];

		if (attempts_of(l) == 0)
			continue;
		buf_puts(b, "<tr><th scope=\"row\">");
		put_time(b, (bars->first + (int64_t)i * bars->step) * HOUR_MS);
		buf_puts(b, "</th>");
		put_cell(b, "delivered", l->delivered + l->answered);
		put_cell(b, "failed", l->retry);
		put_cell(b, "for good", l->dead);
		put_cell_percentile(b, "half within", l, 50);
		put_cell_percentile(b, "95 of 100", l, 95);
		put_cell_percentile(b, "99 of 100", l, 99);
		buf_puts(b, "</tr>\n");
	}
	buf_puts(b, "</tbody></table></details>\n");
}

/* Rows */

static const char *
state_of(const struct report_row *w)
{
	return w->lane.health.state == HEALTH_DISABLED ? "disabled" :
	    w->removed ? "removed" : w->off ? "off" :
	    w->lane.health.state == HEALTH_PAUSED ? "paused" : "ok";
}

/* How much it wants a look; 0: not at all. */
static int
worry(const struct report_row *w)
{
	if (w->lane.health.state == HEALTH_DISABLED)
		return 5;
	if (w->lane.health.state == HEALTH_PAUSED)
		return 4;
	if (w->lane.dead)
		return 3;
	if (w->lane.retry)
		return 2;
	return (w->off || w->removed) && w->lane.waiting ? 1 : 0;
}

static int
by_worry(const void *a, const void *b)
{
	const struct report_row *x = a, *y = b;
	int64_t fx = failed_of(&x->lane), fy = failed_of(&y->lane);

	if (worry(x) != worry(y))
		return worry(y) - worry(x);
	if (fx != fy)
		return fx < fy ? 1 : -1;
	if (x->lane.waiting != y->lane.waiting)
		return x->lane.waiting < y->lane.waiting ? 1 : -1;
	return strcmp(x->name, y->name);
}

static void
put_failure(struct buf *b, const struct report_row *w)
{
	if (!w->failed_ms)
		return;
	put_time(b, w->failed_ms);
	buf_puts(b, ": ");
	put_foreign(b, w->reason);
	if (w->failed_status)
		buf_printf(b, " (%d)", w->failed_status);
	if (*w->error) {
		buf_puts(b, "<small>");
		put_foreign(b, w->error);
		buf_puts(b, "</small>");
	}
}

static void
put_state(struct buf *b, const struct report_row *w)
{
	const struct health *h = &w->lane.health;
	int n = worry(w);

	buf_printf(b, "<td data-l=\"state\" class=\"t\"><span><span "
	    "class=\"%s\">%s</span>", n >= 5 ? "bad" : n == 4 ? "warn" : "",
	    state_of(w));
	if (h->state != HEALTH_OK) {
		buf_puts(b, "<small>since ");
		put_time(b, h->since_ms);
		if (*h->why) {
			buf_puts(b, ": ");
			put_foreign(b, h->why);
		}
		buf_puts(b, "</small>");
	}
	buf_puts(b, "</span></td>");
}

static void
put_row(struct buf *b, const struct report *r, const struct report_row *w)
{
	buf_puts(b, "<tr><th scope=\"row\">");
	put_foreign(b, w->name);
	if (w->url) {
		buf_puts(b, "<small>");
		put_foreign(b, w->url);
		buf_puts(b, "</small>");
	}
	buf_puts(b, "</th>");
	put_state(b, w);
	buf_puts(b, "<td data-l=\"waiting\"><span>");
	put_number(b, w->lane.waiting);
	if (w->lane.oldest_ms) {
		buf_puts(b, "<small> for ");
		put_age(b, r->made_ms - w->lane.oldest_ms);
		buf_puts(b, "</small>");
	}
	buf_puts(b, "</span></td>");
	put_cell(b, "delivered", w->lane.delivered + w->lane.answered);
	put_cell(b, "failed", w->lane.retry);
	put_cell(b, "for good", w->lane.dead);
	put_cell_percentile(b, "99 of 100", &w->lane, 99);
	buf_puts(b, "<td class=\"t\">");
	put_failure(b, w);
	buf_puts(b, "</td></tr>\n");
}

static void
put_rows(struct buf *b, const struct report *r, size_t from, size_t to,
    const char *caption)
{
	buf_printf(b, "<table class=\"rows\"><caption>%s</caption><thead><tr>"
	    "<th class=\"t\" scope=\"col\">webhook</th>"
	    "<th class=\"t\" scope=\"col\">state</th>"
	    "<th scope=\"col\">waiting</th><th scope=\"col\">delivered</th>"
	    "<th scope=\"col\">failed</th><th scope=\"col\">for good</th>"
	    "<th scope=\"col\">99 of 100</th>"
	    "<th class=\"t\" scope=\"col\">last failure</th></tr></thead><tbody>\n",
	    caption);
	for (; from < to; from++)
		put_row(b, r, &r->rows[from]);
	buf_puts(b, "</tbody></table>\n");
}

static void
put_webhooks(struct buf *b, const struct report *r)
{
	size_t n = 0, listed;

	buf_puts(b, "<h2>Webhooks</h2>\n");
	if (r->n_rows == 0) {
		buf_puts(b, "<p class=\"soft\">None is known.</p>\n");
		return;
	}
	while (n < r->n_rows && worry(&r->rows[n]))
		n++;
	listed = n < MAX_LISTED ? n : MAX_LISTED;
	if (listed)
		put_rows(b, r, 0, listed, "Those that want a look: disabled, "
		    "paused, or with failures in this time");
	else
		buf_puts(b, "<p>Nothing failed in this time.</p>\n");
	if (listed < n) {
		buf_puts(b, "<details><summary>");
		put_number(b, (int64_t)(n - listed));
		buf_puts(b, " more with failures</summary>\n");
		put_rows(b, r, listed, n, "With failures in this time");
		buf_puts(b, "</details>\n");
	}
	if (n == r->n_rows)
		return;
	buf_printf(b, "<details%s><summary>", r->n_rows - n <= 10 ? " open" : "");
	put_number(b, (int64_t)(r->n_rows - n));
	buf_puts(b, " without failures</summary>\n");
	put_rows(b, r, n, r->n_rows, "Without failures in this time");
	buf_puts(b, "</details>\n");
}

static void
put_dead(struct buf *b, const struct report *r)
{
	size_t i;

	buf_puts(b, "<h2>Calls that ended dead</h2>\n");
	if (r->n_reasons == 0) {
		buf_puts(b, "<p class=\"soft\">There are none in the queue.</p>\n");
		return;
	}
	buf_puts(b, "<table class=\"few\"><caption>All that the queue still has, by reason; "
	    "<code>hook-admin dead</code> lists them, <code>hook-admin replay"
	    "</code> sends them again</caption><thead><tr><th class=\"t\" "
	    "scope=\"col\">reason</th><th scope=\"col\">calls</th></tr></thead>"
	    "<tbody>\n");
	for (i = 0; i < r->n_reasons; i++) {
		buf_puts(b, "<tr><th scope=\"row\">");
		put_foreign(b, r->reasons[i].code);
		buf_puts(b, "</th><td>");
		put_number(b, r->reasons[i].n);
		buf_puts(b, "</td></tr>\n");
	}
	buf_puts(b, "</tbody></table>\n");
}

/* The whole */

static void
open_card(struct buf *b, const char *name)
{
	buf_printf(b, "<div><dt>%s</dt><dd>", name);
}

static void
put_share(struct buf *b, int64_t part, int64_t all)
{
	if (all)
		buf_printf(b, "<small>%.*f %% of attempts</small>",
		    part && part * 100 < all ? 2 : 1,
		    (double)part * 100 / (double)all);
}

static void
put_cards(struct buf *b, const struct report *r, const struct bars *bars)
{
	struct history_lane all = { 0 };
	int64_t waiting = 0, oldest = 0;
	size_t i;

	for (i = 0; i < bars->n; i++)
		add(&all, &bars->sums[i]);
	for (i = 0; i < r->n_rows; i++) {
		int64_t ms = r->rows[i].lane.oldest_ms;

		waiting += r->rows[i].lane.waiting;
		if (ms && (!oldest || ms < oldest))
			oldest = ms;
	}
	buf_puts(b, "<dl>\n");
	open_card(b, "Delivered");
	put_number(b, all.delivered + all.answered);
	put_share(b, all.delivered + all.answered, attempts_of(&all));
	buf_puts(b, "</dd></div>\n");
	open_card(b, "Failed, tried again");
	put_number(b, all.retry);
	put_share(b, all.retry, attempts_of(&all));
	buf_puts(b, "</dd></div>\n");
	open_card(b, "Failed for good");
	put_number(b, all.dead);
	put_share(b, all.dead, attempts_of(&all));
	buf_puts(b, "</dd></div>\n");
	open_card(b, "Waiting now");
	put_number(b, waiting);
	if (oldest) {
		buf_puts(b, "<small>the oldest for ");
		put_age(b, r->made_ms - oldest);
		buf_puts(b, "</small>");
	}
	buf_puts(b, "</dd></div>\n");
	open_card(b, "Half within");
	put_percentile(b, &all, 50);
	buf_puts(b, "<small>99 of 100: ");
	put_percentile(b, &all, 99);
	buf_puts(b, "</small></dd></div>\n</dl>\n");
}

static void
put_charts(struct buf *b, const struct bars *bars)
{
	buf_puts(b, "<svg width=\"0\" height=\"0\" aria-hidden=\"true\" "
	    "style=\"position:absolute\"><defs><pattern id=\"hatch\" width=\"5\" "
	    "height=\"5\" patternUnits=\"userSpaceOnUse\" "
	    "patternTransform=\"rotate(45)\"><path class=\"stroke\" d=\"M0 0V5\"/>"
	    "</pattern></defs></svg>\n<h2>Attempts</h2>\n<figure>\n");
	put_key(b, false);
	put_attempts_chart(b, bars);
	buf_printf(b, "<figcaption>Attempts in each %" PRId64 " hour%s, UTC"
	    "</figcaption></figure>\n<h2>How long they took</h2>\n<figure>\n",
	    bars->step, bars->step == 1 ? "" : "s");
	put_key(b, true);
	put_latency_chart(b, bars);
	buf_puts(b, "<figcaption>From the start of an attempt to its end, by "
	    "buckets of 1, 2, 5, 10 … ms</figcaption></figure>\n");
	put_numbers(b, bars);
}

void
report_page(struct report *r, struct buf *b)
{
	struct bars *bars = alloc_zero(1, sizeof(*bars));
	int64_t from = r->since_ms / HOUR_MS;

	fill_bars(bars, r);
	if (from < bars->first)
		from = bars->first;
	if (r->n_rows)
		qsort(r->rows, r->n_rows, sizeof(*r->rows), by_worry);
	buf_puts(b, head);
	buf_puts(b, "<header><h1>Deliveries</h1>\n<p class=\"soft\">Queue ");
	put_foreign(b, r->queue);
	buf_puts(b, ", from ");
	put_time(b, from * HOUR_MS);
	buf_puts(b, " to ");
	put_time(b, r->made_ms);
	buf_puts(b, ", when this was made. All times are UTC.</p></header>\n"
	    "<main>\n");
	put_cards(b, r, bars);
	put_charts(b, bars);
	put_webhooks(b, r);
	put_dead(b, r);
	buf_puts(b, "</main>\n</body>\n</html>\n");
	free(bars);
}
