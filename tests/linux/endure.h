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
    int empty; /* `zero` is another file, which has nothing to read */
    struct stat stat;
    int offset, cloexec, umask, handler, blocked, waiting;
    uid_t user;
    unsigned int limit;
    char release[65];
    uint64_t brk, spent, memory, random;
    long second; /* that the last call said */
    uint64_t answers; /* right ones */
    char wrong[256];  /* the first that was not */
};

uint64_t random_below(struct known *k, uint64_t n);
/* One answer; false: k->wrong says so. */
bool known_is(struct known *k, const char *what, long got, long wanted);

/* Of the calling task; opens its files below `folder`. */
bool known_begin(struct known *k, const char *folder, bool alone, uint64_t seed);
/* The same for another thread of a process, as it was when it had begun, with what threads do not share. */
bool known_thread(struct known *k, const struct known *process, const char *folder, uint64_t seed);

#define KNOWN_CALLS 21u

extern const struct known_call {
    bool (*call)(struct known *k);
    /* Who makes it: every thread; those of several threads less often, since the way to a file that is
     * theirs alone is another; one thread of a process, whose answers others would change. */
    enum { EACH, RARELY_EACH, ONE_OF_PROCESS } of;
    unsigned int nr;
    struct { unsigned int number; const char *name; } makes[3]; /* system calls */
} known_call[KNOWN_CALLS];

/* Shared between all tasks: which calls to make, by place in known_call[]. */
struct wanted {
    struct call_set {
        volatile unsigned int nr;
        volatile unsigned char call[KNOWN_CALLS];
    } handled, behind; /* have handlers now; and were handled less often than the others of these */
    volatile int settled; /* no more are to come, it seems */
};

/* Makes one of the calls up to `most` times.  False: k->wrong says which answer was not right. */
bool known_calls(struct known *k, const struct wanted *wanted, unsigned int most);
/* ------------------------------------------------------------------ endure_family.c */

/* A child that is told who its parent is, before and after that one has died. */
bool known_orphan(struct known *k);
/* A child's child in a process namespace of its own. */
bool known_namespace(struct known *k);

/* ------------------------------------------------------------------ endure_count.c */

/* What the hypervisor counts; handlers that are gone keep what they had when they were seen last. */
struct counted {
    uint64_t hits, agreed, disagreed, voided;
    uint64_t vcpus, text; /* retired for a change of vCPUs, of text */
    uint32_t handlers;    /* that ever were active */
    uint32_t active;      /* and have answered */
};

/* Has one run in `period` compared.  Ends the program if that cannot be. */
void count_begin(uint32_t period);
/* Reads the counters, and says what is wanted. */
struct counted count_look(struct wanted *wanted);
/* Of each call, as members of a JSON object. */
void count_tell(void);

#endif
