/* SPDX-License-Identifier: MIT */
/* Accesses of the stack and of the context. */
#include "verify_int.h"

enum { SYSCALL = 1 << FAST_ATTACH_SYSCALL, EXCEPTION = 1 << FAST_ATTACH_EXCEPTION, ANY = 0xff };

static const struct {
    uint16_t at, bytes;
    uint8_t writable;
} fields[] = {
#define CTX_FIELD(name, attach)                                                                    \
    { offsetof(struct fast_ctx, name), sizeof(((struct fast_ctx *)0)->name), attach },
#include "ctx_fields.def"
};

static bool stack_load(struct verify *v, unsigned int insn, const struct isa_insn *in,
                       unsigned int at)
{
    const struct verify_slot *slot = &v->space->now.slot[at / 8];
    struct verify_reg *dst = &v->space->now.reg[in->dst];
    unsigned int size = in->row->width;
    unsigned int bytes = ((1u << size) - 1) << (at % 8);

    if (slot->type != REG_NUMBER) {
        if (size != 8)
            return verify_refuse(v, FAST_POINTER_IN_PART, insn, in->src);
        reg_set_number(dst, 0, 0);
        dst->type = slot->type;
        dst->off = slot->off;
        return true;
    }
    if ((slot->written & bytes) != bytes)
        return verify_refuse(v, FAST_STACK_UNINITIALISED, insn, in->src);
    reg_set_number(dst, 0, size == 8 || in->row->op == OP_LOADS ? ~0ull : (1ull << (8 * size)) - 1);
    return true;
}

static bool stack_store(struct verify *v, const struct isa_insn *in, const struct verify_reg *value,
                        unsigned int at)
{
    struct verify_slot *slot = &v->space->now.slot[at / 8];
    unsigned int size = in->row->width;
    unsigned int bytes = ((1u << size) - 1) << (at % 8);

    if (value && reg_is_pointer(value)) {
        if (size != 8)
            return false;
        slot->type = value->type;
        slot->off = (int16_t)value->off;
        slot->written = 0xff;
        return true;
    }
    /* Over a part of a pointer: what is left of it counts as unwritten. */
    if (slot->type != REG_NUMBER)
        slot->written = 0;
    slot->type = REG_NUMBER;
    slot->off = 0;
    slot->written |= (uint8_t)bytes;
    return true;
}

static bool stack_access(struct verify *v, unsigned int insn, const struct isa_insn *in,
                         const struct verify_reg *value, unsigned int base, int32_t off)
{
    int32_t at = off + (int32_t)FAST_STACK_BYTES;

    if (at < 0 || at + in->row->width > (int32_t)FAST_STACK_BYTES)
        return verify_refuse(v, FAST_STACK_BOUNDS, insn, base);
    if (at % in->row->width)
        return verify_refuse(v, FAST_MISALIGNED, insn, base);
    if (in->row->form == FORM_LOAD)
        return stack_load(v, insn, in, (unsigned int)at);
    if (!stack_store(v, in, value, (unsigned int)at))
        return verify_refuse(v, FAST_POINTER_IN_PART, insn, in->src);
    return true;
}

static bool ctx_access(struct verify *v, unsigned int insn, const struct isa_insn *in,
                       const struct verify_reg *value, unsigned int base, int32_t off)
{
    unsigned int size = in->row->width, i = 0;
    unsigned int nr = sizeof(fields) / sizeof(fields[0]);

    while (i < nr && (off < fields[i].at || off >= fields[i].at + fields[i].bytes))
        i++;
    if (i == nr || off + (int32_t)size > fields[i].at + fields[i].bytes)
        return verify_refuse(v, FAST_CTX_BOUNDS, insn, base);
    if (off % (int32_t)size)
        return verify_refuse(v, FAST_MISALIGNED, insn, base);

    if (in->row->form == FORM_LOAD) {
        v->verdict->ctx_read |= 1u << i;
        reg_set_number(&v->space->now.reg[in->dst], 0,
                       size == 8 || in->row->op == OP_LOADS ? ~0ull : (1ull << (8 * size)) - 1);
        return true;
    }
    if (!(fields[i].writable & v->attach))
        return verify_refuse(v, FAST_CTX_READ_ONLY, insn, base);
    if (size != fields[i].bytes)
        return verify_refuse(v, FAST_CTX_PARTIAL, insn, base);
    if (value && reg_is_pointer(value))
        return verify_refuse(v, FAST_POINTER_STORED, insn, in->src);
    v->verdict->ctx_written |= 1u << i;
    return true;
}

bool verify_memory(struct verify *v, unsigned int insn, const struct isa_insn *in)
{
    bool load = in->row->form == FORM_LOAD;
    unsigned int base = load ? in->src : in->dst;
    const struct verify_reg *value = NULL;
    int32_t off;

    if (!verify_readable(v, insn, base))
        return false;
    if (load && in->dst == ISA_FRAME)
        return verify_refuse(v, FAST_FRAME_WRITE, insn, in->dst);
    if (in->row->form == FORM_STORE_REG) {
        if (!verify_readable(v, insn, in->src))
            return false;
        value = &v->space->now.reg[in->src];
    }
    off = v->space->now.reg[base].off + in->off;
    switch (v->space->now.reg[base].type) {
    case REG_FRAME:
        return stack_access(v, insn, in, value, base, off);
    case REG_CTX:
        return ctx_access(v, insn, in, value, base, off);
    default:
        return verify_refuse(v, FAST_NOT_POINTER, insn, base);
    }
}
