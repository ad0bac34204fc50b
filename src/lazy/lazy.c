/*
 * Libraries that are loaded late.
 */
#include "lazy/lazy.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/exitcode.h"

void *
lazy_find(void **handle, const char *library, const char *name)
{
	void *found = NULL;

	if (!*handle)
		*handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	if (*handle)
		found = dlsym(*handle, name);
	if (!found) {
		fprintf(stderr, "cannot load %s: %s\n", library, dlerror());
		exit(EX_SYSTEM);
	}
	return found;
}
