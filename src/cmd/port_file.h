/*
 * --port-file: where a server tells the port that it was given.
 */
#ifndef CMD_PORT_FILE_H
#define CMD_PORT_FILE_H

#include "cmd/stage.h"

/* Written beside it and renamed, so that it is there at once; dies with 2 or 3. */
void port_file_write(struct stage *, const char *path, unsigned port);

#endif
