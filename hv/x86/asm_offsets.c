/* SPDX-License-Identifier: MIT */
/*
 * Numbers that assembly takes from C.  Compiled to assembly only; CMake turns the marked lines
 * into hv/asm_offsets.h.
 */
#include "hv/hypercall.h"
#include "hv/percpu.h"
#include "hv/vcpu_hot.h"
#include "hv/x86.h"

#define EMIT(name, value) __asm__ volatile("\n.ascii \"@@" #name " %0\"" ::"i"((long)(value)))
#define HOTF(name, field) EMIT(HOT_##name, offsetof(struct vcpu_hot, field))

void asm_offsets(void);
void asm_offsets(void)
{
    EMIT(SIZEOF_HOT, sizeof(struct vcpu_hot));
    HOTF(FLAGS, flags);
    HOTF(INFO, info);
    HOTF(KERNEL_CR3, kernel_cr3);
    HOTF(USER_CR3, user_cr3);
    HOTF(KERNEL_FRAME, kernel_frame);
    HOTF(SYSCALL_RIP, syscall_rip);
    HOTF(PAGE_FAULT_RIP, page_fault_rip);
    HOTF(SCRATCH, scratch);
    EMIT(VCPUINFO_CR2, offsetof(struct vcpu_info, arch.cr2));
    EMIT(VCPUINFO_MASK, offsetof(struct vcpu_info, evtchn_upcall_mask));
    EMIT(UREGS_CS, offsetof(struct cpu_user_regs, cs));
    EMIT(UREGS_WORDS, offsetof(struct cpu_user_regs, es) / 8);
    EMIT(FLAT_RING3_SS64_, FLAT_RING3_SS64);
    EMIT(FLAT_RING3_SS32_, FLAT_RING3_SS32);
    EMIT(FLAT_RING3_CS64_, FLAT_RING3_CS64);
    EMIT(FLAT_RING3_CS32_, FLAT_RING3_CS32);
    EMIT(HYPERVISOR_VIRT_END_, HYPERVISOR_VIRT_END);
    EMIT(HYPERCALL_IRET, __HYPERVISOR_iret);
    EMIT(NR_HYPERCALLS, NR_HYPERCALLS);
    EMIT(XEN_ENOSYS_, XEN_ENOSYS);
    EMIT(X86_EFLAGS_GUEST_ENTRY, X86_EFLAGS_IF | X86_EFLAGS_FIXED);
    EMIT(X86_EFLAGS_FREE, X86_EFLAGS_FREE);
}
