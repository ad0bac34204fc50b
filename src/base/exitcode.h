/*
 * Exit codes, the same in all programs (DESIGN.md 5). A failure is classed
 * where it happens; the program's code follows from the worst class met.
 */
#ifndef BASE_EXITCODE_H
#define BASE_EXITCODE_H

enum exitcode {
	EX_ALL_WELL = 0,
	EX_REJECTED = 1, /* some records were rejected or ended dead */
	EX_SETUP = 2,    /* wrong usage or configuration */
	EX_SYSTEM = 3,   /* I/O, full disk, store */
};

#endif
