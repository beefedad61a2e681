/* SPDX-License-Identifier: MIT */
/*
 * Several instructions of the program that one or two of the processor do: a load of guest memory
 * whose value is compared and then not wanted any more; sums.
 */
#include "jit_int.h"

static uint64_t low(unsigned int bytes)
{
    return bytes == 8 ? ~0ull : (1ull << (8 * bytes)) - 1;
}

/*
 * Whether memory as wide as the load can be compared in place of what was loaded, which is
 * zero-extended (a narrower access would not fault where the load does): *imm becomes the immediate
 * in that width.
 */
static bool in_memory(const struct isa_insn *load, const struct isa_insn *in, int32_t *imm)
{
    unsigned int size = load->row->width, op = in->row->op, width = in->row->width / 8u;
    uint64_t value = (uint64_t)in->imm & low(width);

    if (size > width)
        return false;
    *imm = (int32_t)in->imm;
    if (size == width)
        return true;
    if (op == OP_JSET) {
        value &= low(size);
        *imm = (int32_t)(uint32_t)value;
        return true;
    }
    /* An immediate that fits compares as in the narrow form, but for signs. */
    return value <= low(size) >> 1 && !(op >= OP_JSGT && op <= OP_JSLE);
}

static void with_imm(struct jit *j, const struct isa_insn *load, const struct isa_insn *in)
{
    unsigned int base = j->map[load->src], size = load->row->width;
    bool tests = in->row->op == OP_JSET, near;
    struct emit *e = &j->e;
    int32_t imm = 0;

    in_memory(load, in, &imm);
    jit_check_base(j, load->src, (enum isa_half)load->row->off);
    near = size > 1 && !tests && imm >= -128 && imm <= 127;
    if (size == 2)
        emit_byte(e, 0x66);
    if (tests)
        emit_reg_mem(e, size == 8, size == 1 ? 0xf6 : 0xf7, 0, base, (int32_t)load->imm);
    else
        emit_reg_mem(e, size == 8,
                     size == 1 ? 0x80
                     : near    ? 0x83
                               : 0x81,
                     7, base, (int32_t)load->imm);
    for (unsigned int i = 0; i < (near || size == 1 ? 1 : size == 2 ? 2 : 4); i++)
        emit_byte(e, (uint32_t)imm >> (8 * i) & 0xff);
}

/* With a register, both as wide as the memory. */
static void with_reg(struct jit *j, const struct isa_insn *load, const struct isa_insn *in)
{
    unsigned int size = load->row->width, base = j->map[load->src];
    bool first = in->dst == load->dst;
    unsigned int other = j->map[first ? in->src : in->dst];

    jit_check_base(j, load->src, (enum isa_half)load->row->off);
    emit_reg_mem(&j->e, size == 8,
                 in->row->op == OP_JSET ? 0x85
                 : first                ? 0x39
                                        : 0x3b,
                 other, base, (int32_t)load->imm);
}

/* The instruction at i, if it can be part of a piece that began before. */
static bool follows(const struct jit *j, unsigned int i, struct isa_insn *in)
{
    unsigned int n = j->program->head.insns;

    return i < n && !jit_is_target(j, i) &&
           isa_decode(&j->program->insns[i], n - i, in) == FAST_OK &&
           (!isa_is_jump(in->row) || (in->jump >= 0 && (int64_t)i + 1 + in->jump < (int64_t)n));
}

bool jit_compares(const struct jit *j, unsigned int i, const struct isa_insn *load, struct isa_insn *in)
{
    unsigned int size = load->row->width;
    int32_t imm;

    if (j->space->point[i].stores || !follows(j, i + 1, in) || !isa_is_branch(in->row) ||
        (in->dst != load->dst && (in->row->form != FORM_BRANCH_REG || in->src != load->dst)) ||
        !jit_dead_after(j, i + 1, load->dst))
        return false;
    if (in->row->form == FORM_BRANCH_IMM)
        return in_memory(load, in, &imm);
    return in->dst != in->src && (size == 8 || size == 4) && size * 8 == in->row->width;
}

bool jit_compare(struct jit *j, unsigned int i, const struct isa_insn *load)
{
    struct isa_insn in;

    if (!jit_compares(j, i, load, &in))
        return false;
    if (in.row->form == FORM_BRANCH_IMM)
        with_imm(j, load, &in);
    else
        with_reg(j, load, &in);
    jit_jump(j, jit_condition(in.row->op), i + 2 + (uint32_t)in.jump);
    return true;
}

/* ------------------------------------------------------------------ a rotation */

static bool is_shift(const struct isa_insn *in, unsigned int op, unsigned int dst)
{
    return in->row->op == op && in->row->form == FORM_ALU_IMM && in->row->width == 32 &&
           in->dst == dst;
}

/* mov32 t, d; rsh32 d, n; lsh32 t, 32 - n; or32 d, t, and t not read behind it: ror d, n. */
unsigned int jit_rotate(struct jit *j, unsigned int i, const struct isa_insn *in)
{
    unsigned int dst = in->src, other = in->dst;
    struct isa_insn right, left, or ;

    if (!j->space->guest_memory || in->row->op != OP_MOV || in->row->form != FORM_ALU_REG ||
        in->row->width != 32 || dst == other || dst >= ISA_FRAME || !follows(j, i + 1, &right) ||
        !is_shift(&right, OP_RSH, dst) || !follows(j, i + 2, &left) ||
        !is_shift(&left, OP_LSH, other) || right.imm <= 0 || right.imm >= 32 ||
        left.imm != 32 - right.imm || !follows(j, i + 3, & or) || or.row->op != OP_OR ||
        or.row->form != FORM_ALU_REG || or.row->width != 32 || or.dst != dst || or.src != other ||
        !jit_dead_after(j, i + 3, other))
        return 0;
    emit_reg_reg(&j->e, false, 0xc1, 1, j->map[dst]);
    emit_byte(&j->e, (unsigned int)right.imm);
    return 4;
}

/* ------------------------------------------------------------------ sums */

static bool adds(const struct isa_insn *in, unsigned int form, unsigned int dst)
{
    return in->row->op == OP_ADD && in->row->form == form && in->row->width == 64 && in->dst == dst;
}

/*
 * mov r, a; add r, number: lea r, [a + number].  With add r, b in between, or alone: lea r, [a + b
 * + number]. Flags do not matter between instructions of the program.
 */
unsigned int jit_lea(struct jit *j, unsigned int i, const struct isa_insn *in)
{
    unsigned int dst = in->dst, slots = 1, index = ISA_FRAME;
    struct isa_insn next;
    int32_t disp = 0;

    if (!j->space->guest_memory || in->row->op != OP_MOV || in->row->form != FORM_ALU_REG ||
        in->row->width != 64 || in->src >= ISA_FRAME || j->space->point[i].ctx & 1u << in->src)
        return 0;
    if (follows(j, i + slots, &next) && adds(&next, FORM_ALU_REG, dst) && next.src != dst &&
        next.src < ISA_FRAME) {
        index = next.src;
        slots++;
    }
    if (follows(j, i + slots, &next) && adds(&next, FORM_ALU_IMM, dst)) {
        disp = (int32_t)next.imm;
        slots++;
    }
    if (slots == 1)
        return 0;
    if (index == ISA_FRAME)
        emit_reg_mem(&j->e, true, 0x8d, j->map[dst], j->map[in->src], disp);
    else
        emit_reg_index(&j->e, true, 0x8d, j->map[dst], j->map[in->src], j->map[index], disp);
    return slots;
}
