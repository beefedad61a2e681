/* SPDX-License-Identifier: MIT */
#ifndef HV_WATCHDOG_H
#define HV_WATCHDOG_H

#include "hv/types.h"

struct cpu;

/* As the command line asks; then each CPU starts its own, before its idle loop. */
void watchdog_enable(void);
void watchdog_start_cpu(struct cpu *cpu);
/* Whether the NMI that came to this CPU is the watchdog's: it hangs.  NMI context. */
bool watchdog_accuses(uint32_t cpu);

#endif
