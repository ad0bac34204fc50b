/*
 * Reject records.
 */
#include "event/reject.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/diag.h"
#include "base/folder.h"
#include "base/out.h"
#include "base/utf8.h"
#include "json/write.h"

enum { SHOWN_FILE_BYTES = 4096 };

int
reject_open(struct reject *r, const char *program, const char *path,
    struct error *e)
{
	*r = (struct reject){ .program = program, .fd = -1 };
	if (!path)
		path = getenv("EV_REJECTS");
	if (!path || !*path)
		return 0;
	r->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (r->fd < 0)
		return error_set(e, "cannot open the rejects file '%s': %s",
		    path, strerror(errno));
	r->path = alloc_copy(path, strlen(path));
	return 0;
}

int
reject_close(struct reject *r, struct error *e)
{
	int fd = r->fd;

	buf_clear(&r->record);
	free(r->path);
	r->path = NULL;
	r->fd = -1;
	if (fd >= 0 && close(fd) < 0)
		return error_set(e, "cannot close the rejects file: %s",
		    strerror(errno));
	return 0;
}

int
reject_write(struct reject *r, const char *file, uint64_t line,
    const char *reason, struct span error, struct span faults,
    struct span input, uint64_t bytes, struct error *e)
{
	struct buf *b = &r->record;
	char now[CLOCK_RFC3339_BYTES];

	if (r->fd < 0)
		return 0;
	clock_rfc3339(clock_wall_ms(), now);
	b->len = 0;
	buf_putc(b, '{');
	json_put_member(b, "program", span_of(r->program));
	if (file) {
		struct buf shown = { 0 };

		diag_foreign(&shown, span_of(file), SHOWN_FILE_BYTES);
		json_put_member(b, "file", buf_bytes(&shown));
		buf_clear(&shown);
	}
	json_put_member_u64(b, "line", line);
	json_put_member(b, "reason", span_of(reason));
	json_put_member(b, "error", error);
	if (faults.len) {
		json_put_name(b, "faults");
		buf_putc(b, '[');
		buf_span(b, faults);
		buf_putc(b, ']');
	}
	json_put_member(b, "time", span_of(now));
	if (utf8_valid(input)) {
		json_put_member(b, "input", input);
	} else {
		json_put_name(b, "input_base64");
		buf_putc(b, '"');
		base64_put(b, input);
		buf_putc(b, '"');
	}
	if (bytes) {
		json_put_member_bool(b, "truncated", true);
		json_put_member_u64(b, "bytes", bytes);
	}
	buf_puts(b, "}\n");
	r->dirty = true;
	/* One write a record: programs share the file (O_APPEND). */
	if (out_write_all(r->fd, b->p, b->len) < 0)
		return error_set(e, "cannot write the rejects file: %s",
		    strerror(errno));
	return 0;
}

/* A pipe or a terminal can't be synced, and is as good as who gave it wants. */
static int
sync_fd(int fd)
{
	return fsync(fd) == 0 || errno == EINVAL || errno == EROFS ? 0 : -1;
}

int
reject_sync(struct reject *r, struct error *e)
{
	if (!r->dirty)
		return 0;
	if (sync_fd(r->fd) < 0 || (r->path && folder_sync(r->path) < 0))
		return error_set(e, "cannot sync the rejects file: %s",
		    strerror(errno));
	free(r->path);
	r->path = NULL;
	r->dirty = false;
	return 0;
}
