/*
 * The catalog and the registry that a stage works with: -c and -w, loaded at
 * the start, the registry looked at again between records.
 */
#ifndef CMD_CONFIG_H
#define CMD_CONFIG_H

#include <stdbool.h>

#include "cmd/stage.h"
#include "event/catalog.h"
#include "store/registry.h"

struct config {
	const char *catalog_dir, *registry_path; /* -c, -w */
	bool checks_payloads; /* else the catalog's schemas are not compiled */
	struct catalog catalog;
	struct registry registry;
};

/* true if c was one of -c and -w. */
bool config_option(struct config *, int c, const char *arg);

/* Load both; dies with 2 (a locked registry: 3) and every reason. */
void config_open(struct config *, struct stage *);
void config_close(struct config *);

/* May config_check find a change now? What needs the old one comes before. */
static inline bool
config_is_due(const struct config *c)
{
	return watch_is_due(&c->registry.watch);
}

/*
 * Did the registry change? What was made of it must be made anew then. One
 * that does not load is said once and the last good one stays.
 */
bool config_check(struct config *, const struct stage *);

/* What is counted of a registry. */
void config_put_metrics(const struct registry *, struct exposition *);

#endif
