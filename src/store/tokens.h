/*
 * Bearer tokens (RFC 6750) of those who may send events, from a file: a line
 * each, "NAME TOKEN"; blank lines and lines that begin with '#' don't count. The
 * name is for people. Tokens are not kept, only their hashes.
 */
#ifndef STORE_TOKENS_H
#define STORE_TOKENS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "store/watch.h"

enum {
	TOKENS_MIN_BYTES = 16, /* of a token: shorter ones can be guessed */
	TOKENS_MAX = 1000,
};

struct tokens {
	const char *path;
	struct watch watch;
	struct token {
		char *name;
		char hash[64]; /* hex digits of SHA-256 */
	} *list;
	size_t n;
};

/*
 * Load the file, which must be private (base/file.h). 0, or -1 with the error, which shows no token.
 */
int tokens_open(struct tokens *, const char *path, struct error *);
void tokens_close(struct tokens *);

/*
 * Load it again if it changed, four times a second at most. 0, or -1 with the
 * error, once for each state of the file: the last good ones stay in use.
 */
int tokens_check(struct tokens *, struct error *);

/*
 * Whose token is in the field Authorization's value? NULL: nobody's. It takes
 * as long for a wrong token as for a right one.
 */
const char *tokens_find(const struct tokens *, struct span authorization);

#endif
