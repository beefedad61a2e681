/* SPDX-License-Identifier: MIT */
/*
 * The TSC and the APIC timer against the PIT (Intel 82C54 data sheet: mode 0, counter latch command).
 */
#include "clock_measure.h"

#include "hv/apic.h"
#include "hv/asm.h"
#include "hv/lib.h"
#include "hv/x86.h"

#include "clock_rate.h"

#define PIT_COUNT   65535u /* 55 ms: what the channel holds */
#define PIT_MEASURE 23864u /* 20 ms of them between the first readings and the last */
#define PIT_LATCH2  0x80   /* channel 2's count stands still to be read */
#define ATTEMPTS    64u
#define MOST_READS  1000000u /* of a PIT that does not count */

/* PIT channel 2, mode 0, counts down once; its output (port 0x61 bit 5) rises when that is over. */
static void __init pit_start(void)
{
    outb(0x61, (inb(0x61) & ~2) | 1);
    outb(0x43, 0xb0);
    outb(0x42, PIT_COUNT & 0xff);
    outb(0x42, PIT_COUNT >> 8);
}

static struct clock_reading __init read_pit(void)
{
    struct clock_reading r;

    r.before = rdtsc();
    outb(0x43, PIT_LATCH2);
    r.after = rdtsc();
    r.count = inb(0x42);
    r.count |= (uint32_t)inb(0x42) << 8;
    return r;
}

static struct clock_reading __init read_apic(void)
{
    struct clock_reading r;

    r.before = rdtsc();
    r.count = apic_timer_count();
    r.after = rdtsc();
    return r;
}

struct readings {
    struct clock_reading pit[CLOCK_READINGS], apic[CLOCK_READINGS];
};

static void __init take_readings(struct readings *to)
{
    for (unsigned int i = 0; i < CLOCK_READINGS; i++) {
        to->pit[i] = read_pit();
        to->apic[i] = read_apic();
    }
}

/* Until the PIT has gone on by `counts`, or its output is up. */
static void __init wait_pit(uint32_t from, uint32_t counts)
{
    for (unsigned int i = 0; i < MOST_READS && read_pit().count + counts > from; i++)
        if (inb(0x61) & 0x20)
            return;
}

/* The TSC's ticks in a second, or 0 if this attempt is void. */
static uint64_t __init measure_once(struct readings *first, struct readings *last, uint32_t counts)
{
    uint64_t tsc, counted, apic_tsc, apic_counted;

    pit_start();
    apic_timer_calibrate_start();
    take_readings(first);
    wait_pit(first->pit[CLOCK_READINGS - 1].count, counts);
    take_readings(last);
    if (inb(0x61) & 0x20) /* it wrapped around, somewhere */
        return 0;
    if (!clock_rate(first->pit, last->pit, &tsc, &counted) ||
        !clock_rate(first->apic, last->apic, &apic_tsc, &apic_counted))
        return 0;
    apic_timer_calibrate_end(apic_counted, apic_tsc);
    /* Both sums have some 12 bits more than the ticks: tsc / counted is below 2^14. */
    return tsc / counted * PIT_HZ + tsc % counted * PIT_HZ / counted;
}

/* A busy host may not give us 55 ms in one piece: less and less is asked for, down to 1.25 ms. */
uint64_t __init clock_measure_tsc(void)
{
    static struct readings first, last;
    uint64_t hz = 0;

    for (unsigned int i = 0; i < ATTEMPTS && !hz; i++)
        hz = measure_once(&first, &last, PIT_MEASURE >> MIN(i / 4, 4u));
    if (!hz)
        panic("the PIT does not count, or cannot be read in time: no clock");
    return hz;
}
