/*
 * Where a call goes: a checked URL and header fields, ready to send, with the
 * limits that a webhook may set. Shared by all calls that name the same URL
 * and headers, and freed with the last of them.
 */
#ifndef DELIVER_TARGET_H
#define DELIVER_TARGET_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "deliver/hash.h"
#include "event/webhook.h"
#include "json/reader.h"
#include "net/http.h"
#include "store/secrets.h"

enum {
	/* libcurl builds a request's head in at most 1 MiB; receivers take
	 * far less (nginx: 32 KiB). */
	TARGET_MAX_HEAD_BYTES = 128 * 1024,
};

struct target {
	struct entry entry;  /* by the text of url and headers, if in a table */
	struct hash *table; /* NULL: in none */
	size_t refs;
	struct http_target *http;
	struct span shown;   /* the URL without its query */
	struct span origin;  /* scheme://host[:port] */
	char *href, *dial;   /* what they point into */
	int64_t timeout_ms;  /* 0: default */
	int64_t concurrency; /* 0: default */
	int64_t rate;        /* a second; 0: no limit */
	enum retry_policy retry;
};

/*
 * The target of a call that goes to its own URL: json nodes of a string and of
 * an object whose members are strings. Found in the table or added to it.
 * NULL with the reason. The result counts as one reference.
 */
struct target *target_of_call(struct hash *, const struct json *, uint32_t url,
    uint32_t headers, struct error *);

/*
 * The target of a webhook, with what it has of secrets (NULL: nothing); NULL
 * with the reason. One reference.
 */
struct target *target_of_webhook(const struct webhook *,
    const struct credentials *, struct error *);

struct target *target_share(struct target *);
void target_release(struct target *); /* NULL is fine */

#endif
