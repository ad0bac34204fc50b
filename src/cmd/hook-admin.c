/*
 * hook-admin: the registry and the catalog, for the people who run evpipe. The
 * only program that writes a registry.
 */
#include <getopt.h>
#include <unistd.h>

#include "base/alloc.h"
#include "cmd/admin.h"
#include "cmd/option.h"
#include "json/reader.h"

static const char usage[] =
    "usage: hook-admin [-w FILE] add --url URL --subscribe NAME,... [MEMBER ...]\n"
    "       hook-admin [-w FILE] add -\n"
    "       hook-admin [-w FILE] set ID MEMBER ...\n"
    "       hook-admin [-q QUEUE] [-w FILE] enable ID ...\n"
    "       hook-admin [-w FILE] disable | remove ID ...\n"
    "       hook-admin [-v] [-w FILE] import [--replace] FILE | -\n"
    "       hook-admin [-w FILE] export\n"
    "       hook-admin [-w FILE] [--json] list\n"
    "       hook-admin -q QUEUE [--json] show CALL ...\n"
    "       hook-admin [-w FILE] [--json] show ID ...\n"
    "       hook-admin [-w FILE] ping --all | ID ...\n"
    "       hook-admin [-w FILE] [--ed25519] [--overlap TIME] [--secrets FILE] secret ACTION [ID] [WHAT]\n"
    "       hook-admin -q QUEUE [--json] [--follow] [FILTER ...] deliveries\n"
    "       hook-admin -q QUEUE [--json] [FILTER ...] dead\n"
    "       hook-admin -q QUEUE [--dry-run | --yes] FILTER ... replay\n"
    "       hook-admin -q QUEUE [--dry-run | --yes] [FILTER ...] replay CALL ...\n"
    "       hook-admin -q QUEUE [--dry-run | --yes] [--outcome OUTCOME] --before TIME prune\n"
    "       hook-admin -q QUEUE [--json] [--since TIME] stats\n"
    "       hook-admin -q QUEUE [-w FILE] [--output FILE] [--since TIME] report\n"
    "       hook-admin [-c DIR] [--asyncapi | --json | --markdown] events\n"
    "       hook-admin [-v] [-c DIR] [-w FILE] check\n"
    "       hook-admin [-v] [-c DIR] [--json] diff A B [FILE ...]\n"
    "       hook-admin -h | -V\n";

static const struct option options[] = {
	{ "all", no_argument, NULL, ADMIN_ALL },
	{ "asyncapi", no_argument, NULL, ADMIN_ASYNCAPI },
	{ "attribute", required_argument, NULL, ADMIN_ATTRIBUTE },
	{ "before", required_argument, NULL, ADMIN_BEFORE },
	{ "ca", required_argument, NULL, ADMIN_CA },
	{ "catalog", required_argument, NULL, 'c' },
	{ "concurrency", required_argument, NULL, ADMIN_CONCURRENCY },
	{ "description", required_argument, NULL, ADMIN_DESCRIPTION },
	{ "disabled", no_argument, NULL, ADMIN_DISABLED },
	{ "dry-run", no_argument, NULL, ADMIN_DRY_RUN },
	{ "ed25519", no_argument, NULL, ADMIN_ED25519 },
	{ "event", required_argument, NULL, ADMIN_EVENT },
	{ "filter", required_argument, NULL, ADMIN_FILTER },
	{ "follow", no_argument, NULL, ADMIN_FOLLOW },
	{ "header", required_argument, NULL, ADMIN_HEADER },
	{ "help", no_argument, NULL, 'h' },
	{ "id", required_argument, NULL, ADMIN_ID },
	{ "json", no_argument, NULL, ADMIN_JSON },
	{ "limit", required_argument, NULL, ADMIN_LIMIT },
	{ "markdown", no_argument, NULL, ADMIN_MARKDOWN },
	{ "name", required_argument, NULL, ADMIN_NAME },
	{ "order", required_argument, NULL, ADMIN_ORDER },
	{ "outcome", required_argument, NULL, ADMIN_OUTCOME },
	{ "output", required_argument, NULL, ADMIN_OUTPUT },
	{ "overlap", required_argument, NULL, ADMIN_OVERLAP },
	{ "queue", required_argument, NULL, 'q' },
	{ "rate", required_argument, NULL, ADMIN_RATE },
	{ "remove-attribute", required_argument, NULL, ADMIN_REMOVE_ATTRIBUTE },
	{ "remove-header", required_argument, NULL, ADMIN_REMOVE_HEADER },
	{ "replace", no_argument, NULL, ADMIN_REPLACE },
	{ "retry", required_argument, NULL, ADMIN_RETRY },
	{ "secrets", required_argument, NULL, ADMIN_SECRETS },
	{ "since", required_argument, NULL, ADMIN_SINCE },
	{ "status", required_argument, NULL, ADMIN_STATUS },
	{ "subscribe", required_argument, NULL, ADMIN_SUBSCRIBE },
	{ "timeout", required_argument, NULL, ADMIN_TIMEOUT },
	{ "transform", required_argument, NULL, ADMIN_TRANSFORM },
	{ "unsubscribe", required_argument, NULL, ADMIN_UNSUBSCRIBE },
	{ "until", required_argument, NULL, ADMIN_UNTIL },
	{ "url", required_argument, NULL, ADMIN_URL },
	{ "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, 'V' },
	{ "webhook", required_argument, NULL, ADMIN_WEBHOOK },
	{ "webhooks", required_argument, NULL, 'w' },
	{ "yes", no_argument, NULL, ADMIN_YES },
	{ 0 },
};

enum {
	MEMBERS = ADMIN_BIT(ADMIN_DISABLED + 1) - 1,
	REMOVALS = ADMIN_BIT(ADMIN_UNSUBSCRIBE) |
	    ADMIN_BIT(ADMIN_REMOVE_ATTRIBUTE) | ADMIN_BIT(ADMIN_REMOVE_HEADER),
	ANY = 1 << 20,
};

#define JSON ADMIN_BIT(ADMIN_JSON)
#define QUEUE ADMIN_BIT(ADMIN_LAST + 1) /* -q */
#define FILTERS (ADMIN_BIT(ADMIN_WEBHOOK) | ADMIN_BIT(ADMIN_EVENT) | \
	ADMIN_BIT(ADMIN_NAME) | ADMIN_BIT(ADMIN_STATUS) | \
	ADMIN_BIT(ADMIN_SINCE) | ADMIN_BIT(ADMIN_UNTIL) | \
	ADMIN_BIT(ADMIN_LIMIT))

/* Webhooks, or with a queue its calls. */
static void
show(struct admin *a)
{
	if (a->queue_path)
		admin_show_calls(a);
	else
		admin_show(a);
}

static const struct command {
	const char *name;
	void (*run)(struct admin *);
	int min, max;     /* operands */
	uint64_t options; /* that it knows */
} commands[] = {
	{ "add", admin_add, 0, 1, MEMBERS & ~(uint64_t)REMOVALS },
	{ "check", admin_check, 0, 0, ADMIN_BIT(ADMIN_SECRETS) },
	{ "dead", admin_dead, 0, 0, JSON | FILTERS | QUEUE },
	{ "deliveries", admin_deliveries, 0, 0, JSON | FILTERS |
	    ADMIN_BIT(ADMIN_OUTCOME) | ADMIN_BIT(ADMIN_FOLLOW) | QUEUE },
	{ "diff", admin_diff, 2, ANY, JSON },
	{ "disable", admin_disable, 1, ANY, 0 },
	{ "enable", admin_enable, 1, ANY, QUEUE },
	{ "events", admin_events, 0, 0, JSON |
	    ADMIN_BIT(ADMIN_MARKDOWN) | ADMIN_BIT(ADMIN_ASYNCAPI) },
	{ "export", admin_export, 0, 0, JSON },
	{ "import", admin_import, 1, 1, ADMIN_BIT(ADMIN_REPLACE) |
	    ADMIN_BIT(ADMIN_SECRETS) },
	{ "list", admin_list, 0, 0, JSON },
	{ "ping", admin_ping, 0, ANY, JSON | ADMIN_BIT(ADMIN_ALL) },
	{ "prune", admin_prune, 0, 0, ADMIN_BIT(ADMIN_BEFORE) |
	    ADMIN_BIT(ADMIN_OUTCOME) | ADMIN_BIT(ADMIN_DRY_RUN) |
	    ADMIN_BIT(ADMIN_YES) | QUEUE },
	{ "remove", admin_remove, 1, ANY, ADMIN_BIT(ADMIN_SECRETS) },
	{ "replay", admin_replay, 0, ANY, FILTERS | ADMIN_BIT(ADMIN_OUTCOME) |
	    ADMIN_BIT(ADMIN_DRY_RUN) | ADMIN_BIT(ADMIN_YES) | QUEUE },
	{ "report", admin_report, 0, 0, ADMIN_BIT(ADMIN_OUTPUT) |
	    ADMIN_BIT(ADMIN_SINCE) | QUEUE },
	{ "secret", admin_secret, 1, ANY, ADMIN_BIT(ADMIN_ED25519) |
	    ADMIN_BIT(ADMIN_OVERLAP) | ADMIN_BIT(ADMIN_SECRETS) | JSON },
	{ "set", admin_set, 1, 1, MEMBERS & ~(ADMIN_BIT(ADMIN_ID) |
	    ADMIN_BIT(ADMIN_DISABLED)) },
	{ "show", show, 1, ANY, JSON | QUEUE },
	{ "stats", admin_stats, 0, 0, JSON | ADMIN_BIT(ADMIN_SINCE) | QUEUE },
};

void
admin_misuse(struct admin *a, const char *fmt, ...)
{
	struct buf b = { 0 };
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	stage_die(&a->stage, EX_SETUP, "%s; see hook-admin -h", buf_str(&b));
}

void
admin_unknown(struct admin *a, const struct nearest *near,
    const char *otherwise, const char *fmt, ...)
{
	struct buf b = { 0 };
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	if (near->best.len)
		nearest_put(near, "", &b);
	else
		buf_puts(&b, otherwise);
	stage_die(&a->stage, EX_SETUP, "%s", buf_str(&b));
}

void
admin_say(struct admin *a, enum diag_level level, const char *what,
    struct span reasons)
{
	while (reasons.len) {
		const char *nl = memchr(reasons.p, '\n', reasons.len);
		size_t len = nl ? (size_t)(nl - reasons.p) : reasons.len;

		diag_print(&a->stage.diag, level, "%s: %.*s", what, (int)len,
		    reasons.p);
		len += nl != NULL;
		reasons.p += len;
		reasons.len -= len;
	}
}

const char *
admin_registry_path(struct admin *a)
{
	if (!a->registry_path || !*a->registry_path)
		stage_die(&a->stage, EX_SETUP,
		    "no registry: give one with -w or EV_WEBHOOKS");
	return a->registry_path;
}

void
admin_load(struct admin *a, struct registry *r)
{
	const char *path = admin_registry_path(a);
	struct buf reasons = { 0 };
	int status = registry_open(r, path, &reasons);

	if (status == 0) {
		buf_clear(&reasons);
		return;
	}
	admin_say(a, DIAG_ERROR, path, buf_bytes(&reasons));
	exit(status == -2 ? EX_SYSTEM : EX_SETUP);
}

bool
admin_wants_table(struct admin *a)
{
	return !(a->given & ADMIN_BIT(ADMIN_JSON)) && isatty(STDOUT_FILENO);
}

const struct webhook *
admin_find(struct admin *a, const struct webhooks *all, const char *id)
{
	const struct webhook *w = webhooks_find(all, span_of(id));
	struct buf hint = { 0 };
	struct nearest near;
	size_t i;

	if (w)
		return w;
	nearest_open(&near, span_of(id));
	for (i = 0; i < all->n; i++)
		nearest_offer(&near, all->list[i].id);
	nearest_put(&near, "", &hint);
	diag_print(&a->stage.diag, DIAG_ERROR, "no webhook '%s'%s", id,
	    hint.len ? buf_str(&hint) : "; see hook-admin list");
	a->stage.code = EX_SETUP;
	buf_clear(&hint);
	return NULL;
}

static void
warn_entry(struct admin *a, const char *what, size_t number,
    const struct json *j, uint32_t entry)
{
	struct buf name = { 0 }, shown = { 0 };
	uint32_t k;

	for (k = entry + 1; k < json_next(j, entry); k = json_next(j, k + 1)) {
		struct span s = json_string(j, k, &name);

		if (webhook_knows(s))
			continue;
		shown.len = 0;
		buf_putc(&shown, '\'');
		diag_foreign(&shown, s, 64);
		buf_puts(&shown, "' is ignored");
		webhook_put_meant(s, &shown);
		diag_print(&a->stage.diag, DIAG_WARNING, "%s: entry %zu: "
		    "unknown member %s", what, number, buf_str(&shown));
	}
	buf_clear(&name);
	buf_clear(&shown);
}

void
admin_warn_unknown(struct admin *a, const char *what, struct span text)
{
	struct json j;
	struct json_error e;
	size_t number = 0;
	uint32_t i;

	json_init(&j);
	if (json_read(&j, text.p, text.len, &e) == 0 &&
	    json_kind(&j, 0) == JSON_ARRAY)
		for (i = 1; i < json_next(&j, 0); i = json_next(&j, i)) {
			number++;
			if (json_kind(&j, i) == JSON_OBJECT)
				warn_entry(a, what, number, &j, i);
		}
	json_clear(&j);
}

static const char *
option_name(enum admin_option option)
{
	size_t i = 0;

	while (options[i].val != (int)option)
		i++;
	return options[i].name;
}

static void
note_option(struct admin *a, enum admin_option option, const char *text)
{
	a->given |= ADMIN_BIT(option);
	if (option > ADMIN_DISABLED)
		return;
	a->changes = alloc_grow(a->changes, &a->cap_changes, a->n_changes + 1,
	    sizeof(*a->changes));
	a->changes[a->n_changes++] = (struct admin_change){ option, text };
}

static void
note_filter(struct admin *a, enum admin_option option, const char *text)
{
	struct admin_filter *f = &a->filter;

	*(option == ADMIN_WEBHOOK ? &f->webhook :
	    option == ADMIN_EVENT ? &f->event :
	    option == ADMIN_NAME ? &f->name :
	    option == ADMIN_OUTCOME ? &f->outcome :
	    option == ADMIN_STATUS ? &f->status :
	    option == ADMIN_SINCE ? &f->since :
	    option == ADMIN_UNTIL ? &f->until : &f->limit) = text;
}

static void
take_option(struct admin *a, int c)
{
	switch (c) {
	case 1: /* not an option, but an operand between them */
		a->operands[a->n_operands++] = optarg;
		break;
	case 'c':
		a->catalog_dir = optarg;
		break;
	case 'q':
		a->queue_path = optarg;
		break;
	case ADMIN_OUTPUT:
		a->output = optarg;
		note_option(a, ADMIN_OUTPUT, NULL);
		break;
	case 'w':
		a->registry_path = optarg;
		break;
	case ADMIN_OVERLAP:
		a->overlap = optarg;
		note_option(a, ADMIN_OVERLAP, NULL);
		break;
	case ADMIN_WEBHOOK:
	case ADMIN_EVENT:
	case ADMIN_NAME:
	case ADMIN_OUTCOME:
	case ADMIN_STATUS:
	case ADMIN_SINCE:
	case ADMIN_UNTIL:
	case ADMIN_LIMIT:
		note_filter(a, (enum admin_option)c, optarg);
		note_option(a, (enum admin_option)c, NULL);
		break;
	case ADMIN_BEFORE:
		a->before = optarg;
		note_option(a, ADMIN_BEFORE, NULL);
		break;
	case ADMIN_SECRETS:
		a->secrets_path = optarg;
		note_option(a, ADMIN_SECRETS, NULL);
		break;
	case 'v':
		a->stage.diag.verbose = true;
		break;
	case 'h':
		stage_help(usage);
	case 'V':
		stage_version(&a->stage);
	case '?':
		stage_usage(&a->stage, usage);
	default:
		note_option(a, (enum admin_option)c, optarg);
	}
}

/* Options may stand before, between and behind the operands. */
static void
read_options(struct admin *a, int argc, char **argv)
{
	int c;

	a->operands = alloc_zero((size_t)argc + 1, sizeof(*a->operands));
	while ((c = option_next(&a->stage, argc, argv, "-c:hq:Vvw:",
	    options)) != -1)
		take_option(a, c);
	while (optind < argc)
		a->operands[a->n_operands++] = argv[optind++];
	if (!a->registry_path)
		a->registry_path = getenv("EV_WEBHOOKS");
}

static const struct command *
find_command(struct admin *a)
{
	struct nearest near;
	size_t i;

	if (a->n_operands == 0)
		stage_usage(&a->stage, usage);
	nearest_open(&near, span_of(a->operands[0]));
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, a->operands[0]) == 0)
			return &commands[i];
		nearest_offer(&near, span_of(commands[i].name));
	}
	admin_unknown(a, &near, "; see hook-admin -h", "unknown command '%s'",
	    a->operands[0]);
}

static void
check_use(struct admin *a, const struct command *c)
{
	uint64_t wrong = a->given & ~c->options;
	int n = (int)a->n_operands - 1, option;

	for (option = OPT_OWN; option <= ADMIN_LAST; option++)
		if (wrong & ADMIN_BIT(option))
			admin_misuse(a, "%s: takes no --%s", c->name,
			    option_name((enum admin_option)option));
	if (a->queue_path && !(c->options & QUEUE))
		admin_misuse(a, "%s: takes no -q", c->name);
	if (n < c->min)
		admin_misuse(a, "%s: an operand is missing", c->name);
	if (n > c->max)
		admin_misuse(a, "%s: too many operands", c->name);
}

int
main(int argc, char **argv)
{
	struct admin a = { 0 };
	const struct command *c;
	char **operands;
	int code;

	stage_init(&a.stage, "hook-admin", STAGE_CALL_MAX_LINE);
	read_options(&a, argc, argv);
	c = find_command(&a);
	check_use(&a, c);
	operands = a.operands++;
	a.n_operands--;
	a.command = c->name;
	c->run(&a);
	code = stage_close(&a.stage);
	free(operands);
	free(a.changes);
	return code;
}
