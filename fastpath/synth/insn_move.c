/* SPDX-License-Identifier: MIT */
/* Moves. */
#include "insn.h"

void lift_mov(struct insn *in)
{
    op_write(in, 0, op_read(in, 1));
}

void lift_movzx(struct insn *in)
{
    op_write(in, 0, op_read(in, 1));
}

void lift_movsx(struct insn *in)
{
    op_write(in, 0, g_sext(in->g, op_read(in, 1), op_size(in, 1)));
}

void lift_lea(struct insn *in)
{
    op_write(in, 0, op_address(in, 1));
}

void lift_push(struct insn *in)
{
    node_id value;

    if (in->z.operand_width != 64 ||
        (in->op[0].type == ZYDIS_OPERAND_TYPE_REGISTER && op_size(in, 0) != 8)) {
        refuse(in->w, SYNTH_UNSUPPORTED, "push of %u bits", in->z.operand_width);
        return;
    }
    if (op_is_memory(in, 0)) {
        /* mem_address may be either of the two: the stack's is the one that is followed anyway. */
        value = memory_load(in->w, in->st, op_address(in, 0), 8);
    } else {
        value = op_read(in, 0);
    }
    push(in, value);
}

void lift_pop(struct insn *in)
{
    node_id value;

    if (in->z.operand_width != 64 || op_is_memory(in, 0)) {
        refuse(in->w, SYNTH_UNSUPPORTED, "pop of this kind");
        return;
    }
    value = pop(in);
    op_write(in, 0, value);
}

void lift_leave(struct insn *in)
{
    in->st->reg[RSP] = in->st->reg[RBP];
    in->st->reg[RBP] = pop(in);
}

void lift_xchg(struct insn *in)
{
    unsigned int memory = op_is_memory(in, 1) ? 1 : 0;
    node_id a = op_read_rmw(in, memory), b = op_read(in, 1 - memory);

    op_write(in, memory, b);
    op_write(in, 1 - memory, a);
}

void lift_cmov(struct insn *in)
{
    node_id taken = condition(in, in->z.opcode & 15), from = op_read(in, 1);

    /* Of 32 bits it clears the upper half even when nothing is moved. */
    op_write(in, 0, g_ite(in->g, taken, from, op_read(in, 0)));
}

void lift_setcc(struct insn *in)
{
    op_write(in, 0, condition(in, in->z.opcode & 15));
}

void lift_extend_a(struct insn *in)
{
    static const ZydisRegister to[] = { ZYDIS_REGISTER_AX, ZYDIS_REGISTER_EAX, ZYDIS_REGISTER_RAX };
    unsigned int from = in->z.mnemonic == ZYDIS_MNEMONIC_CBW    ? 1
                        : in->z.mnemonic == ZYDIS_MNEMONIC_CWDE ? 2
                                                                : 4;

    reg_write(in, to[from / 2], g_sext(in->g, in->st->reg[RAX], from));
}

void lift_extend_d(struct insn *in)
{
    static const ZydisRegister to[] = { 0, ZYDIS_REGISTER_DX, ZYDIS_REGISTER_EDX, 0,
                                        ZYDIS_REGISTER_RDX };
    unsigned int size = in->z.mnemonic == ZYDIS_MNEMONIC_CWD   ? 2
                        : in->z.mnemonic == ZYDIS_MNEMONIC_CDQ ? 4
                                                               : 8;

    reg_write(in, to[size / 2], op2i(in, N_SAR, g_sext(in->g, in->st->reg[RAX], size), 63));
}

void lift_bswap(struct insn *in)
{
    unsigned int size = op_size(in, 0);

    if (size < 4) {
        refuse(in->w, SYNTH_UNSUPPORTED, "bswap of 16 bits");
        return;
    }
    op_write(in, 0, op2i(in, N_SHR, op2(in, N_BSWAP64, op_read(in, 0), 0), 64 - 8 * size));
}
