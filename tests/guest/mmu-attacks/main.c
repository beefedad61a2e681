/* SPDX-License-Identifier: MIT */
/*
 * mmu-attacks: what would let a guest write its page tables, or reach memory that is not its own.
 *
 * Promised (public/xen.h mmu_update: "pages that make up a pagetable must be mapped read-only ...
 * strictly enforces this"; the isolation of domains): every one is refused with the errno that
 * the peer gives too, and afterwards nothing has changed.
 * Why: this is the whole security of paravirtual memory management.
 * Varied: the way in (update_va_mapping, mmu_update, direct write, pin, base pointer, linking),
 * the level attacked, the frame (own table, hypervisor's, M2P, descriptor table, out of RAM).
 * Checked: the result; the entry aimed at; a checksum over the page tables of the domain.
 */
#include "ktest.h"
#include "pages.h"
#include "probe.h"

const char ktest_name[] = "mmu-attacks";

#define SPARE 0x10000000000UL

static volatile uint64_t *spare;
static uint64_t *page;       /* a plain writable page */
static uint64_t *tables[5];  /* own tables, linked and validated, not current */
static uint64_t gdt[512] __attribute__((aligned(4096)));

static uint64_t frame(const volatile void *va)
{
    return mfn_of(va) * PAGE_BYTES;
}

/* Over all page tables there are: the boot ones, spare's and our own. */
static uint64_t checksum(void)
{
    const volatile uint64_t *boot = (const uint64_t *)start_info->pt_base;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < start_info->nr_pt_frames * 512; i++)
        sum = sum * 31 + (boot[i] & ~(PTE_A | PTE_D));
    for (int level = 1; level <= 4; level++)
        for (int i = 0; i < 512; i++)
            sum = sum * 31 + (tables[level][i] & ~(PTE_A | PTE_D));
    for (int level = 1; level <= 4; level++)
        sum = sum * 31 + (*kernel_entry((void *)SPARE, level) & ~(PTE_A | PTE_D));
    return sum;
}

#define refused(name, call, want)                                                                  \
    do {                                                                                           \
        uint64_t before_ = checksum();                                                             \
        test_case("%s", name);                                                                     \
        check_eq(outcome(call, want), want);                                                       \
        check_eq(checksum(), before_);                                                             \
    } while (0)

/*
 * Where the headers name no errno for a refusal, as for a writable mapping of a table or for a
 * frame that is not the domain's, any of these will do.
 */
#define ANY_ERROR 1
static long outcome(long got, long want)
{
    bool refused = got == -XEN_EPERM || got == -XEN_EBUSY || got == -XEN_EINVAL ||
                   got == -XEN_ENOSYS;

    return want == ANY_ERROR && refused ? ANY_ERROR : got;
}

/* ---- mapping what must not be mapped ---- */

static void map_refused(const char *what, uint64_t entry, long want)
{
    uint64_t before = checksum();

    test_case("map %s: update_va_mapping", what);
    check_eq(outcome(hyp_update_va_mapping(SPARE, entry, UVMF_INVLPG), want), want);
    check_eq(checksum(), before);
    test_case("map %s: mmu_update", what);
    check_eq(outcome(mmu_update_one(machine_of(spare), entry), want), want);
    check_eq(outcome(mmu_update_one(machine_of(spare) | MMU_PT_UPDATE_PRESERVE_AD, entry), want),
             want);
    check_eq(checksum(), before);
    test_case("map %s: direct write", what);
    check(probe_write64(spare, entry));
    check_eq(this_cpu()->last.regs.vector, VEC_PF);
    check_eq(this_cpu()->last.cr2, spare);
    check_eq(this_cpu()->last.regs.error, PFEC_P | PFEC_W);
    check_eq(checksum(), before);
    check_eq(*spare, 0);
}

static void map_attacks(void)
{
    const uint64_t *boot = (const uint64_t *)start_info->pt_base;
    uint64_t hypervisor = boot[256] & PTE_MFN_MASK;

    for (int level = 1; level <= 4; level++) {
        char what[64];

        ksnprintf(what, sizeof(what), "own L%d table writable", level);
        map_refused(what, frame(tables[level]) | PTE_RW, ANY_ERROR);
    }
    map_refused("the current L4 writable", frame(boot) | PTE_RW, ANY_ERROR);
    map_refused("the GDT writable", frame(gdt) | PTE_RW, ANY_ERROR);
    map_refused("a page table of the hypervisor, read-only", hypervisor | PTE_RO, ANY_ERROR);
    map_refused("a page table of the hypervisor, writable", hypervisor | PTE_RW, ANY_ERROR);
    map_refused("a frame beyond the address bits", 0x000ffffffffff000UL | PTE_RW, ANY_ERROR);
    map_refused("a frame beyond RAM with reserved bits", 0x0008000000000000UL | PTE_RW, ANY_ERROR);
}

static void m2p_frames(void)
{
    test_case("the M2P is not writable");
    check(probe_write64((void *)(HYPERVISOR_VIRT_START + 8 * mfn_of(page)), 1));
    check_eq(this_cpu()->last.regs.vector, VEC_PF);
    check_eq(m2p(mfn_of(page)), pfn_of(page));
}

/* A writable alias first, promotion second: the same conflict from the other side. */
static void promote_attacks(void)
{
    static const unsigned int pin[4] = { MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L2_TABLE,
                                         MMUEXT_PIN_L3_TABLE, MMUEXT_PIN_L4_TABLE };
    volatile uint64_t *l2 = kernel_entry((void *)SPARE, 2);
    uint64_t *evil = page_alloc();

    for (int i = 0; i < 4; i++) {
        char what[64];

        ksnprintf(what, sizeof(what), "pin a writable page as L%d", i + 1);
        refused(what, mmuext(pin[i], mfn_of(page), 0), -XEN_EINVAL);
    }
    refused("link a writable page as L1", mmu_update_one(machine_of(l2 + 1),
            frame(page) | PTE_TABLE), -XEN_EINVAL);
    refused("set_gdt with a writable page", hyp_set_gdt(&(mfn_t){ mfn_of(page) }, 512),
            -XEN_EINVAL);

    evil[7] = frame(evil) | PTE_RW;
    ktest_require(page_readonly(evil) == 0);
    refused("pin an L1 that maps itself writable", mmuext(pin[0], mfn_of(evil), 0), ANY_ERROR);
    refused("link an L1 that maps itself writable",
            mmu_update_one(machine_of(l2 + 1), frame(evil) | PTE_TABLE), ANY_ERROR);
    ktest_require(page_writable(evil) == 0);
    evil[7] = frame(tables[2]) | PTE_RW;
    ktest_require(page_readonly(evil) == 0);
    refused("pin an L1 that maps a table writable", mmuext(pin[0], mfn_of(evil), 0), ANY_ERROR);
    ktest_require(page_writable(evil) == 0);
    evil[7] = 0x000ffffffffff000UL | PTE_RW;
    ktest_require(page_readonly(evil) == 0);
    refused("pin an L1 with a frame beyond the address bits", mmuext(pin[0], mfn_of(evil), 0),
            ANY_ERROR);
    ktest_require(page_writable(evil) == 0);
}

/* A table used at a level that it was not validated for. */
static void level_attacks(void)
{
    for (int at = 2; at <= 4; at++)
        for (int wrong = 1; wrong <= 4; wrong++) {
            volatile uint64_t *entry = kernel_entry((void *)SPARE, at) + 1;
            char what[64];

            if (wrong == at - 1)
                continue;
            ksnprintf(what, sizeof(what), "link an L%d table into an L%d", wrong, at);
            refused(what, mmu_update_one(machine_of(entry), frame(tables[wrong]) | PTE_TABLE),
                    -XEN_EINVAL);
        }
    for (int level = 1; level <= 3; level++) {
        char what[64];

        ksnprintf(what, sizeof(what), "NEW_BASEPTR with an L%d", level);
        refused(what, mmuext(MMUEXT_NEW_BASEPTR, mfn_of(tables[level]), 0), -XEN_EINVAL);
        ksnprintf(what, sizeof(what), "NEW_USER_BASEPTR with an L%d", level);
        refused(what, mmuext(MMUEXT_NEW_USER_BASEPTR, mfn_of(tables[level]), 0), -XEN_EINVAL);
        ksnprintf(what, sizeof(what), "pin an L%d as L4", level);
        refused(what, mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(tables[level]), 0), -XEN_EINVAL);
    }
    refused("NEW_BASEPTR with a writable page", mmuext(MMUEXT_NEW_BASEPTR, mfn_of(page), 0),
            -XEN_EINVAL);
    refused("NEW_BASEPTR with a frame beyond RAM", mmuext(MMUEXT_NEW_BASEPTR, 1UL << 39, 0),
            -XEN_EINVAL);
    refused("pin a frame beyond RAM", mmuext(MMUEXT_PIN_L1_TABLE, 1UL << 39, 0), -XEN_EINVAL);
    refused("unpin what is not pinned", mmuext(MMUEXT_UNPIN_TABLE, mfn_of(tables[1]), 0),
            -XEN_EINVAL);
    refused("unpin a plain page", mmuext(MMUEXT_UNPIN_TABLE, mfn_of(page), 0), -XEN_EINVAL);
}

static void superpages(void)
{
    volatile uint64_t *l2 = kernel_entry((void *)SPARE, 2) + 1;
    volatile uint64_t *l3 = kernel_entry((void *)SPARE, 3) + 1;
    volatile uint64_t *l4 = kernel_entry((void *)SPARE, 4) + 1;

    refused("2 MiB page", mmu_update_one(machine_of(l2), PTE_RW | PTE_PSE), -XEN_EINVAL);
    refused("2 MiB page, read-only", mmu_update_one(machine_of(l2), PTE_RO | PTE_PSE), -XEN_EINVAL);
    refused("1 GiB page", mmu_update_one(machine_of(l3), PTE_RW | PTE_PSE), -XEN_EINVAL);
    refused("PSE in an L4", mmu_update_one(machine_of(l4), PTE_RW | PTE_PSE), -XEN_EINVAL);
    check(!*l2 && !*l3 && !*l4);
}

static void hypervisor_slots(void)
{
    uint64_t *boot = (uint64_t *)start_info->pt_base;

    for (unsigned int slot = 256; slot < 272; slot++) {
        char what[64];

        ksnprintf(what, sizeof(what), "change L4 slot %u", slot);
        refused(what, mmu_update_one(machine_of(&boot[slot]), 0), -XEN_EINVAL);
        refused(what, mmu_update_one(machine_of(&boot[slot]), frame(tables[3]) | PTE_TABLE),
                -XEN_EINVAL);
    }
    refused("update_va_mapping in the hypervisor's range",
            hyp_update_va_mapping(0xffff830000000000, frame(page) | PTE_RW, 0), -XEN_EINVAL);
    refused("update_va_mapping in the M2P",
            hyp_update_va_mapping(HYPERVISOR_VIRT_START, frame(page) | PTE_RW, 0), -XEN_EINVAL);
}

/* What stands in these slots before pinning is replaced, not believed. */
static void hypervisor_slots_in_a_new_table(void)
{
    const volatile uint64_t *boot = (const uint64_t *)start_info->pt_base;
    uint64_t *fresh = page_alloc();
    uint64_t wrong = 0;

    test_case("an L4 with own entries in the hypervisor's slots is cleaned");
    fresh[511] = boot[511];
    for (unsigned int slot = 256; slot < 272; slot++)
        fresh[slot] = frame(tables[3]) | PTE_TABLE;
    ktest_require(page_readonly(fresh) == 0);
    check_eq(mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(fresh), 0), 0);
    check_eq(mmuext(MMUEXT_NEW_BASEPTR, mfn_of(fresh), 0), 0);
    for (unsigned int slot = 256; slot < 272; slot++)
        wrong += (fresh[slot] & PTE_MFN_MASK) == frame(tables[3]);
    check_eq(wrong, 0);
    check_eq(m2p(mfn_of(fresh)), pfn_of(fresh));
    check_eq(mmuext(MMUEXT_NEW_BASEPTR, mfn_of(boot), 0), 0);
    check_eq(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(fresh), 0), 0);
    check_eq(page_writable(fresh), 0);
}

static void targets(void)
{
    const uint64_t *boot = (const uint64_t *)start_info->pt_base;
    uint64_t hypervisor = boot[256] & PTE_MFN_MASK;

    refused("mmu_update in a frame of the hypervisor", mmu_update_one(hypervisor, 0), ANY_ERROR);
    refused("mmu_update in a frame beyond RAM", mmu_update_one(1UL << 50, 0), ANY_ERROR);
    refused("mmu_update with command 4", mmu_update_one(machine_of(spare) | 4, 0), ANY_ERROR);
    refused("M2P of a frame of the hypervisor",
            mmu_update_one(hypervisor | MMU_MACHPHYS_UPDATE, 5), ANY_ERROR);
    refused("M2P of a frame beyond RAM", mmu_update_one(1UL << 50 | MMU_MACHPHYS_UPDATE, 5),
            ANY_ERROR);
    refused("CLEAR_PAGE of a table", mmuext(MMUEXT_CLEAR_PAGE, mfn_of(tables[1]), 0), -XEN_EINVAL);
    refused("COPY_PAGE into a table", mmuext(MMUEXT_COPY_PAGE, mfn_of(tables[4]), mfn_of(page)),
            -XEN_EINVAL);
    refused("COPY_PAGE out of the hypervisor",
            mmuext(MMUEXT_COPY_PAGE, mfn_of(page), hypervisor / PAGE_BYTES), ANY_ERROR);
    refused("CLEAR_PAGE of the hypervisor", mmuext(MMUEXT_CLEAR_PAGE, hypervisor / PAGE_BYTES, 0),
            ANY_ERROR);
    refused("CLEAR_PAGE of the GDT", mmuext(MMUEXT_CLEAR_PAGE, mfn_of(gdt), 0), -XEN_EINVAL);
    refused("update_descriptor in a page table",
            hyp_update_descriptor(frame(tables[1]) + 64, 0x00cff2000000ffff), -XEN_EINVAL);
    refused("update_descriptor in the hypervisor",
            hyp_update_descriptor(hypervisor, 0x00cff2000000ffff), ANY_ERROR);
    refused("update_descriptor in no RAM", hyp_update_descriptor(1UL << 50, 0), ANY_ERROR);
}

/*
 * A descriptor that would lead out of ring 3: refused, or kept without its teeth: not present,
 * a segment of ring 3, or a gate that ring 3 may not call.
 */
static void harmless(const char *what, uint64_t descriptor, bool system)
{
    long result;

    test_case("%s in the GDT", what);
    result = hyp_update_descriptor(frame(gdt) + 160, descriptor);
    printk("ktest: note result %ld, descriptor %lx\n", result, gdt[20]);
    if (result) {
        check_eq(result, -XEN_EINVAL);
        check_eq(gdt[20], 0);
    } else {
        check(!(gdt[20] >> 47 & 1) || (gdt[20] >> 45 & 3) == (system ? 0 : 3));
        check_eq(hyp_update_descriptor(frame(gdt) + 160, 0), 0);
    }
}

static void descriptors(void)
{
    harmless("call gate", 0x0000ec0000330000UL, true);
    harmless("call gate into the hypervisor", 0xd080ec00e0082000UL, true);
    harmless("interrupt gate", 0x0000ee0000330000UL, true);
    harmless("ring 0 code", 0x00af9a000000ffffUL, false);
    harmless("ring 0 data", 0x00cf92000000ffffUL, false);
    harmless("TSS", 0x0000e90000000067UL, true);
    harmless("LDT", 0x0000e20000000067UL, true);
    test_case("an ordinary descriptor goes in");
    check_eq(hyp_update_descriptor(frame(gdt) + 160, 0x00cff2000000ffff), 0);
    check_eq(gdt[20], 0x00cff2000000ffff);
    check_eq(hyp_update_descriptor(frame(gdt) + 160, 0), 0);
}

/* A read-only self map is a choice of the hypervisor; a writable one never is. */
static void linear_tables(void)
{
    uint64_t *boot = (uint64_t *)start_info->pt_base;
    uint64_t *self = (uint64_t *)(0xffff000000000000UL | 300UL << 39 | 300UL << 30 | 300UL << 21 |
                                  300UL << 12);
    long result;

    refused("self map in the L4, writable",
            mmu_update_one(machine_of(&boot[300]), frame(boot) | PTE_TABLE), -XEN_EINVAL);
    test_case("self map in the L4, read-only");
    result = mmu_update_one(machine_of(&boot[300]), frame(boot) | PTE_RO);
    if (result) {
        check_eq(result, -XEN_EINVAL);
        check_eq(boot[300], 0);
        return;
    }
    check_eq(self[511] | PTE_A | PTE_D, boot[511] | PTE_A | PTE_D);
    check(probe_write64(&self[0], frame(tables[3]) | PTE_TABLE));
    check(page_writable(boot) < 0);
    check_eq(mmu_update_one(machine_of(&boot[300]), 0), 0);
}

static void prepare(void)
{
    spare = entry_make(SPARE);
    page = page_alloc();
    for (int level = 1; level <= 4; level++)
        tables[level] = page_alloc();
    for (int level = 2; level <= 4; level++)
        tables[level][level] = frame(tables[level - 1]) | PTE_TABLE;
    for (int level = 1; level <= 4; level++)
        ktest_require(page_readonly(tables[level]) == 0);
    ktest_require(mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(tables[4]), 0) == 0);
    ktest_require(page_readonly(gdt) == 0);
    ktest_require(hyp_set_gdt(&(mfn_t){ mfn_of(gdt) }, 512) == 0);
}

void test_main(void)
{
    prepare();
    map_attacks();
    m2p_frames();
    promote_attacks();
    level_attacks();
    superpages();
    hypervisor_slots();
    hypervisor_slots_in_a_new_table();
    targets();
    descriptors();
    linear_tables();
}
