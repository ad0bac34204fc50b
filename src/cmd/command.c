/*
 * A command that is fed lines and gives lines.
 */
#include "cmd/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/out.h"

enum {
	MAX_LINE = 256 << 20, /* the most that --max-line takes */
	SAID_BYTES = 2048,    /* kept for a dead letter */
	READ_BYTES = 4096,
};

void
command_init(struct command *c)
{
	*c = (struct command){ .in = -1, .out = -1, .err = -1 };
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Ours is the end `ours` of the pair, and does not block. */
static int
open_pipe(int fd[2], int ours)
{
	if (pipe(fd) < 0) {
		fd[0] = fd[1] = -1;
		return -1;
	}
	return fcntl(fd[0], F_SETFD, FD_CLOEXEC) < 0 ||
	    fcntl(fd[1], F_SETFD, FD_CLOEXEC) < 0 ||
	    fcntl(fd[ours], F_SETFL, O_NONBLOCK) < 0 ? -1 : 0;
}

/* Between fork and exec. */
static _Noreturn void
become(char **argv, int in, int out, int err)
{
	static const char *const texts[] = { "ev-pull: cannot run '", "': ",
		"\n" };
	const char *why;

	(void)setpgid(0, 0);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)signal(SIGXFSZ, SIG_DFL);
	if (dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
	    dup2(err, STDERR_FILENO) >= 0)
		(void)execvp(argv[0], argv);
	why = strerror(errno);
	(void)out_write_all(STDERR_FILENO, texts[0], strlen(texts[0]));
	(void)out_write_all(STDERR_FILENO, argv[0], strlen(argv[0]));
	(void)out_write_all(STDERR_FILENO, texts[1], strlen(texts[1]));
	(void)out_write_all(STDERR_FILENO, why, strlen(why));
	(void)out_write_all(STDERR_FILENO, texts[2], strlen(texts[2]));
	_exit(127);
}

int
command_start(struct command *c, char **argv, struct error *e)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, err[2] = { -1, -1 };

	c->said.len = 0;
	c->exited = false;
	c->pid = 0;
	if (open_pipe(in, 1) == 0 && open_pipe(out, 0) == 0 &&
	    open_pipe(err, 0) == 0) {
		c->pid = fork();
		if (c->pid == 0)
			become(argv, in[0], out[1], err[1]);
	}
	if (c->pid <= 0)
		error_set(e, "cannot start the command: %s", strerror(errno));
	close_fd(&in[0]);
	close_fd(&out[1]);
	close_fd(&err[1]);
	c->in = in[1];
	c->out = out[0];
	c->err = err[0];
	if (c->pid > 0) {
		(void)setpgid(c->pid, c->pid); /* whoever of us is first */
		line_open(&c->lines, c->out, MAX_LINE);
		return 0;
	}
	close_fd(&c->in);
	close_fd(&c->out);
	close_fd(&c->err);
	c->pid = 0;
	return -1;
}

ssize_t
command_write(struct command *c, const void *p, size_t len)
{
	ssize_t n;

	do
		n = write(c->in, p, len);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
}

void
command_close_input(struct command *c)
{
	close_fd(&c->in);
}

void
command_close_output(struct command *c)
{
	close_fd(&c->out);
}

bool
command_hear(struct command *c)
{
	char bytes[READ_BYTES];
	ssize_t n;

	if (c->err < 0)
		return false;
	do
		n = read(c->err, bytes, sizeof(bytes));
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return false;
	if (n <= 0) {
		close_fd(&c->err);
		return false;
	}
	(void)out_write_all(STDERR_FILENO, bytes, (size_t)n);
	buf_add(&c->said, bytes, (size_t)n);
	if (c->said.len > SAID_BYTES) {
		memmove(c->said.p, c->said.p + c->said.len - SAID_BYTES,
		    SAID_BYTES);
		c->said.len = SAID_BYTES;
	}
	return true;
}

bool
command_has_exited(struct command *c)
{
	siginfo_t info = { .si_pid = 0 };

	/* Not reaped yet: its id is that of the group. */
	return c->pid && waitid(P_PID, (id_t)c->pid, &info,
	    WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == c->pid;
}

bool
command_is_held(const struct command *c)
{
	return c->out >= 0 || c->err >= 0;
}

void
command_terminate(const struct command *c)
{
	(void)kill(-c->pid, SIGTERM);
}

void
command_end(struct command *c)
{
	if (c->pid) {
		(void)kill(-c->pid, SIGKILL);
		while (waitpid(c->pid, &c->status, 0) < 0 && errno == EINTR)
			;
		c->exited = true;
		line_close(&c->lines);
	}
	c->pid = 0;
	close_fd(&c->in);
	close_fd(&c->out);
	close_fd(&c->err);
}

void
command_how(const struct command *c, struct buf *b)
{
	if (WIFSIGNALED(c->status))
		buf_printf(b, "signal %d (%s)", WTERMSIG(c->status),
		    strsignal(WTERMSIG(c->status)));
	else
		buf_printf(b, "exit status %d", WEXITSTATUS(c->status));
}
