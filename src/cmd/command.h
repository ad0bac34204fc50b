/*
 * A command that is fed lines and gives lines: a process group of its own, with
 * three pipes that never block us.
 */
#ifndef CMD_COMMAND_H
#define CMD_COMMAND_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/line.h"
#include "base/span.h"

struct command {
	pid_t pid;  /* of the process, and of its group; 0: none runs */
	int in, out, err; /* our ends; -1: closed */
	struct line_reader lines; /* of out */
	struct buf said;          /* its last bytes on stderr */
	bool exited;
	int status; /* wait(2)'s, once it exited */
};

void command_init(struct command *);

/* 0, or -1 with the error. What can't be executed exits 127, as in a shell. */
int command_start(struct command *, char **argv, struct error *);

/* Write what the pipe takes: how much; -1: nobody reads it any more. */
ssize_t command_write(struct command *, const void *, size_t);
void command_close_input(struct command *);
void command_close_output(struct command *);

/* Read once what it says on stderr, and say it on ours. false: nothing. */
bool command_hear(struct command *);

/* Did it exit? Its group may live on. */
bool command_has_exited(struct command *);

/* May one of its processes live? It has our pipes, but for what it closed. */
bool command_is_held(const struct command *);

/* SIGTERM to the group. */
void command_terminate(const struct command *);

/* Kill the group, reap the process, release all but what it said. */
void command_end(struct command *);

/* "exit status 3", "signal 9 (Killed)"; once it exited. */
void command_how(const struct command *, struct buf *);

#endif
