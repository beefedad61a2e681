/* SPDX-License-Identifier: MIT */
/*
 * Values as expressions.  A node is a 64-bit value made of earlier nodes; equal expressions are one
 * node (hash-consing), so "the same value" is "the same number".  A narrower value is kept
 * zero-extended.  The constructors simplify; what a node can be (bounds, bits that may be set) is
 * computed when it is made.
 */
#ifndef SYNTH_GRAPH_H
#define SYNTH_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

typedef uint32_t node_id; /* 0: no node */

enum node_op {
    N_NONE = 0,
    N_CONST,   /* imm */
    N_INPUT,   /* imm: offset of a field of struct fast_ctx */
    N_LOAD,    /* a: address; imm: a number of its own; size in bytes */
    N_TSC,     /* imm: a number of its own */
    N_UNKNOWN, /* imm: a number of its own.  What is made of it must not be used */
    N_ADD,
    N_SUB,
    N_MUL,
    N_UDIV, /* the divisor is known not to be zero where the value is used */
    N_UMOD,
    N_AND,
    N_OR,
    N_XOR,
    N_SHL, /* counts are below 64 */
    N_SHR,
    N_SAR,
    N_SEXT8, /* of the low bits, to 64 */
    N_SEXT16,
    N_SEXT32,
    N_BSWAP64,
    N_EQ, /* comparisons of 64 bits: 0 or 1 */
    N_ULT,
    N_SLT,
    N_ITE, /* a != 0 ? b : c */
    N_OPS,
};

/* What a value rests on: bits of node.rests. */
enum {
    RESTS_STACK = 1, /* the kernel stack's address */
    RESTS_TSC = 2,   /* the time stamp counter */
    RESTS_UNKNOWN = 4,
    RESTS_LOAD = 8,
    RESTS_INPUT = 16,
};

struct node {
    uint8_t op, size, rests;
    bool apart; /* a truth that keeps two places of memory apart: a stricter one does as well */
    node_id a, b, c;
    uint64_t imm;
    uint64_t lo, hi; /* bounds, unsigned */
    uint64_t ones;   /* bits that may be set */
    uint32_t next;   /* in its hash chain */
};

#ifndef GRAPH_MAX_NODES /* a fuzzer has fewer: it makes many graphs, and full ones too */
#define GRAPH_MAX_NODES (1u << 18)
#endif
#define GRAPH_BUCKETS (1u << 15)

struct graph {
    struct node *node;
    uint32_t n;
    uint32_t serial; /* of loads and such */
    bool full;       /* a node found no room: every result since is void */
    uint32_t bucket[GRAPH_BUCKETS];
};

/* False: no memory. */
bool graph_init(struct graph *g);
void graph_free(struct graph *g);

node_id g_const(struct graph *g, uint64_t value);
node_id g_input(struct graph *g, uint32_t field_offset);
/* A value read now: each call makes a new one.  rests: what was stored there rests on it. */
node_id g_load(struct graph *g, node_id address, unsigned int size, uint8_t rests);
node_id g_tsc(struct graph *g);
node_id g_unknown(struct graph *g, unsigned int size);

/* Any operation from N_ADD to N_SLT; unary ones ignore b. */
node_id g_op(struct graph *g, enum node_op op, node_id a, node_id b);
node_id g_ite(struct graph *g, node_id cond, node_id yes, node_id no);

node_id g_op_imm(struct graph *g, enum node_op op, node_id a, uint64_t imm);
node_id g_not(struct graph *g, node_id truth); /* of 0 or 1 */
/* The low `bytes` bytes, zero-extended, and sign-extended. */
node_id g_low(struct graph *g, node_id a, unsigned int bytes);
node_id g_sext(struct graph *g, node_id a, unsigned int bytes);

bool g_is_const(const struct graph *g, node_id a, uint64_t *value);
/* a = base + offset, with the constant split off; base 0 is none: the address is the offset. */
node_id g_split(const struct graph *g, node_id a, int64_t *offset);
/* What the operation makes of numbers. */
uint64_t node_compute(enum node_op op, uint64_t a, uint64_t b, uint64_t c);

static inline const struct node *g_node(const struct graph *g, node_id a)
{
    return &g->node[a];
}

static inline bool commutes(enum node_op op)
{
    return op == N_ADD || op == N_MUL || op == N_AND || op == N_OR || op == N_XOR || op == N_EQ;
}

static inline bool g_is_truth(const struct graph *g, node_id a)
{
    return g->node[a].hi <= 1;
}

static inline uint64_t byte_mask(unsigned int bytes)
{
    return bytes >= 8 ? ~0ull : (1ull << (8 * bytes)) - 1;
}

/* graph_fold.c: the node that op(a, b) is known to be, or 0. */
node_id graph_fold(struct graph *g, enum node_op op, node_id a, node_id b);

#endif
