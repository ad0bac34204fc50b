/*
 * Regular expressions, read by recursive descent along the grammar of
 * ECMA-262, 22.2.1, as it is with the flag u: what the annex B allows without
 * it ("\a", "a{", "]") is an error.
 */
#include "json/pattern.h"

#include "base/alloc.h"
#include "base/utf8.h"

enum { MAX_CODE_POINT = 0x10ffff };

struct range {
	uint32_t lo, hi;
};

/* 22.2.2.9: what \d, \w (both ASCII without the flag i) and \s stand for. */
static const struct range digits[] = { { '0', '9' } };
static const struct range words[] = { { '0', '9' }, { 'A', 'Z' }, { '_', '_' },
	{ 'a', 'z' } };
static const struct range spaces[] = { { '\t', '\r' }, { ' ', ' ' },
	{ 0xa0, 0xa0 }, { 0x1680, 0x1680 }, { 0x2000, 0x200a },
	{ 0x2028, 0x2029 }, { 0x202f, 0x202f }, { 0x205f, 0x205f },
	{ 0x3000, 0x3000 }, { 0xfeff, 0xfeff } };
static const struct range line_ends[] = { { '\n', '\n' }, { '\r', '\r' },
	{ 0x2028, 0x2029 } };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct parser {
	struct pattern *p;
	struct span s;
	size_t i; /* the next byte */
	unsigned depth;
	bool lines, dots; /* the flags m and s where we are */
	struct error *e;
};

static int
bad(struct parser *r, size_t at, const char *what)
{
	return error_set(r->e, "pattern: %s at offset %zu", what, at);
}

/* The byte n further on; NUL at the end (a NUL itself is a plain character). */
static char
peek(const struct parser *r, size_t n)
{
	return r->i + n < r->s.len ? r->s.p[r->i + n] : '\0';
}

static bool
more(const struct parser *r)
{
	return r->i < r->s.len;
}

static bool
one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

static bool
digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The code point here, passed over. */
static uint32_t
take(struct parser *r)
{
	const char *at = r->s.p + r->i;
	size_t n = utf8_len(at, r->s.len - r->i);

	r->i += n;
	return utf8_decode(at, n);
}

static uint32_t
add_node(struct parser *r, enum pattern_kind kind, uint32_t parent)
{
	struct pattern *p = r->p;
	uint32_t at = (uint32_t)p->n_nodes;

	p->nodes = alloc_grow(p->nodes, &p->nodes_cap, p->n_nodes + 1,
	    sizeof(p->nodes[0]));
	p->nodes[p->n_nodes++] = (struct pattern_node){ .kind = kind,
		.min = 1, .max = 1, .parent = parent, .next = at + 1,
		.value = (uint32_t)p->n_items, .at = (uint32_t)r->i };
	return at;
}

/* The sum of a and n times b, cut to PATTERN_MANY. */
static uint32_t
add_times(uint32_t a, uint32_t b, uint32_t n)
{
	uint64_t sum = (uint64_t)b * n + a;

	return sum < PATTERN_MANY ? (uint32_t)sum : PATTERN_MANY;
}

/* All below the node is there: note where it ends and how wide it is. */
static void
close_node(struct parser *r, uint32_t at)
{
	struct pattern_node *nodes = r->p->nodes, *n = &nodes[at];
	uint32_t i;

	n->next = (uint32_t)r->p->n_nodes;
	if (n->kind == PATTERN_CHAR || n->kind == PATTERN_CLASS)
		n->least = n->most = 1;
	else if (n->kind == PATTERN_REFERENCE)
		n->most = PATTERN_MANY;
	else if (n->kind == PATTERN_GROUP)
		n->least = PATTERN_MANY;
	for (i = at + 1; i < n->next; i = nodes[i].next) {
		const struct pattern_node *sub = &nodes[i];

		if (n->kind == PATTERN_BRANCH) {
			n->least = add_times(n->least, sub->least, sub->min);
			n->most = add_times(n->most, sub->most, sub->max);
		} else if (n->kind == PATTERN_GROUP) {
			if (sub->least < n->least)
				n->least = sub->least;
			if (sub->most > n->most)
				n->most = sub->most;
		}
	}
}

static struct pattern_item *
add_item(struct parser *r, uint32_t node, uint32_t lo, uint32_t hi)
{
	struct pattern *p = r->p;

	p->items = alloc_grow(p->items, &p->items_cap, p->n_items + 1,
	    sizeof(p->items[0]));
	p->items[p->n_items] = (struct pattern_item){ .lo = lo, .hi = hi };
	p->nodes[node].n++;
	return &p->items[p->n_items++];
}

/* Add sorted ranges, or all that they leave out. */
static void
add_ranges(struct parser *r, uint32_t node, const struct range *ranges,
    size_t n, bool not)
{
	uint32_t lo = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		if (!not)
			add_item(r, node, ranges[i].lo, ranges[i].hi);
		else if (ranges[i].lo > lo)
			add_item(r, node, lo, ranges[i].lo - 1);
		lo = ranges[i].hi + 1;
	}
	if (not)
		add_item(r, node, lo, MAX_CODE_POINT);
}

/* \p{…} and \P{…}, of which the letter has been passed. */
static int
add_property(struct parser *r, uint32_t node, bool not)
{
	struct pattern_item *item;
	struct property property;
	size_t n, at = r->i - 2;
	bool found;

	if (peek(r, 0) != '{')
		return bad(r, at, "a property without {…}");
	for (n = 1; digit(peek(r, n)) || letter(peek(r, n)) ||
	    one_of(peek(r, n), "_="); n++)
		continue;
	found = peek(r, n) == '}' && property_find(
	    (struct span){ r->s.p + r->i + 1, n - 1 }, &property);
	if (!found)
		return bad(r, at, "a property that ECMA-262 does not know");
	r->i += n + 1;
	item = add_item(r, node, 0, 0);
	item->is_property = true;
	item->not = not != property.not;
	item->property = property;
	return 0;
}

/* Is the escape at the backslash a class of its own (\d, \P{L}, …)? */
static bool
is_class_escape(const struct parser *r)
{
	return peek(r, 0) == '\\' && one_of(peek(r, 1), "dDsSwWpP");
}

static int
add_class_escape(struct parser *r, uint32_t node)
{
	char c = peek(r, 1);

	r->i += 2;
	switch (c) {
	case 'd':
	case 'D':
		add_ranges(r, node, digits, COUNT(digits), c == 'D');
		return 0;
	case 's':
	case 'S':
		add_ranges(r, node, spaces, COUNT(spaces), c == 'S');
		return 0;
	case 'w':
	case 'W':
		add_ranges(r, node, words, COUNT(words), c == 'W');
		return 0;
	default:
		return add_property(r, node, c == 'P');
	}
}

/* n hex digits from `from` on; false if they are not all there. */
static bool
hex(const struct parser *r, size_t from, size_t n, uint32_t *value)
{
	size_t i;

	*value = 0;
	for (i = from; i < from + n; i++) {
		char c = peek(r, i);

		if (digit(c))
			*value = *value << 4 | (uint32_t)(c - '0');
		else if (letter(c) && (c | 0x20) <= 'f')
			*value = *value << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return false;
	}
	return true;
}

/* RegExpUnicodeEscapeSequence, of which the backslash is next. */
static int
unicode_escape(struct parser *r, uint32_t *c)
{
	size_t at = r->i, n;
	uint32_t low, digit_value;

	r->i += 2;
	if (hex(r, 0, 4, c)) {
		r->i += 4;
		if (*c >= 0xd800 && *c < 0xdc00 && peek(r, 0) == '\\' &&
		    peek(r, 1) == 'u' && hex(r, 2, 4, &low) &&
		    low >= 0xdc00 && low < 0xe000) {
			*c = 0x10000 + ((*c - 0xd800) << 10) + (low - 0xdc00);
			r->i += 6;
		}
		return 0;
	}
	*c = 0;
	for (n = 1; *c <= MAX_CODE_POINT && hex(r, n, 1, &digit_value); n++)
		*c = *c << 4 | digit_value;
	if (peek(r, 0) != '{' || n == 1 || peek(r, n) != '}' ||
	    *c > MAX_CODE_POINT)
		return bad(r, at, "a \\u that is no code point");
	r->i += n + 1;
	return 0;
}

/* CharacterEscape, of which the backslash is next. */
static int
char_escape(struct parser *r, uint32_t *c)
{
	static const char letters[] = "fnrtv", controls[] = "\f\n\r\t\v";
	char e = peek(r, 1);
	size_t at = r->i;

	if (e == 'u')
		return unicode_escape(r, c);
	if (one_of(e, letters)) {
		*c = (uint32_t)controls[strchr(letters, e) - letters];
	} else if (e == '0' && !digit(peek(r, 2))) {
		*c = 0;
	} else if (e == 'c' && letter(peek(r, 2))) {
		*c = (uint32_t)peek(r, 2) & 31;
		r->i++;
	} else if (e == 'x' && hex(r, 2, 2, c)) {
		r->i += 2;
	} else if (one_of(e, "^$\\.*+?()[]{}|/")) {
		*c = (uint32_t)e;
	} else {
		return bad(r, at, r->i + 1 < r->s.len ? "an escape that "
		    "ECMA-262 does not know" : "a backslash");
	}
	r->i += 2;
	return 0;
}

/* ClassAtom: a code point, or *set and the class was added. */
static int
class_atom(struct parser *r, uint32_t node, uint32_t *c, bool *set)
{
	*set = is_class_escape(r);
	if (*set)
		return add_class_escape(r, node);
	if (peek(r, 0) != '\\') {
		*c = take(r);
		return 0;
	}
	if (peek(r, 1) != 'b' && peek(r, 1) != '-')
		return char_escape(r, c);
	*c = peek(r, 1) == 'b' ? '\b' : '-';
	r->i += 2;
	return 0;
}

static int
class(struct parser *r, uint32_t node)
{
	size_t start = r->i++;
	uint32_t lo = 0, hi = 0;
	bool set, set_too;

	if (peek(r, 0) == '^') {
		r->p->nodes[node].not = true;
		r->i++;
	}
	while (more(r) && peek(r, 0) != ']') {
		size_t at = r->i;

		if (class_atom(r, node, &lo, &set) < 0)
			return -1;
		hi = lo;
		if (peek(r, 0) == '-' && r->i + 1 < r->s.len &&
		    peek(r, 1) != ']') {
			r->i++;
			if (class_atom(r, node, &hi, &set_too) < 0)
				return -1;
			if (set || set_too)
				return bad(r, at, "a range of classes");
			if (lo > hi)
				return bad(r, at, "a range out of order");
		}
		if (!set)
			add_item(r, node, lo, hi);
	}
	if (!more(r))
		return bad(r, start, "a class that is not closed");
	r->i++;
	return 0;
}

/* Digits as a number, cut to PATTERN_MANY. */
static uint32_t
number(struct parser *r)
{
	uint64_t n = 0;

	for (; digit(peek(r, 0)); r->i++)
		if (n < PATTERN_MANY)
			n = n * 10 + (uint64_t)(peek(r, 0) - '0');
	return n < PATTERN_MANY ? (uint32_t)n : PATTERN_MANY;
}

static int
quantifier(struct parser *r, uint32_t node)
{
	struct pattern_node *n = &r->p->nodes[node];
	size_t at = r->i;
	char c = peek(r, 0);

	if (!one_of(c, "*+?{"))
		return 0;
	r->i++;
	n->min = c == '+';
	n->max = c == '?' ? 1 : PATTERN_MANY;
	if (c == '{') {
		if (!digit(peek(r, 0)))
			return bad(r, at, "a quantifier without a number");
		n->min = n->max = number(r);
		if (peek(r, 0) == ',') {
			r->i++;
			n->max = digit(peek(r, 0)) ? number(r) : PATTERN_MANY;
		}
		if (peek(r, 0) != '}')
			return bad(r, at, "a quantifier that is not closed");
		r->i++;
		if (n->min > n->max)
			return bad(r, at, "a quantifier out of order");
	}
	if (peek(r, 0) == '?') {
		n->lazy = true;
		r->i++;
	}
	return 0;
}

/* "<name>": add the name, unescaped, to what is known of names. */
static int
group_name(struct parser *r, struct span *name)
{
	struct buf *names = &r->p->names;
	size_t at = r->i++, start = names->len;

	while (more(r) && peek(r, 0) != '>') {
		uint32_t c;
		char utf8[4];

		if (peek(r, 0) != '\\')
			c = take(r);
		else if (peek(r, 1) != 'u')
			return bad(r, r->i, "an escape in a group's name");
		else if (unicode_escape(r, &c) < 0)
			return -1;
		if (c < 0x80 ? c != '$' && c != '_' && !letter((char)c) &&
		    (!digit((char)c) || names->len == start) :
		    c >= 0xd800 && c < 0xe000)
			return bad(r, at, "a group's name that is none");
		r->p->odd_names |= c >= 0x80;
		buf_add(names, utf8, utf8_encode(c, utf8));
	}
	if (!more(r) || names->len == start)
		return bad(r, at, "a group's name that is none");
	r->i++;
	*name = (struct span){ names->p + start, names->len - start };
	return 0;
}

static int
add_group(struct parser *r, uint32_t node, struct span name)
{
	struct pattern *p = r->p;
	size_t i;

	if (p->n_groups == PATTERN_GROUPS)
		return bad(r, p->nodes[node].at, "too many groups");
	for (i = 0; name.p && i < p->n_groups; i++)
		if (!p->groups[i].hidden && span_eq(p->groups[i].name, name))
			return bad(r, p->nodes[node].at,
			    "a second group of this name");
	p->groups = alloc_grow(p->groups, &p->groups_cap, p->n_groups + 1,
	    sizeof(p->groups[0]));
	p->groups[p->n_groups++] = (struct pattern_group){ node, name, false };
	p->nodes[node].value = (uint32_t)p->n_groups;
	return 0;
}

/* "(?ims-ims:": what stands between "(?" and ":". */
static int
modifiers(struct parser *r)
{
	static const char flags[] = "ims";
	unsigned on = 0, off = 0, *set = &on;
	size_t at = r->i;

	for (r->i += 2; peek(r, 0) != ':'; r->i++) {
		char c = peek(r, 0);
		unsigned bit;

		if (c == '-' && set == &on) {
			set = &off;
			continue;
		}
		if (!one_of(c, flags))
			return bad(r, at, "a (?…) that ECMA-262 does not know");
		bit = 1u << (strchr(flags, c) - flags);
		if ((on | off) & bit)
			return bad(r, at, "the same modifier twice");
		*set |= bit;
	}
	if (!(on | off))
		return bad(r, at, "no modifiers");
	r->i++;
	r->p->ignores_case |= on & 1;
	r->lines = (r->lines || (on & 2)) && !(off & 2);
	r->dots = (r->dots || (on & 4)) && !(off & 4);
	return 0;
}

/* What a "(" begins, up to its content. */
static int
open_group(struct parser *r, uint32_t node)
{
	struct pattern_node *n = &r->p->nodes[node];
	struct span name = { NULL, 0 };
	bool behind;

	n->kind = PATTERN_GROUP;
	n->value = 0; /* no number */
	if (peek(r, 1) != '?') {
		r->i++;
		return add_group(r, node, name);
	}
	behind = peek(r, 2) == '<' && one_of(peek(r, 3), "=!");
	if (behind || one_of(peek(r, 2), "=!")) {
		n->kind = PATTERN_LOOK;
		n->behind = behind;
		n->not = peek(r, behind ? 3 : 2) == '!';
		r->i += behind ? 4 : 3;
		return 0;
	}
	if (peek(r, 2) == '<') {
		r->i += 2;
		return group_name(r, &name) < 0 ? -1 : add_group(r, node, name);
	}
	if (peek(r, 2) != ':')
		return modifiers(r);
	r->i += 3;
	return 0;
}

static int term(struct parser *, uint32_t branch);

/*
 * Alternatives up to a ")" or the end. Two groups may have a name in common if
 * they are in different ones: those of the others are out of sight meanwhile.
 */
static int
branches(struct parser *r, uint32_t parent)
{
	struct pattern *p = r->p;
	size_t mark = p->n_groups, i;

	for (;; r->i++) {
		uint32_t branch = add_node(r, PATTERN_BRANCH, parent);

		while (more(r) && !one_of(peek(r, 0), "|)"))
			if (term(r, branch) < 0)
				return -1;
		close_node(r, branch);
		if (peek(r, 0) != '|')
			break;
		for (i = mark; i < p->n_groups; i++)
			p->groups[i].hidden = true;
	}
	for (i = mark; i < p->n_groups; i++)
		p->groups[i].hidden = false;
	return 0;
}

static int
group(struct parser *r, uint32_t node)
{
	bool lines = r->lines, dots = r->dots;
	size_t at = r->i;

	if (r->depth++ == PATTERN_DEPTH)
		return bad(r, at, "groups nested too deep");
	if (open_group(r, node) < 0 || branches(r, node) < 0)
		return -1;
	if (!more(r))
		return bad(r, at, "a group that is not closed");
	r->i++;
	r->depth--;
	r->lines = lines;
	r->dots = dots;
	return 0;
}

/* A backslash outside of classes. */
static int
escape(struct parser *r, uint32_t node)
{
	struct pattern_node *n = &r->p->nodes[node];
	struct span name;
	char c = peek(r, 1);

	if (is_class_escape(r)) {
		n->kind = PATTERN_CLASS;
		return add_class_escape(r, node);
	}
	if (c == 'b' || c == 'B') {
		n->kind = PATTERN_BOUNDARY;
		n->not = c == 'B';
		r->i += 2;
		return 0;
	}
	if (digit(c) && c != '0') {
		n->kind = PATTERN_REFERENCE;
		r->i++;
		n->value = number(r);
		return 0;
	}
	if (c == 'k') {
		n->kind = PATTERN_REFERENCE;
		r->i += 2;
		if (peek(r, 0) != '<')
			return bad(r, n->at, "a \\k without a name");
		if (group_name(r, &name) < 0)
			return -1;
		/* Its place among the names, until all groups are known. */
		n->value = (uint32_t)(name.p - r->p->names.p);
		n->n = (uint32_t)name.len;
		return 0;
	}
	n->kind = PATTERN_CHAR;
	return char_escape(r, &n->value);
}

static int
term(struct parser *r, uint32_t branch)
{
	uint32_t node = add_node(r, PATTERN_CHAR, branch);
	struct pattern_node *n = &r->p->nodes[node];
	int code = 0;

	switch (peek(r, 0)) {
	case '^':
	case '$':
		n->kind = peek(r, 0) == '^' ? PATTERN_START : PATTERN_END;
		n->lines = r->lines;
		r->i++;
		break;
	case '.':
		n->kind = PATTERN_CLASS;
		n->not = true;
		if (!r->dots)
			add_ranges(r, node, line_ends, COUNT(line_ends), false);
		r->i++;
		break;
	case '[':
		n->kind = PATTERN_CLASS;
		code = class(r, node);
		break;
	case '(':
		code = group(r, node);
		break;
	case '\\':
		code = escape(r, node);
		break;
	case '*':
	case '+':
	case '?':
	case '{':
		return bad(r, r->i, "nothing to repeat");
	case ']':
	case '}':
		return bad(r, r->i, "a bracket that closes nothing");
	default:
		n->value = take(r);
	}
	if (code < 0)
		return -1;
	close_node(r, node);
	n = &r->p->nodes[node]; /* it may have moved */
	return n->kind <= PATTERN_REFERENCE && n->kind != PATTERN_LOOK ?
	    quantifier(r, node) : 0;
}

/* Find the groups that are referred to, now that all are known. */
static int
resolve(struct parser *r)
{
	struct pattern *p = r->p;
	size_t i, k;

	for (i = 0; i < p->n_nodes; i++) {
		struct pattern_node *n = &p->nodes[i];
		struct span name = { p->names.p + n->value, n->n };

		if (n->kind != PATTERN_REFERENCE)
			continue;
		if (n->n) {
			for (k = 0; k < p->n_groups && (!p->groups[k].name.p ||
			    !span_eq(p->groups[k].name, name)); k++)
				continue;
			n->value = (uint32_t)k + 1;
			n->n = 0;
		}
		if (n->value > p->n_groups)
			return bad(r, n->at, "a reference to no group");
	}
	return 0;
}

int
pattern_read(struct pattern *p, struct span text, struct error *e)
{
	struct parser r = { .p = p, .s = text, .e = e };
	uint32_t root;

	if (text.len > PATTERN_BYTES)
		return error_set(e, "pattern: longer than %d bytes",
		    PATTERN_BYTES);
	if (!utf8_valid(text))
		return error_set(e, "pattern: not UTF-8");
	/* Names are never longer than their text: they will not move. */
	(void)buf_room(&p->names, text.len);
	root = add_node(&r, PATTERN_GROUP, 0);
	p->nodes[root].value = 0;
	if (branches(&r, root) < 0)
		return -1;
	if (more(&r))
		return bad(&r, r.i, "a bracket that closes nothing");
	close_node(&r, root);
	return resolve(&r);
}

void
pattern_clear(struct pattern *p)
{
	free(p->nodes);
	free(p->items);
	free(p->groups);
	buf_clear(&p->names);
	*p = (struct pattern){ 0 };
}
