/*
 * What a schema is compiled to: rules by the kind of value that they are
 * about. Internal to json/schema*.
 */
#ifndef JSON_SCHEMA_RULES_H
#define JSON_SCHEMA_RULES_H

#include "json/format.h"
#include "json/names.h"
#include "json/number.h"
#include "json/reader.h"
#include "json/regex.h"

struct block;

struct blocks {
	struct block **list;
	size_t n;
};

/* enum or const. */
struct values {
	struct names strings, numbers; /* as number_spell has them */
	unsigned kinds;  /* a bit a json_kind: of null, true and false */
	uint32_t *nodes; /* arrays and objects, in the document */
	size_t n_nodes;
};

struct string_rules {
	size_t min_length, max_length; /* characters */
	struct regex *pattern;         /* NULL: none */
	const struct format *format;   /* NULL: none */
};

enum number_rule { MINIMUM = 1, MAXIMUM = 2, EXCLUSIVE_MINIMUM = 4,
	EXCLUSIVE_MAXIMUM = 8, MULTIPLE_OF = 16, INTEGER = 32 };

struct number_rules {
	unsigned has; /* enum number_rule */
	struct number minimum, maximum, exclusive_minimum, exclusive_maximum,
	    multiple_of;
};

struct array_rules {
	size_t min_items, max_items, min_contains, max_contains;
	struct blocks prefix;
	struct block *items, *contains; /* NULL: none */
	bool unique;
};

/* A name that an object's rules know. */
struct property {
	struct block *block; /* NULL: only required */
	bool required;
};

struct pattern_property {
	struct regex *regex;
	struct block *block;
};

/* dependentRequired, dependentSchemas. */
struct dependent {
	struct span name;
	struct span *required;
	size_t n_required;
	struct block *block; /* NULL: none */
};

struct object_rules {
	struct names names;
	struct property *properties; /* by a name's number */
	size_t n_required;
	struct pattern_property *patterns;
	size_t n_patterns;
	struct block *additional, *property_names; /* NULL: none */
	size_t min_properties, max_properties;
	struct dependent *dependents;
	size_t n_dependents;
};

/* Where a $dynamicRef may lead: the outermost of these in the dynamic scope. */
struct dynamic {
	struct block *initial;
	struct span anchor; /* empty: to the initial target */
	struct candidate {
		uint32_t resource;
		struct block *block;
	} *list;
	size_t n, cap;
};

/* Schemas for the very same value. */
struct in_place {
	struct block *ref;
	struct dynamic *dynamic;
	struct blocks all_of, any_of, one_of;
	struct block *not, *if_, *then, *else_;
};

enum { ANY_KIND = 0x7f };

/* A schema. NULL rules: there are none of that sort. */
struct block {
	unsigned kinds; /* a bit a json_kind that `type` allows */
	bool plain;     /* nothing but kinds */
	bool nothing;   /* the schema false */
	struct values *enum_, *const_;
	struct string_rules *string;
	struct number_rules *number;
	struct array_rules *array;
	struct object_rules *object;
	struct in_place *in_place;
	struct block *unevaluated_items, *unevaluated_properties;
	uint32_t document, node, resource;
	bool compiled, visiting, acyclic;
};

#endif
