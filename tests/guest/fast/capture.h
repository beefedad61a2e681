/* SPDX-License-Identifier: MIT */
#ifndef TEST_FAST_CAPTURE_H
#define TEST_FAST_CAPTURE_H

void capture_tests(void);
void shadow_tests(void);
void shadow_races(void); /* vCPU 1 is online, and waits for work */
void hypercall_tests(void);
void budget_tests(void);
void event_tests(void);
void exception_tests(void);

#endif
