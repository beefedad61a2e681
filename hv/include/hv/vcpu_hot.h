/* SPDX-License-Identifier: MIT */
/*
 * struct vcpu_hot: the topmost bytes of every stack, and all that the entry stubs touch.
 *
 * A vCPU runs in the hypervisor on a stack of its own (so a hypercall may block in the middle);
 * `hot` is found from the stack pointer alone.  Stacks of the CPUs (idle, IST) end in one as
 * well, with vcpu == the idle vCPU or NULL.
 *
 * The flags word is tested once per entry and once per exit.  Its bytes have one writer each:
 *   byte 0  mode: 0 guest user, 1 guest kernel.   Written by the vCPU itself.
 *   byte 1  work: somebody wants this vCPU to look.  Set from anywhere (hot_raise_work()).
 *   byte 2  odd:  this vCPU is in a state that the lean paths do not handle.  Own CPU.
 *   byte 3  instrumentation: tracing, capture, handlers.  Bit by bit, from anywhere.
 */
#ifndef HV_VCPU_HOT_H
#define HV_VCPU_HOT_H

#include "hv/config.h"

#define HOT_KERNEL          0x00000001 /* byte 0 */
#define HOT_WORK            0x00000100 /* byte 1 */
#define HOT_ODD_MASKED_USER 0x00010000 /* byte 2: user mode with upcalls masked */
#define HOT_ODD_SYSCALL     0x00020000 /* no usable syscall callback, or it keeps events unmasked */
#define HOT_ODD_NO_USER     0x00100000 /* there is no user L4: user mode cannot be entered */
#define HOT_ODD_IOPL        0x00200000 /* frames show the I/O privilege level (vm_assist) */
#define HOT_ODD_NMI         0x00080000 /* an NMI is to be delivered */
#define HOT_ODD_DEBUG       0x00400000 /* a hardware breakpoint is on */
#define HOT_TRACE           0x01000000 /* byte 3: entries are recorded (hv/trace) */
#define HOT_SITES_EXACT     0x02000000 /* every entry is timed (hv/trace/sites.c) */
#define HOT_SITES_OPEN      0x04000000 /* this entry is a sample: it is timed */
#define HOT_SITES_BOUNCE    0x08000000 /* a sample is with the guest kernel: its iret is timed */
#define HOT_SITES           (HOT_SITES_EXACT | HOT_SITES_OPEN | HOT_SITES_BOUNCE)
#define HOT_FAST            0x10000000 /* byte 3: fast handlers for system calls are attached, or a capture waits for one */
#define HOT_FAST_TRAP       0x20000000 /* byte 3: the same of exceptions */
#define HOT_STEP            0x80000000 /* byte 3: a capture or a comparison under way needs every entry */

#define HOT_HANDLERS (HOT_FAST | HOT_FAST_TRAP)

#define SITE_BOUNCED    0x80       /* with the kind in vcpu_hot.site_key: the sign of that byte */
#define SITE_GIVEN_HIGH 0x80000000 /* of vcpu_hot.site_given's upper half */

#ifndef __ASSEMBLER__

#include "hv/types.h"
#include "hv/xenpub.h"

#define SITE_GIVEN ((uint64_t)SITE_GIVEN_HIGH << 32)
#define SITE_GIVEN_NOTHING (~0ul - 1) /* or nobody knows what */

struct vcpu;
struct cpu;

struct vcpu_hot {
    uint64_t segs[4];           /* top of struct cpu_user_regs: es, ds, fs, gs; scratch */
    uint32_t flags;             /* HOT_* */
    uint32_t site_hypercall;    /* the number of the last one */
    struct vcpu_info *info;     /* where upcall mask and pending flag are (direct map) */
    uint64_t kernel_cr3;        /* the guest kernel's L4, as for CR3 */
    uint64_t user_cr3;          /* the guest user's L4; 0 = none yet */
    uint64_t kernel_frame;      /* guest kernel stack top, 16-aligned, less a syscall frame */
    uint64_t kernel_sp;         /* as set by stack_switch */
    uint64_t syscall_rip;       /* CALLBACKTYPE_syscall */
    uint64_t page_fault_rip;    /* trap table entry 14 if it masks upcalls, else 0 */
    struct vcpu *vcpu;
    struct cpu *cpu;            /* where it runs, or ran last */
    uint64_t scratch;

    /* Hot sites (hv/trace/sites.c).  The kind in a key is 0 while there is no such entry. */
    uint32_t site_countdown;    /* entries up to the next sample */
    uint32_t site_period;
    struct site_row *site_rows; /* the table of the CPU where it runs */
    uint64_t site_key, site_address, site_entry; /* the entry it is in: what, where, TSC */
    uint64_t bounce_key, bounce_address, bounce_entry; /* the one that the guest kernel works on */
    uint64_t bounce_cost;       /* of that one up to the return to the guest kernel; 32 bits */
    uint64_t site_rdx;          /* scratch */
    uint64_t site_base;         /* of hypercalls' keys: domain, vCPU and kind */
    struct site_row *site_iret_row; /* of its iret hypercalls */
    struct site_row *site_found; /* from C to assembly */
    uint64_t site_given;        /* what the guest kernel was given last: rax of a system call, or
                                   SITE_GIVEN | vector << 32 | error code */
    uint8_t site_sub_masks[64]; /* as hv/trace/sites_op.c has them */
    struct fast_counts *const *fast_lean; /* by system call: lean handlers, on the CPU where it runs */
    struct fast_cpu *fast_work; /* of that CPU; both while the domain has handlers */
    const void *hypercalls;     /* hypercall_table, or its domain's own with fast handlers in it */
    uint8_t fast_map[128];      /* bit per system call: there is a handler */
    uint8_t fast_faults[16];    /* bit per low bits of an address: page faults there may have one */
};

/* Bytes change one by one, since each has its own writers; byte 2 from other CPUs in rare cases. */
static inline void hot_set_odd(struct vcpu_hot *h, uint32_t odd)
{
    __atomic_or_fetch((uint8_t *)&h->flags + 2, (uint8_t)(odd >> 16), __ATOMIC_RELAXED);
}

static inline void hot_clear_odd(struct vcpu_hot *h, uint32_t odd)
{
    __atomic_and_fetch((uint8_t *)&h->flags + 2, (uint8_t) ~(odd >> 16), __ATOMIC_RELAXED);
}

/* HOT_* of byte 3, from anywhere: on or off, each on its own. */
static inline void hot_set_instrumented(struct vcpu_hot *h, uint32_t flags, bool on)
{
    uint8_t *byte = (uint8_t *)&h->flags + 3, bits = (uint8_t)(flags >> 24);

    if (on)
        __atomic_or_fetch(byte, bits, __ATOMIC_SEQ_CST);
    else
        __atomic_and_fetch(byte, (uint8_t)~bits, __ATOMIC_SEQ_CST);
}

_Static_assert(sizeof(struct vcpu_hot) % 16 == 0, "frames below stay aligned");

static inline struct vcpu_hot *hot(void)
{
    uintptr_t sp;

    __asm__("mov %%rsp, %0" : "=r"(sp));
    return (struct vcpu_hot *)((sp | (STACK_BLOCK - 1)) + 1 - sizeof(struct vcpu_hot));
}

static inline struct vcpu *current(void)
{
    return hot()->vcpu;
}

static inline struct cpu *this_cpu(void)
{
    return hot()->cpu;
}

#endif
#endif
