/*
 * The catalog and the registry that a stage works with.
 */
#include "cmd/config.h"

bool
config_option(struct config *c, int opt, const char *arg)
{
	if (opt == 'c')
		c->catalog_dir = arg;
	else if (opt == 'w')
		c->registry_path = arg;
	else
		return false;
	return true;
}

void
config_open(struct config *c, struct stage *s)
{
	struct buf reasons = { 0 };
	int r;

	if (!c->registry_path)
		c->registry_path = getenv("EV_WEBHOOKS");
	if (!c->registry_path || !*c->registry_path)
		stage_die(s, EX_SETUP,
		    "no registry: give one with -w or EV_WEBHOOKS");
	if (catalog_open(&c->catalog, c->catalog_dir, c->checks_payloads ? 0 :
	    CATALOG_NO_SCHEMAS, &reasons) < 0)
		stage_die(s, EX_SETUP, "the catalog does not load:\n%s",
		    buf_str(&reasons));
	r = registry_open(&c->registry, c->registry_path, &reasons);
	if (r < 0)
		stage_die(s, r == -2 ? EX_SYSTEM : EX_SETUP, "the registry '%s' does not load:\n%s",
		    c->registry_path, buf_str(&reasons));
	buf_clear(&reasons);
}

void
config_close(struct config *c)
{
	registry_close(&c->registry);
	catalog_close(&c->catalog);
}

bool
config_check(struct config *c, const struct stage *s)
{
	struct buf reasons = { 0 };
	enum registry_status status = registry_check(&c->registry, &reasons);

	if (status == REGISTRY_BAD)
		diag_print(&s->diag, DIAG_ERROR, "the registry '%s' changed "
		    "but does not load; the last good one stays:\n%s",
		    c->registry_path, buf_str(&reasons));
	buf_clear(&reasons);
	return status == REGISTRY_CHANGED;
}

void
config_put_metrics(const struct registry *r, struct exposition *x)
{
	metrics_put(x, METRIC_REGISTRY_WEBHOOKS, r->webhooks.n);
	metrics_family(x, METRIC_REGISTRY_LOADS);
	exposition_label(x, "result", SPAN("good"));
	exposition_u64(x, r->generation);
	exposition_label(x, "result", SPAN("bad"));
	exposition_u64(x, r->n_bad);
	metrics_put_time(x, METRIC_REGISTRY_LOADED, r->loaded_ms);
	metrics_put(x, METRIC_REGISTRY_BROKEN, r->watch.said);
}
