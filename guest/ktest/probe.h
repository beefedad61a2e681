/* SPDX-License-Identifier: MIT */
/* Accesses that may fault: each returns whether it did, the exception is this_cpu()->last. */
#ifndef KTEST_PROBE_H
#define KTEST_PROBE_H

#include "ktest.h"

/* Runs one instruction; true if it faulted. Operands as for asm; more than one line for two. */
#define PROBE_ASM(instruction, outputs, inputs, ...)                                               \
    ({                                                                                             \
        unsigned long before_ = this_cpu()->fixups;                                                \
        asm volatile("1: " instruction "\n2:\n" EXTABLE(1b, 2b)                                    \
                     : outputs                                                                     \
                     : inputs                                                                      \
                     : "memory", "cc" __VA_OPT__(, ) __VA_ARGS__);                                 \
        this_cpu()->fixups != before_;                                                             \
    })
#define PROBE_ARGS(...) __VA_ARGS__

static inline bool probe_read(const volatile void *address)
{
    uint8_t value;

    return PROBE_ASM("movb %1, %0", "=q"(value), "m"(*(const volatile uint8_t *)address));
}

static inline bool probe_write64(volatile void *address, uint64_t value)
{
    return PROBE_ASM("movq %1, %0", "=m"(*(volatile uint64_t *)address), "r"(value));
}

#endif
