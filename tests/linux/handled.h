/* SPDX-License-Identifier: MIT */
/* For test programs that make system calls hot and ask the hypervisor what became of them. */
#ifndef TESTS_LINUX_HANDLED_H
#define TESTS_LINUX_HANDLED_H

#include <stdbool.h>
#include <stdint.h>

#include "public/radon.h"

/* One system call with its arguments; it says whether the answer was right. */
struct call {
    const char *name;
    long number;
    bool (*make)(void);
};

/* What ended up where, of the newest handler for a system call. */
struct handled {
    uint32_t id, state, reason; /* id 0: there is none */
    uint64_t hits, passes, compared;
};

/* false: no hypervisor that knows handlers. */
bool handled_open(void);
struct handled handled_by(long number);
/* The handler of that number; id 0: it is gone. */
struct handled handled_of(uint32_t id);
/* Makes the call until a handler answers for it: a false answer, or too long a time, ends the
 * program. */
struct handled handled_wait(const struct call *c);
/* The same, for several calls at once, at least `least` of them; how many. */
unsigned int handled_wait_many(const struct call *c, unsigned int n, unsigned int least);
/* Runs of this handler since before: hits, passes and comparisons with the guest kernel. */
uint64_t handled_runs(const struct handled *before, const struct handled *now);

__attribute__((format(printf, 1, 2), noreturn)) void die(const char *format, ...);

#endif
