/*
 * A request as a command: curl(1) in words for a POSIX shell, which sends what
 * net/http would send.
 */
#ifndef NET_COMMAND_H
#define NET_COMMAND_H

#include "base/buf.h"
#include "base/error.h"
#include "net/http.h"

/*
 * Add the command, several lines of it, and a newline. Fields that is_secret
 * says are secret come as "Name: $NAME", the name in capitals, _ for what is no
 * letter or digit; a client certificate as $CLIENT_CERTIFICATE and $CLIENT_KEY,
 * names of files. A signature is made as of now_ms and stands as it is. 0, or -1
 * with the error: it can't be signed.
 */
int command_put(struct buf *, const struct http_request *,
    bool (*is_secret)(const void *ctx, struct span field), const void *ctx,
    int64_t now_ms, struct error *);

#endif
