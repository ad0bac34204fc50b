/*
 * Barriers. Known by their bytes, without the reader: white space may come
 * between the tokens, as a filter's printer may put it there, but no escape.
 */
#include "cmd/barrier.h"

#include "base/num.h"

static bool
is_of_session(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static void
skip_space(struct span *s)
{
	while (s->len && memchr(" \t\r", s->p[0], 3)) {
		s->p++;
		s->len--;
	}
}

static bool
skip(struct span *s, struct span token)
{
	skip_space(s);
	if (s->len < token.len || memcmp(s->p, token.p, token.len) != 0)
		return false;
	s->p += token.len;
	s->len -= token.len;
	return true;
}

bool
barrier_read(struct span line, struct span *session, uint64_t *n)
{
	struct span s = line, digits;
	size_t len = 0;

	if (!skip(&s, SPAN("{")) || !skip(&s, SPAN("\"barrier\"")) ||
	    !skip(&s, SPAN(":")) || !skip(&s, SPAN("\"")))
		return false;
	while (len < s.len && is_of_session(s.p[len]))
		len++;
	if (len == 0 || len > BARRIER_SESSION_BYTES || len == s.len ||
	    s.p[len] != '.')
		return false;
	*session = (struct span){ s.p, len };
	s = (struct span){ s.p + len + 1, s.len - len - 1 };
	for (len = 0; len < s.len && s.p[len] >= '0' && s.p[len] <= '9';)
		len++;
	digits = (struct span){ s.p, len };
	s = (struct span){ s.p + len, s.len - len };
	if (s.len == 0 || s.p[0] != '"' || !skip(&s, SPAN("\"")) ||
	    !skip(&s, SPAN("}")))
		return false;
	skip_space(&s);
	return s.len == 0 && num_u64(digits, 0, INT64_MAX, n) == 0;
}

bool
barrier_is(struct span line)
{
	struct span session;
	uint64_t n;

	return barrier_read(line, &session, &n);
}

int
barriers_pass(struct barriers *b, struct span line, struct error *e)
{
	struct span last = { b->session, b->session_len }, session;
	uint64_t n;

	if (!barrier_read(line, &session, &n))
		return error_set(e, "no barrier");
	if (span_eq(session, last) ? n != b->n + 1 : n != 0) {
		if (!span_eq(session, last))
			return error_set(e, "barrier %llu of a session whose "
			    "barrier 0 did not come here: what came before may "
			    "be lost", (unsigned long long)n);
		return error_set(e, "barrier %llu after barrier %llu: what "
		    "came between may be lost", (unsigned long long)n,
		    (unsigned long long)b->n);
	}
	memcpy(b->session, session.p, session.len);
	b->session_len = session.len;
	b->n = n;
	return 0;
}

void
barrier_need_rejects(struct stage *s)
{
	if (s->reject.file.fd < 0)
		stage_die(s, EX_SETUP, "a barrier, but nowhere to put rejects: "
		    "give a file with -r or EV_REJECTS");
}

void
barrier_pass(struct barriers *b, struct stage *s)
{
	struct error e;

	barrier_need_rejects(s);
	if (reject_sync(&s->reject, &e) < 0 ||
	    append_sync(&s->unmatched, &e) < 0 ||
	    barriers_pass(b, s->input, &e) < 0)
		stage_die(s, EX_SYSTEM, "%s", e.text);
	(void)out_line(&s->out, s->input);
}
