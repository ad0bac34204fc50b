/*
 * JSON text out.
 */
#include "json/write.h"

#include "json/scan.h"

static void
put_escape(struct buf *b, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char u[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

	switch (c) {
	case '"':
	case '\\':
		u[1] = (char)c;
		break;
	case '\n':
		u[1] = 'n';
		break;
	case '\r':
		u[1] = 'r';
		break;
	case '\t':
		u[1] = 't';
		break;
	default:
		buf_add(b, u, 6);
		return;
	}
	buf_add(b, u, 2);
}

void
json_put_string(struct buf *b, struct span s)
{
	const char *p = s.p, *end = s.p + s.len;

	buf_putc(b, '"');
	while (p < end) {
		const char *q = scan_plain_bounded(p, end);

		buf_add(b, p, (size_t)(q - p));
		if (q == end)
			break;
		if ((unsigned char)*q >= 0x80)
			buf_putc(b, *q);
		else
			put_escape(b, (unsigned char)*q);
		p = q + 1;
	}
	buf_putc(b, '"');
}

void
json_put_name(struct buf *b, const char *name)
{
	if (b->len && b->p[b->len - 1] != '{')
		buf_putc(b, ',');
	json_put_string(b, span_of(name));
	buf_putc(b, ':');
}

void
json_put_member(struct buf *b, const char *name, struct span value)
{
	json_put_name(b, name);
	json_put_string(b, value);
}

void
json_put_member_u64(struct buf *b, const char *name, uint64_t value)
{
	json_put_name(b, name);
	buf_u64(b, value);
}

void
json_put_member_bool(struct buf *b, const char *name, bool value)
{
	json_put_name(b, name);
	buf_puts(b, value ? "true" : "false");
}

void
json_put_compact(struct buf *b, struct span json)
{
	bool in_string = false;
	size_t i;

	for (i = 0; i < json.len; i++) {
		char c = json.p[i];

		if (in_string && c == '\\')
			buf_putc(b, json.p[i++]);
		else if (c == '"')
			in_string = !in_string;
		else if (!in_string && memchr(" \t\r\n", c, 4))
			continue;
		buf_putc(b, json.p[i]);
	}
}
