/* SPDX-License-Identifier: MIT */
/*
 * vcpu_op (public/vcpu.h).
 */
#include "hv/desc.h"
#include "hv/event.h"
#include "hv/fast.h"
#include "hv/guest.h"
#include "hv/hypercall.h"
#include "hv/lib.h"
#include "hv/pvcpu.h"
#include "hv/sched.h"
#include "hv/time.h"
#include "hv/trace.h"
#include "hv/vcpu.h"
#include "hv/x86.h"

static bool address_ok(uint64_t va)
{
    return is_canonical(va) && guest_range_ok(va, 1);
}

static int set_tables(struct vcpu *v, const struct vcpu_guest_context *c)
{
    mfn_t frames[GDT_GUEST_PAGES];
    int rc;

    if (c->gdt_ents > GDT_GUEST_PAGES * 512)
        return -XEN_EINVAL;
    for (unsigned int i = 0; i < GDT_GUEST_PAGES; i++)
        frames[i] = MFN(c->gdt_frames[i]);
    rc = vcpu_set_gdt(v, frames, c->gdt_ents);
    if (!rc)
        rc = mm_set_kernel_l4(v, MFN(xen_cr3_to_pfn(c->ctrlreg[3])));
    if (!rc && c->ctrlreg[1])
        rc = mm_set_user_l4(v, MFN(xen_cr3_to_pfn(c->ctrlreg[1])));
    return rc;
}

static void set_callbacks(struct vcpu *v, const struct vcpu_guest_context *c)
{
    v->event_cb = (struct callback){ c->event_callback_eip, true };
    v->failsafe_cb = (struct callback){ c->failsafe_callback_eip,
                                        c->flags & VGCF_failsafe_disables_events };
    v->hot->syscall_rip = c->syscall_callback_eip;
    v->syscall_masks_events = c->flags & VGCF_syscall_disables_events;
    if (v->syscall_masks_events && c->syscall_callback_eip)
        hot_clear_odd(v->hot, HOT_ODD_SYSCALL);
    for (unsigned int i = 0; i < 256; i++)
        pv_set_trap(v, i, (struct guest_trap){ c->trap_ctxt[i].address, c->trap_ctxt[i].cs,
                                               c->trap_ctxt[i].flags });
}

static bool context_ok(const struct vcpu_guest_context *c)
{
    if (!address_ok(c->event_callback_eip) || !address_ok(c->failsafe_callback_eip) ||
        !address_ok(c->syscall_callback_eip) || !is_canonical(c->fs_base) ||
        !is_canonical(c->gs_base_kernel) || !is_canonical(c->gs_base_user))
        return false;
    for (unsigned int i = 0; i < 256; i++)
        if (!address_ok(c->trap_ctxt[i].address))
            return false;
    return true;
}

int vcpu_initialise(struct vcpu *v, const struct vcpu_guest_context *c)
{
    struct cpu_user_regs *regs = vcpu_regs(v);
    int rc;

    if (v->initialised)
        return -XEN_EEXIST;
    if (!context_ok(c))
        return -XEN_EINVAL;
    rc = set_tables(v, c);
    if (rc)
        return rc;
    memcpy(regs, &c->user_regs, offsetof(struct cpu_user_regs, es));
    regs->cs |= 3;
    regs->ss |= 3;
    v->iopl = (regs->rflags & X86_EFLAGS_IOPL) >> 12; /* virtual, never the processor's */
    regs->rflags = (regs->rflags & X86_EFLAGS_FREE) | X86_EFLAGS_IF | X86_EFLAGS_FIXED;
    v->hot->flags = (v->hot->flags & ~0xffu) | (c->flags & VGCF_in_kernel ? 1 : 0);
    v->ds = c->user_regs.ds, v->es = c->user_regs.es;
    v->fs = c->user_regs.fs, v->gs = c->user_regs.gs;
    v->fs_base = c->fs_base;
    v->gs_base_kernel = c->gs_base_kernel;
    v->gs_base_user = c->gs_base_user;
    pv_set_kernel_stack(v, c->kernel_ss, c->kernel_sp);
    set_callbacks(v, c);
    v->vcr4 = pv_cr4(c->ctrlreg[4]);
    v->hot->info->evtchn_upcall_mask = 1;
    v->initialised = true;
    return 0;
}

static long op_initialise(struct vcpu *v, uint64_t arg)
{
    struct vcpu_guest_context *c = hv_alloc(sizeof(*c));
    long rc = -XEN_EFAULT;

    if (!c)
        return -XEN_ENOMEM;
    if (copy_from_guest(c, arg, 1))
        rc = vcpu_initialise(v, c);
    hv_free(c, sizeof(*c));
    return rc;
}

static long op_up(struct vcpu *v)
{
    if (!v->initialised)
        return -XEN_EINVAL;
    /* In this order: who installs a handler in between finds that a vCPU comes (hv/fast/install.c). */
    __atomic_store_n(&v->comes_up, true, __ATOMIC_SEQ_CST);
    fast_guest_changed(v->domain, RADON_FAST_VCPUS);
    vcpu_set_online(v);
    __atomic_store_n(&v->comes_up, false, __ATOMIC_SEQ_CST);
    return 0;
}

static long op_down(struct vcpu *v)
{
    struct domain *d = v->domain;
    unsigned int up = 0;

    for (unsigned int i = 0; i < d->nr_vcpus; i++)
        up += d->vcpu[i] && d->vcpu[i] != v && d->vcpu[i]->state != VCPU_OFFLINE;
    if (!up) {
        domain_shutdown(d, SHUTDOWN_poweroff); /* the last one: nobody could bring it up again */
        return 0;
    }
    fast_guest_changed(d, RADON_FAST_VCPUS);
    timer_stop(&v->singleshot);
    timer_stop(&v->periodic);
    vcpu_set_offline(v);
    return 0;
}

/* The area moves from shared_info (or a dummy) to a place in a page of the guest's. */
static long op_register_info(struct vcpu *v, uint64_t arg)
{
    struct vcpu_register_vcpu_info r;
    struct vcpu_info *to, *from = v->hot->info;
    struct page_info *pg;

    if (!copy_from_guest(&r, arg, 1))
        return -XEN_EFAULT;
    if (r.offset > PAGE_SIZE - sizeof(*to) || (r.offset & 7))
        return -XEN_EINVAL;
    if (v->vcpu_info_page)
        return -XEN_EINVAL;
    if (v != current() && v->state != VCPU_OFFLINE)
        return -XEN_EINVAL;
    pg = get_domain_page(v->domain, MFN(r.mfn), true);
    if (!pg)
        return -XEN_EINVAL;
    __atomic_or_fetch(&pg->state, PGS_VCPU_INFO, __ATOMIC_SEQ_CST);
    mm_note_writable_gone(); /* for handlers' stores it is */
    to = (struct vcpu_info *)((char *)page_to_virt(pg) + r.offset);
    memcpy(to, from, sizeof(*to));
    v->vcpu_info_page = mfn_to_paddr(MFN(r.mfn));
    v->hot->info = to;
    /* A dummy area is kept: another CPU may be about to write to it. */
    event_info_moved(v);
    return 0;
}

static long op_register_area(struct vcpu *v, uint64_t arg, bool time)
{
    uint64_t va;

    if (!copy_from_guest(&va, arg, 1))
        return -XEN_EFAULT;
    if (va && !guest_range_ok(va, sizeof(struct vcpu_runstate_info)))
        return -XEN_EINVAL;
    if (time) {
        v->time_area = va;
        v->time_dirty = true;
        if (v == current())
            time_update_vcpu(v);
        return 0;
    }
    v->runstate_area = va;
    if (v == current() && va) {
        struct vcpu_runstate_info info;

        runstate_get(v, &info);
        copy_to_guest_or_not(va, &info, 1);
    }
    return 0;
}

void vcpu_periodic_fired(void *arg)
{
    struct vcpu *v = arg;

    evtchn_send_virq(v, VIRQ_TIMER);
    timer_set(&v->periodic, v->periodic.deadline + v->period_ns);
}

static long op_singleshot(struct vcpu *v, uint64_t arg)
{
    struct vcpu_set_singleshot_timer set;

    if (v != current())
        return -XEN_EINVAL;
    if (!copy_from_guest(&set, arg, 1))
        return -XEN_EFAULT;
    trace_timer_set(trace_vcpu_number(v), set.timeout_abs_ns);
    if (set.timeout_abs_ns == 0) {
        timer_stop(&v->singleshot);
        return 0;
    }
    if ((set.flags & VCPU_SSHOTTMR_future) && set.timeout_abs_ns < now_ns())
        return -XEN_ETIME;
    timer_set(&v->singleshot, set.timeout_abs_ns);
    return 0;
}

static long op_periodic(struct vcpu *v, uint64_t arg)
{
    struct vcpu_set_periodic_timer set;

    if (v != current())
        return -XEN_EINVAL;
    if (!copy_from_guest(&set, arg, 1))
        return -XEN_EFAULT;
    if (set.period_ns < 1000000 || set.period_ns > 1UL << 62)
        return -XEN_EINVAL;
    v->period_ns = set.period_ns;
    timer_set(&v->periodic, now_ns() + set.period_ns);
    return 0;
}

void vcpu_send_nmi(struct vcpu *v)
{
    v->nmi_pending = true;
    vcpu_raise_work(v);
    vcpu_kick(v);
}

long do_vcpu_op(HCALL_ARGS3(cmd, id, arg))
{
    struct domain *d = current()->domain;
    struct vcpu_runstate_info info;
    struct vcpu *v;

    if (id >= d->nr_vcpus || !(v = d->vcpu[id]))
        return -XEN_ENOENT;
    switch (cmd) {
    case VCPUOP_initialise:
        return op_initialise(v, arg);
    case VCPUOP_up:
        return op_up(v);
    case VCPUOP_down:
        return op_down(v);
    case VCPUOP_is_up:
        return v->state != VCPU_OFFLINE;
    case VCPUOP_get_runstate_info:
        runstate_get(v, &info);
        return copy_to_guest(arg, &info, 1) ? 0 : -XEN_EFAULT;
    case VCPUOP_register_runstate_memory_area:
        return op_register_area(v, arg, false);
    case VCPUOP_register_vcpu_time_memory_area:
        return op_register_area(v, arg, true);
    case VCPUOP_register_vcpu_info:
        return op_register_info(v, arg);
    case VCPUOP_set_singleshot_timer:
        return op_singleshot(v, arg);
    case VCPUOP_stop_singleshot_timer:
        if (v != current())
            return -XEN_EINVAL;
        trace_timer_set(trace_vcpu_number(v), 0);
        timer_stop(&v->singleshot);
        return 0;
    case VCPUOP_set_periodic_timer:
        return op_periodic(v, arg);
    case VCPUOP_stop_periodic_timer:
        timer_stop(&v->periodic);
        return 0;
    case VCPUOP_send_nmi:
        vcpu_send_nmi(v);
        return 0;
    case VCPUOP_get_physid:
        return -XEN_EINVAL; /* for pinned vCPUs only */
    }
    return -XEN_ENOSYS;
}
