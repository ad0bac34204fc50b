/*
 * A set of schema documents: which schemas have which identifiers, and where a
 * reference leads (JSON Schema core, sections 8 and 9). Internal to
 * json/schema*.
 */
#ifndef JSON_SCHEMA_SET_H
#define JSON_SCHEMA_SET_H

#include "base/arena.h"
#include "base/error.h"
#include "json/names.h"
#include "json/reader.h"
#include "json/schema_rules.h"

/* Vocabularies, as bits of a dialect. */
enum {
	VOCABULARY_CORE = 1, VOCABULARY_APPLICATOR = 2,
	VOCABULARY_UNEVALUATED = 4, VOCABULARY_VALIDATION = 8,
	VOCABULARY_FORMAT = 16, VOCABULARY_FORMAT_ASSERTION = 32,
	VOCABULARY_REST = 64, /* annotations */
	VOCABULARY_DEFAULT = 127 - VOCABULARY_FORMAT_ASSERTION,
};

/* What a metaschema makes of keywords. */
struct dialect {
	char *uri;
	unsigned vocabularies;
	struct schema *metaschema; /* NULL: not compiled yet */
};

struct document {
	struct json json;
	struct buf text;
	char *uri;              /* of retrieval, without a fragment */
	uint32_t same;          /* the first document of the same text */
	uint32_t root;          /* the schema that was declared */
	size_t first_resource, n_resources; /* in it */
	struct block **blocks;  /* by node; NULL: not compiled */
	bool *declared;         /* by node: known to be a schema, and good */
	bool checked;           /* against the metaschema */
};

/* A schema with a URI, the base of the references in it. */
struct resource {
	char *uri;
	uint32_t document, node;
	char *schema;            /* its $schema; NULL: as the one around it */
	uint32_t parent;         /* the one around it, or itself */
	struct dialect *dialect; /* NULL: not looked up yet */
	bool dynamic;            /* has a $dynamicAnchor */
};

/* What an identifier stands for. */
struct identified {
	uint32_t document, node, resource;
	bool dynamic;    /* $dynamicAnchor */
	bool ambiguous;  /* two schemas have it */
};

struct schema_set {
	struct document **documents;
	size_t n_documents, cap_documents;
	struct resource *resources;
	size_t n_resources, cap_resources;
	struct names names; /* URIs, those of anchors with #name */
	struct identified *identified; /* by a name's number */
	size_t cap_identified;
	struct arena arena; /* released with the set */
};

void schema_set_clear(struct schema_set *);

/* See json/schema.h. */
int schema_set_read(struct schema_set *, struct buf *text, const char *uri,
    struct json_error *);
void schema_set_declare(struct schema_set *, uint32_t document, uint32_t node);

/* A place where the standard has no schema turns out to be one, by reference. */
void schema_set_declare_at(struct schema_set *, uint32_t document,
    uint32_t node);

/* The innermost resource that a node belongs to. */
uint32_t schema_set_resource(const struct schema_set *, uint32_t document,
    uint32_t node);

/*
 * Where a reference from a resource leads; metaschemas are added to the set
 * when asked for. *dynamic: an anchor's name, if it names a $dynamicAnchor,
 * else empty. 0, or -1 with the error.
 */
int schema_set_resolve(struct schema_set *, uint32_t resource,
    struct span reference, uint32_t *document, uint32_t *node,
    struct span *dynamic, struct error *);

/* The $dynamicAnchor of a resource: its node, or 0 and false. */
bool schema_set_dynamic(const struct schema_set *, uint32_t resource,
    struct span anchor, uint32_t *node);

/* What the value of a keyword looks like. */
enum shape {
	SHAPE_ANY, SHAPE_BOOLEAN, SHAPE_STRING, SHAPE_NUMBER,
	SHAPE_COUNT,   /* an integer, not negative */
	SHAPE_LIST,    /* any array */
	SHAPE_NAMES,   /* an array of strings */
	SHAPE_OBJECT,
	SHAPE_SCHEMA,
	SHAPE_SCHEMAS, /* an array of them */
	SHAPE_MEMBERS, /* an object of them */
};

enum keyword_id {
#define KEYWORD(id, name, vocabulary, shape) KEYWORD_##id,
#include "json/keywords.h"
#undef KEYWORD
};

struct keyword {
	enum keyword_id id;
	struct span name;
	unsigned vocabulary;
	enum shape shape;
};

/* The keyword of a name node, or NULL: the standard has none of that name. */
const struct keyword *schema_keyword(const struct json *, uint32_t name);

#endif
