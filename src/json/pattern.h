/*
 * The syntax of regular expressions: ECMA-262 (2025) with the flag u, read into
 * a tree. Nothing here matches: json/regex does.
 */
#ifndef JSON_PATTERN_H
#define JSON_PATTERN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "json/property.h"

/*
 * Longest text of a pattern, deepest nesting and most capturing groups that are
 * read: bounds of what a catalog can make us do, far beyond what people write.
 */
enum { PATTERN_BYTES = 65536, PATTERN_DEPTH = 100, PATTERN_GROUPS = 1000 };

#define PATTERN_MANY UINT32_MAX /* max of "*"; counts beyond it are cut to it */

enum pattern_kind {
	PATTERN_BRANCH,    /* an alternative; below it, its terms */
	PATTERN_GROUP,     /* (…), (?:…) and the root; below it, branches */
	PATTERN_LOOK,      /* (?=…), (?!…), (?<=…), (?<!…); branches */
	PATTERN_CHAR,      /* value: the code point, a surrogate perhaps */
	PATTERN_CLASS,     /* items: value is the first, n how many */
	PATTERN_REFERENCE, /* value: the group, or the first of its name */
	PATTERN_START,
	PATTERN_END,
	PATTERN_BOUNDARY
};

/* A node; its subtree is what lies before `next`. */
struct pattern_node {
	enum pattern_kind kind;
	bool not;    /* [^…], (?!…), (?<!…), \B */
	bool behind; /* (?<=…), (?<!…) */
	bool lines;  /* ^ and $ under (?m:…) */
	bool lazy;
	uint32_t min, max; /* the quantifier: 1, 1 without one */
	uint32_t value, n;
	uint32_t least, most; /* characters of one repetition */
	uint32_t parent, next;
	uint32_t at; /* byte offset in the pattern */
};

/* Part of a class: code points from lo to hi, or a property. */
struct pattern_item {
	uint32_t lo, hi;
	bool is_property, not;
	struct property property;
};

/* Capturing groups count from 1; a name's p is NULL if it has none. */
struct pattern_group {
	uint32_t node;
	struct span name; /* unescaped */
	bool hidden;      /* parsing: in another alternative */
};

/* Zeroed before the first use. */
struct pattern {
	struct pattern_node *nodes; /* the first is the root, a group */
	struct pattern_item *items;
	struct pattern_group *groups;
	size_t n_nodes, n_items, n_groups;
	size_t nodes_cap, items_cap, groups_cap;
	bool ignores_case; /* there is a (?i:…) */
	bool odd_names;    /* a group's name has characters beyond ASCII */
	struct buf names;
};

/* Read good UTF-8. 0, or -1 with the error, which gives the byte offset. */
int pattern_read(struct pattern *, struct span text, struct error *);
void pattern_clear(struct pattern *);

#endif
