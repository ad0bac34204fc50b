/*
 * The registry: a JSON array or an SQLite file, told apart by content, watched
 * for changes (DESIGN.md section 4).
 */
#ifndef STORE_REGISTRY_H
#define STORE_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "event/webhook.h"
#include "store/watch.h"

enum {
	REGISTRY_MAX_BYTES = 256 * 1024 * 1024, /* of the file */
	REGISTRY_APPLICATION_ID = 0x45565052,   /* "EVPR" */
	REGISTRY_VERSION = 1,                   /* of the SQLite form */
};

struct registry {
	char *path;
	struct webhooks webhooks; /* as last loaded */
	uint64_t generation;      /* grows by one at each load that worked */
	int64_t loaded_ms;        /* when that was, wall time */
	uint64_t n_bad;           /* changes that were said not to load */
	struct watch watch;
	uint64_t digest;          /* of the text last loaded */
	bool once;                /* it came through a pipe: no looking again */
};

/*
 * Load the registry at path. 0, -1 if the set-up is wrong, -2 if the system
 * failed or the file stayed locked; then with a line per fault in *reasons (no
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

/*
 * The SQLite form. Table webhook: position INTEGER PRIMARY KEY (the order), id,
 * config (webhook_put_json's text). Written by hook-admin alone.
 */
struct registry_store; /* an open SQLite registry */

enum registry_mode { REGISTRY_READ, REGISTRY_WRITE, REGISTRY_CREATE };

/*
 * Open it, waiting busy_ms for others' locks at each step; create it if absent
 * and asked for. 0, or with the error -1: a JSON file, another program's
 * database, one of a newer version, a bad path; -2: locked, or the system failed.
 */
int registry_store_open(struct registry_store **, const char *path,
    enum registry_mode, int busy_ms, struct error *);
void registry_store_close(struct registry_store *); /* undoes what is begun */

/*
 * All changes since begin become visible at commit, together; others can't
 * write in between. These and all below: 0, or -1 or -2 as above, with the
 * error.
 */
int registry_store_begin(struct registry_store *, struct error *);
int registry_store_commit(struct registry_store *, struct error *);

/* Add all as one JSON array, in order, to *text. */
int registry_store_text(struct registry_store *, struct buf *text,
    struct error *);

/* Insert at the end or replace in place (same id) a checked webhook. */
int registry_store_put(struct registry_store *, const struct webhook *,
    struct error *);
int registry_store_remove(struct registry_store *, struct span id,
    struct error *);
int registry_store_remove_all(struct registry_store *, struct error *);

#endif
