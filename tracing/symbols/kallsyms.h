/* SPDX-License-Identifier: MIT */
/*
 * Symbols of the kernel that this program runs on, from /proc/kallsyms: one text line a symbol,
 * "address type name [module]".  A module that is loaded later has none until they are read again.
 */
#ifndef TRACING_KALLSYMS_H
#define TRACING_KALLSYMS_H

#include "symtab.h"

#define KALLSYMS_FILE "/proc/kallsyms"
#define MODULES_FILE "/proc/modules"

/*
 * Add the symbols of that file to t and sort it.  0, or a negative errno: -EPERM when the kernel
 * shows no addresses (kptr_restrict, or not root), -ENODATA when it holds no symbol.
 */
int kallsyms_read(struct symtab *t, const char *file);

/*
 * A number that changes when modules come, go or move: 0 if it cannot be told.  Compare before
 * names are given; a change means that the table is to be read again.
 */
uint64_t kallsyms_generation(const char *modules_file);

#endif
