/* SPDX-License-Identifier: MIT */
/*
 * Life of domains and vCPUs.
 */
#include "hv/domain.h"

#include "hv/asm.h"
#include "hv/desc.h"
#include "hv/entry.h"
#include "hv/event.h"
#include "hv/fpu.h"
#include "hv/grant.h"
#include "hv/hypercall.h"
#include "hv/lib.h"
#include "hv/paging.h"
#include "hv/sched.h"
#include "hv/sites.h"
#include "hv/smp.h"
#include "hv/time.h"
#include "hv/trace.h"
#include "hv/traps.h"
#include "hv/vcpu.h"
#include "hv/x86.h"

struct domain *dom0;
struct domain *domain_list;
struct domain dom_io = { .id = DOMID_IO, .name = "io" };
struct domain dom_xen = { .id = DOMID_XEN, .name = "xen" };
static struct domain dom_idle = { .id = DOMID_IDLE, .name = "idle" };

struct domain *domain_find(uint16_t id)
{
    if (id == DOMID_SELF)
        return current()->domain;
    for (struct domain *d = domain_list; d; d = d->next)
        if (d->id == id)
            return d;
    return NULL;
}

static void singleshot_fired(void *arg)
{
    trace_timer_fire(trace_vcpu_number(arg));
    evtchn_send_virq(arg, VIRQ_TIMER);
}

/* A frame at the top of the stack from which vcpu_first_entry leaves to the guest. */
static void prepare_stack(struct vcpu *v)
{
    struct cpu_user_regs *regs = vcpu_regs(v);
    uint64_t *sp = (uint64_t *)regs;

    *--sp = (uint64_t)vcpu_first_entry;
    for (int i = 0; i < 6; i++)
        *--sp = 0;
    v->saved_sp = (uint64_t)sp;
}

static struct vcpu *vcpu_alloc(struct domain *d, uint32_t id)
{
    struct vcpu *v = hv_alloc(sizeof(*v));

    if (!v)
        return NULL;
    v->hot = stack_create();
    if (!v->hot) {
        hv_free(v, sizeof(*v));
        return NULL;
    }
    v->id = id;
    v->domain = d;
    v->hot->vcpu = v;
    v->hot->hypercalls = hypercall_table;
    v->kernel_l4 = v->user_l4 = MFN_NONE;
    v->hot->kernel_cr3 = v->hot->user_cr3 = idle_cr3;
    v->dr[6] = 0xffff0ff0;
    v->dr[7] = 0x400;
    return v;
}

struct vcpu *vcpu_create(struct domain *d, uint32_t id)
{
    struct vcpu *v = vcpu_alloc(d, id);

    if (!v)
        return NULL;
    v->hot->flags = HOT_KERNEL | HOT_ODD_SYSCALL | HOT_ODD_NO_USER;
    v->hot->kernel_frame = 1UL << 47; /* faults until stack_switch */
    /* Beyond the legacy ones a vCPU has to register its vcpu_info; until then it is a dummy. */
    v->hot->info = id < XEN_LEGACY_MAX_VCPUS ? &d->shared->vcpu_info[id] : hv_alloc(sizeof(struct vcpu_info));
    v->vcr4 = X86_CR4_PAE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT;
    v->singleshot = (struct timer){ .fn = singleshot_fired, .arg = v };
    v->periodic = (struct timer){ .fn = vcpu_periodic_fired, .arg = v };
    if (!v->hot->info || fpu_vcpu_init(v) || event_vcpu_init(v))
        return NULL;
    v->hot->info->evtchn_upcall_mask = 1;
    prepare_stack(v);
    sched_init_vcpu(v);
    v->hot->cpu = v->cpu;
    time_update_vcpu(v);
    sites_init_vcpu(v);
    d->vcpu[id] = v;
    d->nr_vcpus = MAX(d->nr_vcpus, id + 1);
    return v;
}

struct vcpu *idle_vcpu_create(struct cpu *cpu)
{
    static struct vcpu_info no_info;
    struct vcpu *v = vcpu_alloc(&dom_idle, cpu->id);

    if (!v)
        panic("no memory for the idle vCPU of CPU %u", cpu->id);
    v->is_idle = true;
    v->hot->info = &no_info;
    v->hot->flags = HOT_KERNEL;
    v->hot->cpu = cpu;
    v->cpu = cpu;
    v->state = VCPU_RUNNING;
    return v;
}

struct domain *domain_create(uint16_t id, bool privileged)
{
    struct domain *d = hv_alloc(sizeof(*d));

    if (!d)
        return NULL;
    d->id = id;
    d->privileged = privileged;
    snprintf(d->name, sizeof(d->name), "Domain-%u", id);
    domain_mm_init(d);
    d->shared = alloc_hv_pages(0);
    if (!d->shared)
        return NULL;
    d->shared_mfn = virt_to_mfn(d->shared);
    mm_share_page(virt_to_page(d->shared), d, true);
    if (event_domain_init(d) || grant_table_init(d))
        return NULL;
    d->start_ns = now_ns();
    time_update_wallclock(d);
    d->next = domain_list;
    domain_list = d;
    trace_domain_create(id);
    return d;
}

static const char *reason_name(unsigned int reason)
{
    static const char *const names[] = { "power off", "reboot", "suspend", "crash", "watchdog",
                                         "soft reset" };

    return reason < ARRAY_SIZE(names) ? names[reason] : "unknown reason";
}

void domain_shutdown(struct domain *d, unsigned int reason)
{
    if (d->is_shutdown)
        return;
    d->is_shutdown = true;
    d->shutdown_code = reason;
    trace_domain_shutdown(d->id, reason);
    if (reason == SHUTDOWN_crash || reason == SHUTDOWN_watchdog)
        trace_domain_crashed(d); /* as the guest itself says, perhaps */
    printk("domain %u shuts down: %s\n", d->id, reason_name(reason));
    if (log_threshold >= LOG_DEBUG && current()->domain == d)
        vcpu_show(current());
    if (d == dom0) {
        if (reason == SHUTDOWN_crash || reason == SHUTDOWN_watchdog)
            machine_halt(!no_reboot || reason != SHUTDOWN_watchdog);
        if (reason == SHUTDOWN_reboot && !no_reboot)
            machine_reset();
        printk("domain 0 is gone: the machine halts\n");
        if (reason == SHUTDOWN_poweroff)
            machine_stop();
        for (;;)
            __asm__ volatile("cli; hlt");
    }
    for (unsigned int i = 0; i < d->nr_vcpus; i++)
        if (d->vcpu[i] && d->vcpu[i] != current())
            vcpu_set_offline(d->vcpu[i]);
    evtchn_send_global_virq(dom0, VIRQ_DOM_EXC);
    if (current()->domain == d)
        vcpu_set_offline(current());
}
