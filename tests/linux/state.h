/* SPDX-License-Identifier: MIT */
/* The parts of the program `state`: what the guest's state decides about hot system calls. */
#ifndef TESTS_LINUX_STATE_H
#define TESTS_LINUX_STATE_H

#include <stdbool.h>
#include <sys/types.h>

#include "handled.h"

/* Raw system calls: libc answers some of them itself.  Negative errno, as the kernel gives it.  Arguments of
 * 64 bits must be long or pointers. */
long raw(long number, ...);

#define RIGHT(condition)                                                                           \
    ((condition) ? (void)0 : die("%s:%d: wrong: %s", __func__, __LINE__, #condition))

/* A child does it; its checks end it, and with it the program. */
pid_t child(void (*body)(void *), void *arg);
void ended(pid_t pid);
/* A field of /proc/PID/status, in a base. */
long status_of(pid_t pid, const char *field, int base);

extern int zero, null, file; /* descriptors that the hot calls use */

/* state_tasks.c */
void parents(void), namespaces(void), users(void), threads(void), traced(void), signals(void);
/* state_files.c */
void descriptors(void), positions(void), notified(void), accounted(void), locks(void), masks(void);
/* state_memory.c */
void buffers(void), copies(void), shared_pages(void), pressure(void);

#endif
