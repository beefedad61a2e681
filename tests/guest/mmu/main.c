/* SPDX-License-Identifier: MIT */
/*
 * mmu: page tables are changed as asked, by every way there is.
 *
 * Promised (public/xen.h mmu_update, mmuext_op, update_va_mapping;
 * XENFEAT_mmu_pt_update_preserve_ad; VMASST_TYPE_writable_pagetables for direct writes):
 *   - an entry takes the value given, A and D kept on request, and the new mapping is in force
 *     after the flush asked for;
 *   - tables can be built, pinned at each level, made current, unpinned and be plain memory again;
 *   - a direct write to an L1 entry, by any of the instructions that kernels use for it, has the
 *     instruction's own effect on memory, registers and flags.
 * Why: fork, exec and mmap of a guest are made of this.
 * Varied: the way, level, operand size, lock prefix. Checked: the entry, what the mapping shows,
 * registers and flags after an emulated instruction.
 */
#include "ktest.h"
#include "pages.h"
#include "probe.h"

const char ktest_name[] = "mmu";

#define SPARE 0x10000000000UL /* an address nothing lies at */

static uint64_t *page_a, *page_b;
static volatile uint64_t *spare;

static uint64_t frame(const volatile void *va)
{
    return mfn_of(va) * PAGE_BYTES;
}

/* The entry as it was written: whether user pages are global is the hypervisor's choice. */
static uint64_t spare_entry(void)
{
    return *spare & ~PTE_G;
}

static uint64_t at_spare(void)
{
    return *(volatile uint64_t *)SPARE;
}

static void by_update_va_mapping(void)
{
    test_case("update_va_mapping: map, remap, unmap");
    check_eq(hyp_update_va_mapping(SPARE, frame(page_a) | PTE_RW, UVMF_INVLPG), 0);
    check_eq(spare_entry(), frame(page_a) | PTE_RW);
    check_eq(at_spare(), 'a');
    check_eq(hyp_update_va_mapping(SPARE, frame(page_b) | PTE_RW, UVMF_INVLPG), 0);
    check_eq(at_spare(), 'b');
    check_eq(hyp_update_va_mapping(SPARE, frame(page_a) | PTE_RO, UVMF_TLB_FLUSH), 0);
    check_eq(at_spare(), 'a');
    check(probe_write64((void *)SPARE, 1));
    check_eq(hyp_update_va_mapping(SPARE, frame(page_b) | PTE_RW, UVMF_INVLPG | UVMF_ALL), 0);
    check_eq(at_spare(), 'b');
    check_eq(hyp_update_va_mapping(SPARE, 0, UVMF_TLB_FLUSH | UVMF_ALL), 0);
    check(probe_read((void *)SPARE));
    check_eq(spare_entry(), 0);
}

static void by_mmu_update(void)
{
    struct mmu_update list[3];
    unsigned int done = 77;

    test_case("mmu_update: one and several, count of what was done");
    check_eq(mmu_update_one(machine_of(spare), frame(page_a) | PTE_RW), 0);
    check_eq(at_spare(), 'a');
    for (unsigned int i = 0; i < 3; i++) {
        list[i].ptr = machine_of(spare + i);
        list[i].val = frame(i & 1 ? page_a : page_b) | PTE_RW;
    }
    check_eq(hyp_mmu_update(list, 3, &done, DOMID_SELF), 0);
    check_eq(done, 3);
    check_eq(mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0), 0);
    check_eq(at_spare(), 'b');
    check_eq(*(volatile uint64_t *)(SPARE + PAGE_BYTES), 'a');
    check_eq(*(volatile uint64_t *)(SPARE + 2 * PAGE_BYTES), 'b');

    test_case("mmu_update: stops at the first bad one");
    list[1].ptr |= 3 << 2;
    list[0].val = list[2].val = 0;
    done = 77;
    check(hyp_mmu_update(list, 3, &done, DOMID_SELF) < 0);
    check_eq(done, 1);
    check_eq(spare[0], 0);
    check(spare[2] != 0);
    check_eq(mmu_update_one(machine_of(spare + 1), 0), 0);
    check_eq(mmu_update_one(machine_of(spare + 2), 0), 0);
    check_eq(hyp_mmu_update(list, 0, &done, DOMID_SELF), 0);
    check_eq(done, 0);
}

static void accessed_and_dirty(void)
{
    uint64_t base = frame(page_a) | PTE_P | PTE_W | PTE_U;

    test_case("A and D: set by use, kept by PRESERVE_AD, dropped by NORMAL");
    check_eq(mmu_update_one(machine_of(spare), base), 0);
    check_eq(mmuext(MMUEXT_INVLPG_LOCAL, SPARE, 0), 0);
    check_eq(*spare & (PTE_A | PTE_D), 0);
    (void)at_spare();
    check_eq(*spare & (PTE_A | PTE_D), PTE_A);
    *(volatile uint64_t *)SPARE = 'a';
    check_eq(*spare & (PTE_A | PTE_D), PTE_A | PTE_D);
    check_eq(mmu_update_one(machine_of(spare) | MMU_PT_UPDATE_PRESERVE_AD,
                            frame(page_a) | PTE_P | PTE_U), 0);
    check_eq(spare_entry(), frame(page_a) | PTE_P | PTE_U | PTE_A | PTE_D);
    check_eq(mmu_update_one(machine_of(spare), base), 0);
    check_eq(spare_entry(), base);

    test_case("software bits and NX are kept");
    check_eq(mmu_update_one(machine_of(spare), base | 0xe00 | PTE_NX), 0);
    check_eq(spare_entry(), base | 0xe00 | PTE_NX);
    check_eq(mmu_update_one(machine_of(spare) | MMU_PT_UPDATE_NO_TRANSLATE, base), 0);
    check_eq(spare_entry(), base);

    test_case("an entry that is not present holds anything");
    check_eq(mmu_update_one(machine_of(spare), 0x123456789abcdcf0), 0);
    check_eq(spare_entry(), 0x123456789abcdcf0);
    check_eq(mmu_update_one(machine_of(spare), 0), 0);
}

static void kernel_page(void)
{
    test_case("an entry without U is the kernel's");
    check_eq(mmu_update_one(machine_of(spare), frame(page_a) | PTE_P | PTE_W), 0);
    check_eq(mmuext(MMUEXT_INVLPG_LOCAL, SPARE, 0), 0);
    printk("ktest: note P|W reads back as %lx\n", *spare);
    check_eq(at_spare(), 'a');
    check_eq(spare_entry() & (PTE_P | PTE_W | PTE_MFN_MASK), frame(page_a) | PTE_P | PTE_W);
}

static void machine_to_physical(void)
{
    mfn_t mfn = mfn_of(page_a);
    uint64_t pfn = m2p(mfn);

    test_case("M2P update");
    check_eq(mmu_update_one(mfn * PAGE_BYTES | MMU_MACHPHYS_UPDATE, 0x1234), 0);
    check_eq(m2p(mfn), 0x1234);
    check_eq(mmu_update_one(mfn * PAGE_BYTES | MMU_MACHPHYS_UPDATE, pfn), 0);
    check_eq(m2p(mfn), pfn);
}

/* Four tables, each linked in the one above; only the L1 maps something. */
static uint64_t *tables[5];

static void build_tables(void)
{
    for (int level = 1; level <= 4; level++)
        tables[level] = page_alloc();
    tables[1][5] = frame(page_a) | PTE_RW;
    for (int level = 2; level <= 4; level++)
        tables[level][level] = frame(tables[level - 1]) | PTE_TABLE;
    for (int level = 1; level <= 4; level++)
        check_eq(page_readonly(tables[level]), 0);
}

static void pin_each_level(void)
{
    static const unsigned int pin[5] = { 0, MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L2_TABLE,
                                         MMUEXT_PIN_L3_TABLE, MMUEXT_PIN_L4_TABLE };

    test_case("tables built, pinned and unpinned at each level");
    build_tables();
    for (int level = 1; level <= 4; level++) {
        check_eq(mmuext(pin[level], mfn_of(tables[level]), 0), 0);
        check(page_writable(tables[1]) < 0);
        check_eq(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(tables[level]), 0), 0);
        check_eq(page_writable(tables[1]), 0);
        check_eq(page_readonly(tables[1]), 0);
    }
}

static void switch_tables(void)
{
    const uint64_t *boot = (const uint64_t *)start_info->pt_base;

    test_case("NEW_BASEPTR: own tables and back");
    check_eq(page_writable(tables[4]), 0);
    tables[4][511] = boot[511];
    check_eq(page_readonly(tables[4]), 0);
    check_eq(mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(tables[4]), 0), 0);
    check_eq(mmuext(MMUEXT_NEW_BASEPTR, mfn_of(tables[4]), 0), 0);
    check_eq(*(volatile uint64_t *)(4UL << 39 | 3UL << 30 | 2UL << 21 | 5UL << 12), 'a');
    check(probe_read((void *)SPARE));
    check_eq(m2p(mfn_of(page_a)), pfn_of(page_a));
    check_eq(mmuext(MMUEXT_NEW_BASEPTR, mfn_of(boot), 0), 0);
    check(probe_read((void *)(4UL << 39 | 3UL << 30 | 2UL << 21 | 5UL << 12)));

    test_case("an unpinned L4 is held by being current, and let go after");
    check_eq(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(tables[4]), 0), 0);
    check_eq(mmuext(MMUEXT_NEW_BASEPTR, mfn_of(tables[4]), 0), 0);
    check(page_writable(tables[4]) < 0);
    check_eq(mmuext(MMUEXT_NEW_BASEPTR, mfn_of(boot), 0), 0);
    for (int level = 4; level >= 1; level--)
        check_eq(page_writable(tables[level]), 0);
}

static void clear_and_copy(void)
{
    uint64_t *page = page_alloc();

    test_case("CLEAR_PAGE and COPY_PAGE");
    page[511] = 7;
    check_eq(mmuext(MMUEXT_COPY_PAGE, mfn_of(page), mfn_of(page_a)), 0);
    check_eq(page[0], 'a');
    check_eq(page[511], 0);
    check_eq(mmuext(MMUEXT_CLEAR_PAGE, mfn_of(page), 0), 0);
    check_eq(page[0], 0);
}

static void flushes(void)
{
    uint64_t vcpus = 1;

    test_case("every flush");
    check_eq(mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0), 0);
    check_eq(mmuext(MMUEXT_INVLPG_LOCAL, SPARE, 0), 0);
    check_eq(mmuext(MMUEXT_TLB_FLUSH_MULTI, 0, (uint64_t)&vcpus), 0);
    check_eq(mmuext(MMUEXT_INVLPG_MULTI, SPARE, (uint64_t)&vcpus), 0);
    check_eq(mmuext(MMUEXT_TLB_FLUSH_ALL, 0, 0), 0);
    check_eq(mmuext(MMUEXT_INVLPG_ALL, SPARE, 0), 0);
    check_eq(mmuext(MMUEXT_FLUSH_CACHE, 0, 0), 0);
    check_eq(mmuext(MMUEXT_FLUSH_CACHE_GLOBAL, 0, 0), 0);
}

/* ---- direct writes ---- */

#define FLAGS_MASK 0x8d5UL

/* Runs an instruction on the L1 entry and on plain memory; memory, rax and flags must agree. */
#define DIRECT(text, start, operand, rax_in)                                                       \
    do {                                                                                           \
        uint64_t plain_ = (start), rax_[2], flags_[2], entry_;                                     \
        volatile uint64_t *where_[2] = { &plain_, spare };                                         \
                                                                                                   \
        test_case("direct write: %s", text);                                                       \
        check_eq(mmu_update_one(machine_of(spare), (start)), 0);                                   \
        for (int i_ = 0; i_ < 2; i_++) {                                                           \
            rax_[i_] = (rax_in);                                                                   \
            asm volatile("xor %%r9d, %%r9d\n 1: " text "\n 2: pushf\n pop %1\n" EXTABLE(1b, 2b)    \
                         : "+a"(rax_[i_]), "=r"(flags_[i_])                                        \
                         : "D"(where_[i_]), "c"((uint64_t)(operand))                               \
                         : "memory", "cc", "r9");                                                  \
        }                                                                                          \
        entry_ = *spare;                                                                           \
        check_eq(entry_ & ~PTE_G, plain_ & ~PTE_G);                                              \
        check_eq(rax_[1], rax_[0]);                                                                \
        check_eq(flags_[1] & FLAGS_MASK, flags_[0] & FLAGS_MASK);                                  \
    } while (0)

/* What an entry reads as once it was written. */
static uint64_t as_kept(uint64_t entry)
{
    ktest_require(mmu_update_one(machine_of(spare), entry) == 0);
    return *spare;
}

static void direct_writes(void)
{
    unsigned long faults = this_cpu()->fixups;
    uint64_t a = as_kept(frame(page_a) | PTE_RW), b = as_kept(frame(page_b) | PTE_RW);

    DIRECT("movq %%rcx, (%%rdi)", a, b, 0);
    DIRECT("movq %%rcx, (%%rdi)", a, 0, 0);
    DIRECT("movq $0, (%%rdi)", a, 0, 0);
    DIRECT("movl %%ecx, (%%rdi)", a, b, 0);
    DIRECT("movl $0, 4(%%rdi)", 0xabcd00000000UL << 4, 0, 0);
    DIRECT("movw %%cx, (%%rdi)", a, a & 0xfffd, 0);
    DIRECT("movb %%cl, (%%rdi)", a, 0x25, 0);
    DIRECT("movb $0, (%%rdi)", a, 0, 0);
    DIRECT("xchg %%rax, (%%rdi)", a, 0, b);
    DIRECT("xchg %%rax, (%%rdi)", a, 0, 0);
    DIRECT("xchg %%eax, (%%rdi)", a, 0, (b & 0xffffffff));
    DIRECT("xchg %%al, (%%rdi)", a, 0, 0x25);
    DIRECT("cmpxchg %%rcx, (%%rdi)", a, b, a);
    DIRECT("cmpxchg %%rcx, (%%rdi)", a, b, b);
    DIRECT("lock cmpxchg %%rcx, (%%rdi)", a, b, a);
    DIRECT("lock cmpxchg %%ecx, (%%rdi)", a, b, (a & 0xffffffff));
    DIRECT("lock cmpxchg %%ecx, (%%rdi)", a, b, 1);
    DIRECT("andb $0xfd, (%%rdi)", a, 0, 0);
    DIRECT("lock andb $0xfd, (%%rdi)", a, 0, 0);
    DIRECT("andb %%cl, (%%rdi)", a, 0xdf, 0);
    DIRECT("andw %%cx, (%%rdi)", a, 0xffdf, 0);
    DIRECT("andl $~0x40, (%%rdi)", a, 0, 0);
    DIRECT("lock andq $~0x42, (%%rdi)", a, 0, 0);
    DIRECT("lock andq %%rcx, (%%rdi)", a, ~0x60UL, 0);
    DIRECT("orb $0x40, (%%rdi)", a & ~0x40UL, 0, 0);
    DIRECT("lock orq $0x200, (%%rdi)", a, 0, 0);
    DIRECT("orw %%cx, (%%rdi)", a, 0x600, 0);
    DIRECT("orl %%ecx, (%%rdi)", a, 0x400, 0);
    DIRECT("xorq $0x800, (%%rdi)", a, 0, 0);
    DIRECT("lock btrq $1, (%%rdi)", a, 0, 0);
    DIRECT("lock btrq $6, (%%rdi)", a, 0, 0);
    DIRECT("lock btsq $9, (%%rdi)", a, 0, 0);
    DIRECT("btsl $10, (%%rdi)", a, 0, 0);
    DIRECT("btrq %%rcx, (%%rdi)", a, 5, 0);
    DIRECT("lock btsq %%rcx, (%%rdi)", a, 11, 0);
    DIRECT("btcq $9, (%%rdi)", a, 0, 0);
    check_eq(this_cpu()->fixups, faults);
    check_eq(mmu_update_one(machine_of(spare), 0), 0);
}

static void reservation(void)
{
    uint64_t *page = page_alloc();
    xen_pfn_t mfn = mfn_of(page), pfn = pfn_of(page);
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };
    long pages = hyp_memory_op(XENMEM_current_reservation, &(domid_t){ DOMID_SELF });

    test_case("give a page back and take another");
    check(pages >= (long)start_info->nr_pages);
    check_eq(map_va(page, 0), 0);
    set_xen_guest_handle(r.extent_start, &mfn);
    check_eq(hyp_memory_op(XENMEM_decrease_reservation, &r), 1);
    check_eq(hyp_memory_op(XENMEM_current_reservation, &(domid_t){ DOMID_SELF }), pages - 1);
    set_xen_guest_handle(r.extent_start, &pfn);
    check_eq(hyp_memory_op(XENMEM_populate_physmap, &r), 1);
    mfn = pfn;
    check_eq(m2p(mfn), pfn_of(page));
    check_eq(hyp_memory_op(XENMEM_current_reservation, &(domid_t){ DOMID_SELF }), pages);
    check_eq(map_va(page, mfn * PAGE_BYTES | PTE_RW), 0);
    ((mfn_t *)start_info->mfn_list)[pfn_of(page)] = mfn;
    for (unsigned int i = 0; i < 512; i++)
        if (page[i])
            check(!"the page taken is clean");
    page[0] = 1;
    check_eq(page[0], 1);
}

void test_main(void)
{
    page_a = page_alloc();
    page_b = page_alloc();
    page_a[0] = 'a';
    page_b[0] = 'b';
    spare = entry_make(SPARE);
    by_update_va_mapping();
    by_mmu_update();
    accessed_and_dirty();
    kernel_page();
    machine_to_physical();
    pin_each_level();
    switch_tables();
    clear_and_copy();
    flushes();
    direct_writes();
    reservation();
}
