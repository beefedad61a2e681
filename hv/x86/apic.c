/* SPDX-License-Identifier: MIT */
#include "hv/apic.h"

#include "hv/asm.h"
#include "hv/cpuid.h"
#include "hv/lib.h"
#include "hv/mm.h"
#include "hv/paging.h"
#include "hv/x86.h"

enum {
    APIC_ID = 0x20, APIC_VERSION = 0x30, APIC_TPR = 0x80, APIC_EOI = 0xb0, APIC_LDR = 0xd0, APIC_SVR = 0xf0,
    APIC_ICR = 0x300, APIC_ICR2 = 0x310, APIC_LVT_TIMER = 0x320,
    APIC_LVT_PERF = 0x340, APIC_LVT_LINT0 = 0x350,
    APIC_LVT_LINT1 = 0x360, APIC_LVT_ERROR = 0x370, APIC_TIMER_INIT = 0x380,
    APIC_TIMER_CUR = 0x390, APIC_TIMER_DIV = 0x3e0,
};

#define LVT_MASKED       0x10000
#define LVT_NMI          0x400
#define LVT_PERF         4u /* number of that entry */
#define LVT_TSC_DEADLINE 0x40000
#define ICR_BUSY         0x1000
#define ICR_ASSERT       0x4000
#define ICR_SELF         0x40000
#define ICR_NMI          0x400
#define ICR_INIT         0x500
#define ICR_STARTUP      0x600
#define APIC_BASE_EN     0x800
#define APIC_BASE_X2     0x400
#define DIV_1            0xb

static volatile uint32_t *regs;
static bool x2apic;
static uint64_t timer_per_2_32_tsc; /* APIC timer ticks in 2^32 TSC ticks */

static uint32_t rd(unsigned int reg)
{
    return x2apic ? (uint32_t)rdmsr(0x800 + reg / 16) : regs[reg / 4];
}

static void wr(unsigned int reg, uint32_t v)
{
    if (x2apic)
        wrmsr(0x800 + reg / 16, v);
    else
        regs[reg / 4] = v;
}

void apic_init(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);

    x2apic = base & APIC_BASE_X2; /* as the firmware left it */
    if (!x2apic)
        regs = ioremap(base & 0xffffff000UL, PAGE_SIZE);
    mmio_deny(paddr_to_mfn(base & 0xffffff000UL), 1);
}

void apic_init_cpu(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE) | APIC_BASE_EN;

    wrmsr(MSR_APIC_BASE, x2apic ? base | APIC_BASE_X2 : base);
    wr(APIC_TPR, 0);
    wr(APIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
    wr(APIC_LVT_LINT0, LVT_MASKED);
    wr(APIC_LVT_LINT1, LVT_NMI);
    wr(APIC_LVT_ERROR, LVT_MASKED | VECTOR_SPURIOUS);
    wr(APIC_SVR, 0x100 | VECTOR_SPURIOUS);
    wr(APIC_TIMER_DIV, DIV_1);
    if (features.tsc_deadline)
        wr(APIC_LVT_TIMER, LVT_TSC_DEADLINE | VECTOR_TIMER);
    else
        wr(APIC_LVT_TIMER, VECTOR_TIMER);
}

uint32_t apic_read_id(void)
{
    return x2apic ? rd(APIC_ID) : rd(APIC_ID) >> 24;
}

void apic_eoi(void)
{
    wr(APIC_EOI, 0);
}

static void send(uint32_t apic_id, uint32_t command)
{
    if (x2apic) {
        wrmsr(0x800 + APIC_ICR / 16, (uint64_t)apic_id << 32 | command);
        return;
    }
    while (rd(APIC_ICR) & ICR_BUSY)
        cpu_relax();
    wr(APIC_ICR2, apic_id << 24);
    wr(APIC_ICR, command);
}

void apic_send_ipi(uint32_t apic_id, uint8_t vector)
{
    send(apic_id, ICR_ASSERT | vector);
}

/* By shorthand: the destination register stays what somebody may have just set it to. */
void apic_send_self(uint8_t vector)
{
    if (x2apic)
        wrmsr(0x800 + APIC_ICR / 16, ICR_SELF | ICR_ASSERT | vector);
    else
        wr(APIC_ICR, ICR_SELF | ICR_ASSERT | vector);
}

void apic_send_nmi(uint32_t apic_id)
{
    send(apic_id, ICR_ASSERT | ICR_NMI);
}

bool apic_has_perf_entry(void)
{
    return (rd(APIC_VERSION) >> 16 & 0xff) >= LVT_PERF; /* the last entry's number */
}

void apic_perf_nmi(bool open)
{
    wr(APIC_LVT_PERF, open ? LVT_NMI : LVT_NMI | LVT_MASKED);
}

bool apic_perf_is_open(void)
{
    return !(rd(APIC_LVT_PERF) & LVT_MASKED);
}

void apic_send_init(uint32_t apic_id)
{
    send(apic_id, ICR_ASSERT | ICR_INIT);
}

void apic_send_startup(uint32_t apic_id, uint8_t page)
{
    send(apic_id, ICR_ASSERT | ICR_STARTUP | page);
}

void apic_timer_set(uint64_t deadline)
{
    uint64_t now, ticks;

    if (features.tsc_deadline) {
        wrmsr(MSR_TSC_DEADLINE, deadline);
        return;
    }
    if (!deadline) {
        wr(APIC_TIMER_INIT, 0);
        return;
    }
    now = rdtsc();
    ticks = deadline > now
                ? (uint64_t)(((unsigned __int128)(deadline - now) * timer_per_2_32_tsc) >> 32) : 0;
    /* Round up, so that what is due is due when it fires. */
    wr(APIC_TIMER_INIT, ticks + 1 < 0xffffffff ? ticks + 1 : 0xffffffff);
}

void apic_timer_calibrate_start(void)
{
    wr(APIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
    wr(APIC_TIMER_INIT, 0xffffffff);
}

uint32_t apic_timer_count(void)
{
    return rd(APIC_TIMER_CUR);
}

void apic_timer_calibrate_end(uint64_t counted, uint64_t tsc_ticks)
{
    wr(APIC_TIMER_INIT, 0);
    timer_per_2_32_tsc = shl32_div(counted, tsc_ticks);
    apic_init_cpu();
}
