/*
 * Notices that a file changed.
 */
#include "store/watch.h"

#include "base/clock.h"

enum {
	CHECK_MS = 250, /* between looks at the file */
	RACY_MS = 50,   /* file times tick in 4 to 10 ms */
};

/* The times of a file that was changed just now can't tell the next change. */
static bool
is_racy(const struct stat *st)
{
	const struct timespec *t = &st->st_mtim;
	int64_t changed_ms;

	if (st->st_ctim.tv_sec > t->tv_sec || (st->st_ctim.tv_sec == t->tv_sec &&
	    st->st_ctim.tv_nsec > t->tv_nsec))
		t = &st->st_ctim;
	changed_ms = (int64_t)t->tv_sec * 1000 + t->tv_nsec / 1000000;
	return clock_wall_ms() - changed_ms < RACY_MS;
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	    a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	    a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	    a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

bool
watch_is_due(const struct watch *w)
{
	return clock_coarse_ms() - w->looked_ms >= CHECK_MS;
}

bool
watch_look(struct watch *w, const char *path)
{
	int64_t now = clock_coarse_ms();
	struct stat st;

	if (now - w->looked_ms < CHECK_MS)
		return false;
	w->looked_ms = now;
	if (stat(path, &st) != 0)
		st = (struct stat){ 0 };
	w->changed = !same_file(&st, &w->seen);
	return w->changed || w->again;
}

void
watch_note(struct watch *w, const struct stat *st, bool later)
{
	w->seen = *st;
	w->again = later || is_racy(st);
	if (!w->looked_ms)
		w->looked_ms = clock_coarse_ms();
}

bool
watch_tells(struct watch *w)
{
	if (w->changed)
		w->said = false;
	if (w->said || (w->changed && is_racy(&w->seen)))
		return false;
	w->said = true;
	return true;
}

void
watch_well(struct watch *w)
{
	w->said = false;
}
