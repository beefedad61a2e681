/* SPDX-License-Identifier: MIT */
/*
 * grants: the grant table of a domain, used by the domain itself.
 *
 * Promised (public/grant_table.h): setup_table gives frames that the domain may map; a valid entry
 * can be mapped, read-only or writable as it allows, and copied from or to; a mapping sets the
 * in-use bits and unmapping clears them; whatever is not granted is refused with the status named
 * there.
 * Why: the road of all data between domains; a mistake here is memory of others.
 * Varied: flags of the entry, access asked for, reference, range. Checked: status, entry bits,
 * what the mapping shows.
 */
#include "pages.h"
#include "probe.h"

const char ktest_name[] = "grants";

#define TABLE 0x10000000000UL
#define WINDOW 0x10000001000UL
#define REF 20

static volatile struct grant_entry_v1 *table;
static uint64_t *page;

static void set_up(void)
{
    struct gnttab_setup_table setup = { .dom = DOMID_SELF, .nr_frames = 1 };
    xen_pfn_t frame = 0;
    volatile uint64_t *entry = entry_make(TABLE);

    set_xen_guest_handle(setup.frame_list, &frame);
    ktest_require(hyp_grant_table_op(GNTTABOP_setup_table, &setup, 1) == 0 && setup.status == 0);
    test_case("the table can be mapped, and starts empty");
    check_eq(mmu_update_one(machine_of(entry), frame * PAGE_BYTES | PTE_RW), 0);
    table = (volatile struct grant_entry_v1 *)TABLE;
    check_eq(table[REF].flags, 0);
}

static void grant(uint16_t flags)
{
    table[REF].domid = 0;
    table[REF].frame = (uint32_t)mfn_of(page);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    table[REF].flags = flags;
}

static struct gnttab_map_grant_ref map(unsigned int ref, unsigned int flags)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = WINDOW, .flags = GNTMAP_host_map | flags, .ref = ref, .dom = 0,
    };

    check_eq(hyp_grant_table_op(GNTTABOP_map_grant_ref, &op, 1), 0);
    return op;
}

static int unmap(uint32_t handle)
{
    struct gnttab_unmap_grant_ref op = { .host_addr = WINDOW, .handle = handle };

    check_eq(hyp_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1), 0);
    return op.status;
}

static void mapping(void)
{
    struct gnttab_map_grant_ref op;

    test_case("map writable");
    grant(GTF_permit_access);
    op = map(REF, 0);
    check_eq(op.status, GNTST_okay);
    if (op.status)
        return;
    check_eq(*(volatile uint64_t *)WINDOW, page[0]);
    *(volatile uint64_t *)WINDOW = 55;
    check_eq(page[0], 55);
    check_eq(table[REF].flags, GTF_permit_access | GTF_reading | GTF_writing);
    check_eq(unmap(op.handle), GNTST_okay);
    check_eq(table[REF].flags, GTF_permit_access);
    check(probe_read((void *)WINDOW));

    test_case("map read-only");
    op = map(REF, GNTMAP_readonly);
    check_eq(op.status, GNTST_okay);
    check_eq(table[REF].flags, GTF_permit_access | GTF_reading);
    check_eq(*(volatile uint64_t *)WINDOW, 55);
    check(probe_write64((void *)WINDOW, 1));
    check_eq(page[0], 55);
    check_eq(unmap(op.handle), GNTST_okay);
    check_eq(table[REF].flags, GTF_permit_access);
    check(unmap(op.handle) < 0);
}

static void refusals(void)
{
    test_case("a read-only grant is not mapped writable");
    grant(GTF_permit_access | GTF_readonly);
    check(map(REF, 0).status < 0);
    check_eq(table[REF].flags, GTF_permit_access | GTF_readonly);
    test_case("an invalid entry is not mapped");
    grant(0);
    check(map(REF, 0).status < 0);
    test_case("a grant to another domain is not mapped");
    grant(0);
    table[REF].domid = 77;
    table[REF].flags = GTF_permit_access;
    check(map(REF, 0).status < 0);
    test_case("a reference beyond the table");
    check_eq(map(1u << 20, 0).status, GNTST_bad_gntref);
    test_case("a frame that is a page table is not mapped writable");
    table[REF].flags = 0;
    table[REF].domid = 0;
    table[REF].frame = (uint32_t)mfn_of((void *)start_info->pt_base);
    table[REF].flags = GTF_permit_access;
    check(map(REF, 0).status < 0);
    test_case("a frame beyond RAM");
    table[REF].frame = 0xfffffff0;
    check(map(REF, 0).status < 0);
    test_case("a handle that was never given");
    check(unmap(12345) < 0);
    table[REF].flags = 0;
}

static int copy(bool source_is_grant, uint16_t offset, uint16_t bytes, void *buffer)
{
    struct gnttab_copy op = { .len = bytes };

    if (source_is_grant) {
        op.source.u.ref = REF;
        op.source.domid = 0;
        op.source.offset = offset;
        op.dest.u.gmfn = mfn_of(buffer);
        op.dest.domid = DOMID_SELF;
        op.flags = GNTCOPY_source_gref;
    } else {
        op.dest.u.ref = REF;
        op.dest.domid = 0;
        op.dest.offset = offset;
        op.source.u.gmfn = mfn_of(buffer);
        op.source.domid = DOMID_SELF;
        op.flags = GNTCOPY_dest_gref;
    }
    check_eq(hyp_grant_table_op(GNTTABOP_copy, &op, 1), 0);
    return op.status;
}

static void copying(void)
{
    uint64_t *buffer = page_alloc();

    test_case("copy out of a grant and into one");
    grant(GTF_permit_access);
    page[4] = 1111;
    check_eq(copy(true, 32, 8, buffer), GNTST_okay);
    check_eq(buffer[0], 1111);
    buffer[0] = 2222;
    check_eq(copy(false, 40, 8, buffer), GNTST_okay);
    check_eq(page[5], 2222);
    check_eq(table[REF].flags, GTF_permit_access);
    test_case("copy refuses: read-only, no grant, over the page's end");
    grant(GTF_permit_access | GTF_readonly);
    check(copy(false, 0, 8, buffer) < 0);
    check(copy(true, 4090, 16, buffer) < 0);
    grant(0);
    check(copy(true, 0, 8, buffer) < 0);
    check_eq(page[5], 2222);
}

void test_main(void)
{
    page = page_alloc();
    page[0] = 44;
    entry_make(WINDOW);
    set_up();
    mapping();
    refusals();
    copying();
}
