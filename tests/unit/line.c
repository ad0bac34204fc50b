/*
 * Lines: however the bytes come in pieces, the same lines come out.
 */
#include "base/line.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"

struct want {
	enum line_status status;
	const char *text; /* of a long one: its head */
	size_t bytes;     /* of a long one: all */
};

/* What comes out of `text` written in pieces of `piece` bytes. */
static void
check(struct span text, size_t piece, size_t max, const struct want *want)
{
	struct line_reader r;
	struct span line;
	int fd[2];
	pid_t pid;

	assert(pipe(fd) == 0);
	pid = fork();
	assert(pid >= 0);
	if (pid == 0) {
		size_t i;

		for (i = 0; i < text.len; i += piece) {
			size_t n = text.len - i < piece ? text.len - i : piece;

			if (write(fd[1], text.p + i, n) != (ssize_t)n)
				_exit(1);
		}
		_exit(0);
	}
	close(fd[1]);
	line_open(&r, fd[0], max);
	for (;;) {
		enum line_status s = line_take(&r, &line);

		if (s == LINE_MORE) {
			assert(line_fill(&r) == 0);
			continue;
		}
		assert(s == want->status);
		if (s == LINE_END)
			break;
		assert(span_eq(line, span_of(want->text)));
		if (s == LINE_LONG)
			assert(line_bytes(&r) == want->bytes);
		want++;
	}
	/* The end stays the end. */
	assert(line_take(&r, &line) == LINE_END);
	line_close(&r);
	close(fd[0]);
	assert(waitpid(pid, NULL, 0) == pid);
}

static void
pieces(struct span text, size_t max, const struct want *want)
{
	size_t piece;

	for (piece = 1; piece <= text.len && piece < 8; piece++)
		check(text, piece, max, want);
	check(text, text.len ? text.len : 1, max, want);
}

static void
small(void)
{
	static const struct want none[] = { { LINE_END, NULL, 0 } };
	static const struct want two[] = { { LINE_OK, "ab", 0 },
		{ LINE_OK, "", 0 }, { LINE_OK, "c", 0 }, { LINE_END, NULL, 0 } };
	static const struct want limit[] = { { LINE_OK, "abcd", 0 },
		{ LINE_LONG, "abcde", 5 }, { LINE_OK, "x", 0 },
		{ LINE_END, NULL, 0 } };
	static const struct want last[] = { { LINE_OK, "a", 0 },
		{ LINE_LONG, "abcde", 5 }, { LINE_END, NULL, 0 } };

	pieces(SPAN(""), 4, none);
	pieces(SPAN("ab\n\nc\n"), 4, two);
	pieces(SPAN("ab\n\nc"), 4, two); /* a last line without '\n' counts */
	pieces(SPAN("abcd\nabcde\nx\n"), 4, limit);
	pieces(SPAN("a\nabcde"), 4, last);
}

/* Far over the limit: the head is kept, all bytes are counted. */
static void
large(void)
{
	enum { HUGE_BYTES = 3000000 };
	static const size_t sizes[] = { 4097, 4096 + 128 * 1024, 1000000,
		HUGE_BYTES };
	char *text = alloc_zero(HUGE_BYTES + 8, 1);
	char head[LINE_HEAD_BYTES + 1];
	size_t i;

	memset(head, 'x', LINE_HEAD_BYTES);
	head[LINE_HEAD_BYTES] = '\0';
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t n = sizes[i], end;
		struct want want[] = { { LINE_OK, "a", 0 },
			{ LINE_LONG, head, n }, { LINE_OK, "b", 0 },
			{ LINE_END, NULL, 0 } };

		memcpy(text, "a\n", 2);
		memset(text + 2, 'x', n);
		memcpy(text + 2 + n, "\nb\n", 3);
		end = n + 5;
		check((struct span){ text, end }, 65536, 4096, want);
		check((struct span){ text, end }, 1000, 4000, want);
		check((struct span){ text, end - 1 }, 7777, 16, want);
	}
	free(text);
}

static void
failing(void)
{
	struct line_reader r;
	struct span line;
	int fd[2];

	line_open(&r, -1, 16);
	assert(line_take(&r, &line) == LINE_MORE);
	assert(line_fill(&r) == -1 && errno == EBADF);
	line_close(&r);

	assert(pipe(fd) == 0);
	assert(fcntl(fd[0], F_SETFL, O_NONBLOCK) == 0);
	line_open(&r, fd[0], 16);
	assert(line_fill(&r) == -1 && errno == EAGAIN);
	assert(write(fd[1], "a\n", 2) == 2);
	assert(line_fill(&r) == 0);
	assert(line_take(&r, &line) == LINE_OK && span_eq(line, SPAN("a")));
	assert(line_take(&r, &line) == LINE_MORE);
	line_close(&r);
	close(fd[0]);
	close(fd[1]);
}

int
main(void)
{
	small();
	large();
	failing();
	return 0;
}
