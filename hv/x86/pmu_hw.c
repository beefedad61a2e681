/* SPDX-License-Identifier: MIT */
/*
 * What the performance counters take of the machine.
 */
#include "x86/pmu_int.h"

#include "hv/apic.h"
#include "hv/asm.h"
#include "hv/traps.h"

bool pmu_hw_read(uint32_t msr, uint64_t *value)
{
    uint32_t low = 0, high = 0;

    __asm__ goto("1: rdmsr\n" EXTABLE("1b", "%l[fault]") : "=a"(low), "=d"(high) : "c"(msr) :: fault);
    *value = low | (uint64_t)high << 32;
    return true;
fault:
    return false;
}

bool pmu_hw_write(uint32_t msr, uint64_t value)
{
    __asm__ goto("1: wrmsr\n" EXTABLE("1b", "%l[fault]")
                 :: "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory" : fault);
    return true;
fault:
    return false;
}

void pmu_hw_cpuid(uint32_t leaf, uint32_t regs[4])
{
    cpuid_count(leaf, 0, regs);
}

bool pmu_hw_has_entry(void)
{
    return apic_has_perf_entry();
}

void pmu_hw_set_entry(bool open)
{
    apic_perf_nmi(open);
}

bool pmu_hw_entry_is_open(void)
{
    return apic_perf_is_open();
}
