/* SPDX-License-Identifier: MIT */
#ifndef TEST_FAST_ENTRIES_H
#define TEST_FAST_ENTRIES_H

void entry_tests(void);
/* While a second vCPU is online. */
void entry_vcpu_tests(void);

#endif
