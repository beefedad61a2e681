/* SPDX-License-Identifier: MIT */
/*
 * A counter at work.  It counts up from minus the period; when its top bit is clear it has overflowed,
 * on every kind of them, and the local APIC has been told.
 *
 * The NMI may be late: another one can find the overflow first, and one can be on its way while the
 * counter is stopped.  It is the counter's all the same, and no guest's.
 */
#include "hv/pmu.h"

#include "hv/lib.h"
#include "hv/xenpub.h"
#include "x86/pmu_int.h"

static struct pmu pmu;
static bool found;

static struct pmu_cpu {
    bool running;
    bool late;               /* stopped after an overflow whose NMI has not come yet */
    uint64_t event, from;    /* event select as it counts; what the counter begins with */
    uint64_t old_event, old_count, old_ctl;
} per_cpu[NR_CPUS];

void pmu_find(void)
{
    found = pmu_detect(&pmu);
}

int pmu_check(uint64_t event, uint32_t period)
{
    if (!found)
        return -XEN_ENODEV;
    if (event & ~pmu.event_bits || !(event & (PMU_USER | PMU_OS)))
        return -XEN_EINVAL;
    if (pmu.zero_is_none && !(event & 0xff))
        return -XEN_EINVAL;
    return period < PMU_PERIOD_MIN || period > PMU_PERIOD_MAX ? -XEN_EINVAL : 0;
}

/* ------------------------------------------------------------------ registers */

/* They are there since pmu_detect() has read them. */
static uint64_t get(uint32_t msr)
{
    uint64_t value = 0;

    pmu_hw_read(msr, &value);
    return value;
}

static bool overflowed(void)
{
    return !(get(pmu.counter) & (pmu.count_mask ^ pmu.count_mask >> 1));
}

static void acknowledge(void)
{
    if (pmu.global_ack)
        pmu_hw_write(pmu.global_ack, pmu.global_bit);
}

/* This counter's bit as in `from`, others as they are. */
static void set_global_bit(uint64_t from)
{
    if (pmu.global_ctl)
        pmu_hw_write(pmu.global_ctl, (get(pmu.global_ctl) & ~pmu.global_bit) |
                                     (from & pmu.global_bit));
}

/* ------------------------------------------------------------------ begin and end */

void pmu_start(uint32_t cpu, uint64_t event, uint32_t period)
{
    struct pmu_cpu *c = &per_cpu[cpu];

    c->old_event = get(pmu.select);
    c->old_ctl = pmu.global_ctl ? get(pmu.global_ctl) : 0;
    pmu_hw_write(pmu.select, 0);
    c->old_count = get(pmu.counter);
    c->event = event | PMU_INT | PMU_ENABLE;
    c->from = -(uint64_t)period & pmu.count_mask;
    acknowledge();
    set_global_bit(pmu.global_bit);
    WRITE_ONCE(c->running, true);
    barrier();
    pmu_go_on(cpu);
}

void pmu_stop(uint32_t cpu)
{
    struct pmu_cpu *c = &per_cpu[cpu];

    if (!c->running)
        return;
    WRITE_ONCE(c->late, true); /* should one come from here on */
    WRITE_ONCE(c->running, false);
    barrier();
    pmu_hw_write(pmu.select, 0);
    if (!overflowed())
        WRITE_ONCE(c->late, false);
    pmu_hw_set_entry(false);
    acknowledge();
    set_global_bit(c->old_ctl);
    pmu_hw_write(pmu.counter, c->old_count);
    pmu_hw_write(pmu.select, c->old_event);
}

/* ------------------------------------------------------------------ NMIs */

static enum pmu_nmi take_late(struct pmu_cpu *c)
{
    bool late = READ_ONCE(c->late);

    WRITE_ONCE(c->late, false);
    return late ? PMU_LATE : PMU_NOT_MINE;
}

enum pmu_nmi pmu_nmi(uint32_t cpu)
{
    struct pmu_cpu *c = &per_cpu[cpu];

    if (!READ_ONCE(c->running))
        return take_late(c);
    if (overflowed()) {
        pmu_hw_write(pmu.select, 0);
        acknowledge();
        return PMU_OVERFLOW;
    }
    if (!pmu_hw_entry_is_open()) { /* it has been delivered, after another NMI saw the overflow */
        pmu_hw_set_entry(true);
        return PMU_LATE;
    }
    return take_late(c);
}

void pmu_go_on(uint32_t cpu)
{
    pmu_hw_write(pmu.counter, per_cpu[cpu].from);
    pmu_hw_set_entry(true);
    pmu_hw_write(pmu.select, per_cpu[cpu].event);
}
