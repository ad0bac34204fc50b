/*
 * The folder that a file is in.
 */
#include "base/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/alloc.h"

static int
open_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;
	char *folder;
	int fd;

	if (!slash)
		return open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	folder = alloc_copy(path, len ? len : 1);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(folder);
	return fd;
}

int
folder_sync(const char *path)
{
	int fd = open_folder(path), why = 0;

	if (fd < 0)
		return errno == EACCES ? 0 : -1;
	/* EINVAL, EROFS: it is of a kind that can't be synced. */
	if (fsync(fd) < 0 && errno != EINVAL && errno != EROFS)
		why = errno;
	close(fd);
	errno = why;
	return why ? -1 : 0;
}
