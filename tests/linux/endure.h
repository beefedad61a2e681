/* SPDX-License-Identifier: MIT */
/* System calls whose answers are known (endure_calls.c), for endure.c. */
#ifndef ENDURE_H
#define ENDURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* What one task knows of itself, and so what it must be told. */
struct known {
    pid_t process, thread, parent;
    bool alone; /* no other thread of the process: what they share is this one's, too */
    int zero, null, file, next, pipe[2]; /* next: what dup() gives */
    struct stat stat;
    int offset, cloexec, umask, handler, blocked, waiting;
    uid_t user;
    unsigned int limit;
    char release[65];
    uint64_t brk, spent, memory, random;
    uint64_t answers; /* right ones */
    char wrong[256];  /* the first that was not */
};

uint64_t random_below(struct known *k, uint64_t n);

/* Of the calling task; opens its files below `folder`. */
bool known_begin(struct known *k, const char *folder, bool alone, uint64_t seed);
/* The same for another thread of a process that has begun: its files, and only what threads do not share. */
void known_thread(struct known *k, const struct known *process, uint64_t seed);

/* Makes one of the calls up to `most` times.  False: k->wrong says which answer was not right. */
bool known_calls(struct known *k, unsigned int most);
/* A child that is told who its parent is, before and after that one has died. */
bool known_orphan(struct known *k);

#endif
