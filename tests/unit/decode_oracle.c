/* SPDX-License-Identifier: MIT */
#include "decode_oracle.h"

#include <stdlib.h>
#include <string.h>

#include <Zydis/Zydis.h>

struct zydis {
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
};

/* Zydis's mnemonic for each operation; CR and DR moves are told apart by their operands. */
static const struct {
    ZydisMnemonic mnemonic;
    enum x86_op op;
} names[] = {
    { ZYDIS_MNEMONIC_MOV, X86_OP_MOV },
    { ZYDIS_MNEMONIC_XCHG, X86_OP_XCHG },
    { ZYDIS_MNEMONIC_CMPXCHG, X86_OP_CMPXCHG },
    { ZYDIS_MNEMONIC_CMPXCHG8B, X86_OP_CMPXCHG8B },
    { ZYDIS_MNEMONIC_CMPXCHG16B, X86_OP_CMPXCHG16B },
    { ZYDIS_MNEMONIC_XADD, X86_OP_XADD },
    { ZYDIS_MNEMONIC_ADD, X86_OP_ADD },
    { ZYDIS_MNEMONIC_SUB, X86_OP_SUB },
    { ZYDIS_MNEMONIC_AND, X86_OP_AND },
    { ZYDIS_MNEMONIC_OR, X86_OP_OR },
    { ZYDIS_MNEMONIC_XOR, X86_OP_XOR },
    { ZYDIS_MNEMONIC_INC, X86_OP_INC },
    { ZYDIS_MNEMONIC_DEC, X86_OP_DEC },
    { ZYDIS_MNEMONIC_NOT, X86_OP_NOT },
    { ZYDIS_MNEMONIC_NEG, X86_OP_NEG },
    { ZYDIS_MNEMONIC_BTS, X86_OP_BTS },
    { ZYDIS_MNEMONIC_BTR, X86_OP_BTR },
    { ZYDIS_MNEMONIC_BTC, X86_OP_BTC },
    { ZYDIS_MNEMONIC_STOSB, X86_OP_STOS },
    { ZYDIS_MNEMONIC_STOSW, X86_OP_STOS },
    { ZYDIS_MNEMONIC_STOSD, X86_OP_STOS },
    { ZYDIS_MNEMONIC_STOSQ, X86_OP_STOS },
    { ZYDIS_MNEMONIC_IN, X86_OP_IN },
    { ZYDIS_MNEMONIC_OUT, X86_OP_OUT },
    { ZYDIS_MNEMONIC_INSB, X86_OP_INS },
    { ZYDIS_MNEMONIC_INSW, X86_OP_INS },
    { ZYDIS_MNEMONIC_INSD, X86_OP_INS },
    { ZYDIS_MNEMONIC_OUTSB, X86_OP_OUTS },
    { ZYDIS_MNEMONIC_OUTSW, X86_OP_OUTS },
    { ZYDIS_MNEMONIC_OUTSD, X86_OP_OUTS },
    { ZYDIS_MNEMONIC_CPUID, X86_OP_CPUID },
    { ZYDIS_MNEMONIC_RDMSR, X86_OP_RDMSR },
    { ZYDIS_MNEMONIC_WRMSR, X86_OP_WRMSR },
    { ZYDIS_MNEMONIC_CLTS, X86_OP_CLTS },
    { ZYDIS_MNEMONIC_HLT, X86_OP_HLT },
    { ZYDIS_MNEMONIC_INVD, X86_OP_INVD },
    { ZYDIS_MNEMONIC_WBINVD, X86_OP_WBINVD },
    { ZYDIS_MNEMONIC_LMSW, X86_OP_LMSW },
    { ZYDIS_MNEMONIC_SMSW, X86_OP_SMSW },
    { ZYDIS_MNEMONIC_RDTSC, X86_OP_RDTSC },
    { ZYDIS_MNEMONIC_RDTSCP, X86_OP_RDTSCP },
    { ZYDIS_MNEMONIC_RDPMC, X86_OP_RDPMC },
    { ZYDIS_MNEMONIC_XSETBV, X86_OP_XSETBV },
    { ZYDIS_MNEMONIC_XGETBV, X86_OP_XGETBV },
    { ZYDIS_MNEMONIC_INVLPG, X86_OP_INVLPG },
    { ZYDIS_MNEMONIC_CLI, X86_OP_CLI },
    { ZYDIS_MNEMONIC_STI, X86_OP_STI },
    { ZYDIS_MNEMONIC_SWAPGS, X86_OP_SWAPGS },
    { ZYDIS_MNEMONIC_RDFSBASE, X86_OP_RDFSBASE },
    { ZYDIS_MNEMONIC_RDGSBASE, X86_OP_RDGSBASE },
    { ZYDIS_MNEMONIC_WRFSBASE, X86_OP_WRFSBASE },
    { ZYDIS_MNEMONIC_WRGSBASE, X86_OP_WRGSBASE },
};

static bool is_reg(const ZydisDecodedOperand *op, ZydisRegisterClass class)
{
    return op->type == ZYDIS_OPERAND_TYPE_REGISTER &&
           ZydisRegisterGetClass(op->reg.value) == class;
}

static bool is_gpr(const ZydisDecodedOperand *op)
{
    return is_reg(op, ZYDIS_REGCLASS_GPR8) || is_reg(op, ZYDIS_REGCLASS_GPR16) ||
           is_reg(op, ZYDIS_REGCLASS_GPR32) || is_reg(op, ZYDIS_REGCLASS_GPR64);
}

static bool is_mem(const ZydisDecodedOperand *op)
{
    return op->type == ZYDIS_OPERAND_TYPE_MEMORY;
}

/* Radon's name for what Zydis decoded, whether it is wanted or not; X86_OP_NONE if it has none. */
static enum x86_op zydis_op(const struct zydis *z)
{
    if (z->insn.mnemonic == ZYDIS_MNEMONIC_MOV) {
        if (is_reg(&z->ops[0], ZYDIS_REGCLASS_CONTROL))
            return X86_OP_WRITE_CR;
        if (is_reg(&z->ops[1], ZYDIS_REGCLASS_CONTROL))
            return X86_OP_READ_CR;
        if (is_reg(&z->ops[0], ZYDIS_REGCLASS_DEBUG))
            return X86_OP_WRITE_DR;
        if (is_reg(&z->ops[1], ZYDIS_REGCLASS_DEBUG))
            return X86_OP_READ_DR;
    }
    for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].mnemonic == z->insn.mnemonic)
            return names[i].op;
    }
    return X86_OP_NONE;
}

/*
 * Whether the decoder has to accept what Zydis decoded. The permitted refusals are the conditions
 * that return false, and no others.
 */
static bool wanted(const struct zydis *z, enum x86_mode mode)
{
    enum x86_op op = zydis_op(z);
    bool has_modrm_mem = is_mem(&z->ops[0]) && (z->insn.attributes & ZYDIS_ATTRIB_HAS_MODRM);

    /* Not one of the operations. */
    if (op == X86_OP_NONE)
        return false;
    /* 16-bit addressing by ModRM. */
    if (has_modrm_mem && z->insn.address_width == 16)
        return false;
    if (op > X86_OP_LAST_MEMORY)
        return true;
    /* Memory writes outside 64-bit mode; writes to a register; stores of a segment register. */
    if (mode != X86_MODE_64 || !is_mem(&z->ops[0]))
        return false;
    return z->insn.operand_count_visible < 2 || is_gpr(&z->ops[1]) ||
           z->ops[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
}

static uint8_t gpr_number(ZydisRegister reg)
{
    ZyanI8 id;

    if (reg == ZYDIS_REGISTER_NONE)
        return X86_REG_NONE;
    if (reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP)
        return X86_REG_RIP;
    if (reg >= ZYDIS_REGISTER_AL && reg <= ZYDIS_REGISTER_BL)
        return (uint8_t)(reg - ZYDIS_REGISTER_AL);
    if (reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH)
        return (uint8_t)(reg - ZYDIS_REGISTER_AH);
    if (reg >= ZYDIS_REGISTER_SPL && reg <= ZYDIS_REGISTER_R15B)
        return (uint8_t)(reg - ZYDIS_REGISTER_SPL + 4);
    id = ZydisRegisterGetId(reg);
    return (uint8_t)id;
}

static bool is_high_byte(ZydisRegister reg)
{
    return reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH;
}

static const ZydisDecodedOperand *find(const struct zydis *z, ZydisOperandType type)
{
    for (unsigned int i = 0; i < z->insn.operand_count; i++) {
        if (z->ops[i].type == type)
            return &z->ops[i];
    }
    return NULL;
}

static const ZydisDecodedOperand *find_gpr(const struct zydis *z)
{
    for (unsigned int i = 0; i < z->insn.operand_count_visible; i++) {
        if (is_gpr(&z->ops[i]))
            return &z->ops[i];
    }
    return NULL;
}

/*
 * Zydis 4.0.0 reports base r13d and no displacement for mod 0, SIB base 5 with REX.B and 32-bit
 * addressing. There is a displacement and no base whatever REX.B says (APM volume 3, table 1-14);
 * test_emul tries it on the processor.
 */
static bool zydis_base_wrong(const struct zydis *z)
{
    return z->insn.raw.modrm.mod == 0 && z->insn.raw.modrm.rm == 4 && z->insn.raw.sib.base == 5 &&
           z->insn.address_width == 32 && (z->insn.attributes & ZYDIS_ATTRIB_HAS_SIB);
}

static const char *compare_memory(const struct zydis *z, const struct x86_insn *insn)
{
    const ZydisDecodedOperand *op = find(z, ZYDIS_OPERAND_TYPE_MEMORY);
    const struct x86_mem *mem = &insn->mem;

    if (!op)
        return "Zydis has no memory operand";
    if (insn->op_bytes != 0 && op->size != insn->op_bytes * 8)
        return "memory operand's size";
    if ((zydis_base_wrong(z) ? X86_REG_NONE : gpr_number(op->mem.base)) != mem->base)
        return "base";
    if (gpr_number(op->mem.index) != mem->index)
        return "index";
    if (mem->index != X86_REG_NONE && op->mem.scale != 1u << mem->scale)
        return "scale";
    if ((zydis_base_wrong(z) ? z->insn.raw.disp.value : op->mem.disp.value) != mem->disp)
        return "displacement";
    if (ZydisRegisterGetId(op->mem.segment) != mem->seg)
        return "segment";
    return NULL;
}

static const char *compare_gpr(const ZydisDecodedOperand *op, uint8_t nr, bool high,
                               unsigned int bytes)
{
    if (!op || !is_gpr(op))
        return "Zydis has no register operand";
    if (gpr_number(op->reg.value) != nr || is_high_byte(op->reg.value) != high)
        return "register";
    if (op->size != bytes * 8)
        return "register's size";
    return NULL;
}

static const char *compare_immediate(const struct zydis *z, const struct x86_insn *insn)
{
    const ZydisDecodedOperand *op = find(z, ZYDIS_OPERAND_TYPE_IMMEDIATE);
    uint64_t mask = insn->op_bytes == 0 ? ~0ULL : x86_mask(insn->op_bytes);

    if (!op)
        return "Zydis has no immediate";
    if (insn->form == X86_FORM_PORT_IMM)
        mask = ~0ULL;
    return ((op->imm.value.u ^ (uint64_t)insn->imm) & mask) == 0 ? NULL : "immediate";
}

static const char *compare_control(const struct zydis *z, const struct x86_insn *insn)
{
    bool write = insn->op == X86_OP_WRITE_CR || insn->op == X86_OP_WRITE_DR;
    const ZydisDecodedOperand *control = &z->ops[write ? 0 : 1];

    if (ZydisRegisterGetId(control->reg.value) != insn->reg)
        return "control register";
    return compare_gpr(&z->ops[write ? 1 : 0], insn->rm, false, insn->op_bytes);
}

static const char *compare_operands(const struct zydis *z, const struct x86_insn *insn)
{
    const char *why = NULL;

    switch (insn->form) {
    case X86_FORM_NONE:
        return z->insn.operand_count_visible == 0 ? NULL : "Zydis has operands";
    case X86_FORM_MEM_REG:
        why = compare_memory(z, insn);
        return why ? why : compare_gpr(&z->ops[1], insn->reg, insn->reg_high, insn->op_bytes);
    case X86_FORM_MEM_IMM:
        why = compare_memory(z, insn);
        return why ? why : compare_immediate(z, insn);
    case X86_FORM_MEM:
    case X86_FORM_STRING:
        return compare_memory(z, insn);
    case X86_FORM_PORT_IMM:
        why = compare_gpr(find_gpr(z), X86_RAX, false, insn->op_bytes);
        return why ? why : compare_immediate(z, insn);
    case X86_FORM_PORT_DX:
        /* IN: rAX, DX; OUT: DX, rAX. */
        return compare_gpr(&z->ops[insn->op == X86_OP_IN ? 0 : 1], X86_RAX, false,
                           insn->op_bytes);
    case X86_FORM_CONTROL:
        return compare_control(z, insn);
    case X86_FORM_RM_REG:
        return compare_gpr(&z->ops[0], insn->rm, false, insn->op_bytes);
    default:
        return "form";
    }
}

static const char *compare(const struct zydis *z, const struct x86_insn *insn)
{
    static const ZydisInstructionAttributes rep =
        ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE;

    if (z->insn.length + (insn->forced ? 5 : 0) != insn->length)
        return "length";
    if (zydis_op(z) != insn->op)
        return "operation";
    if (z->insn.address_width != insn->addr_bytes * 8)
        return "address size";
    if (!!(z->insn.attributes & ZYDIS_ATTRIB_HAS_LOCK) != insn->lock)
        return "lock";
    if (insn->form == X86_FORM_STRING && !!(z->insn.attributes & rep) != insn->rep)
        return "repeat";
    return compare_operands(z, insn);
}

static const ZydisDecoder *decoder_for(enum x86_mode mode)
{
    static ZydisDecoder decoders[2];
    static bool ready;

    if (!ready) {
        ZydisDecoderInit(&decoders[X86_MODE_64], ZYDIS_MACHINE_MODE_LONG_64,
                         ZYDIS_STACK_WIDTH_64);
        ZydisDecoderInit(&decoders[X86_MODE_32], ZYDIS_MACHINE_MODE_LONG_COMPAT_32,
                         ZYDIS_STACK_WIDTH_32);
        ready = true;
    }
    return &decoders[mode];
}

const char *decode_oracle(const uint8_t *bytes, unsigned int avail, enum x86_mode mode,
                          enum x86_decode_rc *rc, struct x86_insn *insn)
{
    struct zydis z;
    bool forced = avail >= 5 && memcmp(bytes, "\x0f\x0bxen", 5) == 0;
    unsigned int skip = forced ? 5 : 0;
    unsigned int end = avail < X86_MAX_INSN_BYTES ? avail : X86_MAX_INSN_BYTES;
    bool valid = ZYAN_SUCCESS(ZydisDecoderDecodeFull(decoder_for(mode), bytes + skip, end - skip,
                                                     &z.insn, z.ops));

    *rc = x86_decode(bytes, avail, mode, insn);
    if (*rc == X86_DECODE_OK) {
        if (!valid)
            return "accepted, but Zydis refuses it";
        if (insn->forced != forced || (forced && insn->op != X86_OP_CPUID))
            return "forced-emulation prefix";
        return compare(&z, insn);
    }
    /* UD2 alone may be the beginning of the forced-emulation prefix. */
    if (valid && *rc == X86_DECODE_TRUNCATED && z.insn.mnemonic != ZYDIS_MNEMONIC_UD2)
        return "truncated, but Zydis has all of it";
    if (valid && wanted(&z, mode) && (!forced || z.insn.mnemonic == ZYDIS_MNEMONIC_CPUID))
        return "refused, but it is wanted";
    return NULL;
}

const char *decode_oracle_pieces(const uint8_t *bytes, unsigned int avail, enum x86_mode mode,
                                 const struct x86_insn *insn)
{
    for (unsigned int n = 0; n <= avail; n++) {
        uint8_t *piece = malloc(n ? n : 1);
        struct x86_insn again;
        enum x86_decode_rc rc;

        memcpy(piece, bytes, n);
        rc = x86_decode(piece, n, mode, &again);
        free(piece);
        if (n < insn->length && rc != X86_DECODE_TRUNCATED)
            return "a piece of it is not truncated";
        if (n >= insn->length && (rc != X86_DECODE_OK || memcmp(&again, insn, sizeof(again))))
            return "what follows it changes it";
    }
    return NULL;
}
