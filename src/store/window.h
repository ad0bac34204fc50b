/*
 * The events that a puller was given and has not acknowledged: which one is to
 * be fed next to the command, what a barrier that came back settles, and who is
 * under suspicion when the command died. Pure: it feeds nobody itself.
 *
 * Events flow in their order. When the command dies, those that it had are
 * suspects, and are fed again in halves, a barrier behind each, until one that
 * was all it had stands alone. That one is accused, and another event fed alone:
 * if it is acknowledged, one death counts against each of the accused, which is
 * tried again, alone; if the command dies of it, too, it is accused beside
 * them, and the next is tried. So nothing counts while the command dies on
 * everything.
 */
#ifndef STORE_WINDOW_H
#define STORE_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

enum {
	/* What is held at most, and may have to be fed again. */
	WINDOW_MAX_EVENTS = 16384,
	WINDOW_MAX_BYTES = 16 << 20,
	WINDOW_MAX_MARKS = 64, /* barriers on their way */
	WINDOW_MAX_DEATHS = 5, /* then it is poison */
};

struct window_event {
	int64_t tag;
	size_t at, len;       /* of its line among the text */
	unsigned deaths;      /* that count against it */
	bool accused;         /* of the last death of a command that had it alone */
	bool counted;         /* deaths changed: for window_counted */
	bool done;
	uint64_t tried;       /* when it was fed alone last, by count */
	char *status, *said;  /* how that command ended; NULL: it did not */
};

enum window_mode { WINDOW_FLOW, WINDOW_HALVES, WINDOW_ALONE };

struct window {
	struct buf text;
	struct window_event *events;
	size_t first, end, cap; /* those before first are done */
	size_t bytes;         /* of those from first on */
	enum window_mode mode;
	size_t next;          /* to be fed, in FLOW and HALVES */
	size_t alone;         /* the one of ALONE */
	size_t n_suspects;    /* from first on */
	int64_t stale;        /* tags up to it mean nothing any more */
	size_t n_fed;         /* on their way, those behind the last mark: */
	size_t n_unmarked, unmarked_bytes;
	struct window_mark {
		size_t n;     /* events since the one before */
		int64_t from, to; /* their tags */
	} marks[WINDOW_MAX_MARKS], open;
	size_t first_mark, n_marks;
	uint64_t n_tries;
};

/* Zeroed it is empty. */
void window_clear(struct window *);

/* Is there room for more? */
bool window_has_room(const struct window *);

/* An event that was given, with the deaths that count against it already. */
void window_add(struct window *, int64_t tag, unsigned deaths, struct span);

/* The one added last is to be buried unfed, with this for a status. */
void window_condemn(struct window *, const char *status);

/*
 * Events up to that tag come again, with others: those that are not on their way
 * are forgotten, and the others are not fed again.
 */
void window_stale(struct window *, int64_t tag);

/* Events that are not done. */
size_t window_count(const struct window *);

static inline bool
window_is_empty(const struct window *w)
{
	return w->first == w->end;
}

/*
 * The event to be fed next, as a line with its '\n', which stays until the next
 * call; it counts as fed. false: none now.
 */
bool window_feed(struct window *, struct span *line);

/* Does all wait for a barrier behind what was fed? */
bool window_wants_mark(const struct window *);

/* A barrier goes behind what was fed. There must be fewer than MAX_MARKS. */
void window_mark(struct window *);

/*
 * The first barrier came back. false if no event was between; or the tags of
 * the first and last that are done, and with them all between.
 */
bool window_pass(struct window *, int64_t *from, int64_t *to);

/*
 * An event that one more death counts against, each once; or NULL. One with
 * MAX_DEATHS is to be buried and dropped.
 */
struct window_event *window_counted(struct window *);
void window_drop(struct window *, struct window_event *);

enum window_death {
	WINDOW_DEATH_IDLE,     /* it had no event */
	WINDOW_DEATH_SUSPECTS, /* it had several */
	WINDOW_DEATH_ALONE,    /* it had one, which is accused */
};

/* The command is gone, and what it had is to be fed again. */
void window_restart(struct window *);

/* The same, and it died of itself: how, and its last words. */
enum window_death window_died(struct window *, const char *status,
    struct span said);

#endif
