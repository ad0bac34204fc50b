/*
 * Sockets that listen.
 */
#include "net/bind.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/num.h"

static int
close_keeping_errno(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
	return -1;
}

static int
set_flags(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -1 : 0;
}

static int
bind_one(const struct addrinfo *a)
{
	int fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol), on = 1;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    set_flags(fd) < 0 || bind(fd, a->ai_addr, a->ai_addrlen) < 0 ||
	    listen(fd, SOMAXCONN) < 0)
		return close_keeping_errno(fd);
	return fd;
}

static int
bind_any(const char *host, const char *port, struct error *e)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE }, *all, *a;
	int code = getaddrinfo(host, port, &hints, &all), fd = -1;

	if (code)
		return error_set(e, "cannot resolve '%s', port '%s': %s", host,
		    port, gai_strerror(code));
	for (a = all; a && fd < 0; a = a->ai_next)
		fd = bind_one(a);
	if (fd < 0)
		(void)error_set(e, "cannot listen on '%s', port '%s': %s", host,
		    port, strerror(errno));
	freeaddrinfo(all);
	return fd;
}

/* Does nobody listen on the socket that is there? */
static bool
is_left_behind(const struct sockaddr_un *to)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool refused;

	if (fd < 0)
		return false;
	refused = connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0 &&
	    errno == ECONNREFUSED;
	close(fd);
	return refused;
}

static int
bind_path(const char *path, struct error *e)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct addrinfo a = { .ai_family = AF_UNIX, .ai_socktype = SOCK_STREAM,
		.ai_addr = (struct sockaddr *)&to, .ai_addrlen = sizeof(to) };
	struct stat st;
	int fd;

	if (strlen(path) >= sizeof(to.sun_path))
		return error_set(e, "cannot listen on '%s': the path is longer "
		    "than %zu bytes", path, sizeof(to.sun_path) - 1);
	memcpy(to.sun_path, path, strlen(path));
	fd = bind_one(&a);
	if (fd < 0 && errno == EADDRINUSE && lstat(path, &st) == 0 &&
	    S_ISSOCK(st.st_mode) && is_left_behind(&to)) {
		(void)unlink(path);
		fd = bind_one(&a);
	}
	return fd < 0 ? error_set(e, "cannot listen on '%s': %s", path,
	    strerror(errno)) : fd;
}

int
bind_address(const char *address, struct error *e)
{
	const char *colon = strrchr(address, ':');
	const char *port = colon ? colon + 1 : address;
	size_t n = colon ? (size_t)(colon - address) : 0;
	uint64_t number;
	char *host;
	int fd;

	if (address[0] == '/')
		return bind_path(address, e);
	/* getaddrinfo takes "" as 0 and 65537 as 1. */
	if (num_u64(span_of(port), 0, UINT16_MAX, &number) < 0)
		return error_set(e, "cannot listen on '%s': port '%s' is no "
		    "number from 0 to 65535", address, port);
	if (n >= 2 && address[0] == '[' && address[n - 1] == ']')
		host = alloc_copy(address + 1, n - 2);
	else
		host = n ? alloc_copy(address, n) : alloc_copy("127.0.0.1", 9);
	fd = bind_any(host, port, e);
	free(host);
	return fd;
}

int
bind_take(int fd, struct error *e)
{
	int listens = 0, type = 0;
	socklen_t len = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || !listens ||
	    type != SOCK_STREAM)
		return error_set(e, "descriptor %d is no socket that listens "
		    "for streams", fd);
	if (set_flags(fd) < 0)
		return error_set(e, "descriptor %d: %s", fd, strerror(errno));
	return 0;
}

unsigned
bind_port(int fd)
{
	struct sockaddr_storage a = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(a);

	if (getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		return 0;
	if (a.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&a)->sin6_port);
	if (a.ss_family == AF_INET)
		return ntohs(((struct sockaddr_in *)&a)->sin_port);
	return 0;
}

bool
bind_is_local(int fd)
{
	struct sockaddr_storage a = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(a);

	if (getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		return false;
	if (a.ss_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(
		    &((struct sockaddr_in6 *)&a)->sin6_addr);
	if (a.ss_family == AF_INET)
		return ntohl(((struct sockaddr_in *)&a)->sin_addr.s_addr) >> 24
		    == 127;
	return a.ss_family == AF_UNIX;
}
