/* SPDX-License-Identifier: MIT */
/* The parts of the program `rules`: who observes the guest kernel, and how. */
#ifndef TESTS_LINUX_RULES_H
#define TESTS_LINUX_RULES_H

#include <stdint.h>

#include "handled.h"

extern uint64_t bytes[8];       /* what the calls read and write; the breakpoint is on the first */
extern const char *module_path; /* of module_on() */
extern uint64_t own_calls;      /* count_own(): of changes that count nothing */

/* rules_observers.c: each ends the program when the kernel refuses it. */
uint64_t perf_count(void);
void perf_close(void);
void raw_enter_on(void);
void enter_on(void);
void exit_on(void);
void renames_on(void);
void probe_entry_on(void);
void probe_inside_on(void);
void breakpoint_on(void);
uint64_t map_count(void);
void bpf_raw_on(void);
void bpf_probe_on(void);
void bpf_off(void);
uint64_t trace_count(void);
void ftrace_on(void);
void ftrace_off(void);
void probe_event_on(void);
void probe_event_off(void);
void event_on(void);
void event_off(void);
void module_on(void);
void module_off(void);
void schedstats_on(void);
void schedstats_off(void);
uint64_t count_own(void);

#endif
