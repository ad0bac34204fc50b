/*
 * What all programs do around a record.
 */
#include "cmd/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/num.h"

enum { SHOWN_ERROR_BYTES = 400 }; /* of a reject's error, on stderr */

/*
 * A standard descriptor that came closed must not become a socket or a store:
 * it is filled with one that fails when used as it would have.
 */
static void
fill_descriptors(void)
{
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
		    open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY :
		        O_WRONLY) != fd)
			_exit(EX_SYSTEM);
}

void
stage_init(struct stage *s, const char *program, size_t max_line)
{
	*s = (struct stage){ .max_line = max_line, .reject.file.fd = -1, .unmatched.fd = -1 };
	s->metrics.start_ms = clock_wall_ms();
	s->metrics.touched = true;
	fill_descriptors();
	diag_open(&s->diag, program);
	/* A reader that is gone is EPIPE, handled where we write. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* so is a file at its limit EFBIG */
	out_open(&s->out, STDOUT_FILENO);
}

bool
stage_option(struct stage *s, int c, const char *arg)
{
	uint64_t bytes;

	switch (c) {
	case 'r':
		s->reject_path = arg;
		return true;
	case 'v':
		s->diag.verbose = true;
		return true;
	case OPT_METRICS:
		s->metrics.path = arg;
		return true;
	case OPT_PROGRESS:
		s->progress.wish = PROGRESS_ON;
		return true;
	case OPT_NO_PROGRESS:
		s->progress.wish = PROGRESS_OFF;
		return true;
	case OPT_MAX_LINE:
		if (num_bytes(span_of(arg), (uint64_t)1 << 28, &bytes) < 0 ||
		    bytes == 0)
			stage_die(s, EX_SETUP, "--max-line '%s' is no size "
			    "from 1 to 256MiB, such as 65536 or 4MiB", arg);
		s->max_line = (size_t)bytes;
		return true;
	default:
		return false;
	}
}

void
stage_usage(const struct stage *s, const char *usage)
{
	(void)s;
	(void)out_write_all(STDERR_FILENO, usage, strlen(usage));
	exit(EX_SETUP);
}

static _Noreturn void
say_and_exit(const char *text)
{
	int failed = out_write_all(STDOUT_FILENO, text, strlen(text)) < 0;

	exit(failed && errno != EPIPE ? EX_SYSTEM : EX_ALL_WELL);
}

void
stage_help(const char *usage)
{
	say_and_exit(usage);
}

void
stage_version(const struct stage *s)
{
	struct buf b = { 0 };

	buf_printf(&b, "%s %s\n", s->diag.program, EV_VERSION);
	say_and_exit(buf_str(&b));
}

void
stage_die(struct stage *s, enum exitcode code, const char *fmt, ...)
{
	struct buf b = { 0 };
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	diag_print(&s->diag, DIAG_ERROR, "%s", buf_str(&b));
	buf_clear(&b);
	(void)out_flush(&s->out);
	metrics_end(s);
	exit(code);
}

void
stage_open(struct stage *s)
{
	struct error e;

	if (reject_open(&s->reject, s->diag.program, s->reject_path, &e) < 0)
		stage_die(s, EX_SETUP, "%s", e.text);
}

/* A diagnostic for each line of the text. */
static void
say_rejected(struct stage *s, const char *reason, struct span text)
{
	const char *p = text.p, *end = text.p + text.len, *q;

	do {
		struct buf shown = { 0 };

		q = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
		if (!q)
			q = end;
		diag_foreign(&shown, (struct span){ p, (size_t)(q - p) },
		    SHOWN_ERROR_BYTES);
		diag_print(&s->diag, DIAG_WARNING, "%s: %s", reason,
		    buf_str(&shown));
		buf_clear(&shown);
		p = q + 1;
	} while (q < end);
}

static void
count_reason(struct stage *s, const char *code)
{
	size_t i = 0;

	while (i < STAGE_REASONS - 1 && s->reasons[i].code &&
	    strcmp(s->reasons[i].code, code) != 0)
		i++;
	if (!s->reasons[i].code) /* may be a borrowed text */
		s->reasons[i].code = alloc_copy(code, strlen(code));
	s->reasons[i].n++;
}

static void
reject(struct stage *s, const char *reason, struct span error,
    struct span detail, struct span faults)
{
	struct buf text = { 0 };
	struct error e;

	buf_span(&text, error);
	if (detail.len) {
		buf_puts(&text, ": ");
		buf_span(&text, detail);
	}
	say_rejected(s, reason, s->diag.verbose ? buf_bytes(&text) : error);
	if (reject_write(&s->reject, s->diag.file, s->diag.line, reason,
	    buf_bytes(&text), faults, s->input, s->input_bytes, &e) < 0)
		stage_die(s, EX_SYSTEM, "%s", e.text);
	s->progress.n_rejected++;
	count_reason(s, reason);
	stage_worsen(s, EX_REJECTED);
	buf_clear(&text);
}

void
stage_reject(struct stage *s, const char *reason, struct span error,
    struct span detail)
{
	reject(s, reason, error, detail, (struct span){ 0 });
}

void
stage_reject_fault(struct stage *s, const struct fault *f)
{
	reject(s, f->reason, buf_bytes(&f->error), buf_bytes(&f->detail),
	    buf_bytes(&f->records));
}

size_t
stage_raise_files(size_t n, size_t spare)
{
	struct rlimit limit;
	rlim_t need = (rlim_t)n + spare;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= need)
		return n;
	limit.rlim_cur = need < limit.rlim_max ? need : limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur > spare ? (size_t)(limit.rlim_cur - spare) : 1;
}

void
stage_put_metrics(const struct stage *s, struct exposition *x)
{
	size_t i;

	metrics_put(x, METRIC_LINES_IN, s->n_lines);
	metrics_put(x, METRIC_BYTES_IN, s->n_bytes);
	metrics_put(x, METRIC_LINES_OUT, s->out.n_lines);
	metrics_put(x, METRIC_BYTES_OUT, s->out.n_bytes);
	metrics_put(x, METRIC_REJECTED, s->progress.n_rejected);
	metrics_family(x, METRIC_REJECTS);
	for (i = 0; i < STAGE_REASONS && s->reasons[i].code; i++) {
		exposition_label(x, "reason", span_of(s->reasons[i].code));
		exposition_u64(x, s->reasons[i].n);
	}
}

void
stage_worsen(struct stage *s, enum exitcode code)
{
	if (s->code < code)
		s->code = code;
}

int
stage_close(struct stage *s)
{
	struct error e;
	size_t i;

	if (out_flush(&s->out) < 0 && s->out.error != EPIPE) {
		diag_print(&s->diag, DIAG_ERROR, "cannot write stdout: %s",
		    strerror(s->out.error));
		s->code = EX_SYSTEM;
	}
	if (close(STDOUT_FILENO) < 0 && errno != EBADF &&
	    s->code != EX_SYSTEM) {
		diag_print(&s->diag, DIAG_ERROR, "cannot close stdout: %s",
		    strerror(errno));
		s->code = EX_SYSTEM;
	}
	if (reject_close(&s->reject, &e) < 0) {
		diag_print(&s->diag, DIAG_ERROR, "%s", e.text);
		s->code = EX_SYSTEM;
	}
	if (append_close(&s->unmatched, &e) < 0) {
		diag_print(&s->diag, DIAG_ERROR, "%s", e.text);
		s->code = EX_SYSTEM;
	}
	out_close(&s->out);
	for (i = 0; i < STAGE_REASONS; i++)
		free(s->reasons[i].code);
	return s->code;
}
