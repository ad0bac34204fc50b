/*
 * What hook-admin's commands on a delivery queue share. They die with what is
 * wrong.
 */
#ifndef CMD_ADMIN_HISTORY_H
#define CMD_ADMIN_HISTORY_H

#include "base/table.h"
#include "cmd/admin.h"
#include "store/history.h"

struct history {
	struct admin *admin;
	struct queue *queue;
	bool table;          /* for people */
	struct table rows;
	size_t n;            /* calls given */
	size_t limit;        /* of --follow; 0: none */
	int64_t first, last; /* seqs of them; replay */
};

_Noreturn void history_die(struct history *, const struct error *);

/* A queue that is not there is not made. */
void history_open(struct history *, struct admin *);

struct history_filter history_read_filter(struct admin *);

/* A time (RFC 3339), or how long ago: "2h", "7d". */
int64_t history_time(struct admin *, const char *option, const char *text);

/* The call that an operand means, by number or id; 0: there is none. */
int64_t history_seq_of(struct history *, const char *text);
void history_say_absent(struct history *, const char *text);

extern const char *const history_heads[]; /* of calls; for rows */

/* Print a call; a row is printed by history_print_rows, if this is a table. */
void history_give_call(void *history, const struct history_call *);
void history_print_rows(struct history *);

#endif
