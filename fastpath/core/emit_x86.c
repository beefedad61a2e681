/* SPDX-License-Identifier: MIT */
#include "emit_x86.h"

void emit_byte(struct emit *e, unsigned int byte)
{
    if (e->at && !e->failed) {
        if (e->used < e->size)
            e->at[e->used] = (uint8_t)byte;
        else
            e->failed = true;
    }
    e->used++;
}

void emit_u32(struct emit *e, uint32_t value)
{
    for (unsigned int i = 0; i < 4; i++)
        emit_byte(e, value >> (8 * i) & 0xff);
}

void emit_u64(struct emit *e, uint64_t value)
{
    emit_u32(e, (uint32_t)value);
    emit_u32(e, (uint32_t)(value >> 32));
}

static void emit_opcode(struct emit *e, bool wide, unsigned int opcode, unsigned int reg,
                        unsigned int rm)
{
    emit_byte(e, 0x40u | (wide ? 8u : 0u) | (reg >> 3) << 2 | rm >> 3);
    if (opcode > 0xff)
        emit_byte(e, opcode >> 8);
    emit_byte(e, opcode & 0xff);
}

void emit_reg_reg(struct emit *e, bool wide, unsigned int opcode, unsigned int reg, unsigned int rm)
{
    emit_opcode(e, wide, opcode, reg, rm);
    emit_byte(e, 0xc0u | (reg & 7) << 3 | (rm & 7));
}

void emit_reg_mem(struct emit *e, bool wide, unsigned int opcode, unsigned int reg,
                  unsigned int base, int32_t disp)
{
    bool near = disp >= -128 && disp <= 127;

    emit_opcode(e, wide, opcode, reg, base);
    emit_byte(e, (near ? 0x40u : 0x80u) | (reg & 7) << 3 | (base & 7));
    if ((base & 7) == RSP)
        emit_byte(e, 0x24);
    if (near)
        emit_byte(e, (uint8_t)disp);
    else
        emit_u32(e, (uint32_t)disp);
}

void emit_reg_index(struct emit *e, bool wide, unsigned int opcode, unsigned int reg,
                    unsigned int base, unsigned int index, int32_t disp)
{
    emit_byte(e, 0x40u | (wide ? 8u : 0u) | (reg >> 3) << 2 | (index >> 3) << 1 | base >> 3);
    if (opcode > 0xff)
        emit_byte(e, opcode >> 8);
    emit_byte(e, opcode & 0xff);
    emit_byte(e, 0x84u | (reg & 7) << 3);
    emit_byte(e, (index & 7) << 3 | (base & 7));
    emit_u32(e, (uint32_t)disp);
}

void emit_mov(struct emit *e, bool wide, unsigned int to, unsigned int from)
{
    emit_reg_reg(e, wide, 0x89, from, to);
}

void emit_mov_imm(struct emit *e, unsigned int to, uint64_t value)
{
    if (value <= 0xffffffffull) {
        emit_opcode(e, false, 0xb8 + (to & 7), 0, to);
        emit_u32(e, (uint32_t)value);
    } else if ((uint64_t)(int64_t)(int32_t)value == value) {
        emit_reg_reg(e, true, 0xc7, 0, to);
        emit_u32(e, (uint32_t)value);
    } else {
        emit_opcode(e, true, 0xb8 + (to & 7), 0, to);
        emit_u64(e, value);
    }
}

void emit_alu_imm(struct emit *e, bool wide, unsigned int digit, unsigned int reg, int32_t imm)
{
    bool near = imm >= -128 && imm <= 127;

    emit_reg_reg(e, wide, near ? 0x83 : 0x81, digit, reg);
    if (near)
        emit_byte(e, (uint8_t)imm);
    else
        emit_u32(e, (uint32_t)imm);
}

void emit_push(struct emit *e, unsigned int reg)
{
    emit_opcode(e, false, 0x50 + (reg & 7), 0, reg);
}

void emit_pop(struct emit *e, unsigned int reg)
{
    emit_opcode(e, false, 0x58 + (reg & 7), 0, reg);
}

uint32_t emit_short_jump(struct emit *e, unsigned int opcode)
{
    emit_byte(e, opcode);
    emit_byte(e, 0);
    return e->used - 1;
}

void emit_land(struct emit *e, uint32_t jump)
{
    uint32_t distance = e->used - (jump + 1);

    if (distance > 127)
        e->failed = true;
    if (e->at && !e->failed)
        e->at[jump] = (uint8_t)distance;
}

void emit_jump(struct emit *e, unsigned int opcode, uint32_t target)
{
    if (opcode > 0xff)
        emit_byte(e, opcode >> 8);
    emit_byte(e, opcode & 0xff);
    emit_u32(e, target - (e->used + 4));
}
