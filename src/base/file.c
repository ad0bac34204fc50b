/*
 * Whole files.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/out.h"

enum {
	MIN_READ_BYTES = 4096,
	HEAD_BYTES = 6, /* by which kinds of files are told apart */
};

int
file_read(const char *path, size_t max_bytes, struct buf *text,
    struct error *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t start = text->len, room = MIN_READ_BYTES;
	struct stat st;
	ssize_t n = 0;

	if (fd < 0 || fstat(fd, &st) < 0) {
		error_set(e, "cannot open: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	if (st.st_size > 0 && (uintmax_t)st.st_size <= max_bytes)
		room = (size_t)st.st_size + 1; /* it ends in one read */
	while (text->len - start <= max_bytes) {
		n = read(fd, buf_room(text, room), room);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		text->len += (size_t)n;
	}
	close(fd);
	if (n < 0)
		return error_set(e, "cannot read: %s", strerror(errno));
	if (text->len - start > max_bytes)
		return error_set(e, "larger than %zu bytes", max_bytes);
	return 0;
}

/* 0, or -1 with errno. */
static int
write_new(const char *path, mode_t mode, struct span text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW |
	    O_CLOEXEC, mode);
	int r;

	if (fd < 0)
		return -1;
	r = fchmod(fd, mode) < 0 ? -1 : out_write_all(fd, text.p, text.len);
	return close(fd) < 0 ? -1 : r;
}

/*
 * A queue or registry whose name was given by mistake would be gone. What begins
 * with NUL is what a loss of power can leave.
 */
static bool
is_of_another_kind(const char *path, struct span text)
{
	char head[HEAD_BYTES];
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, head, sizeof(head));

	if (fd >= 0)
		close(fd);
	return n > 0 && head[0] && ((size_t)n > text.len ||
	    memcmp(head, text.p, (size_t)n) != 0);
}

int
file_replace(const char *path, mode_t mode, struct span text, struct error *e)
{
	struct buf new = { 0 };
	struct stat st;
	int r = 0;

	/* As root, /dev/null too could be replaced. */
	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return error_set(e, "not a regular file");
	if (is_of_another_kind(path, text))
		return error_set(e, "it holds something else, which is kept: "
		    "give another name, or remove it");
	/* Of this process: another one may replace the same file. */
	buf_printf(&new, "%s.%ld", path, (long)getpid());
	if (write_new(buf_str(&new), mode, text) < 0 ||
	    rename(buf_str(&new), path) < 0) {
		r = error_set(e, "%s", strerror(errno));
		(void)unlink(buf_str(&new));
	}
	buf_clear(&new);
	return r;
}

bool
file_is_private(const char *path, const struct stat *st)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	size_t len = dir ? strlen(dir) : 0;

	if ((st->st_mode & 077) == 0)
		return true;
	return (st->st_mode & 037) == 0 &&
	    (st->st_uid == 0 || st->st_uid == geteuid()) && len > 1 &&
	    strncmp(path, dir, len) == 0 && path[len] == '/' &&
	    !strchr(path + len + 1, '/');
}

static int
check_private(const char *path, int fd, struct stat *st, struct error *e)
{
	if (fd < 0 || fstat(fd, st) < 0)
		return error_set(e, "cannot read '%s': %s", path,
		    strerror(errno));
	if (!S_ISREG(st->st_mode))
		return error_set(e, "cannot read '%s': it is no file", path);
	if (!file_is_private(path, st))
		return error_set(e, "%s: others may read or write it (mode "
		    "%04o): chmod 600", path, (unsigned)(st->st_mode & 0777));
	return 0;
}

FILE *
file_open_private(const char *path, struct stat *st, struct error *e)
{
	/* A FIFO must not hold us up. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat here = { 0 };
	FILE *f = NULL;

	if (check_private(path, fd, &here, e) == 0 && !(f = fdopen(fd, "r")))
		error_set(e, "cannot read '%s': %s", path, strerror(errno));
	if (!f && fd >= 0)
		close(fd);
	if (st)
		*st = here;
	return f;
}
