/* SPDX-License-Identifier: MIT */
#include "interp.h"
#include "isa.h"

#define UNWRITTEN 0xdeadbeefdeadbeefull

struct machine {
    struct fast_run *run;
    uint64_t reg[ISA_REGS];
    uint8_t stack[FAST_STACK_BYTES] __attribute__((aligned(16)));
};

/* Where the access goes, or NULL when it is neither in the stack nor in the context. */
static uint8_t *resolve(struct machine *m, uint64_t address, unsigned int size)
{
    uint64_t in_stack = address - (uintptr_t)m->stack;
    uint64_t in_ctx = address - (uintptr_t)m->run->ctx;

    if (in_stack <= sizeof(m->stack) - size)
        return m->stack + in_stack;
    if (in_ctx <= sizeof(*m->run->ctx) - size)
        return (uint8_t *)m->run->ctx + in_ctx;
    m->run->stop = FAST_STOP_ESCAPE;
    return NULL;
}

static void load(struct machine *m, const struct isa_insn *in)
{
    unsigned int size = in->row->width;
    const uint8_t *from = resolve(m, m->reg[in->src] + (uint64_t)(int64_t)in->off, size);
    unsigned int unused = 64 - 8 * size;
    uint64_t value = 0;

    if (!from)
        return;
    memcpy(&value, from, size);
    if (in->row->op == OP_LOADS)
        value = (uint64_t)((int64_t)(value << unused) >> unused);
    m->reg[in->dst] = value;
}

static void store(struct machine *m, const struct isa_insn *in)
{
    unsigned int size = in->row->width;
    uint8_t *to = resolve(m, m->reg[in->dst] + (uint64_t)(int64_t)in->off, size);
    uint64_t value = in->row->form == FORM_STORE_REG ? m->reg[in->src] : (uint64_t)in->imm;

    if (to)
        memcpy(to, &value, size);
}

static void call(struct machine *m, const struct isa_insn *in)
{
    if (!fast_helper_find(in->imm)) {
        m->run->stop = FAST_STOP_ESCAPE;
        return;
    }
    m->reg[0] = m->run->helpers[in->imm](m->run, m->reg[1], m->reg[2], m->reg[3]);
    for (unsigned int i = 1; i <= 5; i++)
        m->reg[i] = UNWRITTEN;
}

static bool half_ok(const struct isa_row *row, uint64_t base)
{
    return row->off == ISA_KERNEL ? base >= FAST_GUARD
           : row->off == ISA_USER ? base < FAST_USER_END
                                  : true;
}

/*
 * A load or store of guest memory: as the helper, but for the registers.  A base in the other half
 * becomes what no address is: a load stops at once, a store is found impossible at the end.
 */
static void guest_access(struct machine *m, const struct isa_insn *in)
{
    bool loads = in->row->form == FORM_GUEST_LOAD;
    uint64_t *base = &m->reg[loads ? in->src : in->dst], value;

    if (!half_ok(in->row, *base)) {
        *base = FAST_NO_ADDRESS;
        if (loads) {
            m->run->stop = FAST_STOP_LOAD;
            return;
        }
    }
    value = m->run->helpers[isa_guest_helper(in->row)](m->run, *base + (uint64_t)in->imm,
                                                       loads ? 0 : m->reg[in->src], 0);
    if (loads)
        m->reg[in->dst] = value;
}

static bool branch_taken(const struct machine *m, const struct isa_insn *in)
{
    uint64_t b = in->row->form == FORM_BRANCH_REG ? m->reg[in->src] : (uint64_t)in->imm;

    return isa_compare(in->row->op, in->row->width, m->reg[in->dst], b);
}

static void step(struct machine *m, const struct isa_insn *in)
{
    switch (in->row->form) {
    case FORM_LOAD:
        load(m, in);
        break;
    case FORM_STORE_IMM:
    case FORM_STORE_REG:
        store(m, in);
        break;
    case FORM_GUEST_LOAD:
    case FORM_GUEST_STORE:
        guest_access(m, in);
        break;
    case FORM_CALL:
        call(m, in);
        break;
    case FORM_LDDW:
        m->reg[in->dst] = (uint64_t)in->imm;
        break;
    case FORM_ALU_REG:
        m->reg[in->dst] = isa_alu(in->row->op, in->row->width, m->reg[in->dst], m->reg[in->src]);
        break;
    default:
        m->reg[in->dst] = isa_alu(in->row->op, in->row->width, m->reg[in->dst], (uint64_t)in->imm);
        break;
    }
}

uint64_t fast_interpret(const struct fast_program *program, struct fast_run *run, uint32_t budget)
{
    struct machine m = { .run = run };
    uint64_t pc = 0, n = program->head.insns;
    struct isa_insn in;

    for (unsigned int i = 0; i < ISA_FRAME; i++)
        m.reg[i] = UNWRITTEN;
    m.reg[1] = (uintptr_t)run->ctx;
    m.reg[ISA_FRAME] = (uintptr_t)(m.stack + sizeof(m.stack));

    while (!run->stop) {
        if (pc >= n || isa_decode(&program->insns[pc], (unsigned int)(n - pc), &in) != FAST_OK) {
            run->stop = FAST_STOP_ESCAPE;
            break;
        }
        if (budget-- == 0) {
            run->stop = FAST_STOP_BUDGET;
            break;
        }
        if (in.row->form == FORM_EXIT)
            return m.reg[0];
        if (!isa_is_jump(in.row)) {
            run->at = (uint32_t)pc;
            step(&m, &in);
            pc += in.length;
        } else {
            bool taken = branch_taken(&m, &in);

            run->path = run->path * 0x01000193u + (uint32_t)(2 * pc + taken);
            pc += 1 + (taken ? (uint64_t)(int64_t)in.jump : 0);
        }
    }
    return FAST_PASS;
}
