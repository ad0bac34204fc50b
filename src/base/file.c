/*
 * Whole files.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MIN_READ_BYTES = 4096 };

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
