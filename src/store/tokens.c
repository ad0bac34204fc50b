/*
 * Bearer tokens from a file.
 */
#include "store/tokens.h"

#include <errno.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/file.h"
#include "net/digest.h"

enum { MAX_LINE_BYTES = 4096 };

static const char blanks[] = " \t\r\n";

void
tokens_close(struct tokens *t)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		free(t->list[i].name);
	free(t->list);
	t->list = NULL;
	t->n = 0;
}

/* token68 of RFC 9110 11.2. */
static bool
is_token(struct span s)
{
	size_t i;

	while (s.len && s.p[s.len - 1] == '=')
		s.len--;
	for (i = 0; i < s.len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		    "0123456789-._~+/", s.p[i]) || !s.p[i])
			return false;
	return s.len >= TOKENS_MIN_BYTES;
}

static int
take_line(struct tokens *t, const char *line, unsigned number, struct error *e)
{
	const char *p = line + strspn(line, blanks);
	struct span name = { p, strcspn(p, blanks) }, token;
	struct token *new;

	if (*p == '#' || !*p)
		return 0;
	p += name.len + strspn(p + name.len, blanks);
	token = (struct span){ p, strcspn(p, blanks) };
	p += token.len;
	if (!token.len || p[strspn(p, blanks)])
		return error_set(e, "%s: line %u is not 'NAME TOKEN'", t->path,
		    number);
	if (!is_token(token))
		return error_set(e, "%s: the token of line %u is not at least "
		    "%d letters, digits and -._~+/", t->path, number,
		    TOKENS_MIN_BYTES);
	if (t->n == TOKENS_MAX)
		return error_set(e, "%s: more than %d tokens", t->path,
		    TOKENS_MAX);
	t->list = alloc_resize(t->list, t->n + 1, sizeof(*t->list));
	new = &t->list[t->n++];
	new->name = alloc_copy(name.p, name.len);
	digest_hex(token, new->hash, sizeof(new->hash));
	return 0;
}

static int
read_all(struct tokens *t, FILE *f, struct error *e)
{
	char line[MAX_LINE_BYTES];
	unsigned number = 0;

	while (fgets(line, sizeof(line), f)) {
		number++;
		if (strlen(line) == sizeof(line) - 1)
			return error_set(e, "%s: line %u is too long", t->path,
			    number);
		if (take_line(t, line, number, e) < 0)
			return -1;
	}
	if (ferror(f))
		return error_set(e, "cannot read '%s': %s", t->path,
		    strerror(errno));
	return t->n ? 0 : error_set(e, "%s: no tokens in it", t->path);
}

static int
load(struct tokens *t, struct stat *st, struct error *e)
{
	FILE *f = file_open_private(t->path, st, e);
	int r;

	if (!f)
		return -1;
	r = read_all(t, f, e);
	(void)fclose(f);
	return r;
}

int
tokens_open(struct tokens *t, const char *path, struct error *e)
{
	struct stat st;
	int r;

	*t = (struct tokens){ .path = path };
	r = load(t, &st, e);
	watch_note(&t->watch, &st, r < 0);
	return r;
}

int
tokens_check(struct tokens *t, struct error *e)
{
	struct tokens new = { .path = t->path };
	struct stat st;
	int r;

	if (!watch_look(&t->watch, t->path))
		return 0;
	r = load(&new, &st, e);
	watch_note(&t->watch, &st, r < 0);
	if (r < 0) {
		tokens_close(&new);
		return watch_tells(&t->watch) ? -1 : 0;
	}
	watch_well(&t->watch);
	tokens_close(t);
	t->list = new.list;
	t->n = new.n;
	return 0;
}

const char *
tokens_find(const struct tokens *t, struct span authorization)
{
	static const char scheme[] = "Bearer ";
	const size_t len = sizeof(scheme) - 1;
	const char *found = NULL;
	char hash[64];
	size_t i, k;

	if (authorization.len <= len ||
	    strncasecmp(authorization.p, scheme, len) != 0)
		return NULL;
	digest_hex((struct span){ authorization.p + len,
		authorization.len - len }, hash, sizeof(hash));
	for (i = 0; i < t->n; i++) {
		unsigned char differ = 0;

		for (k = 0; k < sizeof(hash); k++)
			differ |= (unsigned char)(hash[k] ^ t->list[i].hash[k]);
		if (!differ)
			found = t->list[i].name;
	}
	return found;
}
