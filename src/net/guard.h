/*
 * The address guard: which addresses may be dialled. Pure: an address in, the
 * rule that forbids it out. Private, local and special addresses are refused
 * unless the operator allows their network; metadata services never are
 * allowed, since who reaches one holds the machine's credentials.
 */
#ifndef NET_GUARD_H
#define NET_GUARD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/span.h"

struct ip {
	bool v6;
	unsigned char byte[16]; /* of IPv4 the first four; in network order */
};

struct net {
	struct ip ip; /* no bit set behind the prefix */
	unsigned bits;
};

struct guard {
	struct net *allowed; /* --allow-net */
	size_t n, cap;
};

enum { IP_TEXT_BYTES = 48 };

/* An address in its usual form (inet_pton(3)). 0 or -1. */
int ip_parse(struct span, struct ip *);
const char *ip_text(const struct ip *, char out[IP_TEXT_BYTES]);

/* Allow a network, "10.0.0.0/8", or one address. 0, or -1 with the reason. */
int guard_allow(struct guard *, struct span cidr, struct error *);
void guard_clear(struct guard *);

/*
 * 0, or -1 with the rule in words that can be shown to anybody: "10.0.0.5 is
 * private (10.0.0.0/8); --allow-net 10.0.0.5/32 would let it through". An IPv6
 * address that reaches an IPv4 one is judged as that.
 */
int guard_check(const struct guard *, const struct ip *, struct error *);

#endif
