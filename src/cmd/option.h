/*
 * Options, read by getopt_long(3), and what is wrong with them in our words.
 */
#ifndef CMD_OPTION_H
#define CMD_OPTION_H

#include <getopt.h>
#include <stdint.h>

#include "cmd/stage.h"

/*
 * getopt_long, which however keeps silent: where it returns '?' a diagnostic
 * said why, with the long option that was meant if one is near.
 */
int option_next(const struct stage *, int argc, char **argv,
    const char *letters, const struct option *);

/* A duration, in ms; or the program ends with what it may be. */
int64_t option_duration(struct stage *, const char *option, const char *arg,
    int64_t min_ms, int64_t max_ms);

#endif
