/*
 * libFuzzer: any bytes as a pattern and, behind the first 0xff, a text. What
 * compiles is valid; and a group around it, which makes it go to PCRE2
 * whatever it is, changes no verdict.
 */
#include "json/regex.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(bool ok)
{
	if (!ok)
		abort();
}

static enum regex_result
match(struct regex *r, struct span text)
{
	int64_t work = REGEX_WORK;

	return regex_match(r, text, &work);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *split = len ? memchr(data, 0xff, len) : NULL;
	size_t n = split ? (size_t)(split - data) : len;
	struct span pattern = { (const char *)data, n };
	struct span text = { "", 0 };
	struct buf group = { 0 };
	struct regex *r, *again;
	struct error e;

	if (split)
		text = (struct span){ (const char *)split + 1, len - n - 1 };
	r = regex_compile(pattern, &e);
	must(!r || regex_is_valid(pattern));
	if (!r || !utf8_valid(text))
		goto out;
	buf_puts(&group, "(?:");
	buf_span(&group, pattern);
	buf_putc(&group, ')');
	again = regex_compile(buf_bytes(&group), &e);
	if (again) {
		enum regex_result one = match(r, text);
		enum regex_result two = match(again, text);

		must(one == two || one == REGEX_LIMIT || two == REGEX_LIMIT);
	}
	regex_free(again);
out:
	regex_free(r);
	buf_clear(&group);
	return 0;
}
