/*
 * What is on its way to RabbitMQ until it is confirmed.
 */
#include "store/letters.h"

#include <stdlib.h>

#include "base/alloc.h"

/* Then what the broker has to say is heard, such as that it is short of memory:
 * it reads no more, and a write to it would wait. */
enum { AT_ONCE_BYTES = 64 << 10 };

void
letters_empty(struct letters *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		free(l->all[i].own);
	l->n = l->n_confirmed = l->bytes = 0;
	l->next = 0;
}

void
letters_clear(struct letters *l)
{
	letters_empty(l);
	free(l->all);
	*l = (struct letters){ .first = 1 };
}

void
letters_add(struct letters *l, const struct amqp_message *m)
{
	l->all = alloc_grow(l->all, &l->cap, l->n + 1, sizeof(*l->all));
	l->all[l->n++] = (struct letter){ .message = *m };
}

static struct span
copy(char **to, struct span from)
{
	struct span s = { *to, from.len };

	if (from.len)
		memcpy(*to, from.p, from.len);
	*to += from.len;
	return s;
}

void
letters_keep(struct letters *l, const struct amqp_message *m, int64_t tag)
{
	size_t len = m->body.len + m->properties.len + m->dead->status.len +
	    m->dead->said.len;
	struct letter *one;
	char *at;

	letters_add(l, m);
	one = &l->all[l->n - 1];
	one->tag = tag;
	one->own = at = alloc_zero(1, len + 1);
	one->dead = *m->dead;
	one->message.body = copy(&at, m->body);
	one->message.properties = copy(&at, m->properties);
	one->dead.status = copy(&at, m->dead->status);
	one->dead.said = copy(&at, m->dead->said);
	l->bytes += len;
}

void
letters_restart(struct letters *l)
{
	l->next = 0;
	l->first = 1;
	l->last = 0;
}

static bool
may_publish(const struct letters *l)
{
	return l->next < l->n && l->last + 1 < l->first + AMQP_WINDOW;
}

int
letters_publish(struct letters *l, struct amqp *c, struct error *e)
{
	size_t bytes = 0;
	int r;

	for (; may_publish(l) && bytes < AT_ONCE_BYTES; l->next++) {
		struct letter *one = &l->all[l->next];

		if (one->confirmed)
			continue;
		l->published[++l->last % AMQP_WINDOW] = l->next;
		bytes += one->message.body.len;
		/* They move when there are more. */
		if (one->own)
			one->message.dead = &one->dead;
		r = amqp_publish(c, &one->message, e);
		if (r < 0)
			return r;
	}
	return may_publish(l);
}

static void
confirm(struct letters *l, struct letter *one)
{
	l->n_confirmed += !one->confirmed;
	one->confirmed = true;
}

void
letters_confirm(struct letters *l, uint64_t n, bool multiple)
{
	uint64_t i;

	if (n < l->first)
		return; /* it was told before */
	for (i = multiple ? l->first : n; i <= n && i <= l->last; i++)
		confirm(l, &l->all[l->published[i % AMQP_WINDOW]]);
	while (l->first <= l->last &&
	    l->all[l->published[l->first % AMQP_WINDOW]].confirmed)
		l->first++;
}

size_t
letters_n_safe(const struct letters *l)
{
	size_t n = 0;

	while (n < l->n && l->all[n].confirmed)
		n++;
	return n;
}
