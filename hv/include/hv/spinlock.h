/* SPDX-License-Identifier: MIT */
/*
 * Spinlocks.  Hypervisor code runs with interrupts off, so none of the locks touches IF; the
 * order in which locks nest is listed in docs/ARCHITECTURE.md.
 */
#ifndef HV_SPINLOCK_H
#define HV_SPINLOCK_H

#include "hv/types.h"

typedef struct { uint32_t held; } spinlock_t;
#define SPINLOCK_INIT ((spinlock_t){ 0 })

/*
 * What a CPU does while it spins: it serves the TLB flushes that others ask for, since they may
 * wait for it with the very lock held.
 */
#ifdef HV_UNIT_TEST
static inline void spin_wait(void)
{
    __builtin_ia32_pause();
}
#else
void smp_serve(void);
static inline void spin_wait(void)
{
    smp_serve();
}
#endif

static inline bool spin_trylock(spinlock_t *l)
{
    return __atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE) == 0;
}

static inline void spin_lock(spinlock_t *l)
{
    while (unlikely(!spin_trylock(l))) {
        while (READ_ONCE(l->held))
            spin_wait();
    }
}

static inline void spin_unlock(spinlock_t *l)
{
    __atomic_store_n(&l->held, 0, __ATOMIC_RELEASE);
}

static inline bool spin_is_locked(const spinlock_t *l)
{
    return READ_ONCE(l->held) != 0;
}

#endif
