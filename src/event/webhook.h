/*
 * A webhook: its members as DESIGN.md section 4 lists them, read from JSON in
 * the original's form (seed/behaviour.md 2.3) and checked one by one.
 */
#ifndef EVENT_WEBHOOK_H
#define EVENT_WEBHOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "json/reader.h"

enum {
	WEBHOOK_ID_BYTES = 64,
	WEBHOOK_MAX_TIMEOUT_MS = 10 * 60 * 1000,
	WEBHOOK_MAX_CONCURRENCY = 1000,
};

/* What happens to an answer that is not 2xx. */
enum retry_policy {
	RETRY_DEFAULT,  /* as the command line says, else failures */
	RETRY_FAILURES, /* try again whatever is not 2xx */
	RETRY_NETWORK,  /* any answer settles the call: the original's way */
};

struct pair {
	struct span name, value; /* decoded; they may hold NUL */
};

struct webhook {
	struct span id;          /* [A-Za-z0-9_-]{1,64} */
	struct span url;         /* href of net/url.h */
	struct span description; /* empty: none */
	struct span *subscriptions;
	size_t n_subscriptions;
	struct pair *attributes; /* in their order, names distinct */
	size_t n_attributes;
	struct pair *headers;
	size_t n_headers;
	bool disabled;
	int64_t timeout_ms;      /* 0: default */
	int64_t concurrency;     /* 0: default */
	enum retry_policy retry;
	struct span json;        /* canonical JSON: what hook-admin stores and
	                          * shows; compact, members in documented order,
	                          * absent ones left out */
	struct span call_head;   /* `{"url":…,"headers":{…},"webhook":"…"` */
};

/*
 * All webhooks of a registry, in its order, with the memory that they point
 * into.
 */
struct webhooks {
	struct webhook *list;
	size_t n, cap;
	struct arena {
		char **blocks;
		size_t n, cap, used, size; /* of the last block */
	} arena;
};

void webhooks_clear(struct webhooks *);

/*
 * Check the JSON object at node i and append it to the list. Where it has no
 * id, `wh_` + 12 hex digits of SHA-256 of its url stand in (`-2`, … for
 * further entries of the same url: see webhooks_number). On failure nothing
 * is appended and every fault of the entry is added to *reasons, separated by
 * "; ", in words that name the member. Values are not shown. 0 or -1.
 */
int webhooks_add(struct webhooks *, const struct json *, uint32_t i,
    struct buf *reasons);

/*
 * Once all are added: give entries of the same url without an id of their own
 * the suffixes -2, -3, …; a repeated explicit id is an error, one reason per
 * entry ("entry 3: id: …"), separated by '\n'. Builds json and call_head. 0/-1.
 */
int webhooks_finish(struct webhooks *, struct buf *reasons);

/*
 * Read a whole JSON array of webhooks (the registry's JSON form). 0, or -1
 * with a line per bad entry in *reasons: "entry 7: url: scheme is not http or
 * https; subscriptions: missing".
 */
int webhooks_read(struct webhooks *, struct span text, struct buf *reasons);

/* The one with this id, or NULL. O(1) after webhooks_finish is not promised. */
const struct webhook *webhooks_find(const struct webhooks *, struct span id);

#endif
