/*
 * The catalog: a directory with one JSON file an event (DESIGN.md section 3,
 * evpipe-catalog(5)), and schemas that several of them refer to, *.schema.json.
 */
#ifndef EVENT_CATALOG_H
#define EVENT_CATALOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "json/names.h"
#include "json/schema.h"

struct catalog_event {
	struct span name;
	bool public, deprecated;
	struct span description;
	struct span payload;   /* the schema's text, as in the file */
	struct span examples;  /* text of an array of events; empty: none */
	struct schema *schema;
	int document;          /* its number in the set of schemas */
	char *map;             /* the jq program's file name; NULL: none */
	struct span *required; /* required_attributes */
	size_t n_required;
	char *file;            /* the file's name in the directory */
};

struct catalog {
	char *dir;
	struct catalog_event *events; /* by name */
	size_t n, cap;
	struct names names;      /* the events', by their place in the array */
	struct schemas *schemas; /* has the files' texts, too */
	char **texts; /* strings that spans point into */
	size_t n_texts, cap_texts;
};

/* For catalog_open: schemas stay as they are read, good or not. */
enum { CATALOG_NO_SCHEMAS = 1 << 8 };

/*
 * Load the catalog of a directory. dir NULL: $EV_CATALOG, else the one
 * installed with the program. flags: SCHEMA_FORMAT, CATALOG_NO_SCHEMAS. 0, or -1 with a line per fault in *reasons;
 * catalog_close also then.
 */
int catalog_open(struct catalog *, const char *dir, unsigned flags,
    struct buf *reasons);
void catalog_close(struct catalog *);

/* The event of this name, or NULL. */
const struct catalog_event *catalog_find(const struct catalog *, struct span);

/* Read a file of the catalog's directory (a map). Appends to *text. 0 or -1. */
int catalog_read(const struct catalog *, const char *file, struct buf *text,
    struct error *);

#endif
