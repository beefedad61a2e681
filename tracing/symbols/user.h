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
 * Note what process pid has mapped now, beside what it had before (a program that calls exec is another
 * one from then on): 0 or a negative errno; -ENOENT: it is gone.
 */
int user_symbols_note(struct user_symbols *u, uint32_t pid);
/* Whether an address of pid is in what was noted of it. */
bool user_symbols_knows(const struct user_symbols *u, uint32_t pid, uint64_t address);

/*
 * What is at that address of pid: hit->name and offset, hit->module the base name of the file, also
 * where no function is known (name ""; then offset is the address in the file).  False if nothing
 * is known of the address.  hit points to memory of u.
 */
bool user_symbols_lookup(struct user_symbols *u, uint32_t pid, uint64_t address,
                         struct symbol_hit *hit);

#endif
