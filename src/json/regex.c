/*
 * Regular expressions: the tree of json/pattern as PCRE2 code, or without it
 * where that is simple.
 *
 * The translation leaves nothing to what the two dialects have in common:
 * every character and class is spelled out. What remains different is what a
 * group holds when it is repeated (ECMA-262 empties it before each repetition,
 * PCRE2 does not) or looked back into, so groups capture only if referred to,
 * and a reference that could tell the difference is refused.
 *
 * Work is counted by callouts, which stand wherever matching may go on for
 * long: PCRE2's own match limit starts anew at each place of the text and does
 * not see the inner loops.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "json/regex.h"

#include <pcre2.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "json/pattern.h"

enum { COST = 16 }; /* work of a callout, beside the bytes passed since */

/* The matcher's memory, on its own stack or on the heap. */
enum { MEMORY_KIB = 8192, STACK_BYTES = 32768 };

/*
 * Most items of code that the repetitions of groups may come to, PCRE2's
 * largest count of one, and how many items go without a callout.
 */
enum { MAX_ITEMS = 20000, MAX_COUNT = 65535, STRIDE = 32 };

/* "^", runs of ASCII characters, "$" perhaps: bit i of accepts is run i's. */
enum { MAX_RUNS = 32 };

#define NOTHING_MATCHES "(?:(?!))"

struct run {
	uint32_t min, max;
};

struct runs {
	unsigned n;
	bool to_end;
	uint32_t beyond; /* bit i: characters beyond ASCII, some at least */
	uint32_t accepts[128];
	struct run run[MAX_RUNS];
};

struct budget {
	int64_t left;
	size_t at; /* where the last callout was */
};

struct regex {
	bool anything; /* matches every text */
	struct runs *runs; /* or NULL */
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *context;
	struct budget budget;
	bool tried, jit; /* compiled to machine code: when first needed */
};

struct translator {
	const struct pattern *p;
	struct buf out;
	uint32_t *number; /* of each group in PCRE2; 0: it captures nothing */
	uint64_t n_items;
	uint32_t options; /* PCRE2's, beyond the usual */
	struct error *e;
};

static int
refuse(struct translator *t, uint32_t node, const char *what)
{
	return error_set(t->e, "pattern: not supported: %s at offset %u",
	    what, t->p->nodes[node].at);
}

static bool
contains(const struct pattern *p, uint32_t node, uint32_t other)
{
	return other >= node && other < p->nodes[node].next;
}

static bool
is_behind(const struct pattern *p, uint32_t node)
{
	for (; node; node = p->nodes[node].parent)
		if (p->nodes[node].kind == PATTERN_LOOK && p->nodes[node].behind)
			return true;
	return false;
}

static bool
has_alternatives(const struct pattern *p, uint32_t group)
{
	return p->nodes[group + 1].next < p->nodes[group].next;
}

/*
 * What a reference finds in a group that it names: HELD, what the group
 * matched, in both dialects; NOTHING, in ECMA-262; UNSURE, they may differ.
 */
enum content { HELD, NOTHING, UNSURE };

static enum content
content(const struct pattern *p, uint32_t reference, uint32_t group)
{
	enum content content = HELD;
	bool always = true; /* matched once at least in each repetition */
	uint32_t i;

	if (is_behind(p, reference) || is_behind(p, group))
		return UNSURE; /* read from right to left */
	if (reference < p->nodes[group].next)
		return NOTHING; /* not matched yet, or not since emptied */
	for (i = group; i; i = p->nodes[i].parent) {
		const struct pattern_node *n = &p->nodes[i];

		if (n->max == 0 || (n->kind == PATTERN_LOOK && n->not &&
		    !contains(p, i, reference)))
			return NOTHING;
		if (n->kind != PATTERN_BRANCH && i != group &&
		    has_alternatives(p, i))
			always = false;
		if (n->max > 1 && !always)
			content = UNSURE;
		/* ECMA-262 undoes an optional repetition of nothing. */
		if (n->max > n->min && n->least == 0)
			content = UNSURE;
		if (n->min == 0)
			always = false;
	}
	return content;
}

/* Is this a group that the reference means: its own, or one of its name? */
static bool
is_meant(const struct pattern *p, const struct pattern_node *reference,
    size_t group)
{
	struct span name = p->groups[reference->value - 1].name;

	return group == reference->value - 1 ||
	    (name.p && p->groups[group].name.p &&
	        span_eq(name, p->groups[group].name));
}

/* Which groups have to capture, and as which number. */
static int
number_groups(struct translator *t)
{
	const struct pattern *p = t->p;
	uint32_t i, n = 0;
	size_t g;

	for (i = 0; i < p->n_nodes; i++) {
		if (p->nodes[i].kind != PATTERN_REFERENCE)
			continue;
		for (g = 0; g < p->n_groups; g++) {
			enum content what;

			if (!is_meant(p, &p->nodes[i], g))
				continue;
			what = content(p, i, p->groups[g].node);
			if (what == UNSURE)
				return refuse(t, i, "a reference to a group "
				    "that a repetition may leave out, or in "
				    "a lookbehind,");
			if (what == HELD)
				t->number[g] = 1;
		}
	}
	for (g = 0; g < p->n_groups; g++)
		if (t->number[g])
			t->number[g] = ++n;
	return 0;
}

static void
put_char(struct buf *b, uint32_t c)
{
	char utf8[4];

	if (c < ' ' || c == 0x7f)
		buf_printf(b, "\\x{%x}", c);
	else if (c < 0x80 && strchr("!\"#$%&'()*+,-./:;<=>?@[\\]^`{|}~ ",
	    (char)c))
		buf_printf(b, "\\%c", (char)c);
	else
		buf_add(b, utf8, utf8_encode(c, utf8));
}

/* A class. Surrogates are in no text: they are left out (PCRE2 refuses them). */
static void
put_class(struct translator *t, const struct pattern_node *n)
{
	size_t start = t->out.len;
	uint32_t i;

	buf_puts(&t->out, n->not ? "[^" : "[");
	for (i = n->value; i < n->value + n->n; i++) {
		struct pattern_item it = t->p->items[i];

		if (it.is_property) {
			buf_printf(&t->out, "\\%c{%s%.*s}", it.not ? 'P' : 'p',
			    it.property.kind, (int)it.property.name.len,
			    it.property.name.p);
			continue;
		}
		if (it.lo >= 0xd800 && it.lo < 0xe000)
			it.lo = 0xe000;
		if (it.hi >= 0xd800 && it.hi < 0xe000)
			it.hi = 0xd7ff;
		if (it.lo > it.hi)
			continue;
		put_char(&t->out, it.lo);
		if (it.lo < it.hi) {
			buf_putc(&t->out, '-');
			put_char(&t->out, it.hi);
		}
	}
	if (t->out.len == start + 1) {
		/* PCRE2 makes (*FAIL) of "[]", and of "[]*" too. */
		t->out.len = start;
		buf_puts(&t->out, NOTHING_MATCHES);
		return;
	}
	buf_putc(&t->out, ']');
}

static void
put_reference(struct translator *t, const struct pattern_node *n)
{
	size_t g;

	buf_puts(&t->out, "(?:");
	for (g = 0; g < t->p->n_groups; g++)
		if (is_meant(t->p, n, g) && t->number[g])
			buf_printf(&t->out, "\\g{%u}", t->number[g]);
	buf_putc(&t->out, ')');
}

static int
put_quantifier(struct translator *t, const struct pattern_node *n)
{
	struct buf *b = &t->out;

	if (n->min == 1 && n->max == 1)
		return 0;
	if (n->min > MAX_COUNT ||
	    (n->max > MAX_COUNT && n->max != PATTERN_MANY))
		return refuse(t, (uint32_t)(n - t->p->nodes),
		    "a count beyond 65535");
	if (n->max != PATTERN_MANY)
		buf_printf(b, "{%u,%u}", n->min, n->max);
	else
		buf_printf(b, "{%u,}", n->min);
	if (n->lazy)
		buf_putc(b, '?');
	return 0;
}

static int put_branches(struct translator *, uint32_t group, uint64_t copies);

/* A group or an assertion of which PCRE2 makes so many copies. */
static int
put_group(struct translator *t, uint32_t i, uint64_t copies)
{
	const struct pattern_node *n = &t->p->nodes[i];
	uint32_t most = n->max == PATTERN_MANY ? n->min : n->max, k;

	/* What PCRE2 10.42 can do, and later versions can do more of. */
	for (k = i + 1; n->behind && k < n->next; k = t->p->nodes[k].next)
		if (t->p->nodes[k].least != t->p->nodes[k].most)
			return refuse(t, k, "a lookbehind of varying length");
	/* PCRE2 10.42 finds no "b" for "(?=b)b?b": it counts on two. */
	if (n->kind == PATTERN_LOOK && !n->behind)
		t->options |= PCRE2_NO_START_OPTIMIZE;
	if (n->kind == PATTERN_LOOK)
		buf_printf(&t->out, "(?%s%c", n->behind ? "<" : "",
		    n->not ? '!' : '=');
	else if (n->value && t->number[n->value - 1])
		buf_putc(&t->out, '(');
	else
		buf_puts(&t->out, "(?:");
	if (put_branches(t, i, copies * (most ? most : 1)) < 0)
		return -1;
	buf_putc(&t->out, ')');
	return put_quantifier(t, n);
}

/* One item, with callouts where it may go on for long. */
static int
put_item(struct translator *t, uint32_t i)
{
	const struct pattern_node *n = &t->p->nodes[i];
	unsigned log = 1;

	if (n->min > STRIDE) {
		/* It may fail close to its end, each time: paid in advance. */
		while (log < 16 && 1u << log < n->min)
			log++;
		buf_printf(&t->out, "(?C%u)", log);
	}
	if (n->kind == PATTERN_CLASS)
		put_class(t, n);
	else if (n->kind == PATTERN_REFERENCE)
		put_reference(t, n);
	else if (n->value >= 0xd800 && n->value < 0xe000)
		buf_puts(&t->out, NOTHING_MATCHES);
	else
		put_char(&t->out, n->value);
	if (put_quantifier(t, n) < 0)
		return -1;
	if (n->max - n->min > STRIDE || n->kind == PATTERN_REFERENCE)
		buf_puts(&t->out, "(?C)");
	return 0;
}

static int
put_term(struct translator *t, uint32_t i, uint64_t copies)
{
	const struct pattern_node *n = &t->p->nodes[i];
	struct buf *b = &t->out;

	if (n->max == 0)
		return 0;
	t->n_items += copies;
	if (t->n_items > MAX_ITEMS)
		return refuse(t, i, "a pattern that grows too large by its "
		    "repetitions,");
	switch (n->kind) {
	case PATTERN_START:
		buf_puts(b, n->lines ?
		    "(?:^|(?<=[\\n\\r\\x{2028}\\x{2029}]))" : "^");
		return 0;
	case PATTERN_END:
		buf_puts(b, n->lines ?
		    "(?:$|(?=[\\n\\r\\x{2028}\\x{2029}]))" : "$");
		return 0;
	case PATTERN_BOUNDARY:
		buf_puts(b, n->not ? "\\B" : "\\b");
		return 0;
	case PATTERN_GROUP:
	case PATTERN_LOOK:
		return put_group(t, i, copies);
	default:
		return put_item(t, i);
	}
}

static int
put_branches(struct translator *t, uint32_t group, uint64_t copies)
{
	const struct pattern_node *n = t->p->nodes;
	uint32_t i, k;

	for (i = group + 1; i < n[group].next; i = n[i].next) {
		unsigned stride = 0;

		buf_puts(&t->out, i > group + 1 ? "|(?C)" : "(?C)");
		for (k = i + 1; k < n[i].next; k = n[k].next) {
			if (++stride % STRIDE == 0)
				buf_puts(&t->out, "(?C)");
			if (put_term(t, k, copies) < 0)
				return -1;
		}
	}
	return 0;
}

/* Is the empty text at its start a match, whatever the text is? */
static bool
matches_anything(const struct pattern *p)
{
	uint32_t i;

	for (i = 0; i < p->n_nodes; i++)
		if (p->nodes[i].kind > PATTERN_CLASS ||
		    p->nodes[i].kind == PATTERN_LOOK)
			return false;
	return p->nodes[0].least == 0;
}

/* Let run i accept the ASCII characters of a node; false: it is not simple. */
static bool
add_run(struct runs *r, const struct pattern *p, const struct pattern_node *n)
{
	uint32_t bit, i, c;

	if (r->n == MAX_RUNS)
		return false;
	bit = 1u << r->n;
	if (n->kind == PATTERN_CHAR && n->value < 0x80) {
		r->accepts[n->value] |= bit;
	} else if (n->kind == PATTERN_CLASS) {
		for (i = n->value; i < n->value + n->n; i++) {
			const struct pattern_item *it = &p->items[i];

			if (it->is_property)
				return false;
			for (c = it->lo; c <= it->hi && c < 0x80; c++)
				r->accepts[c] |= bit;
			if (it->hi >= 0x80)
				r->beyond |= bit;
		}
		if (n->not) {
			for (c = 0; c < 0x80; c++)
				r->accepts[c] ^= bit;
			r->beyond |= bit;
		}
	} else {
		return false;
	}
	r->run[r->n++] = (struct run){ n->min, n->max };
	return true;
}

/*
 * Taking all it can is right for a run of varying length only if nothing that
 * may follow would take the same.
 */
static bool
is_definite(const struct runs *r, unsigned i)
{
	unsigned k, c;

	for (k = i + 1; k < r->n && r->run[i].min != r->run[i].max; k++) {
		uint32_t both = 1u << i | 1u << k;

		if ((r->beyond & both) == both)
			return false;
		for (c = 0; c < 0x80; c++)
			if ((r->accepts[c] & both) == both)
				return false;
		if (r->run[k].min > 0)
			break;
	}
	return true;
}

/* The pattern as runs, or NULL. */
static struct runs *
simplify(const struct pattern *p)
{
	const struct pattern_node *n = p->nodes;
	struct runs *r;
	uint32_t i = 2; /* behind the root and its first branch */
	unsigned k;

	if (has_alternatives(p, 0) || i == p->n_nodes ||
	    n[i].kind != PATTERN_START || n[i].lines)
		return NULL;
	r = alloc_zero(1, sizeof(*r));
	for (i++; i < p->n_nodes; i++) {
		r->to_end = n[i].kind == PATTERN_END && !n[i].lines &&
		    i + 1 == p->n_nodes;
		if (!r->to_end && !add_run(r, p, &n[i]))
			goto not;
	}
	for (k = 0; k < r->n; k++)
		if (!is_definite(r, k))
			goto not;
	return r;
not:
	free(r);
	return NULL;
}

/* REGEX_LIMIT: it takes more than ASCII to tell. */
static enum regex_result
match_runs(const struct runs *r, struct span text)
{
	const unsigned char *p = (const unsigned char *)text.p;
	const unsigned char *end = p + text.len;
	unsigned i;

	for (i = 0; i < r->n; i++) {
		uint32_t n = 0;

		while (n < r->run[i].max && p < end) {
			if (*p >= 0x80) {
				if (r->beyond >> i & 1)
					return REGEX_LIMIT;
				break;
			}
			if (!(r->accepts[*p] >> i & 1))
				break;
			p++;
			n++;
		}
		if (n < r->run[i].min)
			return REGEX_NO;
	}
	return r->to_end && p < end ? REGEX_NO : REGEX_YES;
}

static int
spend(pcre2_callout_block *b, void *data)
{
	struct budget *budget = data;
	size_t at = b->current_position;

	budget->left -= COST + (b->callout_number ?
	    (int64_t)1 << b->callout_number : 0) +
	    (int64_t)(at > budget->at ? at - budget->at : budget->at - at);
	budget->at = at;
	return budget->left < 0 ? PCRE2_ERROR_CALLOUT : 0;
}

static int
compile(struct regex *r, struct span s, uint32_t options, struct error *e)
{
	PCRE2_UCHAR text[128];
	PCRE2_SIZE at;
	int code;

	r->code = pcre2_compile((PCRE2_SPTR)s.p, s.len,
	    options | PCRE2_UTF | PCRE2_NO_UTF_CHECK |
	        PCRE2_NEVER_BACKSLASH_C |
	        PCRE2_DOLLAR_ENDONLY | PCRE2_ALLOW_EMPTY_CLASS |
	        PCRE2_MATCH_UNSET_BACKREF, &code, &at, NULL);
	if (!r->code) {
		pcre2_get_error_message(code, text, sizeof(text));
		return error_set(e, "pattern: not supported by PCRE2: %s",
		    (char *)text);
	}
	r->data = pcre2_match_data_create(1, NULL);
	r->context = pcre2_match_context_create(NULL);
	if (!r->data || !r->context)
		return error_set(e, "pattern: out of memory");
	pcre2_set_callout(r->context, spend, &r->budget);
	pcre2_set_match_limit(r->context, UINT32_MAX);
	pcre2_set_heap_limit(r->context, MEMORY_KIB);
	return 0;
}

static bool names_are_good(const struct pattern *);

struct regex *
regex_compile(struct span pattern, struct error *e)
{
	struct pattern p = { 0 };
	struct translator t = { .p = &p, .e = e };
	struct regex *r = NULL;

	if (pattern_read(&p, pattern, e) < 0)
		goto out;
	if (!names_are_good(&p)) {
		error_set(e, "pattern: a group's name that is none");
		goto out;
	}
	if (p.ignores_case) {
		error_set(e, "pattern: not supported: (?i:...)");
		goto out;
	}
	t.number = alloc_zero(p.n_groups + 1, sizeof(t.number[0]));
	if (number_groups(&t) < 0 || put_branches(&t, 0, 1) < 0)
		goto out;
	r = alloc_zero(1, sizeof(*r));
	if (compile(r, buf_bytes(&t.out), t.options, e) < 0) {
		regex_free(r);
		r = NULL;
		goto out;
	}
	r->anything = matches_anything(&p);
	r->runs = simplify(&p);
out:
	free(t.number);
	buf_clear(&t.out);
	pattern_clear(&p);
	return r;
}

void
regex_free(struct regex *r)
{
	if (!r)
		return;
	free(r->runs);
	pcre2_match_context_free(r->context);
	pcre2_match_data_free(r->data);
	pcre2_code_free(r->code);
	free(r);
}

/* Once more with a larger stack, which few texts need. */
static int
match_deep(struct regex *r, struct span text)
{
	pcre2_jit_stack *stack = pcre2_jit_stack_create(STACK_BYTES,
	    MEMORY_KIB * 1024, NULL);
	int n = PCRE2_ERROR_JIT_STACKLIMIT;

	if (stack) {
		pcre2_jit_stack_assign(r->context, NULL, stack);
		n = pcre2_jit_match(r->code, (PCRE2_SPTR)text.p, text.len, 0,
		    PCRE2_NO_UTF_CHECK, r->data, r->context);
		pcre2_jit_stack_assign(r->context, NULL, NULL);
		pcre2_jit_stack_free(stack);
	}
	return n;
}

enum regex_result
regex_match(struct regex *r, struct span text, int64_t *work)
{
	enum regex_result result;
	int n;

	if (r->anything)
		return REGEX_YES;
	if (r->runs) {
		result = match_runs(r->runs, text);
		if (result != REGEX_LIMIT)
			return result;
	}
	if (!r->tried) {
		/* Without JIT (a hardened kernel) the interpreter does it. */
		r->jit = pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE) == 0;
		r->tried = true;
	}
	r->budget = (struct budget){ *work, 0 };
	if (r->jit) {
		n = pcre2_jit_match(r->code, (PCRE2_SPTR)text.p, text.len, 0,
		    PCRE2_NO_UTF_CHECK, r->data, r->context);
		if (n == PCRE2_ERROR_JIT_STACKLIMIT)
			n = match_deep(r, text);
	} else {
		n = pcre2_match(r->code, (PCRE2_SPTR)text.p, text.len, 0,
		    PCRE2_NO_UTF_CHECK, r->data, r->context);
	}
	*work = r->budget.left;
	if (n == PCRE2_ERROR_NOMATCH)
		return REGEX_NO;
	return n < 0 ? REGEX_LIMIT : REGEX_YES;
}

/* RegExpIdentifierName, whose ASCII the parser has checked (22.2.1). */
static bool
names_are_good(const struct pattern *p)
{
	int64_t work = REGEX_WORK;
	struct regex *r;
	struct error e;
	bool good = true;
	size_t i;

	if (!p->odd_names)
		return true;
	r = regex_compile(SPAN("^[$_\\p{ID_Start}]"
	    "[$_\\u200c\\u200d\\p{ID_Continue}]*$"), &e);
	for (i = 0; i < p->n_groups; i++)
		if (p->groups[i].name.p)
			good = good && r && regex_match(r,
			    p->groups[i].name, &work) == REGEX_YES;
	regex_free(r);
	return good;
}

bool
regex_is_valid(struct span pattern)
{
	struct pattern p = { 0 };
	struct error e;
	bool valid = pattern_read(&p, pattern, &e) == 0 && names_are_good(&p);

	pattern_clear(&p);
	return valid;
}
