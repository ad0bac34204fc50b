/*
 * Preloaded by tests: each statement that SQLite is to prepare is written to the
 * file $SQL_LOG, a line each.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sqlite3;
struct sqlite3_stmt;

int sqlite3_prepare_v2(struct sqlite3 *, const char *, int,
    struct sqlite3_stmt **, const char **);
int sqlite3_prepare_v3(struct sqlite3 *, const char *, int, unsigned,
    struct sqlite3_stmt **, const char **);

static void
note(const char *sql)
{
	const char *path = getenv("SQL_LOG");
	FILE *f = path ? fopen(path, "a") : NULL;

	if (!f)
		return;
	fprintf(f, "%s;\n", sql);
	fclose(f);
}

int
sqlite3_prepare_v2(struct sqlite3 *db, const char *sql, int n,
    struct sqlite3_stmt **stmt, const char **tail)
{
	note(sql);
	return ((__typeof__(&sqlite3_prepare_v2))dlsym(RTLD_NEXT,
	    "sqlite3_prepare_v2"))(db, sql, n, stmt, tail);
}

int
sqlite3_prepare_v3(struct sqlite3 *db, const char *sql, int n, unsigned flags,
    struct sqlite3_stmt **stmt, const char **tail)
{
	note(sql);
	return ((__typeof__(&sqlite3_prepare_v3))dlsym(RTLD_NEXT,
	    "sqlite3_prepare_v3"))(db, sql, n, flags, stmt, tail);
}
