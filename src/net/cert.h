/*
 * Certificates and keys in PEM: are they what they are said to be? No reason
 * that is given here holds any of their text.
 */
#ifndef NET_CERT_H
#define NET_CERT_H

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

/* One or more certificates and nothing else. 0, or -1 with the reason. */
int cert_check_ca(struct span pem, struct error *);

/*
 * Split what a file holds, in any order, into the certificates and the one key,
 * which must belong to the first of them and need no passphrase. 0, or -1 with
 * the reason.
 */
int cert_split(struct span pem, struct buf *certificate,
    struct buf *private_key, struct error *);

/* Add when the first certificate ends, RFC 3339. 0 or -1. */
int cert_put_end(struct span pem, struct buf *);

#endif
