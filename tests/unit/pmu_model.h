/* SPDX-License-Identifier: MIT */
/*
 * A processor's performance counters, as its manual has them: what hv/x86/pmu*.c see in place of theirs.
 */
#ifndef PMU_MODEL_H
#define PMU_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define MODEL_COUNTERS 8u

struct pmu_model {
    bool amd;
    unsigned int version;    /* Intel: of its leaf 10; AMD: 0 four counters, 1 six, 2 a global register, too */
    unsigned int counters, width;
    bool forgetful;          /* an emulator: registers read 0, writes are dropped, nothing faults */
    bool absent;             /* no such registers: accesses fault */
    bool no_entry;           /* the local APIC has none for counters */

    uint64_t select[MODEL_COUNTERS], count[MODEL_COUNTERS];
    uint64_t global_ctl, overflows;
    bool entry_open;
    unsigned int pending;    /* NMIs not taken yet */
    unsigned int faults, writes;
    void (*at_select)(void); /* called once, behind the next write to an event select register */
};

extern struct pmu_model *model; /* of the CPU that is being played */

/* That many events happen; each counter overflows at most once. */
void model_count(uint64_t events);

#endif
