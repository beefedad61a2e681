/* SPDX-License-Identifier: MIT */
/*
 * Grant tables: dom 1 grants, dom 0 maps, copies and unmaps.
 */
#include <cmocka.h>

#include "hv/grant.h"
#include "mm/mm_int.h"
#include "trace_shim.h"

#define E_P  1UL
#define E_RW 2UL

static uint64_t l1;                 /* machine address of dom 0's L1 */
static grant_entry_v1_t *entries;   /* of dom 1 */
static uint64_t granted;            /* frame of dom 1 */

static long grant_op(unsigned int cmd, void *arg, unsigned int count)
{
    return do_grant_table_op(cmd, (uintptr_t)arg, count, 0, 0, 0);
}

static long set_entry(uint64_t ptr, uint64_t val, unsigned int fd)
{
    struct mmu_update req = { ptr, val };

    return do_mmu_update((uintptr_t)&req, 1, 0, fd, 0, 0);
}

static uint64_t state_of(uint64_t mfn)
{
    return mfn_to_page(MFN(mfn))->state & ~(PGS_FOREIGN | PGS_TYPE_MASK);
}

static uint64_t *l1e(unsigned int i)
{
    return &mm_ram[l1 / 8 + i];
}

static void start(void)
{
    struct mmuext_op op = { .cmd = MMUEXT_NEW_BASEPTR };
    uint64_t table = 0;

    mm_machine_reset(4);
    mm_run_as(0);
    for (int level = 1; level <= 4; level++) {
        uint64_t upper = page_to_mfn(alloc_domain_pages(&mm_dom[0], 0, 0)).m;

        if (level == 1)
            l1 = upper << 12;
        else
            mm_ram[upper * 512] = table << 12 | E_P | E_RW;
        table = upper;
    }
    op.arg1.mfn = table;
    assert_int_equal(do_mmuext_op((uintptr_t)&op, 1, 0, DOMID_SELF, 0, 0), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(grant_table_init(&mm_dom[i]), 0);
    granted = page_to_mfn(alloc_domain_pages(&mm_dom[1], 0, 0)).m;

    mfn_t mfn;
    assert_int_equal(grant_table_frame(&mm_dom[1], 0, &mfn), 0);
    entries = mfn_to_virt(mfn);
}

static void grant(uint32_t ref, uint16_t flags, uint64_t frame)
{
    entries[ref] = (grant_entry_v1_t){ .flags = flags, .domid = 0, .frame = (uint32_t)frame };
}

static struct gnttab_map_grant_ref map(uint32_t ref, uint32_t flags, uint64_t va)
{
    struct gnttab_map_grant_ref op = { .host_addr = va, .flags = flags, .ref = ref, .dom = 1 };

    unsigned long seen = trace_seen[TRACE_EV_grant_map];

    assert_int_equal(grant_op(GNTTABOP_map_grant_ref, &op, 1), 0);
    assert_int_equal(trace_seen[TRACE_EV_grant_map] - seen, op.status == GNTST_okay);
    if (op.status == GNTST_okay)
        assert_int_equal(trace_seen_words[TRACE_EV_grant_map][0], 1 | (uint64_t)ref << 32);
    return op;
}

static int unmap(uint32_t handle, uint64_t va, uint64_t bus)
{
    struct gnttab_unmap_grant_ref op = { .host_addr = va, .dev_bus_addr = bus, .handle = handle };
    unsigned long seen = trace_seen[TRACE_EV_grant_unmap];

    assert_int_equal(grant_op(GNTTABOP_unmap_grant_ref, &op, 1), 0);
    assert_int_equal(trace_seen[TRACE_EV_grant_unmap] - seen, op.status == GNTST_okay);
    return op.status;
}

/* ------------------------------------------------------------------ mapping */

static void test_map(void **state)
{
    struct gnttab_map_grant_ref a, b;
    uint64_t before;

    (void)state;
    start();
    before = state_of(granted);
    grant(9, GTF_permit_access, granted);
    a = map(9, GNTMAP_host_map, 0x3000);
    assert_int_equal(a.status, GNTST_okay);
    assert_int_equal(*l1e(3) & ~(PTE_A | PTE_D | PTE_USER), granted << 12 | E_P | E_RW);
    assert_int_equal(entries[9].flags, GTF_permit_access | GTF_reading | GTF_writing);
    assert_int_equal(state_of(granted), before + 2 * (PGS_COUNT_ONE + PGS_TYPE_ONE));

    /* A second, read-only one, for devices too, named by its entry's address. */
    b = map(9, GNTMAP_host_map | GNTMAP_device_map | GNTMAP_readonly | GNTMAP_contains_pte |
                   1u << _GNTMAP_guest_avail0,
            l1 + 5 * 8);
    assert_int_equal(b.status, GNTST_okay);
    assert_int_equal(b.dev_bus_addr, granted << 12);
    assert_int_equal(*l1e(5) & ~(PTE_A | PTE_USER), granted << 12 | E_P | 0x200);
    assert_int_not_equal(a.handle, b.handle);

    /* Its owner cannot make a page table of it, nor can it be lost when its owner gives it up. */
    mm_run_as(1);
    assert_int_equal(domain_free_page(&mm_dom[1], mfn_to_page(MFN(granted))), 0);
    assert_ptr_equal(mfn_to_page(MFN(granted))->owner, &mm_dom[1]);
    mm_run_as(0);

    assert_int_equal(unmap(a.handle, 0x4000, 0), GNTST_general_error);
    assert_int_equal(unmap(a.handle, 0, 0), GNTST_bad_handle);
    assert_int_equal(unmap(a.handle, 0, granted << 12), GNTST_bad_handle);
    assert_int_equal(unmap(a.handle, 0x3000, 0), GNTST_okay);
    assert_int_equal(*l1e(3), 0);
    assert_int_equal(entries[9].flags, GTF_permit_access | GTF_reading);
    assert_int_equal(unmap(a.handle, 0x3000, 0), GNTST_bad_handle);

    assert_int_equal(unmap(b.handle, 0, 0x1000), GNTST_bad_dev_addr);
    assert_int_equal(unmap(b.handle, 0, granted << 12), GNTST_okay);
    assert_int_equal(entries[9].flags, GTF_permit_access | GTF_reading);
    assert_ptr_equal(mfn_to_page(MFN(granted))->owner, &mm_dom[1]);
    assert_int_equal(unmap(b.handle, l1 + 5 * 8, 0), GNTST_okay);
    assert_int_equal(entries[9].flags, GTF_permit_access);
    assert_null(mfn_to_page(MFN(granted))->owner);
}

static void test_refused(void **state)
{
    struct gnttab_map_grant_ref op;
    uint64_t before, own;

    (void)state;
    start();
    before = state_of(granted);
    own = page_to_mfn(alloc_domain_pages(&mm_dom[0], 0, 0)).m;
    grant(1, GTF_permit_access | GTF_readonly, granted);
    grant(2, GTF_permit_access, own);            /* not the granter's */
    grant(3, GTF_permit_access, MM_FRAMES + 5);
    grant(4, GTF_accept_transfer, granted);
    grant(5, GTF_permit_access, granted);
    entries[5].domid = 7;                        /* for another */
    grant(6, GTF_permit_access, granted);

    assert_int_equal(map(1, GNTMAP_host_map, 0).status, GNTST_bad_gntref);
    assert_int_equal(map(2, GNTMAP_host_map, 0).status, GNTST_bad_page);
    assert_int_equal(map(3, GNTMAP_host_map, 0).status, GNTST_bad_page);
    assert_int_equal(map(4, GNTMAP_host_map, 0).status, GNTST_bad_gntref);
    assert_int_equal(map(5, GNTMAP_host_map, 0).status, GNTST_bad_gntref);
    assert_int_equal(map(6, 0, 0).status, GNTST_bad_gntref);
    assert_int_equal(map(512, GNTMAP_host_map, 0).status, GNTST_bad_gntref);
    assert_int_equal(map(~0u, GNTMAP_host_map, 0).status, GNTST_bad_gntref);
    assert_int_equal(map(6, GNTMAP_host_map, 1UL << 30).status, GNTST_bad_virt_addr);
    assert_int_equal(map(6, GNTMAP_host_map | GNTMAP_contains_pte, own << 12).status,
                     GNTST_bad_virt_addr);
    assert_int_equal(map(6, GNTMAP_host_map | GNTMAP_contains_pte, l1 + 4).status,
                     GNTST_bad_virt_addr);
    op = (struct gnttab_map_grant_ref){ .flags = GNTMAP_host_map, .ref = 6, .dom = 99 };
    assert_int_equal(grant_op(GNTTABOP_map_grant_ref, &op, 1), 0);
    assert_int_equal(op.status, GNTST_bad_domain);
    assert_int_equal(unmap(0, 0x1000, 0), GNTST_bad_handle);
    assert_int_equal(unmap(~0u, 0x1000, 0), GNTST_bad_handle);

    /* Nothing of all that left a trace. */
    assert_int_equal(state_of(granted), before);
    assert_int_equal(entries[1].flags, GTF_permit_access | GTF_readonly);
    for (uint32_t ref = 2; ref <= 6; ref++)
        assert_int_equal(entries[ref].flags, ref == 4 ? GTF_accept_transfer : GTF_permit_access);
    for (unsigned int i = 0; i < 512; i++)
        assert_int_equal(*l1e(i), 0);
    assert_int_equal(map(1, GNTMAP_host_map | GNTMAP_readonly, 0).status, GNTST_okay);
}

/* The guest changes the entry by itself: the handle still holds the frame, and unmap says so. */
static void test_entry_changed(void **state)
{
    struct gnttab_map_grant_ref a;
    uint64_t before, own;

    (void)state;
    start();
    before = state_of(granted);
    own = page_to_mfn(alloc_domain_pages(&mm_dom[0], 0, 0)).m;
    grant(9, GTF_permit_access, granted);
    a = map(9, GNTMAP_host_map, 0x3000);
    assert_int_equal(set_entry(l1 + 3 * 8, own << 12 | E_P, DOMID_SELF), 0);
    assert_int_equal(state_of(granted), before + PGS_COUNT_ONE + PGS_TYPE_ONE);
    assert_int_equal(unmap(a.handle, 0x3000, 0), GNTST_general_error);
    assert_int_equal(pte_frame(*l1e(3)), own);
    assert_int_equal(entries[9].flags, GTF_permit_access | GTF_reading | GTF_writing);

    /* What is left is dropped when the domain ends. */
    assert_int_equal(grant_table_release_maps(&mm_dom[0], 0), 1);
    assert_int_equal(grant_table_release_maps(&mm_dom[0], 10), 0);
    assert_int_equal(state_of(granted), before);
    assert_int_equal(entries[9].flags, GTF_permit_access);
}

static void test_replace(void **state)
{
    struct gnttab_unmap_and_replace op = { .host_addr = 0x3000, .new_addr = 0x6000 };
    uint64_t before, own, own_state;

    (void)state;
    start();
    before = state_of(granted);
    own = page_to_mfn(alloc_domain_pages(&mm_dom[0], 0, 0)).m;
    assert_int_equal(set_entry(l1 + 6 * 8, own << 12 | E_P | E_RW, DOMID_SELF), 0);
    own_state = state_of(own);
    grant(9, GTF_permit_access, granted);
    op.handle = map(9, GNTMAP_host_map, 0x3000).handle;
    assert_int_equal(grant_op(GNTTABOP_unmap_and_replace, &op, 1), 0);
    assert_int_equal(op.status, GNTST_okay);
    assert_int_equal(*l1e(6), 0);
    assert_int_equal(pte_frame(*l1e(3)), own);
    assert_int_equal(state_of(own), own_state);
    assert_int_equal(state_of(granted), before);
}

/* ------------------------------------------------------------------ copying */

static struct gnttab_copy copy_op(uint64_t src, uint64_t dst, uint16_t flags)
{
    struct gnttab_copy op = { .flags = flags, .len = 100 };

    op.source.domid = flags & GNTCOPY_source_gref ? 1 : DOMID_SELF;
    op.dest.domid = flags & GNTCOPY_dest_gref ? 1 : DOMID_SELF;
    op.source.u.gmfn = src;
    op.dest.u.gmfn = dst;
    if (flags & GNTCOPY_source_gref)
        op.source.u.ref = (grant_ref_t)src;
    if (flags & GNTCOPY_dest_gref)
        op.dest.u.ref = (grant_ref_t)dst;
    op.source.offset = 16;
    op.dest.offset = 40;
    return op;
}

static int run_copy(struct gnttab_copy op)
{
    unsigned long seen = trace_seen[TRACE_EV_grant_copy];

    assert_int_equal(grant_op(GNTTABOP_copy, &op, 1), 0);
    assert_int_equal(trace_seen[TRACE_EV_grant_copy] - seen, 1);
    assert_int_equal((int32_t)(trace_seen_words[TRACE_EV_grant_copy][1] >> 32), op.status);
    return op.status;
}

static void test_copy(void **state)
{
    uint64_t before, own;
    struct gnttab_copy op;
    uint8_t *from, *to;

    (void)state;
    start();
    before = state_of(granted);
    own = page_to_mfn(alloc_domain_pages(&mm_dom[0], 0, 0)).m;
    from = (uint8_t *)&mm_ram[granted * 512];
    to = (uint8_t *)&mm_ram[own * 512];
    for (unsigned int i = 0; i < PAGE_SIZE; i++)
        from[i] = (uint8_t)(i * 7 + 1);
    grant(2, GTF_permit_access | GTF_readonly, granted);

    assert_int_equal(run_copy(copy_op(2, own, GNTCOPY_source_gref)), GNTST_okay);
    assert_memory_equal(to + 40, from + 16, 100);
    assert_int_equal(to[39] | to[140], 0);
    assert_int_equal(entries[2].flags, GTF_permit_access | GTF_readonly);

    /* Not into a read-only grant or a page table, not beyond the page, not others' frames. */
    assert_int_equal(run_copy(copy_op(own, 2, GNTCOPY_dest_gref)), GNTST_bad_gntref);
    assert_int_equal(run_copy(copy_op(2, l1 >> 12, GNTCOPY_source_gref)), GNTST_bad_page);
    assert_int_equal(run_copy(copy_op(2, granted, GNTCOPY_source_gref)), GNTST_bad_page);
    op = copy_op(2, own, GNTCOPY_source_gref);
    op.source.offset = PAGE_SIZE - 99;
    assert_int_equal(run_copy(op), GNTST_bad_copy_arg);
    op = copy_op(granted, own, 0);
    op.source.domid = 1;
    assert_int_equal(run_copy(op), GNTST_permission_denied);

    grant(3, GTF_permit_access, granted);
    assert_int_equal(run_copy(copy_op(own, 3, GNTCOPY_dest_gref)), GNTST_okay);
    assert_int_equal(from[40], to[16]);
    assert_int_equal(state_of(granted), before);
}

/* ------------------------------------------------------------------ the table */

static void test_table(void **state)
{
    struct gnttab_setup_table setup = { .dom = DOMID_SELF, .nr_frames = 3 };
    struct gnttab_query_size query = { .dom = DOMID_SELF };
    struct gnttab_set_version version = { .version = 2 };
    struct gnttab_get_version got = { .dom = DOMID_SELF };
    xen_pfn_t frames[3] = { 0 };
    uint64_t free_before;

    (void)state;
    start();
    free_before = free_frames();
    assert_int_equal(grant_op(GNTTABOP_query_size, &query, 1), 0);
    assert_int_equal(query.status, GNTST_okay);
    assert_int_equal(query.nr_frames, 1);
    assert_int_equal(query.max_nr_frames, GRANT_MAX_FRAMES);
    setup.frame_list.p = frames;
    assert_int_equal(grant_op(GNTTABOP_setup_table, &setup, 1), 0);
    assert_int_equal(setup.status, GNTST_okay);
    for (int i = 0; i < 3; i++)
        assert_int_equal(set_entry(l1 + 8 * (unsigned)i, frames[i] << 12 | E_P | E_RW, DOMID_SELF),
                         0);
    assert_int_equal(grant_op(GNTTABOP_setup_table, &setup, 2), -XEN_EINVAL);
    setup.nr_frames = GRANT_MAX_FRAMES + 1;
    assert_int_equal(grant_op(GNTTABOP_setup_table, &setup, 1), 0);
    assert_int_equal(setup.status, GNTST_general_error);

    assert_int_equal(grant_op(GNTTABOP_set_version, &version, 1), -XEN_ENOSYS);
    version.version = 1;
    assert_int_equal(grant_op(GNTTABOP_set_version, &version, 1), 0);
    assert_int_equal(grant_op(GNTTABOP_get_version, &got, 1), 0);
    assert_int_equal(got.version, 1);
    assert_int_equal(grant_op(GNTTABOP_query_size, NULL, 1), -XEN_EFAULT);
    assert_int_equal(grant_op(GNTTABOP_transfer, &query, 1), -XEN_ENOSYS);
    assert_int_equal(grant_op(~0u, &query, 1), -XEN_ENOSYS);

    /* The other domain's table is only for who is privileged. */
    query.dom = 1;
    assert_int_equal(grant_op(GNTTABOP_query_size, &query, 1), 0);
    assert_int_equal(query.status, GNTST_okay);
    mm_run_as(1);
    query.dom = 0;
    assert_int_equal(grant_op(GNTTABOP_query_size, &query, 1), 0);
    assert_int_equal(query.status, GNTST_permission_denied);
    mm_run_as(0);

    for (int i = 0; i < 3; i++)
        assert_int_equal(set_entry(l1 + 8 * (unsigned)i, 0, DOMID_SELF), 0);
    grant_table_destroy(&mm_dom[0]);
    assert_true(free_frames() > free_before);
    assert_int_equal(mm_dom[0].mm.shared_pages, 0);
}

/* ------------------------------------------------------------------ many */

/* Random maps and unmaps: counts and flags are those of the mappings that are there. */
static void test_random(void **state)
{
    struct { bool used, ro; uint32_t handle, ref; } at[512] = { 0 };
    unsigned int writers[8] = { 0 }, readers[8] = { 0 };
    uint64_t frame[8], base[8], seed = 12345;

    (void)state;
    start();
    for (unsigned int r = 0; r < 8; r++) {
        frame[r] = page_to_mfn(alloc_domain_pages(&mm_dom[1], 0, 0)).m;
        base[r] = state_of(frame[r]);
        grant(r, GTF_permit_access | (r & 1 ? GTF_readonly : 0), frame[r]);
    }
    for (unsigned int step = 0; step < 50000; step++) {
        unsigned int i, r;

        seed = seed * 6364136223846793005UL + 1442695040888963407UL;
        i = 1 + (seed >> 40) % 511; /* address 0 means: no mapping */
        r = seed >> 50 & 7;
        if (!at[i].used) {
            struct gnttab_map_grant_ref op;

            at[i].ro = seed >> 33 & 1;
            op = map(r, GNTMAP_host_map | (at[i].ro ? GNTMAP_readonly : 0), (uint64_t)i << 12);
            if ((r & 1) && !at[i].ro) {
                assert_int_equal(op.status, GNTST_bad_gntref);
                continue;
            }
            assert_int_equal(op.status, GNTST_okay);
            at[i].used = true;
            at[i].handle = op.handle;
            at[i].ref = r;
            *(at[i].ro ? &readers[r] : &writers[r]) += 1;
        } else {
            r = at[i].ref;
            assert_int_equal(unmap(at[i].handle, (uint64_t)i << 12, 0), GNTST_okay);
            at[i].used = false;
            *(at[i].ro ? &readers[r] : &writers[r]) -= 1;
        }
        assert_int_equal(state_of(frame[r]),
                         base[r] + 2 * (writers[r] * (PGS_COUNT_ONE + PGS_TYPE_ONE) +
                                        readers[r] * PGS_COUNT_ONE));
        assert_int_equal(entries[r].flags & (GTF_reading | GTF_writing),
                         (writers[r] ? GTF_writing | GTF_reading : 0) |
                             (readers[r] ? GTF_reading : 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map),     cmocka_unit_test(test_refused),
        cmocka_unit_test(test_entry_changed), cmocka_unit_test(test_replace),
        cmocka_unit_test(test_copy),    cmocka_unit_test(test_table),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
