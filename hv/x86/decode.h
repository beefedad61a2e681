/* SPDX-License-Identifier: MIT */
/*
 * Decoder for the few instructions a paravirtual guest may need emulated:
 *
 *   set A  writes to memory, for page-table pages that the guest maps read-only (64-bit mode only);
 *   set B  privileged instructions that raised #GP or #UD in ring 3 (64-bit and 32-bit mode).
 *
 * Whatever is not in the table (decode_rows.c) is refused. Decoding has no side effect and touches
 * nothing but its arguments, so the same code runs in the hypervisor and in the host's tests.
 * Encodings: AMD APM volume 3, chapter 1 and appendix A.
 */
#ifndef HV_X86_DECODE_H
#define HV_X86_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/xenpub.h"

/* Architectural limit of an instruction's length (APM volume 3, 1.1). */
#define X86_MAX_INSN_BYTES 15u

enum x86_mode {
    X86_MODE_64,
    X86_MODE_32,    /* compatibility mode, code segment with D = 1 */
};

/*
 * The operations. Set A first, so that one comparison tells the sets apart.
 * String and port instructions carry their operand size in x86_insn.op_bytes.
 */
#define X86_OPS_MEMORY(X)                                                                          \
    X(MOV, "mov") X(XCHG, "xchg") X(CMPXCHG, "cmpxchg") X(CMPXCHG8B, "cmpxchg8b")                  \
    X(CMPXCHG16B, "cmpxchg16b") X(XADD, "xadd") X(ADD, "add") X(SUB, "sub") X(AND, "and")          \
    X(OR, "or") X(XOR, "xor") X(INC, "inc") X(DEC, "dec") X(NOT, "not") X(NEG, "neg")              \
    X(BTS, "bts") X(BTR, "btr") X(BTC, "btc") X(STOS, "stos")

#define X86_OPS_PRIVILEGED(X)                                                                      \
    X(IN, "in") X(OUT, "out") X(INS, "ins") X(OUTS, "outs") X(CPUID, "cpuid") X(RDMSR, "rdmsr")    \
    X(WRMSR, "wrmsr") X(READ_CR, "mov-from-cr") X(WRITE_CR, "mov-to-cr")                           \
    X(READ_DR, "mov-from-dr") X(WRITE_DR, "mov-to-dr") X(CLTS, "clts") X(HLT, "hlt")               \
    X(INVD, "invd") X(WBINVD, "wbinvd") X(LMSW, "lmsw") X(SMSW, "smsw") X(RDTSC, "rdtsc")          \
    X(RDTSCP, "rdtscp") X(RDPMC, "rdpmc") X(XSETBV, "xsetbv") X(XGETBV, "xgetbv")                  \
    X(INVLPG, "invlpg") X(CLI, "cli") X(STI, "sti") X(SWAPGS, "swapgs")                            \
    X(RDFSBASE, "rdfsbase") X(RDGSBASE, "rdgsbase") X(WRFSBASE, "wrfsbase")                        \
    X(WRGSBASE, "wrgsbase")

enum x86_op {
    X86_OP_NONE,    /* zero, so that a table entry not written is refused */
#define X(name, text) X86_OP_##name,
    X86_OPS_MEMORY(X)
    X86_OP_LAST_MEMORY = X86_OP_STOS,
    X86_OPS_PRIVILEGED(X)
#undef X
    X86_OP_COUNT
};

/* Which operands the instruction has, and where x86_insn holds them. */
enum x86_form {
    X86_FORM_NONE,      /* implied registers only */
    X86_FORM_MEM_REG,   /* mem is read and written, reg is the other operand */
    X86_FORM_MEM_IMM,   /* mem is read and written, imm is the other operand */
    X86_FORM_MEM,       /* mem only */
    X86_FORM_STRING,    /* mem: rDI with segment ES (stos, ins) or rSI (outs); advances by DF */
    X86_FORM_PORT_IMM,  /* imm is the port */
    X86_FORM_PORT_DX,   /* DX is the port */
    X86_FORM_CONTROL,   /* reg is a control or debug register's number, rm a general register */
    X86_FORM_RM_REG,    /* rm is a general register */
};

/* Segment registers in the processor's numbering (APM volume 3, table A-37 and Sreg fields). */
enum x86_seg {
    X86_SEG_ES,
    X86_SEG_CS,
    X86_SEG_SS,
    X86_SEG_DS,
    X86_SEG_FS,
    X86_SEG_GS,
    X86_SEG_COUNT
};

#define X86_REG_NONE 0xff   /* no base, or no index */
#define X86_REG_RIP 0x10    /* as a base: the address of the next instruction */

#define X86_RAX 0u
#define X86_RCX 1u
#define X86_RDX 2u
#define X86_RBX 3u
#define X86_RSP 4u
#define X86_RBP 5u
#define X86_RSI 6u
#define X86_RDI 7u

/* A memory operand: segment base + ((base + (index << scale) + disp) cut to the address size). */
struct x86_mem {
    int64_t disp;
    uint8_t base;       /* 0-15, X86_REG_RIP or X86_REG_NONE */
    uint8_t index;      /* 0-15 or X86_REG_NONE */
    uint8_t scale;      /* log2: 0-3 */
    uint8_t seg;        /* enum x86_seg, with override applied */
};

struct x86_insn {
    struct x86_mem mem; /* valid where the form names it */
    int64_t imm;        /* sign-extended; a port or bit number is zero-extended */
    uint8_t length;     /* bytes, forced-emulation prefix included */
    uint8_t mode;       /* enum x86_mode it was decoded for */
    uint8_t op;         /* enum x86_op */
    uint8_t form;       /* enum x86_form */
    uint8_t op_bytes;   /* 1, 2, 4, 8, 16; 0 where the instruction has no sized operand */
    uint8_t addr_bytes; /* 2 (32-bit mode's string instructions only), 4, 8 */
    uint8_t reg;        /* 0-15 */
    uint8_t rm;         /* 0-15 */
    bool reg_high;      /* reg is AH, CH, DH or BH: bits 8-15 of register 0-3 */
    bool lock;          /* LOCK is present (patched away, it is 0x3e and does not count) */
    bool rep;           /* F3 or F2 came before it; what it means is up to the instruction */
    bool forced;        /* came with XEN_EMULATE_PREFIX; only CPUID does */
};

enum x86_decode_rc {
    X86_DECODE_OK,
    X86_DECODE_UNSUPPORTED, /* not an instruction of the two sets, or longer than 15 bytes */
    X86_DECODE_TRUNCATED,   /* more bytes are needed to tell */
};

/*
 * Decodes the instruction at `bytes`, of which `avail` may be read (above 15 is the same as 15). On
 * X86_DECODE_OK fills *insn; otherwise *insn is undefined. Reentrant, any context.
 */
enum x86_decode_rc x86_decode(const uint8_t *bytes, unsigned int avail, enum x86_mode mode,
                              struct x86_insn *insn);

/* True for set A: the instruction writes its memory operand and nothing else that is privileged. */
static inline bool x86_insn_is_memory_write(const struct x86_insn *insn)
{
    return insn->op != X86_OP_NONE && insn->op <= X86_OP_LAST_MEMORY;
}

/* The operation's name for messages, "?" for a number out of range. */
const char *x86_op_name(unsigned int op);

/*
 * The memory operand's offset in its segment, cut to the address size. `regs` holds the state at
 * the instruction's start (RIP at its first byte). For BTS, BTR and BTC with a register, that is
 * the address of the operand-sized unit which holds the bit.
 */
uint64_t x86_insn_offset(const struct x86_insn *insn, const struct cpu_user_regs *regs);

/*
 * The memory operand's linear address in 64-bit mode, where only FS and GS have a base; `bases` is
 * indexed by enum x86_seg, and only those two entries are read. Not checked for being canonical.
 */
uint64_t x86_insn_linear(const struct x86_insn *insn, const struct cpu_user_regs *regs,
                         const uint64_t bases[X86_SEG_COUNT]);

/* General register `nr` (0-15, in the processor's numbering) of a register frame. */
uint64_t x86_gpr_get(const struct cpu_user_regs *regs, unsigned int nr);
void x86_gpr_set(struct cpu_user_regs *regs, unsigned int nr, uint64_t value);

/*
 * What a register holds after a write of `bytes` (1, 2, 4 or 8) to its low part: 4 bytes clear the
 * upper half, 1 and 2 bytes keep the rest (APM volume 1, 3.1.2.3).
 */
uint64_t x86_gpr_merge(uint64_t old, unsigned int bytes, uint64_t value);

/* All ones in the low `bytes` (1 to 8) bytes. */
static inline uint64_t x86_mask(unsigned int bytes)
{
    return ~0ULL >> (64 - 8 * bytes);
}

#endif
