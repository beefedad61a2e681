/* SPDX-License-Identifier: MIT */
/* What the tools of domain 0 have in common: a program to measure, signals that end a wait. */
#ifndef TRACING_PROGRAM_H
#define TRACING_PROGRAM_H

#include <stdbool.h>
#include <sys/types.h>

/* SIGINT, SIGTERM and SIGHUP end a wait, not the program, from now on; SIGPIPE is an errno. */
void program_signals(void);
bool program_interrupted(void);

double program_now(void); /* seconds, of a clock that only goes forward */

/*
 * Wait so many seconds, or until a signal comes or one of two descriptors (-1: none) can be read:
 * which one, 0 or 1; -1: none.
 */
int program_wait(double seconds, int fd0, int fd1);

/*
 * Start a program, found as a shell does: its pid, and in *fd a descriptor that can be read when it
 * has ended.  -1 with errno.  out_to_stderr: standard output is ours alone.
 */
pid_t program_start(char **argv, bool out_to_stderr, int *fd);
/* Wait for its end, which a signal to us brings about: its exit status as a shell gives it. */
int program_end(pid_t pid, int fd);

#endif
