/* SPDX-License-Identifier: MIT */
/*
 * Exceptions: from guests, each to its emulation or back to the guest kernel; from the
 * hypervisor, to a fixup or the end.
 */
#include "hv/traps.h"

#include "hv/apic.h"
#include "hv/asm.h"
#include "hv/entry.h"
#include "hv/event.h"
#include "hv/fast.h"
#include "hv/fpu.h"
#include "hv/guest.h"
#include "hv/lib.h"
#include "hv/mm.h"
#include "hv/percpu.h"
#include "hv/profile.h"
#include "hv/sched.h"
#include "hv/sites.h"
#include "hv/trace.h"
#include "hv/vcpu.h"
#include "hv/watchdog.h"
#include "hv/x86.h"

#include "program.h"

/*
 * int n of the guest reaches an IDT gate of DPL 0: #GP with the IDT bit in the error code and EXT
 * clear (SDM volume 3, 6.13).  The guest's own trap table decides: level 0 is for nobody, 1 and 2
 * for its kernel.  The vector is taken from the instruction, since QEMU's TCG doubles the one in
 * the error code.
 */
static bool software_interrupt(struct cpu_user_regs *regs)
{
    struct vcpu *v = current();
    const struct guest_trap *t;
    uint8_t insn[2];

    if ((regs->error_code & 7) != 2 || !copy_from_guest(insn, regs->rip, 2) || insn[0] != 0xcd)
        return false;
    t = &v->traps[insn[1]];
    if (!t->address || (t->flags & 3) < (vcpu_in_kernel(v) ? 1 : 3))
        return false;
    sites_label(RADON_SITE_TRAP, X86_GP, regs->rip);
    regs->rip += 2;
    regs->entry_vector = insn[1];
    bounce(regs, t->address, t->flags & 4 ? BOUNCE_MASK : 0, 0);
    return true;
}

/* va: as it was at the entry; what a handler read may have faulted since. */
static void guest_page_fault(struct cpu_user_regs *regs, uint64_t va)
{
    uint32_t code = regs->error_code;
    uint64_t rip = regs->rip;

    if ((code & (PFEC_P | PFEC_W)) == (PFEC_P | PFEC_W) && vcpu_in_kernel(current()) &&
        ptwr_fault(regs, va)) {
        trace_fault_kept(rip, va, code, RADON_FAULT_PAGE_TABLE);
        sites_label(RADON_SITE_EMULATION, RADON_EMUL_PTWR, rip);
        return;
    }
    sites_label(RADON_SITE_PAGE_FAULT, code & 31, rip);
    bounce_page_fault(regs, code, va);
}

static void guest_debug(struct cpu_user_regs *regs)
{
    struct vcpu *v = current();
    uint64_t dr6;

    __asm__ volatile("mov %%dr6, %0" : "=r"(dr6));
    __asm__ volatile("mov %0, %%dr6" ::"r"(0xffff0ff0UL));
    v->dr[6] = dr6;
    sites_label(RADON_SITE_TRAP, X86_DB, regs->rip);
    bounce_exception(regs, X86_DB, 0);
}

/* To its emulation, or to the guest kernel. */
static void handle_trap(struct cpu_user_regs *regs, unsigned int vector, uint64_t cr2)
{
    uint64_t rip = regs->rip;

    switch (vector) {
    case X86_PF:
        guest_page_fault(regs, cr2);
        return;
    case X86_GP:
        if (software_interrupt(regs))
            return;
        if (emulate_privop(regs)) {
            sites_label(RADON_SITE_EMULATION, RADON_EMUL_PRIVOP, rip);
            return;
        }
        break;
    case X86_UD:
        if (emulate_forced(regs)) {
            sites_label(RADON_SITE_EMULATION, RADON_EMUL_FORCED, rip);
            return;
        }
        break;
    case X86_NM:
        fpu_not_available();
        break;
    case X86_DB:
        guest_debug(regs);
        return;
    }
    sites_label(RADON_SITE_TRAP, vector, rip);
    bounce_exception(regs, vector, regs->error_code);
}

/* What it is for the hot sites, as far as the vector says so, where nothing later will. */
static void label_by_vector(const struct cpu_user_regs *regs, unsigned int vector)
{
    if (vector == X86_PF)
        sites_label(RADON_SITE_PAGE_FAULT, regs->error_code & 31, regs->rip);
    else
        sites_label(RADON_SITE_TRAP, vector, regs->rip);
}

static void guest_trap(struct cpu_user_regs *regs, unsigned int vector)
{
    uint32_t flags = hot()->flags;
    uint64_t cr2 = vector == X86_PF ? read_cr2() : 0;
    bool record = false;

    if (unlikely(flags & HOT_STEP)) {
        if (vector == X86_DB && step_debug(regs))
            return; /* a capture's, not the guest's entry: without a label it is not counted */
        if (vector == X86_GP && shadow_time_read(regs))
            return; /* the same, of a comparison */
        step_end(regs, vector == X86_GP || vector == X86_UD ? RADON_CAPTURE_UNSEEN
                                                            : RADON_CAPTURE_TRAP);
    }
    if (unlikely(flags & HOT_FAST_TRAP))
        record = step_wanted(regs, FAST_ATTACH_EXCEPTION, vector, regs->rip, regs->error_code, cr2);
    if (unlikely(flags & HOT_FAST_TRAP) && !record) {
        uint64_t rip = regs->rip; /* the handler moves it */

        label_by_vector(regs, vector);
        if (fast_exception(regs, vector, regs->error_code, cr2)) {
            if (vector == X86_PF)
                trace_fault_kept(rip, cr2, regs->error_code, RADON_FAULT_HANDLER);
            return;
        }
    }
    handle_trap(regs, vector, cr2);
    if (record)
        step_begin(regs);
}

static void hypervisor_fault(struct cpu_user_regs *regs, unsigned int vector)
{
    uint64_t fixup = extable_lookup(regs->rip);
    uint64_t cr2 = vector == X86_PF ? read_cr2() : 0;
    enum radon_fault_why why = RADON_FAULT_ACCESS;

    if (!fixup) {
        fixup = fast_fixup(regs->rip);
        why = RADON_FAULT_HANDLER_LOAD;
    }
    if (fixup) {
        if (vector == X86_PF)
            trace_fault_kept(regs->rip, cr2, regs->error_code, why);
        regs->rip = fixup;
        return;
    }
    printk("\n");
    printk("*** DEFECT: exception %u (error code %04x, cr2 %lx) in the hypervisor ***\n", vector,
           regs->error_code, cr2);
    show_registers(regs);
    show_hv_backtrace(regs);
    machine_halt(true);
}

static bool is_irq(unsigned int vector)
{
    return vector >= 32 && vector != VECTOR_SYSCALL32;
}

void do_trap(struct cpu_user_regs *regs)
{
    unsigned int vector = regs->entry_vector;

    if (is_irq(vector)) {
        sites_label(RADON_SITE_INTERRUPT, vector, 0);
        do_irq(regs, vector);
    } else {
        guest_trap(regs, vector);
    }
}

void do_hypervisor_trap(struct cpu_user_regs *regs)
{
    unsigned int vector = regs->entry_vector;

    if (is_irq(vector))
        do_irq(regs, vector);
    else
        hypervisor_fault(regs, vector);
}

/*
 * #DB on its IST stack.  In ring 0 it is a guest's doing that is nobody's business: a data breakpoint
 * that the hypervisor's own access hit, or one that MOV SS put off into an entry.
 */
struct cpu_user_regs *do_debug_entry(struct cpu_user_regs *regs)
{
    struct cpu_user_regs *to;

    if (!guest_mode(regs)) {
        __asm__ volatile("mov %0, %%dr6" ::"r"(0xffff0ff0UL));
        regs->rflags &= ~(uint64_t)X86_EFLAGS_TF;
        return regs;
    }
    to = vcpu_regs(this_cpu()->curr);
    memcpy(to, regs, offsetof(struct cpu_user_regs, es));
    return to;
}

/* NMI, double fault, machine check: on their own stacks, anywhere, hot() is the CPU's. */
void do_ist_trap(struct cpu_user_regs *regs)
{
    struct cpu *cpu = this_cpu();

    if (regs->entry_vector == X86_NMI && !watchdog_accuses(cpu->id)) {
        struct vcpu *v = dom0 && dom0->nr_vcpus ? dom0->vcpu[0] : NULL;

        if (profile_nmi(cpu, regs))
            return;
        /* It is domain 0's, on the CPU of its vCPU 0.  No lock may be taken here: an interrupt
         * follows, which may wake the vCPU. */
        if (v && v->nmi_cb.address && v->cpu == cpu) {
            v->nmi_pending = true;
            apic_send_self(VECTOR_EVENT_CHECK);
        }
        return;
    }
    printk("\n");
    printk("*** DEFECT: %s on CPU %u ***\n",
           regs->entry_vector == X86_DF ? "double fault"
           : regs->entry_vector == X86_MC ? "machine check" : "watchdog", cpu->id);
    show_registers(regs);
    show_hv_backtrace(regs);
    machine_halt(true);
}

/* ------------------------------------------------------------------ the way out */

static void deliver_nmi(struct cpu_user_regs *regs, struct vcpu *v)
{
    hot_clear_odd(v->hot, HOT_ODD_NMI);
    if (!v->nmi_pending || v->nmi_masked || !v->nmi_cb.address)
        return;
    v->nmi_pending = false;
    v->nmi_masked = true;
    regs->entry_vector = X86_NMI;
    bounce(regs, v->nmi_cb.address, BOUNCE_MASK, 0);
}

static void deliver_upcall(struct cpu_user_regs *regs, struct vcpu *v)
{
    bool returned = regs->entry_vector == ~0u && !vcpu_in_kernel(v); /* by an iret */

    bounce(regs, v->event_cb.address, BOUNCE_MASK, 0);
    if (returned)
        v->hot->site_given = SITE_GIVEN_NOTHING;
}

/* Called when the flags word or pending events ask for it, with the full frame, before the exit. */
void guest_exit_work(struct cpu_user_regs *regs)
{
    struct vcpu *v = current();

    for (;;) {
        if (vcpu_take_work(v)) {
            trace_notify_if_due();
            sched_work(v);
        }
        if (v->nmi_pending && !v->nmi_masked)
            deliver_nmi(regs, v);
        if (v->hot->info->evtchn_upcall_pending && !v->hot->info->evtchn_upcall_mask) {
            if (!v->event_cb.address)
                break;
            trace_event_upcall(regs->rip);
            deliver_upcall(regs, v);
        }
        if (!(READ_ONCE(v->hot->flags) & HOT_WORK))
            break;
    }
    if (fast_stepping()) {
        shadow_exit();
        step_exit(regs);
    }
}
