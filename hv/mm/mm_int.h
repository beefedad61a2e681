/* SPDX-License-Identifier: MIT */
/*
 * What the files of hv/mm share: page-table entries, the state word, lists by frame number.
 */
#ifndef HV_MM_INT_H
#define HV_MM_INT_H

#include "hv/domain.h"
#include "hv/guest.h"
#include "hv/lib.h"
#include "hv/mm.h"
#include "hv/percpu.h"
#include "hv/traps.h"

/* Page-table entry bits, AMD APM volume 2, 5.4.1. */
#define PTE_P      (1UL << 0)
#define PTE_RW     (1UL << 1)
#define PTE_USER   (1UL << 2)
#define PTE_A      (1UL << 5)
#define PTE_D      (1UL << 6)
#define PTE_PSE    (1UL << 7) /* L2, L3: a large page; L4: reserved; L1: the PAT bit */
#define PTE_G      (1UL << 8)
#define PTE_ADDR   0x000ffffffffff000UL

#define TABLE_ENTRIES 512

#define LEVEL_SHIFT(level) (12 + 9 * ((level) - 1))

static inline uint64_t pte_frame(uint64_t e)
{
    return e << 12 >> (12 + PAGE_SHIFT); /* bits 12-51 */
}

static inline unsigned int table_index(uint64_t va, unsigned int level)
{
    return (va >> LEVEL_SHIFT(level)) & (TABLE_ENTRIES - 1);
}

static inline uint64_t *pte_table(uint64_t e)
{
    return paddr_to_virt(e & PTE_ADDR);
}

/* Two words of guest memory in a row; false if they cannot be read. */
static inline bool get_guest_pair(uint64_t va, uint64_t *first, uint64_t *second)
{
#ifdef HV_UNIT_TEST
    return get_guest_u64(va, first) && get_guest_u64(va + 8, second);
#else
    uint64_t a, b;

    if (unlikely(!guest_range_ok(va, 16)))
        return false;
    __asm__ goto("1: mov (%2), %0\n"
                 "2: mov 8(%2), %1\n"
                 EXTABLE("1b", "%l3") EXTABLE("2b", "%l3")
                 : "=&r"(a), "=&r"(b) : "r"(va) : "memory" : fault);
    *first = a;
    *second = b;
    return true;
fault:
    return false;
#endif
}

/* L4 slots that belong to the hypervisor. */
static inline bool hv_l4_slot(unsigned int index)
{
    return index >= HV_L4_FIRST && index <= HV_L4_LAST;
}

/* ------------------------------------------------------------------ the state word */

static inline bool state_cas(struct page_info *pg, uint64_t *old, uint64_t new_state)
{
    return __atomic_compare_exchange_n(&pg->state, old, new_state, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

static inline unsigned int type_level(uint64_t type)
{
    return (unsigned int)type; /* 1-4 for PGT_L1-PGT_L4 */
}

static inline bool type_is_table(uint64_t type)
{
    return type - PGT_L1 <= PGT_L4 - PGT_L1;
}

/* In a state word: is it a checked page table of some level? */
static inline bool state_is_live_table(uint64_t state)
{
    return (state & PGS_VALID) && type_is_table(state & PGS_TYPE_MASK);
}

#define PGS_BOTH_ONE (PGS_TYPE_ONE + PGS_COUNT_ONE)

/* General reference whoever owns the page; false if it is free or full. */
static inline bool ref_general(struct page_info *pg)
{
    uint64_t old = READ_ONCE(pg->state);

    do {
        /* Signed: less also if the count is full; and for 0, nobody's page. */
        if (unlikely((int64_t)old < (int64_t)PGS_COUNT_ONE))
            return false;
    } while (unlikely(!state_cas(pg, &old, old + PGS_COUNT_ONE)));
    return true;
}

/* Writable and general reference if the type is writable already; else get_page_type()'s case. */
static inline bool ref_writable(struct page_info *pg)
{
    uint64_t old = READ_ONCE(pg->state);

    do {
        if (unlikely((old & (PGS_TYPE_MASK | PGS_TCOUNT_FULL | PGS_COUNT_FULL)) != PGT_WRITABLE))
            return false;
    } while (unlikely(!state_cas(pg, &old, old + PGS_BOTH_ONE)));
    return true;
}

/* The last general reference went; state is 0 by now (refs.c). */
void page_last_ref(struct page_info *pg, uint64_t old_state);

static inline void unref_general(struct page_info *pg)
{
    uint64_t old = READ_ONCE(pg->state);

    for (;;) {
        if (unlikely(old < 2 * PGS_COUNT_ONE)) {
            put_page(pg);
            return;
        }
        if (likely(state_cas(pg, &old, old - PGS_COUNT_ONE)))
            return;
    }
}

static inline void unref_writable(struct page_info *pg)
{
    uint64_t old = READ_ONCE(pg->state);

    mm_note_writable_gone();
    for (;;) {
        if (unlikely((uint32_t)old < 2 * PGS_TYPE_ONE)) {
            put_page_type(pg);
            return;
        }
        if (likely(state_cas(pg, &old, old - PGS_BOTH_ONE)))
            return;
    }
}

/*
 * A reference that an L1 entry holds becomes writable while the general one stays; false if the
 * page's type is another one, or none yet.
 */
static inline bool ref_add_writable(struct page_info *pg)
{
    uint64_t old = READ_ONCE(pg->state);

    do {
        if (unlikely((old & (PGS_TYPE_MASK | PGS_TCOUNT_FULL)) != PGT_WRITABLE))
            return false;
    } while (unlikely(!state_cas(pg, &old, old + PGS_TYPE_ONE)));
    return true;
}

/* The reverse.  As in put_page_type(), the last one notes the time for the TLBs. */
static inline void ref_drop_writable(struct page_info *pg)
{
    uint64_t old = READ_ONCE(pg->state), new_state;

    mm_note_writable_gone();
    do {
        new_state = old - PGS_TYPE_ONE;
        if (unlikely((new_state & PGS_TCOUNT_MASK) == 0))
            pg->stamp = READ_ONCE(tlb_clock);
    } while (unlikely(!state_cas(pg, &old, new_state)));
}

static inline void watched_changes(struct page_info *pg, const uint64_t *entry, uint64_t new_entry)
{
    if (mm_watched_changes)
        mm_watched_changes(pg, entry, new_entry);
}

/* Take the page out of nobody's TLB: flush where `pg->stamp` says it may still be (tlb.c). */
void tlb_flush_page(const struct page_info *pg);

/* Let mm.lock go for a moment: interrupts, other vCPUs. */
void mm_pause(struct domain *d);

/* ------------------------------------------------------------------ page tables (tables.c) */

/* Check and reference all entries of a page that is to become a table; all or nothing. */
int table_validate(struct domain *d, struct page_info *pg, uint64_t type);
/* Drop what the entries refer to. */
void table_devalidate(struct domain *d, struct page_info *pg, uint64_t type);

/* L2-L4 entries: a reference on the table of the next lower type that a present `e` names. */
int upper_get(struct domain *d, uint64_t e, uint64_t type);
void upper_put(uint64_t e);

/* L1 entries: references on what `e` (present, adjusted) names. */
int l1e_get_slow(struct domain *d, struct domain *owner, uint64_t e);

static inline void l1e_put(uint64_t e)
{
    uint64_t frame = pte_frame(e);

    if (unlikely(frame >= max_mfn))
        return;
    if (e & PTE_RW)
        unref_writable(mfn_to_page(MFN(frame)));
    else
        unref_general(mfn_to_page(MFN(frame)));
}

/*
 * How a guest's entry is stored: ring 3 is where its kernel runs, and nothing is global.
 */
static inline uint64_t adjust_l1e(uint64_t e)
{
    return (e | PTE_USER) & ~PTE_G;
}

/* d: the tables'; owner: the frames' as the caller of the hypercall says. */
static inline int l1e_get(struct domain *d, struct domain *owner, uint64_t e)
{
    uint64_t frame = pte_frame(e);
    struct page_info *pg;

    if (unlikely(frame >= max_mfn || owner != d))
        return l1e_get_slow(d, owner, e);
    pg = mfn_to_page(MFN(frame));
    if (unlikely(!((e & PTE_RW) ? ref_writable(pg) : ref_general(pg))))
        return l1e_get_slow(d, owner, e);
    /* With a reference the owner cannot change any more. */
    if (unlikely(pg->owner != d)) {
        l1e_put(e);
        return l1e_get_slow(d, owner, e);
    }
    return 0;
}

/* ------------------------------------------------------------------ entry updates (update.c) */

enum update_mode {
    UPDATE_STORE,
    UPDATE_PRESERVE_AD, /* keep accessed and dirty bits that are set now */
    UPDATE_IF_SAME,     /* only if the entry still is *expected; -XEN_EAGAIN if not */
};

/*
 * Change entry `e` of pg, a live table of d, which holds mm.lock.  0 or -XEN_E*, nothing changed.
 */
int table_update(struct domain *d, struct domain *owner, struct page_info *pg, uint64_t *e,
                 uint64_t new_entry, enum update_mode mode, uint64_t expected);
int l1_update(struct domain *d, struct domain *owner, uint64_t *e, uint64_t new_entry,
              enum update_mode mode, uint64_t expected);

/* Present entries that hold the same references: the frame and the right to write are the same. */
static inline bool l1e_same_refs(uint64_t old, uint64_t new_entry)
{
    return (old & PTE_P) && !((old ^ new_entry) & (PTE_ADDR | PTE_RW));
}

/* Present entries of the same frame in RAM, of which one may write and the other not. */
static inline bool l1e_differ_in_rw(uint64_t old, uint64_t new_entry)
{
    return (old & PTE_P) && ((old ^ new_entry) & (PTE_ADDR | PTE_RW)) == PTE_RW &&
           pte_frame(old) < max_mfn;
}

/*
 * l1_update() for the common case: own frames, a plain store.
 */
static inline int l1_set(struct domain *d, uint64_t *e, uint64_t new_entry)
{
    uint64_t old = READ_ONCE(*e);
    int rc;

    if (new_entry & PTE_P) {
        new_entry = adjust_l1e(new_entry);
        if (!l1e_same_refs(old, new_entry)) {
            rc = l1e_get(d, d, new_entry);
            if (unlikely(rc))
                return rc;
        } else {
            old = 0;
        }
    }
    WRITE_ONCE(*e, new_entry);
    if (old & PTE_P)
        l1e_put(old);
    return 0;
}

/*
 * L1 entry for va under the L4 table, in the direct map; NULL if there is no L1.  Under mm.lock
 * every present entry of a table reached from a held L4 names a checked table of the next level in
 * RAM, so a walk looks at nothing but the present bits.
 */
static inline uint64_t *walk_to_l1e(mfn_t l4, uint64_t va)
{
    uint64_t e;

    if (unlikely(hv_l4_slot(table_index(va, 4))))
        return NULL;
    e = ((uint64_t *)mfn_to_virt(l4))[table_index(va, 4)];
    if (unlikely(!(e & PTE_P)))
        return NULL;
    e = pte_table(e)[table_index(va, 3)];
    if (unlikely(!(e & PTE_P)))
        return NULL;
    e = pte_table(e)[table_index(va, 2)];
    if (unlikely(!(e & PTE_P)))
        return NULL;
    return &pte_table(e)[table_index(va, 1)];
}

/* The domain that a hypercall names as owner of frames; NULL: none, or the caller must not. */
struct domain *foreign_domain(struct domain *caller, uint32_t id);

/* pin.c; mm.lock held */
int pin_table(struct domain *d, struct page_info *pg, uint64_t type);
int unpin_table(struct domain *d, struct page_info *pg);

/* ------------------------------------------------------------------ guests' flushes (flush.c) */

/* va, or ~0 for everything. */
void flush_self(uint64_t va);
void flush_cpus(uint64_t mask, uint64_t va);
void flush_domain(const struct domain *d, uint64_t va);
/* CPUs that may hold entries of the vCPUs in a guest's bitmap; false if it cannot be read. */
bool flush_vcpu_mask(const struct domain *d, uint64_t bitmap, uint64_t *mask);

/* ------------------------------------------------------------------ allocation */

/* What domain 0 is told until mm_set_machine_map(): the RAM alone (memory_op.c). */
void machine_map_from_ram(const struct mem_region *ram, unsigned int nr);

/* Forget everything: mm_init() begins. */
void heap_init(void);
void hv_alloc_init(void);
void free_pages_clean(struct page_info *pg, unsigned int order);
/* Make 2^order frames without owner d's, without looking at its limit. */
void assign_pages(struct domain *d, struct page_info *pg, unsigned int order);
/* Take a frame with no reference but PGS_ALLOC from d: state 0, still listed; false if in use. */
bool steal_page(struct domain *d, struct page_info *pg);
void unsteal_page(struct page_info *pg);
void free_stolen_page(struct domain *d, struct page_info *pg);

static inline void frame_list_add(uint32_t *head, struct page_info *pg)
{
    uint32_t mfn = (uint32_t)page_to_mfn(pg).m;

    pg->prev = 0;
    pg->next = *head;
    if (*head)
        mfn_to_page(MFN(*head))->prev = mfn;
    *head = mfn;
}

static inline void frame_list_del(uint32_t *head, struct page_info *pg)
{
    if (pg->prev)
        mfn_to_page(MFN(pg->prev))->next = pg->next;
    else
        *head = pg->next;
    if (pg->next)
        mfn_to_page(MFN(pg->next))->prev = pg->prev;
}

static inline void clear_frames(void *va, uint64_t nr)
{
    uint64_t words = nr * (PAGE_SIZE / 8);

    __asm__ volatile("rep stosq" : "+D"(va), "+c"(words) : "a"(0UL) : "memory");
}

#endif
