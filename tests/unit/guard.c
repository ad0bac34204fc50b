/*
 * The address guard: a table of addresses with their verdicts, and many more
 * against a second, plain formulation of the rules.
 */
#include "net/guard.h"

#include <stdint.h>


enum { RANDOM_ADDRESSES = 300000 };

/* want: "" for may be dialled, else what the reason must hold. */
static const struct {
	const char *ip, *want;
} table[] = {
	{ "1.1.1.1", "" }, { "8.8.8.8", "" }, { "93.184.216.34", "" },
	{ "9.255.255.255", "" }, { "11.0.0.0", "" }, { "100.63.255.255", "" },
	{ "100.128.0.0", "" }, { "126.255.255.255", "" }, { "128.0.0.0", "" },
	{ "169.253.255.255", "" }, { "169.255.0.0", "" },
	{ "172.15.255.255", "" }, { "172.32.0.0", "" },
	{ "192.0.1.0", "" }, { "192.0.3.0", "" }, { "192.88.98.255", "" },
	{ "192.88.100.0", "" }, { "192.167.255.255", "" },
	{ "192.169.0.0", "" }, { "198.17.255.255", "" }, { "198.20.0.0", "" },
	{ "198.51.99.255", "" }, { "198.51.101.0", "" },
	{ "203.0.112.255", "" }, { "203.0.114.0", "" },
	{ "223.255.255.255", "" }, { "168.63.129.15", "" },
	{ "168.63.129.17", "" },
	{ "0.0.0.0", "\"this network\" (0.0.0.0/8)" },
	{ "0.255.255.255", "(0.0.0.0/8)" },
	{ "10.0.0.0", "private (10.0.0.0/8)" },
	{ "10.0.0.5", "10.0.0.5 is private (10.0.0.0/8); --allow-net "
	    "10.0.0.5/32 would let it through" },
	{ "10.255.255.255", "(10.0.0.0/8)" },
	{ "100.64.0.0", "CGNAT" }, { "100.127.255.255", "(100.64.0.0/10)" },
	{ "127.0.0.1", "loopback (127.0.0.0/8)" },
	{ "127.255.255.255", "(127.0.0.0/8)" },
	{ "169.254.0.1", "link-local (169.254.0.0/16)" },
	{ "172.16.0.0", "private (172.16.0.0/12)" },
	{ "172.31.255.255", "(172.16.0.0/12)" },
	{ "192.0.0.1", "(192.0.0.0/24)" }, { "192.0.2.1", "documentation" },
	{ "192.88.99.1", "6to4" }, { "192.168.0.1", "(192.168.0.0/16)" },
	{ "198.18.0.1", "benchmarks" }, { "198.19.255.255", "(198.18.0.0/15)" },
	{ "198.51.100.7", "(198.51.100.0/24)" },
	{ "203.0.113.7", "(203.0.113.0/24)" },
	{ "224.0.0.1", "multicast (224.0.0.0/4)" },
	{ "239.255.255.255", "multicast" }, { "240.0.0.1", "reserved" },
	{ "255.255.255.254", "reserved" }, { "255.255.255.255", "broadcast" },
	{ "169.254.169.254", "is a metadata service, refused whatever" },
	{ "169.254.170.2", "metadata" }, { "169.254.170.23", "metadata" },
	{ "169.254.0.23", "metadata" }, { "169.254.42.42", "metadata" },
	{ "168.63.129.16", "metadata" }, { "100.100.100.200", "metadata" },
	{ "192.0.0.192", "metadata" },
	{ "2606:4700:4700::1111", "" }, { "2a00:1450:4001:80b::200e", "" },
	{ "2000::1", "" }, { "3ffe:ffff::1", "" }, { "2001:200::1", "" },
	{ "2001:db7::1", "" }, { "2001:db9::1", "" }, { "2003::1", "" },
	{ "3fff:1000::1", "" },
	{ "::", "unspecified (::/128)" }, { "::1", "loopback (::1/128)" },
	{ "::2", "IPv4-compatible" }, { "::8.8.8.8", "(::/96)" },
	{ "::ffff:0:8.8.8.8", "translated" }, { "0:0:0:1::", "(::/3)" },
	{ "64:ff9b:1::1", "NAT64 address (64:ff9b:1::/48)" },
	{ "100::1", "discard" }, { "1fff:ffff::1", "(::/3)" },
	{ "2001::1", "Teredo" }, { "2001:1::1", "(2001::/23)" },
	{ "2001:1ff::1", "(2001::/23)" }, { "2001:db8::1", "(2001:db8::/32)" },
	{ "2002:808:808::1", "6to4" }, { "3fff::1", "(3fff::/20)" },
	{ "3fff:fff::1", "(3fff::/20)" }, { "4000::1", "reserved" },
	{ "5f00::1", "segment" }, { "8000::1", "reserved" },
	{ "fc00::1", "private (fc00::/7)" }, { "fdff::1", "private" },
	{ "fe00::1", "reserved" }, { "fe80::1", "link-local (fe80::/10)" },
	{ "febf::1", "link-local" }, { "fec0::1", "site-local" },
	{ "ff02::1", "multicast (ff00::/8)" },
	{ "fd00:ec2::254", "metadata" }, { "fd00:ec2::23", "metadata" },
	{ "fd20:ce::254", "metadata" }, { "fd00:c1::a9fe:a9fe", "metadata" },
	{ "fd00:42::42", "metadata" }, { "fe80::a9fe:a9fe", "metadata" },
	{ "::ffff:8.8.8.8", "" }, { "64:ff9b::8.8.8.8", "" },
	{ "::ffff:10.0.0.5", "::ffff:10.0.0.5 stands for 10.0.0.5, which is "
	    "private (10.0.0.0/8); --allow-net 10.0.0.5/32" },
	{ "::ffff:127.0.0.1", "loopback (127.0.0.0/8)" },
	{ "::ffff:0.0.0.0", "(0.0.0.0/8)" },
	{ "64:ff9b::192.168.1.1", "stands for 192.168.1.1, which is" },
	{ "::ffff:169.254.169.254", "holds 169.254.169.254, which is a meta" },
	{ "::169.254.169.254", "metadata" },
	{ "::ffff:0:169.254.169.254", "metadata" },
	{ "64:ff9b::169.254.169.254", "metadata" },
	{ "64:ff9b:1::169.254.169.254", "metadata" },
	{ "2002:a9fe:a9fe::1", "metadata" },
	{ "2001:0:a9fe:a9fe::1", "metadata" },
	{ "2001:0:808:808:0:0:5601:5601", "metadata" }, /* inverted */
	{ "2002:a83f:8110::", "metadata" },
};

/* The same with 0.0.0.0/0 and ::/0 allowed. */
static const struct {
	const char *ip, *want;
} opened[] = {
	{ "10.0.0.5", "" }, { "127.0.0.1", "" }, { "::1", "" },
	{ "255.255.255.255", "" }, { "2002:a00:5::", "" },
	{ "::ffff:10.0.0.5", "" }, { "169.254.169.253", "" },
	{ "169.254.169.254", "metadata" }, { "168.63.129.16", "metadata" },
	{ "fd00:ec2::254", "metadata" }, { "::ffff:100.100.100.200", "meta" },
	{ "64:ff9b::a9fe:a9fe", "metadata" }, { "2002:a9fe:a9fe::", "meta" },
};

static const struct {
	const char *cidr;
	bool good;
} networks[] = {
	{ "10.0.0.0/8", true }, { "10.0.0.5", true }, { "0.0.0.0/0", true },
	{ "fd00::/8", true }, { "::1", true }, { "::1/128", true },
	{ "10.0.0.5/31", false }, { "10.0.0.5/8", false },
	{ "10.0.0.0/33", false }, { "::/129", false }, { "10.0.0/8", false },
	{ "10.0.0.0/", false }, { "/8", false }, { "", false },
	{ "10.0.0.0/8/8", false }, { "10.0.0.0/-1", false },
	{ "localhost", false }, { "fd00::1/8", false }, { " 10.0.0.0/8", false },
	{ "0x0a.0.0.0/8", false }, { "10.0.0.0/ 8", false },
};

static int
check(const struct guard *g, const char *text, const char *want)
{
	struct error e = { "" };
	struct ip ip;
	int parsed = ip_parse(span_of(text), &ip);
	int refused = parsed == 0 && guard_check(g, &ip, &e) != 0;

	if (parsed == 0 && refused == (*want != '\0') && strstr(e.text, want))
		return 0;
	printf("# %s: '%s', not '%s'\n", text, e.text, want);
	return 1;
}

/* The second formulation: ranges of numbers, as long as they may be. */
static bool
plain_v4(uint32_t a)
{
	uint32_t b = a >> 24, c = a >> 16 & 255, d = a >> 8 & 255;

	if (b == 0 || b == 10 || b == 127 || b >= 224)
		return false;
	if (b == 100 && c >= 64 && c <= 127)
		return false;
	if (b == 169 && c == 254)
		return false;
	if (b == 172 && c >= 16 && c <= 31)
		return false;
	if (b == 192 && ((c == 0 && (d == 0 || d == 2)) ||
	    (c == 88 && d == 99) || c == 168))
		return false;
	if (b == 198 && (c == 18 || c == 19 || (c == 51 && d == 100)))
		return false;
	if (b == 203 && c == 0 && d == 113)
		return false;
	return a != 0xa83f8110;
}

static uint32_t
word(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

static bool
plain_v6(const unsigned char b[16])
{
	uint32_t w0 = word(b), w1 = word(b + 4), w2 = word(b + 8);

	if (w0 == 0 && w1 == 0 && w2 == 0xffff)
		return plain_v4(word(b + 12));
	if (w0 == 0x0064ff9b && w1 == 0 && w2 == 0)
		return plain_v4(word(b + 12));
	if (w0 < 0x20000000 || w0 > 0x3fffffff)
		return false;
	if (w0 >= 0x20010000 && w0 <= 0x200101ff)
		return false;
	if (w0 == 0x20010db8 || w0 >> 16 == 0x2002)
		return false;
	return w0 < 0x3fff0000 || w0 > 0x3fff0fff;
}

static uint64_t
roll(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

/* Random bytes behind a prefix that some rule knows, or beside it. */
static void
make(struct ip *ip, uint64_t *dice)
{
	struct ip base;
	size_t n = sizeof(table) / sizeof(table[0]), i, from;

	(void)ip_parse(span_of(table[roll(dice) % n].ip), &base);
	*ip = base;
	from = roll(dice) % (base.v6 ? 17 : 5);
	for (i = from; i < (base.v6 ? 16 : 4); i++)
		ip->byte[i] = (unsigned char)(roll(dice) >> 32);
	if (roll(dice) % 2)
		ip->byte[roll(dice) % (base.v6 ? 16 : 4)] ^=
		    (unsigned char)(1u << roll(dice) % 8);
	if (roll(dice) % 8 == 0) { /* an IPv4 address in an IPv6 one */
		struct ip inner = *ip;

		(void)ip_parse(span_of(roll(dice) % 2 ? "::ffff:0:0" :
		    "64:ff9b::"), ip);
		memcpy(ip->byte + 12, inner.byte, 4);
	}
}

static int
compare(void)
{
	const struct guard none = { 0 };
	uint64_t dice = 88172645463325252u;
	size_t n_open = 0, i;

	for (i = 0; i < RANDOM_ADDRESSES; i++) {
		struct error e;
		struct ip ip;
		bool want;
		char text[IP_TEXT_BYTES];

		make(&ip, &dice);
		want = ip.v6 ? plain_v6(ip.byte) : plain_v4(word(ip.byte));
		n_open += want;
		if ((guard_check(&none, &ip, &e) == 0) == want)
			continue;
		printf("# %s: %s\n", ip_text(&ip, text), want ? e.text :
		    "let through");
		return 1;
	}
	/* Else it compared next to nothing. */
	return n_open < RANDOM_ADDRESSES / 10 ||
	    n_open > RANDOM_ADDRESSES * 9 / 10;
}

static int
check_networks(void)
{
	struct guard g = { 0 };
	struct error e;
	size_t i;
	int failed = 0;

	for (i = 0; i < sizeof(networks) / sizeof(networks[0]); i++)
		if ((guard_allow(&g, span_of(networks[i].cidr), &e) == 0) !=
		    networks[i].good) {
			printf("# network '%s'\n", networks[i].cidr);
			failed++;
		}
	guard_clear(&g);
	(void)guard_allow(&g, SPAN("10.1.2.0/23"), &e);
	failed += check(&g, "10.1.3.255", "") + check(&g, "10.1.4.0", "(10.") +
	    check(&g, "10.1.1.255", "(10.") + check(&g, "::ffff:10.1.2.3", "");
	guard_clear(&g);
	(void)guard_allow(&g, SPAN("fd00:1::/32"), &e);
	failed += check(&g, "fd00:1::1", "") + check(&g, "fd00:2::1", "(fc00") +
	    check(&g, "10.0.0.1", "(10.");
	guard_clear(&g);
	return failed;
}

static int
report(int number, int failed, const char *what)
{
	printf("%s %d guard: %s\n", failed ? "not ok" : "ok", number, what);
	return failed != 0;
}

int
main(void)
{
	struct guard none = { 0 }, all = { 0 };
	struct error e;
	int failed = 0, n_failed = 0;
	size_t i;

	puts("1..4");
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		failed += check(&none, table[i].ip, table[i].want);
	n_failed += report(1, failed, "each address has its verdict");
	failed = guard_allow(&all, SPAN("0.0.0.0/0"), &e) +
	    guard_allow(&all, SPAN("::/0"), &e);
	for (i = 0; i < sizeof(opened) / sizeof(opened[0]); i++)
		failed += check(&all, opened[i].ip, opened[i].want);
	guard_clear(&all);
	n_failed += report(2, failed, "what can be allowed, and what never");
	n_failed += report(3, check_networks(), "networks");
	n_failed += report(4, compare(), "as a plain formulation has it");
	return n_failed;
}
