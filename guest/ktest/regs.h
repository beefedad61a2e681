/* SPDX-License-Identifier: MIT */
/* Register frame of an entry, and an exception as a value. */
#ifndef KTEST_REGS_H
#define KTEST_REGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vectors.h"

/* As entry.S lays it out on the stack, lowest address first. */
struct ktest_regs {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint64_t vector; /* VEC_* */
    uint64_t error;  /* error code, 0 if none; for ktest_run(): VGCF_* flags of iret */
    uint64_t rip, cs, rflags, rsp, ss;
};

/*
 * What an entry looked like. cr2 and upcall_mask are read from vcpu_info at the entry; regs.cs
 * is the selector alone: the byte of cpu_user_regs.saved_upcall_mask beside it is saved_mask.
 */
struct exception {
    struct ktest_regs regs;
    uint64_t cr2;
    uint8_t upcall_mask, saved_mask;
    uint64_t frame;       /* address behind the frame: where the hypervisor began to push */
    uint64_t segments[4]; /* failsafe only: ds es fs gs */
};

#define RFLAGS_CF 0x1UL
#define RFLAGS_ONE 0x2UL
#define RFLAGS_TF 0x100UL
#define RFLAGS_IF 0x200UL
#define RFLAGS_DF 0x400UL
#define RFLAGS_IOPL 0x3000UL
#define RFLAGS_NT 0x4000UL
#define RFLAGS_RF 0x10000UL
#define RFLAGS_AC 0x40000UL
#define RFLAGS_ID 0x200000UL

/* Page-fault error code. */
#define PFEC_P 1
#define PFEC_W 2
#define PFEC_U 4
#define PFEC_RSVD 8
#define PFEC_I 16

#endif
