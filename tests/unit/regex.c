/*
 * Regular expressions: pattern, text, verdict. The verdicts are ECMA-262's, as
 * V8 and QuickJS gave them; rows that PCRE2 alone would get wrong, and what a
 * differential run over random patterns brought up.
 */
#include "json/regex.h"

#include "base/buf.h"

enum want {
	N, /* does not match */
	Y, /* matches */
	E, /* is no regular expression */
	U  /* is one, but refused */
};

static enum regex_result
match(struct regex *r, struct span text)
{
	int64_t work = REGEX_WORK;

	return regex_match(r, text, &work);
}

static const struct {
	const char *pattern, *text;
	enum want want;
} cases[] = {
	/* Where the two dialects' escapes differ. */
	{ "^\\d$", "7", Y }, { "^\\d$", "\xd9\xa3", N },
	{ "^\\D$", "\xd9\xa3", Y }, { "^\\w$", "_", Y },
	{ "^\\w$", "\xc3\xa9", N }, { "^\\w$", "\xc5\xbf", N },
	{ "^\\W$", "\xc3\xa9", Y }, { "^\\s$", "\xc2\xa0", Y },
	{ "^\\s$", "\xef\xbb\xbf", Y }, { "^\\s$", "\xe2\x80\xa8", Y },
	{ "^\\s$", "\xe1\x9a\x80", Y }, { "^\\s$", "\xe1\xa0\x8e", N },
	{ "^\\s$", "\xc2\x85", N }, { "^\\s$", "\v", Y },
	{ "^\\S$", "\xc2\xa0", N }, { "^\\S$", "\xc2\x85", Y },
	{ "^[\\s]$", "\xe3\x80\x80", Y }, { "^[^\\s]$", "\xe3\x80\x80", N },
	{ "^[\\S]$", "\xe3\x80\x80", N }, { "^[\\S\\n]$", "\n", Y },
	{ "^[^\\S]$", "\t", Y }, { "^[\\W\\d]+$", "1\xc3\xa9", Y },
	{ "^[^\\W_]$", "_", N }, { "\\bx\\b", "\xc3\xa9x\xc3\xa9", Y },
	{ "\\bx\\b", "axa", N }, { "\\Bx", "ax", Y },
	{ "\\B", "B\xf0\x9f\x98\x80" "B", N }, /* V8 looks inside the pair */
	{ "^[\\b]$", "\b", Y }, { "[\\B]", "", E },
	{ "^\\f\\n\\r\\t\\v$", "\f\n\r\t\v", Y }, { "^\\cJ\\cj$", "\n\n", Y },
	{ "^\\x41\\u0042\\u{43}\\u{0000000044}$", "ABCD", Y },
	{ "^\\ud83d\\ude00$", "\xf0\x9f\x98\x80", Y },
	{ "^\\u{1F600}$", "\xf0\x9f\x98\x80", Y },
	{ "\\ud83d", "\xf0\x9f\x98\x80", N },
	{ "\\u{d83d}\\u{de00}", "\xf0\x9f\x98\x80", N },
	{ "^\\ud83d*$", "", Y }, { "^[\\ud83d]?a$", "a", Y },
	{ "^[^\\ud83d]$", "\xf0\x9f\x98\x80", Y },
	{ "^[\\ud000-\\uffff]$", "\xee\x80\x80", Y },
	{ "^[\\udc00-\\ue000]$", "\xee\x80\x80", Y },
	{ "[\\ud800-\\udfff]", "\xf0\x9f\x98\x80", N },
	{ "[\\udc00-\\ud83d]", "", E }, { "^\\/\\^\\$\\.\\*$", "/^$.*", Y },
	{ "^\\[\\]\\{\\}\\(\\)\\|\\\\\\+\\?$", "[]{}()|\\+?", Y },
	{ "^[\\-\\]]+$", "-]", Y },
	/* "." and the ends. */
	{ "^.$", "\n", N }, { "^.$", "\r", N }, { "^.$", "\xe2\x80\xa8", N },
	{ "^.$", "\xe2\x80\xa9", N }, { "^.$", "\xc2\x85", Y },
	{ "^.$", "\v", Y }, { "^.$", "\xf0\x9f\x98\x80", Y },
	{ "^a$", "a\n", N }, { "a$", "b\na", Y }, { "^b$", "a\nb", N },
	{ "", "", Y }, { "", "a", Y }, { "^", "a", Y }, { "^$", "a", N },
	{ "a^", "a", N }, { "(?:^a|b)*c", "xbc", Y },
	{ "(?s:^.$)", "\n", Y }, { "(?s:(?-s:.))", "\n", N },
	{ "(?m:^b$)", "a\nb\r", Y }, { "(?m:^b$)", "a\xe2\x80\xa8" "b", Y },
	{ "(?m:^b$)", "a\xc2\x85" "b", N }, { "(?m:a)$", "a\n", N },
	{ "(?ms:^.$)|x(?-m:$)", "a\n\n", Y }, { "(?i:a)", "", U },
	/* Classes. */
	{ "[]", "a", N }, { "a[]*b", "ab", Y }, { "a[]?b", "ab", Y },
	{ "^[^]$", "\n", Y }, { "^[^]$", "\xf0\x9f\x98\x80", Y },
	{ "^[a-]+$", "a-", Y }, { "^[-a]+$", "-a", Y },
	{ "^[+--]+$", "+,-", Y }, { "^[[a]+$", "[a", Y },
	{ "^[[:alpha:]]$", "a]", E }, { "^[[:alpha:]+$", ":alp", Y },
	{ "^[&&^a]+$", "&^", Y }, { "^[a\\-z]$", "b", N },
	{ "^[\xf0\x9f\x98\x80-\xf0\x9f\x98\x82]$", "\xf0\x9f\x98\x81", Y },
	{ "^[\\u{0}-\\u{10FFFF}]$", "\xf4\x8f\xbf\xbf", Y },
	{ "^[^a\xc3\xa9]$", "\xc3\xa9", N }, { "^[.*$]+$", ".*$", Y },
	{ "[b-a]", "", E }, { "[\\d-z]", "", E }, { "[a-\\d]", "", E },
	{ "[\\d-]", "-", Y }, { "[a", "", E }, { "[", "", E }, { "[a-", "", E },
	{ "]", "", E },
	/* Properties, by exact names. */
	{ "^\\p{Letter}+$", "a\xc3\xa9\xe4\xb8\xad", Y },
	{ "^\\p{L}$", "1", N }, { "^\\P{L}$", "1", Y },
	{ "^\\p{General_Category=Decimal_Number}$", "\xd9\xa3", Y },
	{ "^\\p{gc=digit}$", "\xd9\xa3", Y }, { "^\\p{digit}$", "3", Y },
	{ "^\\p{LC}$", "\xc7\x85", Y }, { "^[\\p{Lu}\\d]+$", "A1", Y },
	{ "^[^\\p{Lu}]$", "A", N }, { "^[\\P{Lu}]$", "a", Y },
	{ "^\\p{Script=Greek}$", "\xce\xb1", Y },
	{ "^\\p{sc=Grek}$", "\xce\xb1", Y }, { "^\\p{sc=Latin}$", "\xce\xb1", N },
	{ "^\\p{scx=Deva}$", "\xe0\xa5\xa4", Y },
	{ "^\\p{sc=Deva}$", "\xe0\xa5\xa4", N },
	{ "^\\p{Script_Extensions=Devanagari}$", "\xe0\xa5\xa4", Y },
	{ "^\\p{Alphabetic}$", "\xc2\xaa", Y }, { "^\\p{Any}$", "\n", Y },
	{ "^\\p{ASCII}$", "\xc3\xa9", N }, { "^\\p{Assigned}$", "a", Y },
	{ "^\\p{Assigned}$", "\xcd\xb8", N }, { "^\\P{Assigned}$", "\xcd\xb8", Y },
	{ "^\\p{White_Space}$", "\xc2\x85", Y }, { "^\\p{space}$", " ", Y },
	{ "^\\p{Emoji}$", "\xf0\x9f\x98\x80", Y }, { "^\\p{Cn}$", "\xcd\xb8", Y },
	{ "\\p{CWKCF}", "", U }, { "\\p{Greek}", "", E },
	{ "\\p{letter}", "", E }, { "\\p{lu}", "", E }, { "\\p{L&}", "", E },
	{ "\\p{ L}", "", E }, { "\\p{^L}", "", E }, { "\\p{IsGreek}", "", E },
	{ "\\p{Script=greek}", "", E }, { "\\p{gc=}", "", E },
	{ "\\p{=L}", "", E }, { "\\p{Basic_Emoji}", "", E }, { "\\pL", "", E },
	{ "\\p", "", E }, { "\\p{L", "", E }, { "[\\p{Foo}]", "", E },
	/* Quantifiers. */
	{ "^a{2}$", "aa", Y }, { "^a{2,}$", "aaa", Y }, { "^a{2,3}$", "a", N },
	{ "^a{0}b$", "b", Y }, { "^a{0}$", "a", N }, { "^a{00,01}$", "a", Y },
	{ "^(?:ab){2,3}?$", "abab", Y }, { "^a*?$", "aa", Y },
	{ "^a{0,99999999999}$", "aa", Y }, { "a{2,1}", "", E },
	{ "a{70000}", "", U }, { "a{0,70000}", "", U },
	{ "a{,3}", "", E }, { "a{", "", E }, { "a{1", "", E }, { "{1}", "", E },
	{ "a{1,2", "", E }, { "a{1 }", "", E }, { "}", "", E }, { "a**", "", E },
	{ "a++", "", E }, { "a?+", "", E }, { "a{1}+", "", E }, { "*", "", E },
	{ "^*", "", E }, { "\\b+", "", E }, { "(?=a)*", "", E },
	{ "(?<=a)?", "", E }, { "a|*", "", E }, { "(+)", "", E },
	/* Groups and looking around. */
	{ "^(?:a|b|)c$", "c", Y }, { "^(?<n>a)\\k<n>$", "aa", Y },
	{ "^(?=a)(?!ab)a", "ac", Y }, { "^(?=a)(?!ab)a", "ab", N },
	{ "(?<=a)b", "ab", Y }, { "(?<!a)b", "ab", N }, { "(?<=a|bc)d", "bcd", Y },
	{ "(?<=\\ud83d\\ude00)a", "\xf0\x9f\x98\x80" "a", Y },
	{ "(?<=^a{2})b", "aab", Y }, { "(?<=a+)b", "", U },
	{ "(?<=a{1,2})b", "", U }, { "(?<=(?:a|b{2})c)b", "", U },
	{ "(?<=(?:ab|b{2})c)b", "bbcb", Y }, { "(?<=)a", "a", Y },
	{ "(?=b)b?b", "b", Y }, /* start optimisation of PCRE2 10.42 */
	{ "(?=ba{0,2}$)b?b", "xb", Y }, { "(", "", E }, { ")", "", E },
	{ "(?", "", E }, { "(?:", "", E }, { "(?a)", "", E }, { "(?i)", "", E },
	{ "(?>a)", "", E }, { "(?|a)", "", E }, { "(?#a)", "", E },
	{ "(?P<n>a)", "", E }, { "(?R)", "", E }, { "(?1)", "", E },
	{ "(*ACCEPT)", "", E }, { "(*UTF)a", "", E }, { "(?-:a)", "", E },
	{ "(?ss:a)", "", E }, { "(?s-s:a)", "", E }, { "(?s", "", E },
	{ "(?<>a)", "", E }, { "(?<1>a)", "", E }, { "(?<a", "", E },
	{ "(?<a.>b)", "", E }, { "(?<a>b)(?<a>c)", "", E },
	{ "(?<a>(?<a>b))", "", E }, { "(?:(?<a>b)|c)(?<a>d)", "", E },
	{ "^(?:(?<a>b)|(?<a>c))\\k<a>$", "cc", Y },
	{ "^(?:(?<a>b)|(?<a>c))\\k<a>$", "cb", N },
	{ "^(?<$\xc3\xa9\xe2\x80\x8d>a)\\k<$\\u00e9\\u{200d}>$", "aa", Y },
	{ "(?<\xe2\x99\xa5>a)", "", E }, { "(?<a\\u002d>a)", "", E },
	{ "(?<\\x61>a)", "", E }, { "(?<\xf0\x9d\x92\x9c>a)", "a", Y },
	{ "(?<\\ud835\\udc9c>a)", "a", Y }, { "(?<\\ud835>a)", "", E },
	/* References: what the group holds, or nothing. */
	{ "^(a)\\1$", "aa", Y }, { "^(a)?\\1b$", "b", Y },
	{ "^(?:(a)|b)\\1c$", "bc", Y }, { "^\\1(a)$", "a", Y },
	{ "^\\1\xf0\x9f\x98\x80(a)?", "\xf0\x9f\x98\x80", Y }, /* not in V8 */
	{ "^(a\\1)$", "a", Y }, { "^(?:\\1b(a)){2}$", "baba", Y },
	{ "^\\k<n>(?<n>a)$", "a", Y }, { "^(?!(a))\\1b$", "b", Y },
	{ "^(?!(a)\\1)a", "ab", Y }, { "^(?=(a))\\1$", "a", Y },
	{ "^(a){0}\\1b$", "b", Y }, { "^(?:(.)\\1)+$", "aabb", Y },
	{ "^(?:(.)\\1)+$", "aabc", N }, { "^(a|b)+\\1$", "abb", Y },
	{ "^((a)|b)\\2$", "b", Y }, { "^(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)\\10$",
	    "abcdefghijj", Y }, { "^(a)\\1{2}$", "aaa", Y },
	{ "^(?:(a)|b)*\\1$", "ab", U }, /* "ab": empty in ECMA-262 */
	{ "^(?:(a)|b\\1)*$", "aba", U }, { "^(?:(a)?b\\1)*$", "abab", U },
	{ "^(a*)*\\1$", "a", U }, { "^(?:(?=(a)))?\\1b", "ab", U },
	{ "(?<=(a))\\1", "aa", U }, { "(a)(?<=\\1)", "a", U },
	{ "\\1", "", E }, { "(a)\\2", "", E }, { "\\k", "", E },
	{ "(?<a>b)\\k", "", E }, { "\\k<a>", "", E }, { "(?<a>b)\\k<b>", "", E },
	{ "\\8", "", E }, { "(a)\\99999999999", "", E },
	/* What the flag u forbids, and what is PCRE2's alone. */
	{ "\\a", "", E }, { "\\e", "", E }, { "\\h", "", E }, { "\\A", "", E },
	{ "\\Z", "", E }, { "\\z", "", E }, { "\\G", "", E }, { "\\K", "", E },
	{ "\\R", "", E }, { "\\N", "", E }, { "\\X", "", E }, { "\\C", "", E },
	{ "\\Qa\\E", "", E }, { "\\-", "", E }, { "\\_", "", E },
	{ "\\ ", "", E }, { "\\\xc3\xa9", "", E }, { "\\", "", E },
	{ "\\c", "", E }, { "\\c1", "", E }, { "[\\c]", "", E },
	{ "\\00", "", E }, { "\\01", "", E }, { "[\\1]", "", E },
	{ "\\x4", "", E }, { "\\x", "", E }, { "\\u12", "", E },
	{ "\\u{}", "", E }, { "\\u{110000}", "", E }, { "\\u{ 41}", "", E },
	{ "\\u{41", "", E }, { "\\u", "", E }, { "[\\u]", "", E },
	/* As runs, without PCRE2, as long as ASCII can tell. */
	{ "^[A-Z]{6}\\d{2}[A-EHLMPRST]\\d{2}[A-Z]\\d{3}[A-Z]$",
	    "RSSMRA80A01H501U", Y },
	{ "^[A-Z]{6}\\d{2}[A-EHLMPRST]\\d{2}[A-Z]\\d{3}[A-Z]$",
	    "RSSMRA80F01H501U", N },
	{ "^abc", "abcd", Y }, { "^abc", "abd", N }, { "^abc", "ab", N },
	{ "^.{2,3}$", "\xc3\xa9\xc3\xa9", Y }, { "^.{2,3}$", "abcd", N },
	{ "^.{2,3}$", "a\n", N }, { "^[^a]{2}$", "b\xc3\xa9", Y },
	{ "^[a-z]{2}$", "b\xc3\xa9", N }, { "^[a-z]*\xc3\xa9$", "b\xc3\xa9", Y },
	{ "^a{1,2}ab$", "aab", Y }, { "^a*a$", "aaa", Y },
	{ "^a*b*a$", "aaa", Y }, { "^a{0,2}b?c$", "aac", Y },
	{ "^a{0,2}b?$", "aaa", N }, { "^a?b?a?$", "aa", Y },
	{ "^.*b", "aab", Y }, { "^[a-c]+[d-f]*$", "abcf", Y },
	{ "^\\d*[^\\d]x", "12ax", Y }, { "^\\x00$", "", N },
	{ "(?:a|b*)", "zzz", Y }, { ".*", "\n", Y }, { ".+", "\n", N },
};

/* Patterns and texts that repeat a part. */
static const struct {
	const char *pattern; /* "%" stands for part n_parts times */
	const char *part;
	size_t n_parts;
	const char *repeated;
	size_t n_repeated;
	const char *end;
	int want; /* enum regex_result; -1: refused */
} large[] = {
	{ "^(?:a|b)*$", "", 0, "ab", 100000, "", REGEX_YES },
	{ "^(?:\\w+\\s?)*$", "", 0, "word ", 50000, "", REGEX_YES },
	{ "^(?:\\w+\\s?)*$", "", 0, "word ", 50000, "!", REGEX_LIMIT },
	{ "(a+)+$", "", 0, "a", 4194304, "!", REGEX_LIMIT },
	{ "\\s+$", "", 0, " ", 4194304, "x", REGEX_LIMIT },
	{ "a*a*[bc]", "", 0, "a", 4194304, "", REGEX_LIMIT },
	{ "^a*a*a*[bc]", "", 0, "a", 4194304, "", REGEX_LIMIT },
	{ "^(?:a|b)*?a*[cd]", "", 0, "ab", 2097152, "", REGEX_LIMIT },
	{ "[ab]{50000}c", "", 0, "ab", 2097152, "", REGEX_LIMIT },
	{ "^(.*)(.*)(.*)\\1\\2\\3x", "", 0, "a", 4194304, "", REGEX_LIMIT },
	{ "foo\\d+", "", 0, "word foo ", 400000, "", REGEX_NO },
	{ "foo\\d+", "", 0, "word foo ", 400000, "foo1", REGEX_YES },
	{ "%b", "a", 10000, "a", 4194304, "", REGEX_LIMIT },
	{ "^%$", "a", 10000, "a", 10000, "", REGEX_YES },
	{ "%", "(?:a|a)", 40, "a", 4194304, "", REGEX_YES },
	{ "%[bc]", "(?:a|a)", 40, "a", 40, "b", REGEX_YES },
	{ "%[bc]", "(?:a|a)", 40, "a", 40, "", REGEX_NO },
	{ "%[bc]", "(?:a|a)", 40, "a", 41, "", REGEX_LIMIT },
	{ "%$", "(?:", 101, "", 0, "", -1 },
	{ "%$", "a|", 30000, "", 0, "", -1 },
	{ "%$", "()", 1001, "", 0, "", -1 },
	{ "%", "a", 65537, "", 0, "", -1 },
	{ "((a{100}){100}){100}", "", 0, "", 0, "", -1 },
	{ "(?:(?:(?:a?){0,99}){0,99}){0,99}", "", 0, "", 0, "", -1 },
};

/* Where a syntax error is. */
static const struct {
	const char *pattern, *error;
} errors[] = {
	{ "ab(c", "pattern: a group that is not closed at offset 2" },
	{ "ab)c", "pattern: a bracket that closes nothing at offset 2" },
	{ "\xc3\xa9[b-a]", "pattern: a range out of order at offset 3" },
	{ "a**", "pattern: nothing to repeat at offset 2" },
	{ "a\\", "pattern: a backslash at offset 1" },
	{ "a\\a", "pattern: an escape that ECMA-262 does not know at "
	    "offset 1" },
	{ "x(?<=ab|a+)b", "pattern: not supported: a lookbehind of varying "
	    "length at offset 8" },
	{ "(?:(a)|b)*\\1", "pattern: not supported: a reference to a group "
	    "that a repetition may leave out, or in a lookbehind, at "
	    "offset 10" },
	{ "((a{9}){200}){200}", "pattern: not supported: a pattern that grows "
	    "too large by its repetitions, at offset 2" },
	{ "\\p{CWKCF}", "pattern: not supported by PCRE2: unknown property "
	    "after \\P or \\p" },
	{ "\xff", "pattern: not UTF-8" },
};

static size_t n_tests, n_bad;

static void
say(bool right, const char *pattern, const char *text)
{
	const char *s;

	n_bad += !right;
	printf("%s %zu regex: /%.40s/ on ", right ? "ok" : "not ok", ++n_tests,
	    pattern);
	for (s = text; *s && s < text + 40; s++)
		printf(*s > ' ' && *s <= '~' ? "%c" : "\\x%02x",
		    (unsigned char)*s);
	printf("\n");
}

static bool
is_right(const char *pattern, const char *text, enum want want)
{
	struct error e;
	struct regex *r = regex_compile(span_of(pattern), &e);
	bool valid = regex_is_valid(span_of(pattern)), right;

	if (!r)
		return want == (valid ? U : E);
	right = valid && match(r, span_of(text)) ==
	    (want == Y ? REGEX_YES : REGEX_NO);
	regex_free(r);
	return right && want <= Y;
}

static bool
large_is_right(size_t i)
{
	const char *at = strchr(large[i].pattern, '%');
	struct buf pattern = { 0 }, text = { 0 };
	struct regex *r;
	struct error e;
	int result = -1;
	size_t k;

	for (k = 0; k < large[i].n_parts; k++)
		buf_puts(&pattern, large[i].part);
	buf_puts(&pattern, at ? at + 1 : large[i].pattern);
	if (at && at > large[i].pattern) {
		struct buf whole = { 0 };

		buf_add(&whole, large[i].pattern,
		    (size_t)(at - large[i].pattern));
		buf_span(&whole, buf_bytes(&pattern));
		buf_clear(&pattern);
		pattern = whole;
	}
	for (k = 0; k < large[i].n_repeated; k++)
		buf_puts(&text, large[i].repeated);
	buf_puts(&text, large[i].end);
	r = regex_compile(buf_bytes(&pattern), &e);
	if (r)
		result = (int)match(r, buf_bytes(&text));
	regex_free(r);
	buf_clear(&pattern);
	buf_clear(&text);
	return result == large[i].want;
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

int
main(void)
{
	struct regex *r;
	struct error e;
	size_t i;

	printf("1..%zu\n", COUNT(cases) + COUNT(large) + COUNT(errors) + 2);
	for (i = 0; i < COUNT(cases); i++)
		say(is_right(cases[i].pattern, cases[i].text, cases[i].want),
		    cases[i].pattern, cases[i].text);
	for (i = 0; i < COUNT(large); i++)
		say(large_is_right(i), large[i].pattern, large[i].repeated);
	for (i = 0; i < COUNT(errors); i++) {
		r = regex_compile(span_of(errors[i].pattern), &e);
		say(!r && strcmp(e.text, errors[i].error) == 0,
		    errors[i].pattern, r ? "" : e.text);
		regex_free(r);
	}
	/* NUL is a character like others. */
	r = regex_compile(SPAN("^a\0\\0[\0]$"), &e);
	say(r && match(r, SPAN("a\0\0\0")) == REGEX_YES, "NUL", "NUL");
	say(r && match(r, SPAN("a\0\0")) == REGEX_NO, "NUL", "one less");
	regex_free(r);
	return n_bad > 0;
}
