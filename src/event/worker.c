/*
 * A worker process. Requests are kept until they are answered. When the process
 * dies, what it was sent goes to the next one, one request at a time: the
 * request that kills it again, alone, is the culprit, and a process that
 * somebody else killed costs nothing.
 */
#include "event/worker.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "base/alloc.h"
#include "base/clock.h"
#include "base/num.h"
#include "base/out.h"

enum {
	CHUNK_BYTES = 32 * 1024, /* gathered before they are written */
	READ_BYTES = 64 * 1024,
	AHEAD_BYTES = 256 * 1024, /* of answers that are not wanted yet */
};

/* A sanitizer maps terabytes, and reports on stderr. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* libjq reads it itself: $ENV, and HOME for ~/.jq. */
extern char **environ;

struct worker {
	worker_answer *answer;
	void *ctx;
	int64_t limit_ms;
	pid_t pid; /* 0: none */
	int fd;
	bool ended;          /* it is dead, and not buried */
	struct buf requests; /* as parts */
	size_t oldest;       /* where the unanswered ones begin */
	size_t sent;         /* up to here they are written */
	size_t tried;        /* up to here worker_send tried to */
	size_t alone;        /* up to here they go one at a time */
	struct buf answers;
	size_t taken;
};

void
part_put(struct buf *b, struct span s)
{
	uint32_t len = (uint32_t)s.len;

	buf_add(b, &len, sizeof(len));
	buf_span(b, s);
}

/* Where the part at `at` ends; 0: it is not all there. */
static size_t
part_end(const struct buf *b, size_t at)
{
	uint32_t len;

	if (b->len - at < sizeof(len))
		return 0;
	memcpy(&len, b->p + at, sizeof(len));
	at += sizeof(len);
	return b->len - at < len ? 0 : at + len;
}

static struct span
part_at(const struct buf *b, size_t at, size_t end)
{
	at += sizeof(uint32_t);
	return (struct span){ b->p + at, end - at };
}

struct span
part_take(struct span *rest)
{
	struct span part;
	uint32_t len;

	assert(rest->len >= sizeof(len));
	memcpy(&len, rest->p, sizeof(len));
	part = (struct span){ rest->p + sizeof(len), len };
	assert(rest->len - sizeof(len) >= len);
	*rest = (struct span){ part.p + len, rest->len - sizeof(len) - len };
	return part;
}

/* Whoever takes more dies of SIGPROF. 0: no limit. */
static void
limit_time(int64_t ms)
{
	struct itimerval t = { .it_value = { (time_t)(ms / 1000),
		(suseconds_t)(ms % 1000 * 1000) } };

	(void)setitimer(ITIMER_PROF, &t, NULL);
}

/*
 * Start the time of a request. A timer that was set lately will do: it runs for
 * an eighth longer than it must.
 */
static void
start_time(int64_t limit_ms, int64_t *set_ms)
{
	int64_t now = clock_coarse_ms();

	if (*set_ms && now - *set_ms < limit_ms / 8)
		return;
	limit_time(limit_ms + limit_ms / 8);
	*set_ms = now;
}

/* The address space in use; 0: unknown. */
static uint64_t
memory_in_use(void)
{
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	uint64_t pages = 0;
	char text[64];
	ssize_t n;

	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text));
	close(fd);
	if (n > 0) {
		const char *end = memchr(text, ' ', (size_t)n);

		if (end)
			(void)num_u64((struct span){ text,
			    (size_t)(end - text) }, 0, UINT64_MAX, &pages);
	}
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* malloc then fails, and libjq aborts. */
static void
limit_memory(void)
{
	uint64_t used = memory_in_use(), bytes = used + WORKER_MEMORY_BYTES;
	struct rlimit limit;

	if (SANITIZED || !used || getrlimit(RLIMIT_AS, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max == RLIM_INFINITY ||
	    bytes < limit.rlim_max ? (rlim_t)bytes : limit.rlim_max;
	(void)setrlimit(RLIMIT_AS, &limit);
}

void
worker_lift_limits(struct worker_limits *saved)
{
	struct rlimit limit;

	*saved = (struct worker_limits){ 0 };
	(void)getitimer(ITIMER_PROF, &saved->left);
	limit_time(0);
	if (getrlimit(RLIMIT_AS, &limit) == 0) {
		saved->memory = limit;
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_AS, &limit);
	}
}

void
worker_restore_limits(const struct worker_limits *saved)
{
	(void)setitimer(ITIMER_PROF, &saved->left, NULL);
	/* What was added meanwhile is there to stay. */
	if (saved->memory.rlim_cur != RLIM_INFINITY)
		limit_memory();
}

static void
close_all_but(int keep)
{
	DIR *d = opendir("/dev/fd");
	struct dirent *entry;
	uint64_t fd;

	if (!d)
		return;
	while ((entry = readdir(d)) != NULL)
		if (num_u64(span_of(entry->d_name), STDERR_FILENO + 1, INT32_MAX,
		    &fd) == 0 && (int)fd != keep && (int)fd != dirfd(d))
			close((int)fd);
	closedir(d);
}

/* In the new process. */
static void
settle_in(int fd, pid_t parent)
{
	struct rlimit none = { 0, 0 };
	sigset_t nothing;
	int null = open("/dev/null", O_RDWR), i;

#ifdef __linux__
	/* A program in a circle must not outlive its stream. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
	if (getppid() != parent || null < 0)
		_exit(1);
	for (i = 0; i < (SANITIZED ? STDERR_FILENO : STDERR_FILENO + 1); i++)
		if (dup2(null, i) < 0)
			_exit(1);
	close_all_but(fd);
	signal(SIGPROF, SIG_DFL);
	sigemptyset(&nothing);
	sigprocmask(SIG_SETMASK, &nothing, NULL);
	(void)setrlimit(RLIMIT_CORE, &none); /* it would hold payloads */
	limit_memory();
}

static void
drop_front(struct buf *b, size_t n)
{
	if (n) {
		memmove(b->p, b->p + n, b->len - n);
		b->len -= n;
	}
}

static void
write_answers(int fd, struct buf *answers)
{
	if (answers->len && out_write_all(fd, answers->p, answers->len) < 0)
		_exit(1);
	answers->len = 0;
}

/* Answer what is there as a whole; its bytes. */
static size_t
answer_all(const struct worker *w, const struct buf *requests,
    struct buf *answers, int fd, int64_t *set_ms)
{
	size_t at = 0, end;

	for (; (end = part_end(requests, at)) != 0; at = end) {
		size_t head = answers->len;
		uint32_t len;

		part_put(answers, SPAN(""));
		start_time(w->limit_ms, set_ms);
		w->answer(w->ctx, part_at(requests, at, end), answers);
		len = (uint32_t)(answers->len - head - sizeof(len));
		memcpy(answers->p + head, &len, sizeof(len));
		if (answers->len >= CHUNK_BYTES)
			write_answers(fd, answers);
	}
	return at;
}

static _Noreturn void
work(const struct worker *w, int fd)
{
	struct buf requests = { 0 }, answers = { 0 };
	int64_t set_ms = 0;
	ssize_t n;

	for (;;) {
		drop_front(&requests, answer_all(w, &requests, &answers, fd,
		    &set_ms));
		write_answers(fd, &answers);
		do
			n = read(fd, buf_room(&requests, READ_BYTES),
			    READ_BYTES);
		while (n < 0 && errno == EINTR);
		if (n <= 0)
			_exit(0);
		requests.len += (size_t)n;
	}
}

int
worker_start(struct worker *w, struct error *e)
{
	char *no_environment[] = { NULL };
	pid_t parent = getpid();
	int fds[2];

	if (w->pid)
		return 0;
	/* Whoever started us may ignore it; then no status could be had. */
	signal(SIGCHLD, SIG_DFL);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
		return error_set(e, "cannot start a process for jq: %s",
		    strerror(errno));
	w->pid = fork();
	if (w->pid == 0) {
		close(fds[0]);
		environ = no_environment;
		settle_in(fds[1], parent);
		work(w, fds[1]);
	}
	close(fds[1]);
	if (w->pid < 0) {
		w->pid = 0;
		close(fds[0]);
		return error_set(e, "cannot start a process for jq: %s",
		    strerror(errno));
	}
	w->fd = fds[0];
	(void)fcntl(w->fd, F_SETFD, FD_CLOEXEC);
	(void)fcntl(w->fd, F_SETFL, O_NONBLOCK);
	return 0;
}

/* Wait for the end of a process that ends; its status. */
static int
reap(struct worker *w)
{
	int status = 0;

	while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	close(w->fd);
	w->pid = 0;
	w->ended = false;
	return status;
}

struct worker *
worker_new(worker_answer *answer, void *ctx, int64_t limit_ms)
{
	struct worker *w = alloc_zero(1, sizeof(*w));

	w->answer = answer;
	w->ctx = ctx;
	w->limit_ms = limit_ms;
	return w;
}

void
worker_stop(struct worker *w)
{
	if (!w->pid)
		return;
	(void)kill(w->pid, SIGKILL);
	(void)reap(w);
	w->answers.len = w->taken = 0;
}

void
worker_free(struct worker *w)
{
	if (!w)
		return;
	worker_stop(w);
	buf_clear(&w->requests);
	buf_clear(&w->answers);
	free(w);
}

/* Write as much as it takes; false: there is more. */
static bool
write_requests(struct worker *w)
{
	size_t end = w->requests.len;
	ssize_t n;

	if (w->oldest < w->alone)
		end = part_end(&w->requests, w->oldest);
	if (w->sent >= end)
		return true;
	n = write(w->fd, w->requests.p + w->sent, end - w->sent);
	if (n > 0)
		w->sent += (size_t)n;
	/* That it is gone is seen when reading. */
	return w->sent >= end || (n < 0 && errno != EAGAIN && errno != EINTR);
}

/* Forget what was answered, if that is cheap or much. */
static void
drop_answered(struct worker *w)
{
	if (w->oldest < w->requests.len && w->oldest < READ_BYTES)
		return;
	drop_front(&w->requests, w->oldest);
	w->sent -= w->sent < w->oldest ? w->sent : w->oldest;
	w->tried -= w->tried < w->oldest ? w->tried : w->oldest;
	w->alone -= w->alone < w->oldest ? w->alone : w->oldest;
	w->oldest = 0;
}

void
worker_send(struct worker *w, struct span request)
{
	drop_answered(w);
	part_put(&w->requests, request);
	if (w->requests.len < w->tried + CHUNK_BYTES)
		return;
	w->tried = w->requests.len;
	if (w->pid)
		(void)write_requests(w);
}

size_t
worker_load(const struct worker *w)
{
	return w->requests.len - w->oldest;
}

struct pollfd
worker_poll(struct worker *w, bool wanted)
{
	struct pollfd pfd = { .fd = -1 };

	if (!w->pid || w->ended)
		return pfd;
	if (!write_requests(w))
		pfd.events |= POLLOUT;
	if (wanted || w->answers.len - w->taken < AHEAD_BYTES)
		pfd.events |= POLLIN;
	if (pfd.events)
		pfd.fd = w->fd;
	return pfd;
}

/* It is dead, but has nothing to do. */
static void
bury_idle(struct worker *w)
{
	if (w->ended && worker_load(w) == 0)
		(void)reap(w);
}

void
worker_read(struct worker *w)
{
	ssize_t n;

	drop_front(&w->answers, w->taken);
	w->taken = 0;
	n = read(w->fd, buf_room(&w->answers, READ_BYTES), READ_BYTES);
	if (n > 0)
		w->answers.len += (size_t)n;
	else
		w->ended = n == 0 || (errno != EAGAIN && errno != EINTR);
	bury_idle(w);
}

/*
 * It is dead. WORKER_BUSY: the next process shall try; else it was the oldest
 * request's fault.
 */
static enum worker_status
bury(struct worker *w)
{
	int status = reap(w);
	bool timeout = WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF;
	bool again = w->oldest < w->alone;
	bool only = w->sent <= part_end(&w->requests, w->oldest);

	w->answers.len = w->taken = 0; /* half of one */
	if (w->alone < w->sent)
		w->alone = w->sent;
	w->sent = w->oldest;
	if (!again && !(only && timeout))
		return WORKER_BUSY;
	return timeout ? WORKER_TIMEOUT : WORKER_DIED;
}

enum worker_status
worker_take(struct worker *w, struct span *request, struct span *answer)
{
	enum worker_status result = WORKER_ANSWERED;
	size_t end = part_end(&w->answers, w->taken);

	assert(w->oldest < w->requests.len);
	if (end) {
		*answer = part_at(&w->answers, w->taken, end);
		w->taken = end;
	} else {
		result = w->ended ? bury(w) : WORKER_BUSY;
		if (result == WORKER_BUSY)
			return result;
	}
	end = part_end(&w->requests, w->oldest);
	*request = part_at(&w->requests, w->oldest, end);
	w->oldest = end;
	if (w->sent < end)
		w->sent = end;
	bury_idle(w);
	return result;
}
