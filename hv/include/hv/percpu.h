/* SPDX-License-Identifier: MIT */
/*
 * What belongs to one processor.
 */
#ifndef HV_PERCPU_H
#define HV_PERCPU_H

#include "hv/domain.h"
#include "hv/spinlock.h"
#include "hv/trace_ring.h"
#include "hv/types.h"

/* 64-bit task state segment, AMD APM volume 2, 12.2.5. */
struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t iomap_base;
} __packed;

/* Data page behind a CPU's SYSCALL stub; the stub knows the offsets (hv/x86/syscall.S). */
struct stub_data {
    uint64_t scratch;
    uint64_t stack_top;
    uint64_t entry64;
    uint64_t entry32;
};

enum { IST_NMI = 1, IST_DF = 2, IST_MC = 3, IST_DB = 4 };

struct cpu {
    uint32_t id;
    uint32_t apic_id;
    bool online;
    struct vcpu *curr;           /* the vCPU whose state is on the CPU; may be idle */
    struct vcpu *idle;
    struct vcpu *fpu_owner;      /* whose FPU state the registers hold */
    struct vcpu *state_owner;    /* whose segments, bases and descriptor tables are loaded */
    struct stub_data *stub;
    uint8_t *stub_code;
    struct tss *tss;
    uint64_t *own_gdt;           /* page with the hypervisor's descriptors */
    uint64_t gdt_window;         /* VA: 16 pages of GDT, then 16 of LDT */
    struct timer *timers;        /* by deadline */
    uint64_t timer_armed;        /* deadline programmed in the APIC, ~0 = none */
    spinlock_t lock;             /* run queue and timers */
    struct vcpu *rq_head, *rq_tail;
    uint32_t rq_len;
    bool need_resched;
    struct timer slice;          /* ends the time slice while others wait */
    uint64_t tlb_flushes;
    uint64_t idle_ns, irqs, switches;
    const struct cpu_user_regs *interrupted; /* by the timer; for what runs in timers_run() */
    uint32_t profile_generation; /* the settings that this CPU samples by */
    struct trace_ring trace[NR_TRACE_RINGS];
};

extern struct cpu *cpus[NR_CPUS];
extern uint32_t nr_cpus;

#endif
