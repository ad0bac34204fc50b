/*
 * Notices that a file changed, or was replaced, by its times and number: a
 * stat(2) every quarter of a second at most.
 */
#ifndef STORE_WATCH_H
#define STORE_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct watch {
	struct stat seen;   /* the file as last noted; zeroed: none */
	int64_t looked_ms;  /* coarse clock */
	bool changed;       /* at the last look that said so */
	bool again;         /* look again even if it seems unchanged */
	bool said;          /* the failure of `seen` was told */
};

/* Would watch_look look now? */
bool watch_is_due(const struct watch *);

/* May the file at path have changed since it was noted? Then load it. */
bool watch_look(struct watch *, const char *path);

/*
 * Note the file as it was before it was read, so that a change meanwhile shows
 * at the next look. later: it could not be read now.
 */
void watch_note(struct watch *, const struct stat *, bool later);

/*
 * It does not load: is that to be told? Once for each state of the file; one
 * that was written to just now may be half written, and gets until the next
 * look. watch_well: it does load.
 */
bool watch_tells(struct watch *);
void watch_well(struct watch *);

#endif
