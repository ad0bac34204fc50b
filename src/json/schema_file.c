/*
 * Schemas from files.
 */
#include "json/schema_file.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

/* A segment of a path, as one of a URI. */
static void
put_segment(struct buf *b, struct span segment)
{
	static const char plain[] = "-._~!$&'()*+,;=:@";
	size_t i;

	for (i = 0; i < segment.len; i++) {
		unsigned char c = (unsigned char)segment.p[i];

		if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' &&
		    (c | 0x20) <= 'z') || (c && strchr(plain, c)))
			buf_putc(b, (char)c);
		else
			buf_printf(b, "%%%02X", c);
	}
}

void
schema_file_uri(const char *path, struct buf *b)
{
	char cwd[4096];
	struct buf whole = { 0 };
	struct span segment;
	const char *p;
	size_t start;

	if (*path != '/' && getcwd(cwd, sizeof(cwd)))
		buf_printf(&whole, "%s/", cwd);
	buf_puts(&whole, path);
	buf_puts(b, "file://");
	start = b->len;
	/* One spelling of "a.json", "./a.json", "dir//../a.json". */
	for (p = buf_str(&whole); *p; p = segment.p + segment.len) {
		p += strspn(p, "/");
		segment = (struct span){ p, strcspn(p, "/") };
		if (span_eq(segment, SPAN(".."))) {
			while (b->len > start && b->p[--b->len] != '/')
				continue;
		} else if (segment.len && !span_eq(segment, SPAN("."))) {
			buf_putc(b, '/');
			put_segment(b, segment);
		}
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

/* A directory at work, in the one that holds it. */
struct dir {
	const struct dir *up;
	dev_t dev;
	ino_t ino;
};

/* Does a link lead back up? */
static bool
is_within(const struct dir *d, const struct stat *st)
{
	for (; d; d = d->up)
		if (d->dev == st->st_dev && d->ino == st->st_ino)
			return true;
	return false;
}

static int read_dir(struct schemas *, const char *dir, const char *uri,
    const struct dir *up, struct buf *reasons);

static int
read_any(struct schemas *s, const char *dir, const char *name,
    const char *uri, const struct dir *in, struct buf *reasons)
{
	struct buf path = { 0 }, at = { 0 };
	struct stat st;
	int r = 0;

	buf_printf(&path, "%s/%s", dir, name);
	if (uri) {
		buf_puts(&at, uri);
		put_segment(&at, span_of(name));
	}
	if (stat(buf_str(&path), &st) < 0) {
		add_reason(reasons, path.p, strerror(errno));
		r = -1;
	} else if (S_ISDIR(st.st_mode)) {
		buf_putc(&at, '/');
		if (!is_within(in, &st))
			r = read_dir(s, path.p, uri ? buf_str(&at) : NULL, in,
			    reasons);
	} else if (S_ISREG(st.st_mode) && ends_in_json(name)) {
		r = read_entry(s, path.p, uri ? buf_str(&at) : NULL, reasons);
	}
	buf_clear(&path);
	buf_clear(&at);
	return r;
}

static int
read_dir(struct schemas *s, const char *dir, const char *uri,
    const struct dir *up, struct buf *reasons)
{
	DIR *d = opendir(dir);
	struct dir here = { .up = up };
	struct dirent *entry;
	struct stat st;
	int r = 0;

	if (!d || fstat(dirfd(d), &st) < 0) {
		add_reason(reasons, dir, strerror(errno));
		if (d)
			closedir(d);
		return -1;
	}
	here.dev = st.st_dev;
	here.ino = st.st_ino;
	while ((errno = 0, entry = readdir(d)) != NULL)
		if (*entry->d_name != '.' && read_any(s, dir, entry->d_name,
		    uri, &here, reasons) < 0)
			r = -1;
	if (errno) {
		add_reason(reasons, dir, strerror(errno));
		r = -1;
	}
	closedir(d);
	return r;
}

int
schema_file_read_dir(struct schemas *s, const char *dir, const char *uri,
    struct buf *reasons)
{
	struct buf at = { 0 };
	int r;

	if (uri) {
		buf_puts(&at, uri);
		if (!at.len || !strchr("/:", at.p[at.len - 1]))
			buf_putc(&at, '/');
	}
	r = read_dir(s, dir, uri ? buf_str(&at) : NULL, NULL, reasons);
	buf_clear(&at);
	return r;
}
