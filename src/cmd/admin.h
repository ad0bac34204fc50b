/*
 * What the commands of hook-admin share. A command is a function that gets the
 * options and operands read; it dies on wrong usage or set-up, and leaves the
 * exit code in stage.code.
 */
#ifndef CMD_ADMIN_H
#define CMD_ADMIN_H

#include <stdbool.h>

#include "base/nearest.h"
#include "cmd/stage.h"
#include "store/registry.h"

enum admin_option {
	ADMIN_ID = OPT_OWN, ADMIN_URL, ADMIN_DESCRIPTION, ADMIN_SUBSCRIBE,
	ADMIN_UNSUBSCRIBE, ADMIN_ATTRIBUTE, ADMIN_REMOVE_ATTRIBUTE,
	ADMIN_HEADER, ADMIN_REMOVE_HEADER, ADMIN_TIMEOUT, ADMIN_CONCURRENCY,
	ADMIN_RATE, ADMIN_ORDER, ADMIN_RETRY, ADMIN_FILTER, ADMIN_TRANSFORM,
	ADMIN_CA, ADMIN_DISABLED, /* so far: members of a webhook */
	ADMIN_REPLACE, ADMIN_ALL, ADMIN_ASYNCAPI, ADMIN_MARKDOWN, ADMIN_JSON,
	ADMIN_ED25519, ADMIN_OVERLAP, ADMIN_SECRETS,
	ADMIN_WEBHOOK, ADMIN_EVENT, ADMIN_NAME, ADMIN_OUTCOME, ADMIN_STATUS,
	ADMIN_SINCE, ADMIN_UNTIL, ADMIN_LIMIT, ADMIN_DRY_RUN, ADMIN_FOLLOW,
	ADMIN_BEFORE, ADMIN_OUTPUT, ADMIN_YES,
	ADMIN_LAST = ADMIN_YES,
};

#define ADMIN_BIT(option) ((uint64_t)1 << ((option) - OPT_OWN))

/* An option that changes a member of a webhook. */
struct admin_change {
	enum admin_option option;
	const char *text; /* its argument */
};

/* Which calls of a queue; NULL: any. */
struct admin_filter {
	const char *webhook, *event, *name, *outcome, *status, *since, *until,
	    *limit;
};

struct admin {
	struct stage stage;
	const char *registry_path; /* -w, else $EV_WEBHOOKS */
	const char *queue_path;    /* -q; NULL: none */
	const char *catalog_dir;   /* -c; NULL: the default */
	const char *secrets_path;  /* NULL: beside the registry */
	const char *overlap;       /* NULL: the default */
	struct admin_filter filter;
	const char *before;        /* of prune; NULL: not given */
	const char *output;        /* of report; NULL: standard output */
	uint64_t given;            /* ADMIN_BITs of the options */
	struct admin_change *changes; /* in the order given */
	size_t n_changes, cap_changes;
	const char *command;       /* its name */
	char **operands;           /* behind the command; NULL ends */
	size_t n_operands;
};

/* What is wrong and where to read how it is done, on stderr; exit 2. */
_Noreturn void admin_misuse(struct admin *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * There is no such thing: with the one that was meant, or else what to do; exit
 * 2.
 */
_Noreturn void admin_unknown(struct admin *, const struct nearest *,
    const char *otherwise, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* A diagnostic for each line of reasons, behind what they belong to. */
void admin_say(struct admin *, enum diag_level, const char *what,
    struct span reasons);

/* The registry's path; dies if none was given. */
const char *admin_registry_path(struct admin *);

/* Load the registry, or die with every reason. */
void admin_load(struct admin *, struct registry *);

/* Records or a table for people? */
bool admin_wants_table(struct admin *);

/*
 * The webhook with this id, or NULL: then it is said, and the exit code is 2.
 */
const struct webhook *admin_find(struct admin *, const struct webhooks *,
    const char *id);

/* Warn of members in a JSON array of webhooks that mean nothing here. */
void admin_warn_unknown(struct admin *, const char *what,
    struct span text);

/* Warn of subscriptions to what is no public event of the catalog. */
void admin_warn_subscriptions(struct admin *, const struct webhook *);

void admin_add(struct admin *);
void admin_set(struct admin *);
void admin_enable(struct admin *);
void admin_disable(struct admin *);
void admin_remove(struct admin *);
void admin_import(struct admin *);

void admin_secret(struct admin *);
/* Forget the secrets of webhooks that are not among those that are left. */
void admin_forget_secrets(struct admin *, const struct webhooks *left);

/* Say what is wrong with the secrets, if this user may read them. */
void admin_check_secrets(struct admin *, const struct webhooks *);

void admin_show(struct admin *);
void admin_list(struct admin *);
void admin_export(struct admin *);
void admin_ping(struct admin *);

/* On a delivery queue. */
void admin_deliveries(struct admin *);
void admin_dead(struct admin *);
void admin_show_calls(struct admin *);
void admin_replay(struct admin *);
void admin_prune(struct admin *);
void admin_stats(struct admin *);
void admin_report(struct admin *);

void admin_events(struct admin *);
void admin_check(struct admin *);
void admin_diff(struct admin *);

#endif
