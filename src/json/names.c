/*
 * Names: open addressing, half full at most.
 */
#include "json/names.h"

#include "base/alloc.h"

void
names_clear(struct names *t)
{
	free(t->list);
	free(t->slots);
	*t = (struct names){ 0 };
}

static uint32_t
hash(struct span s)
{
	uint64_t h = s.len, word;
	size_t i = 0;

	for (; s.len - i >= 8; i += 8) {
		memcpy(&word, s.p + i, 8);
		h = (h ^ word) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	for (word = 0; i < s.len; i++)
		word = word << 8 | (unsigned char)s.p[i];
	h = (h ^ word) * 0xbf58476d1ce4e5b9u;
	return (uint32_t)(h >> 32);
}

static void
place(struct names *t, uint32_t h, int32_t number)
{
	size_t i = h & (t->n_slots - 1);

	while (t->slots[i].number >= 0)
		i = (i + 1) & (t->n_slots - 1);
	t->slots[i] = (struct names_slot){ h, number };
}

static void
grow(struct names *t)
{
	size_t i;

	t->n_slots = t->n_slots ? t->n_slots * 2 : 8;
	t->slots = alloc_resize(t->slots, t->n_slots, sizeof(*t->slots));
	for (i = 0; i < t->n_slots; i++)
		t->slots[i].number = -1;
	for (i = 0; i < t->n; i++)
		place(t, hash(t->list[i]), (int32_t)i);
}

size_t
names_add(struct names *t, struct span name)
{
	long number = names_find(t, name);

	if (number >= 0)
		return (size_t)number;
	t->list = alloc_grow(t->list, &t->cap, t->n + 1, sizeof(*t->list));
	t->list[t->n] = name;
	if ((t->n + 1) * 2 > t->n_slots) {
		t->n++;
		grow(t);
	} else {
		place(t, hash(name), (int32_t)t->n++);
	}
	return t->n - 1;
}

long
names_find(const struct names *t, struct span name)
{
	uint32_t h;
	size_t i;

	if (!t->n)
		return -1;
	h = hash(name);
	for (i = h & (t->n_slots - 1); t->slots[i].number >= 0;
	    i = (i + 1) & (t->n_slots - 1)) {
		const struct span *s = &t->list[t->slots[i].number];

		if (t->slots[i].hash == h && s->len == name.len &&
		    memcmp(s->p, name.p, name.len) == 0)
			return t->slots[i].number;
	}
	return -1;
}
