/* SPDX-License-Identifier: MIT */
/*
 * The clock (TSC, measured against the PIT), timers, pvclock and the wall clock.
 */
#include "hv/time.h"

#include "hv/apic.h"
#include "hv/asm.h"
#include "hv/guest.h"
#include "hv/hypercall.h"
#include "hv/lib.h"
#include "hv/percpu.h"
#include "hv/sched.h"
#include "hv/trace.h"
#include "hv/x86.h"

#include "clock_measure.h"

uint64_t tsc_khz;
uint32_t tsc_to_ns_mul;
int8_t tsc_to_ns_shift;
uint64_t boot_tsc;
bool tsc_stable = true; /* cleared when CPUs' TSCs disagree */

static uint64_t ns_to_tsc_mul; /* 2^32 * ticks per ns */

static void __init set_frequency(uint64_t hz)
{
    uint64_t scaled = hz;

    tsc_khz = hz / 1000;
    /* mul = 2^32 * 10^9 / (hz * 2^shift), with hz * 2^shift in (0.5, 1] * 2 * 10^9. */
    tsc_to_ns_shift = 0;
    while (scaled > 2000000000UL) {
        scaled >>= 1;
        tsc_to_ns_shift--;
    }
    while (scaled <= 1000000000UL) {
        scaled <<= 1;
        tsc_to_ns_shift++;
    }
    tsc_to_ns_mul = (uint32_t)shl32_div(1000000000UL, scaled);
    ns_to_tsc_mul = shl32_div(hz, 1000000000UL);
}

/*
 * A frequency within 50 ppm of a whole number of MHz is taken for that number: the reading of the
 * PIT is not better than that.
 */
static uint64_t __init nearest_nominal(uint64_t hz)
{
    uint64_t mhz = (hz + 500000) / 1000000 * 1000000;
    uint64_t off = hz > mhz ? hz - mhz : mhz - hz;

    return off * 20000 < hz ? mhz : hz;
}

uint64_t tsc_to_ns(uint64_t tsc)
{
    uint64_t delta = tsc - boot_tsc;

    delta = tsc_to_ns_shift >= 0 ? delta << tsc_to_ns_shift : delta >> -tsc_to_ns_shift;
    return (uint64_t)(((unsigned __int128)delta * tsc_to_ns_mul) >> 32);
}

uint64_t ns_to_tsc(uint64_t ns)
{
    return boot_tsc + (uint64_t)(((unsigned __int128)ns * ns_to_tsc_mul) >> 32);
}

uint64_t now_ns(void)
{
    return tsc_to_ns(rdtsc());
}

/* ------------------------------------------------------------------ wall clock */

static uint64_t wc_sec; /* UTC at boot */
static uint32_t wc_nsec;

static uint8_t __init cmos(uint8_t reg)
{
    outb(0x70, reg);
    return inb(0x71);
}

/* Days since 1970-01-01 of a date in the Gregorian calendar. */
static uint64_t __init days_from_civil(unsigned int y, unsigned int m, unsigned int d)
{
    uint64_t years = m > 2 ? y : y - 1, months = m > 2 ? m - 3 : m + 9;

    return years * 365 + years / 4 - years / 100 + years / 400 + (153 * months + 2) / 5 + d - 719469;
}

static unsigned int __init from_bcd(unsigned int v, bool bcd)
{
    return bcd ? (v >> 4) * 10 + (v & 15) : v;
}

static void __init read_rtc(void)
{
    unsigned int r[6], again[6];
    static const uint8_t reg[6] = { 0, 2, 4, 7, 8, 9 };
    bool bcd = !(cmos(0xb) & 4), pm;

    do {
        while (cmos(0xa) & 0x80)
            cpu_relax();
        for (unsigned int i = 0; i < 6; i++)
            r[i] = cmos(reg[i]);
        for (unsigned int i = 0; i < 6; i++)
            again[i] = cmos(reg[i]);
    } while (memcmp(r, again, sizeof(r)));
    pm = !(cmos(0xb) & 2) && (r[2] & 0x80);
    for (unsigned int i = 0; i < 6; i++)
        r[i] = from_bcd(i == 2 ? r[i] & 0x7f : r[i], bcd);
    if (pm)
        r[2] = r[2] % 12 + 12;
    wc_sec = ((days_from_civil(2000 + r[5], r[4], r[3]) * 24 + r[2]) * 60 + r[1]) * 60 + r[0];
    wc_sec -= now_ns() / 1000000000;
}

void time_update_wallclock(struct domain *d)
{
    shared_info_t *s = d->shared;
    uint64_t sec = wc_sec + d->time_offset;

    if (!s)
        return;
    s->wc_version++;
    barrier();
    s->wc_sec = sec;
    s->wc_sec_hi = sec >> 32;
    s->wc_nsec = wc_nsec;
    barrier();
    s->wc_version++;
}

void time_set_wallclock(uint64_t sec, uint32_t nsec, uint64_t at)
{
    uint64_t total = sec * 1000000000UL + nsec - at;

    wc_sec = total / 1000000000;
    wc_nsec = total % 1000000000;
    for (struct domain *d = domain_list; d; d = d->next)
        time_update_wallclock(d);
}

void __init time_init(void)
{
    boot_tsc = rdtsc();
    set_frequency(nearest_nominal(clock_measure_tsc()));
    read_rtc();
    hv_log(LOG_INFO, "TSC %lu kHz\n", tsc_khz);
}

/* ------------------------------------------------------------------ pvclock */

static void fill_time(struct vcpu_time_info *t)
{
    t->version++;
    barrier();
    t->tsc_timestamp = boot_tsc;
    t->system_time = 0;
    t->tsc_to_system_mul = tsc_to_ns_mul;
    t->tsc_shift = tsc_to_ns_shift;
    t->flags = tsc_stable ? XEN_PVCLOCK_TSC_STABLE_BIT : 0;
    barrier();
    t->version++;
}

void time_update_vcpu(struct vcpu *v)
{
    fill_time(&v->hot->info->time);
    if (v->time_area) {
        struct vcpu_time_info t = v->hot->info->time;

        if (copy_to_guest(v->time_area, &t, 1))
            v->time_dirty = false;
    }
}

/* ------------------------------------------------------------------ timers */

static void arm(struct cpu *cpu)
{
    uint64_t next = cpu->timers ? cpu->timers->deadline : ~0UL;

    if (next == cpu->timer_armed)
        return;
    cpu->timer_armed = next;
    apic_timer_set(next == ~0UL ? 0 : ns_to_tsc(next) + 1);
}

void timer_stop(struct timer *t)
{
    struct cpu *cpu = READ_ONCE(t->cpu);

    if (!cpu)
        return;
    spin_lock(&cpu->lock);
    if (t->cpu) {
        for (struct timer **p = &cpu->timers; *p; p = &(*p)->next)
            if (*p == t) {
                *p = t->next;
                break;
            }
        t->cpu = NULL;
        if (cpu == this_cpu())
            arm(cpu);
    }
    spin_unlock(&cpu->lock);
}

void timer_set(struct timer *t, uint64_t deadline)
{
    struct cpu *cpu = this_cpu();
    struct timer **p;

    if (t->cpu != cpu)
        timer_stop(t);
    spin_lock(&cpu->lock);
    if (t->cpu) {
        for (p = &cpu->timers; *p != t; p = &(*p)->next)
            ;
        *p = t->next;
    }
    t->deadline = deadline;
    t->cpu = cpu;
    for (p = &cpu->timers; *p && (*p)->deadline <= deadline; p = &(*p)->next)
        ;
    t->next = *p;
    *p = t;
    arm(cpu);
    spin_unlock(&cpu->lock);
}

void timers_run(struct cpu *cpu)
{
    spin_lock(&cpu->lock);
    cpu->timer_armed = ~0UL;
    while (cpu->timers && cpu->timers->deadline <= now_ns()) {
        struct timer *t = cpu->timers;

        cpu->timers = t->next;
        t->cpu = NULL;
        spin_unlock(&cpu->lock);
        t->fn(t->arg);
        spin_lock(&cpu->lock);
    }
    arm(cpu);
    spin_unlock(&cpu->lock);
}

/* ------------------------------------------------------------------ hypercalls */

long do_set_timer_op(HCALL_ARGS1(deadline))
{
    struct vcpu *v = current();

    trace_timer_set(trace_vcpu_number(v), deadline);
    if (!deadline) {
        timer_stop(&v->singleshot);
        return 0;
    }
    timer_set(&v->singleshot, deadline);
    return 0;
}
