/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's watchdog (watchdog on the command line).  Once a second each CPU notes that its
 * timer interrupt came, and looks at the next CPU's note: one that has had none for LIMIT_NS hangs in
 * the hypervisor with interrupts off, gets an NMI, and dies with its backtrace.  A machine of one
 * CPU has nobody to look.
 */
#include "hv/watchdog.h"

#include "hv/apic.h"
#include "hv/lib.h"
#include "hv/percpu.h"
#include "hv/sched.h"

#define PERIOD_NS 1000000000UL
#define LIMIT_NS  (10 * PERIOD_NS)

static bool enabled;
static uint64_t alive_ns[NR_CPUS];
static struct timer ticks[NR_CPUS];
static bool accused[NR_CPUS];

bool watchdog_accuses(uint32_t cpu)
{
    return READ_ONCE(accused[cpu]);
}

static void look_at(const struct cpu *other, uint64_t now)
{
    uint64_t seen = READ_ONCE(alive_ns[other->id]);

    if (!seen || now < seen + LIMIT_NS || accused[other->id])
        return;
    printk("watchdog: CPU %u has taken no interrupt for %lu s\n", other->id,
           (now - seen) / 1000000000);
    WRITE_ONCE(accused[other->id], true);
    apic_send_nmi(other->apic_id);
}

static void tick(void *arg)
{
    struct cpu *cpu = arg;
    uint64_t now = now_ns();

    WRITE_ONCE(alive_ns[cpu->id], now);
    if (nr_cpus > 1)
        look_at(cpus[(cpu->id + 1) % nr_cpus], now);
    timer_set(&ticks[cpu->id], now + PERIOD_NS);
}

void watchdog_enable(void)
{
    enabled = true;
}

void watchdog_start_cpu(struct cpu *cpu)
{
    if (!enabled)
        return;
    ticks[cpu->id] = (struct timer){ .fn = tick, .arg = cpu };
    tick(cpu);
}
