/* SPDX-License-Identifier: MIT */
/*
 * Frames on the guest kernel's stack, and the iret hypercall that takes them off, for everything
 * that the lean paths of syscall.S and exception.S leave.
 *
 * A bounce frame, upwards from the guest's new stack pointer (public/arch-x86/xen-x86_64.h and
 * what PV kernels expect): rcx r11 [ds es fs gs] [error code] rip cs+mask rflags rsp ss.
 */
#include "hv/asm.h"
#include "hv/entry.h"
#include "hv/fast.h"
#include "hv/guest.h"
#include "hv/lib.h"
#include "hv/percpu.h"
#include "hv/sites.h"
#include "hv/trace.h"
#include "hv/traps.h"
#include "hv/x86.h"

#include <xen/arch-x86/xen.h>

#include "program.h"

static void set_mode(struct vcpu_hot *h, uint8_t kernel)
{
    WRITE_ONCE(*(uint8_t *)&h->flags, kernel);
}

void enter_kernel_mode(struct vcpu *v)
{
    set_mode(v->hot, 1);
    hot_clear_odd(v->hot, HOT_ODD_MASKED_USER);
    write_cr3(v->hot->kernel_cr3);
    __asm__ volatile("swapgs" ::: "memory");
}

void enter_user_mode(struct vcpu *v)
{
    set_mode(v->hot, 0);
    if (v->hot->info->evtchn_upcall_mask)
        hot_set_odd(v->hot, HOT_ODD_MASKED_USER);
    write_cr3(v->hot->user_cr3);
    __asm__ volatile("swapgs" ::: "memory");
}

static uint64_t guest_rflags(const struct vcpu *v, uint64_t rflags, bool masked)
{
    rflags &= ~(uint64_t)(X86_EFLAGS_IF | X86_EFLAGS_IOPL);
    if (!masked)
        rflags |= X86_EFLAGS_IF;
    if (v->domain->vm_assist & (1UL << VMASST_TYPE_architectural_iopl))
        rflags |= v->iopl << 12;
    return rflags;
}

/* For hv/trace/sites_time.c: what the guest kernel is given from user mode, not by a lean path. */
static uint64_t given(const struct cpu_user_regs *regs)
{
    return regs->entry_vector == ~0u ? (uint32_t)regs->rax
                                     : SITE_GIVEN | (uint64_t)regs->entry_vector << 32 | regs->error_code;
}

void bounce(struct cpu_user_regs *regs, uint64_t target, unsigned int flags, uint32_t error_code)
{
    struct vcpu *v = current();
    struct vcpu_info *info = v->hot->info;
    uint8_t mask = info->evtchn_upcall_mask;
    uint64_t frame[12], sp;
    unsigned int n = 0;
    bool from_kernel = vcpu_in_kernel(v);

    if (fast_stepping()) {
        shadow_bounce();
        step_end(regs, RADON_CAPTURE_EVENT);
    }
    if (!target)
        domain_crash_current("no handler for what the guest caused (vector %u, rip %lx)",
                             regs->entry_vector, regs->rip);
    frame[n++] = regs->rcx;
    frame[n++] = regs->r11;
    if (flags & BOUNCE_FAILSAFE) {
        uint16_t s[4];

        __asm__ volatile("mov %%ds, %0; mov %%es, %1; mov %%fs, %2; mov %%gs, %3"
                         : "=r"(s[0]), "=r"(s[1]), "=r"(s[2]), "=r"(s[3]));
        for (unsigned int i = 0; i < 4; i++)
            frame[n++] = s[i];
    }
    if (flags & BOUNCE_ERROR_CODE)
        frame[n++] = error_code;
    frame[n++] = regs->rip;
    frame[n++] = (from_kernel ? regs->cs & ~3u : regs->cs) | (uint64_t)mask << 32;
    frame[n++] = guest_rflags(v, regs->rflags, mask);
    frame[n++] = regs->rsp;
    frame[n++] = regs->ss;

    if (from_kernel) {
        sp = regs->rsp;
    } else {
        sites_bounced();
        v->hot->site_given = given(regs);
        enter_kernel_mode(v);
        sp = v->hot->kernel_sp;
    }
    sp = (sp & ~15UL) - n * 8;
    if (!copy_to_guest(sp, frame, n))
        domain_crash_current("no frame can be pushed on the guest kernel's stack at %lx (vector %u, "
                             "rip %lx, fault at %lx)", sp, regs->entry_vector, regs->rip, read_cr2());
    if (flags & BOUNCE_MASK)
        info->evtchn_upcall_mask = 1;
    regs->rip = target;
    regs->cs = FLAT_KERNEL_CS;
    regs->ss = FLAT_KERNEL_SS;
    regs->rsp = sp;
    regs->rflags &= ~(uint64_t)(X86_EFLAGS_AC | X86_EFLAGS_VM | X86_EFLAGS_RF | X86_EFLAGS_NT |
                                X86_EFLAGS_TF | X86_EFLAGS_IOPL);
    regs->rflags |= X86_EFLAGS_IF | X86_EFLAGS_FIXED;
}

static bool has_error_code(unsigned int vector)
{
    return (0x60227d00u >> vector) & 1; /* 8, 10-14, 17, 21, 29, 30 */
}

static void bounce_by_table(struct cpu_user_regs *regs, unsigned int vector, uint32_t error_code)
{
    const struct guest_trap *t = &current()->traps[vector];

    bounce(regs, t->address, (vector < 32 && has_error_code(vector) ? BOUNCE_ERROR_CODE : 0) |
                                 (t->flags & 4 ? BOUNCE_MASK : 0), error_code);
}

void bounce_exception(struct cpu_user_regs *regs, unsigned int vector, uint32_t error_code)
{
    trace_pv_trap(regs->rip, vector | (vector < 32 && has_error_code(vector)
                                           ? 1u << 15 | error_code << 16 : 0));
    bounce_by_table(regs, vector, error_code);
}

void bounce_page_fault(struct cpu_user_regs *regs, uint32_t error_code, uint64_t va)
{
    struct vcpu *v = current();

    /* The guest kernel runs in ring 3, which the processor reports as a user access. */
    if (vcpu_in_kernel(v))
        error_code &= ~PFEC_U;
    v->hot->info->arch.cr2 = va;
    trace_pv_page_fault(regs->rip, va, error_code);
    bounce_by_table(regs, X86_PF, error_code);
}

/* ------------------------------------------------------------------ iret */

static void iret_general(struct cpu_user_regs *regs, bool recorded)
{
    struct vcpu *v = current();
    struct iret_context frame;

    if (!copy_from_guest(&frame, regs->rsp, 1))
        domain_crash_current("iret: no frame at %lx", regs->rsp);
    if ((frame.cs & 3) == 3) {
        if (v->hot->flags & HOT_ODD_NO_USER)
            domain_crash_current("iret to user mode at %lx without user page tables", frame.rip);
        if (!recorded)
            trace_iret_user(frame.rip);
        sites_iret();
        enter_user_mode(v);
    }
    if (v->domain->vm_assist & (1UL << VMASST_TYPE_architectural_iopl))
        v->iopl = (frame.rflags >> 12) & 3;
    regs->rax = frame.rax;
    regs->rip = frame.rip;
    regs->cs = frame.cs | 3;
    regs->rflags = (frame.rflags & (X86_EFLAGS_FREE | X86_EFLAGS_TF | X86_EFLAGS_RF)) |
                   X86_EFLAGS_IF | X86_EFLAGS_FIXED;
    regs->rsp = frame.rsp;
    regs->ss = frame.ss | 3;
    if (frame.flags & VGCF_in_syscall) {
        regs->cs = FLAT_RING3_CS64;
        regs->ss = FLAT_RING3_SS64;
        regs->rcx = frame.rip;
        regs->r11 = regs->rflags;
    } else {
        regs->rcx = frame.rcx;
        regs->r11 = frame.r11;
    }
    v->hot->info->evtchn_upcall_mask = !(frame.rflags & X86_EFLAGS_IF);
    if (!vcpu_in_kernel(v)) {
        if (v->hot->info->evtchn_upcall_mask)
            hot_set_odd(v->hot, HOT_ODD_MASKED_USER);
        else
            hot_clear_odd(v->hot, HOT_ODD_MASKED_USER);
    }
    v->nmi_masked = false;
    if (v->nmi_pending)
        hot_set_odd(v->hot, HOT_ODD_NMI);
    if (fast_stepping()) {
        shadow_iret(regs);
        step_iret(regs);
    }
}

void do_slow_syscall(struct cpu_user_regs *regs)
{
    struct vcpu *v = current();
    bool record;

    if (vcpu_in_kernel(v)) {
        trace_iret(); /* syscall.S sends nothing else here */
        sites_enter_stamped(RADON_SITE_HYPERCALL, __HYPERVISOR_iret, 0);
        iret_general(regs, false);
        return;
    }
    sites_enter(RADON_SITE_SYSCALL, (uint32_t)regs->rax, regs->rip);
    record = fast_has_handlers(v) && regs->rax <= FAST_MAX_SYSCALL &&
             step_wanted(regs, FAST_ATTACH_SYSCALL, (uint32_t)regs->rax, 0, 0, 0);
    if (!record && (v->hot->flags & HOT_FAST) && fast_syscall(regs))
        return;
    trace_bounce_syscall((uint32_t)regs->rax, regs->rip);
    if (!v->hot->syscall_rip) {
        bounce_exception(regs, X86_UD, 0);
        if (record)
            step_begin(regs);
        return;
    }
    bounce(regs, v->hot->syscall_rip, v->syscall_masks_events ? BOUNCE_MASK : 0, 0);
    if (record)
        step_begin(regs);
}

/* An iret of which the lean path found that it is not for it; recorded there. */
void do_slow_iret(struct cpu_user_regs *regs)
{
    sites_enter_stamped(RADON_SITE_HYPERCALL, __HYPERVISOR_iret, 0);
    iret_general(regs, true);
}

void do_syscall32(struct cpu_user_regs *regs)
{
    struct vcpu *v = current();
    const struct callback *cb = &v->syscall32_cb;

    sites_enter(RADON_SITE_SYSCALL, (uint32_t)regs->rax, regs->rip);
    if (!cb->address || vcpu_in_kernel(v)) {
        regs->rip -= 2; /* at the instruction, as #UD has it */
        bounce_exception(regs, X86_UD, 0);
        return;
    }
    trace_bounce_syscall((uint32_t)regs->rax, regs->rip);
    bounce(regs, cb->address, cb->mask_events ? BOUNCE_MASK : 0, 0);
}

void do_sysenter(struct cpu_user_regs *regs)
{
    struct vcpu *v = current();
    const struct callback *cb = &v->sysenter_cb;

    sites_enter(RADON_SITE_SYSCALL, (uint32_t)regs->rax, 0);
    /* SYSENTER keeps neither rip nor rsp: the guest's own convention has them elsewhere. */
    if (!cb->address || vcpu_in_kernel(v)) {
        bounce_exception(regs, X86_GP, 0);
        return;
    }
    trace_bounce_syscall((uint32_t)regs->rax, 0);
    bounce(regs, cb->address, cb->mask_events ? BOUNCE_MASK : 0, 0);
}

/*
 * `nested` lies below the iret frame that the processor refused, wherever on the stack that is;
 * its upper five words are the refused frame.  Move all to the top of the stack and deliver
 * failsafe.
 */
struct cpu_user_regs *do_iret_failed(struct cpu_user_regs *nested)
{
    struct vcpu *v = current();
    struct cpu_user_regs *regs = (void *)((char *)v->hot - offsetof(struct cpu_user_regs, es));

    memmove(regs, nested, offsetof(struct cpu_user_regs, es));
    regs->entry_vector = X86_GP;
    if (v->failsafe_cb.address)
        bounce(regs, v->failsafe_cb.address,
               BOUNCE_FAILSAFE | (v->failsafe_cb.mask_events ? BOUNCE_MASK : 0), 0);
    else
        domain_crash_current("iret to %04x:%lx refused by the processor, no failsafe callback",
                             regs->cs, regs->rip);
    return regs;
}

void bounce_fault_late(void)
{
    domain_crash_current("the guest kernel's stack vanished during a system call");
}
