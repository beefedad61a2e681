/* SPDX-License-Identifier: MIT */
/* Jumps, calls, the return to user mode; fences and the time stamp. */
#include "insn.h"

#define HYPERCALL_IRET 23u /* __HYPERVISOR_iret */

static node_id jump_target(struct insn *in)
{
    if (in->op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
        return imm(in, in->next + in->op[0].imm.value.u);
    return op_read(in, 0);
}

/* Whether all captures go to one place: else they part first, by whether it is the first's. */
static bool one_target(struct insn *in, node_id target)
{
    uint64_t first = 0, number;
    bool some = false, differ = false;

    if (g_is_const(in->g, target, &number))
        return true;
    FOR_CAPTURES(i, in->st->captures)
    {
        uint64_t next = step_of(in->w, i, in->w->step + 1)->regs.rip;

        differ |= some && next != first;
        first = some ? first : next;
        some = true;
    }
    if (!differ)
        return true;
    in->flow = FLOW_SPLIT;
    in->taken = op2i(in, N_EQ, target, first);
    return false;
}

void lift_jcc(struct insn *in)
{
    in->flow = FLOW_BRANCH;
    in->target = jump_target(in);
    in->taken = condition(in, in->z.opcode & 15);
}

void lift_jrcxz(struct insn *in)
{
    in->flow = FLOW_BRANCH;
    in->target = jump_target(in);
    in->taken = op2i(in, N_EQ, in->st->reg[RCX], 0);
}

void lift_jmp(struct insn *in)
{
    in->flow = FLOW_JUMP;
    in->target = jump_target(in);
    one_target(in, in->target);
}

void lift_call(struct insn *in)
{
    in->flow = FLOW_JUMP;
    in->target = jump_target(in);
    if (!one_target(in, in->target))
        return;
    push(in, imm(in, in->next));
}

void lift_ret(struct insn *in)
{
    in->flow = FLOW_JUMP;
    in->target = memory_load(in->w, in->st, in->st->reg[RSP], 8);
    if (!one_target(in, in->target))
        return;
    pop(in);
    if (in->z.operand_count_visible == 1)
        in->st->reg[RSP] = op2i(in, N_ADD, in->st->reg[RSP], in->op[0].imm.value.u);
}

void lift_syscall(struct insn *in)
{
    uint64_t number;

    if (!g_is_const(in->g, g_low(in->g, in->st->reg[RAX], 4), &number))
        refuse(in->w, SYNTH_HYPERCALL, "whose number is computed");
    else if (number == HYPERCALL_IRET)
        in->flow = FLOW_RETURN;
    else
        hypercall(in, number);
}

/* LFENCE stands for no more than order of loads, and a handler's loads are in order. */
void lift_nothing(struct insn *in)
{
    (void)in;
}

void lift_fence(struct insn *in)
{
    if (!in->w->in->one_vcpu)
        refuse(in->w, SYNTH_FENCE, "%s", ZydisMnemonicGetString(in->z.mnemonic));
    in->w->one_vcpu_used = true;
}

void lift_rdtsc(struct insn *in)
{
    struct effect *e = effect_add(in->w, in->st->segment, E_TSC);
    node_id tsc = g_tsc(in->g);

    if (e)
        e->value = tsc;
    FOR_CAPTURES(i, in->st->captures)
    {
        const struct radon_regs *r = &step_of(in->w, i, in->w->step + 1)->regs;

        concrete_bind(in->w, i, tsc, r->rdx << 32 | (uint32_t)r->rax);
    }
    reg_write(in, ZYDIS_REGISTER_EAX, tsc);
    reg_write(in, ZYDIS_REGISTER_EDX, op2i(in, N_SHR, tsc, 32));
}
