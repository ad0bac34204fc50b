/*
 * Whole files.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

/*
 * Append a file's bytes, of which there may be max_bytes. 0, or -1 with the
 * error ("cannot open: …"; it does not name the file).
 */
int file_read(const char *path, size_t max_bytes, struct buf *, struct error *);

#endif
