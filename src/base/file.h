/*
 * Whole files.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

/*
 * Append a file's bytes, of which there may be max_bytes. 0, or -1 with the
 * error ("cannot open: …"; it does not name the file).
 */
int file_read(const char *path, size_t max_bytes, struct buf *, struct error *);

/*
 * Make it hold the text, whole at any time, for whoever reads it: what is there
 * is replaced by rename(2), but only if it is a regular file that is empty or
 * begins as the text does: what has been given the name of another file by
 * mistake does no harm. Not synced: after a loss of power it may be empty. 0, or
 * -1 with the error (which does not name the file).
 */
int file_replace(const char *path, mode_t, struct span text, struct error *);

/*
 * Can nobody but its owner read or write it? systemd's LoadCredential= hands out
 * copies that belong to root, are in a folder for the service alone, and are
 * opened to it by an entry of their ACL, which shows as the right of the group:
 * straight in $CREDENTIALS_DIRECTORY the group may read a file of root's or ours.
 */
bool file_is_private(const char *path, const struct stat *);

/*
 * Open a regular file that is private. *st (if not NULL) is its state, zeroed if
 * there is none. NULL with the error.
 */
FILE *file_open_private(const char *path, struct stat *st, struct error *);

#endif
