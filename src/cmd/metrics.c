/*
 * --metrics FILE.
 */
#include "cmd/metrics.h"

#include "base/clock.h"
#include "base/file.h"
#include "cmd/stage.h"

enum { WRITE_MS = 10 * 1000, MODE = 0644 };

#define COUNTER EXPOSITION_COUNTER
#define GAUGE EXPOSITION_GAUGE
#define HISTOGRAM EXPOSITION_HISTOGRAM

static const struct {
	const char *name;
	enum exposition_type type;
	const char *help;
} families[METRIC_N] = {
	[METRIC_UP] = { "evpipe_up", GAUGE,
	    "1 while the program runs, 0 once it has ended" },
	[METRIC_BUILD] = { "evpipe_build_info", GAUGE,
	    "1, with the version as a label" },
	[METRIC_START] = { "evpipe_start_time_seconds", GAUGE,
	    "When the program started, since 1970" },
	[METRIC_WRITTEN] = { "evpipe_last_write_timestamp_seconds", GAUGE,
	    "When this was written, since 1970" },
	[METRIC_LINES_IN] = { "evpipe_input_lines_total", COUNTER,
	    "Lines read, blank ones and barriers too" },
	[METRIC_BYTES_IN] = { "evpipe_input_bytes_total", COUNTER,
	    "Bytes read" },
	[METRIC_LINES_OUT] = { "evpipe_output_lines_total", COUNTER,
	    "Lines put out, barriers too" },
	[METRIC_BYTES_OUT] = { "evpipe_output_bytes_total", COUNTER,
	    "Bytes written" },
	[METRIC_REJECTED] = { "evpipe_rejected_total", COUNTER,
	    "Records rejected" },
	[METRIC_REJECTS] = { "evpipe_rejects_total", COUNTER,
	    "Records rejected, by the code of the reason" },
	[METRIC_REGISTRY_WEBHOOKS] = { "evpipe_registry_webhooks", GAUGE,
	    "Webhooks in the registry as last loaded" },
	[METRIC_REGISTRY_LOADS] = { "evpipe_registry_loads_total", COUNTER,
	    "Loads of the registry that worked, and changes that do not load" },
	[METRIC_REGISTRY_LOADED] = {
	    "evpipe_registry_last_load_timestamp_seconds", GAUGE,
	    "When the registry in use was loaded, since 1970" },
	[METRIC_REGISTRY_BROKEN] = { "evpipe_registry_broken", GAUGE,
	    "1 while the registry as it was changed does not load, and the "
	    "last good one is in use" },
	[METRIC_WORKER_REQUESTS] = { "evpipe_worker_requests_total", COUNTER,
	    "Runs of maps, or of filters and transforms" },
	[METRIC_WORKER_DEATHS] = { "evpipe_worker_deaths_total", COUNTER,
	    "Runs that took too long or too much memory; the process where "
	    "they run was started anew" },
	[METRIC_UNMATCHED] = { "evpipe_unmatched_total", COUNTER,
	    "Events that no webhook wanted" },
	[METRIC_EVENTS_PUSHED] = { "evpipe_events_pushed_total", COUNTER,
	    "Events that are on disk, repeats not counted" },
	[METRIC_EVENTS_REPEATED] = { "evpipe_events_repeated_total", COUNTER,
	    "Events that were on disk already" },
	[METRIC_HTTP_REQUESTS] = { "evpipe_http_requests_total", COUNTER,
	    "Requests answered, by status" },
	[METRIC_HTTP_SECONDS] = { "evpipe_http_request_duration_seconds",
	    HISTOGRAM, "From a request's head to its answer" },
	[METRIC_HTTP_CONNECTIONS] = { "evpipe_http_connections", GAUGE,
	    "Connections that are open" },
	[METRIC_EVENTS_FED] = { "evpipe_events_fed_total", COUNTER,
	    "Events fed to the command, again and again after its deaths" },
	[METRIC_EVENTS_ACKED] = { "evpipe_events_acknowledged_total", COUNTER,
	    "Events that the command has done" },
	[METRIC_EVENTS_IN_FLIGHT] = { "evpipe_events_in_flight", GAUGE,
	    "Events fed whose barrier is not back" },
	[METRIC_EVENTS_WAITING] = { "evpipe_events_waiting", GAUGE,
	    "Events in the queue, those in flight too" },
	[METRIC_EVENTS_BURIED] = { "evpipe_events_dead_total", COUNTER,
	    "Events that became dead letters" },
	[METRIC_DEAD_LETTERS] = { "evpipe_dead_letters", GAUGE,
	    "Dead letters in the event queue" },
	[METRIC_COMMAND_STARTS] = { "evpipe_command_starts_total", COUNTER,
	    "Starts of the command" },
	[METRIC_COMMAND_DEATHS] = { "evpipe_command_deaths_total", COUNTER,
	    "Ends of the command that nobody asked for" },
	[METRIC_BARRIER_SECONDS] = { "evpipe_barrier_duration_seconds",
	    HISTOGRAM, "From a barrier's making to its return" },
	[METRIC_CALLS_TAKEN] = { "evpipe_calls_taken_total", COUNTER,
	    "Calls taken: with a queue those put on disk by this program, "
	    "repeats, too" },
	[METRIC_CALLS_REPEATED] = { "evpipe_calls_repeated_total", COUNTER,
	    "Calls that were in the queue already, whoever stored them" },
	[METRIC_CALLS_SETTLED] = { "evpipe_calls_settled_total", COUNTER,
	    "Calls that are over, by outcome" },
	[METRIC_CALLS_DEAD] = { "evpipe_calls_dead_total", COUNTER,
	    "Calls that ended dead, by the code of the reason" },
	[METRIC_ATTEMPTS] = { "evpipe_attempts_total", COUNTER,
	    "Requests by what came of the call, why, and the class of status" },
	[METRIC_ATTEMPT_SECONDS] = { "evpipe_attempt_duration_seconds",
	    HISTOGRAM, "How long requests took" },
	[METRIC_ATTEMPTS_IN_FLIGHT] = { "evpipe_attempts_in_flight", GAUGE,
	    "Requests under way" },
	[METRIC_DELIVERING] = { "evpipe_delivering", GAUGE,
	    "1 if this is the program that delivers from the queue" },
	[METRIC_CALLS_WAITING] = { "evpipe_calls_waiting", GAUGE,
	    "Calls taken and not settled, those under way and held too" },
	[METRIC_CALLS_HELD] = { "evpipe_calls_held", GAUGE,
	    "Calls of these that wait for a disabled webhook" },
	[METRIC_CALL_DUE] = { "evpipe_call_due_timestamp_seconds", GAUGE,
	    "When the first call that is not held was or will be due, "
	    "since 1970; absent if none waits" },
	[METRIC_WEBHOOKS] = { "evpipe_webhooks", GAUGE,
	    "Webhooks of the registry by state" },
	[METRIC_WEBHOOK_CHANGES] = { "evpipe_webhook_changes_total", COUNTER,
	    "Changes of webhooks' states, by the new one" },
	[METRIC_QUEUE_BYTES] = { "evpipe_queue_bytes", GAUGE,
	    "Size of the delivery queue, its write-ahead log too" },
	[METRIC_WEBHOOK_ATTEMPTS] = { "evpipe_webhook_attempts_total", COUNTER,
	    "Requests to a webhook, by what came of the call" },
	[METRIC_WEBHOOK_SECONDS] = { "evpipe_webhook_attempt_seconds_total",
	    COUNTER, "How long requests to a webhook took, in all" },
	[METRIC_WEBHOOK_WAITING] = { "evpipe_webhook_calls_waiting", GAUGE,
	    "Calls of a webhook that are not settled" },
	[METRIC_WEBHOOK_STATE] = { "evpipe_webhook_state", GAUGE,
	    "1 with the state that a webhook is in" },
};

void
metrics_family(struct exposition *x, enum metric m)
{
	exposition_family(x, families[m].name, families[m].type,
	    families[m].help);
}

void
metrics_put(struct exposition *x, enum metric m, uint64_t value)
{
	metrics_family(x, m);
	exposition_u64(x, value);
}

void
metrics_put_time(struct exposition *x, enum metric m, int64_t wall_ms)
{
	metrics_family(x, m);
	if (wall_ms >= 0)
		exposition_seconds(x, wall_ms * 1000);
}

/* What tells apart the files of one directory: "deliver" of "deliver.prom". */
static struct span
service_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	struct span name = span_of(slash ? slash + 1 : path);
	struct span end = SPAN(".prom");

	if (name.len > end.len && memcmp(name.p + name.len - end.len, end.p,
	    end.len) == 0)
		name.len -= end.len;
	return name;
}

static void
put_all(struct stage *s, bool up, struct exposition *x)
{
	struct metrics *m = &s->metrics;

	exposition_label(x, "program", span_of(s->diag.program));
	exposition_label(x, "service", service_of(m->path));
	exposition_common(x);
	metrics_put(x, METRIC_UP, up);
	metrics_family(x, METRIC_BUILD);
	exposition_label(x, "version", span_of(EV_VERSION));
	exposition_u64(x, 1);
	metrics_put_time(x, METRIC_START, m->start_ms);
	metrics_put_time(x, METRIC_WRITTEN, clock_wall_ms());
	stage_put_metrics(s, x);
	if (m->put)
		m->put(m->ctx, x);
}

static void
write_file(struct stage *s, bool up)
{
	struct metrics *m = &s->metrics;
	struct exposition x = { 0 };
	struct diag at = s->diag;
	struct error e;
	bool failed;

	put_all(s, up, &x);
	failed = file_replace(m->path, MODE, buf_bytes(&x.text), &e) < 0;
	exposition_clear(&x);
	at.file = NULL;
	at.line = 0;
	if (failed && !m->failed)
		diag_print(&at, DIAG_WARNING, "cannot write the metrics to "
		    "'%s': %s; it is tried again", m->path, e.text);
	m->failed = failed;
	m->touched = failed; /* then it is tried again */
	m->due_ms = clock_mono_ms() + WRITE_MS;
}

int64_t
metrics_tend(struct stage *s)
{
	struct metrics *m = &s->metrics;

	if (!m->path || !m->touched)
		return -1;
	if (clock_mono_ms() >= m->due_ms)
		write_file(s, true);
	return m->touched ? m->due_ms : -1;
}

void
metrics_touch(struct stage *s)
{
	s->metrics.touched = true;
}

void
metrics_end(struct stage *s)
{
	if (!s->metrics.path)
		return;
	write_file(s, false);
	s->metrics.path = NULL;
}
