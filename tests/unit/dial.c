/*
 * What is dialled: requests by net/http to a receiver of ours, with getaddrinfo,
 * connect and the clock in our hands. Names answer as the script says; each
 * address that a connection is made to is noted, and leads to the receiver.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RTLD_NEXT */
#endif
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "net/http.h"
#include "net/resolve.h"

enum { MAX_DIALLED = 16 };

static const struct answer_script {
	const char *name, *addresses;
} names[] = {
	{ "good.test", "93.184.216.34" },
	{ "good.test.", "93.184.216.35" },
	{ "mixed.test.", "93.184.216.34 10.0.0.5" },
	{ "two.test", "93.184.216.34 2606:4700:4700::1111" },
	{ "mixed-last.test", "93.184.216.34 10.0.0.5" },
	{ "mixed-first.test", "10.0.0.5 93.184.216.34" },
	{ "mixed-v6.test", "93.184.216.34 fd00::1" },
	{ "mixed-wrapped.test", "2606:4700:4700::1111 ::ffff:127.0.0.1" },
	{ "metadata.test", "169.254.169.254" },
	{ "many.test", "93.184.216.1 93.184.216.2 93.184.216.3 93.184.216.4 "
	    "93.184.216.5 93.184.216.6 93.184.216.7 93.184.216.8 93.184.216.9 "
	    "93.184.216.10 93.184.216.11 93.184.216.12 93.184.216.13 "
	    "93.184.216.14 93.184.216.15 93.184.216.16 93.184.216.17 "
	    "192.168.0.1" },
	/* Told in reverse; at 8.… 9 nobody listens, at 8.… 8 nobody answers. */
	{ "silent.test", "93.184.216.34 8.0.0.8" },
	{ "moved.test", "93.184.216.34 8.0.0.9 8.0.1.9 8.0.2.9 8.0.3.9" },
	{ "slow.test", "93.184.216.34" },
	{ "rebound.test", NULL }, /* as rebound says */
};

/* Shared with threads, but only changed while none looks anything up. */
static const char *rebound;
static int n_lookups;
static int64_t later_ms;
static int receiver_port, silent_port;
static struct ip dialled[MAX_DIALLED];
static size_t n_dialled;
static int number, n_failed;

/* In the place of libc's */

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	static int (*real)(clockid_t, struct timespec *);
	void *found;
	int rc;

	if (!real) {
		found = dlsym(RTLD_NEXT, "clock_gettime");
		memcpy(&real, &found, sizeof(real));
	}
	rc = real(id, ts);
	ts->tv_sec += later_ms / 1000;
	return rc;
}

static struct addrinfo *
add_address(struct addrinfo *list, const char *text)
{
	struct ip ip;
	struct addrinfo *a = alloc_zero(1, sizeof(*a) +
	    sizeof(struct sockaddr_in6));

	(void)ip_parse(span_of(text), &ip);
	a->ai_addr = (struct sockaddr *)(void *)(a + 1);
	a->ai_family = ip.v6 ? AF_INET6 : AF_INET;
	a->ai_socktype = SOCK_STREAM;
	a->ai_addr->sa_family = (sa_family_t)a->ai_family;
	a->ai_addrlen = ip.v6 ? sizeof(struct sockaddr_in6) :
	    sizeof(struct sockaddr_in);
	if (ip.v6)
		memcpy(&((struct sockaddr_in6 *)(void *)a->ai_addr)->sin6_addr,
		    ip.byte, 16);
	else
		memcpy(&((struct sockaddr_in *)(void *)a->ai_addr)->sin_addr,
		    ip.byte, 4);
	a->ai_next = list;
	return a;
}

int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
    struct addrinfo **result)
{
	const char *text = NULL;
	char one[64];
	size_t i, len;

	(void)service;
	(void)hints;
	__atomic_add_fetch(&n_lookups, 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i].name) == 0)
			text = names[i].addresses ? names[i].addresses :
			    rebound;
	if (strcmp(name, "slow.test") == 0)
		(void)poll(NULL, 0, 3000);
	if (!text)
		return EAI_NONAME;
	*result = NULL;
	for (; *text; text += len + (text[len] == ' ')) {
		len = strcspn(text, " ");
		memcpy(one, text, len);
		one[len] = '\0';
		*result = add_address(*result, one);
	}
	return 0;
}

void
freeaddrinfo(struct addrinfo *a)
{
	struct addrinfo *next;

	for (; a; a = next) {
		next = a->ai_next;
		free(a);
	}
}

int
connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	static int (*real)(int, const struct sockaddr *, socklen_t);
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)receiver_port) };
	struct ip *ip = &dialled[n_dialled % MAX_DIALLED];
	void *found;
	int other;

	if (!real) {
		found = dlsym(RTLD_NEXT, "connect");
		memcpy(&real, &found, sizeof(real));
	}
	if (sa->sa_family != AF_INET && sa->sa_family != AF_INET6)
		return real(fd, sa, len);
	*ip = (struct ip){ .v6 = sa->sa_family == AF_INET6 };
	if (ip->v6)
		memcpy(ip->byte, &((const struct sockaddr_in6 *)
		    (const void *)sa)->sin6_addr, 16);
	else
		memcpy(ip->byte, &((const struct sockaddr_in *)
		    (const void *)sa)->sin_addr, 4);
	n_dialled++;
	if (!ip->v6 && ip->byte[3] == 9 && ip->byte[0] == 8)
		to.sin_port = htons(1);
	if (!ip->v6 && ip->byte[3] == 8 && ip->byte[0] == 8)
		to.sin_port = htons((uint16_t)silent_port);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (ip->v6) {
		/* The receiver is at an IPv4 address. */
		other = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (other < 0 || dup2(other, fd) < 0 || close(other) < 0)
			return -1;
	}
	return real(fd, (const struct sockaddr *)(const void *)&to,
	    sizeof(to));
}

/*
 * A receiver that answers each head, and whatever follows, with 204; but closes,
 * after a while, when it is asked for /leave.
 */

static void
serve_one(int fd)
{
	static const char answer[] = "HTTP/1.1 204 No Content\r\n\r\n";
	char text[4096];
	ssize_t n;

	while ((n = read(fd, text, sizeof(text) - 1)) > 0) {
		text[n] = '\0';
		if (strstr(text, " /leave ")) {
			(void)poll(NULL, 0, 200);
			break;
		}
		if (write(fd, answer, sizeof(answer) - 1) < 0)
			break;
	}
	close(fd);
}

static _Noreturn void
serve(int listening)
{
	int fd;

	for (;;) {
		fd = accept(listening, NULL, NULL);
		if (fd < 0 || fork() != 0) {
			close(fd);
			continue;
		}
		serve_one(fd);
		_exit(0);
	}
}

static int
listen_at(int *port, int backlog)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)(void *)&sa, len) < 0 ||
	    listen(fd, backlog) < 0 ||
	    getsockname(fd, (struct sockaddr *)(void *)&sa, &len) < 0)
		_exit(2);
	*port = ntohs(sa.sin_port);
	return fd;
}

/* One whose queue is full, so that it does not answer. */
static void
start_silent(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	int i;

	(void)listen_at(&silent_port, 0);
	to.sin_addr.s_addr = htonl(0x08000008);
	for (i = 0; i < 4; i++)
		(void)connect(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0),
		    (struct sockaddr *)(void *)&to, sizeof(to));
}

static pid_t
start_receiver(void)
{
	int fd = listen_at(&receiver_port, 16);
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		signal(SIGCHLD, SIG_IGN);
		(void)setpgid(0, 0);
		serve(fd);
	}
	(void)setpgid(pid, pid);
	close(fd);
	return pid;
}

/* The tests */

static void
ok(bool right, const char *what)
{
	printf("%s %d dial: %s\n", right ? "ok" : "not ok", ++number, what);
	n_failed += !right;
}

/* One request; the result in words: "204", or the failure's text. */
static const char *
request(struct http *h, const char *url, int64_t connect_ms)
{
	static char said[sizeof(((struct http_result *)NULL)->error) + 16];
	static const char *const fields[] = { "User-Agent: test" };
	struct http_target_spec spec = { .url = url, .fields = fields,
		.n_fields = 1 };
	struct http_target *t = http_target_new(&spec);
	struct http_request req = { .target = t, .body = SPAN("{}"),
		.connect_ms = connect_ms, .total_ms = 5000 };
	struct http_result r;
	struct error e = { "" };

	n_dialled = 0;
	http_send(h, &req);
	while (!http_next(h, &r))
		if (http_wait(h, NULL, 0, -1, &e) < 0)
			_exit(2);
	if (r.failure == HTTP_ANSWERED)
		snprintf(said, sizeof(said), "%d", r.status);
	else
		snprintf(said, sizeof(said), "%d %s", (int)r.failure, r.error);
	http_target_free(t);
	return said;
}

static bool
was_dialled(const char *text)
{
	struct ip ip;

	return ip_parse(span_of(text), &ip) == 0 && n_dialled == 1 &&
	    memcmp(&ip, &dialled[0], sizeof(ip)) == 0;
}

/* It was refused for this, before anything was dialled. */
static bool
refused(const char *said, const char *rule)
{
	bool right = strstr(said, rule) && n_dialled == 0 &&
	    strtol(said, NULL, 10) == HTTP_BLOCKED;

	if (!right)
		printf("# %s, %zu dialled\n", said, n_dialled);
	return right;
}

static bool
is_204(const char *said)
{
	if (strcmp(said, "204") != 0)
		printf("# %s\n", said);
	return strcmp(said, "204") == 0;
}

static struct http *
open_http(const struct guard *g, const char *const *connect_to,
    const char *proxy)
{
	struct http_options o = { .max_files = 4, .guard = g,
		.connect_to = connect_to, .proxy = proxy };
	struct error e = { "" };
	struct http *h = http_open(&o, &e);

	if (!h)
		printf("# %s\n", e.text);
	return h;
}

/* Another name does not wait for the one that hangs, which is still sought. */
static void
check_beside(struct http *h)
{
	struct http_target_spec spec = { .url = "http://slow.test/" };
	struct http_target *t = http_target_new(&spec);
	struct http_request req = { .target = t, .body = SPAN("{}"),
		.connect_ms = 60000, .total_ms = 60000 };
	struct http_result r;
	int before = n_lookups;

	http_send(h, &req);
	http_send(h, &req);
	ok(is_204(request(h, "http://good.test:82/", 1000)) &&
	    n_lookups == before, "others don't wait; each name is sought once");
	ok(!http_next(h, &r), "the one that hangs is not answered yet");
	http_target_free(t);
}

static void
check_names(void)
{
	struct guard none = { 0 };
	struct http *h = open_http(&none, NULL, NULL);

	ok(is_204(request(h, "http://good.test/", 1000)) &&
	    was_dialled("93.184.216.34"), "a name with a good address");
	ok(is_204(request(h, "http://good.test/x", 1000)) && n_dialled == 0 &&
	    n_lookups == 1, "its connection is used again, without a lookup");
	ok(is_204(request(h, "http://good.test:81/", 1000)) &&
	    was_dialled("93.184.216.34") && n_lookups == 1, "another port");
	ok(is_204(request(h, "http://good.test./", 1000)) &&
	    was_dialled("93.184.216.35") && n_lookups == 2 &&
	    refused(request(h, "http://mixed.test./", 1000), "10.0.0.5"),
	    "a dot at the end is part of the name");
	ok(is_204(request(h, "http://two.test/", 1000)), "two good addresses");
	ok(is_204(request(h, "http://moved.test/", 9000)) && n_dialled == 5,
	    "one that is left, behind those that refuse");
	ok(is_204(request(h, "http://silent.test/", 2000)) && n_dialled == 2,
	    "one that answers, behind one that does not");
	n_lookups = 0;
	ok(refused(request(h, "http://mixed-last.test/", 1000),
	    "10.0.0.5 is private"), "a bad address behind a good one");
	ok(refused(request(h, "http://mixed-first.test/", 1000),
	    "10.0.0.5 is private"), "a bad one before a good one");
	ok(refused(request(h, "http://mixed-v6.test/", 1000),
	    "fd00::1 is private"), "a bad one of the other family");
	ok(refused(request(h, "http://mixed-wrapped.test/", 1000),
	    "::ffff:127.0.0.1 stands for 127.0.0.1"), "a bad one wrapped");
	ok(refused(request(h, "http://many.test/", 1000),
	    "192.168.0.1 is private"), "one bad among many");
	ok(refused(request(h, "http://metadata.test/", 1000), "metadata"),
	    "metadata by name");
	ok(n_lookups == 6, "libcurl looks nothing up by itself");
	ok(strstr(request(h, "http://absent.test/", 1000), "cannot resolve") &&
	    n_dialled == 0, "a name that there is not");
	ok(strstr(request(h, "http://slow.test/", 100),
	    "not resolved in time") && n_dialled == 0, "a lookup that hangs");
	check_beside(h);
	http_close(h); /* while the lookup goes on */
}

static void
check_literals(void)
{
	struct guard none = { 0 }, some = { 0 };
	struct error e;
	struct http *h = open_http(&none, NULL, NULL);

	n_lookups = 0;
	ok(is_204(request(h, "http://93.184.216.34/", 1000)) &&
	    was_dialled("93.184.216.34"), "a good address");
	ok(is_204(request(h, "http://[2606:4700:4700::1111]/", 1000)) &&
	    was_dialled("2606:4700:4700::1111"), "a good IPv6 address");
	ok(refused(request(h, "http://10.0.0.5/", 1000), "(10.0.0.0/8)") &&
	    refused(request(h, "http://[::1]:8080/", 1000), "(::1/128)") &&
	    refused(request(h, "http://[::ffff:a00:5]/", 1000), "10.0.0.5"),
	    "bad addresses");
	http_close(h);
	(void)guard_allow(&some, SPAN("10.0.0.0/24"), &e);
	h = open_http(&some, NULL, NULL);
	ok(is_204(request(h, "http://10.0.0.5/", 1000)) &&
	    was_dialled("10.0.0.5"), "one that is allowed");
	ok(is_204(request(h, "http://mixed-last.test/", 1000)),
	    "and a name that has it");
	ok(refused(request(h, "http://10.0.1.5/", 1000), "(10.0.0.0/8)"),
	    "one beside what is allowed");
	http_close(h);
	guard_clear(&some);
	(void)guard_allow(&some, SPAN("0.0.0.0/0"), &e);
	h = open_http(&some, NULL, NULL);
	ok(refused(request(h, "http://metadata.test/", 1000), "metadata") &&
	    refused(request(h, "http://169.254.169.254/", 1000), "metadata"),
	    "metadata though all is allowed");
	http_close(h);
	guard_clear(&some);
	ok(n_lookups == 2, "addresses are not looked up");
}

/* The answer changes once it is out of date: judged anew, and the other way. */
static void
check_rebinding(void)
{
	struct guard none = { 0 };
	struct http *h = open_http(&none, NULL, NULL);

	rebound = "93.184.216.34";
	ok(is_204(request(h, "http://rebound.test/", 1000)), "before it turns");
	rebound = "10.0.0.5";
	ok(is_204(request(h, "http://rebound.test/", 1000)) && n_dialled == 0,
	    "what is open was judged when it was dialled");
	ok(is_204(request(h, "http://rebound.test:81/", 1000)) &&
	    was_dialled("93.184.216.34"), "what is kept is what was judged");
	later_ms += (RESOLVE_KEEP_MS + 1000);
	ok(refused(request(h, "http://rebound.test:82/", 1000), "10.0.0.5"),
	    "turned to a bad address");
	ok(refused(request(h, "http://rebound.test/", 1000), "10.0.0.5"),
	    "for open connections, too");
	rebound = NULL;
	later_ms += (RESOLVE_KEEP_MS + 1000);
	ok(strstr(request(h, "http://rebound.test:83/", 1000), "cannot resolve"),
	    "gone");
	rebound = "93.184.216.35";
	ok(is_204(request(h, "http://rebound.test:84/", 1000)) &&
	    was_dialled("93.184.216.35"), "and back: that it was gone is not "
	    "kept");
	http_close(h);
}

/* So is what a kept connection lost, before it goes out by another. */
static void
check_lost(void)
{
	struct guard none = { 0 };
	struct http *h = open_http(&none, NULL, NULL);
	struct http_target_spec spec = { .url = "http://rebound.test/leave" };
	struct http_target *t = http_target_new(&spec);
	struct http_request req = { .target = t, .body = SPAN("{}"),
		.connect_ms = 2000, .total_ms = 4 * RESOLVE_KEEP_MS };
	struct http_result r;
	struct error e;

	rebound = "93.184.216.34";
	ok(is_204(request(h, "http://rebound.test/", 1000)), "one is kept");
	n_dialled = 0;
	http_send(h, &req);
	rebound = "10.0.0.5";
	later_ms += RESOLVE_KEEP_MS + 1000;
	while (!http_next(h, &r))
		if (http_wait(h, NULL, 0, -1, &e) < 0)
			_exit(2);
	ok(r.failure == HTTP_BLOCKED && n_dialled == 0,
	    "lost meanwhile, and the name has turned to a bad address");
	http_target_free(t);
	http_close(h);
}

static void
check_detours(void)
{
	static const char *const list[] = { "a.test:80:10.0.0.5:81",
		"b.test::mixed-last.test:", "c.test:80:good.test:8080",
		"d.test:80:[fd00::1]:80", ":9999::81", NULL };
	struct guard none = { 0 };
	struct http *h = open_http(&none, list, NULL);

	ok(refused(request(h, "http://a.test/", 1000), "10.0.0.5") &&
	    refused(request(h, "http://b.test/", 1000), "10.0.0.5") &&
	    refused(request(h, "http://d.test/", 1000), "fd00::1") &&
	    refused(request(h, "http://10.0.0.5:9999/", 1000), "10.0.0.5"),
	    "--connect-to is no way around");
	ok(is_204(request(h, "http://c.test/", 1000)) &&
	    was_dialled("93.184.216.34"), "where it leads is what counts");
	http_close(h);
}

static void
check_proxy(void)
{
	struct guard none = { 0 };
	struct http *h = open_http(&none, NULL, "http://10.9.9.9:3128/");

	ok(is_204(request(h, "http://mixed-last.test/", 1000)) &&
	    was_dialled("10.9.9.9"), "a proxy is trusted, names are its own");
	ok(refused(request(h, "http://10.0.0.5/", 1000), "10.0.0.5") &&
	    refused(request(h, "http://169.254.169.254/", 1000), "metadata"),
	    "addresses in URLs are judged all the same");
	http_close(h);
	(void)setenv("http_proxy", "http://10.9.9.9:3128/", 1);
	(void)setenv("ALL_PROXY", "http://10.9.9.9:3128/", 1);
	h = open_http(&none, NULL, NULL);
	ok(is_204(request(h, "http://good.test/", 1000)) &&
	    was_dialled("93.184.216.34"), "none of the environment");
	http_close(h);
}

int
main(void)
{
	pid_t receiver;

	signal(SIGPIPE, SIG_IGN);
	receiver = start_receiver();
	start_silent();
	check_names();
	check_literals();
	check_rebinding();
	check_lost();
	check_detours();
	check_proxy();
	(void)kill(-receiver, SIGKILL);
	(void)waitpid(receiver, NULL, 0);
	printf("1..%d\n", number);
	return n_failed != 0;
}
