/*
 * A file that records are appended to, by several programs at a time: 0600,
 * O_APPEND, one write(2) a record.
 */
#ifndef BASE_APPEND_H
#define BASE_APPEND_H

#include <stdbool.h>

#include "base/error.h"
#include "base/span.h"

struct append {
	const char *what; /* for errors: "rejects"; borrowed */
	int fd;           /* -1: no file */
	char *path;       /* its folder is to be synced, too; NULL: it was */
	bool dirty;       /* something was written since append_sync */
	bool torn;        /* what stands there ends within a record */
};

/* Created if absent. path NULL or empty: no file. 0, or -1 with the error. */
int append_open(struct append *, const char *what, const char *path,
    struct error *);
int append_close(struct append *, struct error *);

/*
 * One write(2), and on a line of its own, whatever became of the record before it;
 * without a file, nothing. 0, or -1 with the error: the record may be there in part,
 * and who opens the file next ends its line.
 */
int append_write(struct append *, struct span, struct error *);

/*
 * What was written is on disk, and the file's name with it. Where it went to no
 * file there is nothing to wait for. 0, or -1 with the error.
 */
int append_sync(struct append *, struct error *);

#endif
