/*
 * A webhook: its members as DESIGN.md section 4 lists them, read from JSON in
 * the original's form (seed/behaviour.md 2.3) and checked one by one.
 */
#ifndef EVENT_WEBHOOK_H
#define EVENT_WEBHOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "json/reader.h"

enum {
	WEBHOOK_ID_BYTES = 64,
	WEBHOOK_MAX_TIMEOUT_MS = 10 * 60 * 1000,
	WEBHOOK_MAX_CONCURRENCY = 1000,
	WEBHOOK_MAX_CA_BYTES = 256 * 1024,
	WEBHOOK_MAX_RATE = 10000,
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

/*
 * Spans point into the arena of the list; url and id mostly into call_head,
 * names that recur are kept once: a hundred thousand webhooks take some 30 MB.
 */
struct webhook {
	struct span id;          /* [A-Za-z0-9_-]{1,64} */
	struct span url;         /* href of net/url.h */
	struct span description; /* empty: none */
	struct span call_head;   /* `{"url":…,"headers":{…},"webhook":"…"`: a
	                          * call without its other members and brace */
	struct span *subscriptions;
	struct pair *attributes; /* in their order, names distinct */
	struct pair *headers;
	struct span ca;          /* PEM; empty: as all others */
	struct span filter, transform; /* jq programs; empty: none */
	uint32_t n_subscriptions, n_attributes, n_headers;
	int32_t timeout_ms;      /* 0: default */
	struct span order;       /* "": none; "webhook"; or a JSON Pointer */
	uint16_t concurrency;    /* 0: default */
	uint16_t rate;           /* calls a second; 0: no limit */
	uint8_t retry;           /* enum retry_policy */
	bool disabled;
	bool derived_id;         /* made from the url, not given */
};

enum { WEBHOOK_RECENT = 64 };

/*
 * All webhooks of a registry, in its order, with the memory that they point
 * into. Zeroed is empty.
 */
struct webhooks {
	struct webhook *list;
	size_t n, cap;
	uint32_t *slots; /* by id: index + 1, 0 is free; a power of two of them */
	size_t n_slots;
	struct span recent[WEBHOOK_RECENT]; /* names, to keep each once */
	struct buf scratch, href, text;
	struct arena arena;
};

void webhooks_clear(struct webhooks *);

/*
 * Check the JSON object at node i and append it to the list. Where it has no
 * id, `wh_` + 12 hex digits of SHA-256 of its url stand in (`-2`, … for
 * further entries of the same url: see webhooks_finish). On failure nothing
 * is appended and every fault of the entry is added to *reasons, separated by
 * "; ", in words that name the member. Values are not shown. 0 or -1.
 */
int webhooks_add(struct webhooks *, const struct json *, uint32_t i,
    struct buf *reasons);

/*
 * Once all are added: give entries of the same url without an id of their own
 * the suffixes -2, -3, …; a repeated id is an error, one reason per entry
 * ("entry 3: id: …", counted from 1), separated by '\n'. 0/-1.
 */
int webhooks_finish(struct webhooks *, struct buf *reasons);

/*
 * Read a whole JSON array of webhooks (the registry's JSON form). 0, or -1
 * with a line per bad entry in *reasons: "entry 7: url: scheme is not http or
 * https; subscriptions: missing", entries counted from 1.
 */
int webhooks_read(struct webhooks *, struct span text, struct buf *reasons);

/* The one with this id, or NULL. After webhooks_finish, in constant time. */
const struct webhook *webhooks_find(const struct webhooks *, struct span id);

/* Is it subscribed to this public event, by name or by "prefix*"? */
bool webhook_subscribes(const struct webhook *, struct span name);

/* "webhook" or a JSON Pointer. */
bool webhook_order_is_good(struct span);

/* Is this the name of a member that means something (or is refused)? */
bool webhook_knows(struct span member);

/* Add the member that another name was meant for, if one is near: a hint. */
void webhook_put_meant(struct span unknown, struct buf *);

/*
 * Add its canonical JSON: compact, members in the documented order, absent and
 * empty ones left out (an empty id too). What hook-admin stores and shows; with its headers.
 */
void webhook_put_json(const struct webhook *, struct buf *);

#endif
