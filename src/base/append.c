/*
 * Files that records are appended to.
 */
#include "base/append.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/folder.h"
#include "base/out.h"

/*
 * Does its last record lack the end, because the disk was full or the power went?
 * If it may not be read nobody knows, and a blank line more does no harm.
 */
static bool
is_torn(int fd, const char *path)
{
	struct stat st;
	bool torn = true;
	char last;
	int in;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
		return false;
	in = open(path, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return true;
	if (pread(in, &last, 1, st.st_size - 1) == 1)
		torn = last != '\n';
	close(in);
	return torn;
}

int
append_open(struct append *a, const char *what, const char *path,
    struct error *e)
{
	*a = (struct append){ .what = what, .fd = -1 };
	if (!path || !*path)
		return 0;
	a->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (a->fd < 0)
		return error_set(e, "cannot open the %s file '%s': %s", what,
		    path, strerror(errno));
	a->path = alloc_copy(path, strlen(path));
	a->torn = is_torn(a->fd, path);
	return 0;
}

int
append_close(struct append *a, struct error *e)
{
	int fd = a->fd;

	free(a->path);
	a->path = NULL;
	a->fd = -1;
	if (fd >= 0 && close(fd) < 0)
		return error_set(e, "cannot close the %s file: %s", a->what,
		    strerror(errno));
	return 0;
}

int
append_write(struct append *a, struct span record, struct error *e)
{
	if (a->fd < 0)
		return 0;
	a->dirty = true;
	if ((a->torn && out_write_all(a->fd, "\n", 1) < 0) ||
	    out_write_all(a->fd, record.p, record.len) < 0)
		return error_set(e, "cannot write the %s file: %s", a->what,
		    strerror(errno));
	a->torn = false;
	return 0;
}

/* A pipe or a terminal can't be synced, and is as good as who gave it wants. */
static int
sync_fd(int fd)
{
	return fsync(fd) == 0 || errno == EINVAL || errno == EROFS ? 0 : -1;
}

int
append_sync(struct append *a, struct error *e)
{
	if (!a->dirty)
		return 0;
	if (sync_fd(a->fd) < 0 || (a->path && folder_sync(a->path) < 0))
		return error_set(e, "cannot sync the %s file: %s", a->what,
		    strerror(errno));
	free(a->path);
	a->path = NULL;
	a->dirty = false;
	return 0;
}
