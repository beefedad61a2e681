/* SPDX-License-Identifier: MIT */
#ifndef X86_CLOCK_MEASURE_H
#define X86_CLOCK_MEASURE_H

#include "hv/types.h"

/*
 * The TSC's ticks in a second, to some 10 ppm also where this processor is interrupted meanwhile; the
 * APIC timer is measured beside it.  On the boot processor, with interrupts off; takes 20 ms, on a
 * busy host up to seconds.  Panics where the PIT does not count.
 */
uint64_t clock_measure_tsc(void);

#endif
