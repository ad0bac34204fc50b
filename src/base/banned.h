/*
 * Functions that nobody here may call: they write without a bound, hide a
 * failure, or keep state. Included before every file by the Makefile; the
 * headers that declare them come first, so that only our own use is an error.
 */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#pragma GCC poison strcpy strcat strncpy strncat stpcpy sprintf vsprintf gets
#pragma GCC poison strtok strtok_r atoi atol atoll atof asctime ctime gmtime
#pragma GCC poison localtime tmpnam mktemp alloca system popen srand

/* Libcrypto's headers call parameters so: only its use is no syntax. */
#define rand() (rand is banned)

#endif
