/*
 * Schemas from files.
 */
#include "json/schema_file.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum { MAX_DIR_DEPTH = 32 }; /* symbolic links may go round */

void
schema_file_uri(const char *path, struct buf *b)
{
	static const char plain[] = "/-._~!$&'()*+,;=:@";
	char cwd[4096];
	struct buf whole = { 0 };
	size_t i;

	if (*path != '/' && getcwd(cwd, sizeof(cwd)))
		buf_printf(&whole, "%s/", cwd);
	buf_puts(&whole, path);
	buf_puts(b, "file://");
	for (i = 0; i < whole.len; i++) {
		unsigned char c = (unsigned char)whole.p[i];

		if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' &&
		    (c | 0x20) <= 'z') || (c && strchr(plain, c)))
			buf_putc(b, (char)c);
		else
			buf_printf(b, "%%%02X", c);
	}
	buf_clear(&whole);
}

int
schema_file_read(struct schemas *s, const char *path, const char *uri,
    struct error *e)
{
	struct buf text = { 0 }, own = { 0 };
	struct json_error bad;
	int n = -1;

	if (!uri)
		schema_file_uri(path, &own);
	if (file_read(path, SCHEMA_FILE_MAX_BYTES, &text, e) == 0) {
		n = schemas_read(s, &text, uri ? uri : buf_str(&own), &bad);
		if (n < 0)
			error_set(e, "not JSON: %s at byte %zu", bad.what,
			    bad.column);
	}
	buf_clear(&text);
	buf_clear(&own);
	return n;
}

static void
add_reason(struct buf *reasons, const char *path, const char *what)
{
	if (reasons->len)
		buf_putc(reasons, '\n');
	buf_printf(reasons, "%s: %s", path, what);
}

static int
read_entry(struct schemas *s, const char *path, const char *uri,
    struct buf *reasons)
{
	struct error e;
	int n = schema_file_read(s, path, uri, &e);

	if (n < 0) {
		add_reason(reasons, path, e.text);
		return -1;
	}
	schemas_declare(s, n, 0);
	return 0;
}

static bool
ends_in_json(const char *name)
{
	size_t n = strlen(name);

	return n > 5 && strcmp(name + n - 5, ".json") == 0;
}

static int
read_dir(struct schemas *s, const char *dir, const char *uri, int depth,
    struct buf *reasons)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	int r = 0;

	if (!d) {
		add_reason(reasons, dir, strerror(errno));
		return -1;
	}
	while ((entry = readdir(d)) != NULL) {
		struct buf path = { 0 }, name = { 0 };
		struct stat st;

		if (*entry->d_name == '.')
			continue;
		buf_printf(&path, "%s/%s", dir, entry->d_name);
		if (uri)
			buf_printf(&name, "%s%s", uri, entry->d_name);
		if (stat(buf_str(&path), &st) < 0) {
			add_reason(reasons, path.p, strerror(errno));
			r = -1;
		} else if (S_ISDIR(st.st_mode) && depth < MAX_DIR_DEPTH) {
			if (uri)
				buf_putc(&name, '/');
			if (read_dir(s, path.p, uri ? buf_str(&name) : NULL,
			    depth + 1, reasons) < 0)
				r = -1;
		} else if (S_ISREG(st.st_mode) &&
		    ends_in_json(entry->d_name)) {
			if (read_entry(s, path.p, uri ? buf_str(&name) : NULL,
			    reasons) < 0)
				r = -1;
		}
		buf_clear(&path);
		buf_clear(&name);
	}
	closedir(d);
	return r;
}

int
schema_file_read_dir(struct schemas *s, const char *dir, const char *uri,
    struct buf *reasons)
{
	return read_dir(s, dir, uri, 0, reasons);
}
