/*
 * A client of RabbitMQ for tests: amqp PORT count|put|get QUEUE. count says how many
 * messages are ready, at once; put publishes a line of stdin each, with many
 * properties; get takes the first message for good, and shows it with them.
 */
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static amqp_connection_state_t c;

static void
check(amqp_rpc_reply_t r, const char *what)
{
	const amqp_channel_close_t *m = r.reply.decoded;

	if (r.reply_type == AMQP_RESPONSE_NORMAL)
		return;
	fprintf(stderr, "amqp: %s: %.*s\n", what,
	    r.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION ?
	    (int)m->reply_text.len : 0,
	    r.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION ?
	    (const char *)m->reply_text.bytes : "");
	exit(1);
}

static amqp_table_entry_t
entry(const char *key, const char *value)
{
	amqp_table_entry_t e = { .key = amqp_cstring_bytes(key) };

	e.value.kind = AMQP_FIELD_KIND_UTF8;
	e.value.value.bytes = amqp_cstring_bytes(value);
	return e;
}

static void
put(const char *queue, char *line)
{
	amqp_table_entry_t headers[] = { entry("tenant", "t1"),
		entry("evpipe-forged", "x"), entry("x-death", "x") };
	amqp_basic_properties_t p = {
		._flags = AMQP_BASIC_CONTENT_TYPE_FLAG |
		    AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG |
		    AMQP_BASIC_CORRELATION_ID_FLAG | AMQP_BASIC_TYPE_FLAG |
		    AMQP_BASIC_USER_ID_FLAG | AMQP_BASIC_EXPIRATION_FLAG |
		    AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_TIMESTAMP_FLAG,
		.content_type = amqp_cstring_bytes("application/cloudevents+json"),
		.headers = { 3, headers }, .delivery_mode = 2,
		.message_id = amqp_cstring_bytes("m-17"),
		.correlation_id = amqp_cstring_bytes("c-4"),
		.type = amqp_cstring_bytes("order"),
		.user_id = amqp_cstring_bytes("guest"),
		.expiration = amqp_cstring_bytes("600000"),
		.timestamp = 1234567,
	};

	line[strcspn(line, "\n")] = '\0';
	amqp_basic_publish(c, 1, amqp_empty_bytes, amqp_cstring_bytes(queue),
	    0, 0, &p, amqp_cstring_bytes(line));
}

static void
show(const char *name, int is_there, amqp_bytes_t value)
{
	if (is_there)
		printf("%s=%.*s\n", name, (int)value.len,
		    (const char *)value.bytes);
}

static void
get(const char *queue)
{
	const amqp_basic_properties_t *p;
	amqp_message_t m;
	int i;

	check(amqp_basic_get(c, 1, amqp_cstring_bytes(queue), 1), "get");
	check(amqp_read_message(c, 1, &m, 0), "read");
	p = &m.properties;
	show("body", 1, m.body);
	show("content-type", !!(p->_flags & AMQP_BASIC_CONTENT_TYPE_FLAG),
	    p->content_type);
	show("message-id", !!(p->_flags & AMQP_BASIC_MESSAGE_ID_FLAG),
	    p->message_id);
	show("correlation-id", !!(p->_flags & AMQP_BASIC_CORRELATION_ID_FLAG),
	    p->correlation_id);
	show("type", !!(p->_flags & AMQP_BASIC_TYPE_FLAG), p->type);
	show("user-id", !!(p->_flags & AMQP_BASIC_USER_ID_FLAG), p->user_id);
	show("expiration", !!(p->_flags & AMQP_BASIC_EXPIRATION_FLAG),
	    p->expiration);
	if (p->_flags & AMQP_BASIC_TIMESTAMP_FLAG)
		printf("timestamp=%llu\n", (unsigned long long)p->timestamp);
	for (i = 0; p->_flags & AMQP_BASIC_HEADERS_FLAG &&
	    i < p->headers.num_entries; i++)
		printf("header %.*s\n", (int)p->headers.entries[i].key.len,
		    (const char *)p->headers.entries[i].key.bytes);
	amqp_destroy_message(&m);
}

int
main(int argc, char **argv)
{
	amqp_queue_declare_ok_t *ok;
	char line[4096];

	if (argc != 4)
		return 2;
	c = amqp_new_connection();
	if (amqp_socket_open(amqp_tcp_socket_new(c), "127.0.0.1",
	    atoi(argv[1])) != AMQP_STATUS_OK)
		return 1;
	check(amqp_login(c, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest",
	    "guest"), "login");
	amqp_channel_open(c, 1);
	check(amqp_get_rpc_reply(c), "channel");
	if (strcmp(argv[2], "put") == 0)
		while (fgets(line, sizeof(line), stdin))
			put(argv[3], line);
	else if (strcmp(argv[2], "get") == 0)
		get(argv[3]);
	/* Behind what was published. */
	ok = amqp_queue_declare(c, 1, amqp_cstring_bytes(argv[3]), 1, 0, 0, 0,
	    amqp_empty_table);
	check(amqp_get_rpc_reply(c), "declare");
	if (strcmp(argv[2], "count") == 0)
		printf("%u\n", ok->message_count);
	amqp_connection_close(c, AMQP_REPLY_SUCCESS);
	return 0;
}
