/*
 * Events on their way into the event queue.
 */
#include "store/batch.h"

#include "base/alloc.h"

void
batch_init(struct batch *b)
{
	*b = (struct batch){ 0 };
	event_init(&b->event);
}

void
batch_clear(struct batch *b)
{
	event_clear(&b->event);
	buf_clear(&b->bytes);
	free(b->places);
	free(b->items);
	*b = (struct batch){ 0 };
}

/* Behind the brace that the event begins with. */
static void
put_member(struct buf *b, const char *name, struct span value)
{
	buf_printf(b, "\"%s\":\"", name);
	buf_span(b, value);
	buf_puts(b, "\",");
}

/*
 * Its bytes, with the members that it lacks. These are not the producer's: they
 * may be others when he repeats himself.
 */
static void
put_text(struct batch *b, struct batch_place *at, struct span id,
    struct span traceparent)
{
	struct span text = b->event.text;
	size_t head = json_at(&b->event.json, 0)->pos + 1;

	at->text = b->bytes.len;
	buf_add(&b->bytes, text.p, head);
	if (!b->event.id)
		put_member(&b->bytes, "id", id);
	if (traceparent.len &&
	    !json_get(&b->event.json, 0, SPAN("traceparent")))
		put_member(&b->bytes, "traceparent", traceparent);
	at->same = b->bytes.len;
	buf_add(&b->bytes, text.p + head, text.len - head);
	at->text_len = b->bytes.len - at->text;
}

int
batch_add(struct batch *b, struct span line, struct span traceparent,
    int64_t now_ms, struct fault *f)
{
	struct batch_place *at;
	char made[UUID_BYTES];
	struct span id;

	if (event_read(&b->event, line, f) < 0)
		return -1;
	id = b->event.id_text;
	if (!b->event.id) {
		if (uuid7(&b->ids, now_ms, made) < 0) {
			fault_set(f, "system", "no random bits for an id");
			return -2;
		}
		id = (struct span){ made, sizeof(made) };
	}
	b->places = alloc_grow(b->places, &b->cap_places, b->n + 1,
	    sizeof(*b->places));
	at = &b->places[b->n++];
	at->own = b->event.id != 0;
	put_text(b, at, id, traceparent);
	at->id = b->bytes.len;
	at->id_len = id.len;
	buf_span(&b->bytes, id);
	return 0;
}

struct span
batch_id(const struct batch *b, size_t i)
{
	return (struct span){ b->bytes.p + b->places[i].id,
		b->places[i].id_len };
}

void
batch_cut(struct batch *b, size_t n)
{
	if (n < b->n)
		b->bytes.len = b->places[n].text;
	b->n = n;
}

int
batch_push(struct batch *b, struct events *events, int64_t now_ms,
    struct events_pushed *pushed, struct error *e)
{
	size_t i;

	b->items = alloc_grow(b->items, &b->cap_items, b->n,
	    sizeof(*b->items));
	for (i = 0; i < b->n; i++) {
		const struct batch_place *at = &b->places[i];

		b->items[i] = (struct events_item){
			.text = { b->bytes.p + at->text, at->text_len },
			.same = { b->bytes.p + at->same,
				at->text + at->text_len - at->same },
			.id = batch_id(b, i), .own = at->own,
		};
	}
	return events_push(events, b->items, b->n, now_ms, pushed, e);
}
