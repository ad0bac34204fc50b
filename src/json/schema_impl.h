/*
 * The set of schemas as its parts see it. Internal to json/schema*.
 */
#ifndef JSON_SCHEMA_IMPL_H
#define JSON_SCHEMA_IMPL_H

#include "json/schema.h"
#include "json/schema_rules.h"
#include "json/schema_set.h"

/* A value being checked; its arrays are reused, nothing is allocated once warm. */
struct schema_run {
	const struct json *j;
	const struct schema_set *set;
	struct buf scratch;
	int64_t work;     /* left, in the measure of json/regex.h */
	unsigned depth;   /* of blocks */
	bool dynamic;     /* keep the scope */
	bool track;       /* what is evaluated of the value at hand matters */
	bool collect;     /* write faults down */
	bool all;         /* and go on after the first */
	bool exhausted;   /* no verdict: what took too many steps: */
	struct schema_fault limit;
	/* Members and items that were evaluated, as they were come by. */
	uint32_t *trail;
	size_t n_trail, cap_trail;
	uint32_t *marks;  /* by node: the count of the last look that saw it */
	size_t cap_marks;
	uint32_t look;
	uint32_t *scope;  /* resources entered, outermost first */
	size_t n_scope, cap_scope;
	uint32_t *table;  /* of uniqueItems */
	size_t cap_table;
	struct schema_fault *faults;
	size_t n_faults, cap_faults;
};

struct schemas {
	struct schema_set set;
	unsigned flags;
	bool unchecked; /* of metaschemas themselves */
	bool dynamic;   /* a $dynamicRef may lead to several places */
	uint32_t main;  /* the document whose compilation was asked for */
	unsigned hops;  /* of references, while compiling */
	struct block **queue; /* all blocks; up to n_compiled they are done */
	size_t n_queue, cap_queue, n_compiled;
	struct dynamic **dynamics;
	size_t n_dynamics, cap_dynamics;
	struct dialect **dialects;
	size_t n_dialects, cap_dialects;
	struct names unknown;  /* keywords that were ignored */
	struct names patterns; /* each is compiled once */
	struct regex **regexes;
	size_t cap_regexes;
	struct names **tables; /* to be cleared */
	size_t n_tables, cap_tables;
	struct schemas *meta;  /* has the metaschema; NULL: not needed yet */
	struct schema *metaschema;
	struct schema_run run;
};

struct schema {
	struct schemas *set;
	struct block *root;
	uint32_t document;
};

/* Add what the fault is, without places: " is too short (minLength 1)". */
void schema_fault_brief(const struct schema *, const struct schema_fault *,
    struct buf *);

void schema_run_clear(struct schema_run *);

/*
 * Add where a node is: a JSON Pointer from the document's schema on, behind the
 * document's URI and a # if that is not the main one.
 */
void schema_place(const struct schemas *, uint32_t main, uint32_t document,
    uint32_t node, struct buf *);

#endif
