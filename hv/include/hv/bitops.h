/* SPDX-License-Identifier: MIT */
/*
 * Bits of memory that guests and other CPUs change at the same time (locked), and plain ones.
 */
#ifndef HV_BITOPS_H
#define HV_BITOPS_H

#include "hv/types.h"

static inline bool test_and_set_bit(unsigned int n, void *p)
{
    bool old;
    __asm__ volatile("lock btsq %2, %1" : "=@ccc"(old), "+m"(*(volatile uint64_t *)p)
                     : "r"((uint64_t)n) : "memory");
    return old;
}

static inline bool test_and_clear_bit(unsigned int n, void *p)
{
    bool old;
    __asm__ volatile("lock btrq %2, %1" : "=@ccc"(old), "+m"(*(volatile uint64_t *)p)
                     : "r"((uint64_t)n) : "memory");
    return old;
}

static inline void set_bit(unsigned int n, void *p)
{
    __asm__ volatile("lock btsq %1, %0" : "+m"(*(volatile uint64_t *)p) : "r"((uint64_t)n)
                     : "memory");
}

static inline void clear_bit(unsigned int n, void *p)
{
    __asm__ volatile("lock btrq %1, %0" : "+m"(*(volatile uint64_t *)p) : "r"((uint64_t)n)
                     : "memory");
}

static inline bool test_bit(unsigned int n, const void *p)
{
    return (READ_ONCE(((const uint64_t *)p)[n / 64]) >> (n % 64)) & 1;
}

#endif
