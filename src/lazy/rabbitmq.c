/*
 * librabbitmq, for programs whose queue is mostly a file: it brings libssl and
 * libcrypto along. The functions are those that store/amqp.c uses.
 */
#include <stdarg.h>

#include "lazy/lazy.h"
#include "store/librabbitmq.h"

#define LIBRARY "librabbitmq.so.4"

static void *library;

/* Its arguments depend on the method. */
amqp_rpc_reply_t
amqp_login_with_properties(amqp_connection_state_t c, const char *vhost,
    int channels, int frame, int heartbeat, const amqp_table_t *properties,
    amqp_sasl_method_enum method, ...)
{
	static amqp_rpc_reply_t (*real)(amqp_connection_state_t, const char *,
	    int, int, int, const amqp_table_t *, amqp_sasl_method_enum, ...);
	const char *user, *password;
	va_list ap;

	if (!real)
		*(void **)&real = lazy_find(&library, LIBRARY,
		    "amqp_login_with_properties");
	va_start(ap, method);
	user = va_arg(ap, const char *);
	password = method == AMQP_SASL_METHOD_PLAIN ?
	    va_arg(ap, const char *) : NULL;
	va_end(ap);
	return real(c, vhost, channels, frame, heartbeat, properties, method,
	    user, password);
}

LAZY(amqp_connection_state_t, amqp_new_connection, (void))
LAZY(int, amqp_destroy_connection, (amqp_connection_state_t c), c)
LAZY(const char *, amqp_error_string2, (int status), status)
LAZY(int, amqp_get_sockfd, (amqp_connection_state_t c), c)
LAZY(amqp_rpc_reply_t, amqp_get_rpc_reply, (amqp_connection_state_t c), c)
LAZY(int, amqp_set_handshake_timeout, (amqp_connection_state_t c,
    const struct timeval *t), c, t)
LAZY(int, amqp_set_rpc_timeout, (amqp_connection_state_t c,
    const struct timeval *t), c, t)
LAZY(void, amqp_maybe_release_buffers, (amqp_connection_state_t c), c)
LAZY(int, amqp_simple_wait_frame_noblock, (amqp_connection_state_t c,
    amqp_frame_t *f, const struct timeval *t), c, f, t)

LAZY(amqp_socket_t *, amqp_tcp_socket_new, (amqp_connection_state_t c), c)
LAZY(amqp_socket_t *, amqp_ssl_socket_new, (amqp_connection_state_t c), c)
LAZY(int, amqp_socket_open_noblock, (amqp_socket_t *s, const char *host,
    int port, const struct timeval *t), s, host, port, t)
LAZY(int, amqp_ssl_socket_set_cacert, (amqp_socket_t *s, const char *file), s,
    file)
LAZY(int, amqp_ssl_socket_set_key, (amqp_socket_t *s, const char *cert,
    const char *key), s, cert, key)
LAZY(int, amqp_ssl_socket_set_ssl_versions, (amqp_socket_t *s,
    amqp_tls_version_t from, amqp_tls_version_t to), s, from, to)
LAZY(void, amqp_ssl_socket_set_verify_hostname, (amqp_socket_t *s,
    amqp_boolean_t on), s, on)
LAZY(void, amqp_ssl_socket_set_verify_peer, (amqp_socket_t *s,
    amqp_boolean_t on), s, on)

LAZY(amqp_channel_open_ok_t *, amqp_channel_open, (amqp_connection_state_t c,
    amqp_channel_t n), c, n)
LAZY(amqp_rpc_reply_t, amqp_channel_close, (amqp_connection_state_t c,
    amqp_channel_t n, int code), c, n, code)
LAZY(amqp_confirm_select_ok_t *, amqp_confirm_select,
    (amqp_connection_state_t c, amqp_channel_t n), c, n)
LAZY(amqp_exchange_declare_ok_t *, amqp_exchange_declare,
    (amqp_connection_state_t c, amqp_channel_t n, amqp_bytes_t exchange,
    amqp_bytes_t type, amqp_boolean_t passive, amqp_boolean_t durable,
    amqp_boolean_t auto_delete, amqp_boolean_t internal,
    amqp_table_t arguments), c, n, exchange, type, passive, durable,
    auto_delete, internal, arguments)
LAZY(amqp_queue_declare_ok_t *, amqp_queue_declare,
    (amqp_connection_state_t c, amqp_channel_t n, amqp_bytes_t queue,
    amqp_boolean_t passive, amqp_boolean_t durable, amqp_boolean_t exclusive,
    amqp_boolean_t auto_delete, amqp_table_t arguments), c, n, queue, passive,
    durable, exclusive, auto_delete, arguments)
LAZY(amqp_queue_bind_ok_t *, amqp_queue_bind, (amqp_connection_state_t c,
    amqp_channel_t n, amqp_bytes_t queue, amqp_bytes_t exchange,
    amqp_bytes_t key, amqp_table_t arguments), c, n, queue, exchange, key,
    arguments)

LAZY(int, amqp_basic_publish, (amqp_connection_state_t c, amqp_channel_t n,
    amqp_bytes_t exchange, amqp_bytes_t key, amqp_boolean_t mandatory,
    amqp_boolean_t immediate, const struct amqp_basic_properties_t_ *p,
    amqp_bytes_t body), c, n, exchange, key, mandatory, immediate, p, body)
LAZY(amqp_basic_qos_ok_t *, amqp_basic_qos, (amqp_connection_state_t c,
    amqp_channel_t n, uint32_t bytes, uint16_t messages,
    amqp_boolean_t global), c, n, bytes, messages, global)
LAZY(amqp_basic_consume_ok_t *, amqp_basic_consume,
    (amqp_connection_state_t c, amqp_channel_t n, amqp_bytes_t queue,
    amqp_bytes_t tag, amqp_boolean_t no_local, amqp_boolean_t no_ack,
    amqp_boolean_t exclusive, amqp_table_t arguments), c, n, queue, tag,
    no_local, no_ack, exclusive, arguments)
LAZY(int, amqp_basic_ack, (amqp_connection_state_t c, amqp_channel_t n,
    uint64_t tag, amqp_boolean_t multiple), c, n, tag, multiple)
LAZY(int, amqp_basic_reject, (amqp_connection_state_t c, amqp_channel_t n,
    uint64_t tag, amqp_boolean_t requeue), c, n, tag, requeue)
LAZY(amqp_rpc_reply_t, amqp_basic_get, (amqp_connection_state_t c,
    amqp_channel_t n, amqp_bytes_t queue, amqp_boolean_t no_ack), c, n, queue,
    no_ack)
LAZY(amqp_rpc_reply_t, amqp_read_message, (amqp_connection_state_t c,
    amqp_channel_t n, amqp_message_t *m, int flags), c, n, m, flags)
LAZY(void, amqp_destroy_message, (amqp_message_t *m), m)

LAZY(int, amqp_decode_properties, (uint16_t kind, amqp_pool_t *pool,
    amqp_bytes_t encoded, void **decoded), kind, pool, encoded, decoded)
LAZY(int, amqp_encode_properties, (uint16_t kind, void *decoded,
    amqp_bytes_t encoded), kind, decoded, encoded)
LAZY(void, init_amqp_pool, (amqp_pool_t *pool, size_t bytes), pool, bytes)
LAZY(void, empty_amqp_pool, (amqp_pool_t *pool), pool)
