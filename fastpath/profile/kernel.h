/* SPDX-License-Identifier: MIT */
/*
 * The kernel of domain 0, that this program runs on: its text and read-only data through
 * /proc/kcore, its symbols from /proc/kallsyms.
 */
#ifndef PROFILE_KERNEL_H
#define PROFILE_KERNEL_H

#include "prof.h"

/* NULL with the reason in error: synthesis goes on without, and folds nothing. */
struct prof_kernel *kernel_open(char *error, size_t size);
void kernel_close(struct prof_kernel *k);

#endif
