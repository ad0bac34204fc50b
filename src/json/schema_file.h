/*
 * Schemas from files: a document's URI is where it lies, so that relative
 * references between files work.
 */
#ifndef JSON_SCHEMA_FILE_H
#define JSON_SCHEMA_FILE_H

#include "json/schema.h"

enum { SCHEMA_FILE_MAX_BYTES = 4 << 20 };

/* Add the file:// URI of a path, made absolute. */
void schema_file_uri(const char *path, struct buf *);

/*
 * Read a file into the set; the document's number, or -1 with the error, which
 * does not name the file. uri NULL: schema_file_uri's. Nothing is declared.
 */
int schema_file_read(struct schemas *, const char *path, const char *uri,
    struct error *);

/*
 * Read and declare all *.json below a directory. uri NULL: as above; else what
 * the directory is known as ("https://example.com/schemas", with or without a
 * slash at its end). 0, or -1 with a
 * line per fault in *reasons.
 */
int schema_file_read_dir(struct schemas *, const char *dir, const char *uri,
    struct buf *reasons);

#endif
