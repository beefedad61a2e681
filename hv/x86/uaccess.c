/* SPDX-License-Identifier: MIT */
/*
 * Guest memory accesses that may fault.
 */
#include "hv/guest.h"

#include "hv/lib.h"
#include "hv/traps.h"

/* rep movsb/movsq whose fault leaves the bytes not done in n. */
static size_t copy_faulting(void *to, const void *from, size_t n)
{
    size_t words = n / 8, bytes = n % 8;

    __asm__ volatile("1: rep movsq\n"
                     "   mov %3, %%rcx\n"
                     "2: rep movsb\n"
                     "   jmp 4f\n"
                     "3: lea (%3, %%rcx, 8), %%rcx\n" /* words left, and all the odd bytes */
                     "4:\n"
                     EXTABLE("1b", "3b") EXTABLE("2b", "4b")
                     : "+c"(words), "+D"(to), "+S"(from) : "r"(bytes) : "memory");
    return words;
}

size_t copy_from_guest_va(void *to, uint64_t guest_va, size_t n)
{
    if (!guest_range_ok(guest_va, n))
        return n;
    return copy_faulting(to, (const void *)guest_va, n);
}

size_t copy_to_guest_va(uint64_t guest_va, const void *from, size_t n)
{
    if (!guest_range_ok(guest_va, n))
        return n;
    return copy_faulting((void *)guest_va, from, n);
}

size_t clear_guest_va(uint64_t guest_va, size_t n)
{
    if (!guest_range_ok(guest_va, n))
        return n;
    __asm__ volatile("1: rep stosb\n2:\n" EXTABLE("1b", "2b")
                     : "+c"(n), "+D"(guest_va) : "a"(0) : "memory");
    return n;
}

bool get_guest_u64(uint64_t guest_va, uint64_t *value)
{
    uint64_t v;

    if (!guest_range_ok(guest_va, 8))
        return false;
    __asm__ goto("1: mov (%1), %0\n" EXTABLE("1b", "%l[fault]") : "=&r"(v) : "r"(guest_va) : "memory" : fault);
    *value = v;
    return true;
fault:
    return false;
}

bool put_guest_u64(uint64_t guest_va, uint64_t value)
{
    if (!guest_range_ok(guest_va, 8))
        return false;
    __asm__ goto("1: mov %1, (%0)\n" EXTABLE("1b", "%l[fault]") :: "r"(guest_va), "r"(value) : "memory" : fault);
    return true;
fault:
    return false;
}

int cmpxchg_guest_u64(uint64_t guest_va, uint64_t *old, uint64_t new_value)
{
    uint64_t expected = *old;

    if (!guest_range_ok(guest_va, 8))
        return -1;
    __asm__ goto("1: lock cmpxchg %2, (%1)\n" EXTABLE("1b", "%l[fault]")
                 : "+a"(expected) : "r"(guest_va), "r"(new_value) : "memory", "cc" : fault);
    if (expected == *old)
        return 0;
    *old = expected;
    return 1;
fault:
    return -1;
}

struct extable_entry { int32_t from, to; };
extern const struct extable_entry __ex_table_start[], __ex_table_end[];

uint64_t extable_lookup(uint64_t rip)
{
    for (const struct extable_entry *e = __ex_table_start; e < __ex_table_end; e++)
        if ((uint64_t)&e->from + e->from == rip)
            return (uint64_t)&e->to + e->to;
    return 0;
}
