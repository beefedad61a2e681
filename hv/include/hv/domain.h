/* SPDX-License-Identifier: MIT */
/*
 * Domains and vCPUs.
 */
#ifndef HV_DOMAIN_H
#define HV_DOMAIN_H

#include "hv/mm.h"
#include "hv/spinlock.h"
#include "hv/types.h"
#include "hv/vcpu_hot.h"
#include "hv/xenpub.h"

struct event_state;
struct vcpu_event_state;
struct grant_table;

/* FPU image: XSAVE area, standard format; 64-aligned. */
struct fpu_state;

struct guest_trap {
    uint64_t address;
    uint16_t cs;
    uint8_t flags; /* TI_* as set_trap_table's: bits 0-1 DPL, bit 2 mask events */
};

struct callback {
    uint64_t address;
    bool mask_events;
};

enum vcpu_runstate_hv { VCPU_RUNNING, VCPU_RUNNABLE, VCPU_BLOCKED, VCPU_OFFLINE };

struct timer {
    uint64_t deadline; /* system time, ns */
    void (*fn)(void *arg);
    void *arg;
    struct cpu *cpu;   /* whose queue it is on; NULL = not queued */
    struct timer *next;
};

struct vcpu {
    uint32_t id;
    struct domain *domain;
    struct vcpu_hot *hot;
    uint64_t saved_sp;           /* hypervisor stack pointer while not running */

    /* Memory (hv/mm): the L4 tables it holds references on. */
    mfn_t kernel_l4, user_l4;

    /* Traps and callbacks (hv/x86). */
    struct guest_trap traps[256];
    struct callback event_cb, failsafe_cb, nmi_cb, syscall32_cb, sysenter_cb;
    bool syscall_masks_events;
    uint16_t kernel_ss;
    uint64_t iopl;               /* virtual IOPL, 0-3 */
    uint8_t *iobmp;              /* guest's I/O permission bitmap (guest VA), or NULL */
    uint32_t iobmp_limit;        /* ports */
    bool nmi_pending, nmi_masked;

    /* Descriptor tables. */
    mfn_t gdt_frames[GDT_GUEST_PAGES];
    uint32_t gdt_entries;        /* 0..7168 */
    uint64_t ldt_base;           /* guest linear address */
    uint32_t ldt_entries;
    mfn_t ldt_frames[16];

    /* Processor state kept while not running. */
    uint64_t fs_base, gs_base_kernel, gs_base_user;
    uint16_t ds, es, fs, gs;
    uint64_t dr[8];
    uint64_t vcr0, vcr4;         /* CR0.TS and CR4 as the guest sees them */
    uint64_t xcr0;
    struct fpu_state *fpu;

    /* Events (hv/event). */
    struct vcpu_event_state *ev;
    struct timer singleshot, periodic, poll_timer;
    uint64_t period_ns;

    /* Scheduling and accounting. */
    enum vcpu_runstate_hv state;
    bool initialised, is_idle;
    bool comes_up;               /* VCPUOP_up is under way: handlers that need one vCPU are refused */
    bool polling;                /* in SCHEDOP_poll */
    bool woken;                  /* vcpu_wake() came while it ran */
    struct cpu *cpu;             /* CPU it is assigned to */
    struct vcpu *rq_next;
    struct vcpu_runstate_info runstate;
    uint64_t runstate_area;      /* guest VA of registered vcpu_runstate_info; 0 = none */
    uint64_t time_area;          /* guest VA of registered secondary vcpu_time_info */
    bool time_dirty;

    paddr_t vcpu_info_page;      /* frame held by register_vcpu_info, or 0 */

    struct fast_vcpu *fast;      /* hv/fast/ owns it; NULL: neither handlers nor capture so far */
};

struct domain {
    uint16_t id;
    char name[16];
    bool privileged;             /* domain 0 */
    bool dying;
    struct domain *next;
    uint32_t nr_vcpus;           /* slots in vcpu[] */
    struct vcpu *vcpu[MAX_VCPUS];

    struct domain_mm mm;         /* hv/mm/ owns it */
    struct event_state *ev;      /* hv/event/ owns it */
    struct grant_table *gt;      /* hv/grant/ owns it */
    struct fast_domain *fast;    /* hv/fast/ owns it; NULL: neither handlers nor capture so far */

    shared_info_t *shared;       /* direct map */
    mfn_t shared_mfn;
    uint32_t shutdown_code;
    bool is_shutdown;
    uint64_t vm_assist;          /* VMASST_TYPE_* bits */
    int64_t time_offset;         /* s */
    uint64_t start_ns;
};

extern struct domain *dom0;
extern struct domain *domain_list;
extern struct domain dom_io, dom_xen; /* owners of device memory and of the hypervisor's shared pages */

/* NULL if there is none of that number; DOMID_SELF is the caller's own. */
struct domain *domain_find(uint16_t id);

static inline bool vcpu_in_kernel(const struct vcpu *v)
{
    return v->hot->flags & HOT_KERNEL;
}

/*
 * End the current domain, or another: state printed, never scheduled again.  When it is domain 0
 * the machine stops.  domain_crash_current() does not return.
 */
void domain_crash(struct domain *d, const char *fmt, ...) __printf(2, 3);
void domain_crash_current(const char *fmt, ...) __printf(1, 2) __noreturn;

/* Make a vCPU look at its pending work/events soon, wherever it runs (IPI if elsewhere). */
void vcpu_kick(struct vcpu *v);
/* Blocked or polling vCPU becomes runnable. Any context but NMI. */
void vcpu_wake(struct vcpu *v);

/*
 * A chance for interrupts (and the scheduler) in a long operation; the caller holds no lock.
 */
void preempt_point(void);

/* System time: nanoseconds since boot. */
uint64_t now_ns(void);

/* Timers fire on the CPU that set them, in interrupt context, no locks held. */
void timer_set(struct timer *t, uint64_t deadline_ns);
void timer_stop(struct timer *t);

#endif
