/*
 * The one place that runs out of memory.
 */
#include "base/alloc.h"

#include <stdint.h>
#include <unistd.h>

#include "base/exitcode.h"

static _Noreturn void
die(void)
{
	static const char msg[] = "evpipe: out of memory\n";
	ssize_t n = write(STDERR_FILENO, msg, sizeof(msg) - 1);

	(void)n;
	_exit(EX_SYSTEM);
}

void *
alloc_zero(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p)
		die();
	return p;
}

void *
alloc_resize(void *p, size_t n, size_t size)
{
	if (size && n > SIZE_MAX / size)
		die();
	p = realloc(p, n && size ? n * size : 1);
	if (!p)
		die();
	return p;
}

char *
alloc_copy(const void *p, size_t len)
{
	char *s = alloc_resize(NULL, len + 1, 1);

	if (len)
		memcpy(s, p, len);
	s[len] = '\0';
	return s;
}

void *
alloc_grow(void *p, size_t *cap, size_t need, size_t size)
{
	size_t n = *cap ? *cap : 8;

	if (need <= *cap)
		return p;
	while (n < need) {
		if (n > SIZE_MAX / 2)
			die();
		n *= 2;
	}
	p = alloc_resize(p, n, size);
	*cap = n;
	return p;
}
