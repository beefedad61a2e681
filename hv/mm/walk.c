/* SPDX-License-Identifier: MIT */
/*
 * Software walks of a vCPU's kernel page tables, for others than update_va_mapping.
 */
#include "mm_int.h"

bool guest_va_to_mfn(struct vcpu *v, uint64_t va, mfn_t *mfn, uint64_t *l1e)
{
    const uint64_t *p;
    uint64_t e = 0;

    spin_lock(&v->domain->mm.lock);
    if (v->kernel_l4.m && mfn_valid(v->kernel_l4)) {
        p = walk_to_l1e(v->kernel_l4, va);
        if (p)
            e = *p;
    }
    spin_unlock(&v->domain->mm.lock);
    if (!(e & PTE_P))
        return false;
    if (mfn)
        *mfn = MFN(pte_frame(e));
    if (l1e)
        *l1e = e;
    return true;
}

void guest_walk(const struct vcpu *v, uint64_t va)
{
    uint64_t frame = v->kernel_l4.m;

    printk("page tables of %016lx, L4 at mfn %lx\n", va, frame);
    for (unsigned int level = 4; level; level--) {
        unsigned int i = table_index(va, level);
        uint64_t e;

        if (frame >= max_mfn || mfn_to_page(MFN(frame))->owner != v->domain) {
            printk("  L%u: mfn %lx is not the domain's\n", level, frame);
            return;
        }
        e = ((const uint64_t *)mfn_to_virt(MFN(frame)))[i];
        frame = pte_frame(e);
        printk("  L%u[%03x] = %016lx  gpfn %lx\n", level, i, e,
               frame < max_mfn ? get_gpfn(MFN(frame)) : INVALID_M2P_ENTRY);
        if (!(e & PTE_P))
            return;
    }
}

size_t guest_peek(struct vcpu *v, uint64_t va, void *to, size_t n)
{
    size_t done = 0;

    while (done < n) {
        size_t offset = (va + done) & (PAGE_SIZE - 1), part = MIN(n - done, PAGE_SIZE - offset);
        struct page_info *pg;
        mfn_t mfn;

        if (!guest_va_to_mfn(v, va + done, &mfn, NULL))
            break;
        pg = get_domain_page(v->domain, mfn, false);
        if (!pg)
            break;
        memcpy((char *)to + done, (const char *)page_to_virt(pg) + offset, part);
        put_page(pg);
        done += part;
    }
    return done;
}
