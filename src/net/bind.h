/*
 * Sockets that listen.
 */
#ifndef NET_BIND_H
#define NET_BIND_H

#include <stdbool.h>

#include "base/error.h"

/*
 * Listen on "HOST:PORT", "[V6]:PORT", "PORT" (of 127.0.0.1), or a local socket
 * by its path, which begins with '/'; port 0 picks a free one. A local socket
 * that nobody listens on any more is replaced. The descriptor, which does not
 * block; or -1 with the error.
 */
int bind_address(const char *address, struct error *);

/* Take over one that is listening: it is to be a stream and must not block. */
int bind_take(int fd, struct error *);

unsigned bind_port(int fd); /* 0: it has none */

/* Can only this machine reach it: a loopback address, or a local socket? */
bool bind_is_local(int fd);

#endif
