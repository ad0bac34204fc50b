/*
 * The registry as readers see it: either form, loaded whole, loaded again when
 * the file changed. What does not load never replaces what did.
 */
#include "store/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "json/siphash.h"

enum {
	OPEN_BUSY_MS = 5000, /* waiting for hook-admin: at start, */
	CHECK_BUSY_MS = 20,  /* and between two records */
	READ_BYTES = 64 * 1024,
};

static const char magic[16] = "SQLite format 3";

/* What an attempt to load came to. */
enum load_result {
	LOADED,
	LOADED_SAME, /* the text is the one held */
	LOAD_BAD,    /* it can't be used: reasons */
	LOAD_LATER,  /* it can't be read now: reasons */
};

static int
add_failure(struct buf *reasons, int error)
{
	buf_puts(reasons, strerror(error));
	return -1;
}

/* All of fd, or only its first bytes if they are SQLite's. */
static int
read_file(int fd, const struct stat *st, struct buf *text, struct buf *reasons)
{
	ssize_t n;

	if (S_ISREG(st->st_mode) && st->st_size <= REGISTRY_MAX_BYTES)
		(void)buf_room(text, (size_t)st->st_size + 1);
	for (;;) {
		if (text->len > REGISTRY_MAX_BYTES) {
			buf_puts(reasons, "larger than 256 MiB");
			return -1;
		}
		n = read(fd, buf_room(text, READ_BYTES), READ_BYTES);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return add_failure(reasons, errno);
		if (n == 0)
			return 0;
		text->len += (size_t)n;
		if (text->len >= sizeof(magic) &&
		    memcmp(text->p, magic, sizeof(magic)) == 0)
			return 0;
	}
}

static enum load_result
read_sqlite(const char *path, int busy_ms, struct buf *text,
    struct buf *reasons)
{
	struct registry_store *s;
	struct error e;
	int r = registry_store_open(&s, path, REGISTRY_READ, busy_ms, &e);

	if (r == 0)
		r = registry_store_text(s, text, &e);
	registry_store_close(s);
	if (r == 0)
		return LOADED;
	buf_puts(reasons, e.text);
	return r == -2 ? LOAD_LATER : LOAD_BAD;
}

/*
 * The text of the registry, of either form, as JSON; *st is the file before it
 * was read. A pipe may have it at the start; one that takes its place would
 * stop the stream.
 */
static enum load_result
read_text(struct registry *reg, int busy_ms, struct stat *st, struct buf *text,
    struct buf *reasons)
{
	const char *path = reg->path;
	bool start = reg->generation == 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | (start ? 0 : O_NONBLOCK));
	int r = 0;

	*st = (struct stat){ 0 };
	if (fd < 0 || fstat(fd, st) != 0) {
		r = add_failure(reasons, errno);
	} else if (!start && !S_ISREG(st->st_mode)) {
		buf_puts(reasons, "not a regular file");
		r = -1;
	} else {
		r = read_file(fd, st, text, reasons);
	}
	/* Before SQLite opens it: closing drops the process's locks on it. */
	if (fd >= 0)
		close(fd);
	if (r != 0)
		return LOAD_BAD;
	if (text->len < sizeof(magic) ||
	    memcmp(text->p, magic, sizeof(magic)) != 0)
		return LOADED;
	text->len = 0;
	return read_sqlite(path, busy_ms, text, reasons);
}

static enum load_result
load_text(struct registry *r, struct span text, struct buf *reasons)
{
	static const uint64_t key[2] = { 0 }; /* no enemy chooses the text */
	struct webhooks fresh = { 0 };
	uint64_t digest = siphash13(key, text.p, text.len);

	if (r->generation && digest == r->digest)
		return LOADED_SAME;
	if (webhooks_read(&fresh, text, reasons) != 0) {
		webhooks_clear(&fresh);
		return LOAD_BAD;
	}
	webhooks_clear(&r->webhooks);
	r->webhooks = fresh;
	r->digest = digest;
	r->generation++;
	r->loaded_ms = clock_wall_ms();
	return LOADED;
}

/* Load what the file holds now, and note its state. */
static enum load_result
load(struct registry *r, int busy_ms, struct buf *reasons)
{
	struct buf text = { 0 };
	struct stat st;
	enum load_result result;

	result = read_text(r, busy_ms, &st, &text, reasons);
	if (result == LOADED)
		result = load_text(r, buf_bytes(&text), reasons);
	watch_note(&r->watch, &st, result == LOAD_LATER);
	buf_clear(&text);
	return result;
}

int
registry_open(struct registry *r, const char *path, struct buf *reasons)
{
	*r = (struct registry){ .path = alloc_copy(path, strlen(path)) };
	switch (load(r, OPEN_BUSY_MS, reasons)) {
	case LOADED:
		r->once = !S_ISREG(r->watch.seen.st_mode);
		return 0;
	case LOAD_LATER:
		return -2;
	default:
		return -1;
	}
}

void
registry_close(struct registry *r)
{
	free(r->path);
	webhooks_clear(&r->webhooks);
	*r = (struct registry){ 0 };
}

enum registry_status
registry_check(struct registry *r, struct buf *reasons)
{
	if (r->once || !watch_look(&r->watch, r->path))
		return REGISTRY_SAME;
	reasons->len = 0;
	switch (load(r, CHECK_BUSY_MS, reasons)) {
	case LOADED:
		watch_well(&r->watch);
		return REGISTRY_CHANGED;
	case LOADED_SAME:
		watch_well(&r->watch);
		return REGISTRY_SAME;
	default:
		if (!watch_tells(&r->watch))
			return REGISTRY_SAME;
		r->n_bad++;
		return REGISTRY_BAD;
	}
}
