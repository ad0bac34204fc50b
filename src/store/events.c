/*
 * The event queue, whatever it is.
 */
#include "store/events_kind.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "store/amqp_url.h"

int
events_open(struct events **ev, const char *path,
    const struct events_wishes *w, struct error *e)
{
	int r;

	*ev = NULL;
	if (amqp_url_is(path)) {
#ifdef EV_RABBITMQ
		return events_open_amqp(ev, path, w, e);
#else
		/* Its text is not shown: there may be a password in it. */
		return error_set(e, "this build can't use RabbitMQ: install "
		    "librabbitmq ('make deps' does) and build again, without "
		    "RABBITMQ=no; or give a file with -q");
#endif
	}
	r = events_open_file(ev, path, w, e);
	if (*ev) {
		(*ev)->shown = alloc_copy(path, strlen(path));
		(*ev)->name = alloc_copy(path, strlen(path));
	}
	return r;
}

void
events_close(struct events *ev)
{
	if (!ev)
		return;
	free(ev->shown);
	free(ev->name);
	ev->kind->close(ev);
}

const char *
events_shown(const struct events *ev)
{
	return ev->shown;
}

const char *
events_name(const struct events *ev)
{
	return ev->name;
}

int
events_push(struct events *ev, const struct events_item *items, size_t n,
    int64_t now_ms, struct events_pushed *pushed, struct error *e)
{
	return ev->kind->push(ev, items, n, now_ms, pushed, e);
}

int
events_lock(struct events *ev, struct error *e)
{
	return ev->kind->lock(ev, e);
}

int
events_fd(const struct events *ev)
{
	return ev->kind->fd(ev);
}

int64_t
events_wake_ms(const struct events *ev)
{
	return ev->kind->wake_ms ? ev->kind->wake_ms(ev) : -1;
}

int
events_heard(struct events *ev, struct error *e)
{
	return ev->kind->heard(ev, e);
}

int
events_next(struct events *ev, size_t max, size_t max_bytes,
    void (*give)(void *, const struct events_given *), void *ctx,
    struct error *e)
{
	return ev->kind->next(ev, max, max_bytes, give, ctx, e);
}

bool
events_is_drained(struct events *ev)
{
	return !ev->kind->is_drained || ev->kind->is_drained(ev);
}

int64_t
events_stale(const struct events *ev)
{
	return ev->kind->stale ? ev->kind->stale(ev) : 0;
}

int
events_ack(struct events *ev, int64_t from, int64_t to, struct error *e)
{
	return ev->kind->ack(ev, from, to, e);
}

int
events_blame(struct events *ev, int64_t tag, unsigned deaths, struct error *e)
{
	return ev->kind->blame ? ev->kind->blame(ev, tag, deaths, e) : 0;
}

int
events_count(struct events *ev, struct events_counts *c, struct error *e)
{
	return ev->kind->count(ev, c, e);
}

int
events_bury(struct events *ev, const struct events_dead *d, struct error *e)
{
	return ev->kind->bury(ev, d, e);
}

int
events_each_dead(struct events *ev,
    void (*give)(void *, const struct events_dead *), void *ctx,
    struct error *e)
{
	return ev->kind->each_dead(ev, give, ctx, e);
}

int
events_requeue(struct events *ev, int64_t *tags, size_t n, struct error *e)
{
	return ev->kind->requeue(ev, tags, n, e);
}

int
events_declare(struct events *ev, struct error *e)
{
	return ev->kind->declare ? ev->kind->declare(ev, e) : 0;
}
