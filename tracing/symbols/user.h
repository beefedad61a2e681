/* SPDX-License-Identifier: MIT */
/*
 * Names for user addresses of many processes: what each has mapped, and the symbols of those files,
 * read once.
 */
#ifndef TRACING_USER_SYMBOLS_H
#define TRACING_USER_SYMBOLS_H

#include "elfsyms.h"
#include "maps.h"

struct user_symbols;

struct user_symbols *user_symbols_new(void);
void user_symbols_free(struct user_symbols *u);

/*
 * A process is a number and the name that the kernel has for it (comm, filled up with zeros): exec gives it
 * another one, and what is mapped then is another program's.
 *
 * Note what a process has mapped now, beside what it had before: 0 or a negative errno.  -ENOENT: it is
 * gone; what was noted last of a process of that name is taken for it, since what fork leaves is
 * alike.  -EAGAIN: that was done too often.
 */
int user_symbols_note(struct user_symbols *u, uint32_t pid, const char comm[16]);
/* Whether an address of a process is in what was noted of it. */
bool user_symbols_knows(const struct user_symbols *u, uint32_t pid, const char comm[16],
                        uint64_t address);

/*
 * What is at that address of a process: hit->name and offset, hit->module the base name of the file, also
 * where no function is known (name ""; then offset is the address in the file).  False if nothing
 * is known of the address.  hit points to memory of u.
 */
bool user_symbols_lookup(struct user_symbols *u, uint32_t pid, const char comm[16],
                         uint64_t address, struct symbol_hit *hit);

/* n bytes of that file at an address of a process; false if there are not so many. */
bool user_symbols_code(const struct user_symbols *u, uint32_t pid, const char comm[16],
                       uint64_t address, void *bytes, size_t n);

#endif
