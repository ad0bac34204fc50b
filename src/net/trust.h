/*
 * The certificates that others' are verified by, read once for all connections:
 * libcurl would read them, some 140 in 26 ms and a megabyte, for each.
 */
#ifndef NET_TRUST_H
#define NET_TRUST_H

struct trust;

/* Of a PEM file, which is read when it is needed first. */
struct trust *trust_new(const char *file);
void trust_free(struct trust *); /* NULL is fine */

/*
 * Have an SSL_CTX verify by them, and nothing else. The file is read again after
 * an hour, if it can be. 0, or -1: there are none.
 */
int trust_give(struct trust *, void *ssl_ctx);

#endif
