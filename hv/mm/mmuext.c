/* SPDX-License-Identifier: MIT */
/*
 * mmuext_op: pinning, base pointers, flushes; and the L4 tables that a vCPU holds.
 */
#include "hv/asm.h"
#include "hv/fast.h"
#include "hv/guest.h"
#include "hv/sites.h"
#include "hv/trace.h"

#include "mm_int.h"

/* ------------------------------------------------------------------ pinning */

int pin_table(struct domain *d, struct page_info *pg, uint64_t type)
{
    uint64_t old = READ_ONCE(pg->state);
    int rc;

    /* Asked first, because taking a type and dropping it again may leave traces in the page. */
    if ((old & (PGS_PINNED | PGS_ALLOC)) != PGS_ALLOC)
        return -XEN_EINVAL;
    rc = get_page_and_type(pg, d, type);
    if (rc)
        return rc;
    old = READ_ONCE(pg->state);
    do {
        /* Given up meanwhile (without mm.lock): a pin would outlive the domain's list. */
        if (!(old & PGS_ALLOC)) {
            put_page_type(pg);
            return -XEN_EINVAL;
        }
    } while (!state_cas(pg, &old, old | PGS_PINNED));
    return 0;
}

int unpin_table(struct domain *d, struct page_info *pg)
{
    uint64_t old = READ_ONCE(pg->state);

    do {
        if (pg->owner != d || !(old & PGS_PINNED))
            return -XEN_EINVAL;
    } while (!state_cas(pg, &old, old & ~PGS_PINNED));
    put_page_type(pg);
    return 0;
}

static long op_pin(struct domain *d, unsigned int cmd, uint64_t mfn)
{
    struct page_info *pg;
    long rc;

    if (mfn >= max_mfn)
        return -XEN_EINVAL;
    pg = mfn_to_page(MFN(mfn));
    spin_lock(&d->mm.lock);
    if (cmd == MMUEXT_UNPIN_TABLE)
        rc = unpin_table(d, pg);
    else
        rc = pin_table(d, pg, PGT_L1 + (cmd - MMUEXT_PIN_L1_TABLE));
    spin_unlock(&d->mm.lock);
    return rc;
}

int mm_adopt_initial_tables(struct domain *d, mfn_t l4)
{
    int rc;

    if (!mfn_valid(l4))
        return -XEN_EINVAL;
    spin_lock(&d->mm.lock);
    rc = pin_table(d, mfn_to_page(l4), PGT_L4);
    spin_unlock(&d->mm.lock);
    return rc;
}

/* ------------------------------------------------------------------ base pointers */

/* A type reference on an L4; usually it is pinned.  mm.lock held. */
static inline int l4_get(struct domain *d, mfn_t mfn)
{
    const uint64_t full = PGS_COUNT_FULL | PGS_TCOUNT_FULL;
    struct page_info *pg;
    uint64_t old;

    if (!mfn_valid(mfn))
        return -XEN_EINVAL;
    pg = mfn_to_page(mfn);
    old = READ_ONCE(pg->state);
    while (pg->owner == d && (old & (PGS_TYPE_MASK | PGS_VALID | full)) == (PGT_L4 | PGS_VALID)) {
        if (state_cas(pg, &old, old + PGS_BOTH_ONE))
            return 0;
    }
    return get_page_and_type(pg, d, PGT_L4);
}

/* mm.lock held. */
static inline void l4_put(mfn_t mfn)
{
    if (mfn.m && mfn_valid(mfn))
        unref_writable(mfn_to_page(mfn)); /* any type: the last one goes the slow way */
}

int mm_set_kernel_l4(struct vcpu *v, mfn_t l4)
{
    struct domain *d = v->domain;
    mfn_t old;
    int rc;

    spin_lock(&d->mm.lock);
    rc = l4_get(d, l4);
    if (rc == 0) {
        old = v->kernel_l4;
        v->kernel_l4 = l4;
        v->hot->kernel_cr3 = mfn_to_paddr(l4);
        if (v == current()) {
            tlb_load_cr3(this_cpu()->id, mfn_to_paddr(l4));
            if (unlikely(v->hot->flags & HOT_HANDLERS))
                fast_state_changed(v);
        }
        l4_put(old);
    }
    spin_unlock(&d->mm.lock);
    return rc;
}

int mm_set_user_l4(struct vcpu *v, mfn_t l4)
{
    bool none = l4.m == 0 || mfn_eq(l4, MFN_NONE);
    struct domain *d = v->domain;
    mfn_t old;
    int rc;

    spin_lock(&d->mm.lock);
    rc = none ? 0 : l4_get(d, l4);
    if (rc == 0) {
        old = v->user_l4;
        v->user_l4 = none ? MFN(0) : l4;
        v->hot->user_cr3 = none ? idle_cr3 : mfn_to_paddr(l4);
        if (none)
            hot_set_odd(v->hot, HOT_ODD_NO_USER);
        else
            hot_clear_odd(v->hot, HOT_ODD_NO_USER);
        l4_put(old);
    }
    spin_unlock(&d->mm.lock);
    return rc;
}

void mm_drop_l4s(struct vcpu *v)
{
    struct domain *d = v->domain;

    spin_lock(&d->mm.lock);
    l4_put(v->kernel_l4);
    l4_put(v->user_l4);
    v->kernel_l4 = v->user_l4 = MFN(0);
    v->hot->kernel_cr3 = v->hot->user_cr3 = idle_cr3;
    spin_unlock(&d->mm.lock);
}

/* ------------------------------------------------------------------ the rest */

static long op_clear_page(struct domain *d, uint64_t mfn)
{
    struct page_info *pg = get_domain_page(d, MFN(mfn), true);

    if (!pg)
        return -XEN_EINVAL;
    clear_frames(page_to_virt(pg), 1);
    put_page_type(pg);
    return 0;
}

static long op_copy_page(struct domain *d, uint64_t to, uint64_t from)
{
    struct page_info *dst, *src = get_domain_page(d, MFN(from), false);
    long rc = -XEN_EINVAL;

    if (!src)
        return rc;
    dst = get_domain_page(d, MFN(to), true);
    if (dst) {
        memcpy(page_to_virt(dst), page_to_virt(src), PAGE_SIZE);
        put_page_type(dst);
        rc = 0;
    }
    put_page(src);
    return rc;
}

static long op_flush_multi(const struct domain *d, uint64_t va, uint64_t bitmap)
{
    uint64_t mask;

    if (!flush_vcpu_mask(d, bitmap, &mask))
        return -XEN_EINVAL;
    flush_cpus(mask, va);
    return 0;
}

/* Writing caches back matters to who has devices. */
static long op_flush_cache(const struct domain *d)
{
    if (!d->privileged)
        return -XEN_EACCES;
    __asm__ volatile("wbinvd" ::: "memory");
    return 0;
}

/* Whose frames the operation is about: another domain's only for pinning and page contents. */
static bool op_takes_foreign(unsigned int cmd)
{
    return cmd <= MMUEXT_UNPIN_TABLE || cmd == MMUEXT_CLEAR_PAGE || cmd == MMUEXT_COPY_PAGE;
}

static long mmuext_one(struct vcpu *v, struct domain *owner, const struct mmuext_op *op)
{
    struct domain *d = v->domain;

    SITES_OPERATION(__HYPERVISOR_mmuext_op, op->cmd);
    trace_operation(__HYPERVISOR_mmuext_op, op->cmd, op->arg1.mfn);
    if (unlikely(owner != d) && !op_takes_foreign(op->cmd))
        return -XEN_EPERM;
    switch (op->cmd) {
    case MMUEXT_PIN_L1_TABLE:
    case MMUEXT_PIN_L2_TABLE:
    case MMUEXT_PIN_L3_TABLE:
    case MMUEXT_PIN_L4_TABLE:
    case MMUEXT_UNPIN_TABLE:
        return op_pin(owner, op->cmd, op->arg1.mfn);
    case MMUEXT_NEW_BASEPTR:
        return mm_set_kernel_l4(v, MFN(op->arg1.mfn));
    case MMUEXT_NEW_USER_BASEPTR:
        return mm_set_user_l4(v, MFN(op->arg1.mfn));
    case MMUEXT_TLB_FLUSH_LOCAL:
        flush_self(~0UL);
        return 0;
    case MMUEXT_INVLPG_LOCAL:
        flush_self(op->arg1.linear_addr);
        return 0;
    case MMUEXT_TLB_FLUSH_MULTI:
        return op_flush_multi(d, ~0UL, guest_handle_va(op->arg2.vcpumask));
    case MMUEXT_INVLPG_MULTI:
        return op_flush_multi(d, op->arg1.linear_addr, guest_handle_va(op->arg2.vcpumask));
    case MMUEXT_TLB_FLUSH_ALL:
        flush_domain(d, ~0UL);
        return 0;
    case MMUEXT_INVLPG_ALL:
        flush_domain(d, op->arg1.linear_addr);
        return 0;
    case MMUEXT_FLUSH_CACHE:
    case MMUEXT_FLUSH_CACHE_GLOBAL:
        return op_flush_cache(d);
    case MMUEXT_SET_LDT:
        return set_ldt(v, op->arg1.linear_addr, op->arg2.nr_ents);
    case MMUEXT_CLEAR_PAGE:
        return op_clear_page(owner, op->arg1.mfn);
    case MMUEXT_COPY_PAGE:
        return op_copy_page(owner, op->arg1.mfn, op->arg2.src_mfn);
    case MMUEXT_MARK_SUPER:
    case MMUEXT_UNMARK_SUPER:
        return -XEN_EOPNOTSUPP;
    default:
        return -XEN_ENOSYS;
    }
}

/* One range check and no call for the three words: Linux flushes page by page this way. */
static inline bool read_op(uint64_t va, struct mmuext_op *op)
{
    uint64_t *words = (uint64_t *)op;
    uint64_t word0, word1, word2;

    if (!guest_range_ok(va, sizeof(*op)))
        return false;
    __asm__ goto("1: mov (%3), %0\n"
                 "2: mov 8(%3), %1\n"
                 "3: mov 16(%3), %2\n"
                 EXTABLE("1b", "%l[fault]") EXTABLE("2b", "%l[fault]") EXTABLE("3b", "%l[fault]")
                 : "=&r"(word0), "=&r"(word1), "=&r"(word2) : "r"(va) : "memory" : fault);
    words[0] = word0;
    words[1] = word1;
    words[2] = word2;
    return true;
fault:
    return false;
}
_Static_assert(sizeof(struct mmuext_op) == 24, "three words");

long do_mmuext_op(unsigned long ops, unsigned long count, unsigned long pdone,
                  unsigned long foreigndom, unsigned long a5, unsigned long a6)
{
    struct vcpu *v = current();
    struct domain *owner = v->domain;
    uint32_t done = 0;
    long rc = 0;

    (void)a5;
    (void)a6;
    count = (uint32_t)count;
    if (unlikely((uint32_t)foreigndom != DOMID_SELF)) {
        owner = foreign_domain(v->domain, foreigndom & 0xffff);
        if (!owner || owner == &dom_io || owner == &dom_xen)
            return v->domain->privileged ? -XEN_ESRCH : -XEN_EPERM;
    }
    for (; done < count; done++, ops += sizeof(struct mmuext_op)) {
        struct mmuext_op op;

        rc = likely(read_op(ops, &op)) ? mmuext_one(v, owner, &op) : -XEN_EFAULT;
        if (unlikely(rc))
            break;
        if (unlikely((done & 63) == 63))
            preempt_point();
    }
    if (pdone && !copy_to_guest(pdone, &done, 1))
        return -XEN_EFAULT;
    return rc;
}
