/* SPDX-License-Identifier: MIT */
/*
 * NMIs at a steady rate on every CPU: channel 0 of the PIT, whose line goes to an IO-APIC, delivered as
 * NMI to all.  The hypervisor has no other use for that channel.
 */
#ifndef HV_PIT_NMI_H
#define HV_PIT_NMI_H

#include "hv/types.h"

/*
 * Begin; NMIs must be dealt with by now.  False, and none will come, if the machine has no such line,
 * it does not work, or hz is out of its range.  Takes some milliseconds.
 */
bool pit_nmi_start(uint32_t hz);
void pit_nmi_stop(void);

/* In an NMI: whether it is one by which pit_nmi_start() finds out if they come. */
bool pit_nmi_trial(void);

#endif
