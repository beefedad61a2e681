/* SPDX-License-Identifier: MIT */
/* Labels of hv/x86/syscall.S and exception.S, and what they call. */
#ifndef HV_ENTRY_H
#define HV_ENTRY_H

#include "hv/types.h"
#include "hv/xenpub.h"

extern char vector_stubs[], syscall_stub_template[], syscall_stub_template_end[];
extern char entry_syscall[], entry_syscall_fast[], entry_syscall32[], entry_sysenter[], iret_full[],
    vcpu_first_entry[];
extern uint32_t syscall32_stub_offset;

/* Save what C keeps and the stack pointer to *save_sp, continue on new_sp. */
void switch_stacks(uint64_t *save_sp, uint64_t new_sp);

/* Called by the stubs; regs is the full frame at the top of the vCPU's stack. */
void do_trap(struct cpu_user_regs *regs);
void do_ist_trap(struct cpu_user_regs *regs);
struct cpu_user_regs *do_debug_entry(struct cpu_user_regs *regs);
void do_slow_syscall(struct cpu_user_regs *regs);
void do_slow_iret(struct cpu_user_regs *regs);
/*
 * Records of the lean entries (hv/x86/trace_entry.h) that found no room: of a hypercall, frame being r11
 * r10 r9 r8 rax rcx rdx rsi rdi; any.
 */
struct trace_ring;
/* A multicall's entry, to a ring that has room (hv/x86/trace_subcall.S). */
void trace_subcall_put(uint64_t op, const uint64_t args[6], struct trace_ring *ring);
void trace_hypercall_slow(const uint64_t frame[9], const struct trace_ring *ring);
void trace_record_slow(uint32_t head, const void *data, const struct trace_ring *ring);
void do_syscall32(struct cpu_user_regs *regs);
void do_sysenter(struct cpu_user_regs *regs);
struct cpu_user_regs *do_iret_failed(struct cpu_user_regs *nested);
void guest_exit_work(struct cpu_user_regs *regs);
void vcpu_first_run(struct cpu_user_regs *regs);
void bounce_fault_late(void) __noreturn;

#endif
