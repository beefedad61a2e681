/* SPDX-License-Identifier: MIT */
/*
 * One run of a handler: what both engines share.  Helpers stage their effects here; fast_finish
 * takes them, all or none.
 */
#ifndef FASTPATH_RUN_H
#define FASTPATH_RUN_H

#include "mem.h"
#include "program.h"

/* Why a run ended without DONE. */
enum fast_stop {
    FAST_STOP_NONE = 0,
    FAST_STOP_LOAD,   /* guest memory could not be read */
    FAST_STOP_STORE,  /* a staged store could not be proved possible */
    FAST_STOP_PT,     /* a staged page-table update was refused */
    FAST_STOP_FULL,   /* more staged effects than there is room (the verifier excludes it) */
    FAST_STOP_BUDGET, /* the interpreter's budget is used up */
    FAST_STOP_UNTAKEN, /* lean code: DONE, but what it staged is still to be proved and taken */
    FAST_STOP_ESCAPE, /* the interpreter was asked for what the verifier should have refused: a bug
                       */
    FAST_NR_STOPS,
};

/*
 * Where a run takes place: the hypervisor's side, or a test's.  Sizes are 1, 2, 4 or 8 bytes;
 * addresses are the guest's, any value: the environment checks them, masks them against speculation
 * and sees to the address space, accessed and dirty bits (docs/soundness.md, rules 1 and 2).
 */
struct fast_env {
    /* Reads; false when not mapped for the guest kernel, or not the guest's. */
    bool (*load)(void *world, uint64_t address, unsigned int size, uint64_t *value);
    /* Proves that store() will succeed.  Changes nothing that the guest can see; may be called
     * often. */
    bool (*may_store)(void *world, uint64_t address, unsigned int size);
    /* Stores; only after may_store() said yes in this run.  Cannot fail. */
    void (*store)(void *world, uint64_t address, unsigned int size, uint64_t value);
    /* The same for the page-table entry at machine address ptr, which still must hold `old`. */
    bool (*may_update_pt)(void *world, uint64_t ptr, uint64_t old, uint64_t new);
    void (*update_pt)(void *world, uint64_t ptr, uint64_t new);
    uint64_t (*tsc)(void *world);
    /* What the machine-to-physical table has for the frame; false: it has no such entry. */
    bool (*m2p)(void *world, uint64_t mfn, uint64_t *gpfn);
};

struct fast_staged {
    uint64_t address; /* guest virtual, or machine address of the entry when size is zero */
    uint64_t value;
    uint64_t old;  /* page-table updates only */
    uint32_t size; /* 1, 2, 4, 8; 0 for a page-table update */
    uint32_t reserved;
};

/* Not canonical: an access there faults. */
#define FAST_NO_ADDRESS (1ull << 63)
/*
 * As a signed number, what is below this is the hypervisor's (public/arch-x86/xen-x86_64.h, L4 slots 256
 * to 271), or within 2 GiB of it, or not canonical
 * (it is behind the range, and what lies before that is no address): a register that is not may
 * be used with any displacement.
 */
#define FAST_GUARD (0xffff880000000000ull + (1ull << 31))

/* Guest accesses (isa.def) ask for a base in one half: at least FAST_GUARD, or below this. */
#define FAST_USER_END (1ull << 47)

/*
 * Pages that stores may go to as they are: code of the JIT's looks here before it leaves a store to
 * run->env.  Each store of a handler has a place of its own, FAST_PAGE(); tag is the page's address,
 * or what no address is.  Who proves pages fills it; what is in it counts as long as run->gone is clear
 * and, but for the kernel's half, *entry is what it was: there the guest takes dirty and accessed bits back
 * while it leaves a page writable.
 */
#define FAST_PAGES 64u
#define FAST_PAGE(first, i) (((first) + (i)) % FAST_PAGES) /* of the handler's i-th store staged */
struct fast_page {
    uint64_t tag;
    uint64_t distance; /* from the guest's address to where the store goes */
    const uint64_t *entry;
    uint64_t was;
};

struct fast_run;
typedef uint64_t (*fast_helper_fn)(struct fast_run *run, uint64_t a1, uint64_t a2, uint64_t a3);

/* The JIT's code knows the offsets of all but env and world; hv/x86/fast_entry.S of some. */
struct fast_run {
    const fast_helper_fn *helpers; /* fast_helper_table, or a test's */
    struct fast_ctx *ctx;          /* the handler's copy */
    uint32_t stop;                 /* enum fast_stop */
    uint32_t nr_staged;
    const struct fast_env *env;
    void *world; /* handed to the environment */
    uint64_t no_address; /* FAST_NO_ADDRESS: what inlined loads put in place of one they may not use */
    uint64_t guard;      /* FAST_GUARD */
    uint64_t user_end;   /* FAST_USER_END */
    /* The machine-to-physical table and its entries, for code that reads it itself: whose is env sets them. */
    const uint64_t *m2p;
    uint64_t nr_m2p;
    /* Of the last effect staged, a page-table update: for code that takes the others itself. */
    bool (*prove_last)(struct fast_run *run);
    void (*commit_last)(struct fast_run *run);
    uint32_t gone; /* set by others, when pages may not be what they were: none is known any more */
    /* Of lean code (jit_x86.h) alone: */
    uint64_t kernel_gs;  /* as in the context; FAST_NO_ADDRESS instead of one below the guard */
    const uint64_t *kernel_sp;
    uint64_t result;     /* rax of a run that ended as UNTAKEN */
    struct fast_page page[FAST_PAGES];
    uint64_t proved[FAST_MAX_STAGED]; /* where the stores staged go to */
    struct fast_staged staged[FAST_MAX_STAGED];
    /* The interpreter alone fills these: */
    uint32_t at;   /* instruction whose helper is being called */
    uint32_t path; /* a number that differs with the branches taken */
    uint32_t staged_by[FAST_MAX_STAGED]; /* instruction that staged it */
};

/* By number (helpers.def); numbers that are none hold NULL. */
extern const fast_helper_fn fast_helper_table[FAST_NR_HELPERS];

/* Makes *run ready. The staged list is not cleared: nr_staged says what of it counts. */
void fast_run_init(struct fast_run *run, struct fast_ctx *ctx, const struct fast_env *env,
                   void *world);

/* Whether every staged effect can be taken; writes nothing but run->stop. */
bool fast_prove(struct fast_run *run);
/* Takes them; after fast_prove() said yes, and nothing came in between. */
void fast_commit(struct fast_run *run);
/*
 * Both: ends a run whose program returned r0.  DONE: every staged effect was proved possible and then
 * taken, in program order; the caller takes over the context.  PASS: nothing was changed; run->stop
 * says why when the handler did not choose it.
 */
enum fast_outcome fast_finish(struct fast_run *run, uint64_t r0);

/* "load", "store", ...: for counters and logs. */
const char *fast_stop_name(enum fast_stop stop);

/* What the verifier and the disassembler know of a helper (helpers.def). */
enum { HELPER_STAGES = 1, HELPER_BEFORE_PT = 2, HELPER_MAY_STOP = 4, HELPER_VALUE = 8 };
struct fast_helper_row {
    const char *name;
    uint8_t args;
    uint8_t attach; /* bit per enum fast_attach_kind */
    uint8_t flags;
    uint16_t cost;
};
/* The row, or NULL for a number that is no helper. */
const struct fast_helper_row *fast_helper_find(int64_t number);

#endif
