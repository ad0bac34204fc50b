/*
 * The secrets of webhooks: a file of its own beside the registry, which nobody
 * but its owner can read (DESIGN.md section 4). A line for each webhook:
 *
 *	{"webhook":"wh_1","secrets":[{"secret":"whsec_…"},
 *	 {"secret":"whsec_…","until":"2026-11-24T18:00:00Z"}],
 *	 "headers":{"Authorization":"…"},"certificate":"PEM","private_key":"PEM"}
 *
 * Only hook-admin writes it, and ev-deliver reads it. No reason that is given
 * here holds a value; what held one is wiped.
 */
#ifndef STORE_SECRETS_H
#define STORE_SECRETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "store/watch.h"

enum {
	SECRETS_MAX_BYTES = 256 * 1024 * 1024, /* of the file */
	SECRETS_MAX_KEYS = 10,                 /* of a webhook */
};

struct signing_secret {
	char *text;       /* net/sign.h's whsec_… or whsk_… */
	int64_t until_ms; /* wall time; 0: no end */
};

struct secret_header {
	char *name, *value; /* checked by net/field.h */
};

/* What a webhook has that nobody may see. */
struct credentials {
	char *webhook;
	struct signing_secret *signing; /* the current one first */
	size_t n_signing;
	struct secret_header *headers;
	size_t n_headers;
	char *certificate, *private_key; /* PEM; NULL: none */
};

struct secrets {
	struct credentials *list; /* by webhook, in order of its bytes */
	size_t n, cap;
};

void secrets_clear(struct secrets *);

const struct credentials *secrets_find(const struct secrets *,
    struct span webhook);
struct credentials *secrets_get(struct secrets *, struct span webhook);
void secrets_remove(struct secrets *, struct span webhook);

/* Changes of one. Texts are copied; a secret is put in front. */
void credentials_add_signing(struct credentials *, struct span, int64_t until_ms);
void credentials_remove_signing(struct credentials *, size_t i);
void credentials_set_header(struct credentials *, struct span name,
    struct span value);
bool credentials_remove_header(struct credentials *, struct span name);
/* Empty: none. */
void credentials_set_certificate(struct credentials *, struct span certificate,
    struct span private_key);

/* Read all lines: 0, or -1 with a reason a line in *reasons. */
int secrets_read(struct secrets *, struct span text, struct buf *reasons);

/* The file as ev-deliver has it. */
struct secrets_file {
	char *path;
	struct secrets secrets; /* as last loaded */
	uint64_t generation;    /* grows with each load that worked */
	struct watch watch;
};

/*
 * Load it. An absent file is an empty one, unless it was asked for (needed).
 * 0, or -1 with the reasons; secrets_close in either case.
 */
int secrets_open(struct secrets_file *, const char *path, bool needed,
    struct buf *reasons);
void secrets_close(struct secrets_file *);

/*
 * Has it changed? Cheap enough for every turn. What does not load, or is gone,
 * never replaces what did: -1 with the reasons, once for each state of the
 * file; else 0.
 */
int secrets_check(struct secrets_file *, struct buf *reasons);

/* REGISTRY.secrets, added to *path. */
void secrets_path(struct buf *path, const char *registry);

/*
 * The file as hook-admin has it: read and locked against other writers until
 * commit, which replaces it by rename once the new one is on disk, or cancel.
 * Each 0, or -1 with the reasons or the error.
 */
struct secrets_edit {
	char *path;
	struct secrets secrets;
	int fd; /* holds the lock */
};

int secrets_begin(struct secrets_edit *, const char *path, struct buf *reasons);
int secrets_commit(struct secrets_edit *, struct error *);
void secrets_cancel(struct secrets_edit *); /* also after commit */

#endif
