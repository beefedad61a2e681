/* SPDX-License-Identifier: MIT */
/*
 * Performance counters, inside: what the processor has (pmu_detect.c), its use (pmu.c), the instructions
 * (pmu_hw.c, in whose place tests put a processor of their own).
 */
#ifndef HV_X86_PMU_INT_H
#define HV_X86_PMU_INT_H

#include "hv/types.h"

/* The event select registers, alike in both makers' */
#define PMU_USER   (1ul << 16)
#define PMU_OS     (1ul << 17)
#define PMU_INT    (1ul << 20)
#define PMU_ENABLE (1ul << 22)

struct pmu {
    uint32_t select, counter; /* MSRs */
    uint32_t global_ctl;      /* MSR with a bit for each counter that may count; 0 = none */
    uint32_t global_ack;      /* MSR: writing the bit clears the note of an overflow; 0 = none */
    uint64_t global_bit;
    uint64_t count_mask;      /* of the counter's bits */
    uint64_t event_bits;      /* of the event select that belong to an event */
    bool zero_is_none;        /* event 0 names the counters of fixed use, which are not these */
};

/* The first counter that nobody else (firmware) uses and that holds what is written; false without one. */
bool pmu_detect(struct pmu *p);

/* False: the processor has no such register, or not that value. */
bool pmu_hw_read(uint32_t msr, uint64_t *value);
bool pmu_hw_write(uint32_t msr, uint64_t value);
void pmu_hw_cpuid(uint32_t leaf, uint32_t regs[4]);
/* The local APIC's entry for counters, as NMI; Intel's masks itself when it has delivered one. */
bool pmu_hw_has_entry(void);
void pmu_hw_set_entry(bool open);
bool pmu_hw_entry_is_open(void);

#endif
