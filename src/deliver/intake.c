/*
 * Calls into the queue.
 */
#include "deliver/intake.h"

void
intake_open(struct intake *in)
{
	json_init(&in->json);
	in->tail = &in->first;
}

static void
drop_all(struct intake *in)
{
	struct call *c, *next;

	for (c = in->first; c; c = next) {
		next = c->next;
		call_free(c);
	}
	in->first = NULL;
	in->tail = &in->first;
	in->n = in->n_bytes = 0;
}

void
intake_close(struct intake *in)
{
	size_t i;

	drop_all(in);
	json_clear(&in->json);
	for (i = 0; i < sizeof(in->texts) / sizeof(in->texts[0]); i++)
		buf_clear(&in->texts[i]);
}

void
intake_add(struct intake *in, struct call *c)
{
	c->next = NULL;
	*in->tail = c;
	in->tail = &c->next;
	in->n++;
	in->n_bytes += c->text.len;
}

/* A JSON string's characters; into b if there are escapes to undo. */
static struct span
decode(struct intake *in, struct span string, struct buf *b)
{
	struct json_error why;
	struct buf text = { 0 };

	if (string.len < 2)
		return (struct span){ 0 };
	if (!memchr(string.p, '\\', string.len))
		return (struct span){ string.p + 1, string.len - 2 };
	b->len = 0;
	buf_span(&text, string); /* with the padding the reader wants */
	if (json_read(&in->json, text.p, text.len, &why) == 0)
		json_add_string(&in->json, 0, b);
	buf_clear(&text);
	return buf_bytes(b);
}

static int
add(struct intake *in, const struct call *c, int64_t now_ms, struct error *e)
{
	struct queue_call q = {
		.text = c->text,
		.id = decode(in, c->id, &in->texts[0]),
		.event = decode(in, c->event, &in->texts[1]),
		.name = decode(in, c->name, &in->texts[2]),
		.webhook = c->webhook_id.len > 0,
		.ordered = c->ordered,
		.key = decode(in, c->key, &in->texts[3]),
		.body = c->body,
		.force = in->force,
	};

	q.lane = q.webhook ? c->webhook_id : c->target->origin;
	return queue_add_todo(in->queue, &q, now_ms, in->repeats_ms, e);
}

int
intake_store(struct intake *in, int64_t now_ms, struct error *e)
{
	struct call *c;

	if (!in->first)
		return 0;
	if (queue_begin(in->queue, true, e) < 0)
		return -1;
	for (c = in->first; c; c = c->next)
		if (add(in, c, now_ms, e) < 0)
			goto fail;
	if (queue_commit(in->queue, e) < 0)
		goto fail;
	drop_all(in);
	return 0;
fail:
	queue_rollback(in->queue);
	return -1;
}
