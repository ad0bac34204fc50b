/*
 * URI references (RFC 3986) and their international form (RFC 3987), of any
 * scheme: what $id, $ref and `format` of JSON Schema need. What a webhook's
 * URL may be is net/url's.
 */
#ifndef JSON_URI_H
#define JSON_URI_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"

/* The components (section 3). One that is absent has a NULL p; path never. */
struct uri {
	struct span scheme, authority, path, query, fragment;
};

/* Split any text at its delimiters; nothing is checked or decoded. */
struct uri uri_split(struct span);

/* Take "#…" off the end of *uri. The fragment; p is NULL if there is none. */
struct span uri_cut_fragment(struct span *uri);

/*
 * Add the reference resolved against the base (5.2, strict), fragment
 * included. A base without a scheme gives a result without one. Nothing is
 * checked, and of normalising only dot segments are removed.
 */
void uri_resolve(struct span base, struct span reference, struct buf *);

/* Add the text with %XX decoded. 0, or -1: a % that two hex digits don't follow. */
int uri_decode(struct span, struct buf *);

/* By the grammar: a URI with a scheme, or any reference. */
bool uri_is_valid(struct span);
bool uri_is_reference(struct span);
bool iri_is_valid(struct span);
bool iri_is_reference(struct span);

/* A URI template (RFC 6570) of any level. */
bool uri_is_template(struct span);

/* Textual addresses, as hosts and formats: RFC 3986, 3.2.2. */
bool uri_is_ipv4(struct span);
bool uri_is_ipv6(struct span);

#endif
