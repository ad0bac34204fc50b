/*
 * Lanes and their turns.
 */
#include "deliver/lane.h"

#include "base/alloc.h"

/* Idle lanes are kept, up to so many lanes: target and window are warm. */
enum { MANY_LANES = 1000 };

void
lanes_init(struct lanes *l)
{
	*l = (struct lanes){ 0 };
	hash_init(&l->table);
	hash_init(&l->numbers);
	l->turn_tail = &l->turn;
}

static void
lane_free(struct lanes *l, struct lane *lane)
{
	hash_remove(&l->table, &lane->entry);
	if (lane->no)
		hash_remove(&l->numbers, &lane->by_no);
	timers_cancel(&l->wakes, &lane->wake);
	target_release(lane->target);
	free((char *)(uintptr_t)lane->entry.key.p);
	free(lane);
}

static int
free_it(void *lanes, struct lane *lane)
{
	lane_free(lanes, lane);
	return 0;
}

void
lanes_clear(struct lanes *l)
{
	(void)lanes_each(l, free_it, l);
	hash_clear(&l->table);
	hash_clear(&l->numbers);
	timers_clear(&l->wakes);
	buf_clear(&l->key);
}

static struct lane *
lane_new(struct lanes *l, struct span key, bool webhook)
{
	struct lane *lane = alloc_zero(1, sizeof(*lane));

	lane->entry.key = (struct span){ alloc_copy(key.p, key.len), key.len };
	lane->tail = &lane->head;
	lane->fresh_tail = &lane->fresh;
	lane->webhook = webhook;
	lane->next_due_ms = -1;
	hash_add(&l->table, &lane->entry);
	return lane;
}

struct lane *
lanes_get(struct lanes *l, bool webhook, struct span name)
{
	struct entry *found;

	/* A call may name an origin as its webhook: the kind is in the key. */
	l->key.len = 0;
	buf_putc(&l->key, webhook ? 'w' : 'o');
	buf_span(&l->key, name);
	found = hash_find(&l->table, buf_bytes(&l->key));
	return found ? (struct lane *)(void *)found :
	    lane_new(l, buf_bytes(&l->key), webhook);
}

struct lane *
lanes_find(const struct lanes *l, int64_t no)
{
	struct entry *found = hash_find(&l->numbers,
	    (struct span){ (char *)&no, sizeof(no) });

	return found ? (struct lane *)(void *)((char *)found -
	    offsetof(struct lane, by_no)) : NULL;
}

void
lanes_number(struct lanes *l, struct lane *lane, int64_t no)
{
	lane->no = no;
	lane->by_no.key = (struct span){ (char *)&lane->no, sizeof(no) };
	hash_add(&l->numbers, &lane->by_no);
}

void
lanes_join(struct lanes *l, struct call *c)
{
	bool webhook = c->webhook_id.len > 0;

	c->lane = lanes_get(l, webhook, webhook ? c->webhook_id :
	    c->target->origin);
	c->lane->n_calls++;
}

void
lanes_wait(struct lanes *l, struct lane *lane)
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
lanes_tidy(struct lanes *l, struct lane *lane)
{
	/* n_waiting: below 0 too, for calls that are settled before they are
	 * counted. */
	if (l->table.n <= MANY_LANES || lane->n_calls || lane->more ||
	    lane->next_due_ms >= 0 || lane->wake.at || lane->health_moved ||
	    lane->n_waiting)
		return;
	leave_turns(l, lane);
	lane_free(l, lane);
}

void
lanes_leave(struct lanes *l, struct call *c)
{
	struct lane *lane = c->lane;

	c->lane = NULL;
	lane->n_calls--;
	lanes_tidy(l, lane);
}

static void
add(struct call ***tail, struct call *c)
{
	c->next = NULL;
	**tail = c;
	*tail = &c->next;
}

static struct call *
take(struct call **head, struct call ***tail)
{
	struct call *c = *head;

	if (c)
		*head = c->next;
	if (!*head)
		*tail = head;
	return c;
}

void
lane_push(struct lanes *l, struct call *c)
{
	struct lane *lane = c->lane;

	add(c->item ? &lane->fresh_tail : &lane->tail, c);
	lanes_wait(l, lane);
}

struct call *
lane_pop(struct lane *lane)
{
	return lane->head ? take(&lane->head, &lane->tail) :
	    lane_pop_fresh(lane);
}

struct call *
lane_pop_fresh(struct lane *lane)
{
	return take(&lane->fresh, &lane->fresh_tail);
}

struct lane *
lanes_turn(struct lanes *l, enum readiness (*ready)(void *, struct lane *),
    void *ctx)
{
	struct lane *first_refused = NULL, *lane;

	while (l->turn && l->turn != first_refused) {
		lane = l->turn;
		leave_turns(l, lane);
		switch (ready(ctx, lane)) {
		case LANE_READY:
			lanes_wait(l, lane);
			return lane;
		case LANE_CROWDED:
			lanes_wait(l, lane);
			if (!first_refused)
				first_refused = lane;
			break;
		case LANE_ASLEEP:
			break;
		}
	}
	return NULL;
}

int
lanes_each(struct lanes *l, int (*each)(void *, struct lane *), void *ctx)
{
	struct entry *e, *next;
	size_t i;

	for (i = 0; i < l->table.n_slots; i++)
		for (e = l->table.slots[i]; e; e = next) {
			next = e->next;
			if (each(ctx, (struct lane *)(void *)e) < 0)
				return -1;
		}
	return 0;
}
