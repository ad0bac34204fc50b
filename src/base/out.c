/*
 * Record output.
 */
#include "base/out.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

void
out_open(struct out *o, int fd)
{
	*o = (struct out){ .fd = fd };
}

void
out_close(struct out *o)
{
	buf_clear(&o->buf);
}

int
out_write_all(int fd, const void *p, size_t len)
{
	const char *at = p;

	while (len) {
		ssize_t n = write(fd, at, len);

		if (n >= 0) {
			at += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			/* A shared description that someone made non-blocking. */
			struct pollfd pfd = { .fd = fd, .events = POLLOUT };

			(void)poll(&pfd, 1, -1);
		} else if (errno != EINTR) {
			return -1;
		}
	}
	return 0;
}

int
out_flush(struct out *o)
{
	if (!o->error && o->buf.len &&
	    out_write_all(o->fd, o->buf.p, o->buf.len) < 0)
		o->error = errno;
	if (!o->error)
		o->n_bytes += o->buf.len;
	o->buf.len = 0;
	if (!o->error)
		return 0;
	errno = o->error;
	return -1;
}
