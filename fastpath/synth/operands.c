/* SPDX-License-Identifier: MIT */
/* Operands: registers with their parts, memory with its address, immediates. */
#include "insn.h"

unsigned int op_size(const struct insn *in, unsigned int i)
{
    return in->op[i].size / 8u;
}

bool op_is_memory(const struct insn *in, unsigned int i)
{
    return in->op[i].type == ZYDIS_OPERAND_TYPE_MEMORY;
}

static bool is_general(ZydisRegister reg)
{
    ZydisRegisterClass class = ZydisRegisterGetClass(reg);

    return class == ZYDIS_REGCLASS_GPR8 || class == ZYDIS_REGCLASS_GPR16 ||
           class == ZYDIS_REGCLASS_GPR32 || class == ZYDIS_REGCLASS_GPR64;
}

static bool is_high(ZydisRegister reg)
{
    return reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH;
}

static unsigned int reg_number(ZydisRegister reg)
{
    return (unsigned int)(ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg) -
                          ZYDIS_REGISTER_RAX);
}

static unsigned int reg_size(ZydisRegister reg)
{
    return ZydisRegisterGetWidth(ZYDIS_MACHINE_MODE_LONG_64, reg) / 8u;
}

node_id reg_read(struct insn *in, ZydisRegister reg)
{
    node_id value;

    if (!is_general(reg)) {
        refuse(in->w, SYNTH_UNSUPPORTED, "register %s", ZydisRegisterGetString(reg));
        return imm(in, 0);
    }
    value = in->st->reg[reg_number(reg)];
    if (is_high(reg))
        value = op2i(in, N_SHR, value, 8);
    return g_low(in->g, value, reg_size(reg));
}

void reg_write(struct insn *in, ZydisRegister reg, node_id value)
{
    unsigned int size = reg_size(reg), shift = is_high(reg) ? 8 : 0;
    uint64_t mask = byte_mask(size) << shift;
    node_id *to;

    if (!is_general(reg)) {
        refuse(in->w, SYNTH_UNSUPPORTED, "register %s", ZydisRegisterGetString(reg));
        return;
    }
    to = &in->st->reg[reg_number(reg)];
    value = g_low(in->g, value, size);
    if (size >= 4) /* 32 bits: the upper half becomes zero */
        *to = value;
    else
        *to = op2(in, N_OR, op2i(in, N_AND, *to, ~mask), op2i(in, N_SHL, value, shift));
}

node_id op_address(struct insn *in, unsigned int i)
{
    const ZydisDecodedOperandMem *m = &in->op[i].mem;
    node_id at = imm(in, m->disp.has_displacement ? (uint64_t)m->disp.value : 0);

    if (i < 3 && in->address[i])
        return in->address[i];
    if (in->z.address_width != 64) {
        refuse(in->w, SYNTH_UNSUPPORTED, "an address of %u bits", in->z.address_width);
        return imm(in, 0);
    }
    if (m->base == ZYDIS_REGISTER_RIP)
        at = op2i(in, N_ADD, at, in->next);
    else if (m->base != ZYDIS_REGISTER_NONE)
        at = op2(in, N_ADD, reg_read(in, m->base), at);
    if (m->index != ZYDIS_REGISTER_NONE)
        at = op2(in, N_ADD, at,
                 op2i(in, N_SHL, reg_read(in, m->index), (uint64_t)__builtin_ctz(m->scale)));
    if (m->segment == ZYDIS_REGISTER_GS)
        at = op2(in, N_ADD, in->w->gs, at);
    else if (m->segment == ZYDIS_REGISTER_FS)
        refuse(in->w, SYNTH_UNSUPPORTED, "an address by FS");
    if (i < 3)
        in->address[i] = at;
    return at;
}

node_id op_read(struct insn *in, unsigned int i)
{
    unsigned int size = op_size(in, i);

    switch (in->op[i].type) {
    case ZYDIS_OPERAND_TYPE_REGISTER:
        return reg_read(in, in->op[i].reg.value);
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        return imm(in, in->op[i].imm.value.u);
    case ZYDIS_OPERAND_TYPE_MEMORY:
        if (size != 1 && size != 2 && size != 4 && size != 8) {
            refuse(in->w, SYNTH_UNSUPPORTED, "an operand of %u bytes", size);
            return imm(in, 0);
        }
        return memory_load(in->w, in->st, op_address(in, i), size);
    default:
        refuse(in->w, SYNTH_UNSUPPORTED, "operand");
        return imm(in, 0);
    }
}

node_id op_read_as(struct insn *in, unsigned int i, unsigned int size)
{
    return g_low(in->g, op_read(in, i), size);
}

node_id op_read_rmw(struct insn *in, unsigned int i)
{
    /* A LOCK prefix patched away (Linux with one CPU writes DS there) counts as LOCK: rule 3. */
    ZydisInstructionAttributes locked = ZYDIS_ATTRIB_HAS_LOCK | ZYDIS_ATTRIB_HAS_SEGMENT_DS;

    if (op_is_memory(in, i) &&
        ((in->z.attributes & locked) || in->z.mnemonic == ZYDIS_MNEMONIC_XCHG))
        memory_locked(in->w, in->st, op_address(in, i), op_size(in, i));
    return op_read(in, i);
}

void op_write(struct insn *in, unsigned int i, node_id value)
{
    unsigned int size = op_size(in, i);

    if (in->op[i].type == ZYDIS_OPERAND_TYPE_REGISTER)
        reg_write(in, in->op[i].reg.value, value);
    else if (op_is_memory(in, i) && (size == 1 || size == 2 || size == 4 || size == 8))
        memory_store(in->w, in->st, op_address(in, i), size, value);
    else
        refuse(in->w, SYNTH_UNSUPPORTED, "destination");
}

void push(struct insn *in, node_id value)
{
    in->st->reg[RSP] = op2i(in, N_ADD, in->st->reg[RSP], 0 - 8ull);
    memory_store(in->w, in->st, in->st->reg[RSP], 8, value);
}

node_id pop(struct insn *in)
{
    node_id value = memory_load(in->w, in->st, in->st->reg[RSP], 8);

    in->st->reg[RSP] = op2i(in, N_ADD, in->st->reg[RSP], 8);
    return value;
}
