/*
 * Lines on their way through a worker.
 */
#include "cmd/pipeline.h"

#include "base/alloc.h"
#include "base/num.h"

enum {
	MAX_BYTES = 256 * 1024, /* on their way: enough to keep both busy */
	MAX_TIMEOUT_MS = 60 * 60 * 1000,
};

void
pipeline_init(struct pipeline *p,
    void (*settle)(struct stage *, void *ctx, unsigned n), void *ctx)
{
	*p = (struct pipeline){ .settle = settle, .ctx = ctx };
}

void
pipeline_clear(struct pipeline *p)
{
	free(p->lines);
	buf_clear(&p->held);
}

static void
settle_first(struct pipeline *p, struct stage *s)
{
	struct pipeline_line l = p->lines[p->first++];
	struct span input = s->input;
	struct diag diag = s->diag;

	s->diag.file = l.file;
	s->diag.line = l.line;
	p->settling = true;
	p->settle(s, p->ctx, l.n);
	p->settling = false;
	p->bytes -= l.bytes;
	if (l.held_end > p->held_at)
		buf_add(&s->out.buf, p->held.p + p->held_at,
		    l.held_end - p->held_at);
	p->held_at = l.held_end;
	if (s->out.buf.len >= OUT_BYTES)
		(void)out_flush(&s->out);
	s->input = input;
	s->diag.file = diag.file;
	s->diag.line = diag.line;
}

/* Forget what was settled. */
static void
close_up(struct pipeline *p)
{
	size_t i;

	if (p->held_at) {
		p->held.len -= p->held_at;
		memmove(p->held.p, p->held.p + p->held_at, p->held.len);
	}
	p->end -= p->first;
	for (i = 0; i < p->end; i++) {
		p->lines[i] = p->lines[p->first + i];
		p->lines[i].held_end -= p->held_at;
	}
	p->first = p->held_at = 0;
}

void
pipeline_drain(struct pipeline *p, struct stage *s)
{
	while (p->first < p->end)
		settle_first(p, s);
	close_up(p);
}

static size_t
load(const struct pipeline *p)
{
	return p->bytes + p->held.len - p->held_at;
}

void
pipeline_make_room(struct pipeline *p, struct stage *s)
{
	if (load(p) <= MAX_BYTES)
		return;
	while (p->first < p->end && load(p) > MAX_BYTES / 2)
		settle_first(p, s);
	close_up(p);
}

void
pipeline_sent(struct pipeline *p, struct stage *s, unsigned n, size_t bytes)
{
	p->lines = alloc_grow(p->lines, &p->cap, p->end + 1, sizeof(*p->lines));
	p->lines[p->end++] = (struct pipeline_line){ s->diag.file,
		s->diag.line, n, bytes, p->held.len };
	p->bytes += bytes;
}

bool
pipeline_is_full(const struct pipeline *p, size_t bytes)
{
	return load(p) + bytes > MAX_BYTES;
}

void
pipeline_end_line(struct pipeline *p, struct stage *s)
{
	if (pipeline_is_idle(p)) {
		(void)out_end_line(&s->out);
		return;
	}
	buf_putc(&p->held, '\n');
	s->out.n_lines++;
	p->lines[p->end - 1].held_end = p->held.len;
}

int64_t
pipeline_timeout(struct stage *s, const char *arg)
{
	int64_t ms;

	if (num_duration(span_of(arg), MAX_TIMEOUT_MS, &ms) < 0 || ms < 1)
		stage_die(s, EX_SETUP, "--timeout '%s' is no duration from 1ms "
		    "to 1h, such as 500ms or 2", arg);
	return ms;
}
