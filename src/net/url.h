/*
 * A webhook's URL: http or https, checked and normalised as the original
 * system did (seed/behaviour.md 2.4: Node's legacy url.parse().href, dialled
 * after a second, WHATWG, parse), but for its accidents: userinfo, an empty
 * host, odd host characters and bad ports are refused; a fragment is dropped.
 */
#ifndef NET_URL_H
#define NET_URL_H

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

/*
 * Add to *href the URL as records show it: trimmed, scheme and host in lower
 * case, IDN hosts in their ASCII form (RFC 5890), "<>"{}|\^`' and blanks
 * percent-encoded, an empty path as "/", a backslash in the path as "/".
 * 0, or -1 with the reason ("url: has a user name or password", …), which
 * never holds the URL itself.
 */
int url_normalise(struct span text, struct buf *href, struct error *);

/*
 * Add to *dial the URL to dial for an href of url_normalise: always
 * "scheme://host[:port]/…", non-ASCII bytes percent-encoded, default port
 * dropped, dot segments resolved, an IPv4 host in whatever form as four
 * decimal numbers.
 */
void url_dial(struct span href, struct buf *dial);

/* Text without JS white space (also U+00A0 and U+FEFF) at both ends. */
struct span url_trim(struct span text);

/* An href without its query, for results and logs (queries hold tokens). */
struct span url_without_query(struct span href);

#endif
