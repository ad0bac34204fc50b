/*
 * Rows of the todo, and where their calls are.
 */
#include "deliver/hand.h"

#include <stdlib.h>

#include "base/alloc.h"

void
hands_init(struct hands *h)
{
	*h = (struct hands){ 0 };
	h->tail = &h->first;
	hash_init(&h->ids);
}

void
hands_clear(struct hands *h)
{
	while (h->first)
		hands_drop(h);
	hash_clear(&h->ids);
}

struct hand *
hands_add(struct hands *hands, const struct queue *q, struct queue_todo *row,
    struct error *e)
{
	struct queue_call c;
	struct hand *h;
	size_t at = 0, n = 0, i;
	int r;

	while ((r = queue_todo_call(q, row, &at, &c, e)) == 1)
		n++;
	if (r < 0)
		return NULL;
	h = alloc_zero(1, sizeof(*h) + n * sizeof(h->items[0]));
	h->n = n;
	h->row = *row;
	row->bytes = (struct buf){ 0 };
	for (at = i = 0; i < n; i++) {
		h->items[i].hand = h;
		h->items[i].at = at;
		(void)queue_todo_call(q, &h->row, &at, &c, e);
	}
	hands->last_no = h->row.no;
	hands->n_bytes += h->row.bytes.len;
	*hands->tail = h;
	hands->tail = &h->next;
	return h;
}

void
hands_drop(struct hands *hands)
{
	struct hand *h = hands->first;
	size_t i;

	for (i = 0; i < h->n; i++)
		if (h->items[i].by_id.key.len)
			hash_remove(&hands->ids, &h->items[i].by_id);
	hands->first = h->next;
	if (!h->next) {
		hands->tail = &hands->first;
		hands->last_no = 0; /* numbers may begin anew */
	}
	hands->n_left -= h->n_left;
	hands->n_bytes -= h->row.bytes.len;
	buf_clear(&h->row.bytes);
	free(h);
}

bool
hands_note_id(struct hands *h, struct hand_item *item,
    const struct queue_call *c)
{
	if (c->force || c->id.len == 0)
		return true;
	if (hash_find(&h->ids, c->id))
		return false;
	item->by_id.key = c->id;
	hash_add(&h->ids, &item->by_id);
	return true;
}

void
hands_open(struct hands *h, struct hand_item *item, struct call *c)
{
	item->call = c;
	c->item = item;
	item->hand->n_open++;
	h->n_open++;
}

void
hands_shut(struct hands *h, struct hand_item *item)
{
	item->call->item = NULL;
	item->call = NULL;
	item->hand->n_open--;
	h->n_open--;
}
