/*
 * An event: one line, read and checked (DESIGN.md section 2).
 */
#ifndef EVENT_EVENT_H
#define EVENT_EVENT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"
#include "event/catalog.h"
#include "json/reader.h"

enum { EVENT_ID_BYTES = 255 };

/* Why a line was refused. */
struct fault {
	const char *reason; /* a code: "not-json", "unknown-event", … */
	struct buf error;   /* text without payload values, a line a fault */
	struct buf detail;  /* what may hold them; often empty */
	struct buf records; /* of a schema's faults: objects, with commas */
	/* Set by the caller, and left alone. */
	bool all;           /* every fault of a value, not the first alone */
	bool values;        /* records have the values found */
};

void fault_clear(struct fault *);

/* Fill in; always returns -1. */
int fault_set(struct fault *, const char *reason, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A value fails a schema: the fault's error and records say where. */
void fault_schema(struct fault *, const char *reason, struct schema *,
    const struct json *, uint32_t node, const char *prefix);

struct event {
	struct json json;
	struct span text;     /* the event's bytes: the line, or what a string
	                       * line held */
	struct span name;
	uint32_t name_node;
	uint32_t payload;     /* nodes; 0: absent (a payload then is {}) */
	uint32_t id, time, traceparent;
	struct span id_text;  /* empty: none */
	struct buf unwrapped, name_buf, id_buf, unescaped;
	struct json none;     /* the text {} */
};

void event_init(struct event *);
void event_clear(struct event *);

/*
 * Read a line: BUF_PAD bytes behind it must be readable, and it must stay. A
 * JSON string that holds JSON is unwrapped once. 0, or -1 with the fault.
 */
int event_read(struct event *, struct span line, struct fault *);

/*
 * Is the event one that the catalog lists, and its payload valid? The catalog's
 * entry, or NULL with the fault.
 */
const struct catalog_event *event_check(const struct event *,
    const struct catalog *, struct fault *);

/* 1 to EVENT_ID_BYTES bytes, no control characters? Calls' ids, too. */
bool event_id_is_good(struct span);

/* A traceparent of version 00 to fe (W3C Trace Context 3.2)? */
bool event_is_traceparent(struct span);

/* The payload's reader and node. */
static inline const struct json *
event_payload(const struct event *ev, uint32_t *node)
{
	*node = ev->payload;
	return ev->payload ? &ev->json : &ev->none;
}

#endif
