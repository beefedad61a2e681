/* SPDX-License-Identifier: MIT */
#ifndef TEST_FAST_CAPTURE_H
#define TEST_FAST_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

/* Exact tables of hot sites from now on, or sampled ones as ever; how many entries of the kind there were. */
uint64_t entries_counted(bool exact, uint32_t kind, uint32_t number);

void capture_tests(void);
void shadow_tests(void);
void shadow_races(void); /* vCPU 1 is online, and waits for work */
void hypercall_tests(void);
void budget_tests(void);
void event_tests(void);
void exception_tests(void);

#endif
