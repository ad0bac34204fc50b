/*
 * hook-sink: a receiver for tests and debugging. Prints what it got, one line a
 * request, and misbehaves to order. The line of a request is written before
 * its answer, so that a sender that has its answer can look at the line.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/num.h"
#include "base/utf8.h"
#include "cmd/option.h"
#include "cmd/port_file.h"
#include "json/write.h"
#include "net/bind.h"
#include "net/sign.h"
#include "net/sink.h"

enum { MAX_SECRET_BYTES = 2048 }; /* a line of a file of them */

static const char usage[] =
    "usage: hook-sink [-hvV] [--count N] [--listen ADDR] [--port-file FILE]\n"
    "                 [--quiet] [--script FILE | --status N] "
    "[--secret SECRET] ...\n";

enum { OPT_COUNT = OPT_OWN, OPT_LISTEN, OPT_PORT_FILE, OPT_QUIET, OPT_SCRIPT,
	OPT_SECRET, OPT_STATUS };

static const struct option options[] = {
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "help", no_argument, NULL, 'h' },
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "port-file", required_argument, NULL, OPT_PORT_FILE },
	{ "quiet", no_argument, NULL, OPT_QUIET },
	{ "script", required_argument, NULL, OPT_SCRIPT },
	{ "secret", required_argument, NULL, OPT_SECRET },
	{ "status", required_argument, NULL, OPT_STATUS },
	{ "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

/* Written by a signal, polled with the sockets. */
static int stop_pipe[2];

struct receiver {
	struct stage stage;
	struct sink sink;
	struct sink_script script;
	const char *address, *port_file, *script_file;
	uint64_t status; /* --status; 0: not given */
	uint64_t count;  /* --count; 0: no end */
	uint64_t n_taken;
	bool quiet;
	struct sign_key **keys; /* of --secret */
	size_t n_keys, cap_keys;
	struct buf text; /* scratch: ISO-8859-1 as UTF-8 */
};

static void
on_stop(int sig)
{
	int saved = errno;

	(void)sig;
	if (write(stop_pipe[1], "", 1) < 0) {
		/* Full: it will stop anyway. */
	}
	errno = saved;
}

static void
catch_signals(struct receiver *r)
{
	struct sigaction sa = { .sa_handler = on_stop };
	int i;

	if (pipe(stop_pipe) < 0)
		stage_die(&r->stage, EX_SYSTEM, "cannot make a pipe: %s",
		    strerror(errno));
	for (i = 0; i < 2; i++)
		if (fcntl(stop_pipe[i], F_SETFL, O_NONBLOCK) < 0 ||
		    fcntl(stop_pipe[i], F_SETFD, FD_CLOEXEC) < 0)
			stage_die(&r->stage, EX_SYSTEM, "cannot set up a pipe: "
			    "%s", strerror(errno));
	sigemptyset(&sa.sa_mask);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
}

/* --count, --status: the number, or exit 2. */
static uint64_t
number(struct receiver *r, const char *option, const char *arg,
    uint64_t min, uint64_t max)
{
	uint64_t n = 0;

	if (num_u64(span_of(arg), min, max, &n) < 0)
		stage_die(&r->stage, EX_SETUP,
		    "--%s '%s' is no number from %llu to %llu", option, arg,
		    (unsigned long long)min, (unsigned long long)max);
	return n;
}

static void
add_key(struct receiver *r, struct span text)
{
	struct error e;
	struct sign_key *key = sign_key_new(text, &e);

	if (!key)
		stage_die(&r->stage, EX_SETUP, "--secret: %s", e.text);
	r->keys = alloc_grow(r->keys, &r->cap_keys, r->n_keys + 1,
	    sizeof(*r->keys));
	r->keys[r->n_keys++] = key;
}

/* A secret, or a file of them by "@", which does not show in ps(1). */
static void
read_secret(struct receiver *r, const char *arg)
{
	char line[MAX_SECRET_BYTES];
	FILE *f;

	if (*arg != '@') {
		add_key(r, span_of(arg));
		return;
	}
	f = fopen(arg + 1, "r");
	if (!f)
		stage_die(&r->stage, EX_SETUP, "cannot open '%s': %s", arg + 1,
		    strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		struct span text = { line, strcspn(line, "\r\n") };

		if (text.len)
			add_key(r, text);
	}
	if (ferror(f))
		stage_die(&r->stage, EX_SYSTEM, "cannot read '%s'", arg + 1);
	(void)fclose(f); /* only read from */
	sign_wipe(line, sizeof(line));
}

static void
read_option(struct receiver *r, int c)
{
	switch (c) {
	case 'h':
		stage_help(usage);
	case 'v':
		r->stage.diag.verbose = true;
		break;
	case 'V':
		stage_version(&r->stage);
	case OPT_COUNT:
		r->count = number(r, "count", optarg, 1, UINT64_MAX);
		break;
	case OPT_LISTEN:
		r->address = optarg;
		break;
	case OPT_PORT_FILE:
		r->port_file = optarg;
		break;
	case OPT_QUIET:
		r->quiet = true;
		break;
	case OPT_SCRIPT:
		r->script_file = optarg;
		break;
	case OPT_SECRET:
		read_secret(r, optarg);
		break;
	case OPT_STATUS:
		r->status = number(r, "status", optarg, 200, 999);
		break;
	default:
		stage_usage(&r->stage, usage);
	}
}

static void
read_options(struct receiver *r, int argc, char **argv)
{
	int c;

	while ((c = option_next(&r->stage, argc, argv, "hvV", options)) != -1)
		read_option(r, c);
	if (optind < argc || (r->status && r->script_file))
		stage_usage(&r->stage, usage);
}

static void
open_script(struct receiver *r)
{
	struct error e;

	if (!r->script_file)
		sink_script_status(&r->script,
		    r->status ? (int)r->status : 204);
	else if (sink_script_load(&r->script, r->script_file, &e) < 0)
		stage_die(&r->stage, EX_SETUP, "%s", e.text);
}

static void
open_sink(struct receiver *r)
{
	struct error e;
	unsigned port;

	if (sink_open(&r->sink, r->address, &e) < 0)
		stage_die(&r->stage, EX_SETUP, "%s", e.text);
	port = bind_port(r->sink.fd);
	if (r->port_file)
		port_file_write(&r->stage, r->port_file, port);
	if (r->stage.diag.verbose)
		diag_print(&r->stage.diag, DIAG_INFO, "listening on port %u",
		    port);
}

/* HTTP's bytes are ISO-8859-1: each one a character, whatever they are. */
static void
put_latin1(struct receiver *r, struct span s)
{
	size_t i;

	r->text.len = 0;
	for (i = 0; i < s.len; i++)
		r->text.len += utf8_encode((unsigned char)s.p[i],
		    buf_room(&r->text, 4));
	json_put_string(&r->stage.out.buf, buf_bytes(&r->text));
}

static void
put_fields(struct receiver *r, const struct sink_request *q)
{
	struct buf *b = &r->stage.out.buf;
	size_t i;

	json_put_name(b, "headers");
	buf_putc(b, '[');
	for (i = 0; i < q->n_fields; i++) {
		buf_puts(b, i ? ",[" : "[");
		json_put_string(b, q->fields[i].name);
		buf_putc(b, ',');
		put_latin1(r, q->fields[i].value);
		buf_putc(b, ']');
	}
	buf_putc(b, ']');
}

static void
put_body(struct buf *b, const struct sink_request *q)
{
	struct span body = buf_bytes(&q->body);

	if (utf8_valid(body)) {
		json_put_member(b, "body", body);
	} else {
		json_put_name(b, "body_base64");
		buf_putc(b, '"');
		base64_put(b, body);
		buf_putc(b, '"');
	}
	json_put_member_u64(b, "bytes", body.len);
}

/* The field's value; p is NULL if there is none. False: it is repeated. */
static bool
find_field(const struct sink_request *q, const char *name, struct span *value)
{
	size_t i;

	*value = (struct span){ NULL, 0 };
	for (i = 0; i < q->n_fields; i++) {
		struct span n = q->fields[i].name;

		if (n.len != strlen(name) || strncasecmp(n.p, name, n.len) != 0)
			continue;
		if (value->p)
			return false;
		*value = q->fields[i].value;
	}
	return true;
}

static void
put_verdict(struct receiver *r, const struct sink_request *q)
{
	struct buf *b = &r->stage.out.buf;
	struct signed_message m = { .body = buf_bytes(&q->body) };
	const char *why = "a webhook- header is repeated";

	if (find_field(q, "webhook-id", &m.id) &&
	    find_field(q, "webhook-timestamp", &m.timestamp) &&
	    find_field(q, "webhook-signature", &m.signature))
		why = sign_verify(r->keys, r->n_keys, &m, clock_wall_ms());
	json_put_member_bool(b, "verified", !why);
	if (why)
		json_put_member(b, "error", span_of(why));
}

static void
print_request(struct receiver *r, const struct sink_conn *c,
    const struct sink_step *step)
{
	const struct sink_request *q = &c->request;
	struct buf *b = &r->stage.out.buf;
	char now[CLOCK_RFC3339_BYTES];

	clock_rfc3339(clock_wall_ms(), now);
	buf_putc(b, '{');
	json_put_member(b, "time", span_of(now));
	json_put_member_u64(b, "connection", c->number);
	json_put_member(b, "method", q->method);
	json_put_member(b, "target", q->target);
	json_put_member(b, "version", q->version);
	put_fields(r, q);
	json_put_name(b, "head");
	put_latin1(r, buf_bytes(&q->head));
	put_body(b, q);
	if (r->n_keys)
		put_verdict(r, q);
	json_put_member(b, "action", span_of(step->action));
	if (step->status)
		json_put_member_u64(b, "status", (uint64_t)step->status);
	buf_putc(b, '}');
	(void)out_end_line(&r->stage.out);
}

static void
take_request(struct receiver *r, struct sink_conn *c)
{
	const struct sink_step *step;

	if (c->request.state == SINK_BAD) {
		diag_print(&r->stage.diag, DIAG_WARNING,
		    "connection %llu: %s", (unsigned long long)c->number,
		    c->request.reason);
		sink_refuse(c);
		return;
	}
	step = sink_script_next(&r->script);
	if (!r->quiet)
		print_request(r, c, step);
	r->n_taken++;
	sink_answer(c, step);
}

static void
run(struct receiver *r)
{
	struct sink_conn *c;
	struct error e;
	int stop = 0;

	while (!stop && out_flush(&r->stage.out) == 0) {
		sink_send(&r->sink);
		if (r->count && r->sink.n_done >= r->count)
			break;
		stop = sink_wait(&r->sink, stop_pipe[0], &e);
		while (!stop && !(r->count && r->n_taken == r->count) &&
		    (c = sink_next(&r->sink)))
			take_request(r, c);
	}
	if (stop < 0)
		stage_die(&r->stage, EX_SYSTEM, "%s", e.text);
}

int
main(int argc, char **argv)
{
	struct receiver r = { .address = "127.0.0.1:8080" };
	int code;

	stage_init(&r.stage, "hook-sink", STAGE_CALL_MAX_LINE);
	read_options(&r, argc, argv);
	open_script(&r);
	catch_signals(&r);
	open_sink(&r);
	run(&r);
	code = stage_close(&r.stage);
	sink_close(&r.sink);
	sink_script_clear(&r.script);
	while (r.n_keys)
		sign_key_free(r.keys[--r.n_keys]);
	free(r.keys);
	buf_clear(&r.text);
	return code;
}
