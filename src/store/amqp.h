/*
 * One connection to RabbitMQ (AMQP 0-9-1) with one channel, in confirm mode; for
 * store/events_amqp.c alone. What comes in is taken a frame at a time, so that
 * nothing waits for the rest of a message. There are no heartbeats, which would
 * wake an idle program: the kernel's keepalive tells that the other side is gone.
 *
 * Functions return 0, or with the error, which shows no user, password or event,
 * -1: the connection is lost, or AMQP_REFUSED: the broker does not do what was
 * asked, and won't the next time. It is then to be closed.
 */
#ifndef STORE_AMQP_H
#define STORE_AMQP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "store/amqp_url.h"

enum {
	AMQP_REFUSED = -2,
	AMQP_WINDOW = 1024, /* published and unconfirmed, at most */
	AMQP_MAX_BODY = 16 << 20, /* longer ones are left to the broker's policy */
};

struct amqp;

/* What the channel said; valid during the call. */
struct amqp_events {
	/* A message; its body is NULL if it is over AMQP_MAX_BODY. */
	void (*delivered)(void *ctx, uint64_t tag, struct span body,
	    struct span message_id, struct span properties);
	/* What was published as the n-th is on disk on most of the nodes; n
	 * counts from 1 on each connection. */
	void (*confirmed)(void *ctx, uint64_t n, bool multiple);
	/* It is not: no queue takes it, or the queue is full. */
	void (*refused)(void *ctx, const char *why);
	void (*blocked)(void *ctx, bool is_blocked); /* by the broker's alarms */
	bool (*full)(void *ctx); /* no more messages are taken in now */
	void *ctx;
};

/* Connect to the i-th host. NULL with the error. */
struct amqp *amqp_open(const struct amqp_url *, size_t host,
    const struct amqp_events *, struct error *);
void amqp_close(struct amqp *); /* NULL is fine */

/* Readable when there may be something for amqp_take. */
int amqp_fd(const struct amqp *);

/* Take in what is there; if nothing is, wait for at most wait_ms. */
int amqp_take(struct amqp *, int64_t wait_ms, struct error *);

/* What a dead letter's headers tell. */
struct amqp_dead {
	int64_t time_ms;
	unsigned deaths;
	struct span status, said;
};

/* What goes out; not set is not there. */
struct amqp_message {
	struct span body, id;
	struct span properties; /* encoded, of the message that it was; no id */
	const struct amqp_dead *dead; /* it goes to the queue's dead letters */
};
int amqp_publish(struct amqp *, const struct amqp_message *, struct error *);

/* Deliver to us, prefetch at most at a time. */
int amqp_consume(struct amqp *, struct error *);
int amqp_ack(struct amqp *, uint64_t tag, bool multiple, struct error *);
int amqp_drop(struct amqp *, uint64_t tag, struct error *); /* dead-letter it */

/*
 * The next of the dead letters: 1, or 0: there are no more. It is ours until it
 * is acked or the connection closed. The spans are valid until the next call.
 */
int amqp_get_dead(struct amqp *, uint64_t *tag, struct amqp_message *,
    struct amqp_dead *, struct error *);

/* Make exchange, queue, dead-letter exchange and queue, or see that they are. */
int amqp_declare(struct amqp *, struct error *);

/* How many messages wait to be delivered. */
int amqp_count(struct amqp *, bool dead, int64_t *n, struct error *);

#endif
