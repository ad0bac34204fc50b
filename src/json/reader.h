/*
 * The JSON reader: one pass over a text into a flat array of nodes with spans
 * into that text. Strict RFC 8259: UTF-8 is checked; a byte order mark, lone
 * surrogate escapes, NUL bytes and nesting over JSON_MAX_DEPTH are refused.
 * Of members with equal names the last value stands, at the first one's place;
 * the others are gone from the array (their bytes stay in the text).
 *
 * The array is reused: nothing is allocated per text once warm.
 */
#ifndef JSON_READER_H
#define JSON_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

enum {
	JSON_MAX_DEPTH = 256,        /* libjq's own limit */
	JSON_MAX_BYTES = 1 << 30,    /* offsets are 32 bits wide */
};

enum json_kind {
	JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING,
	JSON_ARRAY, JSON_OBJECT,
};

/*
 * A value. Its subtree is [this, next). An array's items follow it, each at
 * the next of the one before; an object's members likewise, a string node (the
 * name) and the value behind it.
 */
struct json_node {
	uint32_t pos;  /* first byte in the text */
	uint32_t len;  /* bytes, with quotes or brackets */
	uint32_t next; /* index of the first node behind the subtree */
	uint32_t n : 27; /* items or members */
	uint32_t kind : 3;
	uint32_t escaped : 1;  /* string: holds a backslash */
	uint32_t repeated : 1; /* object: its text has members of equal names */
};

struct json {
	const char *text; /* borrowed from the last json_read */
	struct json_node *nodes; /* nodes[0] is the whole */
	size_t n_nodes, cap_nodes;
	uint32_t *slots; /* scratch: the table of a large object's names */
	size_t cap_slots;
	struct json_node *spare; /* scratch: an object put in order */
	size_t cap_spare;
	uint64_t seed[2]; /* of that table's hash; hostile names can't know it */
};

struct json_error {
	const char *what; /* static: "unexpected end of text", … */
	size_t column;    /* of the byte, counted from 1 */
};

void json_init(struct json *);
void json_clear(struct json *);

/*
 * Read the text, of which len bytes count; BUF_PAD more must be readable (their
 * values do not matter: a struct buf and a line have them). The text must
 * stay as it is while the nodes are used. 0, or -1 with the error.
 */
int json_read(struct json *, const char *text, size_t len, struct json_error *);

static inline const struct json_node *
json_at(const struct json *j, uint32_t i)
{
	return &j->nodes[i];
}

static inline enum json_kind
json_kind(const struct json *j, uint32_t i)
{
	return (enum json_kind)j->nodes[i].kind;
}

/* The value's own bytes. */
static inline struct span
json_bytes(const struct json *j, uint32_t i)
{
	return (struct span){ j->text + j->nodes[i].pos, j->nodes[i].len };
}

/* The node behind i's subtree: the next item; for a name, its value is i + 1. */
static inline uint32_t
json_next(const struct json *j, uint32_t i)
{
	return j->nodes[i].next;
}

/* The member of an object by its name: the value's node, or 0: none. */
uint32_t json_get(const struct json *, uint32_t object, struct span name);

/* Walk an object: for (k = o + 1; k < json_next(j, o); k = json_next(j, k + 1)) */

/*
 * A string's characters, as UTF-8 without escapes: a span of the text, or of
 * *scratch, whose contents are replaced, if there are escapes to undo.
 */
struct span json_string(const struct json *, uint32_t, struct buf *scratch);

/* Is node i a string with these characters? */
bool json_string_is(const struct json *, uint32_t i, struct span);

/* Add the characters of a string node to a buffer. */
void json_add_string(const struct json *, uint32_t, struct buf *);

/*
 * Replace the buffer's contents by the JSON text that a string node holds, as
 * one line: raw line ends, which in JSON are white space, become blanks.
 */
void json_unwrap(const struct json *, uint32_t, struct buf *);

/* "null", "boolean", "number", "string", "array", "object". */
const char *json_kind_name(enum json_kind);

#endif
