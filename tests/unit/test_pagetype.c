/* SPDX-License-Identifier: MIT */
/*
 * The page-type state machine against the model, by random sequences of hypercalls of two domains.
 *
 * After each operation: accepted or refused as the model says; every count, type, owner and word is
 * the model's (so refused operations changed nothing); and no TLB can hold what is dangerous, TLBs
 * being taken to hold everything that was reachable since their last flush.
 */
#include <cmocka.h>

#include "mm/mm_int.h"
#include "pagetype_model.h"

#define STEPS    80000
#define HV_WORD  0x00000000deadb000UL /* not present */

static struct model m;
static struct view now;
static uint64_t rng_state;
static const char *op_name;
static unsigned int step;

static uint64_t rng(uint64_t n)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state % n;
}

#define CHECK(c, ...)                                                                              \
    do {                                                                                           \
        if (!(c)) {                                                                                \
            print_error("step %u, %s: ", step, op_name);                                           \
            print_error(__VA_ARGS__);                                                              \
            print_error("\n");                                                                     \
            fail();                                                                                \
        }                                                                                          \
    } while (0)

/* ------------------------------------------------------------------ TLBs */

struct stale { bool set; unsigned int epoch; };

static struct {
    struct stale writable[FRAMES], readable[FRAMES], table[FRAMES][5];
} tlb[2];

static void on_flush(unsigned int cpu)
{
    memset(&tlb[cpu], 0, sizeof(tlb[cpu]));
}

static void tlb_fill(unsigned int cpu, uint32_t table, int level)
{
    tlb[cpu].table[table][level] = (struct stale){ true, m.epoch[table] };
    for (unsigned int s = 0; s < SLOTS; s++) {
        uint64_t e = m.word[table][s].e, f = E_FRAME(e);

        if (!(e & E_P) || (level == 4 && model_slot_is_hv(s)) || f >= FRAMES)
            continue;
        if (level > 1)
            tlb_fill(cpu, (uint32_t)f, level - 1);
        else if (e & E_RW)
            tlb[cpu].writable[f] = (struct stale){ true, m.epoch[f] };
        else
            tlb[cpu].readable[f] = (struct stale){ true, m.epoch[f] };
    }
}

static void tlb_check(int plain_written)
{
    for (unsigned int c = 0; c < 2; c++) {
        for (int f = FIRST_RAM; f < FRAMES; f++) {
            const struct stale *w = &tlb[c].writable[f], *r = &tlb[c].readable[f];

            CHECK(!w->set || w->epoch == m.epoch[f], "frame %x freed, still writable by a TLB", f);
            CHECK(!r->set || r->epoch == m.epoch[f], "frame %x freed, still in a TLB", f);
            CHECK(!w->set || !now.level[f], "table %x still writable by a TLB", f);
            for (int l = 1; l <= 4; l++) {
                const struct stale *t = &tlb[c].table[f][l];

                CHECK(!t->set || t->epoch == m.epoch[f], "frame %x freed, still walked", f);
                CHECK(!t->set || (!now.writable[f] && f != plain_written),
                      "frame %x writable, still walked as L%d", f, l);
                CHECK(!t->set || !now.level[f] || now.level[f] == l,
                      "frame %x is L%d, still walked as L%d", f, now.level[f], l);
            }
        }
    }
}

/* ------------------------------------------------------------------ comparing */

static void compare_frame(int f)
{
    const struct page_info *pg = mfn_to_page(MFN((uint64_t)f));
    uint64_t state = pg->state, type = state & PGS_TYPE_MASK;
    uint64_t count = state / PGS_COUNT_ONE, tcount = (state & PGS_TCOUNT_MASK) / PGS_TYPE_ONE;
    uint64_t trefs = (uint64_t)now.trefs[f], w = (uint64_t)now.writable[f];

    if (m.owner[f] == NO_OWNER) {
        CHECK(!pg->owner && count == 0 && tcount == 0, "frame %x is not free: %lx", f, state);
        return;
    }
    CHECK(pg->owner == &mm_dom[m.owner[f]], "owner of frame %x", f);
    CHECK(count == m.alloc[f] + trefs + w + (uint64_t)now.readable[f],
          "count of frame %x: %lx", f, state);
    CHECK(!!(state & PGS_ALLOC) == m.alloc[f], "alloc of frame %x: %lx", f, state);
    CHECK(!!(state & PGS_PINNED) == !!m.pinned[f], "pin of frame %x: %lx", f, state);
    CHECK(tcount == trefs + w, "type count of frame %x: %lx, model %lu+%lu", f, state, trefs, w);
    if (trefs)
        CHECK((int)type_level(type) == now.level[f] && (state & PGS_VALID),
              "type of frame %x: %lx, model L%d", f, state, now.level[f]);
    else
        CHECK(!(state & PGS_VALID), "frame %x is no table: %lx", f, state);
    if (w)
        CHECK(type == PGT_WRITABLE, "type of frame %x: %lx, model writable", f, state);
    for (unsigned int s = 0; s < SLOTS; s++) {
        uint64_t mem = mm_ram[(uint64_t)f * 512 + model_slot[s]];

        CHECK(((mem ^ m.word[f][s].e) & ~(E_US | E_G)) == 0, "word %u of frame %x: %lx, model %lx",
              model_slot[s], f, mem, m.word[f][s].e);
        if (now.trefs[f] && (mem & E_P) && !(now.level[f] == 4 && model_slot_is_hv(s)))
            CHECK((mem & E_US) && (now.level[f] != 1 || !(mem & E_G)), "flags of entry %lx", mem);
    }
}

static void compare_devices(void)
{
    for (int f = 0; f < FIRST_RAM; f++) {
        uint64_t state = mfn_to_page(MFN((uint64_t)f))->state;

        CHECK(state / PGS_COUNT_ONE == 1 + (uint64_t)now.writable[f] + (uint64_t)now.readable[f],
              "count of device frame %d: %lx", f, state);
    }
}

/* The operation was accepted (m is changed) or refused; plain: frame stored to as plain memory. */
static void after(bool accepted, int plain)
{
    struct view before = now;

    if (accepted)
        model_settle(&m, &before, &now, HV_WORD);
    CHECK(now.valid, "the model broke its own rules");
    for (int f = FIRST_RAM; f < FRAMES; f++)
        compare_frame(f);
    compare_devices();
    tlb_check(plain);
    for (int d = 0; d < 2; d++) {
        unsigned int cpu = mm_vcpu[d].hot->cpu->id;

        if (m.kernel[d])
            tlb_fill(cpu, m.kernel[d], 4);
        if (m.user[d])
            tlb_fill(cpu, m.user[d], 4);
    }
}

/* ------------------------------------------------------------------ random choices */

/* Pages lean to a role, so that trees come about: 0-1 data, 2-5 tables of level 1-4. */
static int role_of(int f)
{
    return f % 6;
}

static int random_page(int dom, int role)
{
    int f = FIRST_RAM + (int)rng(FRAMES - FIRST_RAM);

    for (int i = 0; i < 2 * FRAMES; i++) {
        if (m.owner[f] == dom && (role < 0 || role_of(f) == role || i >= FRAMES))
            return f;
        f = f + 1 < FRAMES ? f + 1 : FIRST_RAM;
    }
    return FIRST_RAM;
}

static uint64_t random_entry(int dom, int page)
{
    int level = role_of(page) - 1;
    uint64_t e = rng(8) ? E_P : 0, frame;

    if (rng(5) == 0)
        return 0;
    if (level > 1 && rng(12))
        frame = (uint64_t)random_page(dom, level);
    else if (rng(8))
        frame = (uint64_t)random_page(rng(16) ? dom : !dom, -1);
    else
        frame = rng(4) ? rng(FRAMES + 4) : 1UL << (20 + rng(20));
    if (rng(2) && !(level == 1 && frame < FRAMES && role_of((int)frame) > 1 && rng(8)))
        e |= E_RW;
    if (rng(16) == 0)
        e |= E_PSE & (level > 1 ? ~0UL : 0);
    return e | (rng(2) ? E_US : 0) | (rng(4) ? 0 : E_G) | frame << 12;
}

/* ------------------------------------------------------------------ operations */

/* Change a word of a live table in the model: whether it may be, and then do it. */
static bool model_update(int page, unsigned int s, struct model_entry new_entry)
{
    struct model_entry *w = &m.word[page][s], old = *w;
    int level = now.level[page];
    struct extra x = { level, m.owner[page], old };
    struct view v;

    if (level == 4 && model_slot_is_hv(s))
        return false;
    if (level > 1 && new_entry.foreign)
        return false;
    /* Nothing changes that is counted, so whose frame it is is not asked again. */
    if (level == 1 && (old.e & new_entry.e & E_P) && !new_entry.foreign &&
        !((old.e ^ new_entry.e) & (E_RW | 0x000ffffffffff000UL)))
        new_entry.foreign = old.foreign;
    *w = new_entry;
    model_derive(&m, &x, &v);
    if (!v.valid)
        *w = old;
    return v.valid;
}

static void op_mmu_update(int dom)
{
    int page = random_page(rng(20) ? dom : !dom, rng(4) ? 2 + (int)rng(4) : -1), plain = -1;
    bool foreign = dom == 0 && rng(10) == 0;
    unsigned int s = (unsigned int)rng(SLOTS);
    struct model_entry e = { random_entry(dom, page), foreign };
    struct mmu_update req = {
        .ptr = ((uint64_t)page << 12) + model_slot[s] * 8 +
               (rng(4) ? MMU_NORMAL_PT_UPDATE : MMU_PT_UPDATE_PRESERVE_AD),
        .val = e.e,
    };
    bool accept;
    uint32_t done = 77;
    long rc;

    if (foreign) {
        e.e = (uint64_t)random_page(rng(8) != 0, -1) << 12 | (e.e & 0xfff);
        req.val = e.e;
    }
    op_name = foreign ? "mmu_update foreign" : "mmu_update";
    if (m.owner[page] != dom) {
        accept = false;
    } else if (now.level[page]) {
        struct model_entry check = e;

        /* Named as another's, it must be just that; devices may be named as anyone's. */
        uint64_t f = E_FRAME(e.e);

        if (foreign && (e.e & E_P) && f < FRAMES && f >= FIRST_RAM && m.owner[f] != 1)
            accept = false;
        else
            accept = model_update(page, s, check);
    } else {
        accept = true;
        plain = page;
        m.word[page][s] = (struct model_entry){ e.e, false };
    }
    rc = do_mmu_update((uintptr_t)&req, 1, (uintptr_t)&done, foreign ? 1 : DOMID_SELF, 0, 0);
    CHECK((rc == 0) == accept, "frame %x slot %u value %lx: rc %ld, model %d", page, model_slot[s],
          e.e, rc, accept);
    CHECK(done == (rc == 0), "done count %u", done);
    after(accept, plain);
}

static void op_va_mapping(int dom)
{
    unsigned int s[4];
    int page = (int)m.kernel[dom];
    uint64_t va = 0, val;
    bool accept = page != 0;
    long rc;

    op_name = "update_va_mapping";
    for (int l = 4; l >= 1; l--) {
        s[l - 1] = (unsigned int)rng(SLOTS);
        va |= (uint64_t)model_slot[s[l - 1]] << (12 + 9 * (l - 1));
        if (l == 1 || !accept)
            continue;
        if ((l == 4 && model_slot_is_hv(s[3])) || !(m.word[page][s[l - 1]].e & E_P))
            accept = false;
        else
            page = (int)E_FRAME(m.word[page][s[l - 1]].e);
    }
    if (!m.kernel[dom])
        return;
    val = random_entry(dom, 2);
    accept = accept && model_update(page, s[0], (struct model_entry){ val, false });
    rc = do_update_va_mapping(va, val, rng(2) ? UVMF_NONE : UVMF_TLB_FLUSH | UVMF_ALL, 0, 0, 0);
    CHECK((rc == 0) == accept, "va %lx value %lx: rc %ld, model %d", va, val, rc, accept);
    after(accept, -1);
}

static long mmuext(unsigned int cmd, uint64_t mfn)
{
    struct mmuext_op op = { .cmd = cmd, .arg1.mfn = mfn };

    return do_mmuext_op((uintptr_t)&op, 1, 0, DOMID_SELF, 0, 0);
}

static void op_pin(int dom)
{
    int page = random_page(rng(20) ? dom : !dom, rng(4) ? 2 + (int)rng(4) : -1);
    int level = rng(4) ? MAX(role_of(page) - 1, 1) : 1 + (int)rng(4);
    struct view v;
    bool accept = m.owner[page] == dom && m.alloc[page] && !m.pinned[page];
    long rc;

    op_name = "pin";
    if (accept) {
        m.pinned[page] = level;
        model_derive(&m, NULL, &v);
        accept = v.valid;
        if (!accept)
            m.pinned[page] = 0;
    }
    rc = mmuext(MMUEXT_PIN_L1_TABLE + (unsigned int)level - 1, (uint64_t)page);
    CHECK((rc == 0) == accept, "frame %x as L%d: rc %ld, model %d", page, level, rc, accept);
    after(accept, -1);
}

static void op_unpin(int dom)
{
    int page = random_page(dom, rng(4) ? 2 + (int)rng(4) : -1);
    bool accept = m.pinned[page] != 0;
    long rc = mmuext(MMUEXT_UNPIN_TABLE, (uint64_t)page);

    op_name = "unpin";
    CHECK((rc == 0) == accept, "frame %x: rc %ld", page, rc);
    m.pinned[page] = 0;
    after(accept, -1);
}

static void op_baseptr(int dom)
{
    bool user = rng(2);
    uint32_t *slot = user ? &m.user[dom] : &m.kernel[dom], old = *slot;
    int page = user && rng(4) == 0 ? 0 : random_page(dom, rng(6) ? 5 : -1);
    struct extra x = { 5, dom, { (uint64_t)old << 12 | E_P, false } };
    struct view v;
    bool accept;
    long rc;

    op_name = user ? "new_user_baseptr" : "new_baseptr";
    *slot = (uint32_t)page;
    if (!old)
        x.level = 0;
    model_derive(&m, &x, &v);
    accept = v.valid;
    if (!accept)
        *slot = old;
    rc = mmuext(user ? MMUEXT_NEW_USER_BASEPTR : MMUEXT_NEW_BASEPTR, (uint64_t)page);
    CHECK((rc == 0) == accept, "frame %x: rc %ld, model %d", page, rc, accept);
    CHECK(mm_vcpu[dom].hot->kernel_cr3 == (uint64_t)m.kernel[dom] << 12 &&
              mm_vcpu[dom].hot->user_cr3 == (uint64_t)m.user[dom] << 12,
          "CR3 values");
    after(accept, -1);
}

static int owned(int dom)
{
    int n = 0;

    for (int f = FIRST_RAM; f < FRAMES; f++)
        n += m.owner[f] == dom;
    return n;
}

static void op_decrease(int dom)
{
    xen_pfn_t frame = (xen_pfn_t)random_page(rng(20) ? dom : !dom, -1);
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };
    bool accept = m.owner[frame] == dom && m.alloc[frame] && !m.pinned[frame];
    long rc;

    op_name = "decrease_reservation";
    r.extent_start.p = &frame;
    rc = do_memory_op(XENMEM_decrease_reservation, (uintptr_t)&r, 0, 0, 0, 0);
    CHECK(rc == accept, "frame %lx: rc %ld", frame, rc);
    if (accept)
        m.alloc[frame] = false;
    after(accept, -1);
}

static void op_populate(int dom)
{
    xen_pfn_t frame = 0x1234;
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };
    long rc;

    op_name = "populate_physmap";
    if (owned(dom) > 40)
        return;
    r.extent_start.p = &frame;
    rc = do_memory_op(XENMEM_populate_physmap, (uintptr_t)&r, 0, 0, 0, 0);
    CHECK(rc == 1, "rc %ld", rc);
    CHECK(frame >= FIRST_RAM && frame < FRAMES && m.owner[frame] == NO_OWNER, "frame %lx", frame);
    CHECK(mm_m2p[frame] == 0x1234, "M2P");
    m.owner[frame] = dom;
    m.alloc[frame] = true;
    after(true, -1);
}

static void op_exchange_one(int dom)
{
    xen_pfn_t in = (xen_pfn_t)random_page(rng(20) ? dom : !dom, -1), out = 0x77;
    struct xen_memory_exchange x = {
        .in = { .nr_extents = 1, .domid = DOMID_SELF },
        .out = { .nr_extents = 1, .domid = DOMID_SELF },
    };
    bool accept = m.owner[in] == dom && m.alloc[in] && !now.trefs[in] && !now.writable[in] &&
                  !now.readable[in];
    long rc;

    op_name = "exchange";
    x.in.extent_start.p = &in;
    x.out.extent_start.p = &out;
    rc = do_memory_op(XENMEM_exchange, (uintptr_t)&x, 0, 0, 0, 0);
    CHECK((rc == 0) == accept && x.nr_exchanged == accept, "frame %lx: rc %ld", in, rc);
    if (accept) {
        m.alloc[in] = false;
        model_settle(&m, &now, &now, HV_WORD);
        CHECK(m.owner[out] == NO_OWNER, "frame %lx given twice", out);
        m.owner[out] = dom;
        m.alloc[out] = true;
    }
    after(accept, -1);
}

static void op_clear_page(int dom)
{
    int page = random_page(rng(20) ? dom : !dom, -1);
    bool accept = m.owner[page] == dom && !now.level[page];
    long rc = mmuext(MMUEXT_CLEAR_PAGE, (uint64_t)page);

    op_name = "clear_page";
    CHECK((rc == 0) == accept, "frame %x: rc %ld", page, rc);
    if (accept) {
        for (unsigned int s = 0; s < SLOTS; s++)
            m.word[page][s] = (struct model_entry){ 0, false };
    }
    after(accept, accept ? page : -1);
}

static void random_op(void)
{
    int dom = rng(3) == 0;

    mm_run_as((unsigned int)dom);
    switch (rng(24)) {
    case 0: case 1: case 2: op_pin(dom); break;
    case 3: case 4: op_unpin(dom); break;
    case 5: case 6: op_baseptr(dom); break;
    case 7: case 8: case 9: op_va_mapping(dom); break;
    case 10: op_decrease(dom); break;
    case 11: op_populate(dom); break;
    case 12: op_exchange_one(dom); break;
    case 13: op_clear_page(dom); break;
    case 14:
        op_name = "migrate";
        if (rng(4) == 0)
            mm_migrate((unsigned int)dom, (unsigned int)rng(2));
        after(false, -1);
        break;
    default: op_mmu_update(dom); break;
    }
}

static void start(uint64_t seed)
{
    rng_state = seed * 0x9e3779b97f4a7c15UL + 1;
    mm_on_flush = on_flush;
    mm_machine_reset(FIRST_RAM);
    memset(tlb, 0, sizeof(tlb));
    memset(&m, 0, sizeof(m));
    for (int i = 0; i < 16; i++)
        hv_l4_slots[i] = HV_WORD;
    for (int f = 0; f < FRAMES; f++)
        m.owner[f] = NO_OWNER;
    for (int i = 0; i < 54; i++) {
        struct page_info *pg = alloc_domain_pages(&mm_dom[i % 3 == 0], 0, 0);

        m.owner[page_to_mfn(pg).m] = i % 3 == 0;
        m.alloc[page_to_mfn(pg).m] = true;
    }
    model_derive(&m, NULL, &now);
}

/* Both domains end: every frame is free again. */
static void end(uint64_t free_before)
{
    for (unsigned int d = 0; d < 2; d++) {
        mm_run_as(d);
        mm_drop_l4s(&mm_vcpu[d]);
    }
    for (int round = 0; round < 3; round++) {
        for (unsigned int d = 0; d < 2; d++) {
            for (int i = 0; i < 1000 && domain_relinquish_memory(&mm_dom[d], 3); i++)
                ;
        }
    }
    assert_true(domain_mm_empty(&mm_dom[0]));
    assert_true(domain_mm_empty(&mm_dom[1]));
    assert_int_equal(free_frames(), free_before);
}

static void test_random(void **state)
{
    unsigned int tables = 0, deepest = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        start(seed);
        for (step = 0; step < STEPS / 4; step++) {
            random_op();
            for (int f = 0; f < FRAMES; f++) {
                tables += now.level[f] != 0;
                deepest += now.level[f] == 1 && m.kernel[0];
            }
        }
        end(FRAMES - FIRST_RAM);
    }
    /* The sequences were worth something: several tables alive at any time, deep trees too. */
    assert_true(tables > 4 * STEPS);
    assert_true(deepest > STEPS / 4);
}

static unsigned int flushes[2];

static void count_flush(unsigned int cpu)
{
    flushes[cpu]++;
}

/* A tree of dom's with one empty L1, loaded; the machine address of that L1. */
static uint64_t small_tree(unsigned int dom)
{
    uint64_t l1 = page_to_mfn(alloc_domain_pages(&mm_dom[dom], 0, 0)).m, table = l1;

    for (int level = 2; level <= 4; level++) {
        uint64_t upper = page_to_mfn(alloc_domain_pages(&mm_dom[dom], 0, 0)).m;

        mm_ram[upper * 512] = table << 12 | E_P | E_RW;
        table = upper;
    }
    mm_run_as(dom);
    assert_int_equal(mmuext(MMUEXT_NEW_BASEPTR, table), 0);
    return l1 << 12;
}

static long set_entry(uint64_t ptr, uint64_t val, unsigned int fd)
{
    struct mmu_update req = { ptr, val };

    return do_mmu_update((uintptr_t)&req, 1, 0, fd, 0, 0);
}

/*
 * A page that another domain mapped and unmapped, then freed by its owner: the other's CPU must
 * have been flushed before the frame can be anybody's; whichever reference was the last.
 */
static void test_foreign_flush(void **state)
{
    (void)state;
    for (int owner_last = 0; owner_last < 2; owner_last++) {
        xen_pfn_t frame;
        struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };
        uint64_t l1;

        start(9);
        l1 = small_tree(0);
        mm_on_flush = count_flush;
        frame = page_to_mfn(alloc_domain_pages(&mm_dom[1], 0, 0)).m;
        r.extent_start.p = &frame;

        assert_int_equal(set_entry(l1, frame << 12 | E_P | E_RW, 1), 0);
        assert_int_equal(set_entry(l1, frame << 12 | E_P | E_RW, DOMID_SELF), 0);
        if (owner_last)
            assert_int_equal(set_entry(l1, 0, DOMID_SELF), 0);
        flushes[0] = flushes[1] = 0;
        mm_run_as(1);
        assert_int_equal(do_memory_op(XENMEM_decrease_reservation, (uintptr_t)&r, 0, 0, 0, 0), 1);
        if (!owner_last) {
            assert_int_equal(flushes[0], 0);
            assert_true(mfn_to_page(MFN(frame))->state / PGS_COUNT_ONE == 1);
            mm_run_as(0);
            assert_int_equal(set_entry(l1, 0, DOMID_SELF), 0);
        }
        assert_true(flushes[0] > 0);
        assert_null(mfn_to_page(MFN(frame))->owner);
    }
}

/* An unprivileged domain may name nobody else, nor devices, nor frames beyond the machine. */
static void test_foreign_refused(void **state)
{
    uint64_t l1, frame;

    (void)state;
    start(10);
    l1 = small_tree(1);
    frame = page_to_mfn(alloc_domain_pages(&mm_dom[0], 0, 0)).m;
    assert_int_equal(set_entry(l1, frame << 12 | E_P, 0), -XEN_EPERM);
    assert_int_equal(set_entry(l1, frame << 12 | E_P, DOMID_XEN), -XEN_EPERM);
    assert_int_equal(set_entry(l1, frame << 12 | E_P, DOMID_IO), -XEN_EPERM);
    assert_int_equal(set_entry(l1, 0, 1UL << 16 | DOMID_SELF), -XEN_EPERM);
    assert_int_equal(set_entry(l1, 1UL << 12 | E_P, DOMID_SELF), -XEN_EPERM);
    assert_int_equal(set_entry(l1 + 4, 0, DOMID_SELF), -XEN_EINVAL);
    assert_int_equal(set_entry((uint64_t)FRAMES << 12, 0, DOMID_SELF), -XEN_EINVAL);
    assert_int_equal(do_mmu_update(0, 1, 0, DOMID_SELF, 0, 0), -XEN_EFAULT);

    /* A device on the deny list is nobody's. */
    l1 = small_tree(0);
    assert_int_equal(set_entry(l1, 0xfee00UL << 12 | E_P | E_RW, DOMID_SELF), 0);
    mmio_deny(MFN(0xfee00), 1);
    assert_int_equal(set_entry(l1, 0, DOMID_SELF), 0);
    assert_int_equal(set_entry(l1, 0xfee00UL << 12 | E_P | E_RW, DOMID_SELF), -XEN_EPERM);
    assert_int_equal(set_entry(l1, 0xfee00UL << 12 | E_P | E_RW, DOMID_IO), -XEN_EPERM);
}

/* Accessed and dirty bits that the processor set survive a preserving update, and only that. */
static void test_preserve_ad(void **state)
{
    uint64_t l1, frame, e;

    (void)state;
    start(11);
    l1 = small_tree(0);
    frame = page_to_mfn(alloc_domain_pages(&mm_dom[0], 0, 0)).m;
    e = frame << 12 | E_P | E_RW;
    assert_int_equal(set_entry(l1, e, DOMID_SELF), 0);
    mm_ram[l1 / 8] |= PTE_A | PTE_D;
    assert_int_equal(set_entry(l1 | MMU_PT_UPDATE_PRESERVE_AD, e & ~E_RW, DOMID_SELF), 0);
    assert_int_equal(mm_ram[l1 / 8], (e & ~E_RW) | E_US | PTE_A | PTE_D);
    assert_int_equal(set_entry(l1, e, DOMID_SELF), 0);
    assert_int_equal(mm_ram[l1 / 8], e | E_US);
}

/* The hypervisor's pages: never page tables, writable only if shared so. */
static void test_shared_pages(void **state)
{
    uint64_t l1, frame, free_before;
    void *page;

    (void)state;
    for (int writable = 0; writable < 2; writable++) {
        start(12);
        l1 = small_tree(1);
        free_before = free_frames();
        page = alloc_hv_pages(0);
        frame = virt_to_mfn(page).m;
        assert_int_equal(set_entry(l1, frame << 12 | E_P, DOMID_SELF), -XEN_EPERM);
        mm_share_page(virt_to_page(page), &mm_dom[1], writable);
        assert_int_equal(set_entry(l1, frame << 12 | E_P | E_RW, DOMID_SELF),
                         writable ? 0 : -XEN_EINVAL);
        assert_int_equal(set_entry(l1, frame << 12 | E_P, DOMID_SELF), 0);
        assert_int_not_equal(mmuext(MMUEXT_PIN_L1_TABLE, frame), 0);
        assert_int_equal(domain_free_page(&mm_dom[1], virt_to_page(page)), -XEN_EINVAL);
        mm_unshare_page(virt_to_page(page));
        assert_false(free_frames() == free_before);
        assert_int_equal(set_entry(l1, 0, DOMID_SELF), 0);
        assert_int_equal(free_frames(), free_before);
    }
}

/* Descriptor pages: contents checked, exclusive with writable mappings. */
static void test_descriptors(void **state)
{
    const uint64_t data = 0x00cff3000000ffffUL, call_gate = 0x0000ec0000080000UL;
    struct page_info *pg;
    uint64_t l1, frame;

    (void)state;
    start(13);
    l1 = small_tree(0);
    pg = alloc_domain_pages(&mm_dom[0], 0, 0);
    frame = page_to_mfn(pg).m;
    mm_ram[frame * 512 + 3] = data;
    mm_ram[frame * 512 + 511] = call_gate;
    assert_int_equal(get_page_and_type(pg, &mm_dom[0], PGT_SEG_DESC), -XEN_EINVAL);
    assert_int_equal(set_entry(l1, frame << 12 | E_P | E_RW, DOMID_SELF), 0);
    mm_ram[frame * 512 + 511] = call_gate & ~(1UL << 47);
    assert_int_equal(get_page_and_type(pg, &mm_dom[0], PGT_SEG_DESC), -XEN_EINVAL);
    assert_int_equal(set_entry(l1, frame << 12 | E_P, DOMID_SELF), 0);
    assert_int_equal(get_page_and_type(pg, &mm_dom[0], PGT_SEG_DESC), 0);
    assert_int_equal(set_entry(l1, frame << 12 | E_P | E_RW, DOMID_SELF), -XEN_EINVAL);
    assert_int_equal(set_entry(frame << 12, 0, DOMID_SELF), -XEN_EINVAL);
    put_page_and_type(pg);
    assert_int_equal(set_entry(l1, frame << 12 | E_P | E_RW, DOMID_SELF), 0);
}

static struct { uint64_t l1, l2, other; unsigned int pauses; } paused;

/* What another vCPU of the domain may try while an L2 table is being checked or emptied. */
static void meddle(void)
{
    paused.pauses++;
    mm_on_preempt = NULL;
    assert_int_equal(set_entry(paused.l2 << 12, 0, DOMID_SELF), -XEN_EINVAL);
    assert_int_equal(set_entry(paused.other, paused.l2 << 12 | E_P | E_RW, DOMID_SELF),
                     -XEN_EINVAL);
    assert_int_equal(mmuext(MMUEXT_PIN_L3_TABLE, paused.l2), -XEN_EINVAL);
    assert_int_equal(mmuext(MMUEXT_PIN_L1_TABLE, paused.l1), 0);
    assert_int_equal(mmuext(MMUEXT_UNPIN_TABLE, paused.l1), 0);
    mm_on_preempt = meddle;
}

/* Large tables let others run in the middle, who then see neither a table nor a writable page. */
static void test_pauses(void **state)
{
    uint64_t before;

    (void)state;
    start(14);
    paused.other = small_tree(0);
    mm_on_flush = NULL;
    paused.l1 = page_to_mfn(alloc_domain_pages(&mm_dom[0], 0, 0)).m;
    paused.l2 = page_to_mfn(alloc_domain_pages(&mm_dom[0], 0, 0)).m;
    before = mfn_to_page(MFN(paused.l1))->state;
    for (unsigned int i = 0; i < 512; i++)
        mm_ram[paused.l2 * 512 + i] = paused.l1 << 12 | E_P | E_RW;
    paused.pauses = 0;
    mm_on_preempt = meddle;
    assert_int_equal(mmuext(MMUEXT_PIN_L2_TABLE, paused.l2), 0);
    assert_int_equal(paused.pauses, 8);
    assert_int_equal((mfn_to_page(MFN(paused.l1))->state & PGS_TCOUNT_MASK) / PGS_TYPE_ONE, 512);
    assert_int_equal(mmuext(MMUEXT_UNPIN_TABLE, paused.l2), 0);
    assert_int_equal(paused.pauses, 16);
    assert_int_equal(mfn_to_page(MFN(paused.l1))->state & ~PGS_TYPE_MASK, before);

    /* The same with a refusal at the end. */
    mm_ram[paused.l2 * 512 + 511] = paused.l2 << 12 | E_P;
    assert_int_equal(mmuext(MMUEXT_PIN_L2_TABLE, paused.l2), -XEN_EINVAL);
    assert_int_equal(paused.pauses, 32);
    assert_int_equal(mfn_to_page(MFN(paused.l1))->state & ~PGS_TYPE_MASK, before);
    mm_on_preempt = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_foreign_flush),
        cmocka_unit_test(test_foreign_refused),
        cmocka_unit_test(test_preserve_ad),
        cmocka_unit_test(test_shared_pages),
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_pauses),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
