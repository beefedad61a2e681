/* SPDX-License-Identifier: MIT */
/* Event channels (2-level) and time for test kernels. */
#ifndef KTEST_EVENT_H
#define KTEST_EVENT_H

#include "ktest.h"

/* Each returns a port, unmasked, or a negative errno. */
long event_bind_virq(unsigned int virq, unsigned int vcpu);
long event_bind_ipi(unsigned int vcpu);
long event_send(unsigned int port);
long event_close(unsigned int port);
void event_mask(unsigned int port);
void event_clear_mask(unsigned int port); /* the bit only: no upcall for what is pending */
bool event_pending(unsigned int port);
void event_clear_pending(unsigned int port);

/* Nanoseconds of system time, from the current vCPU's pvclock and the time stamp counter. */
uint64_t time_now(void);
uint64_t read_tsc(void);
/* Spins until the condition holds or so many nanoseconds have passed; returns the condition. */
#define wait_for(condition, ns)                                                                    \
    ({                                                                                             \
        uint64_t end_ = time_now() + (ns);                                                         \
        while (!(condition) && time_now() < end_)                                                  \
            asm volatile("pause");                                                                 \
        !!(condition);                                                                             \
    })

#endif
