/*
 * hook-admin report: what a delivery queue remembers, gathered for a page.
 */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "cmd/admin.h"
#include "cmd/admin-history.h"
#include "cmd/report_page.h"
#include "net/url.h"
#include "store/summary.h"

enum { REPORT_MS = 24 * 3600 * 1000, MODE = 0644 };

struct gathering {
	struct report report;
	size_t cap_hours, cap_rows, cap_reasons;
	size_t *by_name, n_by_name; /* rows in the order of their names */
};

static char *
copy(struct span s)
{
	return alloc_copy(s.len ? s.p : "", s.len);
}

static void
give_hour(void *ctx, int64_t hour, const struct history_lane *sums)
{
	struct gathering *g = ctx;
	struct report *r = &g->report;

	r->hours = alloc_grow(r->hours, &g->cap_hours, r->n_hours + 1,
	    sizeof(*r->hours));
	r->hours[r->n_hours++] = (struct report_hour){ hour, *sums };
}

static struct report_row *
add_row(struct gathering *g, struct span name, bool webhook)
{
	struct report *r = &g->report;

	r->rows = alloc_grow(r->rows, &g->cap_rows, r->n_rows + 1,
	    sizeof(*r->rows));
	r->rows[r->n_rows] = (struct report_row){ .name = copy(name),
		.webhook = webhook };
	return &r->rows[r->n_rows++];
}

static void
give_lane(void *ctx, const struct history_lane *l)
{
	struct report_row *w = add_row(ctx, l->lane, l->webhook);

	w->lane = *l;
	w->lane.lane = (struct span){ 0 };
}

static void
give_reason(void *ctx, struct span reason, int64_t n)
{
	struct gathering *g = ctx;
	struct report *r = &g->report;

	r->reasons = alloc_grow(r->reasons, &g->cap_reasons, r->n_reasons + 1,
	    sizeof(*r->reasons));
	r->reasons[r->n_reasons++] = (struct report_reason){ copy(reason), n };
}

/* Finding a row: webhooks and origins never have the same name, as URLs have ':'. */

static int
compare_names(const void *a, const void *b)
{
	return strcmp(((const struct report_row *)a)->name,
	    ((const struct report_row *)b)->name);
}

static void
sort_by_name(struct gathering *g)
{
	if (g->report.n_rows)
		qsort(g->report.rows, g->report.n_rows,
		    sizeof(*g->report.rows), compare_names);
	g->n_by_name = g->report.n_rows;
}

static struct report_row *
find_row(struct gathering *g, struct span name)
{
	struct report_row key = { .name = copy(name) }, *found = NULL;

	if (g->n_by_name)
		found = bsearch(&key, g->report.rows, g->n_by_name, sizeof(key),
		    compare_names);
	free(key.name);
	return found;
}

static void
give_failure(void *ctx, const struct summary_failure *f)
{
	struct gathering *g = ctx;
	struct report_row *w = find_row(g, f->lane);

	if (!w || f->time_ms < g->report.since_ms)
		return;
	w->failed_ms = f->time_ms;
	w->failed_status = f->status;
	w->reason = copy(f->reason);
	w->error = copy(f->error);
}

/* What the registry has beside: URLs, what is off, what nothing was sent to. */
static void
add_registry(struct gathering *g, const struct webhooks *all)
{
	struct report *r = &g->report;
	size_t i;

	for (i = 0; i < r->n_rows; i++)
		r->rows[i].removed = r->rows[i].webhook;
	for (i = 0; i < all->n; i++) {
		const struct webhook *wh = &all->list[i];
		struct report_row *w = find_row(g, wh->id);

		if (!w)
			w = add_row(g, wh->id, true);
		w->removed = false;
		w->off = wh->disabled;
		/* A query may hold a token. */
		w->url = copy(url_without_query(wh->url));
	}
}

static void
clear(struct gathering *g)
{
	struct report *r = &g->report;
	size_t i;

	for (i = 0; i < r->n_rows; i++) {
		free(r->rows[i].name);
		free(r->rows[i].url);
		free(r->rows[i].reason);
		free(r->rows[i].error);
	}
	for (i = 0; i < r->n_reasons; i++)
		free(r->reasons[i].code);
	free(r->rows);
	free(r->reasons);
	free(r->hours);
}

static void
gather(struct gathering *g, struct history *h)
{
	struct report *r = &g->report;
	struct error e;

	/* All of one moment, while others deliver. */
	if (queue_begin_reading(h->queue, &e) < 0)
		history_die(h, &e);
	if (summary_hours(h->queue, r->since_ms / 3600000,
	    r->made_ms / 3600000, give_hour, g, &e) < 0 ||
	    history_lanes(h->queue, r->since_ms, give_lane, g, &e) < 0)
		history_die(h, &e);
	sort_by_name(g);
	if (summary_failures(h->queue, give_failure, g, &e) < 0 ||
	    summary_dead(h->queue, give_reason, g, &e) < 0 ||
	    queue_end_reading(h->queue, &e) < 0)
		history_die(h, &e);
}

static void
write_page(struct admin *a, struct span page)
{
	struct error e;

	if (!a->output) {
		buf_span(&a->stage.out.buf, page);
		(void)out_flush(&a->stage.out); /* a failure sticks */
		return;
	}
	if (file_replace(a->output, MODE, page, &e) < 0)
		stage_die(&a->stage, EX_SYSTEM, "cannot write '%s': %s",
		    a->output, e.text);
}

void
admin_report(struct admin *a)
{
	const char *slash;
	struct gathering g = { .report = { .made_ms = clock_wall_ms() } };
	struct registry registry;
	struct history h;
	struct buf page = { 0 };

	g.report.since_ms = a->filter.since ? history_time(a, "since",
	    a->filter.since) : g.report.made_ms - REPORT_MS;
	if (g.report.since_ms > g.report.made_ms)
		admin_misuse(a, "report: --since is in the future");
	history_open(&h, a);
	slash = strrchr(a->queue_path, '/');
	g.report.queue = slash && slash[1] ? slash + 1 : a->queue_path;
	gather(&g, &h);
	if (a->registry_path && *a->registry_path) {
		admin_load(a, &registry);
		add_registry(&g, &registry.webhooks);
		registry_close(&registry);
	}
	report_page(&g.report, &page);
	write_page(a, buf_bytes(&page));
	buf_clear(&page);
	clear(&g);
	queue_close(h.queue);
}
