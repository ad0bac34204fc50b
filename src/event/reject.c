/*
 * Reject records.
 */
#include "event/reject.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/diag.h"
#include "base/utf8.h"
#include "json/write.h"

enum { SHOWN_FILE_BYTES = 4096 };

int
reject_open(struct reject *r, const char *program, const char *path,
    struct error *e)
{
	*r = (struct reject){ .program = program };
	if (!path)
		path = getenv("EV_REJECTS");
	return append_open(&r->file, "rejects", path, e);
}

int
reject_close(struct reject *r, struct error *e)
{
	buf_clear(&r->record);
	return append_close(&r->file, e);
}

int
reject_write(struct reject *r, const char *file, uint64_t line,
    const char *reason, struct span error, struct span faults,
    struct span input, uint64_t bytes, struct error *e)
{
	struct buf *b = &r->record;
	char now[CLOCK_RFC3339_BYTES];

	if (r->file.fd < 0)
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
	return append_write(&r->file, buf_bytes(b), e);
}
