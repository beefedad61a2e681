/* SPDX-License-Identifier: MIT */
/*
 * Machine memory: frames, their owners, reference counts and page types.
 *
 * THE ISOLATION INVARIANT.  Every frame has at most one type at a time among writable, L1, L2, L3,
 * L4 and segment descriptor, as long as it has type references; "writable" is the type of a frame
 * with writable mappings.  So no frame that the processor or the hypervisor trusts as a page table
 * or a descriptor table is ever writable by a guest, and what such a frame holds has been checked
 * entry by entry when it got the type and at each change since.  Every present entry of a typed
 * page table holds a reference on the frame that it names, so a frame is never given to anybody
 * else while it is mapped.
 *
 * Locks: domain->mm.lock guards the contents and the types L1-L4 of a domain's page tables (table
 * types are got and put only with it held); counts are atomic.  Getting or putting a table type of
 * level 2 to 4 may let the lock go for a moment, so that much work stays interruptible: what was
 * read under the lock before is then to be read again.  Order: mm.lock (the caller's
 * domain first, one at a time), then mm.page_lock, then the heap's lock.
 */
#ifndef HV_MM_H
#define HV_MM_H

#include "hv/config.h"
#include "hv/spinlock.h"
#include "hv/types.h"

struct domain;
struct vcpu;
struct cpu_user_regs;

/* ------------------------------------------------------------------ frames */

/*
 * One per machine frame below max_mfn, at FRAME_TABLE.
 *
 * owner: the domain; &dom_io for what is not RAM; &dom_xen for pages of the hypervisor that
 * privileged domains may map; NULL for free RAM and the hypervisor's own.
 */
struct page_info {
    uint64_t state;            /* PGS_*: both counts and the type in one word, changed atomically */
    struct domain *owner;
    uint32_t next, prev;       /* mfn of neighbours in the list it is on; 0 = none */
    union {
        uint64_t stamp;        /* tlb_clock when the last reference that matters was dropped */
        uint32_t order;        /* head of a free block */
        struct {
            uint16_t free_head, nr_free, size_class;
        } slab;                /* page of hv_alloc() */
    };
};
_Static_assert(sizeof(struct page_info) == 32, "frame table entries are 32 bytes");

/*
 * state: the type in bits 0-2, flags in 3-7, type references in 8-31, flags of free blocks in 32-33,
 * PGS_WATCHED and PGS_VCPU_INFO in 34 and 35,
 * references of any kind in 37-63.  A type reference counts as a general one too; PGS_ALLOC holds
 * one.  The order is chosen for the tests of the common paths: the low half alone, or the sign of
 * the whole, decides.
 */
#define PGS_TYPE_MASK   7UL
#define PGT_NONE        0UL
#define PGT_L1          1UL
#define PGT_L2          2UL
#define PGT_L3          3UL
#define PGT_L4          4UL
#define PGT_WRITABLE    5UL
#define PGT_SEG_DESC    6UL         /* GDT or LDT page */
#define PGT_READ_ONLY   7UL         /* the hypervisor's page, never writable by guests */
#define PGS_PINNED      (1UL << 3)
#define PGS_VALID       (1UL << 4)  /* table or descriptors: contents are checked */
#define PGS_ALLOC       (1UL << 5)  /* belongs to its owner; cleared when the owner gives it up */
#define PGS_HV          (1UL << 6)  /* the hypervisor's page shared with `owner`, not its memory */
#define PGS_FOREIGN     (1UL << 7)  /* was mapped by another domain than the owner */
#define PGS_TYPE_ONE    (1UL << 8)
#define PGS_TCOUNT_MASK 0xffffff00UL
#define PGS_TCOUNT_FULL (1UL << 31) /* no more type references are given from here on */
#define PGS_FREE        (1UL << 32) /* head of a free block */
#define PGS_DIRTY       (1UL << 33) /* of a free block: its contents are not zero */
#define PGS_WATCHED     (1UL << 34) /* mm_watch(): somebody wants to know before it changes */
#define PGS_VCPU_INFO   (1UL << 35) /* a vcpu_info is, or was, in it */
#define PGS_COUNT_ONE   (1UL << 37)
#define PGS_COUNT_MASK  (~0UL << 37)
#define PGS_COUNT_FULL  (1UL << 63) /* no more references are given from here on */

/* Frames below this have a page_info and an M2P entry: 1 + the last frame of RAM. */
extern uint64_t max_mfn;
/* The hypervisor's L4 slots HV_L4_FIRST..HV_L4_LAST; filled at boot (hv/boot). */
extern uint64_t hv_l4_slots[16];
/* CR3 of the address space without a guest: what is loaded where a vCPU has no L4. */
extern uint64_t idle_cr3;

static inline bool mfn_valid(mfn_t mfn)
{
    return mfn.m < max_mfn;
}

static inline struct page_info *mfn_to_page(mfn_t mfn)
{
    return (struct page_info *)FRAME_TABLE + mfn.m;
}

static inline mfn_t page_to_mfn(const struct page_info *pg)
{
    return MFN((uint64_t)(pg - (struct page_info *)FRAME_TABLE));
}

static inline void *page_to_virt(const struct page_info *pg)
{
    return mfn_to_virt(page_to_mfn(pg));
}

static inline struct page_info *virt_to_page(const void *va)
{
    return mfn_to_page(virt_to_mfn(va));
}

/* The machine-to-physical table; entries of free frames are INVALID_M2P_ENTRY. */
#define INVALID_M2P_ENTRY (~0UL)

static inline void set_gpfn(mfn_t mfn, uint64_t gpfn)
{
    ((uint64_t *)RW_M2P_BASE)[mfn.m] = gpfn;
}

static inline uint64_t get_gpfn(mfn_t mfn)
{
    return ((const uint64_t *)RW_M2P_BASE)[mfn.m];
}

/* ------------------------------------------------------------------ a domain's memory */

struct domain_mm {
    spinlock_t lock;           /* page tables of the domain */
    uint32_t tables_done;      /* under lock: tables checked or emptied since it was last let go */
    spinlock_t page_lock;      /* what follows */
    uint32_t first_page;       /* list of its frames (by mfn), 0 = empty: those with PGS_ALLOC, */
    uint32_t first_dying;      /* and those that it gave up but that are still referred to */
    uint64_t tot_pages;        /* frames it has, those still to be dropped included */
    uint64_t shared_pages;     /* frames of mm_share_page() not freed yet; atomic */
    uint64_t max_pages;        /* limit of tot_pages; the creator sets it (~0 = none) */
    /*
     * CPUs whose TLBs may hold entries of this domain: tlb_domain_enters() sets a bit before the
     * domain's CR3 is loaded, tlb_domain_leaves() clears it after another one was.
     */
    uint64_t dirty_cpus;
    /* What XENMEM_memory_map answers (XENMEM_set_memory_map); NULL = nothing set. */
    struct mem_map_entry *map;
    uint32_t nr_map;
};

/* A row of an E820 map as the ABI passes it (XENMEM_memory_map). */
struct mem_map_entry {
    uint64_t addr, size;
    uint32_t type;
} __packed;
#define MEM_MAP_MAX 128

/* ------------------------------------------------------------------ boot */

struct mem_region { paddr_t start, end; }; /* [start, end) */

/*
 * Fill the frame table and the M2P, both mapped by the caller for frames below max_mfn_, and hand
 * RAM that is not reserved to the allocator.  Partial pages of `ram` are left out, of `reserved`
 * counted whole.  Frames outside `ram` become dom_io's.
 */
void mm_init(uint64_t max_mfn_, const struct mem_region *ram, unsigned int nr_ram,
             const struct mem_region *reserved, unsigned int nr_reserved);
/* Reserved RAM [first, end) in frames, after mm_init(): who may map devices may map it. */
void mm_leave_to_firmware(uint64_t first, uint64_t end);
/* Give reserved boot memory (modules, init sections) to the allocator.  Whole pages inside. */
void mm_release_region(paddr_t start, paddr_t end);
/*
 * The firmware's memory map, for XENMEM_machine_memory_map; copied, at most MEM_MAP_MAX rows.  After
 * mm_init(), which sets one of the RAM alone.
 */
void mm_set_machine_map(const struct mem_map_entry *map, unsigned int nr);
/* Prepare d->mm of a new domain; max_pages is 0 until the creator sets it. */
void domain_mm_init(struct domain *d);

/* ------------------------------------------------------------------ allocation */

#define MAX_ORDER      18      /* blocks of 4 KiB .. 1 GiB, naturally aligned */

/* alloc flags: bits 0-7 limit the width of machine addresses in bits (0 = any). */
#define ALLOC_BITS(n)  ((unsigned int)(n))
#define ALLOC_BELOW_4G ALLOC_BITS(32)
#define ALLOC_NO_LIMIT 0x100   /* beyond max_pages too */
#define ALLOC_NO_SCRUB 0x200   /* old contents may show (dom0 builder: nobody was here before) */

/* Frames without owner, zeroed unless ALLOC_NO_SCRUB; NULL if there is no such block. */
struct page_info *alloc_pages(unsigned int order, unsigned int flags);
/* The frames are not mapped anywhere outside the direct map. */
void free_pages(struct page_info *pg, unsigned int order);
/* Zeroed memory of the hypervisor in the direct map. */
void *alloc_hv_pages(unsigned int order);
void free_hv_pages(void *va, unsigned int order);
/*
 * 2^order contiguous frames for d, each with one general reference (PGS_ALLOC) and no type; NULL
 * if none are left or d has its maximum.  Contents: zero unless ALLOC_NO_SCRUB.  The M2P entries are
 * the caller's to set.  domain_free_page() gives one up: it is freed, scrubbed, when nothing refers
 * to it any more; -XEN_EINVAL if d does not own it or it was given up before.
 */
struct page_info *alloc_domain_pages(struct domain *d, unsigned int order, unsigned int flags);
int domain_free_page(struct domain *d, struct page_info *pg);
uint64_t free_frames(void);
uint64_t total_frames(void);

/* ------------------------------------------------------------------ references */

/* A general reference; false if pg is not d's (or counts are full). */
bool get_page(struct page_info *pg, const struct domain *d);
void put_page(struct page_info *pg);
/*
 * A type reference on a page on which the caller has a general one (it takes one more itself).
 * Types other than writable: mm.lock of the owner is held, for get and put.  0, or -XEN_EINVAL if
 * the type conflicts or the contents are refused, or -XEN_EBUSY if the counts are full.
 */
int get_page_type(struct page_info *pg, uint64_t type);
void put_page_type(struct page_info *pg);
/*
 * General and type reference at once: -XEN_EPERM if pg is not d's.  put_page_and_type() drops
 * both; a type reference counts as a general one, so put_page_type() of it is the same.
 */
int get_page_and_type(struct page_info *pg, const struct domain *d, uint64_t type);
void put_page_and_type(struct page_info *pg);
/*
 * Page at mfn of d, referenced: general, or with type writable too; NULL if it cannot be had.
 * Undo with put_domain_page(pg, writable).
 */
struct page_info *get_domain_page(struct domain *d, mfn_t mfn, bool writable);
void put_domain_page(struct page_info *pg, bool writable);
/*
 * Let d map a page from alloc_hv_pages() (shared_info, grant frames), writable or not.  The
 * hypervisor keeps using it.  mm_unshare_page() takes it back: the page is freed, scrubbed, when
 * d's last mapping is gone; the caller must not touch it any more.  d == &dom_xen: privileged
 * domains may map it as DOMID_XEN's.
 */
void mm_share_page(struct page_info *pg, struct domain *d, bool writable);
void mm_unshare_page(struct page_info *pg);

/* ------------------------------------------------------------------ page tables */

/*
 * Software walk of v's kernel tables.  guest_va_to_mfn(): frame of va, and the L1 entry if l1e is
 * not NULL; false if nothing is mapped there.  Takes mm.lock.
 */
bool guest_va_to_mfn(struct vcpu *v, uint64_t va, mfn_t *mfn, uint64_t *l1e);
/* Print the entries met on the way (debugging; takes no lock). */
void guest_walk(const struct vcpu *v, uint64_t va);
/* Contents of [va, va+n) of v's kernel space by software walk, any v; bytes read. */
size_t guest_peek(struct vcpu *v, uint64_t va, void *to, size_t n);

/*
 * After the builder wrote the initial tables into d's frames: check and type everything from the
 * L4 down, and pin it.
 */
int mm_adopt_initial_tables(struct domain *d, mfn_t l4);
/*
 * Set v->kernel_l4/user_l4 and the CR3 values in v->hot, with the references they need (user may be
 * MFN_NONE); old ones are dropped.  v is not running, or is current: then CR3 is loaded.
 */
int mm_set_kernel_l4(struct vcpu *v, mfn_t l4);
int mm_set_user_l4(struct vcpu *v, mfn_t l4);
/* Drop both; v does not run any more and no CPU has its CR3. */
void mm_drop_l4s(struct vcpu *v);

/*
 * Called for a write fault of the guest kernel on a present page: if it is a page table of the
 * domain, carry out the instruction with the checks of mmu_update, and return true with regs
 * advanced.
 */
bool ptwr_fault(struct cpu_user_regs *regs, uint64_t va);

/*
 * Free what d has, in steps: frames still left (0 = done).  The vCPUs are down, their L4s dropped.
 */
uint64_t domain_relinquish_memory(struct domain *d, uint64_t max_steps);
/*
 * Whether no frame names d as its owner any more (own ones, and the hypervisor's shared with it, which
 * others may still map): only then may struct domain be freed.
 */
bool domain_mm_empty(const struct domain *d);

/*
 * Device frames that even the privileged domain must not map (APIC, IO-APIC, and what the
 * hypervisor uses): default none; the platform code lists them.
 */
void mmio_deny(mfn_t first, uint64_t count);
bool mmio_permit(mfn_t mfn);

/* ------------------------------------------------------------------ updates in two halves (staged.c) */

struct mm_staged {
    uint64_t *entry, old, new_entry;
    bool preserve; /* accessed and dirty bits, as MMU_PT_UPDATE_PRESERVE_AD says */
    enum { MM_TOOK_NOTHING, MM_TOOK_FRAME, MM_TOOK_RW } took;
};

/*
 * d's mm.lock is held, from the first to the last of these.  ptr and new_entry: as in a request of
 * mmu_update, of an L1 entry of d's own that holds `old`.  True: *s may be committed, once, which
 * cannot fail, or must be cancelled.  False: nothing was taken.  Other entries of the run are not
 * known here: each at most once.  The TLB of this CPU is the caller's to flush.
 */
bool mm_stage_update(struct domain *d, uint64_t ptr, uint64_t old, uint64_t new_entry,
                     struct mm_staged *s);
void mm_stage_commit(const struct mm_staged *s);
void mm_stage_cancel(const struct mm_staged *s);
/* Whether ptr lies in the L1 table that v's kernel tables have for va.  mm.lock is held. */
bool mm_same_l1(const struct vcpu *v, uint64_t va, uint64_t ptr);

/* ------------------------------------------------------------------ watched pages (watch.c) */

struct mm_watched {
    mfn_t mfn;
    paddr_t entry[3]; /* of the L1, L2 and L3 entries on the way there */
};

/*
 * Watch the page at va of v's kernel tables, which must be mapped read-only and have no writable
 * mapping anywhere: 0, -XEN_EBUSY if it has, -XEN_EFAULT if there is none.  The TLBs are the caller's
 * to flush before it relies on that.  Takes mm.lock.
 */
int mm_watch(struct vcpu *v, uint64_t va, struct mm_watched *out);
/*
 * Called before the change is done, with locks held: pg gets a type (entry NULL), or stops being the
 * table that it is; or its `entry` becomes new_entry.
 */
extern void (*mm_watched_changes)(struct page_info *pg, const uint64_t *entry, uint64_t new_entry);

/*
 * Words that are set whenever a writable mapping of any guest has gone away, or a table on the way to some;
 * NULL behind the last.  Who clears its word, and then finds by a walk that an address is writable, may rely
 * on it as long as the word is clear and CR3 the same, interrupts being off in between (or the CPU having
 * been flushed, as for a TLB).
 */
extern uint32_t *mm_gone_words[NR_CPUS + 1];

/* Another word; they stay.  At most one of each CPU, one at a time. */
void mm_add_gone_word(uint32_t *word);

static inline void mm_note_writable_gone(void)
{
    for (uint32_t *const *word = mm_gone_words; READ_ONCE(*word); word++)
        WRITE_ONCE(**word, 1);
}

/* ------------------------------------------------------------------ TLBs */

/*
 * A frame must not change type (writable to table, table to writable) or owner while a TLB may
 * hold what it was before.  tlb_clock counts the flushes of all CPUs; each CPU notes its value at
 * the last one; each frame when its last type reference was dropped.  A CPU needs a flush iff its
 * note is not later than the frame's.  CR3 loads of the entry stubs are not counted, which is
 * merely cautious.  The code that loads CR3 elsewhere (context switch, flush interrupt) uses
 * tlb_load_cr3().
 *
 * smp_tlb_flush() is called with locks held and waits for the other CPUs: a CPU that spins for a lock,
 * or in smp_tlb_flush() itself, must serve pending flush requests while it waits.
 */
extern uint64_t tlb_clock;
extern uint64_t cpu_tlb_flushed[NR_CPUS];
/* Load CR3 on this CPU (its number given) and count it as a flush. */
void tlb_load_cr3(unsigned int cpu, uint64_t cr3);
/* Given by the platform: flush va (~0: everything) on the CPUs of the mask, this one included if
 * its bit is set; returns when done. */
void smp_tlb_flush(uint64_t cpu_mask, uint64_t va);

static inline void tlb_domain_enters(struct domain_mm *mm, unsigned int cpu)
{
    __atomic_or_fetch(&mm->dirty_cpus, 1UL << cpu, __ATOMIC_SEQ_CST);
}

static inline void tlb_domain_leaves(struct domain_mm *mm, unsigned int cpu)
{
    __atomic_and_fetch(&mm->dirty_cpus, ~(1UL << cpu), __ATOMIC_SEQ_CST);
}

/* ------------------------------------------------------------------ hypercalls */

/* Arguments in the order of rdi, rsi, rdx, r10, r8, r9; result as the guest gets it. */
long do_mmu_update(unsigned long reqs, unsigned long count, unsigned long pdone,
                   unsigned long foreigndom, unsigned long a5, unsigned long a6);
long do_update_va_mapping(unsigned long va, unsigned long val, unsigned long flags,
                          unsigned long a4, unsigned long a5, unsigned long a6);
long do_update_va_mapping_otherdomain(unsigned long va, unsigned long val, unsigned long flags,
                                      unsigned long domid, unsigned long a5, unsigned long a6);
long do_mmuext_op(unsigned long ops, unsigned long count, unsigned long pdone,
                  unsigned long foreigndom, unsigned long a5, unsigned long a6);
long do_memory_op(unsigned long cmd, unsigned long arg, unsigned long a3, unsigned long a4,
                  unsigned long a5, unsigned long a6);

/*
 * A descriptor that a guest wants in its GDT or LDT, made safe; false if it cannot be.  Not present:
 * the processor never uses it.  Code and data segments get DPL 3: rings 0 to 2 are the hypervisor's in
 * paging's eyes, and a guest kernel, which runs in ring 3, must be able to load the segments that
 * it made for ring 0.  System descriptors and gates would lead into ring 0.
 */
static inline bool seg_desc_fix(uint64_t *desc)
{
    const uint64_t present = 1UL << 47, code_or_data = 1UL << 44, dpl = 3UL << 45;

    if (!(*desc & present))
        return true;
    *desc |= dpl;
    return *desc & code_or_data;
}

/* Given by hv/x86: MMUEXT_SET_LDT. */
long set_ldt(struct vcpu *v, uint64_t va, uint32_t entries);

#endif
