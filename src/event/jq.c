/*
 * jq programs.
 */
#include "event/jq.h"

#include <jq.h>
#include <math.h>

#include "base/alloc.h"
#include "json/write.h"

/*
 * Before the program, on its first line: it shadows what would reach outside,
 * and makes `import` and `include`, which must come first, a syntax error.
 * stderr and debug would write payloads where logs go; after halt_error,
 * libjq 1.6 frees what it does not own; error(null) would look like an end.
 */
static const char prelude[] = "def stderr: .; def debug: .; def debug(m): .; "
    "def env: {}; def input: error(\"no input here\"); def inputs: empty; "
    "def input_filename: null; def get_search_list: []; "
    "def ev_raise: error; def error: if . == null then \"null\" | ev_raise "
    "else ev_raise end; def error(message): message | error; "
    "def halt: error(\"halted\"); def halt_error: error(\"halted\"); "
    "def halt_error(code): error(\"halted\"); ";

struct jq_program {
	jq_state *jq;
	struct buf message; /* of the compiler */
};

static jv
to_jv(const struct json *j, uint32_t i, struct buf *scratch)
{
	uint32_t end = json_next(j, i), k;
	struct span s;
	jv v;

	switch (json_kind(j, i)) {
	case JSON_NULL:
		return jv_null();
	case JSON_FALSE:
		return jv_false();
	case JSON_TRUE:
		return jv_true();
	case JSON_NUMBER:
		/* Something that is no digit follows it: strtod stops there. */
		return jv_number(strtod(json_bytes(j, i).p, NULL));
	case JSON_STRING:
		s = json_string(j, i, scratch);
		return jv_string_sized(s.p, (int)s.len);
	case JSON_ARRAY:
		v = jv_array_sized((int)json_at(j, i)->n);
		for (k = i + 1; k < end; k = json_next(j, k))
			v = jv_array_append(v, to_jv(j, k, scratch));
		return v;
	default:
		v = jv_object();
		for (k = i + 1; k < end; k = json_next(j, k + 1)) {
			s = json_string(j, k, scratch);
			v = jv_object_set(v, jv_string_sized(s.p, (int)s.len),
			    to_jv(j, k + 1, scratch));
		}
		return v;
	}
}

static void
put_number(struct buf *b, double d)
{
	jv text;

	if (d >= 0 && d < 1e15 && d == (double)(uint64_t)d && !signbit(d)) {
		buf_u64(b, (uint64_t)d);
		return;
	}
	text = jv_dump_string(jv_number(d), 0);
	buf_add(b, jv_string_value(text),
	    (size_t)jv_string_length_bytes(jv_copy(text)));
	jv_free(text);
}

static void
put_string(struct buf *b, jv s)
{
	json_put_string(b, (struct span){ jv_string_value(s),
		(size_t)jv_string_length_bytes(jv_copy(s)) });
}

/*
 * Add a value's text; the value stays the caller's. -1 if it is nested deeper
 * than the reader takes.
 */
static int
put_jv(struct buf *b, jv v, int depth)
{
	int i, n, r = 0;

	if (depth > JSON_MAX_DEPTH)
		return -1;
	switch (jv_get_kind(v)) {
	case JV_KIND_FALSE:
		buf_puts(b, "false");
		break;
	case JV_KIND_TRUE:
		buf_puts(b, "true");
		break;
	case JV_KIND_NUMBER:
		put_number(b, jv_number_value(v));
		break;
	case JV_KIND_STRING:
		put_string(b, v);
		break;
	case JV_KIND_ARRAY:
		n = jv_array_length(jv_copy(v));
		buf_putc(b, '[');
		for (i = 0; i < n && r == 0; i++) {
			jv item = jv_array_get(jv_copy(v), i);

			if (i)
				buf_putc(b, ',');
			r = put_jv(b, item, depth + 1);
			jv_free(item);
		}
		buf_putc(b, ']');
		break;
	case JV_KIND_OBJECT:
		buf_putc(b, '{');
		n = 0;
		for (i = jv_object_iter(v);
		    r == 0 && jv_object_iter_valid(v, i);
		    i = jv_object_iter_next(v, i)) {
			jv key = jv_object_iter_key(v, i);
			jv value = jv_object_iter_value(v, i);

			if (n++)
				buf_putc(b, ',');
			put_string(b, key);
			buf_putc(b, ':');
			r = put_jv(b, value, depth + 1);
			jv_free(key);
			jv_free(value);
		}
		buf_putc(b, '}');
		break;
	default:
		buf_puts(b, "null");
		break;
	}
	return r;
}

static void
add_message(void *to, jv message)
{
	struct buf *b = to;
	jv text = jv_get_kind(message) == JV_KIND_STRING ? message :
	    jv_dump_string(message, 0);

	const char *p = jv_string_value(text);

	/* The compiler shows the program, prelude and all, in further lines. */
	if (strncmp(p, "jq: error: ", 11) == 0)
		p += 11;
	if (strncmp(p, "jq: ", 4) != 0) {
		if (b->len)
			buf_puts(b, "; ");
		buf_add(b, p, strcspn(p, "\n"));
	}
	jv_free(text);
}

static jv
parse_arguments(struct span webhooks)
{
	struct buf text = { 0 }, scratch = { 0 };
	struct json_error bad;
	struct json j;
	jv args = jv_object();

	json_init(&j);
	buf_span(&text, webhooks);
	if (json_read(&j, buf_str(&text), text.len, &bad) == 0)
		args = jv_object_set(args, jv_string("webhooks"),
		    to_jv(&j, 0, &scratch));
	json_clear(&j);
	buf_clear(&text);
	buf_clear(&scratch);
	return args;
}

struct jq_program *
jq_program_new(struct span program, struct span webhooks, struct error *e)
{
	struct jq_program *p = alloc_zero(1, sizeof(*p));
	struct buf text = { 0 };
	int compiled;

	p->jq = jq_init();
	if (!p->jq) {
		error_set(e, "libjq does not start");
		jq_program_free(p);
		return NULL;
	}
	jq_set_error_cb(p->jq, add_message, &p->message);
	buf_puts(&text, prelude);
	buf_span(&text, program);
	compiled = !memchr(text.p, '\0', text.len) &&
	    jq_compile_args(p->jq, buf_str(&text), parse_arguments(webhooks));
	buf_clear(&text);
	if (compiled)
		return p;
	error_set(e, "%s", p->message.len ? buf_str(&p->message) :
	    "the program holds a NUL byte");
	jq_program_free(p);
	return NULL;
}

void
jq_program_free(struct jq_program *p)
{
	if (!p)
		return;
	jq_teardown(&p->jq);
	buf_clear(&p->message);
	free(p);
}

int
jq_program_run(struct jq_program *p, const struct json *j, uint32_t node,
    size_t max, struct buf *out, struct buf *detail)
{
	struct buf scratch = { 0 };
	size_t n = 0;
	int failed = 0;
	jv v;

	jq_start(p->jq, to_jv(j, node, &scratch), 0);
	buf_clear(&scratch);
	while (jv_is_valid(v = jq_next(p->jq))) {
		if (put_jv(out, v, 1) < 0) {
			buf_puts(detail, "an output is nested too deep");
			jv_free(v);
			return -1;
		}
		buf_putc(out, '\n');
		jv_free(v);
		if (++n == max)
			return 0;
	}
	if (jv_invalid_has_msg(jv_copy(v))) {
		add_message(detail, jv_invalid_get_msg(jv_copy(v)));
		failed = -1;
	}
	jv_free(v);
	return failed;
}
