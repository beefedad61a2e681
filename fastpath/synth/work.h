/* SPDX-License-Identifier: MIT */
/* One synthesis at work: what its steps share.  Private to fastpath/synth. */
#ifndef SYNTH_WORK_H
#define SYNTH_WORK_H

#include "graph.h"
#include "program.h"
#include "synth.h"

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, NR_REGS };

/* Where an address lies, as far as the path itself tells. */
enum region {
    IN_POINTER = 0, /* reached by a pointer that was read */
    IN_STACK,       /* this entry's own kernel stack: nothing there lives on behind the return */
    IN_GS,          /* per-CPU data, at a constant distance from the live GS base */
    IN_ABSOLUTE,    /* a constant address: the kernel's own variables */
    IN_USER,        /* the lower half; a guard holds it there */
    IN_MASK,        /* the upcall mask: never stored (rule 6) */
    IN_M2P,         /* the machine-to-physical table, by frame number instead of an address */
};

struct place {
    node_id address, base;
    int64_t off;
    node_id sym;    /* IN_STACK: subtracted from the stack's start, or 0 */
    uint8_t region; /* enum region */
    uint8_t size;
    bool kernel; /* IN_POINTER: a guard holds the base in the kernel's half */
    bool own; /* reached from the current task, the per-CPU base or the stack (rule 4) */
};

/* What the path knows of memory, newest last. */
struct known {
    struct place place;
    node_id value;
    bool stored; /* else: read */
    bool stale;  /* read before events were masked again: to be read anew (rule 7) */
};

enum effect_kind { E_LOAD, E_TSC, E_GUARD, E_STORE, E_PT };

/* What the path does, in the guest's order. */
struct effect {
    uint8_t kind;
    bool dead;
    bool waits; /* E_STORE: done at the end of the path */
    bool timed; /* E_STORE: of a path that the time stamp chose */
    bool gathers; /* E_GUARD: of many values put together, each as soon as it is there */
    bool kept;    /* E_LOAD: made in any case, since a guard is not made for it (align.c) */
    struct place place; /* E_LOAD, E_STORE */
    node_id value;      /* loaded, stored; E_GUARD: the truth that must hold */
    node_id original;   /* E_STORE: what memory held before the path's first store there, or 0;
                           E_PT: what the entry holds */
    node_id read;       /* E_GUARD, that keeps a load from a place whose store is taken back (place, original):
                           what was loaded; else 0 */
    node_id ptr;        /* E_PT: as mmu_update has it; place: where the kernel has the entry */
    uint64_t at;        /* guest address of the instruction */
};

/* A piece of path without a branch.  At its end: another two pieces, or the return, or PASS. */
struct segment {
    struct effect *effect;
    uint32_t n, room;
    node_id branch;           /* truth that decides: child[1] when it holds */
    struct segment *child[2]; /* both NULL: the end */
    bool returns;             /* the end is the return to user mode */
    node_id final[NR_REGS];   /* then: the registers there */
    uint64_t at;              /* of the branch */
    uint64_t captures;        /* mask of those that come by */
    bool used;                /* needed by schedule */
};

struct flags {
    node_id cf, zf, sf, of; /* truths; 0: undefined */
    node_id pf_of;          /* the result whose low byte's parity is PF; 0: undefined */
    node_id a, b;           /* of a comparison (cmp, sub): its operands, sign-extended; else 0 */
};

struct state {
    node_id reg[NR_REGS];
    struct flags flags;
    struct known *known;
    uint32_t nr_known, known_room;
    node_id *fact; /* truths that hold here */
    uint32_t nr_facts, facts_room;
    struct segment *segment;
    uint64_t captures;
    bool masked; /* events */
    bool entry_changed; /* a page-table entry was: */
    struct place entry;
    bool timed;  /* a guard or branch that rests on the time stamp lies behind */
};

/* The values of nodes in one capture. */
struct concrete {
    uint64_t *value;
    uint8_t *valid;
    uint32_t upto;
};

/*
 * How far guards on the distance of places may go.  One lets a value be used again, a store vanish or wait
 * for the end of the path, and costs instructions itself: which limits are best shows in the program.
 */
struct limits {
    unsigned int reuse, between; /* distances, stores that a value may be taken across */
    unsigned int dead, dead_guards; /* distances, guards that a store may vanish for */
    unsigned int wait;           /* guards that a store may wait for */
};
#define MAX_BETWEEN 96
#define MAX_DISTANCES 64
#define MAX_APART 400

struct work {
    const struct synth_input *in;
    struct limits limits;
    struct synth_output *out;
    struct graph graph;
    unsigned int nr; /* captures in use */
    struct synth_capture capture[SYNTH_MAX_CAPTURES];
    unsigned int capture_number[SYNTH_MAX_CAPTURES]; /* in the input */
    struct concrete concrete[SYNTH_MAX_CAPTURES];
    uint64_t captures; /* being followed */
    uint32_t step;     /* being lifted */
    uint64_t at;   /* its address */
    bool failed;   /* out->reason says why; what is lifted from here on is void */
    struct segment *root;
    struct segment **all; /* every segment, to be freed */
    uint32_t nr_all, all_room;
    uint32_t attach_kind, attach_number;
    uint64_t attach_address;
    node_id gs, sp;           /* inputs kernel_gs and kernel_sp */
    unsigned int entry_words; /* of the frame that the entry pushed */
    int64_t vcpu_info;        /* distance from gs; 0: not known */
    bool one_vcpu_used;
    uint64_t watch[RADON_FAST_MAX_WATCHED];
    uint32_t nr_watch;
    char *text; /* the explanation */
    size_t text_n, text_room;
};

/* Latches the first refusal of the path at hand. */
__attribute__((format(printf, 3, 4))) void refuse(struct work *w, enum synth_reason reason,
                                                  const char *format, ...);
__attribute__((format(printf, 2, 3))) void explain(struct work *w, const char *format, ...);
/* explain, behind the address (and symbol) of the instruction. */
__attribute__((format(printf, 3, 4))) void explain_at(struct work *w, uint64_t at,
                                                      const char *format, ...);
/* A node as text, to the given depth; in a buffer of its own that the next call but three reuses.
 */
const char *node_text(const struct work *w, node_id a);

/* array = room for n + 1 of `each` bytes; false: no memory, and refused. */
bool grow(struct work *w, void *array_pointer, uint32_t n, uint32_t *room, size_t each);

/* concrete.c */
bool concrete_init(struct work *w);
void concrete_free(struct work *w);
/* Of an input, as the capture's head has it. */
uint64_t concrete_input(const struct work *w, unsigned int capture, uint64_t field);
void concrete_bind(struct work *w, unsigned int capture, node_id a, uint64_t value);
/* False: it rests on something that this capture never had. */
bool concrete_value(struct work *w, unsigned int capture, node_id a, uint64_t *value);
/* Whether all captures of the mask agree; then the value. */
bool concrete_agreed(struct work *w, uint64_t captures, node_id a, uint64_t *value);
static inline const struct radon_capture_step *step_of(const struct work *w, unsigned int capture,
                                                       uint32_t step)
{
    return &w->capture[capture].step[step];
}
#define FOR_CAPTURES(i, mask)                                                                      \
    for (unsigned int i = 0; i < SYNTH_MAX_CAPTURES; i++)                                          \
        if ((mask) >> i & 1)

/* path.c: segments, states, guards. */
struct segment *segment_new(struct work *w, uint64_t captures);
struct effect *effect_add(struct work *w, struct segment *segment, enum effect_kind kind);
bool state_fork(struct work *w, const struct state *from, struct state *to, uint64_t captures);
void state_free(struct state *st);
/* The truth as the path knows it: a constant where it follows from a guard. */
node_id truth_here(struct work *w, const struct state *st, node_id truth);
void fact_add(struct work *w, struct state *st, node_id truth);
/* PASS unless it holds; it does in all the state's captures. */
void guard(struct work *w, struct state *st, node_id truth);
/* A guard that `a` has the value that all captures agree on; gives it as a constant. */
node_id pin(struct work *w, struct state *st, node_id a);

/* memory.c */
node_id memory_load(struct work *w, struct state *st, node_id address, unsigned int size);
void memory_store(struct work *w, struct state *st, node_id address, unsigned int size,
                  node_id value);
/* Refuses unless a locked instruction may work at the address. */
void memory_locked(struct work *w, struct state *st, node_id address, unsigned int size);
/* What the entry left on the stack. */
void memory_entry_frame(struct work *w, struct state *st);
/* A page-table entry that the kernel has at the place changes: what follows must not feel it. */
void memory_entry_changes(struct work *w, struct state *st, const struct place *at);
/* The page of the address is one that the program rests on. */
void watch_add(struct work *w, uint64_t address);

/* alias.c */
enum alias { ALIAS_NO, ALIAS_MAY, ALIAS_SAME, ALIAS_INSIDE, ALIAS_PART };
/* How the bytes of `b` lie to those of `a`: INSIDE: b within a. */
enum alias alias(struct work *w, const struct place *a, const struct place *b);
/* The truth that two places do not overlap. */
node_id disjoint(struct work *w, const struct place *a, const struct place *b);
/* The distance of their bases: guards on one distance become one (merge.c). */
node_id bases_apart(struct work *w, const struct place *a, const struct place *b);
/* Whether the truth is such a guard. */
bool bases_guarded(const struct graph *g, node_id truth, node_id bases);
/* Whether they do not in any of the captures. */
bool disjoint_seen(struct work *w, uint64_t captures, const struct place *a, const struct place *b);

/* entry.c: where vcpu_info lies; registers at the kernel's entry point; the return to user mode. */
void entry_vcpu_info(struct work *w);
void entry_registers(struct work *w, struct state *st);
bool entry_return(struct work *w, struct state *st);

/* lift.c: makes w->root of the captures. */
bool lift(struct work *w);

/* dead.c: marks stores and loads that need not be done. */
void remove_dead(struct work *w);

/* merge.c: one comparison for several guards. */
void merge_guards(struct work *w, struct segment *s);
/* !(x + from < bytes) that keeps places apart: x, a difference or an address, outside [-from, bytes - from). */
bool keeps_apart(const struct graph *g, node_id truth, node_id *x, int64_t *from, int64_t *bytes);

/* explain.c: what is done, path by path. */
void explain_effects(struct work *w, const struct segment *s, unsigned int depth);

/* emit.c: the program. */
bool emit(struct work *w);

#endif
