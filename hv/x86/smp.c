/* SPDX-License-Identifier: MIT */
/*
 * Other processors: starting them, interrupting them, flushing their TLBs; and the dispatch of
 * interrupts.
 */
#include "hv/apic.h"
#include "hv/asm.h"
#include "hv/cpuid.h"
#include "hv/desc.h"
#include "hv/fpu.h"
#include "hv/irq.h"
#include "hv/lib.h"
#include "hv/mm.h"
#include "hv/paging.h"
#include "hv/percpu.h"
#include "hv/profile.h"
#include "hv/sched.h"
#include "hv/sites.h"
#include "hv/smp.h"
#include "hv/time.h"
#include "hv/trace.h"
#include "hv/traps.h"
#include "hv/vcpu.h"
#include "hv/watchdog.h"
#include "hv/x86.h"

struct cpu *cpus[NR_CPUS];
uint32_t nr_cpus;

/* ------------------------------------------------------------------ TLB flushes */

/* One request at a time; `pending` are the CPUs that have not served it yet. */
static spinlock_t flush_lock;
static uint64_t flush_pending, flush_va;

static void flush_local(uint64_t va)
{
    struct cpu *cpu = this_cpu();

    cpu->tlb_flushes++;
    if (va == ~0UL)
        tlb_load_cr3(cpu->id, read_cr3());
    else
        invlpg(va);
}

void smp_serve(void)
{
    uint64_t bit = 1UL << this_cpu()->id;

    if (READ_ONCE(flush_pending) & bit) {
        flush_local(READ_ONCE(flush_va));
        __atomic_and_fetch(&flush_pending, ~bit, __ATOMIC_RELEASE);
    }
    cpu_relax();
}

void smp_tlb_flush(uint64_t mask, uint64_t va)
{
    uint64_t self = 1UL << this_cpu()->id, others = mask & ~self;

    if (mask & self)
        flush_local(va);
    if (!others)
        return;
    while (!spin_trylock(&flush_lock))
        smp_serve();
    flush_va = va;
    __atomic_store_n(&flush_pending, others, __ATOMIC_RELEASE);
    for (uint32_t i = 0; i < nr_cpus; i++)
        if (others & (1UL << i))
            apic_send_ipi(cpus[i]->apic_id, VECTOR_TLB_FLUSH);
    while (__atomic_load_n(&flush_pending, __ATOMIC_ACQUIRE))
        cpu_relax();
    spin_unlock(&flush_lock);
}

void smp_kick_cpu(struct cpu *cpu)
{
    if (cpu != this_cpu())
        apic_send_ipi(cpu->apic_id, VECTOR_EVENT_CHECK);
}

/* ------------------------------------------------------------------ interrupts */

void do_irq(struct cpu_user_regs *regs, unsigned int vector)
{
    struct cpu *cpu = this_cpu();

    cpu->irqs++;
    if (vector < DEVICE_VECTOR_FIRST || vector > DEVICE_VECTOR_LAST)
        trace_interrupt_enter(vector, -1);
    switch (vector) {
    case VECTOR_TIMER:
        apic_eoi();
        cpu->interrupted = regs;
        timers_run(cpu);
        return;
    case VECTOR_EVENT_CHECK:
        apic_eoi();
        if (dom0 && dom0->nr_vcpus && dom0->vcpu[0]->nmi_pending && dom0->vcpu[0]->cpu == cpu)
            vcpu_send_nmi(dom0->vcpu[0]);
        profile_look(cpu);
        if (profile_is_full(cpu))
            profile_take(cpu, regs);
        if (cpu->need_resched || cpu->rq_len)
            vcpu_raise_work(cpu->curr);
        return;
    case VECTOR_TLB_FLUSH:
        apic_eoi();
        smp_serve();
        return;
    case VECTOR_SPURIOUS:
        return;
    }
    if (vector >= DEVICE_VECTOR_FIRST && vector <= DEVICE_VECTOR_LAST) {
        irq_dispatch(regs, vector);
        return;
    }
    apic_eoi();
    hv_log(LOG_WARNING, "CPU %u: unexpected interrupt %02x\n", cpu->id, vector);
}

/* ------------------------------------------------------------------ starting */

extern char trampoline_start[], trampoline_end[], trampoline_params[];
extern uint64_t boot_l4[512];
extern bool tsc_stable;

struct trampoline_params { uint64_t cr3, stack, entry, argument; };

static uint64_t ap_tsc;
static volatile bool ap_alive;

/* The layout that guests are promised (public/xen.h): WB WT UC- UC WC WP UC UC. */
#define XEN_PAT 0x050100070406UL

void cpu_init_registers(void)
{
    uint64_t cr4 = read_cr4() | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT;

    if (features.smep)
        cr4 |= X86_CR4_SMEP;
    write_cr4(cr4);
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE | EFER_NX);
    wrmsr(MSR_PAT, XEN_PAT);
    fpu_init_cpu();
}

static void ap_main(struct cpu *cpu)
{
    tlb_load_cr3(cpu->id, idle_cr3);
    cpu_init_registers();
    desc_load(cpu);
    desc_set_stack(cpu, cpu->idle->hot);
    apic_init_cpu();
    ap_tsc = rdtsc();
    cpu->online = true;
    ap_alive = true;
    watchdog_start_cpu(cpu);
    idle_loop();
}

struct cpu *cpu_create(uint32_t id, uint32_t apic_id)
{
    struct cpu *cpu = hv_alloc(sizeof(*cpu));

    if (!cpu)
        panic("no memory for CPU %u", id);
    cpu->id = id;
    cpu->apic_id = apic_id;
    cpu->timer_armed = ~0UL;
    desc_init_cpu(cpu);
    sites_init_cpu(cpu->id);
    cpu->idle = idle_vcpu_create(cpu);
    cpu->curr = cpu->idle;
    sched_init_cpu(cpu);
    cpus[id] = cpu;
    return cpu;
}

static void delay_us(uint64_t us)
{
    uint64_t until = now_ns() + us * 1000;

    while (now_ns() < until)
        cpu_relax();
}

static bool start_ap(struct cpu *cpu)
{
    struct trampoline_params *p =
        paddr_to_virt(TRAMPOLINE_PADDR + (trampoline_params - trampoline_start));
    uint64_t before, after;

    *p = (struct trampoline_params){ (uint64_t)boot_l4 - HV_IMAGE_BASE + HV_LOAD_PADDR,
                                     (uint64_t)cpu->idle->hot, (uint64_t)ap_main, (uint64_t)cpu };
    ap_alive = false;
    before = rdtsc();
    apic_send_init(cpu->apic_id);
    delay_us(10000);
    for (int attempt = 0; attempt < 2 && !ap_alive; attempt++) {
        apic_send_startup(cpu->apic_id, TRAMPOLINE_PADDR >> PAGE_SHIFT);
        for (int i = 0; i < 1000 && !ap_alive; i++)
            delay_us(100);
    }
    after = rdtsc();
    if (!ap_alive)
        return false;
    if (ap_tsc < before || ap_tsc > after)
        tsc_stable = false;
    return true;
}

void smp_init(const uint32_t *apic_ids, unsigned int n)
{
    memcpy(paddr_to_virt(TRAMPOLINE_PADDR), trampoline_start, trampoline_end - trampoline_start);
    mmio_deny(paddr_to_mfn(TRAMPOLINE_PADDR), 1);
    for (unsigned int i = 0; i < n && nr_cpus < NR_CPUS; i++) {
        struct cpu *cpu;

        if (apic_ids[i] == cpus[0]->apic_id)
            continue;
        cpu = cpu_create(nr_cpus, apic_ids[i]);
        if (!start_ap(cpu)) {
            hv_log(LOG_WARNING, "CPU with APIC ID %u does not start\n", apic_ids[i]);
            continue;
        }
        nr_cpus++;
    }
    if (!tsc_stable)
        hv_log(LOG_WARNING, "the CPUs' TSCs disagree: pvclock is not marked stable\n");
}
