/*
 * Where an event queue of RabbitMQ is: amqp://USER:PASSWORD@HOST:PORT,…/VHOST?…
 * as https://www.rabbitmq.com/docs/uri-spec has it, with several hosts, and with
 * the queue's name and what TLS needs (uri-query-parameters) in the query.
 */
#ifndef STORE_AMQP_URL_H
#define STORE_AMQP_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum { AMQP_MAX_HOSTS = 16 };

struct amqp_url {
	bool tls;          /* amqps */
	struct {
		char *name;
		unsigned port;
	} hosts[AMQP_MAX_HOSTS];
	size_t n_hosts;
	char *vhost, *user, *password;
	bool external;     /* auth_mechanism=external: the certificate says who */
	char *queue;       /* queue=, else "evpipe" */
	char *ca_file, *cert_file, *key_file; /* cacertfile=, …; NULL: none */
	unsigned prefetch; /* prefetch=: unacknowledged at most */
	bool single;       /* single=true: one consumer at a time, when declared */
	char *shown;       /* without user, password and query */
};

/* Does the text mean a broker? */
bool amqp_url_is(const char *text);

/*
 * Parse; user and password also come from the file that $EV_AMQP_CREDENTIALS
 * names, a line "USER:PASSWORD", which nobody else may read. 0, or -1 with the
 * error, which shows neither. Cleared in either case.
 */
int amqp_url_parse(struct amqp_url *, const char *text, struct error *);
void amqp_url_clear(struct amqp_url *);

#endif
