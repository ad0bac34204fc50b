/*
 * -q EVENTS: the event queue, opened for a program.
 */
#ifndef CMD_EVENT_QUEUE_H
#define CMD_EVENT_QUEUE_H

#include "cmd/stage.h"
#include "store/events.h"

/* Dies with 2 or 3. What the queue tells goes to standard error. */
struct events *event_queue_open(struct stage *, const char *path,
    struct events_wishes);

#endif
