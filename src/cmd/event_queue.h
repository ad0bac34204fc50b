/*
 * -q EVENTS: the event queue, opened for a program.
 */
#ifndef CMD_EVENT_QUEUE_H
#define CMD_EVENT_QUEUE_H

#include "cmd/stage.h"
#include "store/events.h"

/* Dies with 2 or 3. patience_ms and drain are those of struct events_wishes. */
struct events *event_queue_open(struct stage *, const char *path,
    int64_t patience_ms, bool drain);

#endif
