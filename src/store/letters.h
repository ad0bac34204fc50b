/*
 * What is on its way to RabbitMQ until the broker has confirmed it, in order, over
 * one connection after another. For store/events_amqp.c alone.
 */
#ifndef STORE_LETTERS_H
#define STORE_LETTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/amqp.h"

struct letter {
	struct amqp_message message;
	int64_t tag;          /* of the event, until that is settled; 0: none */
	struct amqp_dead dead;
	char *own;            /* what the message and dead point to; NULL */
	bool confirmed;
};

struct letters {
	struct letter *all;
	size_t n, cap, n_confirmed;
	size_t bytes;         /* their own */
	size_t next;          /* to be published on this connection */
	size_t published[AMQP_WINDOW]; /* the n-th on it, modulo */
	uint64_t first, last; /* of them, the first one that may be open */
};

/* Zeroed and letters_restart()ed it is empty. */
void letters_clear(struct letters *);

/*
 * Those that there are, are not waited for any more. They have to be confirmed, or
 * the connection to be closed: confirms of theirs would be taken for others'.
 */
void letters_empty(struct letters *);

/* The spans have to stay until it is cleared. */
void letters_add(struct letters *, const struct amqp_message *);

/* The same, copied, and of an event. */
void letters_keep(struct letters *, const struct amqp_message *, int64_t tag);

/* Another connection: what is not confirmed is published on it. */
void letters_restart(struct letters *);

/*
 * Publish some: 1: there is more that may be published now; 0: no; or as
 * amqp_publish.
 */
int letters_publish(struct letters *, struct amqp *, struct error *);

/* The n-th of this connection, or all up to it. */
void letters_confirm(struct letters *, uint64_t n, bool multiple);

static inline bool
letters_are_safe(const struct letters *l)
{
	return l->n_confirmed == l->n;
}

/* How many from the first on are confirmed without a gap. */
size_t letters_n_safe(const struct letters *);

#endif
