/*
 * Names: open addressing.
 */
#include "json/names.h"

#include "base/alloc.h"

enum { HEAD_BYTES = sizeof(uint64_t) };

void
names_clear(struct names *t)
{
	free(t->list);
	free(t->slots);
	*t = (struct names){ 0 };
}

/* Two names of one length have the same head if they begin alike. */
static uint64_t
head_of(struct span s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	uint64_t head = 0;
	uint32_t low, high;

	if (s.len >= HEAD_BYTES) {
		memcpy(&head, p, HEAD_BYTES);
	} else if (s.len >= sizeof(low)) {
		memcpy(&low, p, sizeof(low));
		memcpy(&high, p + s.len - sizeof(high), sizeof(high));
		head = low | (uint64_t)high << 32;
	} else if (s.len) {
		head = p[0] | (uint64_t)p[s.len / 2] << 8 |
		    (uint64_t)p[s.len - 1] << 16;
	}
	return head;
}

static size_t
hash(struct span s, uint64_t head)
{
	uint64_t h = (head ^ s.len) * 0x9e3779b97f4a7c15u, word = 0;
	size_t i;

	for (i = HEAD_BYTES; i + HEAD_BYTES <= s.len; i += HEAD_BYTES) {
		memcpy(&word, s.p + i, HEAD_BYTES);
		h = (h ^ (h >> 29) ^ word) * 0xbf58476d1ce4e5b9u;
	}
	if (i < s.len) {
		memcpy(&word, s.p + s.len - HEAD_BYTES, HEAD_BYTES);
		h = (h ^ (h >> 29) ^ word) * 0xbf58476d1ce4e5b9u;
	}
	/* Last characters are in the high bits: let them count in all. */
	h ^= h >> 32;
	return (size_t)(h * 0x9e3779b97f4a7c15u >> 32);
}

static void
place(struct names *t, int32_t number)
{
	struct span name = t->list[number];
	uint64_t head = head_of(name);
	size_t i = hash(name, head) & (t->n_slots - 1);

	while (t->slots[i].number >= 0)
		i = (i + 1) & (t->n_slots - 1);
	t->slots[i] = (struct names_slot){ head, (uint32_t)name.len, number };
}

static void
grow(struct names *t)
{
	size_t i;

	t->n_slots = t->n_slots ? t->n_slots * 2 : 4;
	t->slots = alloc_resize(t->slots, t->n_slots, sizeof(*t->slots));
	for (i = 0; i < t->n_slots; i++)
		t->slots[i].number = -1;
	for (i = 0; i < t->n; i++)
		place(t, (int32_t)i);
}

size_t
names_add(struct names *t, struct span name)
{
	long number = names_find(t, name);

	if (number >= 0)
		return (size_t)number;
	t->list = alloc_grow(t->list, &t->cap, t->n + 1, sizeof(*t->list));
	t->list[t->n++] = name;
	if (t->n * 4 > t->n_slots * 3)
		grow(t);
	else
		place(t, (int32_t)t->n - 1);
	return t->n - 1;
}

long
names_find(const struct names *t, struct span name)
{
	uint64_t head = head_of(name);
	size_t i;

	if (!t->n)
		return -1;
	for (i = hash(name, head) & (t->n_slots - 1); t->slots[i].number >= 0;
	    i = (i + 1) & (t->n_slots - 1)) {
		const struct names_slot *slot = &t->slots[i];

		if (slot->head == head && slot->len == name.len &&
		    (name.len <= HEAD_BYTES || memcmp(t->list[slot->number].p,
		    name.p, name.len) == 0))
			return slot->number;
	}
	return -1;
}
