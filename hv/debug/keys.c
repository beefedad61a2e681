/* SPDX-License-Identifier: MIT */
/*
 * The debug console: one key, one report.  It runs in the serial line's interrupt, and so only looks;
 * what it walks may change under it on other CPUs.
 */
#include "hv/asm.h"
#include "hv/console.h"
#include "hv/domain.h"
#include "hv/event.h"
#include "hv/irq.h"
#include "hv/lib.h"
#include "hv/percpu.h"
#include "hv/sched.h"

static const char *const state_names[] = {
    [VCPU_RUNNING] = "running", [VCPU_RUNNABLE] = "runnable", [VCPU_BLOCKED] = "blocked",
    [VCPU_OFFLINE] = "offline",
};

static void show_vcpu_line(const struct vcpu *v)
{
    printk("    v%u: %s%s on CPU %u, events %s%s\n", v->id, state_names[v->state],
           v->polling ? " (poll)" : "", v->cpu ? v->cpu->id : 0,
           v->hot->info->evtchn_upcall_pending ? "pending" : "none",
           v->hot->info->evtchn_upcall_mask ? ", masked" : "");
}

static void key_domains(void)
{
    printk("now %lu ns\n", now_ns());
    for (const struct domain *d = domain_list; d; d = d->next) {
        printk("domain %u%s: %u vCPUs, %lu pages of at most %lu%s%s\n", d->id,
               d->privileged ? " (privileged)" : "", d->nr_vcpus, d->mm.tot_pages,
               d->mm.max_pages, d->is_shutdown ? ", shut down" : "", d->dying ? ", dying" : "");
        for (uint32_t i = 0; i < d->nr_vcpus; i++) {
            if (d->vcpu[i] && d->vcpu[i]->initialised)
                show_vcpu_line(d->vcpu[i]);
        }
    }
}

static void show_owner(const char *what, const struct vcpu *v)
{
    if (!v)
        return;
    if (v->is_idle)
        printk(" %s idle", what);
    else
        printk(" %s d%uv%u", what, v->domain->id, v->id);
}

static void key_run_queues(void)
{
    for (uint32_t i = 0; i < nr_cpus; i++) {
        const struct cpu *c = cpus[i];

        if (!c || !c->online)
            continue;
        printk("CPU %u: APIC %u,", c->id, c->apic_id);
        show_owner("runs", c->curr);
        printk(", %u waiting:", c->rq_len);
        for (const struct vcpu *v = c->rq_head; v; v = v->rq_next)
            show_owner("", v);
        printk("; %lu switches, %lu interrupts, idle %lu ns\n", c->switches, c->irqs, c->idle_ns);
    }
}

static void show_domain_vcpus(struct domain *d)
{
    for (uint32_t i = 0; i < d->nr_vcpus; i++) {
        if (d->vcpu[i] && d->vcpu[i]->initialised)
            vcpu_show(d->vcpu[i]);
    }
}

static void key_registers(void)
{
    key_run_queues();
    for (uint32_t i = 0; i < nr_cpus; i++) {
        if (cpus[i] && cpus[i]->online && cpus[i]->curr && !cpus[i]->curr->is_idle)
            vcpu_show(cpus[i]->curr);
    }
}

static void key_memory(void)
{
    printk("memory: %lu of %lu frames free\n", free_frames(), total_frames());
    for (const struct domain *d = domain_list; d; d = d->next)
        printk("  domain %u: %lu pages\n", d->id, d->mm.tot_pages);
}

static void key_events(void)
{
    for (struct domain *d = domain_list; d; d = d->next)
        event_dump(d);
}

static void key_dom0(void)
{
    if (dom0)
        show_domain_vcpus(dom0);
}

static void key_reboot(void)
{
    printk("reboot by the debug console\n");
    machine_reset();
}

/* ------------------------------------------------------------------ provoked defects */

/* What a stray pointer does; the first byte of a stack's block is never mapped (config.h). */
static void key_page_fault(void)
{
    uint64_t block = (uint64_t)__builtin_frame_address(0) & ~(STACK_BLOCK - 1UL);

    *(volatile uint8_t *)block = 0;
}

static __attribute__((noinline)) uint64_t use_stack(uint64_t depth)
{
    volatile uint8_t block[128];

    block[0] = (uint8_t)depth;
    return depth ? use_stack(depth - 1) + block[0] : 0;
}

/* Calls so deep that the stack ends: its guard page makes a double fault of that. */
static void key_stack_overflow(void)
{
    printk("%lu\n", use_stack(STACK_SIZE / 128));
}

static void key_panic(void)
{
    panic("asked for by the debug console");
}

/* What a lost lock does: this CPU takes no interrupt any more.  The watchdog is there for that. */
static void key_hang(void)
{
    for (;;)
        cpu_relax();
}

static void key_help(void);

static const struct {
    char key;
    void (*fn)(void);
    const char *help;
} keys[] = {
    { 'h', key_help, "this list" },
    { '0', key_dom0, "registers of domain 0" },
    { 'e', key_events, "event channels" },
    { 'i', irq_dump, "interrupts" },
    { 'm', key_memory, "memory" },
    { 'q', key_domains, "domains and vCPUs" },
    { 'r', key_registers, "run queues, and registers of what runs" },
    { 'R', key_reboot, "reboot the machine" },
    { '!', key_panic, "panic" },
    { '@', key_hang, "hang this CPU (the machine ends, if the watchdog is on and there is another)" },
    { '%', key_page_fault, "page fault in the hypervisor (the machine ends)" },
    { '^', key_stack_overflow, "overflow of the hypervisor's stack (the machine ends)" },
};

static void key_help(void)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(keys); i++)
        printk("  %c  %s\n", keys[i].key, keys[i].help);
}

void debug_key(char key)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(keys); i++) {
        if (keys[i].key == key) {
            printk("key %c: %s\n", key, keys[i].help);
            keys[i].fn();
            return;
        }
    }
    if (key > ' ' && key <= '~')
        printk("key %c: no such key, h for help\n", key);
}
