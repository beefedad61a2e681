/* SPDX-License-Identifier: MIT */
/*
 * Guest memory as a handler sees it: the guest kernel's tables are loaded, the guest's addresses are
 * used as they are, a fault is caught.
 *
 * Stores go to where a walk of the tables says, through the direct map.  The walk takes no lock:
 * interrupts are off, so what it read stays what it was until this CPU serves a flush, as with the
 * processor's own TLB; a page table or a frame becomes something else only after that (hv/mm.h).
 */
#include "hv/asm.h"
#include "hv/guest.h"
#include "hv/mm.h"
#include "hv/paging.h"
#include "hv/traps.h"
#include "hv/x86.h"

#include "fast_int.h"

/*
 * An address in the hypervisor's range (L4 slots 256-271: 43-bit steps) becomes one that faults,
 * without a branch that the processor could run past.
 */
static uint64_t outside_hv(uint64_t address)
{
    const uint64_t faults = 1UL << 63;
    uint64_t step;

    __asm__("mov %0, %1\n"
            "shr $43, %1\n"
            "cmp %3, %k1\n"
            "cmove %2, %0\n"
            : "+r"(address), "=&r"(step)
            : "r"(faults), "i"(HV_UL(0xffff800000000000) >> 43)
            : "cc");
    return address;
}

#define LOAD(bits, insn)                                                                           \
    static bool load##bits(uint64_t address, uint64_t *value)                                      \
    {                                                                                              \
        uint64_t v;                                                                                \
                                                                                                   \
        __asm__ goto("1: " insn "\n" EXTABLE("1b", "%l[fault]")                                    \
                     : "=&r"(v) : "r"(address) : "memory" : fault);                                \
        *value = v;                                                                                \
        return true;                                                                               \
    fault:                                                                                         \
        return false;                                                                              \
    }
LOAD(8, "movzbl (%1), %k0")
LOAD(16, "movzwl (%1), %k0")
LOAD(32, "movl (%1), %k0")
LOAD(64, "movq (%1), %0")

static bool env_load(void *world, uint64_t address, unsigned int size, uint64_t *value)
{
    (void)world;
    address = outside_hv(address);
    switch (size) {
    case 1:
        return load8(address, value);
    case 2:
        return load16(address, value);
    case 4:
        return load32(address, value);
    default:
        return load64(address, value);
    }
}

/* ------------------------------------------------------------------ stores */

#define NO_PAGE 8u /* a tag that none is compared with: bits 3 to 11 are masked out there */

#define LEAF_BITS (PTE_P | PTE_RW | PTE_U | PTE_A | PTE_D)
#define UPPER_BITS (PTE_P | PTE_RW | PTE_U)

static inline const uint64_t *entry_below(uint64_t e, uint64_t va, unsigned int level)
{
    uint64_t offset = va >> (12 + 9 * (level - 1) - 3) & 0xff8;

    return (const uint64_t *)((char *)paddr_to_virt(e & PTE_ADDR_MASK) + offset);
}

/* The L1 entry of va in v's kernel tables if all above it allow writing; NULL: none. */
static inline const uint64_t *writable_entry(const struct vcpu *v, uint64_t va)
{
    uint64_t e = v->hot->kernel_cr3;

    /* Every present entry of a live table names a live table, in RAM. */
    for (unsigned int level = 4; level > 1; level--) {
        e = READ_ONCE(*entry_below(e, va, level));
        if ((e & UPPER_BITS) != UPPER_BITS)
            return NULL;
    }
    return entry_below(e, va, 1);
}

/* vcpu_info has the event flags, which no handler stores to (rule 6). */
static bool in_vcpu_info(const struct domain *d, paddr_t at, unsigned int size)
{
    for (uint32_t i = 0; i < d->nr_vcpus; i++) {
        paddr_t info = d->vcpu[i] ? virt_to_paddr(d->vcpu[i]->hot->info) : 0;

        if (info && at + size > info && at < info + sizeof(struct vcpu_info))
            return true;
    }
    return false;
}

/*
 * Frames of the guest's own memory only: page tables and descriptors are of another type, the
 * hypervisor's pages (shared_info, grant tables) have a flag, and so has a page with a vcpu_info.
 * The accessed and dirty bits must be set already: the guest kernel's own store sets them, and the
 * next time it goes.
 */
static inline void *store_target(const struct vcpu *v, uint64_t address, unsigned int size,
                                 const uint64_t **entry)
{
    const struct page_info *pg;
    uint64_t e, frame, state;
    paddr_t at;

    if (unlikely(outside_hv(address) != address || !is_canonical(address) ||
                 (address & (PAGE_SIZE - 1)) + size > PAGE_SIZE))
        return NULL;
    *entry = writable_entry(v, address);
    e = *entry ? READ_ONCE(**entry) : 0;
    frame = (e & PTE_ADDR_MASK) >> PAGE_SHIFT;
    if (unlikely((e & LEAF_BITS) != LEAF_BITS || frame >= max_mfn))
        return NULL;
    pg = mfn_to_page(MFN(frame));
    state = READ_ONCE(pg->state);
    if (unlikely((state & (PGS_TYPE_MASK | PGS_HV)) != PGT_WRITABLE || pg->owner != v->domain ||
                 !(state & PGS_TCOUNT_MASK)))
        return NULL;
    at = mfn_to_paddr(MFN(frame)) + (address & (PAGE_SIZE - 1));
    if (unlikely(state & PGS_VCPU_INFO) && in_vcpu_info(v->domain, at, size))
        return NULL;
    return paddr_to_virt(at);
}

void fast_forget_page(struct fast_run *run, unsigned int place)
{
    run->page[place].tag = NO_PAGE;
}

/*
 * What was remembered before something went away holds no more.  The word is clear before the next walk:
 * what goes away from then on sets it again.
 */
static void forget_pages(struct fast_run *run, struct fast_world *w)
{
    if (!__atomic_exchange_n(&run->gone, 0, __ATOMIC_SEQ_CST))
        return;
    for (; w->known; w->known &= w->known - 1)
        fast_forget_page(run, (unsigned int)__builtin_ctzl(w->known));
}

/* store_target() of the i-th store staged, remembered where no vcpu_info is in its page, for lean code. */
static void *find_target(struct fast_run *run, struct fast_world *w, uint32_t i)
{
    uint64_t address = run->staged[i].address, offset = address & (PAGE_SIZE - 1);
    unsigned int place = FAST_PAGE(w->first_page, i);
    const uint64_t *entry;
    void *to;

    forget_pages(run, w);
    to = store_target(w->v, address, run->staged[i].size, &entry);
    if (to && !(virt_to_page(to)->state & PGS_VCPU_INFO)) {
        run->page[place] = (struct fast_page){ address - offset, (uint64_t)to - address, entry,
                                               READ_ONCE(*entry) };
        w->known |= 1UL << place;
    }
    return to;
}

static inline void put(void *to, unsigned int size, uint64_t value)
{
    switch (size) {
    case 8:
        *(volatile uint64_t *)to = value;
        break;
    case 4:
        *(volatile uint32_t *)to = (uint32_t)value;
        break;
    case 2:
        *(volatile uint16_t *)to = (uint16_t)value;
        break;
    default:
        *(volatile uint8_t *)to = (uint8_t)value;
        break;
    }
}

static bool env_may_store(void *world, uint64_t address, unsigned int size)
{
    struct fast_world *w = world;
    const uint64_t *entry;
    void *to = w->nr_proved < FAST_MAX_STAGED ? store_target(w->v, address, size, &entry) : NULL;

    if (!to)
        return false;
    w->proved[w->nr_proved++] = to;
    return true;
}

/* As lean code looks for it. */
static void *known_target(const struct fast_run *run, const struct fast_world *w, uint32_t i)
{
    const struct fast_page *p = &run->page[FAST_PAGE(w->first_page, i)];
    uint64_t address = run->staged[i].address;
    bool known = !READ_ONCE(run->gone) && (address & ~(PAGE_SIZE - 1UL)) == p->tag &&
                 !(address & (run->staged[i].size - 1UL)) &&
                 ((int64_t)address < 0 || READ_ONCE(*p->entry) == p->was);

    return known ? (void *)(address + p->distance) : NULL;
}

static void env_store(void *world, uint64_t address, unsigned int size, uint64_t value)
{
    struct fast_world *w = world;

    (void)address;
    put(w->proved[w->nr_proved++], size, value);
}

/* ------------------------------------------------------------------ page-table entries */

/*
 * mm.lock is tried for, not waited for: who waits serves flushes, and then nothing that was proved
 * before would count.  It is held until all is taken (fast_pt_end()) or given up.
 */
static bool lock_tables(struct fast_world *w)
{
    if (!w->tables_locked)
        w->tables_locked = spin_trylock(&w->v->domain->mm.lock);
    return w->tables_locked;
}

/*
 * A page fault's handler changes entries of the table that the address has, alone: so no address of
 * the guest kernel's means another thing behind the update, and a program may do it last.
 */
static bool of_this_fault(const struct fast_world *w, uint64_t ptr)
{
    const struct fast_ctx *ctx = &container_of(w, const struct fast_cpu, world)->ctx;

    return ctx->kind != FAST_ATTACH_EXCEPTION || ctx->number != X86_PF ||
           ((int64_t)ctx->cr2 >= 0 && mm_same_l1(w->v, ctx->cr2, ptr));
}

static bool env_may_update_pt(void *world, uint64_t ptr, uint64_t old, uint64_t new)
{
    struct fast_world *w = world;
    struct mm_staged *s = &w->pt[w->nr_pt];

    if (w->nr_pt == FAST_MAX_PT || !lock_tables(w) || !of_this_fault(w, ptr))
        return false;
    for (uint32_t i = 0; i < w->nr_pt; i++)
        if (virt_to_paddr(w->pt[i].entry) == (ptr & ~7UL))
            return false;
    if (!mm_stage_update(w->v->domain, ptr, old, new, s))
        return false;
    w->nr_pt++;
    return true;
}

/* In the order in which they were proved, and the last one of all effects. */
static void env_update_pt(void *world, uint64_t ptr, uint64_t new)
{
    struct fast_world *w = world;

    (void)ptr;
    (void)new;
    mm_stage_commit(&w->pt[w->nr_pt_done++]);
}

/* fast_prove() and fast_commit() at once, by what is remembered of pages. */
bool fast_take(struct fast_run *run, struct fast_world *w)
{
    uint32_t n = run->nr_staged;

    for (uint32_t i = 0; i < n; i++) {
        const struct fast_staged *s = &run->staged[i];

        if (unlikely(!s->size)) {
            if (!env_may_update_pt(w, s->address, s->old, s->value)) {
                run->stop = FAST_STOP_PT;
                return false;
            }
            continue;
        }
        w->proved[i] = known_target(run, w, i);
        if (!w->proved[i])
            w->proved[i] = find_target(run, w, i);
        if (unlikely(!w->proved[i])) {
            run->stop = FAST_STOP_STORE;
            return false;
        }
    }
    /* ---- point of no return ---- */
    for (uint32_t i = 0; i < n; i++) {
        const struct fast_staged *s = &run->staged[i];

        if (s->size)
            put(w->proved[i], s->size, s->value);
        else
            env_update_pt(w, s->address, s->value);
    }
    return true;
}

void fast_pt_end(struct fast_world *w)
{
    for (uint32_t i = w->nr_pt_done; i < w->nr_pt; i++)
        mm_stage_cancel(&w->pt[i]);
    if (w->tables_locked)
        spin_unlock(&w->v->domain->mm.lock);
    w->tables_locked = false;
    w->nr_pt = w->nr_pt_done = 0;
}

static bool env_m2p(void *world, uint64_t mfn, uint64_t *gpfn)
{
    bool there = mfn < max_mfn;

    (void)world;
    /* Without a branch that the processor could run past. */
    *gpfn = get_gpfn(MFN(mfn & (there ? ~0UL : 0)));
    return there;
}

static uint64_t env_tsc(void *world)
{
    (void)world;
    return rdtsc();
}

const struct fast_env fast_env = {
    .load = env_load,
    .may_store = env_may_store,
    .store = env_store,
    .may_update_pt = env_may_update_pt,
    .update_pt = env_update_pt,
    .tsc = env_tsc,
    .m2p = env_m2p,
};
