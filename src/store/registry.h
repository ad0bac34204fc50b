/*
 * The registry: a JSON array or an SQLite file, told apart by content, watched
 * for changes (DESIGN.md section 4).
 */
#ifndef STORE_REGISTRY_H
#define STORE_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/error.h"
#include "event/webhook.h"

struct registry {
	char *path;
	struct webhooks webhooks; /* as last loaded */
	uint64_t generation;      /* grows by one at each load that worked */
	struct stat seen;         /* the file as last looked at */
	int64_t checked_ms;       /* coarse clock */
	bool racy;                /* it changed so lately that the next change
	                           * may not show in its times */
	bool said;                /* the failure of `seen` was reported */
};

/*
 * Load the registry at path. 0, or -1 with a line per fault in *reasons (no
 * newline at the end). registry_close also after failure.
 */
int registry_open(struct registry *, const char *path, struct buf *reasons);
void registry_close(struct registry *);

enum registry_status {
	REGISTRY_SAME,
	REGISTRY_CHANGED, /* webhooks are new; generation grew */
	REGISTRY_BAD,     /* it changed but does not load: the last good one
	                   * stays; said once a change, reasons in *reasons */
};

/*
 * Has the file changed? Cheap enough for every record: looks at most every
 * 250 ms. Pointers into webhooks die when it returns REGISTRY_CHANGED.
 */
enum registry_status registry_check(struct registry *, struct buf *reasons);

/* Writing, for hook-admin alone; SQLite only. */
struct registry_store; /* an open SQLite registry */

/* Open for writing; create it if absent and asked for. NULL with the error. */
struct registry_store *registry_store_open(const char *path, bool create,
    struct error *);
void registry_store_close(struct registry_store *);

/*
 * All changes since begin become visible at commit, together. Each 0 or -1
 * with the error.
 */
int registry_store_begin(struct registry_store *, struct error *);
int registry_store_commit(struct registry_store *, struct error *);

/* Insert at the end or replace in place (same id) a checked webhook. */
int registry_store_put(struct registry_store *, const struct webhook *,
    struct error *);
/* 1 removed, 0 no such id, -1 error. */
int registry_store_remove(struct registry_store *, struct span id,
    struct error *);

#endif
