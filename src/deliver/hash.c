/*
 * A hash table with chains; it doubles and never shrinks.
 */
#include "deliver/hash.h"

#include <sys/random.h>

#include "base/alloc.h"
#include "json/siphash.h"

enum { FIRST_SLOTS = 64 };

void
hash_init(struct hash *t)
{
	*t = (struct hash){ .n_slots = FIRST_SLOTS };
	t->slots = alloc_zero(t->n_slots, sizeof(struct entry *));
	/* Without entropy the seed is zero: slower under attack, not wrong. */
	if (getrandom(t->seed, sizeof(t->seed), GRND_NONBLOCK) < 0)
		t->seed[0] = t->seed[1] = 0;
}

void
hash_clear(struct hash *t)
{
	free(t->slots);
	t->slots = NULL;
	t->n_slots = t->n = 0;
}

static struct entry **
slot(const struct hash *t, uint64_t hash)
{
	return &t->slots[hash & (t->n_slots - 1)];
}

struct entry *
hash_find(const struct hash *t, struct span key)
{
	uint64_t hash = siphash13(t->seed, key.p, key.len);
	struct entry *e = *slot(t, hash);

	while (e && (e->hash != hash || !span_eq(e->key, key)))
		e = e->next;
	return e;
}

static void
push(struct hash *t, struct entry *e)
{
	struct entry **head = slot(t, e->hash);

	e->next = *head;
	*head = e;
}

static void
grow(struct hash *t)
{
	struct hash bigger = *t;
	struct entry *e, *next;
	size_t i;

	bigger.n_slots *= 2;
	bigger.slots = alloc_zero(bigger.n_slots, sizeof(struct entry *));
	for (i = 0; i < t->n_slots; i++)
		for (e = t->slots[i]; e; e = next) {
			next = e->next;
			push(&bigger, e);
		}
	free(t->slots);
	*t = bigger;
}

void
hash_add(struct hash *t, struct entry *e)
{
	if (t->n == t->n_slots)
		grow(t);
	e->hash = siphash13(t->seed, e->key.p, e->key.len);
	push(t, e);
	t->n++;
}

void
hash_remove(struct hash *t, struct entry *e)
{
	struct entry **at = slot(t, e->hash);

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	t->n--;
}
