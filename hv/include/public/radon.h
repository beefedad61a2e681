/* SPDX-License-Identifier: MIT */
/*
 * radon_op: what Radon offers beyond the Xen ABI.
 *
 *     long radon_op(unsigned int cmd, void *arg)        hypercall RADON_HYPERCALL
 *
 * `arg` points to the structure that the command names, in the caller's memory; the hypervisor writes
 * it back where the command says so.  Returns 0 or a negative errno of public/errno.h:
 *   -ENOSYS  not Radon, or a command that it does not know
 *   -EPERM   the caller is not domain 0 (RADON_FAST_* and RADON_CAPTURE_*: nor the domain concerned)
 *   -EFAULT  a pointer that cannot be read or written
 *   -EINVAL  a field out of range;  -ESRCH no such domain;  -ENOENT no such handler or capture
 *   -ENODEV  the machine has no such device (RADON_PROFILE_CONTROL: no performance counter that works)
 *   -EBUSY   somebody else holds it; RADON_FAST_INSTALL: what the handler rests on is not so (any more);  -ENOMEM;  -ENOSPC a limit (RADON_FAST_*) is reached
 * Every 64-bit pointer is a guest virtual address in the caller's kernel address space or user memory
 * (as with privcmd), locked by the caller.  Structures have no padding; reserved fields are zero.
 * Times are of the TSC, in its cycles (RADON_INFO says how many a second).
 *
 * For programs and hypervisor alike: C11, <stdint.h> alone.
 */
#ifndef RADON_PUBLIC_RADON_H
#define RADON_PUBLIC_RADON_H

#include <stdint.h>

#define RADON_HYPERCALL 55u /* __HYPERVISOR_arch_7 */
#define RADON_ABI_VERSION 5u

enum radon_cmd {
    RADON_INFO = 0,           /* struct radon_info */
    RADON_TRACE_CONTROL = 1,  /* struct radon_trace_control */
    RADON_TRACE_STATE = 2,    /* struct radon_trace_state */
    RADON_TRACE_READ = 3,     /* struct radon_trace_read */
    RADON_SITES_CONTROL = 4,  /* struct radon_sites_control */
    RADON_SITES_READ = 5,     /* struct radon_sites_read */
    RADON_PROFILE_CONTROL = 6,/* struct radon_profile_control */
    RADON_FAST_INSTALL = 16,  /* struct radon_fast_install */
    RADON_FAST_CONTROL = 17,  /* struct radon_fast_control */
    RADON_FAST_LIST = 18,     /* struct radon_fast_list */
    RADON_FAST_READ = 19,     /* struct radon_fast_read */
    RADON_FAST_SWITCH = 20,   /* struct radon_fast_switch */
    RADON_FAST_ORACLE = 21,   /* struct radon_fast_oracle */
    RADON_CAPTURE_START = 24, /* struct radon_capture_start */
    RADON_CAPTURE_STOP = 25,  /* struct radon_capture_stop */
    RADON_CAPTURE_READ = 26,  /* struct radon_capture_read */
};

#define RADON_DOMID_ANY 0xfffeu /* every domain, where a command allows it */
#define RADON_DOMID_SELF 0x7ff0u /* DOMID_SELF */

/* ------------------------------------------------------------------ RADON_INFO: written back */

struct radon_info {
    uint32_t abi_version; /* RADON_ABI_VERSION */
    uint32_t nr_cpus;
    uint64_t tsc_hz;
    uint64_t tsc;         /* now */
    uint64_t system_ns;   /* system time now: as the guest's pvclock */
    char revision[64];    /* git revision of the build, zero-ended */
};

/* ------------------------------------------------------------------ own trace rings */
/*
 * Rings beside those of XEN_SYSCTL_tbuf_op, of the same layout: struct t_info at info_mfn and struct
 * t_buf with struct t_rec behind it (public/trace.h), mapped by domain 0 from DOMID_XEN in the same
 * way.  They carry any event of the catalogue (tracing/events.def): those of Xen's classes in Xen's
 * format, and Radon's own, whose class is RADON_TRC_CLASS.  Readable at VIRQ_ARCH_7, raised when a
 * ring is half full.
 *
 * In flight-recorder mode nobody reads while it records: the oldest page is overwritten, and no
 * record spans a page's end (padding, TRC_TRACE_WRAP_BUFFER, does), so that each 4 KiB of data (from
 * the start of the data) begins with a record.  RADON_TRACE_READ gives what is there, oldest first.
 */
#define RADON_TRC_CLASS 0x0100f000u /* class and subclasses, as TRC_* */
#define RADON_TRC_ENTRY 0x01001000u /* subclasses, numbered in tracing/events.def */
#define RADON_TRC_SCHED 0x01002000u
#define RADON_TRC_PROFILE 0x01003000u
#define RADON_TRC_MEMORY 0x01004000u
#define RADON_TRC_TOOL 0x01005000u  /* of programs in domain 0, not of the hypervisor */
#define RADON_TRC_FAST 0x01008000u
#define RADON_TRACE_EVENTS 256u     /* bits: place of the event in tracing/events.def */

enum radon_trace_mode {
    RADON_TRACE_OFF = 0,     /* nothing is recorded; rings stay until the next size is set */
    RADON_TRACE_STREAM = 1,  /* a reader follows; what finds no room is lost and counted */
    RADON_TRACE_FLIGHT = 2,  /* the newest is kept */
};

#define RADON_TRACE_STOP_ON_CRASH 1u /* flight: a domain's crash, also one that its kernel tells of
                                        (SHUTDOWN_crash), turns the mode to OFF, to be read */
#define RADON_TRACE_DUMP_ON_PANIC 2u /* the hypervisor's own crash prints the newest on the console */

enum radon_fault_why {      /* why a page fault was not given to the guest kernel */
    RADON_FAULT_PAGE_TABLE = 0, /* its write to a page table, which was emulated */
    RADON_FAULT_HANDLER,    /* a fast handler did the work */
    RADON_FAULT_HANDLER_LOAD, /* a fast handler's own load, which it goes on without */
    RADON_FAULT_ACCESS,     /* the hypervisor's, to memory that a call or an emulation named */
    RADON_NR_FAULT_WHYS,
};

struct radon_trace_control {
    uint32_t mode;         /* enum radon_trace_mode */
    uint32_t pages;        /* of each ring, 1..4096; 0 = as it is */
    uint32_t flags;        /* RADON_TRACE_* */
    uint16_t domain;       /* whose events; RADON_DOMID_ANY */
    uint16_t reserved;
    uint64_t vcpus;        /* bit mask of that domain's vCPUs, or of all domains' */
    uint64_t events[RADON_TRACE_EVENTS / 64];
};

struct radon_trace_state { /* written back */
    struct radon_trace_control control; /* as it is now; pages: the rings' size */
    uint64_t info_mfn;     /* 0: there are no rings */
    uint32_t info_bytes;
    uint32_t stopped_by;   /* domain whose crash ended the recording + 1, or 0 */
    uint64_t written, lost_full, lost_cpu; /* records since the rings were made: written; lost
                              because the ring was full; lost because there was none for the CPU */
};

struct radon_trace_read { /* mode OFF or FLIGHT */
    uint32_t cpu;
    uint32_t reserved;
    uint64_t buffer;      /* where the bytes go */
    uint64_t bytes;       /* room there; written back: how many were copied */
    uint64_t offset;      /* from the oldest byte that is kept */
};

/* ------------------------------------------------------------------ hot sites */
/*
 * How often each place of each guest enters the hypervisor, and what that costs.  A row is one (domain,
 * vCPU, kind, number, address) on one CPU; who reads them adds up what he does not want to see apart.
 *
 * Cost, in cycles: `total`, `max` and `cost` count from entry to return to the guest.  For entries from
 * guest user mode that were given to the guest kernel, `bounced`, `bounced_total` and `bounced_cost`
 * count from entry to the guest kernel's iret back to user mode; entries after which the guest kernel
 * switched stacks (another task went on) are not in them.  An entry is counted when it is over: of one
 * given to the guest kernel that is at its iret, or when the kernel switches stacks.
 *
 * While entries are sampled the CPUs also look, at random times, 1000 a second on average while a vCPU
 * runs, what that vCPU is in: so sites with few and long entries are found, too.  `bounced_looks` found
 * the guest kernel at work on such an entry of its user's, `looks` a hypercall of that site under way;
 * of other entries there are none.  `bounced_time` and `time`, in cycles, are what these looks stand
 * for.  A row may have looks alone.  In the other modes there are none.
 *
 * Bin i of a histogram counts costs c with floor(log2(c)) == i + 4; bin 0 also those below, the last
 * one those above.
 */
enum radon_site_kind {
    RADON_SITE_NONE = 0,
    RADON_SITE_SYSCALL = 1,    /* number: eax.  address: behind the SYSCALL instruction */
    RADON_SITE_HYPERCALL = 2,  /* number: hypercall | sub-operation << 8 where a register has it.
                                  address: behind the SYSCALL instruction; of the caller, where that
                                  is in a stub (push rcx, r11; syscall; pop r11, rcx; return: the
                                  hypercall page, Linux's xen_hypercall_pv); iret: 0 */
    RADON_SITE_TRAP = 3,       /* number: vector; exceptions other than the following two.  rip */
    RADON_SITE_PAGE_FAULT = 4, /* number: error code, bits 0-4.  rip */
    RADON_SITE_EMULATION = 5,  /* number: enum radon_emulation.  rip */
    RADON_SITE_INTERRUPT = 6,  /* number: vector; of the hardware, while the guest ran.  address: 0 */
    /* Parts of hypercalls, beside the rows of these: no entries of their own.  address: 0 */
    RADON_SITE_OPERATION = 7,  /* that has its number in memory.  number: hypercall | operation << 8 */
    RADON_SITE_SUBCALL = 8,    /* entry of a multicall.  number: as of a hypercall */
    RADON_SITE_KINDS,
};

enum radon_emulation {
    RADON_EMUL_PRIVOP = 0,     /* privileged instruction */
    RADON_EMUL_PTWR = 1,       /* write to a page table */
    RADON_EMUL_FORCED = 2,     /* behind the forced-emulation prefix */
    RADON_EMUL_IO = 3,         /* reserved: part of PRIVOP now */
};

#define RADON_SITE_BINS 24u

struct radon_site {
    uint64_t address;       /* guest virtual; 0 in an overflow row, which has what was evicted of
                               the vCPU's rows of that kind */
    uint32_t number;
    uint8_t kind;           /* enum radon_site_kind */
    uint8_t flags;          /* RADON_SITE_* */
    uint16_t domain;
    uint64_t count;         /* entries (exact), or samples of them (sampled) */
    uint64_t total, max;
    uint64_t bounced, bounced_total, bounced_max;
    uint32_t cost[RADON_SITE_BINS], bounced_cost[RADON_SITE_BINS]; /* modulo 2^32 */
    uint64_t time, bounced_time;
    uint32_t looks, bounced_looks;
    uint16_t vcpu;          /* of that domain */
    uint16_t reserved[3];
};

#define RADON_SITE_OVERFLOW 1u

/* Rows of the kind (enum radon_site_kind) are parts of hypercalls, and in these' rows, too. */
static inline int radon_site_is_part(uint8_t kind)
{
    return kind == RADON_SITE_OPERATION || kind == RADON_SITE_SUBCALL;
}

/*
 * The cycles that a row's entries took in all, to the return to the guest and to the guest kernel's
 * iret, by what has seen more of them.  period: of the answer.
 */
static inline uint64_t radon_site_cycles(const struct radon_site *s, uint32_t period)
{
    return s->looks > s->count ? s->time : s->total * period;
}

static inline uint64_t radon_site_bounced_cycles(const struct radon_site *s, uint32_t period)
{
    return s->bounced_looks > s->bounced ? s->bounced_time : s->bounced_total * period;
}

enum radon_sites_mode {
    RADON_SITES_OFF = 0,
    RADON_SITES_SAMPLED = 1, /* one entry in `period`; on from boot */
    RADON_SITES_EXACT = 2,   /* every entry */
};

struct radon_sites_control {
    uint32_t mode;     /* enum radon_sites_mode; the change empties the table */
    uint32_t period;   /* sampled: a prime, 2..65521; 0 = as it is.  Written back */
    uint32_t get_only; /* 1: change nothing, only write back */
    uint32_t reserved;
};

#define RADON_SITES_RESET 1u

struct radon_sites_read {
    uint16_t domain;   /* or RADON_DOMID_ANY */
    uint16_t flags;    /* RADON_SITES_RESET: rows that were read begin at 0 again */
    uint32_t cpu;
    uint64_t rows;     /* struct radon_site[room] */
    uint32_t room;     /* written back: how many rows were written */
    uint32_t first;    /* rows to skip; written back: those that are left behind this answer */
    uint32_t mode, period;         /* written back */
    uint64_t entries;  /* written back: entries of all kinds on this CPU since the last reset;
                          parts of hypercalls are none */
    uint64_t since;    /* written back: TSC at the last reset or change of mode */
    uint64_t looks, looked; /* written back: looks on this CPU since then, also those that found no
                          entry, and the cycles that they stand for */
};

/* ------------------------------------------------------------------ samples */
/*
 * Samples of what the CPUs run, as events profile_* in the own rings (which must be on, with those
 * events).  They do not keep step with a tick of the guest: their period is a prime of the PIT's, or
 * with a timer each is up to 1/8 of the period early or late.  Or they are taken when a CPU has counted
 * so many events in its performance counter (RADON_PROFILE_PMU); they are where the counter's NMI finds the
 * CPU, which is some instructions behind the event.  A call that fails leaves all as it was.
 *
 * A sample is a record profile_sample and, behind it on that CPU, its records profile_word: what the
 * word is (enum radon_profile_word), and the word.  Where a field below is 0 those words are missing,
 * and so are words whose memory could not be read.
 */
struct radon_profile_control {
    uint32_t hz;           /* samples a second and CPU, 1..10000; 0 = off, or RADON_PROFILE_PMU */
    uint16_t domain;       /* whose vCPUs; RADON_DOMID_ANY */
    uint16_t stack_words;  /* of the guest kernel's stack to search for return addresses, 0..1024 */
    uint64_t text_start, text_end; /* guest kernel text: words in between are recorded, and those that
                              point into the part of the stack that is searched */
    uint64_t task;         /* where the guest kernel has the pointer to the running task: offset from
                              its GS base */
    uint32_t task_words[4];/* 64-bit words of that task to record: offsets in bytes + 1; 0 = none */
    uint32_t source;       /* enum radon_profile_source; written back: which one it is */
    uint32_t period;       /* RADON_PROFILE_PMU: events, 10000..2^31-1; else 0 */
    uint32_t user_frames;  /* of the user's stack, followed by rbp, 0..64 */
    uint32_t user_rbp;     /* where the guest kernel keeps the user's rbp: bytes below the top of its
                              stack (stack_switch); 0 = follow it only while the user runs */
    uint64_t event;        /* RADON_PROFILE_PMU; else 0 */
};

enum radon_profile_source {
    RADON_PROFILE_ANY = 0,   /* NMIs where the machine can */
    RADON_PROFILE_NMI = 1,   /* the PIT's, on all CPUs at once: the hypervisor is seen where it is */
    RADON_PROFILE_TIMER = 2, /* the CPUs' own timers: what is due in the hypervisor is put down to the
                                entry that ends then; iret is not seen */
    RADON_PROFILE_PMU = 3,   /* a performance counter of each CPU, by NMI every `period` events.  `event`
                                has the fields of the processor's event select register: event, unit
                                mask, USR, OS, edge, invert, count mask, and on AMD bits 32-35 of the
                                event.  USR is guests, their kernels too; OS is the hypervisor; one of
                                them must be set.  -ENODEV without such a counter, -EINVAL for other
                                bits, and on Intel for event 0, which is the fixed counters' */
};

enum radon_profile_mode {  /* of a sample */
    RADON_PROFILE_USER = 0,
    RADON_PROFILE_KERNEL = 1,
    RADON_PROFILE_HYPERVISOR = 2, /* in or on the way out of an entry: its enum radon_site_kind, and
                                     its number << 8 */
    RADON_PROFILE_IDLE = 3,
};

#define RADON_PROFILE_NO_NUMBER 0xffffffu /* of the entry: not known */

enum radon_profile_word {  /* bits 0-7 of `what`; the rest, shifted down: */
    RADON_PROFILE_STACK = 0, /* guest kernel's stack: bytes above the sample's rsp */
    RADON_PROFILE_RBP = 1,   /* 0; the register */
    RADON_PROFILE_TASK = 2,  /* number of the word of the task */
    RADON_PROFILE_CALLER = 3,/* frame of the user's stack: 0 is where the user is, or was when it
                                entered the guest kernel */
    RADON_PROFILE_HV_RIP = 4,/* 0; where in the hypervisor the CPU was */
    RADON_PROFILE_HANDLER = 7, /* 0; the number of the fast handler that ran */
    RADON_PROFILE_USER_TOP = 6, /* 0; the word on top of the user's stack: in a function that has made
                                no frame the return address */
    RADON_PROFILE_MISSED = 5,/* 0; how many ticks more came before the sample could be recorded */
};

/* ------------------------------------------------------------------ fast handlers */
/*
 * Programs of fastpath/core/program.h.  Installed ones have a number, unique since boot.
 */
enum radon_fast_state {
    RADON_FAST_SHADOW = 1,   /* runs, its result is compared with the guest kernel's and dropped */
    RADON_FAST_ACTIVE = 2,
    RADON_FAST_DISABLED = 3, /* kept, does not run */
    RADON_FAST_RETIRED = 4,  /* out of use for good: `reason` says why */
};

enum radon_fast_reason {     /* why a handler was retired */
    RADON_FAST_NO_REASON = 0,
    RADON_FAST_DISAGREED,    /* shadow or oracle: evidence is kept */
    RADON_FAST_TEXT_CHANGED, /* a frame that it rests on became writable */
    RADON_FAST_MAP_CHANGED,  /* an address that it rests on maps another frame */
    RADON_FAST_BUDGET,       /* overran its budget, RADON_FAST_OVERRUNS times one after the other */
    RADON_FAST_VCPUS,        /* a vCPU came online or went offline */
    RADON_FAST_GUEST_STATE,  /* new callbacks, LDT, vm_assist, save or kexec */
    RADON_FAST_REMOVED,      /* by who installed it */
    RADON_FAST_SWITCHED_OFF,
    RADON_FAST_REPLACED,     /* another handler for the same point */
    RADON_FAST_NR_REASONS,
};

enum radon_fast_pass {       /* why a run of an active handler left the work to the guest kernel */
    RADON_FAST_PASS_CHOSEN = 0, /* the handler said so: a guard */
    RADON_FAST_PASS_LOAD,    /* enum fast_stop */
    RADON_FAST_PASS_STORE,
    RADON_FAST_PASS_PT,
    RADON_FAST_PASS_FULL,
    RADON_FAST_PASS_STATE,   /* flags, mode or return address that it does not serve (rule 8) */
    RADON_FAST_PASS_EVENT,   /* an event was pending */
    RADON_FAST_PASS_BUDGET,  /* it took longer than its budget once too often: retired */
    RADON_FAST_NR_PASSES,
};

#define RADON_FAST_MAX_HANDLERS 64u /* of a domain */
#define RADON_FAST_MAX_WATCHED 256u /* addresses that a handler rests on */
#define RADON_FAST_OVERRUNS 3u      /* one alone may be the machine's doing: SMM, a host beneath */
#define RADON_FAST_BUDGET_US 1000u  /* of a run, where no other is given: interrupts are off so long */

/* A page of guest text or read-only data that the program was made from. */
struct radon_fast_watch {
    uint64_t address; /* guest virtual, page-aligned */
    uint64_t hash;    /* of its contents: RADON_FAST_HASH; 0 = any */
};
/* FNV-1a, 64 bits, over the 4096 bytes. */
#define RADON_FAST_HASH_START 0xcbf29ce484222325ull
#define RADON_FAST_HASH_PRIME 0x100000001b3ull

#define RADON_FAST_INSTALL_ACTIVE 1u     /* at once, without shadow: written by hand */
#define RADON_FAST_INSTALL_VERIFY_ONLY 2u
#define RADON_FAST_ONE_VCPU 4u           /* right with one vCPU only: -EBUSY while more are online */

struct radon_fast_install {
    uint16_t domain;
    uint16_t flags;         /* RADON_FAST_* */
    uint32_t bytes;         /* of the program */
    uint64_t program;       /* guest address of it, 8-byte aligned */
    uint64_t watches;       /* struct radon_fast_watch[nr_watches] */
    uint32_t nr_watches;
    uint32_t agreements;    /* in a row, on every path, to become active by itself; 0 = never */
    uint64_t tainted;       /* uint32_t[nr_tainted]: instructions (calls of store helpers) whose value, or
                               the way to them, rests on the time stamp: machine code and interpreter, of
                               which each reads its own, may store another value */
    uint32_t nr_tainted;
    /* Written back. */
    uint32_t id;
    uint32_t refusal;       /* enum fast_refusal_id; 0 = accepted */
    uint32_t instruction;   /* at which it was refused */
    uint64_t text;          /* in: buffer for the verdict's text, or 0 */
    uint32_t text_bytes;
    uint32_t verify_ns;
    uint64_t budget;        /* in: cycles that a run of the program may take; 0: RADON_FAST_BUDGET_US */
};

struct radon_fast_control {
    uint32_t id;
    uint32_t state;         /* enum radon_fast_state to go to; RETIRED removes it */
};

#define RADON_FAST_NAME_BYTES 32u

struct radon_fast_info {
    uint32_t id;
    uint16_t domain;
    uint8_t state, reason;  /* enum radon_fast_state, radon_fast_reason */
    uint32_t attach_kind, attach_number; /* enum fast_attach_kind */
    uint64_t attach_address;
    char name[RADON_FAST_NAME_BYTES];
    uint32_t insns, code_bytes, max_cost, max_staged;
    uint64_t hash;          /* FNV-1a of the program */
    uint64_t installed, activated, retired; /* TSC; 0 = not yet */
    uint64_t runs, hits;
    uint64_t cycles;        /* of the hits, from the entry until the guest goes on: one in 499 is timed,
                               and counts for all */
    uint64_t passes[8];     /* by enum radon_fast_pass */
    uint64_t agreed, disagreed, voided;  /* shadow verdicts */
    uint32_t agreed_in_row, agreements;
    uint64_t budget, longest; /* cycles of one run of the program: may take, took */
};

struct radon_fast_list {
    uint16_t domain;        /* or RADON_DOMID_ANY */
    uint16_t reserved;
    uint32_t room;          /* written back: how many were written */
    uint64_t info;          /* struct radon_fast_info[room] */
    uint32_t first_id;      /* from this number on */
    uint32_t reserved2;
};

enum radon_fast_part {
    RADON_FAST_PROGRAM = 0, /* as it was installed */
    RADON_FAST_CODE = 1,    /* machine code */
    RADON_FAST_EVIDENCE = 2,/* struct radon_fast_evidence */
};

/*
 * The last disagreement: what the handler would have done, and what the guest kernel did; or, with
 * `engines`, what its machine code did, and what the interpreter did on the same entry.
 */
#define RADON_FAST_EVIDENCE_STORES 64u
#define RADON_FAST_EVIDENCE_READS 16u
struct radon_fast_evidence {
    uint32_t id;
    uint32_t nr_stores;
    uint32_t differs;       /* bit i: register i (order of struct radon_regs); bit 31: a store; bit 30:
                               memory that the handler only read */
    uint32_t engines;       /* 1: `guest` is the interpreter's; differs: 0: it passed, or did not */
    uint64_t before[24], handler[24], guest[24]; /* registers, struct radon_regs and zeros */
    struct {
        uint64_t address;       /* guest virtual; of a page-table entry as in mmu_update, size 0 */
        uint64_t handler, guest;
        uint32_t size, differs;
    } store[RADON_FAST_EVIDENCE_STORES];
    struct {
        uint64_t address;
        uint64_t handler, guest; /* what it read; what is there now */
        uint64_t size;           /* 0: no more of them */
    } read[RADON_FAST_EVIDENCE_READS]; /* those that differ */
};

struct radon_fast_read {
    uint32_t id;
    uint32_t part;          /* enum radon_fast_part */
    uint64_t buffer;
    uint64_t bytes;         /* room; written back: how many were copied */
};

struct radon_fast_switch {
    uint16_t domain;        /* or RADON_DOMID_ANY: the machine */
    uint16_t get_only;
    uint32_t on;            /* 0: retire all and refuse new ones.  Written back */
};

/*
 * How often a run of a handler that became active by agreeing is compared with the guest kernel: one in
 * `period` of its runs, 1..2^30; 0: none.  RADON_FAST_ORACLE_PERIOD until it is set.
 */
#define RADON_FAST_ORACLE_PERIOD 4999u
struct radon_fast_oracle {
    uint16_t domain;
    uint16_t get_only;
    uint32_t period;        /* written back */
};

/* ------------------------------------------------------------------ capture */
/*
 * Records the next occurrences of an entry, instruction by instruction, from the entry until the
 * guest is back behind it: in user mode for entries from there.  One capture at a time and domain.
 *
 * The buffer that RADON_CAPTURE_READ gives holds, for each occurrence, struct radon_capture_head and
 * then `steps` struct radon_capture_step.
 */
struct radon_capture_start {
    uint16_t domain;
    uint16_t flags;         /* RADON_CAPTURE_* */
    uint32_t kind;          /* enum fast_attach_kind */
    uint32_t number;
    uint32_t occurrences;   /* 1..64 */
    uint64_t address;
    uint32_t max_steps;     /* of one occurrence, 1..8192: a longer one ends as RADON_CAPTURE_LONG */
    uint32_t skip;          /* take one occurrence in skip + 1 */
    uint32_t failures;      /* it stops after so many that did not come to their end; 0: 16, and 7 for
                               each occurrence */
    uint32_t id;            /* written back */
};
#define RADON_CAPTURE_OTHERS 1u /* not what the task does that asks: of its own domain, by its kernel stack */

struct radon_capture_stop {
    uint32_t id;
    uint32_t reserved;
};

/* Registers of the guest, in this order everywhere. */
struct radon_regs {
    uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi; /* as instructions number them */
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rip, rflags;   /* without the trap flag */
    uint64_t fs_base, gs_base; /* live ones */
};

enum radon_capture_end {
    RADON_CAPTURE_DONE = 0,  /* back where the entry came from */
    RADON_CAPTURE_LONG,      /* more than max_steps */
    RADON_CAPTURE_EVENT,     /* an upcall or NMI came in between */
    RADON_CAPTURE_SWITCHED,  /* the vCPU was descheduled, or the guest switched tasks */
    RADON_CAPTURE_TRAP,      /* an exception other than the one asked for */
    RADON_CAPTURE_UNSEEN,    /* an instruction that cannot be stepped unseen */
    RADON_CAPTURE_RUNNING,   /* not at an end yet */
};

struct radon_capture_head {
    uint32_t magic;          /* RADON_CAPTURE_MAGIC */
    uint16_t domain, vcpu;
    uint32_t kind, number;   /* enum fast_attach_kind */
    uint64_t address;
    uint32_t steps;          /* struct radon_capture_step behind this head */
    uint32_t end;            /* enum radon_capture_end */
    uint64_t error_code, cr2;/* exceptions */
    uint64_t kernel_gs;      /* GS base of the guest kernel on this vCPU */
    uint64_t kernel_sp;      /* stack that the guest kernel enters on */
    uint64_t vcpu_info;      /* guest virtual address of nothing: 0 if the hypervisor cannot say */
    uint64_t tsc_start, tsc_end;
    struct radon_regs before; /* at the entry: user mode's.  rip: behind SYSCALL, or at the fault */
    struct radon_regs after;  /* when it was over; rip, rsp and rflags as user mode has them */
    uint64_t cs, ss;          /* of user mode */
};
#define RADON_CAPTURE_MAGIC 0x31504352u /* "RCP1" */

/*
 * One instruction of the guest kernel: the state before it.  The first step has the guest kernel at
 * its entry point, with the frame already on its stack.  The last one is the iret hypercall (SYSCALL
 * with rax = 23); hypercalls in between are one step each, and what they do to memory is not recorded.
 *
 * mem_address: of the operand that ModRM names, or of the stack's top (push, pop, call, ret: the
 * lowest address touched), or of rsi/rdi for string instructions (mem: rdi, mem2: rsi), or where the
 * first argument of a hypercall points (its result: rax of the next step); 0 if the
 * instruction has none, or it could not be read.  Sixteen bytes there, before and after it ran.
 */
struct radon_capture_step {
    struct radon_regs regs;
    uint8_t bytes[16];       /* the instruction and what follows */
    uint64_t mem_address, mem2_address;
    uint8_t mem_before[16], mem_after[16];
    uint8_t mem2_before[16];
    uint32_t flags;          /* RADON_STEP_* */
    uint32_t reserved;
};
#define RADON_STEP_MEM 1u        /* mem_address and mem_before count */
#define RADON_STEP_MEM_AFTER 2u  /* mem_after too */
#define RADON_STEP_MEM2 4u
#define RADON_STEP_BYTES_SHIFT 8 /* bits 8-12: how many of `bytes` could be read */

struct radon_capture_read {
    uint32_t id;
    uint32_t state;         /* written back: 0 = still running, 1 = finished or stopped */
    uint64_t buffer;
    uint64_t bytes;         /* room; written back: how many were copied */
    uint64_t offset;
    uint64_t total;         /* written back: bytes there are */
    uint32_t occurrences;   /* written back: complete ones so far */
    uint32_t reserved;
};

#endif
