/*
 * The address guard. The rules are the union of what the known senders of
 * webhooks refuse and of what IANA's special-purpose registries (RFC 6890 and
 * its updates) do not call globally reachable.
 */
#include "net/guard.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/num.h"

struct rule {
	struct net net;
	const char *what;
};

#define V4(a, b, c, d, bits) { { false, { a, b, c, d } }, bits }
#define V6(bits, ...) { { true, { __VA_ARGS__ } }, bits }

static const char PRIVATE[] = "private";
static const char DOCUMENTATION[] = "for documentation";
static const char METADATA[] = "a metadata service";

/* The first that fits counts: narrow ones stand before wide ones. */
static const struct rule rules[] = {
	{ V4(0, 0, 0, 0, 8), "\"this network\"" },
	{ V4(10, 0, 0, 0, 8), PRIVATE },
	{ V4(100, 64, 0, 0, 10), "shared by a carrier (CGNAT)" },
	{ V4(127, 0, 0, 0, 8), "loopback" },
	{ V4(169, 254, 0, 0, 16), "link-local" },
	{ V4(172, 16, 0, 0, 12), PRIVATE },
	{ V4(192, 0, 0, 0, 24), "for protocol assignments" },
	{ V4(192, 0, 2, 0, 24), DOCUMENTATION },
	{ V4(192, 88, 99, 0, 24), "a 6to4 relay" },
	{ V4(192, 168, 0, 0, 16), PRIVATE },
	{ V4(198, 18, 0, 0, 15), "for benchmarks" },
	{ V4(198, 51, 100, 0, 24), DOCUMENTATION },
	{ V4(203, 0, 113, 0, 24), DOCUMENTATION },
	{ V4(224, 0, 0, 0, 4), "multicast" },
	{ V4(255, 255, 255, 255, 32), "broadcast" },
	{ V4(240, 0, 0, 0, 4), "reserved" },
	{ V6(128, 0), "unspecified" },
	{ V6(128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), "loopback" },
	{ V6(96, 0), "an IPv4-compatible address" },
	{ V6(96, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff), "a translated IPv4 address" },
	{ V6(48, 0, 0x64, 0xff, 0x9b, 0, 1), "a local NAT64 address" },
	{ V6(64, 1), "a discard address" },
	{ V6(32, 0x20, 1, 0, 0), "a Teredo address" },
	{ V6(23, 0x20, 1), "for protocol assignments" },
	{ V6(32, 0x20, 1, 0xd, 0xb8), DOCUMENTATION },
	{ V6(16, 0x20, 2), "a 6to4 address" },
	{ V6(20, 0x3f, 0xff), DOCUMENTATION },
	{ V6(16, 0x5f), "a segment identifier" },
	{ V6(7, 0xfc), PRIVATE },
	{ V6(10, 0xfe, 0x80), "link-local" },
	{ V6(10, 0xfe, 0xc0), "site-local" },
	{ V6(8, 0xff), "multicast" },
	/* What is left but 2000::/3, from which all global addresses come. */
	{ V6(3, 0), "reserved" },
	{ V6(2, 0x40), "reserved" },
	{ V6(1, 0x80), "reserved" },
};

/* Whatever the operator allows. */
static const struct rule metadata[] = {
	{ V4(169, 254, 169, 254, 32), METADATA }, /* nearly all */
	{ V4(169, 254, 170, 2, 32), METADATA },   /* AWS ECS */
	{ V4(169, 254, 170, 23, 32), METADATA },  /* AWS EKS */
	{ V4(169, 254, 0, 23, 32), METADATA },    /* Tencent */
	{ V4(169, 254, 42, 42, 32), METADATA },   /* Scaleway */
	{ V4(168, 63, 129, 16, 32), METADATA },   /* Azure WireServer */
	{ V4(100, 100, 100, 200, 32), METADATA }, /* Alibaba */
	{ V4(192, 0, 0, 192, 32), METADATA },     /* Oracle */
	{ V6(128, 0xfd, 0, 0xe, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x54),
	    METADATA }, /* AWS */
	{ V6(128, 0xfd, 0, 0xe, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x23),
	    METADATA }, /* AWS EKS */
	{ V6(128, 0xfd, 0x20, 0, 0xce, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x54),
	    METADATA }, /* Google */
	{ V6(128, 0xfd, 0, 0, 0xc1, 0, 0, 0, 0, 0, 0, 0, 0, 0xa9, 0xfe, 0xa9,
	    0xfe), METADATA }, /* Oracle */
	{ V6(128, 0xfd, 0, 0, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x42),
	    METADATA }, /* Scaleway */
	{ V6(128, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xa9, 0xfe, 0xa9,
	    0xfe), METADATA }, /* OpenStack */
};

/* IPv6 addresses that hold an IPv4 one. */
static const struct wrapping {
	struct net net;
	unsigned at;    /* where it stands */
	bool inverted;
	bool stands_for; /* nothing but the IPv4 address is reached by it */
} wrappings[] = {
	{ V6(96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff), 12, false, true },
	{ V6(96, 0, 0x64, 0xff, 0x9b), 12, false, true }, /* RFC 6052 */
	{ V6(96, 0), 12, false, false },
	{ V6(96, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff), 12, false, false },
	{ V6(48, 0, 0x64, 0xff, 0x9b, 0, 1), 12, false, false },
	{ V6(16, 0x20, 2), 2, false, false },
	{ V6(32, 0x20, 1, 0, 0), 4, false, false },  /* Teredo's server */
	{ V6(32, 0x20, 1, 0, 0), 12, true, false },  /* and client */
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int
ip_parse(struct span s, struct ip *ip)
{
	char text[IP_TEXT_BYTES];

	*ip = (struct ip){ 0 };
	if (s.len >= sizeof(text) || memchr(s.p, 0, s.len))
		return -1;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	ip->v6 = memchr(s.p, ':', s.len) != NULL;
	return inet_pton(ip->v6 ? AF_INET6 : AF_INET, text, ip->byte) == 1 ?
	    0 : -1;
}

const char *
ip_text(const struct ip *ip, char out[IP_TEXT_BYTES])
{
	return inet_ntop(ip->v6 ? AF_INET6 : AF_INET, ip->byte, out,
	    IP_TEXT_BYTES) ? out : "?";
}

static unsigned
width(const struct ip *ip)
{
	return ip->v6 ? 128 : 32;
}

static bool
holds(const struct net *n, const struct ip *ip)
{
	unsigned whole = n->bits / 8, rest = n->bits % 8;

	return n->ip.v6 == ip->v6 &&
	    memcmp(n->ip.byte, ip->byte, whole) == 0 && (rest == 0 ||
	    ((n->ip.byte[whole] ^ ip->byte[whole]) >> (8 - rest)) == 0);
}

static const struct rule *
find(const struct rule *list, size_t n, const struct ip *ip)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (holds(&list[i].net, ip))
			return &list[i];
	return NULL;
}

static bool
is_allowed(const struct guard *g, const struct ip *ip)
{
	size_t i;

	for (i = 0; i < g->n; i++)
		if (holds(&g->allowed[i], ip))
			return true;
	return false;
}

static struct ip
unwrap(const struct wrapping *w, const struct ip *ip)
{
	struct ip inner = { 0 };
	unsigned i;

	for (i = 0; i < 4; i++)
		inner.byte[i] = ip->byte[w->at + i] ^ (w->inverted ? 0xff : 0);
	return inner;
}

/* The metadata rule that the address or one inside of it falls under. */
static const struct rule *
find_metadata(const struct ip *ip, struct ip *judged)
{
	const struct rule *r = find(metadata, COUNT(metadata), ip);
	size_t i;

	for (i = 0; i < COUNT(wrappings) && !r; i++)
		if (holds(&wrappings[i].net, ip)) {
			struct ip inner = unwrap(&wrappings[i], ip);

			r = find(metadata, COUNT(metadata), &inner);
			if (r)
				*judged = inner;
		}
	return r;
}

static struct ip
stands_for(const struct ip *ip)
{
	size_t i;

	for (i = 0; i < COUNT(wrappings); i++)
		if (wrappings[i].stands_for && holds(&wrappings[i].net, ip))
			return unwrap(&wrappings[i], ip);
	return *ip;
}

static int
refuse(const struct ip *ip, const struct ip *judged, const struct rule *r,
    struct error *e)
{
	char a[IP_TEXT_BYTES], b[IP_TEXT_BYTES], c[IP_TEXT_BYTES];
	bool wrapped = memcmp(ip, judged, sizeof(*ip)) != 0;

	ip_text(ip, a);
	ip_text(judged, b);
	ip_text(&r->net.ip, c);
	if (r->what == METADATA)
		return error_set(e, "%s%s%s%s %s, refused whatever is allowed",
		    wrapped ? a : "", wrapped ? " holds " : "", b, wrapped ?
		    ", which is" : " is", METADATA);
	return error_set(e, "%s%s%s%s %s (%s/%u); --allow-net %s/%u would let "
	    "it through", wrapped ? a : "", wrapped ? " stands for " : "", b,
	    wrapped ? ", which is" : " is", r->what, c, r->net.bits, b,
	    width(judged));
}

int
guard_check(const struct guard *g, const struct ip *ip, struct error *e)
{
	struct ip judged = *ip;
	const struct rule *r = find_metadata(ip, &judged);

	if (r)
		return refuse(ip, &judged, r, e);
	judged = stands_for(ip);
	r = find(rules, COUNT(rules), &judged);
	if (!r || is_allowed(g, &judged) || is_allowed(g, ip))
		return 0;
	return refuse(ip, &judged, r, e);
}

static bool
is_clean(const struct net *n)
{
	struct ip ip = n->ip;
	unsigned i;

	for (i = n->bits; i < width(&ip); i++)
		if (ip.byte[i / 8] & (0x80 >> i % 8))
			return false;
	return true;
}

int
guard_allow(struct guard *g, struct span cidr, struct error *e)
{
	const char *slash = memchr(cidr.p, '/', cidr.len);
	struct span ip = cidr, bits = { 0 };
	struct net n = { 0 };
	uint64_t number;

	if (slash) {
		ip.len = (size_t)(slash - cidr.p);
		bits = (struct span){ slash + 1, cidr.len - ip.len - 1 };
	}
	if (ip_parse(ip, &n.ip) != 0)
		return error_set(e, "not an address with a prefix, such as "
		    "10.0.0.0/8 or fd00::/8");
	number = width(&n.ip);
	if (slash && num_u64(bits, 0, width(&n.ip), &number) != 0)
		return error_set(e, "the prefix is not a number from 0 to %u",
		    width(&n.ip));
	n.bits = (unsigned)number;
	if (!is_clean(&n))
		return error_set(e, "has bits behind its prefix");
	g->allowed = alloc_grow(g->allowed, &g->cap, g->n + 1, sizeof(n));
	g->allowed[g->n++] = n;
	return 0;
}

void
guard_clear(struct guard *g)
{
	free(g->allowed);
	*g = (struct guard){ 0 };
}
