/*
 * FILE operands or stdin.
 */
#include "cmd/source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd/barrier.h"

/* 0: some are no regular files. */
static uint64_t
bytes_of(char *const *operands)
{
	uint64_t bytes = 0;
	struct stat st;

	for (; *operands; operands++) {
		int r = strcmp(*operands, "-") == 0 ?
		    fstat(STDIN_FILENO, &st) : stat(*operands, &st);

		if (r < 0 || !S_ISREG(st.st_mode))
			return 0;
		bytes += (uint64_t)st.st_size;
	}
	return bytes;
}

void
source_open(struct source *in, char **operands)
{
	static char dash[] = "-";
	static char *only_stdin[] = { dash, NULL };

	*in = (struct source){ .lines = { .fd = -1 } };
	in->operands = operands && *operands ? operands : only_stdin;
	in->bytes = bytes_of(in->operands);
}

static uint64_t
position(const struct source *in)
{
	off_t at = in->open ? lseek(in->lines.fd, 0, SEEK_CUR) : 0;

	return at > 0 ? (uint64_t)at : 0;
}

double
source_part(const struct source *in)
{
	double part;

	if (in->bytes == 0)
		return -1;
	part = (double)(in->bytes_before + position(in)) / (double)in->bytes;
	return part > 1 ? 1 : part; /* a file that grows */
}

static void
close_operand(struct source *in)
{
	if (!in->open)
		return;
	in->bytes_before += position(in);
	if (in->file)
		close(in->lines.fd);
	line_close(&in->lines);
	in->open = false;
}

void
source_close(struct source *in)
{
	close_operand(in);
	in->ended = true;
}

static void
next_operand(struct source *in, struct stage *s)
{
	const char *name = *in->operands;
	int fd = STDIN_FILENO;

	if (!name) {
		in->ended = true;
		return;
	}
	in->operands++;
	in->file = strcmp(name, "-") == 0 ? NULL : name;
	if (in->file)
		fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		diag_print(&s->diag, DIAG_ERROR, "cannot open '%s': %s", name,
		    strerror(errno));
		stage_worsen(s, EX_SETUP);
		in->ended = true;
		return;
	}
	line_open(&in->lines, fd, s->max_line);
	in->n_before += in->line;
	in->line = 0;
	in->open = true;
	in->starved = false;
}

void
source_fill(struct source *in, struct stage *s)
{
	size_t held = in->lines.buf.len - in->lines.pos;
	int r = line_fill(&in->lines);

	in->starved = false;
	metrics_touch(s);
	s->n_bytes += in->lines.buf.len - held;
	if (r == 0 || errno == EAGAIN || errno == EWOULDBLOCK)
		return;
	diag_print(&s->diag, DIAG_ERROR, "cannot read %s: %s",
	    in->file ? in->file : "stdin", strerror(errno));
	stage_worsen(s, EX_SYSTEM);
	close_operand(in);
}

static bool
is_blank(struct span line)
{
	size_t i;

	for (i = 0; i < line.len; i++)
		if (!memchr(" \t\r", line.p[i], 3))
			return false;
	return true;
}

static void
reject_long(struct stage *s, size_t bytes)
{
	struct error e;

	s->input_bytes = bytes;
	error_set(&e, "the line has %zu bytes, more than --max-line %zu",
	    bytes, s->max_line);
	stage_reject(s, "too-long", span_of(e.text), (struct span){ 0 });
	s->input_bytes = 0;
}

/* A line of the open operand; false: none, or not one for the caller. */
static bool
take_line(struct source *in, struct stage *s)
{
	enum line_status status = line_take(&in->lines, &s->input);

	s->diag.file = NULL;
	s->diag.line = 0;
	if (status == LINE_END) {
		close_operand(in);
		return false;
	}
	in->starved = status == LINE_MORE || status == LINE_FAILED;
	if (in->starved)
		return false;
	s->diag.file = in->file;
	s->diag.line = ++in->line;
	s->n_lines++;
	if (status == LINE_LONG)
		reject_long(s, line_bytes(&in->lines));
	return status == LINE_OK && !is_blank(s->input);
}

enum source_status
source_take(struct source *in, struct stage *s)
{
	while (!in->ended) {
		if (!in->open)
			next_operand(in, s);
		else if (in->starved)
			return SOURCE_WAIT;
		else if (take_line(in, s))
			return SOURCE_LINE;
	}
	return SOURCE_END;
}

static void
drain(struct stage *s, void *ctx)
{
	if (s->drain)
		s->drain(s, ctx);
}

void
source_wait(const struct source *in, struct stage *s)
{
	struct pollfd pfd = { source_fd(in), POLLIN, 0 };

	/* poll(2) also for a stdin that somebody made non-blocking. */
	while (poll(&pfd, 1, clock_left_ms(metrics_tend(s))) == 0)
		;
}

/* What there is goes out before a read would block. */
static void
wait_and_fill(struct source *in, struct stage *s, void *ctx)
{
	struct pollfd pfd = { source_fd(in), POLLIN, 0 };

	if (progress_is_due(&s->progress))
		progress_show(&s->progress, &s->diag, source_lines(in),
		    source_part(in));
	if (poll(&pfd, 1, 0) <= 0) {
		drain(s, ctx);
		if (out_flush(&s->out) < 0)
			return;
		source_wait(in, s);
	} else {
		(void)metrics_tend(s);
	}
	source_fill(in, s);
}

void
source_run(struct stage *s, char **operands,
    void (*each)(struct stage *, void *), void *ctx)
{
	struct barriers barriers = { .n = 0 };
	enum source_status status;
	struct source in;

	source_open(&in, operands);
	progress_start(&s->progress, in.bytes != 0);
	while ((status = source_take(&in, s)) != SOURCE_END) {
		if (status == SOURCE_LINE && barrier_is(s->input)) {
			if (s->no_barrier)
				stage_die(s, EX_SETUP, "a barrier: %s",
				    s->no_barrier);
			drain(s, ctx);
			barrier_pass(&barriers, s);
		} else if (status == SOURCE_LINE) {
			each(s, ctx);
		} else {
			wait_and_fill(&in, s, ctx);
		}
		if (s->out.error)
			break;
	}
	if (status == SOURCE_END)
		drain(s, ctx);
	source_close(&in);
	(void)out_flush(&s->out); /* a failure sticks */
	s->diag.file = NULL;
	s->diag.line = 0;
	metrics_end(s);
	progress_end(&s->progress, &s->diag, source_lines(&in));
}
