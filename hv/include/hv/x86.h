/* SPDX-License-Identifier: MIT */
/*
 * Architectural constants (AMD APM volume 2, Intel SDM volume 3) and the x86 side's interfaces.
 */
#ifndef HV_X86_H
#define HV_X86_H

#include "hv/types.h"
#include "hv/xenpub.h"

#define PIT_HZ 1193182u /* what all three channels count (Intel 82C54) */

/* RFLAGS */
#define X86_EFLAGS_CF    0x00000001
#define X86_EFLAGS_FIXED 0x00000002
#define X86_EFLAGS_PF    0x00000004
#define X86_EFLAGS_AF    0x00000010
#define X86_EFLAGS_ZF    0x00000040
#define X86_EFLAGS_SF    0x00000080
#define X86_EFLAGS_TF    0x00000100
#define X86_EFLAGS_IF    0x00000200
#define X86_EFLAGS_DF    0x00000400
#define X86_EFLAGS_OF    0x00000800
#define X86_EFLAGS_IOPL  0x00003000
#define X86_EFLAGS_NT    0x00004000
#define X86_EFLAGS_RF    0x00010000
#define X86_EFLAGS_VM    0x00020000
#define X86_EFLAGS_AC    0x00040000
#define X86_EFLAGS_VIF   0x00080000
#define X86_EFLAGS_VIP   0x00100000
#define X86_EFLAGS_ID    0x00200000
/* Bits that a guest may have in any state without the hypervisor's caring. */
#define X86_EFLAGS_FREE                                                                            \
    (X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | X86_EFLAGS_ZF | X86_EFLAGS_SF |               \
     X86_EFLAGS_DF | X86_EFLAGS_OF | X86_EFLAGS_NT | X86_EFLAGS_AC | X86_EFLAGS_ID)

/* CR0, CR4 */
#define X86_CR0_PE 0x00000001UL
#define X86_CR0_MP 0x00000002UL
#define X86_CR0_EM 0x00000004UL
#define X86_CR0_TS 0x00000008UL
#define X86_CR0_ET 0x00000010UL
#define X86_CR0_NE 0x00000020UL
#define X86_CR0_WP 0x00010000UL
#define X86_CR0_AM 0x00040000UL
#define X86_CR0_PG 0x80000000UL
#define X86_CR4_TSD 0x00000004UL
#define X86_CR4_DE  0x00000008UL
#define X86_CR4_PSE 0x00000010UL
#define X86_CR4_PAE 0x00000020UL
#define X86_CR4_MCE 0x00000040UL
#define X86_CR4_PGE 0x00000080UL
#define X86_CR4_OSFXSR 0x00000200UL
#define X86_CR4_OSXMMEXCPT 0x00000400UL
#define X86_CR4_UMIP 0x00000800UL
#define X86_CR4_FSGSBASE 0x00010000UL
#define X86_CR4_OSXSAVE 0x00040000UL
#define X86_CR4_SMEP 0x00100000UL

/* MSRs */
#define MSR_TSC 0x10
#define MSR_APIC_BASE 0x1b
#define MSR_SYSENTER_CS 0x174
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176
#define MSR_PAT 0x277
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_CSTAR 0xc0000083
#define MSR_SFMASK 0xc0000084
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_SHADOW_GS_BASE 0xc0000102
#define MSR_TSC_AUX 0xc0000103
#define EFER_SCE 0x1
#define EFER_LME 0x100
#define EFER_LMA 0x400
#define EFER_NX 0x800

/* Exception vectors */
enum x86_vector {
    X86_DE = 0, X86_DB = 1, X86_NMI = 2, X86_BP = 3, X86_OF = 4, X86_BR = 5, X86_UD = 6, X86_NM = 7,
    X86_DF = 8, X86_TS = 10, X86_NP = 11, X86_SS = 12, X86_GP = 13, X86_PF = 14, X86_MF = 16,
    X86_AC = 17, X86_MC = 18, X86_XM = 19, X86_CP = 21,
};
/* Page-fault error code */
#define PFEC_P 1u
#define PFEC_W 2u
#define PFEC_U 4u
#define PFEC_RSVD 8u
#define PFEC_I 16u

#define ENTRY_VECTOR_NONE 0xffffffffu /* cpu_user_regs.entry_vector of SYSCALL entries */

static inline bool is_canonical(uint64_t va)
{
    return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

/* Whether a frame was taken in a guest (always ring 3) and not in the hypervisor. */
static inline bool guest_mode(const struct cpu_user_regs *regs)
{
    return regs->cs & 3;
}

#endif
