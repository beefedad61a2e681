/* SPDX-License-Identifier: MIT */
/*
 * TLB flushes that a guest asks for.
 */
#include "hv/asm.h"
#include "hv/guest.h"
#include "hv/trace.h"

#include "mm_int.h"

void flush_self(uint64_t va)
{
    trace_tlb_flush(1UL << this_cpu()->id, va);
    if (va != ~0UL)
        invlpg(va);
    else
        tlb_load_cr3(this_cpu()->id, hot()->kernel_cr3);
}

void flush_domain(const struct domain *d, uint64_t va)
{
    flush_cpus(READ_ONCE(d->mm.dirty_cpus), va);
}

void flush_cpus(uint64_t mask, uint64_t va)
{
    if (mask == 1UL << this_cpu()->id) {
        flush_self(va);
    } else if (mask) {
        trace_tlb_flush(mask, va);
        smp_tlb_flush(mask, va);
    }
}

bool flush_vcpu_mask(const struct domain *d, uint64_t bitmap, uint64_t *mask)
{
    uint64_t bits[MAX_VCPUS / 64] = { 0 };

    if (copy_from_guest_va(bits, bitmap, DIV_ROUND_UP(d->nr_vcpus, 8)))
        return false;
    *mask = 0;
    for (uint32_t i = 0; i < d->nr_vcpus; i++) {
        const struct vcpu *v = d->vcpu[i];

        if ((bits[i / 64] >> (i % 64) & 1) && v && v->hot->cpu)
            *mask |= 1UL << v->hot->cpu->id;
    }
    /* Where the domain's tables were left, everything was flushed. */
    *mask &= READ_ONCE(d->mm.dirty_cpus);
    return true;
}
