/*
 * Stand-ins for a library's functions: linked in its place, they load it when one
 * of them is first called. The library's own headers hold them to its types, and a
 * use of any other function does not link.
 *
 * What can't be loaded is no error that a caller could handle: it ends the
 * program, as the dynamic linker would have at the start.
 */
#ifndef LAZY_LAZY_H
#define LAZY_LAZY_H

/* The function of that name, of the library that *handle is or becomes. */
void *lazy_find(void **handle, const char *library, const char *name);

/*
 * LAZY(type, name, (parameters), arguments): needs LIBRARY, and `library`, a
 * static void *. A function pointer and an object pointer are one size (POSIX,
 * dlsym).
 */
#define LAZY(type, name, parameters, ...)                               \
	type name parameters                                            \
	{                                                               \
		static type(*real) parameters;                          \
		if (!real)                                              \
			*(void **)&real = lazy_find(&library, LIBRARY, #name); \
		return real(__VA_ARGS__);                               \
	}

#endif
