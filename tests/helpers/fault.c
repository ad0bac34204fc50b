/*
 * Preloaded by tests: the Nth call that reads, writes or syncs a file whose
 * name begins with $FAULT_FILE fails. $FAULT_AT is N, $FAULT_ERRNO the errno,
 * $FAULT_LAST=1: all later ones fail, too. $FAULT_FORK=N: the Nth fork(2) fails,
 * and all later ones. When one fires, the file $FAULT_MARK is made.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static long count;

static int
is_ours(int fd)
{
	const char *want = getenv("FAULT_FILE");
	char link[64], name[4096];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, name, sizeof(name) - 1);
	if (!want || n < 0)
		return 0;
	name[n] = '\0';
	return strncmp(name, want, strlen(want)) == 0;
}

static void
mark(void)
{
	const char *name = getenv("FAULT_MARK");
	int fd = name ? open(name, O_WRONLY | O_CREAT, 0600) : -1;

	if (fd >= 0)
		close(fd);
}

static int
fails(int fd)
{
	const char *at = getenv("FAULT_AT"), *why = getenv("FAULT_ERRNO");
	const char *last = getenv("FAULT_LAST");
	int saved = errno;
	long n;

	if (!at || !is_ours(fd)) {
		errno = saved;
		return 0;
	}
	n = ++count;
	errno = saved;
	if (n != atol(at) && !(last && n > atol(at)))
		return 0;
	mark();
	errno = why ? atoi(why) : EIO;
	return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t
pwrite64(int fd, const void *p, size_t n, off64_t at)
{
	return fails(fd) ? -1 : REAL(pwrite64)(fd, p, n, at);
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t at)
{
	return fails(fd) ? -1 : REAL(pwrite)(fd, p, n, at);
}

ssize_t
write(int fd, const void *p, size_t n)
{
	return fails(fd) ? -1 : REAL(write)(fd, p, n);
}

ssize_t
pread64(int fd, void *p, size_t n, off64_t at)
{
	return fails(fd) ? -1 : REAL(pread64)(fd, p, n, at);
}

ssize_t
pread(int fd, void *p, size_t n, off_t at)
{
	return fails(fd) ? -1 : REAL(pread)(fd, p, n, at);
}

int
fsync(int fd)
{
	return fails(fd) ? -1 : REAL(fsync)(fd);
}

int
fdatasync(int fd)
{
	return fails(fd) ? -1 : REAL(fdatasync)(fd);
}

int
ftruncate64(int fd, off64_t n)
{
	return fails(fd) ? -1 : REAL(ftruncate64)(fd, n);
}

int
ftruncate(int fd, off_t n)
{
	return fails(fd) ? -1 : REAL(ftruncate)(fd, n);
}

pid_t
fork(void)
{
	static long n;
	const char *at = getenv("FAULT_FORK");

	if (!at || ++n < atol(at))
		return REAL(fork)();
	mark();
	errno = EAGAIN;
	return -1;
}
