/* SPDX-License-Identifier: MIT */
/*
 * Hypercall handlers.  They run on the calling vCPU's stack with interrupts off and the guest
 * kernel's address space loaded; they return 0 or a positive result, or -XEN_E*.
 */
#ifndef HV_HYPERCALL_H
#define HV_HYPERCALL_H

#include "hv/types.h"

typedef long (*hypercall_fn)(unsigned long, unsigned long, unsigned long, unsigned long,
                             unsigned long, unsigned long);

#define NR_HYPERCALLS 56

/*
 * Stubs around SYSCALL that keep rcx and r11, as the ABI promises it of the hypercall page (hv/boot/
 * dom0.c) and as kernels without one have them: the first three bytes behind SYSCALL are pop %r11,
 * pop %rcx; above what the stub pushed lies the caller's address.
 */
#define HYPERCALL_STUB_TAIL 0x595b41
#define HYPERCALL_STUB_PUSHES 16

extern const hypercall_fn hypercall_table[NR_HYPERCALLS];
/* NULL for numbers without a handler. */
const char *hypercall_name(unsigned int number);

#define HYPERCALL(nr, name, handler, nargs, doc)                                                   \
    long handler(unsigned long a1, unsigned long a2, unsigned long a3, unsigned long a4,           \
                 unsigned long a5, unsigned long a6);
#include "public/hypercalls.def"
#undef HYPERCALL

/* The parameter list of a handler, for those that take fewer. */
#define HCALL_UNUSED __attribute__((unused)) unsigned long
#define HCALL_ARGS1(a) \
    unsigned long a, HCALL_UNUSED a2_, HCALL_UNUSED a3_, HCALL_UNUSED a4_, HCALL_UNUSED a5_, HCALL_UNUSED a6_
#define HCALL_ARGS2(a, b) \
    unsigned long a, unsigned long b, HCALL_UNUSED a3_, HCALL_UNUSED a4_, HCALL_UNUSED a5_, HCALL_UNUSED a6_
#define HCALL_ARGS3(a, b, c) \
    unsigned long a, unsigned long b, unsigned long c, HCALL_UNUSED a4_, HCALL_UNUSED a5_, HCALL_UNUSED a6_
#define HCALL_ARGS4(a, b, c, d) \
    unsigned long a, unsigned long b, unsigned long c, unsigned long d, HCALL_UNUSED a5_, HCALL_UNUSED a6_

#endif
