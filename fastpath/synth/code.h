/* SPDX-License-Identifier: MIT */
/*
 * From the tree of paths to instructions: schedule.c puts what is needed in one order, paths one
 * behind the other; regs.c gives values registers and stack slots; emit.c writes eBPF.
 */
#ifndef SYNTH_CODE_H
#define SYNTH_CODE_H

#include "isa.h"
#include "work.h"

enum item_kind {
    I_OP,   /* node = its operation on a, b, c */
    I_LOAD, /* node = guest memory at a + off */
    I_TSC,
    I_M2P, /* node = what the machine-to-physical table has for frame a */
    I_STORE,  /* b to guest memory at a + off */
    I_GUARD,  /* PASS unless the comparison has the outcome `sense` */
    I_BRANCH, /* to item `other` when it has; else on */
    I_SET,    /* context field off = a */
    I_PT,     /* the entry at machine address a, which holds b, becomes c */
    I_APART, /* PASS if a + b + off < other: b is an address negated, or none */
    I_SELECT, /* node = c, or d unless the comparison of a and b has the outcome `sense` */
    I_ROTATE, /* node = a of 32 bits, turned right by off */
    I_DONE,
    I_PASS,
};

/* What part the time stamp has in a store: in the value, or in the way to it. */

struct item {
    uint8_t kind, size, compare /* enum isa_op */, width, half /* enum isa_half: of the base */;
    bool sense;
    bool tainted; /* rests on the time stamp, or the way here does */
    node_id node, a, b, c, d;
    int64_t off;
    uint32_t other, end; /* end: of the items that can follow on this path */
    uint64_t at;
};

#define MAX_NEGATED 8u

struct code {
    struct work *w;
    struct item *item;
    uint32_t n, room;
    uint8_t *needed;  /* by node */
    uint8_t *emitted; /* by node, on the path at hand */
    node_id *trail;   /* what was emitted, to take it back */
    uint32_t nr_trail, trail_room;
    const struct effect *entry; /* on the path at hand: the update, which comes last */
    const struct effect **waiting; /* stores of the path at hand, in order */
    uint32_t nr_waiting, waiting_room;
    node_id negated[MAX_NEGATED]; /* addresses that many others must be apart from, negated */
    node_id negative[MAX_NEGATED];
    uint32_t nr_negated;
    uint32_t *use_start, *use; /* positions of the items that use a node, in order */
};

bool schedule(struct code *c);
/* order.c: appends the items of the paths from s on; c->needed says what is done. */
void order_items(struct code *c, struct segment *s);
/* known.c: guards that leave one number of an argument become one. */
void known_arguments(struct work *w);
/* Whether a guard of it says that x, of the arguments, is the number. */
bool is_known_argument(const struct graph *g, node_id truth, node_id *x, uint64_t *number);
/* assume.c: values, as they are where the guards of the first piece hold. */
void assume_guards(struct work *w);
/* align.c: guards that keep places apart, made by what addresses are multiples of. */
void align_guards(struct code *c);
/* witness.c */
struct scope { /* a segment, and those before it */
    const struct scope *up;
    struct segment *s;
};
/*
 * Guard e of the segment keeps a load from a place whose store is taken back.  What else is done would stop the
 * handler if addresses a and b, of which its guard tells, were `distance` apart: by the access that is given, a load;
 * NULL: nothing would.
 */
struct effect *witness(struct code *c, const struct scope *scope, const struct effect *e, node_id a, node_id b,
                       uint64_t distance);
/* apart.c */
/*
 * base + off = near + what fits an immediate.  Many places that are far from their base in one direction (where
 * the kernel maps all memory) get one that is near.
 */
node_id near_base(struct code *c, node_id base, int64_t *off);
/* For every access, before the nodes are counted. */
void choose_near(struct code *c, struct segment *s);
/*
 * That places are apart: !(a - b + off < bytes), or without a b.  Where many must be apart from one, its
 * negative makes it one sum.
 */
bool as_apart(struct code *c, node_id truth, struct item *i);
/* Addresses that two others or more must be apart from get a negative. */
void choose_negated(struct code *c);
node_id negative_of(const struct code *c, node_id a);
/* delay.c: stores that may wait for the end of the path; c->needed says what is done. */
void delay_stores(struct code *c, struct segment *s);
/* imply.c: where the base of an access points in all of the captures, and so must when it runs. */
enum isa_half half_of(struct work *w, uint64_t captures, const struct place *p);
/* Guards that an access behind or before them makes anyway are dead; c->needed says what is done. */
void imply_guards(struct code *c, struct segment *s);
/* First use of the node at an item > at and < end; UINT32_MAX: none. */
uint32_t next_use(const struct code *c, node_id a, uint32_t at, uint32_t end);
/* A truth as a comparison: *op is OP_JEQ..OP_JSLT of width bits on *a and *b, wanted as *sense. */
void as_comparison(struct work *w, node_id truth, struct item *out);

#define POOL 9u /* r0 to r8 hold values; r9 the context */
#define CTX 9u
#define CALL_LOSES 0x3fu /* r0 to r5 */
#define SLOTS (FAST_STACK_BYTES / 8)

struct regs {
    node_id reg[POOL];
    node_id slot[SLOTS];
};

struct emitter {
    struct work *w;
    struct code *code;
    struct fast_insn *insn;
    uint32_t n;
    uint32_t *fix; /* instructions that jump to PASS */
    uint32_t nr_fix, fix_room;
    uint32_t at, end; /* the item at hand, and where its path's items end */
    bool full;
    struct regs regs;
};

void put(struct emitter *e, uint8_t code, unsigned int dst, unsigned int src, int16_t off,
         int32_t imm);
/* A register that holds the node; `keep` are registers not to be taken for it. */
unsigned int reg_get(struct emitter *e, node_id a, uint32_t keep);
/* A register for a new value: what it held is kept elsewhere if it is needed. */
unsigned int reg_new(struct emitter *e, node_id a, uint32_t keep);
/* Before a call: what lives on in r0 to r5 goes elsewhere. */
void regs_save(struct emitter *e);
/* After a call: r0 to r5 are lost. */
void regs_lost(struct emitter *e);
bool reg_dead_after(const struct emitter *e, node_id a);
/* Whether a call comes before the last use of the node. */
bool reg_across_call(const struct emitter *e, node_id a);
/* The constant into the register. */
void put_const(struct emitter *e, unsigned int reg, uint64_t value);
/* blob.c: ends the code, makes the program of it and has it verified. */
bool make_program(struct work *w, struct emitter *e);

/* Whether the value never has more than 32 bits. */
static inline bool fits_32(const struct graph *g, node_id a)
{
    return g_node(g, a)->hi <= 0xffffffffull;
}

static inline bool fits_imm(uint64_t value)
{
    return (uint64_t)(int64_t)(int32_t)value == value;
}

#endif
