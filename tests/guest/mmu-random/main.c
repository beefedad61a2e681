/* SPDX-License-Identifier: MIT */
/*
 * mmu-random: long random sequences of page-table operations.
 *
 * Promised (public/xen.h mmu_update): a page is a page table or a descriptor table, or it is
 * writable, never both; what is let go of is free for any use again.
 * Why: single attacks find the holes that somebody thought of.
 * Varied: 100,000 operations, chosen by a fixed generator, on twelve pages with two aliases each:
 * mappings by three ways, contents of future tables, pin and unpin at four levels, set_gdt.
 * Checked after each: no page that was accepted as a table has a writable mapping; at the end every
 * page can be made writable again once all is let go of.
 */
#include "pages.h"
#include "probe.h"

const char ktest_name[] = "mmu-random";

#define PAGES 12
#define ALIASES 2
#define ALIAS_BASE 0x10000000000UL
#define STEPS 100000

static uint64_t *page[PAGES];
static bool pinned[PAGES];
static int gdt = -1;
static uint64_t seed = 88172645463325252UL;

static uint64_t random(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % below;
}

static uint64_t alias_va(unsigned int p, unsigned int alias)
{
    return ALIAS_BASE + (p * ALIASES + alias) * PAGE_BYTES;
}

/* Alias 0 and up are the extra mappings, ALIASES the page's own in the boot mapping. */
static volatile uint64_t *alias_entry(unsigned int p, unsigned int alias)
{
    return alias == ALIASES ? kernel_entry(page[p], 1)
                            : kernel_entry((void *)alias_va(p, alias), 1);
}

static bool writable(unsigned int p)
{
    for (unsigned int alias = 0; alias <= ALIASES; alias++)
        if ((*alias_entry(p, alias) & (PTE_P | PTE_W)) == (PTE_P | PTE_W))
            return true;
    return false;
}

static void change_mapping(unsigned int p)
{
    static const uint64_t kinds[] = { 0, PTE_RO, PTE_RW, PTE_RW };
    unsigned int alias = (unsigned int)random(ALIASES + 1);
    volatile uint64_t *entry = alias_entry(p, alias);
    uint64_t kind = kinds[random(4)];
    uint64_t value = kind ? mfn_of(page[p]) * PAGE_BYTES | kind : 0;

    if (alias == ALIASES && !value)
        return; /* the page's own mapping stays */
    switch (random(3)) {
    case 0:
        mmu_update_one(machine_of(entry), value);
        break;
    case 1:
        hyp_update_va_mapping(alias == ALIASES ? (uint64_t)page[p] : alias_va(p, alias), value,
                              UVMF_INVLPG);
        break;
    default:
        probe_write64(entry, value);
    }
    mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0);
}

/* Writes an entry that points to another page of ours; through its own mapping, if that lets us. */
static void change_contents(unsigned int p)
{
    static const uint64_t kinds[] = { 0, PTE_RO, PTE_RW, PTE_TABLE, PTE_TABLE | PTE_PSE };
    uint64_t kind = kinds[random(5)];
    uint64_t target = random(PAGES);

    probe_write64(&page[p][random(8)], kind ? mfn_of(page[target]) * PAGE_BYTES | kind : 0);
}

static void change_by_hypercall(unsigned int p)
{
    uint64_t target = mfn_of(page[random(PAGES)]) * PAGE_BYTES;

    mmu_update_one(machine_of(&page[p][random(8)]), random(2) ? target | PTE_TABLE : 0);
}

static void pin(unsigned int p)
{
    static const unsigned int commands[] = { MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L2_TABLE,
                                             MMUEXT_PIN_L3_TABLE, MMUEXT_PIN_L4_TABLE };

    if (mmuext(commands[random(4)], mfn_of(page[p]), 0) == 0)
        pinned[p] = true;
}

static void unpin(unsigned int p)
{
    long result = mmuext(MMUEXT_UNPIN_TABLE, mfn_of(page[p]), 0);

    check_eq(result == 0, pinned[p]);
    if (result == 0)
        pinned[p] = false;
}

static void descriptors(unsigned int p)
{
    if (hyp_set_gdt(&(mfn_t){ mfn_of(page[p]) }, 512) == 0)
        gdt = (int)p;
}

static void step(void)
{
    unsigned int p = (unsigned int)random(PAGES);

    switch (random(12)) {
    case 0: case 1: case 2: case 3:
        change_mapping(p);
        break;
    case 4: case 5: case 6:
        change_contents(p);
        break;
    case 7:
        change_by_hypercall(p);
        break;
    case 8: case 9:
        pin(p);
        break;
    case 10:
        unpin(p);
        break;
    default:
        descriptors(p);
    }
}

static void let_go(void)
{
    unsigned int stuck = 0;

    test_case("everything let go of is free again");
    check_eq(hyp_set_gdt(0, 0), 0);
    for (unsigned int p = 0; p < PAGES; p++)
        if (pinned[p])
            check_eq(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(page[p]), 0), 0);
    for (unsigned int p = 0; p < PAGES; p++)
        for (unsigned int alias = 0; alias < ALIASES; alias++)
            check_eq(mmu_update_one(machine_of(alias_entry(p, alias)), 0), 0);
    for (unsigned int p = 0; p < PAGES; p++)
        stuck += page_writable(page[p]) != 0;
    check_eq(stuck, 0);
}

void test_main(void)
{
    unsigned int pins = 0, gdts = 0, both = 0;

    for (unsigned int p = 0; p < PAGES; p++) {
        page[p] = page_alloc();
        for (unsigned int alias = 0; alias < ALIASES; alias++)
            entry_make(alias_va(p, alias));
    }
    test_case("tables are never writable");
    for (unsigned int i = 0; i < STEPS; i++) {
        step();
        for (unsigned int p = 0; p < PAGES; p++) {
            pins += pinned[p];
            gdts += gdt == (int)p;
            both += (pinned[p] || gdt == (int)p) && writable(p);
        }
    }
    check_eq(both, 0);
    check(pins > STEPS / 100);
    check(gdts > STEPS / 100);
    printk("ktest: note pinned at %u, descriptor table at %u steps\n", pins, gdts);
    let_go();
}
