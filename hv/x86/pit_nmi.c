/* SPDX-License-Identifier: MIT */
/*
 * The PIT (Intel 82C54 data sheet: mode 2, rate generator) as a source of NMIs.
 */
#include "hv/pit_nmi.h"

#include "hv/asm.h"
#include "hv/irq.h"
#include "hv/lib.h"
#include "hv/time.h"
#include "hv/x86.h"

#define PIT_COUNT_MAX  65535u
#define PIT_CHANNEL0   0x40
#define PIT_CONTROL    0x43
#define PIT_MODE2      0x34 /* channel 0, both bytes of the count, rate generator, binary */
#define TRIAL_COUNT    119u /* 10 kHz */
#define TRIAL_NS       5000000u

static uint32_t trial_seen;
static bool on_trial;

bool pit_nmi_trial(void)
{
    if (!READ_ONCE(on_trial))
        return false;
    __atomic_add_fetch(&trial_seen, 1, __ATOMIC_RELAXED);
    return true;
}

static void set_count(uint32_t count)
{
    outb(PIT_CONTROL, PIT_MODE2);
    outb(PIT_CHANNEL0, (uint8_t)count);
    outb(PIT_CHANNEL0, (uint8_t)(count >> 8));
}

/* Primes do not keep step with the round numbers of guests' ticks. */
static bool is_prime(uint32_t n)
{
    for (uint32_t i = 2; i * i <= n; i++)
        if (n % i == 0)
            return false;
    return n > 1;
}

static void nothing(void *arg)
{
    (void)arg;
}

/* The GSI of the PIT's line, which is ours from the first time on; false if it is not to be had. */
static bool claim_line(uint32_t *gsi)
{
    static bool claimed;
    struct ioapic_line line;

    if (!claimed && irq_request_isa(0, nothing, NULL))
        return false;
    claimed = true;
    *gsi = ioapic_isa_gsi(0, &line);
    ioapic_mask(*gsi);
    return true;
}

/* Whether NMIs come: in QEMU they do, but a machine need not have a PIT. */
static bool works(void)
{
    uint64_t end = now_ns() + TRIAL_NS;

    while (READ_ONCE(trial_seen) < 2)
        if (now_ns() > end)
            return false;
    return true;
}

bool pit_nmi_start(uint32_t hz)
{
    uint32_t count = PIT_HZ / hz, gsi;
    bool ok;

    if (count > PIT_COUNT_MAX || count < 2 || !claim_line(&gsi))
        return false;
    while (!is_prime(count))
        count--;
    trial_seen = 0;
    WRITE_ONCE(on_trial, true);
    set_count(TRIAL_COUNT);
    ioapic_route_nmi(gsi);
    ok = works();
    if (!ok)
        ioapic_mask(gsi);
    set_count(count);
    WRITE_ONCE(on_trial, false);
    return ok;
}

void pit_nmi_stop(void)
{
    struct ioapic_line line;

    ioapic_mask(ioapic_isa_gsi(0, &line));
}
