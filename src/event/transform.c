/*
 * Filters and transforms. The parent numbers the programs and tasks; they are
 * compiled in the worker, when first needed.
 */
#include "event/transform.h"

#include <assert.h>
#include <inttypes.h>

#include "base/alloc.h"
#include "event/jq.h"
#include "json/siphash.h"
#include "json/write.h"
#include "net/field.h"

/* Distinct texts, numbered. Room for all is made at the start. */
struct texts {
	struct span *list;
	uint32_t *slots; /* number + 1; 0 is free */
	uint32_t n, n_slots;
};

struct task {
	uint32_t filter, transform; /* number + 1 in programs; 0: none */
};

struct program { /* in the worker */
	struct jq_program *jq;
	char *error; /* it does not compile */
};

struct opinion { /* a ruling and what it points into */
	struct ruling ruling;
	struct buf text;
};

struct transforms {
	uint32_t *of_webhook; /* its task */
	struct texts programs, pairs;
	struct task *tasks; /* as pairs */
	struct opinion *opinions;
	int64_t limit_ms;
	struct workers *workers;
	uint64_t n_deaths;
	struct buf request;
	/* The worker's: */
	struct program *compiled; /* as programs */
	struct event event;
	struct fault fault;
	struct buf outputs, message, value, names;
	/* Both: */
	struct json output;
	struct buf name;
};

extern char **environ; /* libjq reads it */

static worker_answer answer;

static void
texts_init(struct texts *t, uint32_t max)
{
	t->n_slots = 16;
	while (t->n_slots < max * 2)
		t->n_slots *= 2;
	t->slots = alloc_zero(t->n_slots, sizeof(*t->slots));
	t->list = alloc_zero(max, sizeof(*t->list));
}

static void
texts_clear(struct texts *t)
{
	free(t->slots);
	free(t->list);
}

/* Its number, if need be a new one. */
static uint32_t
texts_number(struct texts *t, struct span s)
{
	static const uint64_t key[2] = { 0 }; /* the registry's owner wrote it */
	uint32_t i = (uint32_t)siphash13(key, s.p, s.len), *slot;

	for (;; i++) {
		slot = &t->slots[i & (t->n_slots - 1)];
		if (*slot == 0)
			break;
		if (span_eq(t->list[*slot - 1], s))
			return *slot - 1;
	}
	t->list[t->n] = s;
	*slot = ++t->n;
	return t->n - 1;
}

static uint32_t
number_program(struct transforms *t, struct span text)
{
	return text.len ? texts_number(&t->programs, text) + 1 : 0;
}

static bool
has_program(const struct webhook *w)
{
	return w->filter.len || w->transform.len;
}

static void
number_tasks(struct transforms *t, const struct webhooks *list)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		const struct webhook *w = &list->list[i];
		struct task *task = &t->tasks[t->pairs.n];

		if (!has_program(w))
			continue;
		task->filter = number_program(t, w->filter);
		task->transform = number_program(t, w->transform);
		t->of_webhook[i] = 1 + texts_number(&t->pairs, (struct span){
			(const char *)task, sizeof(*task) });
	}
}

struct transforms *
transforms_new(const struct webhooks *list, int64_t limit_ms)
{
	struct transforms *t;
	uint32_t n = 0;
	size_t i;

	for (i = 0; i < list->n; i++)
		n += has_program(&list->list[i]);
	if (n == 0)
		return NULL;
	t = alloc_zero(1, sizeof(*t));
	t->of_webhook = alloc_zero(list->n, sizeof(*t->of_webhook));
	t->tasks = alloc_zero((size_t)n + 1, sizeof(*t->tasks));
	texts_init(&t->programs, 2 * n);
	texts_init(&t->pairs, n);
	number_tasks(t, list);
	t->opinions = alloc_zero(t->pairs.n, sizeof(*t->opinions));
	t->compiled = alloc_zero(t->programs.n, sizeof(*t->compiled));
	t->limit_ms = limit_ms;
	t->workers = workers_new(answer, t, limit_ms);
	event_init(&t->event);
	json_init(&t->output);
	return t;
}

void
transforms_free(struct transforms *t)
{
	uint32_t i;

	if (!t)
		return;
	workers_free(t->workers);
	for (i = 0; i < t->pairs.n; i++)
		buf_clear(&t->opinions[i].text);
	free(t->opinions);
	for (i = 0; i < t->programs.n; i++)
		free(t->compiled[i].error);
	free(t->compiled);
	free(t->tasks);
	free(t->of_webhook);
	texts_clear(&t->programs);
	texts_clear(&t->pairs);
	buf_clear(&t->request);
	event_clear(&t->event);
	json_clear(&t->output);
	buf_clear(&t->name);
	free(t);
}

uint32_t
transforms_task(const struct transforms *t, uint32_t webhook)
{
	return t->of_webhook[webhook];
}

uint32_t
transforms_count(const struct transforms *t)
{
	return t->pairs.n;
}

/* In the worker. NULL: it does not compile, for the reason in its error. */
static struct jq_program *
compile(struct transforms *t, uint32_t number)
{
	struct program *p = &t->compiled[number - 1];
	struct worker_limits limits;
	struct error e;

	if (p->jq || p->error)
		return p->jq;
	worker_lift_limits(&limits);
	p->jq = jq_program_new(t->programs.list[number - 1], SPAN(""), &e);
	if (!p->jq)
		p->error = alloc_copy(e.text, strlen(e.text));
	worker_restore_limits(&limits);
	return p->jq;
}

/* Its outputs, max at most, in t->outputs; -1 with the fault. */
static int
run(struct transforms *t, uint32_t number, bool is_filter, size_t max)
{
	const char *what = is_filter ? "filter" : "transform";
	struct jq_program *jq = compile(t, number);

	t->outputs.len = t->message.len = 0;
	if (!jq)
		return fault_set(&t->fault, is_filter ? "invalid-filter" :
		    "invalid-transform", "its %s does not compile: %s", what,
		    t->compiled[number - 1].error);
	if (jq_program_run(jq, &t->event.json, 0, max, &t->outputs,
	    &t->message) == 0)
		return 0;
	fault_set(&t->fault, is_filter ? "filter-failed" : "transform-failed",
	    "its %s failed", what);
	buf_span(&t->fault.detail, buf_bytes(&t->message));
	return -1;
}

/* 1: to be called; 0: not, for the output; -1 with the fault. */
static int
filter(struct transforms *t, uint32_t number, struct span *output)
{
	if (run(t, number, true, 1) < 0)
		return -1;
	*output = buf_bytes(&t->outputs);
	if (output->len)
		output->len--; /* the newline */
	return output->len && !span_eq(*output, SPAN("false")) &&
	    !span_eq(*output, SPAN("null"));
}

static int
invalid(struct transforms *t, const char *why)
{
	return fault_set(&t->fault, "invalid-transform", "its transform gave "
	    "%s", why);
}

/* Of the signature, or one that every request has of its webhook or event. */
static bool
is_taken(struct span name)
{
	static const char *const taken[] = { "Content-Type", "User-Agent",
		"traceparent" };
	static const struct span ours = { "webhook-", 8 };
	size_t i;

	if (name.len >= ours.len && strncasecmp(name.p, ours.p, ours.len) == 0)
		return true;
	for (i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (name.len == strlen(taken[i]) &&
		    strncasecmp(name.p, taken[i], name.len) == 0)
			return true;
	return false;
}

/* Check one, and note its name. */
static int
check_header(struct transforms *t, uint32_t name)
{
	struct span n = json_string(&t->output, name, &t->name), v;
	struct error e;

	if (json_kind(&t->output, name + 1) != JSON_STRING)
		return invalid(t, "a header whose value is not a string");
	v = json_string(&t->output, name + 1, &t->value);
	if (v.len == 0)
		return invalid(t, "an empty header");
	if (is_taken(n))
		return invalid(t, "one of the headers webhook-..., "
		    "traceparent, Content-Type and User-Agent");
	if (field_check(n, v, &e) == 0) {
		buf_putc(&t->names, t->names.len ? ',' : '[');
		json_put_string(&t->names, n);
		return 0;
	}
	/* Not the name: a program may make it of the payload. */
	invalid(t, "a header that can't be sent");
	buf_puts(&t->fault.detail, e.text);
	return -1;
}

static int
check_headers(struct transforms *t, uint32_t headers)
{
	uint32_t k;

	if (json_kind(&t->output, headers) != JSON_OBJECT)
		return invalid(t, "headers that are no object");
	if (json_at(&t->output, headers)->n > TRANSFORM_MAX_HEADERS)
		return invalid(t, "more than 32 headers");
	for (k = headers + 1; k < json_next(&t->output, headers);
	    k = json_next(&t->output, k + 1))
		if (check_header(t, k) < 0)
			return -1;
	if (t->names.len)
		buf_putc(&t->names, ']');
	return 0;
}

/* An output that is {"body"} or {"headers", "body"}? Else it is the body. */
static bool
is_request(const struct json *j, uint32_t *headers, uint32_t *body)
{
	*headers = json_get(j, 0, SPAN("headers"));
	*body = json_get(j, 0, SPAN("body"));
	return *body && json_at(j, 0)->n == (*headers ? 2u : 1u);
}

/* 1 with a body, 0: no call, -1 with the fault. */
static int
transform(struct transforms *t, uint32_t number, struct span *headers,
    struct span *body)
{
	uint32_t h, b;
	struct json_error e;
	const char *nl;

	*headers = SPAN("");
	t->names.len = 0;
	if (run(t, number, false, 2) < 0)
		return -1;
	if (t->outputs.len == 0)
		return 0;
	nl = memchr(t->outputs.p, '\n', t->outputs.len);
	*body = (struct span){ t->outputs.p, (size_t)(nl - t->outputs.p) };
	if (body->len + 1 < t->outputs.len)
		return invalid(t, "more than one output");
	if (json_read(&t->output, body->p, body->len, &e) < 0)
		return invalid(t, e.what); /* never seen */
	if (!is_request(&t->output, &h, &b))
		return 1;
	*body = json_bytes(&t->output, b);
	if (!h)
		return 1;
	*headers = json_bytes(&t->output, h);
	return check_headers(t, h) < 0 ? -1 : 1;
}

static int
judge(struct transforms *t, const struct task *task, struct buf *to)
{
	struct span output, headers, body;
	int r = 1;

	if (task->filter)
		r = filter(t, task->filter, &output);
	if (r == 0) {
		buf_putc(to, '0' + RULING_NO_FILTER);
		part_put(to, output);
	} else if (r > 0 && !task->transform) {
		buf_putc(to, '0' + RULING_CALL);
	} else if (r > 0) {
		r = transform(t, task->transform, &headers, &body);
		if (r < 0)
			return -1;
		buf_putc(to, '0' + (r ? RULING_BODY : RULING_NO_OUTPUT));
		if (r) {
			part_put(to, headers);
			part_put(to, buf_bytes(&t->names));
			part_put(to, body);
		}
	}
	return r < 0 ? -1 : 0;
}

/* In the worker: a digit that tells the kind, and parts. */
static void
answer(void *ctx, struct span request, struct buf *to)
{
	struct transforms *t = ctx;
	uint32_t task;

	memcpy(&task, request.p, sizeof(task));
	request.p += sizeof(task);
	request.len -= sizeof(task);
	if (event_read(&t->event, request, &t->fault) == 0 &&
	    judge(t, &t->tasks[task - 1], to) == 0)
		return;
	buf_putc(to, '0' + RULING_FAILED);
	part_put(to, (struct span){ t->fault.reason,
		strlen(t->fault.reason) + 1 });
	part_put(to, buf_bytes(&t->fault.error));
	part_put(to, buf_bytes(&t->fault.detail));
}

void
transforms_send(struct transforms *t, uint32_t task, struct span line)
{
	t->request.len = 0;
	buf_add(&t->request, &task, sizeof(task));
	buf_span(&t->request, line);
	workers_send(t->workers, buf_bytes(&t->request));
}

static void
take_answer(struct opinion *o, struct span text)
{
	o->text.len = 0;
	buf_span(&o->text, text);
	text = buf_bytes(&o->text);
	o->ruling = (struct ruling){ .kind =
	    (enum ruling_kind)(*text.p - '0') };
	text.p++;
	text.len--;
	if (o->ruling.kind == RULING_NO_FILTER) {
		o->ruling.output = part_take(&text);
	} else if (o->ruling.kind == RULING_BODY) {
		o->ruling.headers = part_take(&text);
		o->ruling.names = part_take(&text);
		o->ruling.body = part_take(&text);
	} else if (o->ruling.kind == RULING_FAILED) {
		o->ruling.reason = part_take(&text).p;
		o->ruling.error = part_take(&text);
		o->ruling.detail = part_take(&text);
	}
}

uint64_t
transforms_deaths(const struct transforms *t)
{
	return t ? t->n_deaths : 0;
}

/* The task cost a worker its life. */
static void
take_death(struct transforms *t, const struct task *task,
    struct opinion *o, bool timeout)
{
	t->n_deaths++;
	o->text.len = 0;
	buf_printf(&o->text, "its %s ", !task->transform ? "filter" :
	    task->filter ? "filter or transform" : "transform");
	if (timeout)
		buf_printf(&o->text, "took more than %" PRId64 " ms of "
		    "processor time", t->limit_ms);
	else
		buf_printf(&o->text, "died, perhaps for want of memory: it "
		    "may take %d MiB", (int)(WORKER_MEMORY_BYTES >> 20));
	o->ruling = (struct ruling){ .kind = RULING_FAILED,
		.error = buf_bytes(&o->text), .detail = SPAN("") };
	if (task->transform)
		o->ruling.reason = timeout ? "transform-timeout" :
		    "transform-failed";
	else
		o->ruling.reason = timeout ? "filter-timeout" :
		    "filter-failed";
}

int
transforms_receive(struct transforms *t, struct span *line, struct error *e)
{
	enum worker_status status;
	struct span text;
	uint32_t task;

	status = workers_receive(t->workers, line, &text, e);
	if (status == WORKER_FAILED)
		return -1;
	memcpy(&task, line->p, sizeof(task));
	line->p += sizeof(task);
	line->len -= sizeof(task);
	if (status == WORKER_ANSWERED)
		take_answer(&t->opinions[task - 1], text);
	else
		take_death(t, &t->tasks[task - 1], &t->opinions[task - 1],
		    status == WORKER_TIMEOUT);
	return 0;
}

const struct ruling *
transforms_ruling(const struct transforms *t, uint32_t task)
{
	return &t->opinions[task - 1].ruling;
}

static bool
has_name(struct transforms *t, struct span name)
{
	uint32_t k;

	for (k = 1; k < json_next(&t->output, 0);
	    k = json_next(&t->output, k + 1)) {
		struct span s = json_string(&t->output, k, &t->name);

		if (s.len == name.len &&
		    strncasecmp(s.p, name.p, name.len) == 0)
			return true;
	}
	return false;
}

bool
transforms_clash(struct transforms *t, const struct ruling *v,
    const struct webhook *w)
{
	struct json_error e;
	uint32_t i;

	if (v->headers.len == 0 || w->n_headers == 0 || json_read(&t->output,
	    v->headers.p, v->headers.len, &e) < 0)
		return false;
	for (i = 0; i < w->n_headers; i++)
		if (has_name(t, w->headers[i].name))
			return true;
	return false;
}

static void
add_reason(const struct transforms *t, uint32_t number, const struct webhook *w,
    const char *member, struct buf *reasons)
{
	if (number && t->compiled[number - 1].error)
		buf_printf(reasons, "%swebhook '%.*s': %s: %s", reasons->len ?
		    "\n" : "", (int)w->id.len, w->id.p, member,
		    t->compiled[number - 1].error);
}

int
transforms_check(const struct webhooks *list, struct buf *reasons)
{
	struct transforms *t = transforms_new(list, 0);
	char *no_environment[] = { NULL }, **saved = environ;
	size_t before = reasons->len, i;
	struct error e;

	if (!t)
		return 0;
	environ = no_environment;
	for (i = 0; i < t->programs.n; i++) {
		struct jq_program *jq = jq_program_new(t->programs.list[i],
		    SPAN(""), &e);

		if (!jq)
			t->compiled[i].error = alloc_copy(e.text,
			    strlen(e.text));
		jq_program_free(jq);
	}
	environ = saved;
	for (i = 0; i < list->n; i++) {
		uint32_t task = t->of_webhook[i];

		if (!task)
			continue;
		add_reason(t, t->tasks[task - 1].filter, &list->list[i],
		    "filter", reasons);
		add_reason(t, t->tasks[task - 1].transform, &list->list[i],
		    "transform", reasons);
	}
	transforms_free(t);
	return reasons->len > before ? -1 : 0;
}
