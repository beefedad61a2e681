/* SPDX-License-Identifier: MIT */
/*
 * Unwinding a Linux kernel's stack by its ORC tables (Linux 6.1, Documentation/x86/orc-unwinder.rst
 * and arch/x86/include/asm/orc_types.h): for each address where the previous frame is.
 *
 * Of the stack only some words are known: those that were recorded because they point into the
 * kernel's text or into the stack itself.  That is all the tables ask for.
 */
#ifndef TRACING_ORC_H
#define TRACING_ORC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As the kernel has it; reg: low 4 bits the stack pointer's base, high 4 bits rbp's. */
struct orc_entry {
    int16_t sp_offset, bp_offset;
    uint16_t regs;              /* bits 0-3 sp_reg, 4-7 bp_reg, 8-9 type, 10 end */
} __attribute__((packed));

struct orc_table {
    int32_t *ip;                /* entry i is for base + 4 * i + ip[i] and what follows; ascending */
    struct orc_entry *entry;
    size_t nr;
    uint64_t base;              /* where ip[0] is in the kernel */
    uint64_t start, end;        /* addresses that it speaks of */
};

struct orc_tables {
    struct orc_table *table;    /* the kernel's, and those of modules */
    size_t nr;
};

/* What is known of a stack: words by address. */
struct stack_word {
    uint64_t at, value;
};

struct stack_view {
    uint64_t rip, rsp, rbp;
    bool rip_is_return;         /* a return address: the call is before it */
    const struct stack_word *word; /* by ascending address */
    size_t nr;
    uint64_t text_start, text_end; /* where the kernel's code is */
};

enum unwind_end {
    UNWIND_DONE,                /* at the outermost frame */
    UNWIND_NO_ENTRY,            /* the tables do not have the address */
    UNWIND_NO_WORD,             /* a word was asked for that is not known */
    UNWIND_DEEP,                /* more frames than there is room for */
};

/* Whether an entry says that nothing is known of the stack: entry code. */
static inline bool orc_is_entry(const struct orc_entry *e)
{
    return !(e->regs & 15);
}

/* The entry for an address; NULL if there is none. */
const struct orc_entry *orc_find(const struct orc_tables *t, uint64_t ip);

/*
 * The frames of a stack, innermost first: ip[0] is v->rip, the others are return addresses (one
 * behind the call) but for those that an interrupt or exception came in at: *nr of them, `room` at
 * most.
 */
enum unwind_end orc_unwind(const struct orc_tables *t, const struct stack_view *v, uint64_t *ip,
                           size_t room, size_t *nr);

void orc_free(struct orc_tables *t);

#endif
