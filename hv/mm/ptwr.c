/* SPDX-License-Identifier: MIT */
/*
 * Direct writes to page tables: the guest's instruction faulted because page tables are mapped
 * read-only; what it would have stored goes the way of mmu_update.
 */
#include "hv/guest.h"
#include "hv/trace.h"

#include "mm_int.h"
#include "x86/emul.h"

/* Decode what is at regs->rip, which may end at a page that is not there. */
static bool decode_at(const struct cpu_user_regs *regs, struct x86_insn *insn)
{
    uint8_t bytes[X86_MAX_INSN_BYTES];
    unsigned int got = sizeof(bytes) - (unsigned int)copy_from_guest_va(bytes, regs->rip,
                                                                        sizeof(bytes));

    return x86_decode(bytes, got, X86_MODE_64, insn) == X86_DECODE_OK &&
           x86_insn_is_memory_write(insn);
}

/* The live table of d that va maps read-only, and the entry it points into; NULL.  mm.lock held. */
static struct page_info *table_at(const struct vcpu *v, uint64_t va, uint64_t **entry)
{
    struct domain *d = v->domain;
    const uint64_t *l1e = walk_to_l1e(v->kernel_l4, va);
    struct page_info *pg;
    uint64_t e;

    if (!l1e)
        return NULL;
    e = *l1e;
    if ((e & (PTE_P | PTE_RW)) != PTE_P || pte_frame(e) >= max_mfn)
        return NULL;
    pg = mfn_to_page(MFN(pte_frame(e)));
    if (pg->owner != d || !state_is_live_table(READ_ONCE(pg->state)))
        return NULL;
    *entry = (uint64_t *)page_to_virt(pg) + (va & (PAGE_SIZE - 1)) / 8;
    return pg;
}

/* The read, compute, compare-and-exchange loop; the processor may set A and D in between. */
static bool write_entry(struct domain *d, struct page_info *pg, uint64_t *entry, uint64_t va,
                        const struct x86_insn *insn, const struct cpu_user_regs *regs,
                        struct emul_ptwr *out)
{
    for (;;) {
        uint64_t old = READ_ONCE(*entry);
        int rc;

        if (emul_ptwr_compute(insn, regs, va, old, out) != EMUL_OK)
            return false;
        if (!out->write)
            return true;
        rc = table_update(d, d, pg, entry, out->new_entry, UPDATE_IF_SAME, old);
        if (rc != -XEN_EAGAIN)
            return rc == 0;
    }
}

bool ptwr_fault(struct cpu_user_regs *regs, uint64_t va)
{
    struct vcpu *v = current();
    struct domain *d = v->domain;
    struct emul_ptwr out;
    struct page_info *pg;
    struct x86_insn insn;
    uint64_t *entry;
    bool done;

    spin_lock(&d->mm.lock);
    pg = table_at(v, va, &entry);
    done = pg && decode_at(regs, &insn) && write_entry(d, pg, entry, va, &insn, regs, &out);
    spin_unlock(&d->mm.lock);
    if (done) {
        trace_pv_ptwr_emulation(out.new_entry, va, regs->rip);
        emul_effect_apply(&out.effect, regs);
    }
    return done;
}
