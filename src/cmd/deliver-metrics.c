/*
 * ev-deliver's --metrics: counts of results, and what the queue has when they
 * are written. Of webhooks one by one only with --metrics-per-webhook, and only
 * of those in the registry: lines may name thousands that are not.
 */
#include <sys/stat.h>

#include "base/alloc.h"
#include "cmd/config.h"
#include "cmd/deliver.h"

static const char *const reasons[DELIVER_REASONS] = {
	"", "dns", "connect", "tls", "timeout", "blocked-address", "too-large",
	"http-3xx", "http-4xx", "http-5xx", "gone", "protocol", "invalid-call",
	"removed", "expired", "aborted", "other",
};

static const char *const classes[DELIVER_CLASSES] = { "", "1xx", "2xx", "3xx",
	"4xx", "5xx" };

/* A webhook's own counts. */
struct webhook_counts {
	struct entry entry; /* by id */
	uint64_t attempts[OUTCOME_DEAD + 1];
	int64_t us;
};

/* Counting */

static size_t
reason_index(const char *code)
{
	size_t i = 0;

	while (code && i < DELIVER_REASONS - 1 && strcmp(reasons[i], code) != 0)
		i++;
	return i;
}

static struct webhook_counts *
counts_of(struct deliver *d, struct span id)
{
	struct deliver_counts *n = &d->counts;
	struct entry *found;
	struct webhook_counts *w;

	if (!d->sender.registry || !id.len)
		return NULL;
	if (!n->webhooks.slots)
		hash_init(&n->webhooks);
	found = hash_find(&n->webhooks, id);
	if (found)
		return (struct webhook_counts *)(void *)found;
	if (!webhooks_find(&d->registry.webhooks, id))
		return NULL;
	w = alloc_zero(1, sizeof(*w));
	w->entry.key = (struct span){ alloc_copy(id.p, id.len), id.len };
	hash_add(&n->webhooks, &w->entry);
	return w;
}

void
deliver_count(struct deliver *d, const struct result *r)
{
	struct deliver_counts *n = &d->counts;
	size_t reason = reason_index(r->reason);
	size_t class = r->status >= 100 && r->status < 600 ?
	    (size_t)r->status / 100 : 0;
	struct webhook_counts *w;

	n->outcomes[r->outcome]++;
	if (r->outcome == OUTCOME_DEAD)
		n->dead[reason]++;
	if (!r->call || r->duration_us < 0)
		return;
	n->attempts[r->outcome][reason][class]++;
	histogram_add(&n->durations, r->duration_us);
	w = d->per_webhook ? counts_of(d, r->call->webhook_id) : NULL;
	if (w) {
		w->attempts[r->outcome]++;
		w->us += r->duration_us;
	}
}

void
deliver_counts_clear(struct deliver_counts *n)
{
	struct entry *e, *next;
	size_t i;

	for (i = 0; i < n->webhooks.n_slots; i++)
		for (e = n->webhooks.slots[i]; e; e = next) {
			next = e->next;
			free((char *)e->key.p);
			free(e);
		}
	hash_clear(&n->webhooks);
}

/* Writing */

static void
put_settled(const struct deliver_counts *n, struct exposition *x)
{
	static const enum outcome settled[] = { OUTCOME_DELIVERED,
		OUTCOME_ANSWERED, OUTCOME_DEAD };
	size_t i;

	metrics_family(x, METRIC_CALLS_SETTLED);
	for (i = 0; i < sizeof(settled) / sizeof(settled[0]); i++) {
		exposition_label(x, "outcome",
		    span_of(outcome_name(settled[i])));
		exposition_u64(x, n->outcomes[settled[i]]);
	}
	metrics_family(x, METRIC_CALLS_DEAD);
	for (i = 0; i < DELIVER_REASONS; i++)
		if (n->dead[i]) {
			exposition_label(x, "reason", span_of(reasons[i]));
			exposition_u64(x, n->dead[i]);
		}
}

static void
put_attempts(const struct deliver_counts *n, struct exposition *x)
{
	int outcome;
	size_t reason, class;

	metrics_family(x, METRIC_ATTEMPTS);
	for (outcome = OUTCOME_DELIVERED; outcome <= OUTCOME_DEAD; outcome++)
		for (reason = 0; reason < DELIVER_REASONS; reason++)
			for (class = 0; class < DELIVER_CLASSES; class++) {
				uint64_t count =
				    n->attempts[outcome][reason][class];

				if (!count)
					continue;
				exposition_label(x, "outcome", span_of(
				    outcome_name((enum outcome)outcome)));
				exposition_label(x, "reason",
				    span_of(reasons[reason]));
				exposition_label(x, "status",
				    span_of(classes[class]));
				exposition_u64(x, count);
			}
	metrics_family(x, METRIC_ATTEMPT_SECONDS);
	exposition_histogram(x, &n->durations);
}

static void
put_changes(const struct deliver_counts *n, struct exposition *x)
{
	int outcome;

	metrics_family(x, METRIC_WEBHOOK_CHANGES);
	for (outcome = OUTCOME_PAUSED; outcome <= OUTCOME_DISABLED; outcome++) {
		exposition_label(x, "change",
		    span_of(outcome_name((enum outcome)outcome)));
		exposition_u64(x, n->outcomes[outcome]);
	}
}

static void
put_webhook_attempts(struct deliver *d, struct exposition *x)
{
	const struct webhooks *all = &d->registry.webhooks;
	const struct webhook_counts *n;
	int outcome;
	size_t i;

	metrics_family(x, METRIC_WEBHOOK_ATTEMPTS);
	for (i = 0; i < all->n; i++) {
		n = counts_of(d, all->list[i].id);
		for (outcome = OUTCOME_DELIVERED; outcome <= OUTCOME_DEAD;
		    outcome++) {
			exposition_label(x, "webhook", all->list[i].id);
			exposition_label(x, "outcome",
			    span_of(outcome_name((enum outcome)outcome)));
			exposition_u64(x, n->attempts[outcome]);
		}
	}
	metrics_family(x, METRIC_WEBHOOK_SECONDS);
	for (i = 0; i < all->n; i++) {
		exposition_label(x, "webhook", all->list[i].id);
		exposition_seconds(x, counts_of(d, all->list[i].id)->us);
	}
}

/* The lanes of the queue */

enum state { STATE_OK, STATE_PAUSED, STATE_DISABLED, STATE_OFF, STATES };

/* OFF: the registry disables it, as hook-admin list shows it. */
static const char *const states[STATES] = { "ok", "paused", "disabled", "off" };

struct survey {
	struct webhook_survey { /* by place in the registry */
		enum state state;
		int64_t waiting;
	} *webhooks;
	int64_t waiting, held;
	int64_t due_ms; /* -1: nothing waits but what is held */
};

static enum state
state_of(const struct webhook *w, const struct health *h)
{
	return w && w->disabled ? STATE_OFF :
	    h->state == HEALTH_DISABLED ? STATE_DISABLED :
	    h->state == HEALTH_PAUSED ? STATE_PAUSED : STATE_OK;
}

static int
survey_lane(struct deliver *d, const struct queue_lane *row, struct survey *v,
    struct error *e)
{
	const struct lane *lane = lanes_find(&d->sender.lanes, row->no);
	const struct webhook *w = row->webhook && d->sender.registry ?
	    webhooks_find(&d->registry.webhooks, row->name) : NULL;
	enum state state = state_of(w, lane ? &lane->health : &row->health);
	int64_t waiting = lane && lane->n_waiting > 0 ? lane->n_waiting : 0;
	int64_t due_ms;

	if (w)
		v->webhooks[w - d->registry.webhooks.list] =
		    (struct webhook_survey){ state, waiting };
	v->waiting += waiting;
	if (state == STATE_DISABLED || state == STATE_OFF) {
		v->held += waiting;
		return 0;
	}
	if (!waiting)
		return 0;
	due_ms = queue_first_due(d->queue, row->no, e);
	if (due_ms < -1)
		return -1;
	if (due_ms >= 0 && state == STATE_PAUSED &&
	    due_ms < lane->health.until_ms)
		due_ms = lane->health.until_ms;
	if (due_ms >= 0 && (v->due_ms < 0 || due_ms < v->due_ms))
		v->due_ms = due_ms;
	return 0;
}

static int
survey_lanes(struct deliver *d, struct survey *v, struct error *e)
{
	struct queue_lane row = { 0 };
	struct error ignored;
	int r;

	/* One lock for all. */
	if (queue_begin_reading(d->queue, e) < 0)
		return -1;
	while ((r = queue_next_lane(d->queue, row.no, &row, e)) == 1)
		if (survey_lane(d, &row, v, e) < 0)
			break;
	if (queue_end_reading(d->queue, &ignored) < 0)
		return -1;
	return r;
}

/* What nobody has in hand yet. */
static int
survey_unsorted(const struct deliver *d, struct survey *v, struct error *e)
{
	int64_t n, taken_ms;

	if (queue_unsorted(d->queue, d->backlog.hands.last_no, &n, &taken_ms,
	    e) < 0)
		return -1;
	v->waiting += n;
	if (n && (v->due_ms < 0 || taken_ms < v->due_ms))
		v->due_ms = taken_ms;
	return 0;
}

/* Those without a lane are as the registry says. */
static void
survey_registry(const struct webhooks *all, struct survey *v)
{
	size_t i;

	v->webhooks = alloc_zero(all->n + 1, sizeof(*v->webhooks));
	for (i = 0; i < all->n; i++)
		v->webhooks[i].state = all->list[i].disabled ? STATE_OFF :
		    STATE_OK;
}

static void
put_states(const struct deliver *d, const struct survey *v,
    struct exposition *x)
{
	uint64_t n[STATES] = { 0 };
	size_t i;

	for (i = 0; i < d->registry.webhooks.n; i++)
		n[v->webhooks[i].state]++;
	metrics_family(x, METRIC_WEBHOOKS);
	for (i = 0; i < STATES; i++) {
		exposition_label(x, "state", span_of(states[i]));
		exposition_u64(x, n[i]);
	}
}

static void
put_size(const struct deliver *d, struct exposition *x)
{
	struct buf wal = { 0 };
	struct stat st;
	uint64_t bytes = 0;

	buf_printf(&wal, "%s-wal", d->queue_path);
	if (stat(d->queue_path, &st) == 0)
		bytes += (uint64_t)st.st_size;
	if (stat(buf_str(&wal), &st) == 0)
		bytes += (uint64_t)st.st_size;
	metrics_put(x, METRIC_QUEUE_BYTES, bytes);
	buf_clear(&wal);
}

static void
put_webhook_lanes(const struct webhooks *all, const struct survey *v,
    struct exposition *x)
{
	size_t i;

	metrics_family(x, METRIC_WEBHOOK_WAITING);
	for (i = 0; i < all->n; i++) {
		exposition_label(x, "webhook", all->list[i].id);
		exposition_u64(x, (uint64_t)v->webhooks[i].waiting);
	}
	metrics_family(x, METRIC_WEBHOOK_STATE);
	for (i = 0; i < all->n; i++) {
		exposition_label(x, "webhook", all->list[i].id);
		exposition_label(x, "state",
		    span_of(states[v->webhooks[i].state]));
		exposition_u64(x, 1);
	}
}

static void
put_survey(const struct deliver *d, const struct survey *v,
    struct exposition *x)
{
	metrics_put(x, METRIC_CALLS_WAITING, (uint64_t)v->waiting);
	metrics_put(x, METRIC_CALLS_HELD, (uint64_t)v->held);
	metrics_put_time(x, METRIC_CALL_DUE, v->due_ms);
	if (!d->sender.registry)
		return;
	put_states(d, v, x);
	if (d->per_webhook)
		put_webhook_lanes(&d->registry.webhooks, v, x);
}

static void
put_queue(struct deliver *d, struct exposition *x)
{
	struct survey v = { .due_ms = -1 };
	struct error e;

	put_size(d, x);
	metrics_put(x, METRIC_DELIVERING, d->delivers);
	if (!d->delivers)
		return;
	metrics_put(x, METRIC_CALLS_REPEATED, d->counts.outcomes[
	    OUTCOME_DUPLICATE]);
	put_changes(&d->counts, x);
	/* What is wrong with the queue shows where it is worked on. */
	if (d->failed)
		return;
	survey_registry(&d->registry.webhooks, &v);
	if (survey_lanes(d, &v, &e) == 0 && survey_unsorted(d, &v, &e) == 0)
		put_survey(d, &v, x);
	free(v.webhooks);
}

/* The whole */

void
deliver_put_metrics(void *ctx, struct exposition *x)
{
	struct deliver *d = ctx;

	metrics_put(x, METRIC_CALLS_TAKEN, d->counts.n_taken);
	if (d->mode != DELIVER_ENQUEUE) {
		put_settled(&d->counts, x);
		put_attempts(&d->counts, x);
		metrics_put(x, METRIC_ATTEMPTS_IN_FLIGHT, d->sender.in_flight);
	}
	if (d->queue)
		put_queue(d, x);
	else
		metrics_put(x, METRIC_CALLS_WAITING, d->sender.n_calls);
	if (!d->sender.registry)
		return;
	config_put_metrics(&d->registry, x);
	if (d->per_webhook && d->mode != DELIVER_ENQUEUE)
		put_webhook_attempts(d, x);
}
