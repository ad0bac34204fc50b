/*
 * Requests into events into the queue. A request is taken as a whole or not at
 * all, so that who is told 400 or 503 knows that nothing of it is on disk.
 */
#include "cmd/reception.h"

#include <stdio.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "json/write.h"

enum {
	MAX_REJECTS = 100, /* told to a client; the rest is counted */
	PROBE_MS = 1000,
	TELL_MS = 60 * 1000, /* where small events fit a disk, and large do not */
	/* Another process that holds the queue is done with it in some ms. */
	PATIENCE_MS = 10 * 1000,
	STEP_MS = 1,
};

enum media { MEDIA_NONE, MEDIA_EVENT, MEDIA_LINES };

void
reception_open(struct reception *in, struct stage *s, bool needs_token)
{
	in->stage = s;
	in->needs_token = needs_token;
	in->give_up_ms = -1;
	batch_init(&in->batch);
}

void
reception_close(struct reception *in)
{
	events_close(in->events);
	tokens_close(&in->tokens);
	batch_clear(&in->batch);
	fault_clear(&in->fault);
	buf_clear(&in->answer);
	free(in->waiting);
}

/* Answers */

static void
note_refusal(const struct reception *in, unsigned status, const char *error)
{
	if (in->stage->diag.verbose)
		diag_print(&in->stage->diag, DIAG_INFO, "%u: %s", status,
		    error);
}

/* {"reason":…,"error":… without its end. */
static void
put_reason(struct buf *b, const char *reason, struct span error)
{
	buf_putc(b, '{');
	json_put_member(b, "reason", span_of(reason));
	json_put_member(b, "error", error);
}

static struct listen_answer
refusal(struct reception *in, unsigned status, const char *reason,
    const char *error, const char *field, const char *value)
{
	in->answer.len = 0;
	put_reason(&in->answer, reason, span_of(error));
	buf_puts(&in->answer, "}\n");
	note_refusal(in, status, error);
	return (struct listen_answer){ status, buf_bytes(&in->answer), field,
		value };
}

static struct listen_answer
unavailable(struct reception *in)
{
	return refusal(in, 503, "unavailable", in->unsure ?
	    "the event queue did not confirm all of it in time, and may hold "
	    "some: send it again, with ids, by which repeats are absorbed" :
	    "the event queue can't be written to at the moment; nothing of "
	    "this request is in it", "Retry-After", "5");
}

/* The head */

static bool
is_media(struct span type, const char *media)
{
	size_t len = strlen(media), at;

	if (type.len < len || strncasecmp(type.p, media, len) != 0)
		return false;
	for (at = len; at < type.len && (type.p[at] == ' ' ||
	    type.p[at] == '\t'); at++)
		continue;
	return at == type.len || type.p[at] == ';';
}

static enum media
media_of(const struct listen_request *r)
{
	struct span type = listen_field(r, "Content-Type");

	if (is_media(type, "application/json"))
		return MEDIA_EVENT;
	if (is_media(type, "application/x-ndjson") ||
	    is_media(type, "application/ndjson") ||
	    is_media(type, "application/jsonl"))
		return MEDIA_LINES;
	return MEDIA_NONE;
}

static bool
is_allowed(struct reception *in, const struct listen_request *r)
{
	struct error e;

	if (!in->needs_token)
		return true;
	if (tokens_check(&in->tokens, &e) < 0)
		diag_print(&in->stage->diag, DIAG_ERROR, "%s; the tokens known "
		    "so far stay in use", e.text);
	return tokens_find(&in->tokens, listen_field(r, "Authorization")) !=
	    NULL;
}

static bool
is_coded(const struct listen_request *r)
{
	struct span coding = listen_field(r, "Content-Encoding");

	return coding.len && strcasecmp(coding.p, "identity") != 0;
}

bool
reception_admit(void *ctx, struct listen_request *r, struct listen_answer *a)
{
	struct reception *in = ctx;
	struct span path = listen_path(r), method = listen_method(r);

	if (span_eq(path, SPAN("/health"))) {
		if (span_eq(method, SPAN("GET")) ||
		    span_eq(method, SPAN("HEAD")))
			return true;
		*a = refusal(in, 405, "method", "health is for GET", "Allow",
		    "GET, HEAD");
	} else if (!span_eq(path, SPAN("/")) &&
	    !span_eq(path, SPAN("/events"))) {
		*a = refusal(in, 404, "path", "events go to /events", NULL,
		    NULL);
	} else if (!span_eq(method, SPAN("POST"))) {
		*a = refusal(in, 405, "method", "events come by POST", "Allow",
		    "POST");
	} else if (!is_allowed(in, r)) {
		*a = refusal(in, 401, "token", "no good bearer token",
		    "WWW-Authenticate", "Bearer");
	} else if (media_of(r) == MEDIA_NONE || is_coded(r)) {
		*a = refusal(in, 415, "media-type", "the Content-Type must be "
		    "application/json, for one event, or application/x-ndjson, "
		    "for one a line, without a Content-Encoding", "Accept",
		    "application/json, application/x-ndjson");
	} else {
		return true;
	}
	return false;
}

/* The body */

/* What a request's lines came to. */
struct reading {
	struct reception *reception;
	struct span traceparent;
	int64_t now_ms;
	uint64_t line, n_rejects;
	bool failed;
};

static void
put_reject(struct reading *g, const char *reason, struct span error)
{
	struct reception *in = g->reception;
	struct buf *b = &in->answer;

	if (g->n_rejects == 0 && in->stage->diag.verbose)
		diag_print(&in->stage->diag, DIAG_INFO, "400: line %llu: %s: "
		    "%.*s", (unsigned long long)g->line, reason,
		    (int)error.len, error.p);
	if (g->n_rejects++ >= MAX_REJECTS)
		return;
	if (b->len)
		buf_putc(b, ',');
	put_reason(b, reason, error);
	json_put_member_u64(b, "line", g->line);
	buf_putc(b, '}');
}

static void
take_line(struct reading *g, struct span line)
{
	struct reception *in = g->reception;
	struct fault *f = &in->fault;

	if (line.len > in->stage->max_line) {
		put_reject(g, "too-long", SPAN("the line is longer than "
		    "--max-line"));
		return;
	}
	switch (batch_add(&in->batch, line, g->traceparent, g->now_ms, f)) {
	case 0:
		break;
	case -1:
		put_reject(g, f->reason, buf_bytes(&f->error));
		break;
	default:
		g->failed = true;
	}
}

static bool
is_blank(struct span line)
{
	size_t i;

	for (i = 0; i < line.len; i++)
		if (!strchr(" \t\r", line.p[i]) || !line.p[i])
			return false;
	return true;
}

static void
take_lines(struct reading *g, struct span body)
{
	const char *end = body.p + body.len, *p, *nl;

	for (p = body.p; p < end; p = nl + 1) {
		struct span line;

		nl = memchr(p, '\n', (size_t)(end - p));
		if (!nl)
			nl = end;
		line = (struct span){ p, (size_t)(nl - p) };
		g->line++;
		if (!is_blank(line))
			take_line(g, line);
	}
}

/* One text of several lines: line ends in JSON are only blanks. */
static void
take_text(struct reading *g, struct span body)
{
	char *p = (char *)(uintptr_t)body.p;
	size_t i;

	for (i = 0; i < body.len; i++)
		if (p[i] == '\n' || p[i] == '\r')
			p[i] = ' ';
	g->line = 1;
	if (!is_blank(body))
		take_line(g, body);
}

/* W3C Trace Context; what is none is not handed on. */
static struct span
traceparent_of(const struct listen_request *r)
{
	struct span s = listen_field(r, "traceparent");

	return event_is_traceparent(s) ? s : (struct span){ 0 };
}

/* 400, with what is wrong in answer, which put_reject filled. */
static void
answer_bad(struct reception *in, struct listen_request *r,
    const struct reading *g)
{
	struct buf b = { 0 };

	buf_puts(&b, "{\"rejected\":");
	buf_u64(&b, g->n_rejects);
	buf_puts(&b, ",\"rejects\":[");
	buf_span(&b, buf_bytes(&in->answer));
	buf_puts(&b, "]}\n");
	listen_answer(r, &(struct listen_answer){ .status = 400,
		.body = buf_bytes(&b) });
	buf_clear(&b);
}

static void
wait_for_store(struct reception *in, struct listen_request *r, size_t from)
{
	in->waiting = alloc_grow(in->waiting, &in->cap_waiting,
	    in->n_waiting + 1, sizeof(*in->waiting));
	in->waiting[in->n_waiting++] = (struct waiting){ r, from,
		in->batch.n - from };
}

static void
take_events(struct reception *in, struct listen_request *r)
{
	struct reading g = { .reception = in, .traceparent = traceparent_of(r),
		.now_ms = clock_wall_ms() };
	size_t from = in->batch.n;
	struct listen_answer a;

	in->answer.len = 0;
	if (media_of(r) == MEDIA_LINES)
		take_lines(&g, listen_body(r));
	else
		take_text(&g, listen_body(r));
	in->stage->n_lines += g.line;
	in->stage->n_bytes += listen_body(r).len;
	if (g.n_rejects == 0 && !g.failed && in->batch.n == from) {
		g.line = 1;
		put_reject(&g, "not-json", SPAN("no event in the body"));
	}
	if (g.n_rejects == 0 && !g.failed) {
		wait_for_store(in, r, from);
		return;
	}
	batch_cut(&in->batch, from);
	if (g.n_rejects) {
		answer_bad(in, r, &g);
		return;
	}
	a = unavailable(in);
	listen_answer(r, &a);
}

/* Storing */

/* A failure is told once, and its end. */
static void
note(struct reception *in, const struct error *e)
{
	int64_t now_ms = clock_mono_ms();

	if (e && !in->ailing && now_ms >= in->tell_ms) {
		diag_print(&in->stage->diag, DIAG_ERROR, "%s; requests are "
		    "answered by 503 until it can be written to", e->text);
		in->told = true;
		in->tell_ms = now_ms + TELL_MS;
	}
	if (!e && in->told) {
		diag_print(&in->stage->diag, DIAG_NOTICE, "the event queue can "
		    "be written to again");
		in->told = false;
	}
	in->ailing = e != NULL;
	in->probe_ms = now_ms + PROBE_MS;
}

/*
 * 0: all of the batch is on disk, where its name leads. 1: another process holds
 * the queue, and it is not time yet to give up.
 */
static int
push(struct reception *in)
{
	struct events_pushed pushed;
	struct error e, gone;
	int r;

	if (in->failed)
		return -1;
	r = batch_push(&in->batch, in->events, clock_wall_ms(), &pushed, &e);
	if (r > 0 && clock_mono_ms() < in->give_up_ms)
		return 1;
	/* What is in a file that was removed meanwhile nobody will pull. */
	if (events_heard(in->events, &gone) < 0) {
		diag_print(&in->stage->diag, DIAG_ERROR, "%s", gone.text);
		stage_worsen(in->stage, EX_SYSTEM);
		in->failed = true;
		return -1;
	}
	note(in, r ? &e : NULL);
	in->unsure = r && pushed.unsure;
	if (r)
		return -1;
	in->n_pushed += in->batch.n - pushed.n_repeats;
	in->n_repeats += pushed.n_repeats;
	return 0;
}

static void
answer_stored(struct reception *in, const struct waiting *w)
{
	struct buf *b = &in->answer;
	size_t i;

	b->len = 0;
	buf_puts(b, "{\"ids\":[");
	for (i = 0; i < w->n; i++) {
		if (i)
			buf_putc(b, ',');
		json_put_string(b, batch_id(&in->batch, w->from + i));
	}
	buf_puts(b, "]}\n");
	listen_answer(w->request, &(struct listen_answer){ .status = 202,
		.body = buf_bytes(b) });
}

/* Those that wait are told how it ended. */
static void
answer_waiting(struct reception *in, bool stored)
{
	struct listen_answer a;
	size_t i;

	for (i = 0; i < in->n_waiting; i++) {
		if (stored) {
			answer_stored(in, &in->waiting[i]);
			continue;
		}
		a = unavailable(in);
		listen_answer(in->waiting[i].request, &a);
	}
	in->n_waiting = 0;
	in->give_up_ms = -1;
	in->unsure = false;
	batch_cut(&in->batch, 0);
}

static void
store(struct reception *in)
{
	int r;

	if (in->n_waiting == 0)
		return;
	if (in->give_up_ms < 0)
		in->give_up_ms = clock_mono_ms() + PATIENCE_MS;
	r = push(in);
	if (r <= 0)
		answer_waiting(in, r == 0);
}

void
reception_stop(struct reception *in)
{
	answer_waiting(in, false);
}

int64_t
reception_wake_ms(const struct reception *in)
{
	return in->n_waiting ? clock_mono_ms() + STEP_MS : -1;
}

/*
 * Well, unless the last transaction failed; then one more is tried, which says
 * whether the next will do.
 */
static void
answer_health(struct reception *in, struct listen_request *r)
{
	struct listen_answer a = { .status = 200,
		.body = SPAN("{\"status\":\"ok\"}\n") };

	if (in->ailing && in->n_waiting == 0 &&
	    clock_mono_ms() >= in->probe_ms)
		(void)push(in);
	if (in->ailing || in->failed)
		a = unavailable(in);
	listen_answer(r, &a);
}

void
reception_take(struct reception *in, struct listener *l)
{
	struct listen_request *r;

	while ((r = listener_next(l))) {
		if (span_eq(listen_path(r), SPAN("/health"))) {
			store(in); /* it tries with an empty batch */
			answer_health(in, r);
			continue;
		}
		take_events(in, r);
		/* One that waits already is tried once a turn. */
		if (batch_is_full(&in->batch) && in->give_up_ms < 0)
			store(in);
	}
	store(in);
}

/* Counting */

void
reception_count(void *ctx, unsigned status, const char *refused, int64_t us)
{
	struct reception *in = ctx;
	size_t i = 0;

	if (refused)
		note_refusal(in, status, refused);
	while (i < RECEPTION_STATUSES - 1 && in->answers[i].status &&
	    in->answers[i].status != status)
		i++;
	in->answers[i].status = status;
	in->answers[i].n++;
	histogram_add(&in->durations, us);
}

void
reception_put_metrics(const struct reception *in, struct exposition *x)
{
	char code[16];
	size_t i;

	metrics_put(x, METRIC_EVENTS_PUSHED, in->n_pushed);
	metrics_put(x, METRIC_EVENTS_REPEATED, in->n_repeats);
	metrics_family(x, METRIC_HTTP_REQUESTS);
	for (i = 0; i < RECEPTION_STATUSES && in->answers[i].status; i++) {
		(void)snprintf(code, sizeof(code), "%u", in->answers[i].status);
		exposition_label(x, "status", span_of(code));
		exposition_u64(x, in->answers[i].n);
	}
	metrics_family(x, METRIC_HTTP_SECONDS);
	exposition_histogram(x, &in->durations);
}
