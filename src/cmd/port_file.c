/*
 * Where a server tells its port.
 */
#include "cmd/port_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void
port_file_write(struct stage *s, const char *path, unsigned port)
{
	struct buf name = { 0 }, line = { 0 };
	const char *new;
	int fd;

	buf_printf(&name, "%s.%ld", path, (long)getpid());
	buf_printf(&line, "%u\n", port);
	new = buf_str(&name);
	fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		stage_die(s, EX_SETUP, "cannot create '%s': %s", new,
		    strerror(errno));
	if (out_write_all(fd, line.p, line.len) < 0 || close(fd) < 0 ||
	    rename(new, path) < 0) {
		int saved = errno;

		(void)unlink(new);
		stage_die(s, EX_SYSTEM, "cannot write '%s': %s", path,
		    strerror(saved));
	}
	buf_clear(&name);
	buf_clear(&line);
}
