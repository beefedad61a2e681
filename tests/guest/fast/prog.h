/* SPDX-License-Identifier: MIT */
/* Programs by hand, and radon_op for them. */
#ifndef TEST_FAST_PROG_H
#define TEST_FAST_PROG_H

#include "ktest.h"

#include "program.h"
#include "public/radon.h"

#define I(code, dst, src, off, imm) { code, (src) << 4 | (dst), off, imm }
#define MOV(dst, src) I(0xbf, dst, src, 0, 0)
#define MOVI(dst, imm) I(0xb7, dst, 0, 0, imm)
#define ADDI(dst, imm) I(0x07, dst, 0, 0, imm)
#define LDX(dst, src, off) I(0x79, dst, src, off, 0)
#define STX(dst, src, off) I(0x7b, dst, src, off, 0)
#define JEQI(dst, imm, to) I(0x15, dst, 0, to, imm)
#define JNEI(dst, imm, to) I(0x55, dst, 0, to, imm)
#define CALL(helper) I(0x85, 0, 0, 0, helper)
#define EXIT I(0x95, 0, 0, 0, 0)
/* A 64-bit constant, two slots. */
#define LDDW(dst, value) I(0x18, dst, 0, 0, (int32_t)(value)), I(0, 0, 0, 0, (int32_t)((value) >> 32))
#define CTX(field) ((int16_t)offsetof(struct fast_ctx, field))
#define HELPER_LOAD8 1
#define HELPER_LOAD64 4
#define HELPER_STORE64 8
#define HELPER_PT_UPDATE 9
#define HELPER_TSC 10
#define HELPER_M2P 11

struct program {
    struct fast_header head;
    struct fast_insn insns[64];
};

/* The program for a system call; insns: an array. */
#define PROGRAM(number, insns) make_program(FAST_ATTACH_SYSCALL, number, 0, insns, sizeof(insns) / 8)
struct program *make_program(uint32_t kind, uint32_t number, uint64_t address,
                             const struct fast_insn *insns, uint32_t n);

static inline long radon_op(unsigned int cmd, void *arg)
{
    return HC_2(RADON_HYPERCALL, cmd, arg);
}

/* Installs; its number, or the hypercall's error, or -1000 - refusal. */
long install(const struct program *p, uint32_t flags);
/* The same with all that may be said. */
long install_op(const struct program *p, struct radon_fast_install *op);
long control(uint32_t id, uint32_t state);
struct radon_fast_info info_of(uint32_t id);
bool exists(uint32_t id);
/* A system call of user mode: what ends it, #UD behind it where a handler did it. */
struct exception user_syscall(uint64_t number, uint64_t rdi, uint64_t rsi);

#endif
