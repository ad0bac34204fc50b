/*
 * Signals arrive in the poll loop: each makes a descriptor readable.
 */
#ifndef CMD_SIGNALS_H
#define CMD_SIGNALS_H

#include "base/error.h"

/*
 * Catch SIGTERM, SIGINT (unless it is ignored, as in a shell's background job)
 * and SIGCHLD. The descriptor to poll, once a process; -1 with the error.
 */
int signals_open(struct error *);

/* How many SIGTERM and SIGINT came since the last call. */
unsigned signals_take(void);

#endif
