/* SPDX-License-Identifier: MIT */
/*
 * The daemon on a hypervisor of a few lines, with a synthesis that makes two instructions of anything: what
 * the tests of its decisions have in common.
 */
#ifndef PROF_DAEMON_H
#define PROF_DAEMON_H

#include "prof_fake.h"

#define GETPPID 110u
#define READ 0u

extern struct fake fake;
extern struct prof prof;
extern char folder[], log_path[];

/* What the synthesis says next, and of how many paths; how often it ran, and on what the last time. */
extern enum synth_reason synth_says;
extern unsigned int synth_paths, synth_runs, synth_captures;
extern bool synth_one_vcpu;
extern uint64_t synth_takes; /* ns */

/* Before and after each test. */
int daemon_begin(void **state);
int daemon_end(void **state);
#define DAEMON_TEST(name) cmocka_unit_test_setup_teardown(name, daemon_begin, daemon_end)

void tick(void);
/* Ticks for so long, with so many entries of the call a second, of so many cycles each. */
void run_cycles(unsigned int ms, uint32_t number, uint64_t entries_a_second, uint64_t cycles);
void run(unsigned int ms, uint32_t number, uint64_t entries_a_second); /* of 1000 each */

/* The last decision of that name in the log. */
bool last_entry(const char *what, struct log_entry *found);
void assert_decided(const char *what, const char *by, const char *reason);

struct radon_fast_info *only_handler(void);
/* From hot to a handler of GETPPID that works. */
void make_active(void);
/* The hypervisor retires the only handler; the daemon takes it away. */
void retire(enum radon_fast_reason why);

#endif
