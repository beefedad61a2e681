/* SPDX-License-Identifier: MIT */
/*
 * Exceptions: the hypervisor's own, and those passed on to guests.
 */
#ifndef HV_TRAPS_H
#define HV_TRAPS_H

#include "hv/types.h"
#include "hv/vcpu_hot.h"
#include "hv/xenpub.h"

/* For inline assembly: a fault at label `from` continues at label `to`, registers unchanged. */
#define EXTABLE(from, to)                                                                          \
    ".pushsection __ex_table, \"a\"\n.long " from " - ., " to " - .\n.popsection\n"

/* Where a fault at rip continues; 0 = nowhere, it is a defect. */
uint64_t extable_lookup(uint64_t rip);

/* What a bounce frame has beside the registers. */
#define BOUNCE_ERROR_CODE 1u
#define BOUNCE_MASK       2u /* set the upcall mask on the way in */
#define BOUNCE_FAILSAFE   4u /* ds, es, fs, gs after r11 */

/*
 * Make the vCPU continue at `target` of the guest kernel with a frame on its stack, as the ABI
 * has it for exceptions, upcalls and callbacks.  v is current and regs its full frame.  When the
 * guest's stack cannot be written the domain crashes and this does not return.
 */
void bounce(struct cpu_user_regs *regs, uint64_t target, unsigned int flags, uint32_t error_code);
/* Deliver an exception by the guest's trap table. */
void bounce_exception(struct cpu_user_regs *regs, unsigned int vector, uint32_t error_code);
void bounce_page_fault(struct cpu_user_regs *regs, uint32_t error_code, uint64_t va);

/* Change between guest user and guest kernel: CR3, GS base and the mode byte. */
void enter_kernel_mode(struct vcpu *v);
void enter_user_mode(struct vcpu *v);

/* #GP or #UD that may be a privileged instruction; true if it was dealt with. */
bool emulate_privop(struct cpu_user_regs *regs);
/* The forced-emulation prefix of CPUID (public/arch-x86/xen.h, XEN_EMULATE_PREFIX). */
bool emulate_forced(struct cpu_user_regs *regs);

/* Device and inter-processor interrupts. */
void do_irq(struct cpu_user_regs *regs, unsigned int vector);

void show_registers(const struct cpu_user_regs *regs);
void show_hv_backtrace(const struct cpu_user_regs *regs);
/* failure: through isa-debug-exit at this port (0: none), so that QEMU ends with a status. */
extern uint16_t debug_exit_port;
void machine_halt(bool failure) __noreturn;

#endif
