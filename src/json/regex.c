/*
 * Regular expressions. The subset that both dialects read alike is taken as it
 * stands: literals, classes, groups, alternatives, quantifiers, ^ and $.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "json/regex.h"

#include <pcre2.h>
#include <stdbool.h>

#include "base/alloc.h"

/* Steps of the matcher and its memory (KiB): a hostile text ends early. */
enum { MATCH_LIMIT = 1000000, HEAP_LIMIT_KIB = 8192 };

struct regex {
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *context;
};

/* The length of "{n}", "{n,}" or "{n,m}" at i; 0: it is none. */
static size_t
quantifier(struct span s, size_t i)
{
	size_t at = i + 1, digits = at;

	while (at < s.len && s.p[at] >= '0' && s.p[at] <= '9')
		at++;
	if (at == digits)
		return 0;
	if (at < s.len && s.p[at] == ',')
		for (at++; at < s.len && s.p[at] >= '0' && s.p[at] <= '9';)
			at++;
	return at < s.len && s.p[at] == '}' ? at + 1 - i : 0;
}

/*
 * ECMA-262 and PCRE2 differ in escapes, in (?…) groups, in possessive
 * quantifiers, in empty and nested classes, and in what "." leaves out.
 */
static const char *
difference(struct span s)
{
	bool class = false;
	size_t i;

	for (i = 0; i < s.len; i++) {
		char c = s.p[i], next = i + 1 < s.len ? s.p[i + 1] : '\0';

		if (c == '\\') {
			if (!next || !strchr(class ? "^$\\.*+?()[]{}|/-" :
			    "^$\\.*+?()[]{}|/", next))
				return "an escape other than of punctuation";
			i++;
		} else if (class) {
			if (c == ']')
				class = false;
			else if (c == '[')
				return "'[' in a class";
		} else if (c == '[') {
			class = true;
			if (next == '^')
				i++;
			if (i + 1 < s.len && s.p[i + 1] == ']')
				return "an empty class";
		} else if (c == '(' && next == '?') {
			if (i + 2 >= s.len || s.p[i + 2] != ':')
				return "a (?…) group other than (?:…)";
		} else if (strchr("*+?}", c) && next == '+') {
			return "a possessive quantifier";
		} else if (c == '(' && next == '*') {
			return "a (*…) verb";
		} else if (c == '.') {
			return "'.'";
		} else if (c == ']' || c == '}') {
			return "a bracket that closes nothing";
		} else if (c == '{') {
			size_t n = quantifier(s, i);

			if (n == 0)
				return "'{' that begins no quantifier";
			i += n - 1;
			if (i + 1 < s.len && s.p[i + 1] == '+')
				return "a possessive quantifier";
		} else if (c == '\0') {
			return "a NUL";
		}
	}
	return NULL;
}

struct regex *
regex_compile(struct span pattern, struct error *e)
{
	const char *what = difference(pattern);
	struct regex *r;
	PCRE2_SIZE at;
	int code;

	if (what) {
		error_set(e, "pattern: %s is not supported yet", what);
		return NULL;
	}
	r = alloc_zero(1, sizeof(*r));
	r->code = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.len,
	    PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C |
	        PCRE2_NO_UTF_CHECK, &code, &at, NULL);
	if (!r->code) {
		PCRE2_UCHAR text[128];

		pcre2_get_error_message(code, text, sizeof(text));
		error_set(e, "pattern: %s at offset %zu", (char *)text,
		    (size_t)at);
		regex_free(r);
		return NULL;
	}
	/* Without JIT (a hardened kernel) the interpreter does it. */
	(void)pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE);
	r->data = pcre2_match_data_create(1, NULL);
	r->context = pcre2_match_context_create(NULL);
	if (!r->data || !r->context) {
		error_set(e, "pattern: out of memory");
		regex_free(r);
		return NULL;
	}
	pcre2_set_match_limit(r->context, MATCH_LIMIT);
	pcre2_set_heap_limit(r->context, HEAP_LIMIT_KIB);
	return r;
}

void
regex_free(struct regex *r)
{
	if (!r)
		return;
	pcre2_match_context_free(r->context);
	pcre2_match_data_free(r->data);
	pcre2_code_free(r->code);
	free(r);
}

enum regex_result
regex_match(struct regex *r, struct span text)
{
	int n = pcre2_match(r->code, (PCRE2_SPTR)text.p, text.len, 0,
	    PCRE2_NO_UTF_CHECK, r->data, r->context);

	if (n == PCRE2_ERROR_NOMATCH)
		return REGEX_NO;
	return n < 0 ? REGEX_LIMIT : REGEX_YES;
}
