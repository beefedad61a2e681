/* SPDX-License-Identifier: MIT */
/* Instructions (RFC 9669; the opcodes are those of isa.def). */
#include "code.h"

#include <stdlib.h>
#include <string.h>

void put(struct emitter *e, uint8_t code, unsigned int dst, unsigned int src, int16_t off,
         int32_t imm)
{
    if (e->n == FAST_MAX_INSNS) {
        e->full = true;
        return;
    }
    e->insn[e->n++] = (struct fast_insn){ code, (uint8_t)(dst | src << 4), off, imm };
}

static bool imm_for(const struct emitter *e, enum node_op op, node_id a, node_id b, int32_t *imm)
{
    const struct node *n = g_node(&e->w->graph, b);
    uint64_t value = n->imm, extended;

    if (b && n->op != N_CONST)
        return false;
    if (!b)
        value = 0;
    extended = (uint64_t)(int64_t)(int32_t)(uint32_t)value;
    *imm = (int32_t)(uint32_t)value;
    /* A mask of 32 bits is as good sign-extended where there is nothing to mask above. */
    if (op == N_AND)
        return ((extended ^ value) & g_node(&e->w->graph, a)->ones) == 0;
    return extended == value;
}

/* The immediate form of the 64-bit operation; the register form is 8 more. */
static uint8_t alu_code(enum node_op op)
{
    switch (op) {
    case N_ADD:
        return 0x07;
    case N_SUB:
        return 0x17;
    case N_MUL:
        return 0x27;
    case N_UDIV:
        return 0x37;
    case N_OR:
        return 0x47;
    case N_AND:
        return 0x57;
    case N_SHL:
        return 0x67;
    case N_SHR:
        return 0x77;
    case N_UMOD:
        return 0x97;
    case N_XOR:
        return 0xa7;
    case N_SAR:
        return 0xc7;
    default:
        return 0;
    }
}

static uint8_t jump_code(unsigned int op)
{
    switch (op) {
    case OP_JEQ:
        return 0x15;
    case OP_JNE:
        return 0x55;
    case OP_JGT:
        return 0x25;
    case OP_JGE:
        return 0x35;
    case OP_JLT:
        return 0xa5;
    case OP_JLE:
        return 0xb5;
    case OP_JSGT:
        return 0x65;
    case OP_JSGE:
        return 0x75;
    case OP_JSLT:
        return 0xc5;
    case OP_JSLE:
        return 0xd5;
    default:
        return 0x45; /* JSET */
    }
}

static unsigned int opposite(unsigned int op)
{
    switch (op) {
    case OP_JEQ:
        return OP_JNE;
    case OP_JNE:
        return OP_JEQ;
    case OP_JLT:
        return OP_JGE;
    case OP_JGT:
        return OP_JLE;
    case OP_JSLT:
        return OP_JSGE;
    case OP_JSGT:
        return OP_JSLE;
    default:
        return 0; /* JSET has none */
    }
}

/* Whether a comparison with b needs no register for it. */
static bool compares_imm(const struct emitter *e, const struct item *i, node_id a, node_id b,
                         int32_t *imm)
{
    return imm_for(e, N_ADD, a, b, imm) ||
           (i->width == 32 && (!b || g_node(&e->w->graph, b)->op == N_CONST));
}

/* A jump with its distance left open; gives the instruction to fill in. */
static uint32_t put_jump(struct emitter *e, const struct item *i, bool when)
{
    const struct graph *g = &e->w->graph;
    unsigned int op = i->compare, dst, src = 0;
    node_id a = i->a, b = i->b;
    bool want = i->sense == when, by_imm;
    uint8_t code;
    int32_t imm;

    if (g_node(g, a)->op == N_CONST && (op == OP_JLT || op == OP_JSLT)) {
        op = op == OP_JLT ? OP_JGT : OP_JSGT;
        a = i->b;
        b = i->a;
    }
    by_imm = compares_imm(e, i, a, b, &imm);
    dst = reg_get(e, a, 0);
    if (!by_imm)
        src = reg_get(e, b, 1u << dst);
    if (!want && !opposite(op)) { /* JSET: over an unconditional jump */
        code = (uint8_t)(jump_code(op) + (i->width == 32 ? 1 : 0));
        put(e, (uint8_t)(code | (by_imm ? 0 : 8)), dst, src, 1, by_imm ? imm : 0);
        put(e, 0x05, 0, 0, 0, 0);
        return e->n - 1;
    }
    code = (uint8_t)(jump_code(want ? op : opposite(op)) + (i->width == 32 ? 1 : 0));
    put(e, (uint8_t)(code | (by_imm ? 0 : 8)), dst, src, 0, by_imm ? imm : 0);
    return e->n - 1;
}

static void jump_to_pass(struct emitter *e, uint32_t insn)
{
    if (grow(e->w, &e->fix, e->nr_fix, &e->fix_room, sizeof(*e->fix)))
        e->fix[e->nr_fix++] = insn;
}

static void land(struct emitter *e, uint32_t insn)
{
    if (!e->full)
        e->insn[insn].off = (int16_t)(e->n - insn - 1);
}

/* dst is a register for node i->node that starts as a copy of i->a. */
static unsigned int copy_of_a(struct emitter *e, const struct item *i, uint32_t keep)
{
    unsigned int a = reg_get(e, i->a, keep), dst;

    if (reg_dead_after(e, i->a) || g_node(&e->w->graph, i->a)->op == N_INPUT ||
        g_node(&e->w->graph, i->a)->op == N_CONST) {
        e->regs.reg[a] = i->node;
        return a;
    }
    dst = reg_new(e, i->node, keep | 1u << a);
    put(e, 0xbf, dst, a, 0, 0);
    return dst;
}

/* 0 or 1 by a comparison: node = 1; unless it holds, node = 0. */
static void emit_truth(struct emitter *e, const struct item *item)
{
    struct item i = *item;
    unsigned int dst;
    uint32_t jump;

    switch (g_node(&e->w->graph, item->node)->op) {
    case N_EQ:
        i.compare = OP_JEQ;
        break;
    case N_ULT:
        i.compare = OP_JLT;
        break;
    default:
        i.compare = OP_JSLT;
        break;
    }
    /* Operands first: nothing may be emitted between the two moves but the jump. */
    unsigned int ra = reg_get(e, i.a, 0), rb = reg_get(e, i.b, 1u << ra);

    dst = reg_new(e, item->node, 1u << ra | 1u << rb);
    put(e, 0xb7, dst, 0, 0, 1);
    jump = e->n;
    put(e, (uint8_t)(jump_code(i.compare) | 8), ra, rb, 0, 0);
    put(e, 0xb7, dst, 0, 0, 0);
    land(e, jump);
}

static void emit_op(struct emitter *e, const struct item *i)
{
    const struct graph *g = &e->w->graph;
    enum node_op op = (enum node_op)g_node(g, i->node)->op;
    uint8_t narrower = i->width == 32 ? 0x07 - 0x04 : 0;
    uint64_t mask;
    unsigned int dst, src;
    int32_t imm;

    if (op == N_EQ || op == N_ULT || op == N_SLT) {
        emit_truth(e, i);
    } else if ((op == N_AND && g_is_const(g, i->b, &mask) && mask == 0xffffffffull) ||
               (op >= N_SEXT8 && op <= N_SEXT32)) {
        src = reg_get(e, i->a, 0);
        dst = src;
        if (reg_dead_after(e, i->a) || g_node(g, i->a)->op == N_INPUT)
            e->regs.reg[src] = i->node;
        else
            dst = reg_new(e, i->node, 1u << src);
        if (op == N_AND)
            put(e, 0xbc, dst, src, 0, 0);
        else
            put(e, 0xbf, dst, src, op == N_SEXT8 ? 8 : op == N_SEXT16 ? 16 : 32, 0);
    } else if (op == N_BSWAP64) {
        dst = copy_of_a(e, i, 0);
        put(e, 0xd7, dst, 0, 0, 64);
    } else if (imm_for(e, op, i->a, i->b, &imm)) {
        dst = copy_of_a(e, i, 0);
        put(e, (uint8_t)(alu_code(op) - narrower), dst, 0, 0, imm);
    } else {
        struct item swapped = *i;

        /* The one that is not wanted any more becomes the result. */
        if (commutes(op) && !reg_dead_after(e, i->a) && reg_dead_after(e, i->b)) {
            swapped.a = i->b;
            swapped.b = i->a;
            i = &swapped;
        }
        src = reg_get(e, i->b, 0);
        reg_get(e, i->a, 1u << src);
        dst = copy_of_a(e, i, 1u << src);
        put(e, (uint8_t)((alu_code(op) | 8) - narrower), dst, src, 0, 0);
    }
}

/* A register with the base of the item's access; *off: the distance from there. */
static unsigned int base_of(struct emitter *e, const struct item *i, uint32_t keep, int32_t *off)
{
    unsigned int reg;

    *off = (int32_t)i->off;
    if (i->a)
        return reg_get(e, i->a, keep);
    reg = reg_new(e, 0, keep);
    put_const(e, reg, (uint64_t)i->off);
    *off = 0;
    return reg;
}

static void emit_load(struct emitter *e, const struct item *i)
{
    static const uint8_t code[] = { 0x31, 0x29, 0x21, 0x39 };
    unsigned int base, dst;
    bool lost;
    int32_t off;

    base = base_of(e, i, 0, &off);
    lost = CALL_LOSES >> base & 1 && reg_across_call(e, i->node); /* else it would be moved before the call */
    if (!lost && (!i->a || (reg_dead_after(e, i->a) && g_node(&e->w->graph, i->a)->op != N_INPUT))) {
        e->regs.reg[base] = i->node;
        dst = base;
    } else {
        dst = reg_new(e, i->node, 1u << base);
    }
    put(e, code[__builtin_ctz(i->size)], dst, base, i->half, off);
}

static void emit_store(struct emitter *e, const struct item *i)
{
    static const uint8_t code[] = { 0x33, 0x2b, 0x23, 0x3b };
    unsigned int base, value;
    int32_t off;

    base = base_of(e, i, 0, &off);
    value = reg_get(e, i->b, 1u << base);
    if (i->tainted)
        e->w->out->tainted[e->w->out->nr_tainted++] = e->n;
    put(e, code[__builtin_ctz(i->size)], base, value, i->half, off);
}

static void emit_m2p(struct emitter *e, const struct item *i)
{
    unsigned int from = reg_get(e, i->a, 0);

    regs_save(e);
    if (from != 1)
        put(e, 0xbf, 1, from, 0, 0);
    put(e, 0x85, 0, 0, 0, FAST_HELPER_m2p);
    regs_lost(e);
    e->regs.reg[0] = i->node;
}

/* Values into r1 to r3, wherever they are: a move whose target nobody waits for first, or by way of
 * r0, which is not one of the three then. */
static void arguments(struct emitter *e, unsigned int from[3])
{
    bool waits[3] = { true, true, true };

    for (unsigned int left = 3; left;) {
        unsigned int i = 0;

        for (; i < 3; i++) {
            bool wanted = false;

            for (unsigned int j = 0; j < 3; j++)
                wanted |= j != i && waits[j] && from[j] == i + 1;
            if (waits[i] && !wanted)
                break;
        }
        if (i == 3) {
            for (i = 0; !waits[i]; i++)
                ;
            put(e, 0xbf, 0, from[i], 0, 0);
            from[i] = 0;
            continue;
        }
        if (from[i] != i + 1)
            put(e, 0xbf, i + 1, from[i], 0, 0);
        waits[i] = false;
        left--;
    }
}

static void emit_pt(struct emitter *e, const struct item *i)
{
    unsigned int from[3];

    from[0] = reg_get(e, i->a, 0);
    from[1] = reg_get(e, i->b, 1u << from[0]);
    from[2] = reg_get(e, i->c, 1u << from[0] | 1u << from[1]);
    regs_save(e);
    arguments(e, from);
    put(e, 0x85, 0, 0, 0, FAST_HELPER_pt_update);
    regs_lost(e);
}

static uint32_t emit_items(struct emitter *e, uint32_t from, uint32_t to);

static void emit_branch(struct emitter *e, uint32_t at)
{
    const struct item *i = &e->code->item[at];
    struct regs saved;
    uint32_t jump = put_jump(e, i, true);

    saved = e->regs;
    emit_items(e, at + 1, i->other);
    land(e, jump);
    e->regs = saved;
    emit_items(e, i->other, i->end);
}

static void emit_apart(struct emitter *e, const struct item *i)
{
    unsigned int a = reg_get(e, i->a, 0), b = i->b ? reg_get(e, i->b, 1u << a) : a;
    unsigned int sum = reg_new(e, 0, 1u << a | 1u << b);

    put(e, 0xbf, sum, a, 0, 0);
    if (i->b)
        put(e, 0x0f, sum, b, 0, 0);
    put(e, 0x07, sum, 0, 0, (int32_t)i->off);
    jump_to_pass(e, e->n);
    put(e, 0xa5, sum, 0, 0, (int32_t)i->other); /* jlt */
}

/* The operands first: between the two moves nothing may be emitted but the jump. */
static void emit_select(struct emitter *e, const struct item *i)
{
    unsigned int yes, no, dst;
    uint32_t keep, jump;
    int32_t imm;

    keep = 1u << reg_get(e, i->a, 0);
    if (g_node(&e->w->graph, i->a)->op == N_CONST || !compares_imm(e, i, i->a, i->b, &imm))
        keep |= 1u << reg_get(e, i->b, keep);
    yes = reg_get(e, i->c, keep);
    no = reg_get(e, i->d, keep | 1u << yes);
    keep |= 1u << yes | 1u << no;
    dst = reg_new(e, i->node, keep);
    put(e, 0xbf, dst, yes, 0, 0);
    jump = put_jump(e, i, true);
    put(e, 0xbf, dst, no, 0, 0);
    land(e, jump);
}

/* As the JIT knows it (jit_compare.c). */
static void emit_rotate(struct emitter *e, const struct item *i)
{
    unsigned int dst = copy_of_a(e, i, 0), other = reg_new(e, 0, 1u << dst);

    put(e, 0xbc, other, dst, 0, 0);
    put(e, 0x74, dst, 0, 0, (int32_t)i->off);
    put(e, 0x64, other, 0, 0, (int32_t)(32 - i->off));
    put(e, 0x4c, dst, other, 0, 0);
}

static void emit_item(struct emitter *e, const struct item *i)
{
    switch (i->kind) {
    case I_OP:
        emit_op(e, i);
        break;
    case I_LOAD:
        emit_load(e, i);
        break;
    case I_TSC:
        regs_save(e);
        put(e, 0x85, 0, 0, 0, FAST_HELPER_tsc);
        regs_lost(e);
        e->regs.reg[0] = i->node;
        break;
    case I_M2P:
        emit_m2p(e, i);
        break;
    case I_PT:
        emit_pt(e, i);
        break;
    case I_STORE:
        emit_store(e, i);
        break;
    case I_GUARD:
        jump_to_pass(e, put_jump(e, i, false));
        break;
    case I_APART:
        emit_apart(e, i);
        break;
    case I_SELECT:
        emit_select(e, i);
        break;
    case I_ROTATE:
        emit_rotate(e, i);
        break;
    case I_SET:
        put(e, 0x7b, CTX, reg_get(e, i->a, 0), (int16_t)i->off, 0);
        break;
    case I_DONE:
        put(e, 0xb7, 0, 0, 0, FAST_DONE);
        put(e, 0x95, 0, 0, 0, 0);
        break;
    default:
        put(e, 0x05, 0, 0, 0, 0);
        jump_to_pass(e, e->n - 1);
        break;
    }
}

static uint32_t emit_items(struct emitter *e, uint32_t from, uint32_t to)
{
    for (uint32_t at = from; at < to && !e->w->failed && !e->full; at++) {
        e->at = at;
        e->end = e->code->item[at].end;
        e->w->at = e->code->item[at].at;
        if (e->code->item[at].kind == I_BRANCH) {
            emit_branch(e, at);
            break; /* both sides are behind it */
        }
        emit_item(e, &e->code->item[at]);
    }
    return e->n;
}

bool emit(struct work *w)
{
    struct code code = { .w = w };
    struct emitter e = { .w = w, .code = &code };

    e.insn = calloc(FAST_MAX_INSNS, sizeof(*e.insn));
    w->out->tainted = calloc(FAST_MAX_INSNS, sizeof(*w->out->tainted));
    if (!e.insn || !w->out->tainted)
        refuse(w, SYNTH_NO_MEMORY, "program");
    else if (schedule(&code)) {
        put(&e, 0xbf, CTX, 1, 0, 0);
        emit_items(&e, 0, code.n);
        if (!w->failed)
            make_program(w, &e);
    }
    free(code.item);
    free(code.needed);
    free(code.waiting);
    free(code.emitted);
    free(code.trail);
    free(code.use_start);
    free(code.use);
    free(e.fix);
    free(e.insn);
    return !w->failed;
}
