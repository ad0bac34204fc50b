/*
 * Files that records are appended to.
 */
#include "base/append.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/folder.h"
#include "base/out.h"

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
	if (out_write_all(a->fd, record.p, record.len) < 0)
		return error_set(e, "cannot write the %s file: %s", a->what,
		    strerror(errno));
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
