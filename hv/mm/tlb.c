/* SPDX-License-Identifier: MIT */
/*
 * Flushes that keep the isolation invariant true for what TLBs remember (hv/mm.h).
 *
 * The order that the stamps rest on: an entry is cleared, then its page's stamp is read from
 * tlb_clock; a flush raises tlb_clock (a full barrier), then reloads CR3, then notes the value.  So
 * a note later than a stamp belongs to a flush that began after the entry was gone.
 */
#include "hv/asm.h"
#include "hv/trace.h"

#include "mm_int.h"

uint64_t tlb_clock = 1;
uint64_t cpu_tlb_flushed[NR_CPUS];

void tlb_load_cr3(unsigned int cpu, uint64_t cr3)
{
    uint64_t now = __atomic_add_fetch(&tlb_clock, 1, __ATOMIC_SEQ_CST);

    write_cr3(cr3);
    WRITE_ONCE(cpu_tlb_flushed[cpu], now);
}

static uint64_t online_cpus(void)
{
    uint64_t mask = 0;

    for (unsigned int i = 0; i < nr_cpus; i++) {
        if (cpus[i] && cpus[i]->online)
            mask |= 1UL << i;
    }
    return mask;
}

void tlb_flush_page(const struct page_info *pg)
{
    uint64_t mask, left;
    unsigned int self;

    /* Somebody else's mappings: any CPU may have run them. */
    mask = pg->state & PGS_FOREIGN ? online_cpus() : READ_ONCE(pg->owner->mm.dirty_cpus);
    for (left = mask; left; left &= left - 1) {
        unsigned int cpu = (unsigned int)__builtin_ctzl(left);

        if (READ_ONCE(cpu_tlb_flushed[cpu]) > pg->stamp)
            mask &= ~(1UL << cpu);
    }
    if (!mask)
        return;
    trace_tlb_flush(mask, ~0UL);
    self = this_cpu()->id;
    if (mask == 1UL << self)
        tlb_load_cr3(self, read_cr3());
    else
        smp_tlb_flush(mask, ~0UL);
}
