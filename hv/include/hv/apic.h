/* SPDX-License-Identifier: MIT */
/*
 * The local APIC (AMD APM volume 2, chapter 16), xAPIC or x2APIC.
 */
#ifndef HV_APIC_H
#define HV_APIC_H

#include "hv/types.h"

/* Map the registers; then per CPU: enable. */
void apic_init(void);
void apic_init_cpu(void);
uint32_t apic_read_id(void);
void apic_eoi(void);
void apic_send_ipi(uint32_t apic_id, uint8_t vector);
/* To this CPU; from NMI context, too, where the other forms could meet a half-written command. */
void apic_send_self(uint8_t vector);
void apic_send_nmi(uint32_t apic_id);
/* The performance counters' interrupt, if the APIC has an entry for it: an NMI, or none.  Any context. */
bool apic_has_perf_entry(void);
void apic_perf_nmi(bool open);
bool apic_perf_is_open(void);
void apic_send_init(uint32_t apic_id);
void apic_send_startup(uint32_t apic_id, uint8_t page);
/* One-shot timer: fires VECTOR_TIMER at a TSC value, or as near after it as it can; 0 stops it. */
void apic_timer_set(uint64_t tsc_deadline);
/* The APIC timer counts down from 2^32 - 1, to be read by the next one, until the caller says that it
 * counted so many in so many TSC ticks (of both, the same multiple will do). */
void apic_timer_calibrate_start(void);
uint32_t apic_timer_count(void);
void apic_timer_calibrate_end(uint64_t counted, uint64_t tsc_ticks);

#endif
