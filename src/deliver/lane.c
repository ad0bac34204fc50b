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
}

/* An id holds no ':', an origin does: they can't be taken for one another. */
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
	struct span key = webhook ? c->webhook_id : c->target->origin;
	struct entry *found = table_find(&l->table, key);

	c->lane = found ? (struct lane *)(void *)found :
	    lane_new(l, key, webhook);
	c->lane->n_calls++;
}

static void
take_turn_back(struct lanes *l, struct lane *lane)
{
	struct lane **at = &l->turn;

	if (!lane->waits_turn)
		return;
	while (*at != lane)
		at = &(*at)->next_turn;
	*at = lane->next_turn;
	if (!*at)
		l->turn_tail = at;
	lane->waits_turn = false;
}

void
lanes_leave(struct lanes *l, struct call *c)
{
	struct lane *lane = c->lane;

	c->lane = NULL;
	if (--lane->n_calls)
		return;
	take_turn_back(l, lane);
	table_remove(&l->table, &lane->entry);
	target_release(lane->target);
	free((char *)(uintptr_t)lane->entry.key.p);
	free(lane);
}

static void
wait_turn(struct lanes *l, struct lane *lane)
{
	if (lane->waits_turn)
		return;
	lane->waits_turn = true;
	lane->next_turn = NULL;
	*l->turn_tail = lane;
	l->turn_tail = &lane->next_turn;
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

static struct lane *
next_in_turn(struct lanes *l)
{
	struct lane *lane = l->turn;

	l->turn = lane->next_turn;
	if (!l->turn)
		l->turn_tail = &l->turn;
	lane->waits_turn = false;
	return lane;
}

struct lane *
lanes_turn(struct lanes *l, bool (*may)(const void *, const struct lane *),
    const void *ctx)
{
	struct lane *first_refused = NULL, *lane;

	while (l->turn && l->turn != first_refused) {
		lane = next_in_turn(l);
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
