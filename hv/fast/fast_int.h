/* SPDX-License-Identifier: MIT */
/*
 * What the files of hv/fast share.
 *
 * A handler is found by its attach point in struct fast_domain.  Those tables are read without a lock:
 * by a CPU with interrupts off, which no handler turns on.  So who unpublishes a handler and then has
 * had every CPU serve an interrupt (fast_sync()) knows that nobody runs it any more.
 *
 * Lock: fast_domain.lock guards the list and the states; innermost but for the heap's.
 */
#ifndef HV_FAST_INT_H
#define HV_FAST_INT_H

#include "hv/domain.h"
#include "hv/fast.h"
#include "hv/hypercall.h"
#include "hv/lib.h"
#include "hv/mm.h"
#include "hv/percpu.h"
#include "hv/spinlock.h"

#include "jit_x86.h"
#include "program.h"
#include "run.h"
#include "verifier.h"

#define FAST_PATHS 64u   /* ways through a handler that are told apart */
#define FAST_TIMED 499u   /* one run in so many is timed; prime */
#define FAST_SELDOM (1u << 30) /* the most runs that are counted down in one go */

/* What one CPU counts of a handler; and what hv/x86/fast_entry.S needs of it. */
struct fast_counts {
    fast_code code;
    uint32_t left;               /* runs up to the next one that is timed or compared */
    uint32_t step;               /* what it began with */
    uint32_t to_timed, to_compared; /* runs to either, when it began */
    uint64_t hits, cycles;
    uint64_t passes[RADON_FAST_NR_PASSES];
};

struct fast_watched {
    uint64_t address, hash;
    struct mm_watched at;
};

struct fast_handler {
    fast_code code;
    bool lean;                   /* it is lean code */
    uint32_t first_page;         /* of the places in its runs' known pages */
    uint32_t state;              /* enum radon_fast_state */
    bool oracle;                 /* active: one in fd->oracle is compared */
    uint32_t overruns;           /* of its budget, one after the other */
    struct fast_counts *counts;  /* of each CPU */
    struct fast_handler *next;
    struct fast_domain *fd;
    uint64_t code_at;            /* in the pool (code.c) */
    uint32_t code_bytes;
    uint32_t fault_exit;         /* offset in the code: where a faulting load goes on */
    uint32_t ctx_read, ctx_written; /* fields of the context: 1 << enum fast_field */
    void *blob;
    uint32_t blob_bytes;
    uint32_t *tainted;
    uint32_t nr_tainted;
    struct fast_watched *watched;
    uint32_t nr_watched;
    bool one_vcpu;               /* RADON_FAST_ONE_VCPU */
    struct fast_program program; /* in the blob */
    struct radon_fast_info info; /* runs, hits, passes: in counts */
    struct radon_fast_evidence *evidence;
    uint32_t nr_paths;           /* ways through it that comparisons have seen */
    struct { uint32_t path, agreed; } paths[FAST_PATHS]; /* agreements in a row on each */
};

struct fast_domain {
    struct fast_handler *syscalls[FAST_MAX_SYSCALL + 1];
    struct fast_counts **lean;   /* of each CPU, by system call, then by hypercall: those that assembly may run */
    struct fast_handler *hypercalls[NR_HYPERCALLS];
    hypercall_fn table[NR_HYPERCALLS]; /* hypercall_table, but for those: fast_hypercall_entry */
    struct fast_handler *traps[RADON_FAST_MAX_HANDLERS];
    uint32_t nr_syscalls, nr_hypercalls, nr_traps; /* published ones */
    spinlock_t lock;
    struct domain *domain;
    struct fast_handler *list;   /* newest first, retired ones too */
    uint32_t nr_handlers;
    bool off;
    uint32_t oracle;             /* RADON_FAST_ORACLE */
    struct capture *capture;     /* capture.c */
};

#define FAST_MAX_PT 4u /* page-table entries that one run may change */

/* Where a handler runs, on its CPU: struct fast_env's world. */
struct fast_world {
    struct vcpu *v;
    uint32_t nr_pt, nr_pt_done; /* page-table updates proved; of those, taken */
    struct mm_staged pt[FAST_MAX_PT];
    bool tables_locked;            /* mm.lock is held for them */
    uint64_t known;      /* places of run->page that may hold one: 1 << place */
    uint32_t first_page; /* the handler's */
    uint32_t nr_proved;
    void *proved[FAST_MAX_STAGED]; /* in the direct map, in the order of the staged stores */
};

/* A CPU's work memory. */
struct fast_cpu {
    struct fast_run run;
    struct fast_ctx ctx;
    struct fast_world world;
    struct fast_counts to_c;     /* of handlers that assembly may not run: none left before C's */
    uint64_t counts_at;          /* of this CPU's in a handler's counts; bytes */
    uint64_t cycles;             /* of the last run from C: its program, and its stores if taken */
};

extern const struct fast_env fast_env;
/* Proves what the run has staged, and takes all or none of it.  fast_pt_end() is to follow. */
bool fast_take(struct fast_run *run, struct fast_world *w);
/* Behind fast_take(), or fast_prove() and perhaps fast_commit(): gives up updates that were not taken. */
void fast_pt_end(struct fast_world *w);
/* run->page[place] knows no page. */
void fast_forget_page(struct fast_run *run, unsigned int place);
struct fast_cpu *fast_this_cpu(void);
/* The flags and maps of all vCPUs, after a change of what is attached or waited for; the lock is held. */
void fast_refresh_all(struct fast_domain *fd);

/* Of a vCPU: a comparison under way (shadow.c), a capture (capture.c). */
struct fast_vcpu {
    struct capture *stepping;        /* what is recorded, while the guest kernel steps */
    uint32_t step_void;              /* enum radon_capture_end of what came in between */
    uint8_t special;                 /* enum operand_special of the step under way */
    bool shadow_busy;                /* a comparison is under way: */
    struct shadow *shadow;           /* allocated with the first one */
    struct radon_capture_step step;  /* the one under way */
};

/* ------------------------------------------------------------------ code.c: memory for code */

void code_init(void);
bool code_available(void);
/* Room for so many bytes of h's code, executable but empty; 0: none. */
uint64_t code_alloc(struct fast_handler *h, uint32_t bytes);
void code_free(uint64_t at, uint32_t bytes);
/*
 * A writable view of what code_alloc() gave, while it is not executable; code_done() ends it.  One
 * at a time: the caller holds the lock of installing.
 */
void *code_write(uint64_t at, uint32_t bytes);
void code_done(uint64_t at, uint32_t bytes);
struct fast_handler *code_owner(uint64_t rip);

/* ------------------------------------------------------------------ registry.c */

extern bool fast_allowed;

/* Whether d has more than one vCPU, or is about to. */
bool fast_many_vcpus(const struct domain *d);
/* d's state, made if needed; NULL without memory. */
struct fast_domain *fast_domain_get(struct domain *d);
/* The domain that a caller may speak of, or NULL and *rc. */
struct domain *fast_target(uint16_t id, int *rc);
struct fast_handler *fast_find(uint32_t id, int *rc);
/* h->state, traced; why: of a retirement, else 0.  fd->lock is held if h is in the list. */
void fast_set_state(struct fast_handler *h, enum radon_fast_state state, enum radon_fast_reason why);
/* Whether a handler may be attached to this hypercall; whether one of that kind may be in `state`. */
bool fast_hypercall_offered(uint32_t number);
bool fast_may_go(uint32_t attach_kind, uint32_t state);
/* Every CPU has left what it was in; any locks may be held but none that CPUs wait for unserved. */
void fast_sync(void);
/* Make h, new or disabled, run; replaces who was there.  fd->lock is held for these three. */
void fast_publish(struct fast_handler *h);
void fast_unpublish(struct fast_handler *h);
void fast_retire(struct fast_handler *h, enum radon_fast_reason why);
/* Out of the list. */
void fast_unlink(struct fast_handler *h);
/* Forget a retired one and free all it has; after fast_sync(). */
void fast_handler_free(struct fast_handler *h);

/* ------------------------------------------------------------------ watch.c */

void fast_watch_init(void);
/* The list of h's watches from the caller's memory. */
int fast_fetch_watches(struct fast_handler *h, uint64_t watches, uint32_t nr);
/* Watch them and compare the contents; h is in the list, so that changes from now on retire it. */
int fast_watch(struct fast_handler *h);

/* ------------------------------------------------------------------ shadow.c */

/*
 * Runs h beside the guest kernel: its effects are kept, and compared when the guest kernel is back in
 * user mode.  w->ctx is filled; the guest kernel's tables are loaded.
 */
void shadow_run(struct fast_handler *h, struct fast_cpu *w);

/* ------------------------------------------------------------------ run.c */

/* Flags in which the guest kernel's path does more than a handler knows of (RF too, but for faults). */
#define FAST_REFUSED_FLAGS (X86_EFLAGS_TF | X86_EFLAGS_AC | X86_EFLAGS_NT)
/* An entry that h left to others. */
void fast_count_pass(struct fast_handler *h, enum radon_fast_pass why);
/* Why a run that was not DONE was not. */
enum radon_fast_pass fast_pass_of(const struct fast_run *run);
/*
 * r0 of a run; what it staged is proved possible if that is DONE.  Nothing is taken.  One that goes on
 * taking longer than it may passes and is retired.
 */
enum fast_outcome fast_try(struct fast_handler *h, struct fast_cpu *w);

uint32_t fast_refuse_state(const struct cpu_user_regs *regs, const struct vcpu *v, bool exception);

/* ------------------------------------------------------------------ lean.c */

/* What a hit of h by assembly takes, whose program and stores took so long between so many pairs of stamps. */
uint64_t fast_lean_cycles(const struct fast_handler *h, uint64_t measured, unsigned int stamps);
/* Work memory for every CPU, and fd's tables, ready for fast_entry.S; false without memory. */
bool fast_lean_init(struct fast_domain *fd);
void fast_lean_free(struct fast_domain *fd);
struct fast_cpu *fast_work_of(unsigned int cpu);
/*
 * h's state changed: from now on fast_entry.S runs it, or not: if it is active, and what it reads and
 * writes is what is there.  fd->lock is held.
 */
void fast_lean_update(struct fast_handler *h);
/* It is unpublished: fast_entry.S finds it no more. */
void fast_lean_forget(const struct fast_handler *h);
/* Lean code from C, on the context of the current vCPU (w->world.v), as fast_call_lean(): r0. */
uint64_t fast_run_lean(struct fast_handler *h, struct fast_cpu *w, bool take);
/* Where v's CPU has what fast_entry.S works with. */
void fast_find_work(struct vcpu *v);

#endif
