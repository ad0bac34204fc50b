/*
 * Lanes and their turns.
 */
#include "deliver/lane.h"

#include "base/alloc.h"

void
lanes_init(struct lanes *l)
{
	*l = (struct lanes){ 0 };
	table_init(&l->table);
	l->turn_tail = &l->turn;
}

void
lanes_clear(struct lanes *l)
{
	table_clear(&l->table);
	buf_clear(&l->key);
}

static struct lane *
lane_new(struct lanes *l, struct span key, bool webhook)
{
	struct lane *lane = alloc_zero(1, sizeof(*lane));

	lane->entry.key = (struct span){ alloc_copy(key.p, key.len), key.len };
	lane->tail = &lane->head;
	lane->webhook = webhook;
	table_add(&l->table, &lane->entry);
	return lane;
}

void
lanes_join(struct lanes *l, struct call *c)
{
	bool webhook = c->webhook_id.len > 0;
	struct entry *found;

	/* A call may name an origin as its webhook: the kind is in the key. */
	l->key.len = 0;
	buf_putc(&l->key, webhook ? 'w' : 'o');
	buf_span(&l->key, webhook ? c->webhook_id : c->target->origin);
	found = table_find(&l->table, buf_bytes(&l->key));
	c->lane = found ? (struct lane *)(void *)found :
	    lane_new(l, buf_bytes(&l->key), webhook);
	c->lane->n_calls++;
}

static void
wait_turn(struct lanes *l, struct lane *lane)
{
	if (lane->turn_link)
		return;
	lane->next_turn = NULL;
	lane->turn_link = l->turn_tail;
	*l->turn_tail = lane;
	l->turn_tail = &lane->next_turn;
}

static void
leave_turns(struct lanes *l, struct lane *lane)
{
	if (!lane->turn_link)
		return;
	*lane->turn_link = lane->next_turn;
	if (lane->next_turn)
		lane->next_turn->turn_link = lane->turn_link;
	else
		l->turn_tail = lane->turn_link;
	lane->turn_link = NULL;
}

void
lanes_leave(struct lanes *l, struct call *c)
{
	struct lane *lane = c->lane;

	c->lane = NULL;
	if (--lane->n_calls)
		return;
	leave_turns(l, lane);
	table_remove(&l->table, &lane->entry);
	target_release(lane->target);
	free((char *)(uintptr_t)lane->entry.key.p);
	free(lane);
}

void
lane_push(struct lanes *l, struct call *c)
{
	struct lane *lane = c->lane;

	c->next = NULL;
	*lane->tail = c;
	lane->tail = &c->next;
	wait_turn(l, lane);
}

struct call *
lane_pop(struct lane *lane)
{
	struct call *c = lane->head;

	if (c) {
		lane->head = c->next;
		if (!lane->head)
			lane->tail = &lane->head;
	}
	return c;
}

struct lane *
lanes_turn(struct lanes *l, bool (*may)(const void *, const struct lane *),
    const void *ctx)
{
	struct lane *first_refused = NULL, *lane;

	while (l->turn && l->turn != first_refused) {
		lane = l->turn;
		leave_turns(l, lane);
		if (!lane->head)
			continue; /* emptied since; it comes back with a call */
		wait_turn(l, lane);
		if (may(ctx, lane))
			return lane;
		if (!first_refused)
			first_refused = lane;
	}
	return NULL;
}
