/* SPDX-License-Identifier: MIT */
#include "graph.h"

#include <stdlib.h>
#include <string.h>

#include "program.h"

bool graph_init(struct graph *g)
{
    memset(g, 0, sizeof(*g));
    g->node = calloc(GRAPH_MAX_NODES, sizeof(*g->node));
    g->n = 1;
    return g->node != NULL;
}

void graph_free(struct graph *g)
{
    free(g->node);
    g->node = NULL;
}

static uint64_t fill_ones(uint64_t x)
{
    return x ? ~0ull >> __builtin_clzll(x) : 0;
}

static uint64_t sign_extend(uint64_t a, unsigned int bits)
{
    return (uint64_t)((int64_t)(a << (64 - bits)) >> (64 - bits));
}

uint64_t node_compute(enum node_op op, uint64_t a, uint64_t b, uint64_t c)
{
    switch (op) {
    case N_ADD:
        return a + b;
    case N_SUB:
        return a - b;
    case N_MUL:
        return a * b;
    case N_UDIV:
        return b ? a / b : 0;
    case N_UMOD:
        return b ? a % b : a;
    case N_AND:
        return a & b;
    case N_OR:
        return a | b;
    case N_XOR:
        return a ^ b;
    case N_SHL:
        return a << (b & 63);
    case N_SHR:
        return a >> (b & 63);
    case N_SAR:
        return (uint64_t)((int64_t)a >> (b & 63));
    case N_SEXT8:
        return sign_extend(a, 8);
    case N_SEXT16:
        return sign_extend(a, 16);
    case N_SEXT32:
        return sign_extend(a, 32);
    case N_BSWAP64:
        return __builtin_bswap64(a);
    case N_EQ:
        return a == b;
    case N_ULT:
        return a < b;
    case N_SLT:
        return (int64_t)a < (int64_t)b;
    case N_ITE:
        return a ? b : c;
    default:
        return 0;
    }
}

/* All bits from the lowest of x up: sums keep the zeros below. */
static uint64_t multiple_of(uint64_t x)
{
    return x ? ~0ull << __builtin_ctzll(x) : 0;
}

/* Bounds and possible bits of a new node, from its operands'. */
static void bounds(const struct graph *g, struct node *n)
{
    const struct node *a = &g->node[n->a], *b = &g->node[n->b], *c = &g->node[n->c];
    bool count = b->op == N_CONST;
    uint64_t sum;

    n->lo = 0;
    n->hi = ~0ull;
    n->ones = ~0ull;
    switch (n->op) {
    case N_CONST:
        n->lo = n->hi = n->ones = n->imm;
        return;
    case N_LOAD:
    case N_UNKNOWN:
        n->hi = n->ones = byte_mask(n->size);
        return;
    case N_INPUT:
        if (n->imm == offsetof(struct fast_ctx, kernel_sp))
            n->ones = ~15ull; /* lift() refuses captures where it is not */
        return;
    case N_TSC:
        return;
    case N_ADD:
        if (!__builtin_add_overflow(a->hi, b->hi, &sum)) {
            n->lo = a->lo + b->lo;
            n->hi = sum;
        }
        break;
    case N_SUB:
        if (a->lo >= b->hi) {
            n->lo = a->lo - b->hi;
            n->hi = a->hi - b->lo;
        }
        break;
    case N_MUL:
        if (!__builtin_mul_overflow(a->hi, b->hi, &sum)) {
            n->lo = a->lo * b->lo;
            n->hi = sum;
        }
        break;
    case N_UDIV:
        n->hi = a->hi;
        break;
    case N_UMOD:
        n->hi = a->hi;
        if (b->lo && b->hi - 1 < n->hi)
            n->hi = b->hi - 1;
        break;
    case N_AND:
        n->ones = a->ones & b->ones;
        n->hi = a->hi < b->hi ? a->hi : b->hi;
        break;
    case N_OR:
    case N_XOR:
        n->ones = a->ones | b->ones;
        break;
    case N_SHL:
        n->ones = count ? a->ones << (b->imm & 63) : ~0ull;
        break;
    case N_SHR:
        n->ones = count ? a->ones >> (b->imm & 63) : fill_ones(a->ones);
        n->hi = count ? a->hi >> (b->imm & 63) : a->hi;
        n->lo = count ? a->lo >> (b->imm & 63) : 0;
        break;
    case N_EQ:
    case N_ULT:
    case N_SLT:
        n->hi = n->ones = 1;
        return;
    case N_ITE:
        n->lo = b->lo < c->lo ? b->lo : c->lo;
        n->hi = b->hi > c->hi ? b->hi : c->hi;
        n->ones = b->ones | c->ones;
        break;
    default:
        return;
    }
    if (n->op == N_ADD || n->op == N_SUB)
        n->ones &= multiple_of(a->ones | b->ones);
    n->ones &= fill_ones(n->hi);
    if (n->hi > n->ones)
        n->hi = n->ones;
    if (n->lo > n->hi)
        n->lo = n->hi; /* only of a value that never comes up */
}

static node_id intern(struct graph *g, const struct node *want)
{
    uint64_t h = want->op * 0x9e3779b97f4a7c15ull ^ want->imm * 0xff51afd7ed558ccdull;
    uint32_t *chain;

    h = (h ^ want->a) * 0xc4ceb9fe1a85ec53ull;
    h = (h ^ want->b ^ (uint64_t)want->c << 20 ^ (uint64_t)want->size << 50) *
        0x9e3779b97f4a7c15ull;
    chain = &g->bucket[h >> 49];
    for (uint32_t i = *chain; i; i = g->node[i].next) {
        const struct node *n = &g->node[i];

        if (n->op == want->op && n->a == want->a && n->b == want->b && n->c == want->c &&
            n->imm == want->imm && n->size == want->size)
            return i;
    }
    if (g->n == GRAPH_MAX_NODES) {
        g->full = true;
        return g->n - 1;
    }
    g->node[g->n] = *want;
    bounds(g, &g->node[g->n]);
    g->node[g->n].rests |= g->node[want->a].rests | g->node[want->b].rests | g->node[want->c].rests;
    if (want->op == N_LOAD) /* what is read at an address is not that address */
        g->node[g->n].rests =
            (uint8_t)(RESTS_LOAD | want->rests | (g->node[g->n].rests & (RESTS_UNKNOWN | RESTS_TSC)));
    g->node[g->n].next = *chain;
    *chain = g->n;
    return g->n++;
}

node_id g_const(struct graph *g, uint64_t value)
{
    return intern(g, &(struct node){ .op = N_CONST, .imm = value });
}

node_id g_input(struct graph *g, uint32_t field_offset)
{
    bool stack = field_offset == offsetof(struct fast_ctx, kernel_sp);

    return intern(g, &(struct node){ .op = N_INPUT,
                                     .imm = field_offset,
                                     .rests = stack ? RESTS_STACK : RESTS_INPUT });
}

node_id g_load(struct graph *g, node_id address, unsigned int size, uint8_t rests)
{
    return intern(g, &(struct node){ .op = N_LOAD,
                                     .a = address,
                                     .size = (uint8_t)size,
                                     .imm = ++g->serial,
                                     .rests = rests });
}

node_id g_tsc(struct graph *g)
{
    return intern(g, &(struct node){ .op = N_TSC, .imm = ++g->serial, .rests = RESTS_TSC });
}

node_id g_unknown(struct graph *g, unsigned int size)
{
    return intern(g, &(struct node){ .op = N_UNKNOWN,
                                     .imm = ++g->serial,
                                     .size = (uint8_t)size,
                                     .rests = RESTS_UNKNOWN });
}

static bool is_unary(enum node_op op)
{
    return op >= N_SEXT8 && op <= N_BSWAP64;
}

node_id g_op(struct graph *g, enum node_op op, node_id a, node_id b)
{
    const struct node *na = &g->node[a], *nb = &g->node[b];
    node_id known;

    if (is_unary(op)) {
        b = 0;
        nb = &g->node[0];
    }
    if (na->op == N_CONST && (!b || nb->op == N_CONST))
        return g_const(g, node_compute(op, na->imm, nb->imm, 0));
    /* The constant is on the right, else the older node on the left. */
    if (commutes(op) && (na->op == N_CONST || (nb->op != N_CONST && a > b))) {
        node_id swap = a;

        a = b;
        b = swap;
    }
    known = graph_fold(g, op, a, b);
    return known ? known : intern(g, &(struct node){ .op = (uint8_t)op, .a = a, .b = b });
}

node_id g_ite(struct graph *g, node_id cond, node_id yes, node_id no)
{
    uint64_t value;

    if (g_is_const(g, cond, &value))
        return value ? yes : no;
    if (yes == no)
        return yes;
    if (g_is_truth(g, cond) && g->node[yes].op == N_CONST && g->node[no].op == N_CONST) {
        if (g->node[yes].imm == 1 && g->node[no].imm == 0)
            return cond;
        if (g->node[yes].imm == 0 && g->node[no].imm == 1)
            return g_not(g, cond);
    }
    return intern(g, &(struct node){ .op = N_ITE, .a = cond, .b = yes, .c = no });
}

node_id g_op_imm(struct graph *g, enum node_op op, node_id a, uint64_t imm)
{
    return g_op(g, op, a, g_const(g, imm));
}

node_id g_not(struct graph *g, node_id truth)
{
    return g_op_imm(g, N_EQ, truth, 0);
}

node_id g_low(struct graph *g, node_id a, unsigned int bytes)
{
    return bytes >= 8 ? a : g_op_imm(g, N_AND, a, byte_mask(bytes));
}

node_id g_sext(struct graph *g, node_id a, unsigned int bytes)
{
    if (bytes >= 8)
        return a;
    return g_op(g, bytes == 1 ? N_SEXT8 : bytes == 2 ? N_SEXT16 : N_SEXT32, a, 0);
}

bool g_is_const(const struct graph *g, node_id a, uint64_t *value)
{
    *value = g->node[a].imm;
    return g->node[a].op == N_CONST;
}

node_id g_split(const struct graph *g, node_id a, int64_t *offset)
{
    const struct node *n = &g->node[a];

    *offset = 0;
    if (n->op == N_CONST) {
        *offset = (int64_t)n->imm;
        return 0;
    }
    if (n->op == N_ADD && g->node[n->b].op == N_CONST) {
        *offset = (int64_t)g->node[n->b].imm;
        return n->a;
    }
    return a;
}
