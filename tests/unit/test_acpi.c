/* SPDX-License-Identifier: MIT */
/*
 * The ACPI parser on tables made here: what it finds, what it refuses, and random damage.  Memory is
 * a buffer of its own size, so that the sanitizer sees any read beyond what the callback allowed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/acpi.h"

#define MEM_BASE 0xe0000u
#define MEM_SIZE 0x2000u
#define EBDA     0x9fc00u

static uint8_t memory[MEM_SIZE];
static uint8_t ebda[1024];
static uint16_t ebda_segment;
static uint32_t used;
static unsigned long reads;

static bool read_memory(void *ctx, uint64_t pa, void *buf, size_t len)
{
    (void)ctx;
    reads++;
    if (pa >= MEM_BASE && pa - MEM_BASE < MEM_SIZE && len <= MEM_SIZE - (pa - MEM_BASE)) {
        memcpy(buf, memory + (pa - MEM_BASE), len);
        return true;
    }
    if (pa == 0x40e && len == 2) {
        memcpy(buf, &ebda_segment, 2);
        return true;
    }
    if (pa >= EBDA && pa - EBDA < sizeof(ebda) && len <= sizeof(ebda) - (pa - EBDA)) {
        memcpy(buf, ebda + (pa - EBDA), len);
        return true;
    }
    return false;
}

static void put(uint8_t *at, uint64_t value, unsigned int size)
{
    memcpy(at, &value, size);
}

static void fix_checksum(uint8_t *at, uint32_t len, uint8_t *sum)
{
    uint8_t total = 0;

    *sum = 0;
    for (uint32_t i = 0; i < len; i++)
        total = (uint8_t)(total + at[i]);
    *sum = (uint8_t)-total;
}

/* A table of len bytes (header included), zero but for its header; the checksum comes later. */
static uint8_t *new_table(const char *sig, uint32_t len)
{
    uint8_t *t = memory + used;

    memset(t, 0, len);
    memcpy(t, sig, 4);
    put(t + 4, len, 4);
    used += (len + 15) & ~15u;
    return t;
}

static uint64_t done(uint8_t *t)
{
    uint32_t len;

    memcpy(&len, t + 4, 4);
    fix_checksum(t, len, t + 9);
    return MEM_BASE + (uint64_t)(t - memory);
}

static uint64_t make_madt(void)
{
    static const uint8_t entries[] = {
        0, 8, 0, 0, 1, 0, 0, 0,                         /* LAPIC: uid 0, id 0, enabled */
        0, 8, 1, 1, 1, 0, 0, 0,
        0, 8, 2, 2, 0, 0, 0, 0,                         /* disabled */
        0, 8, 3, 255, 0, 0, 0, 0,                       /* a filler */
        9, 16, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, /* x2APIC id 256, uid 7 */
        1, 12, 5, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0,      /* IO-APIC 5 at 0xfec00000 */
        1, 12, 6, 0, 0, 0x10, 0xc0, 0xfe, 24, 0, 0, 0,
        2, 10, 0, 0, 2, 0, 0, 0, 0, 0,                  /* IRQ 0 is GSI 2 */
        2, 10, 0, 9, 9, 0, 0, 0, 0x0f, 0,               /* IRQ 9: low, level */
        2, 10, 0, 5, 5, 0, 0, 0, 0x0d, 0,               /* IRQ 5: high, level */
        2, 10, 1, 6, 6, 0, 0, 0, 0x0d, 0,               /* not the ISA bus */
        4, 6, 255, 0, 0, 1,                             /* NMI: of no interest */
        5, 12, 0, 0, 0, 0, 0xe0, 0xfe, 1, 0, 0, 0,      /* LAPICs at 0x1fee00000 */
    };
    uint8_t *t = new_table("APIC", 44 + sizeof(entries));

    put(t + 36, 0xfee00000, 4);
    put(t + 40, 1, 4);
    memcpy(t + 44, entries, sizeof(entries));
    return done(t);
}

static void put_gas(uint8_t *at, uint8_t space, uint8_t bits, uint64_t address)
{
    at[0] = space;
    at[1] = bits;
    put(at + 4, address, 8);
}

static uint64_t make_fadt(void)
{
    uint8_t *t = new_table("FACP", 244);

    put(t + 46, 9, 2);
    put(t + 64, 0x604, 4);
    put(t + 68, 0x704, 4);
    put(t + 76, 0x608, 4);
    put(t + 112, 1 << 8 | 1 << 10, 4);
    put_gas(t + 116, 1, 8, 0xcf9);
    t[128] = 6;
    put_gas(t + 172, 1, 16, 0x804); /* takes precedence over 0x604 */
    return done(t);
}

static uint64_t make_hpet(void)
{
    uint8_t *t = new_table("HPET", 56);

    put_gas(t + 40, 0, 64, 0xfed00000);
    return done(t);
}

static uint64_t make_mcfg(void)
{
    uint8_t *t = new_table("MCFG", 44 + 32);

    put(t + 44, 0xc0000000, 8);
    put(t + 52, 1, 2); /* another segment */
    put(t + 60, 0xb0000000, 8);
    t[71] = 255;
    return done(t);
}

/* All tables; `width` 4: RSDT and revision 0, 8: XSDT and revision 2.  The root pointer's address. */
static uint64_t make_machine(unsigned int width)
{
    uint64_t tables[4], root_pa;
    uint8_t *root, *rsdp;

    memset(memory, 0, sizeof(memory));
    used = 0x100;
    tables[0] = make_fadt();
    tables[1] = make_madt();
    tables[2] = make_hpet();
    tables[3] = make_mcfg();
    root = new_table(width == 8 ? "XSDT" : "RSDT", 36 + 4 * width);
    for (unsigned int i = 0; i < 4; i++)
        put(root + 36 + i * width, tables[i], width);
    root_pa = done(root);
    rsdp = memory + 0x40;
    memcpy(rsdp, "RSD PTR ", 8);
    rsdp[15] = width == 8 ? 2 : 0;
    put(rsdp + 16, width == 8 ? 0 : root_pa, 4);
    fix_checksum(rsdp, 20, rsdp + 8);
    put(rsdp + 20, 36, 4);
    put(rsdp + 24, width == 8 ? root_pa : 0, 8);
    fix_checksum(rsdp, 36, rsdp + 32);
    return MEM_BASE + 0x40;
}

/* ------------------------------------------------------------------ tests */

static void check_machine(const struct acpi_info *info)
{
    assert_true(info->has_madt && info->has_fadt && info->has_8259);
    assert_int_equal(info->nr_cpus, 4);
    assert_int_equal(info->cpu[1].apic_id, 1);
    assert_true(info->cpu[1].enabled);
    assert_false(info->cpu[2].enabled);
    assert_int_equal(info->cpu[3].apic_id, 256);
    assert_int_equal(info->cpu[3].acpi_id, 7);
    assert_int_equal(info->lapic_address, 0x1fee00000);
    assert_int_equal(info->nr_ioapics, 2);
    assert_int_equal(info->ioapic[0].address, 0xfec00000);
    assert_int_equal(info->ioapic[0].id, 5);
    assert_int_equal(info->ioapic[1].gsi_base, 24);
    assert_int_equal(info->nr_overrides, 3);
    assert_int_equal(info->override[0].gsi, 2);
    assert_false(info->override[0].level || info->override[0].active_low);
    assert_true(info->override[1].level && info->override[1].active_low);
    assert_true(info->override[2].level && !info->override[2].active_low);
    assert_int_equal(info->sci_irq, 9);
    assert_int_equal(info->pm1a_cnt.address, 0x804);
    assert_int_equal(info->pm1b_cnt.address, 0x704);
    assert_int_equal(info->pm_timer.address, 0x608);
    assert_true(info->pm_timer_32);
    assert_int_equal(info->reset.address, 0xcf9);
    assert_false(info->reset.memory);
    assert_int_equal(info->reset_value, 6);
    assert_int_equal(info->hpet_address, 0xfed00000);
    assert_int_equal(info->mmcfg_address, 0xb0000000);
    assert_int_equal(info->mmcfg_end, 255);
    assert_int_equal(info->dropped, 0);
}

static void test_both_roots(void **state)
{
    struct acpi_info info;
    uint64_t rsdp;

    (void)state;
    for (unsigned int width = 4; width <= 8; width += 4) {
        rsdp = make_machine(width);
        assert_int_equal(acpi_find_rsdp(read_memory, NULL), rsdp);
        assert_true(acpi_parse(read_memory, NULL, rsdp, &info));
        assert_int_equal(info.rsdp, rsdp);
        check_machine(&info);
    }
}

/* A copy of the root pointer, with no root pointer in memory: a UEFI machine. */
static void test_copy_of_root_pointer(void **state)
{
    uint8_t copy[36];
    struct acpi_info info;

    (void)state;
    for (unsigned int width = 4; width <= 8; width += 4) {
        make_machine(width);
        memcpy(copy, memory + 0x40, 36);
        memset(memory + 0x40, 0, 36);
        assert_int_equal(acpi_find_rsdp(read_memory, NULL), 0);
        memcpy(memory + 0x1814, copy, 36);
        memcpy(memory + 0x1700, copy, 36);
        memory[0x1700 + 9]++; /* like it, but no root pointer */
        assert_int_equal(acpi_find_copied(read_memory, NULL, copy, 36, MEM_BASE + 3, MEM_BASE + MEM_SIZE),
                         MEM_BASE + 0x1814);
        assert_int_equal(acpi_find_copied(read_memory, NULL, copy, 36, MEM_BASE, MEM_BASE + 0x1814 + 35),
                         0);
        assert_int_equal(acpi_find_copied(read_memory, NULL, copy, 19, MEM_BASE, MEM_BASE + MEM_SIZE), 0);
        for (size_t length = 0; length <= 36; length++) {
            bool enough = length >= (width == 8 ? 36 : 20);

            assert_int_equal(acpi_parse_copy(read_memory, NULL, copy, length, &info), enough);
            if (enough)
                check_machine(&info);
            assert_int_equal(info.nr_cpus, enough ? 4 : 0);
        }
        copy[16]++; /* the checksum does not fit any more */
        assert_false(acpi_parse_copy(read_memory, NULL, copy, 36, &info));
    }
}

static void test_root_pointer_in_ebda(void **state)
{
    (void)state;
    make_machine(4);
    memcpy(ebda + 0x130, memory + 0x40, 36);
    ebda_segment = EBDA >> 4;
    assert_int_equal(acpi_find_rsdp(read_memory, NULL), EBDA + 0x130);
    ebda[0x130 + 16]++; /* the checksum does not fit any more */
    assert_int_equal(acpi_find_rsdp(read_memory, NULL), MEM_BASE + 0x40);
    memset(ebda, 0, sizeof(ebda));
    ebda_segment = 0;
}

static void test_bad_checksums(void **state)
{
    struct acpi_info info;
    uint64_t rsdp = make_machine(8);

    (void)state;
    memory[0x40 + 34]++; /* the longer root pointer's */
    assert_false(acpi_parse(read_memory, NULL, rsdp, &info));
    assert_int_equal(acpi_find_rsdp(read_memory, NULL), 0);
    assert_false(acpi_parse(read_memory, NULL, 0, &info));

    /* One table is damaged: the others still count. */
    rsdp = make_machine(8);
    memory[0x100 + 100]++; /* the FADT is the first */
    assert_true(acpi_parse(read_memory, NULL, rsdp, &info));
    assert_false(info.has_fadt);
    assert_true(info.has_madt);
    assert_int_equal(info.pm1a_cnt.address, 0);
}

static void test_lengths(void **state)
{
    struct acpi_info info;
    uint8_t *t, *root;
    uint64_t rsdp = make_machine(4);

    (void)state;
    /* A MADT whose last entry says more than there is, and one whose entry has length 0. */
    memory[0x100]++; /* no FADT */
    for (uint8_t len = 0; len < 8; len++) {
        used = 0x1000;
        t = new_table("APIC", 44 + 16);
        t[44] = 0;
        t[45] = 8;
        t[48] = 1;
        t[52] = 0;
        t[53] = len == 7 ? 9 : len;
        t[56] = 1;
        root = new_table("RSDT", 40);
        put(root + 36, done(t), 4);
        put(memory + 0x40 + 16, done(root), 4);
        fix_checksum(memory + 0x40, 20, memory + 0x48);
        assert_true(acpi_parse(read_memory, NULL, rsdp, &info));
        assert_int_equal(info.nr_cpus, 1);
    }
    /* A table that reaches beyond memory. */
    put(t + 4, 0xffff0, 4);
    assert_true(acpi_parse(read_memory, NULL, rsdp, &info));
    assert_int_equal(info.nr_cpus, 0);
}

/* An old FADT ends before the 64-bit registers; what lies behind it is not part of it. */
static void test_short_table(void **state)
{
    struct acpi_info info;
    uint64_t rsdp = make_machine(4);
    uint8_t *t = memory + 0x100;

    (void)state;
    put(t + 4, 116, 4);
    done(t);
    assert_true(acpi_parse(read_memory, NULL, rsdp, &info));
    assert_int_equal(info.pm1a_cnt.address, 0x604);
    assert_int_equal(info.reset.address, 0);
    put(t + 4, 66, 4); /* in the middle of a field */
    done(t);
    assert_true(acpi_parse(read_memory, NULL, rsdp, &info));
    assert_int_equal(info.pm1a_cnt.address, 0);
    assert_int_equal(info.pm1b_cnt.address, 0);
}

static void test_too_many(void **state)
{
    struct acpi_info info;
    uint64_t rsdp = make_machine(4);
    uint8_t *t, *root;

    (void)state;
    used = 0x1000;
    t = new_table("APIC", 44 + 8 * 100);
    for (unsigned int i = 0; i < 100; i++) {
        t[44 + 8 * i + 1] = 8;
        t[44 + 8 * i + 3] = (uint8_t)i;
        t[44 + 8 * i + 4] = 1;
    }
    root = new_table("RSDT", 40);
    put(root + 36, done(t), 4);
    put(memory + 0x40 + 16, done(root), 4);
    fix_checksum(memory + 0x40, 20, memory + 0x48);
    assert_true(acpi_parse(read_memory, NULL, rsdp, &info));
    assert_int_equal(info.nr_cpus, ACPI_MAX_CPUS);
    assert_int_equal(info.dropped, 100 - ACPI_MAX_CPUS);
}

/* Checksums are mended after the damage, or else it would hardly get further than those. */
static void mend(void)
{
    for (uint32_t at = 0x100; at + 36 <= MEM_SIZE; at += 16) {
        uint32_t len;

        memcpy(&len, memory + at + 4, 4);
        if (memory[at] && len >= 36 && len <= MEM_SIZE - at)
            fix_checksum(memory + at, len, memory + at + 9);
    }
    fix_checksum(memory + 0x40, 20, memory + 0x48);
    fix_checksum(memory + 0x40, 36, memory + 0x40 + 32);
}

static void test_random_damage(void **state)
{
    uint32_t rng = 5;
    unsigned int parsed = 0;

    (void)state;
    for (unsigned int i = 0; i < 100000; i++) {
        struct acpi_info info;
        uint64_t rsdp = make_machine(i & 1 ? 4 : 8);
        uint32_t n;

        rng = rng * 1664525 + 1013904223;
        n = 1 + (rng >> 28);
        while (n--) {
            rng = rng * 1664525 + 1013904223;
            memory[0x40 + (rng >> 8) % (used - 0x40)] = (uint8_t)(rng >> 24 & 3 ? rng >> 3 : 255);
        }
        mend();
        reads = 0;
        if (acpi_parse(read_memory, NULL, rsdp, &info)) {
            parsed++;
            assert_true(info.nr_cpus <= ACPI_MAX_CPUS && info.nr_ioapics <= ACPI_MAX_IOAPICS);
            assert_true(info.nr_overrides <= ACPI_MAX_OVERRIDES);
            for (uint32_t o = 0; o < info.nr_overrides; o++)
                assert_true(info.override[o].isa_irq < 16);
        }
        assert_true(reads < 100000);
    }
    assert_true(parsed > 50000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_roots),   cmocka_unit_test(test_copy_of_root_pointer),
        cmocka_unit_test(test_root_pointer_in_ebda),
        cmocka_unit_test(test_bad_checksums), cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_short_table),
        cmocka_unit_test(test_too_many),     cmocka_unit_test(test_random_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
