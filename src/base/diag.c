/*
 * Diagnostics.
 */
#include "base/diag.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/out.h"
#include "base/utf8.h"

enum { SHOWN_FILE_BYTES = 1024 };

/* systemd names the device and inode of the stream it connected. */
static bool
stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
	    fstat(STDERR_FILENO, &st) == 0 && st.st_dev == (dev_t)dev &&
	    st.st_ino == (ino_t)ino;
}

void
diag_open(struct diag *d, const char *program)
{
	*d = (struct diag){ .program = program,
		.journal = stderr_is_journal() };
}

void
diag_foreign(struct buf *b, struct span s, size_t max_bytes)
{
	const char *p = s.p, *end = s.p + s.len;

	while (p < end) {
		size_t n = utf8_len(p, (size_t)(end - p));

		if ((size_t)(p - s.p) + n > max_bytes) {
			buf_puts(b, "...");
			return;
		}
		if (n == 0 || utf8_is_control(p, n) || utf8_is_turn(p, n)) {
			buf_printf(b, "\\x%02x", (unsigned char)*p++);
		} else {
			buf_add(b, p, n);
			p += n;
		}
	}
}

static void
put_head(const struct diag *d, enum diag_level level, struct buf *b)
{
	if (d->journal)
		buf_printf(b, "<%d>", level);
	buf_printf(b, "%s: ", d->program);
	if (d->line && d->file) {
		diag_foreign(b, span_of(d->file), SHOWN_FILE_BYTES);
		buf_puts(b, ": ");
	}
	if (d->line)
		buf_printf(b, "line %llu: ", (unsigned long long)d->line);
}

void
diag_print(const struct diag *d, enum diag_level level, const char *fmt, ...)
{
	struct buf b = { 0 }, text = { 0 };
	const char *p, *nl;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	if (d->erase)
		buf_puts(&b, d->erase);
	for (p = buf_str(&text); *p; p = *nl ? nl + 1 : nl) {
		nl = strchr(p, '\n');
		if (!nl)
			nl = p + strlen(p);
		put_head(d, level, &b);
		diag_foreign(&b, (struct span){ p, (size_t)(nl - p) },
		    SIZE_MAX);
		buf_putc(&b, '\n');
	}
	(void)out_write_all(STDERR_FILENO, b.p, b.len);
	buf_clear(&b);
	buf_clear(&text);
}
