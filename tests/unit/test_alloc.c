/* SPDX-License-Identifier: MIT */
/*
 * The frame allocator and hv_alloc(): blocks never overlap, are aligned and zero, buddies unite
 * again, and what is not RAM or is reserved is never given.
 */
#include <cmocka.h>

#include "mm/mm_int.h"

#define FIRST_RAM 16

static uint64_t rng_state = 88172645463325252UL;

static uint64_t rng(uint64_t n)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state % n;
}

/* ------------------------------------------------------------------ blocks */

static bool taken[MM_FRAMES];

static void take(const struct page_info *pg, unsigned int order, bool zeroed)
{
    uint64_t m = page_to_mfn(pg).m;

    assert_int_equal(m & ((1UL << order) - 1), 0);
    for (uint64_t i = m; i < m + (1UL << order); i++) {
        assert_in_range(i, FIRST_RAM, MM_FRAMES - 1);
        assert_false(taken[i]);
        assert_int_equal(mfn_to_page(MFN(i))->state, 0);
        taken[i] = true;
        for (unsigned int w = 0; zeroed && w < 512; w += 73)
            assert_int_equal(mm_ram[i * 512 + w], 0);
        for (unsigned int w = 0; w < 512; w += 73)
            mm_ram[i * 512 + w] = ~i;
    }
}

static void give(struct page_info *pg, unsigned int order)
{
    uint64_t m = page_to_mfn(pg).m;

    for (uint64_t i = m; i < m + (1UL << order); i++) {
        assert_true(taken[i]);
        /* Nobody wrote to it while it was ours. */
        assert_int_equal(mm_ram[i * 512 + 73], ~i);
        taken[i] = false;
    }
    /* Clean blocks among the others: a united block is dirty if either half is. */
    if (rng(2)) {
        free_pages(pg, order);
    } else {
        clear_frames(page_to_virt(pg), 1UL << order);
        free_pages_clean(pg, order);
    }
}

static unsigned int largest_block(void)
{
    for (unsigned int order = MAX_ORDER;; order--) {
        struct page_info *pg = alloc_pages(order, 0);

        if (pg) {
            free_pages(pg, order);
            return order;
        }
        assert_true(order > 0);
    }
}

static void test_blocks(void **state)
{
    struct { struct page_info *pg; unsigned int order; } held[MM_FRAMES];
    unsigned int nr = 0, before;
    uint64_t free_now;

    (void)state;
    mm_machine_reset(FIRST_RAM);
    memset(taken, 0, sizeof(taken));
    free_now = free_frames();
    assert_int_equal(free_now, MM_FRAMES - FIRST_RAM);
    assert_int_equal(total_frames(), free_now);
    before = largest_block();
    assert_int_equal(before, 7);
    for (unsigned int step = 0; step < 40000; step++) {
        bool want = step % 4000 < 2000 ? rng(3) : !rng(3);

        if (want) {
            unsigned int order = rng(3) ? 0 : (unsigned int)rng(6);
            unsigned int flags = rng(2) ? ALLOC_NO_SCRUB : 0;
            struct page_info *pg = alloc_pages(order, flags);

            if (!pg) {
                assert_true(order > 0 || free_frames() == 0);
                continue;
            }
            take(pg, order, !flags);
            held[nr].pg = pg;
            held[nr++].order = order;
            free_now -= 1UL << order;
        } else if (nr) {
            unsigned int i = (unsigned int)rng(nr);

            give(held[i].pg, held[i].order);
            free_now += 1UL << held[i].order;
            held[i] = held[--nr];
        }
        assert_int_equal(free_frames(), free_now);
    }
    while (nr--)
        give(held[nr].pg, held[nr].order);
    assert_int_equal(free_frames(), total_frames());
    assert_int_equal(largest_block(), before);
}

/* Every last frame can be had, one by one, and then none. */
static void test_exhaustion(void **state)
{
    static struct page_info *pg[MM_FRAMES];
    unsigned int n = 0;

    (void)state;
    mm_machine_reset(FIRST_RAM);
    memset(taken, 0, sizeof(taken));
    while ((pg[n] = alloc_pages(0, 0)))
        take(pg[n++], 0, true);
    assert_int_equal(n, MM_FRAMES - FIRST_RAM);
    assert_null(alloc_hv_pages(0));
    assert_null(hv_alloc(16));
    assert_null(alloc_pages(MAX_ORDER + 1, 0));
    while (n)
        give(pg[--n], 0);
    assert_int_equal(largest_block(), 7);
}

/* Limits on the address, in bits: 17 bits are frames below 32. */
static void test_address_limit(void **state)
{
    unsigned int n = 0;

    (void)state;
    mm_machine_reset(FIRST_RAM);
    assert_null(alloc_pages(5, ALLOC_BITS(17)));
    for (struct page_info *pg; (pg = alloc_pages(1, ALLOC_BITS(17))); n++)
        assert_true(page_to_mfn(pg).m + 2 <= 32);
    assert_int_equal(n, 8);
    assert_null(alloc_pages(0, ALLOC_BITS(12)));
    assert_non_null(alloc_pages(0, ALLOC_BELOW_4G));
    assert_non_null(alloc_pages(0, ALLOC_BITS(40)));
}

/* Holes, unaligned ends and reserved regions, which may overlap. */
static void test_regions(void **state)
{
    const struct mem_region ram[] = {
        { 0x80000, 0xa0800 },  /* frames 128-159, and half of one */
        { 0x10800, 0x40000 },  /* not sorted: frames 17-63 */
    };
    const struct mem_region reserved[] = {
        { 0x20000, 0x20001 },  /* frame 32 */
        { 0x1f800, 0x21000 },  /* frames 31, 32 */
        { 0x9f000, 0xffff0000 },
        { 0x80000, 0x80000 },  /* nothing */
    };
    unsigned int n = 0;

    (void)state;
    mm_machine_reset(FIRST_RAM);
    mm_init(MM_FRAMES, ram, 2, reserved, 4);
    assert_int_equal(free_frames(), (63 - 17 + 1 - 2) + (158 - 128 + 1));
    for (struct page_info *pg; (pg = alloc_pages(0, 0)); n++) {
        uint64_t m = page_to_mfn(pg).m;

        assert_true((m >= 17 && m <= 63 && m != 31 && m != 32) || (m >= 128 && m <= 158));
    }
    assert_int_equal(n, 76);
    for (uint64_t m = 0; m < MM_FRAMES; m++) {
        bool is_ram = (m >= 17 && m <= 63) || (m >= 128 && m <= 159);

        assert_ptr_equal(mfn_to_page(MFN(m))->owner, is_ram ? NULL : &dom_io);
        assert_int_equal(get_gpfn(MFN(m)), INVALID_M2P_ENTRY);
    }
    mm_leave_to_firmware(31, 32);
    assert_ptr_equal(mfn_to_page(MFN(31))->owner, &dom_io);
    assert_int_equal(free_frames(), 0);
    /* Boot memory that is given back later; partial pages stay. */
    mm_release_region(0x1f800, 0x21000);
    assert_int_equal(free_frames(), 1);
    assert_int_equal(page_to_mfn(alloc_pages(0, 0)).m, 32);
}

/* ------------------------------------------------------------------ hv_alloc */

static void test_hv_alloc(void **state)
{
    struct { uint8_t *p; size_t size; uint8_t fill; } held[400];
    unsigned int nr = 0;
    uint64_t free_before;

    (void)state;
    mm_machine_reset(FIRST_RAM);
    free_before = free_frames();
    for (unsigned int step = 0; step < 60000; step++) {
        if (nr < ARRAY_SIZE(held) && rng(2)) {
            size_t size = 1 + (rng(20) ? rng(300) : rng(9000)), class = 16;
            uint8_t *p = hv_alloc(size);

            if (!p)
                continue;
            while (class < size)
                class *= 2;
            assert_int_equal((uintptr_t)p & (MIN(class, PAGE_SIZE) - 1), 0);
            for (size_t i = 0; i < size; i++)
                assert_int_equal(p[i], 0);
            held[nr].p = p;
            held[nr].size = size;
            held[nr].fill = (uint8_t)(1 + rng(255));
            memset(p, held[nr].fill, size);
            nr++;
        } else if (nr) {
            unsigned int i = (unsigned int)rng(nr);

            for (size_t b = 0; b < held[i].size; b++)
                assert_int_equal(held[i].p[b], held[i].fill);
            hv_free(held[i].p, held[i].size);
            held[i] = held[--nr];
        }
    }
    while (nr--)
        hv_free(held[nr].p, held[nr].size);
    hv_free(NULL, 100);
    assert_int_equal(free_frames(), free_before);
    assert_null(hv_alloc(65537));
    assert_non_null(hv_alloc(65536));
}

/* ------------------------------------------------------------------ domains' frames */

static void test_domain_limit(void **state)
{
    struct domain *d = &mm_dom[1];
    struct page_info *pg;
    uint64_t free_before;

    (void)state;
    mm_machine_reset(FIRST_RAM);
    free_before = free_frames();
    d->mm.max_pages = 6;
    pg = alloc_domain_pages(d, 2, 0);
    assert_non_null(pg);
    assert_int_equal(d->mm.tot_pages, 4);
    assert_null(alloc_domain_pages(d, 2, 0));
    assert_int_equal(free_frames(), free_before - 4);
    assert_non_null(alloc_domain_pages(d, 1, 0));
    assert_null(alloc_domain_pages(d, 0, 0));
    assert_non_null(alloc_domain_pages(d, 0, ALLOC_NO_LIMIT));

    /* Scrubbed when it is freed; not twice; not by another. */
    mm_ram[page_to_mfn(pg).m * 512 + 5] = 42;
    set_gpfn(page_to_mfn(pg), 7);
    assert_int_equal(domain_free_page(&mm_dom[0], pg), -XEN_EINVAL);
    assert_int_equal(domain_free_page(d, pg), 0);
    assert_int_equal(domain_free_page(d, pg), -XEN_EINVAL);
    assert_int_equal(mm_ram[page_to_mfn(pg).m * 512 + 5], 0);
    assert_int_equal(get_gpfn(page_to_mfn(pg)), INVALID_M2P_ENTRY);
    assert_int_equal(d->mm.tot_pages, 6);

    d->dying = true;
    assert_null(alloc_domain_pages(d, 0, ALLOC_NO_LIMIT));
    while (domain_relinquish_memory(d, 1))
        ;
    assert_int_equal(free_frames(), free_before);
    assert_true(domain_mm_empty(d));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks),        cmocka_unit_test(test_exhaustion),
        cmocka_unit_test(test_address_limit), cmocka_unit_test(test_regions),
        cmocka_unit_test(test_hv_alloc),      cmocka_unit_test(test_domain_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
