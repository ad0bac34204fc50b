/*
 * Signals.
 */
#include "cmd/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static int ends[2] = { -1, -1 };

static void
on_signal(int number)
{
	int saved = errno;
	ssize_t n = write(ends[1], number == SIGCHLD ? "c" : "t", 1);

	(void)n; /* full: enough of them are there */
	errno = saved;
}

static int
catch(int number)
{
	struct sigaction sa = { .sa_handler = on_signal }, old;

	sigemptyset(&sa.sa_mask);
	if (sigaction(number, NULL, &old) < 0)
		return -1;
	return number == SIGINT && old.sa_handler == SIG_IGN ? 0 :
	    sigaction(number, &sa, NULL);
}

int
signals_open(struct error *e)
{
	size_t i;

	if (pipe(ends) < 0)
		return error_set(e, "pipe: %s", strerror(errno));
	for (i = 0; i < 2; i++)
		if (fcntl(ends[i], F_SETFL, O_NONBLOCK) < 0 ||
		    fcntl(ends[i], F_SETFD, FD_CLOEXEC) < 0)
			return error_set(e, "fcntl: %s", strerror(errno));
	if (catch(SIGTERM) < 0 || catch(SIGINT) < 0 || catch(SIGCHLD) < 0)
		return error_set(e, "sigaction: %s", strerror(errno));
	return ends[0];
}

unsigned
signals_take(void)
{
	unsigned n = 0;
	char c;

	while (read(ends[0], &c, 1) == 1)
		n += c == 't';
	return n;
}
