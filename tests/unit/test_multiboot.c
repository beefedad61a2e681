/* SPDX-License-Identifier: MIT */
/*
 * What boot loaders hand over: a small "physical memory" is filled as a loader would fill it, and
 * read through a mapping function that refuses everything else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot/multiboot.h"

#define MEMORY_BASE 0x9000u
#define MEMORY_SIZE 16384u

static uint8_t memory[MEMORY_SIZE];
static struct boot_info info;

static const void *map(void *ctx, uint64_t paddr, size_t len)
{
    (void)ctx;
    if (paddr < MEMORY_BASE || paddr - MEMORY_BASE > MEMORY_SIZE ||
        len > MEMORY_SIZE - (paddr - MEMORY_BASE))
        return NULL;
    return memory + (paddr - MEMORY_BASE);
}

static void put32(uint32_t paddr, uint32_t v)
{
    memcpy(memory + paddr - MEMORY_BASE, &v, sizeof(v));
}

static void put64(uint32_t paddr, uint64_t v)
{
    memcpy(memory + paddr - MEMORY_BASE, &v, sizeof(v));
}

static uint32_t put_string(uint32_t paddr, const char *s)
{
    memcpy(memory + paddr - MEMORY_BASE, s, strlen(s) + 1);
    return paddr;
}

static void put_map_entry(uint32_t paddr, uint64_t base, uint64_t length, uint32_t type)
{
    put32(paddr, 20);
    put64(paddr + 4, base);
    put64(paddr + 12, length);
    put32(paddr + 20, type);
}

/* As QEMU does it for -kernel xen -append ... -initrd "vmlinuz args,initrd". */
#define MBI 0x9500u
static void make_mb1(void)
{
    memset(memory, 0xff, sizeof(memory));
    memset(memory + MBI - MEMORY_BASE, 0, 88);
    put32(MBI, 1u << 0 | 1u << 2 | 1u << 3 | 1u << 6 | 1u << 9);
    put32(MBI + 4, 640);
    put32(MBI + 8, 1024);
    put32(MBI + 16, put_string(0xa000, "xen console=com1"));
    put32(MBI + 20, 2);
    put32(MBI + 24, 0xb000);
    put32(MBI + 44, 4 * 24);
    put32(MBI + 48, 0x9000);
    put32(MBI + 64, put_string(0xa100, "qemu"));
    put32(0xb000, 0x200000);
    put32(0xb004, 0x300000);
    put32(0xb008, put_string(0xa200, "vmlinuz console=hvc0"));
    put32(0xb010, 0x300000);
    put32(0xb014, 0x300000);
    put32(0xb018, 0);
    put_map_entry(0x9000, 0, 0x9fc00, 1);
    put_map_entry(0x9018, 0x9fc00, 0x400, 2);
    put_map_entry(0x9030, 0x100000, 0x3fee0000, 1);
    put_map_entry(0x9048, 0x3ffe0000, 0x20000, 2);
}

static enum multiboot_status parse_mb1(void)
{
    memset(&info, 0xaa, sizeof(info));
    return multiboot1_parse(&info, MBI, map, NULL);
}

static void mb1(void **state)
{
    (void)state;
    make_mb1();
    assert_int_equal(parse_mb1(), MULTIBOOT_OK);
    assert_string_equal(info.loader, "qemu");
    assert_string_equal(info.cmdline, "xen console=com1");
    assert_int_equal(info.module_count, 2);
    assert_int_equal(info.modules[0].start, 0x200000);
    assert_int_equal(info.modules[0].end, 0x300000);
    assert_string_equal(info.modules[0].string, "vmlinuz console=hvc0");
    assert_string_equal(info.modules[1].string, "");
    assert_int_equal(info.mem_count, 4);
    assert_int_equal(info.mem[2].base, 0x100000);
    assert_int_equal(info.mem[2].length, 0x3fee0000);
    assert_int_equal(info.mem[3].type, BOOT_MEM_RESERVED);
    assert_int_equal(info.rsdp_length, 0);
    assert_false(info.string_cut || info.modules_dropped || info.mem_dropped);
}

static void mb1_without_map(void **state)
{
    (void)state;
    make_mb1();
    put32(MBI, 1u << 0);
    assert_int_equal(parse_mb1(), MULTIBOOT_OK);
    assert_int_equal(info.mem_count, 2);
    assert_int_equal(info.mem[0].length, 640 * 1024);
    assert_int_equal(info.mem[1].base, 1024 * 1024);
    assert_int_equal(info.mem[1].length, 1024 * 1024);
    put32(MBI, 0);
    assert_int_equal(parse_mb1(), MULTIBOOT_NO_MEMORY);
}

static void mb1_bad(void **state)
{
    (void)state;
    make_mb1();
    assert_int_equal(multiboot1_parse(&info, MEMORY_BASE + MEMORY_SIZE - 87, map, NULL),
                     MULTIBOOT_UNREADABLE);
    put32(MBI + 24, 0xffff0000); /* modules where nothing is */
    assert_int_equal(parse_mb1(), MULTIBOOT_UNREADABLE);
    make_mb1();
    put32(0xb004, 0x1ff000);
    assert_int_equal(parse_mb1(), MULTIBOOT_BAD_MODULE);
    make_mb1();
    put32(MBI + 48, 0x1000);
    assert_int_equal(parse_mb1(), MULTIBOOT_UNREADABLE);
    make_mb1();
    put32(0x9018, 0); /* an entry that says it is empty: would never end */
    assert_int_equal(parse_mb1(), MULTIBOOT_UNREADABLE);
    make_mb1();
    put32(0x9018, 0xffffffff); /* an entry longer than the map: the last */
    assert_int_equal(parse_mb1(), MULTIBOOT_OK);
    assert_int_equal(info.mem_count, 2);
    make_mb1();
    put32(MBI + 16, 0xfffffffe); /* the command line where nothing is */
    assert_int_equal(parse_mb1(), MULTIBOOT_OK);
    assert_string_equal(info.cmdline, "");
}

static void mb1_too_much(void **state)
{
    (void)state;
    make_mb1();
    for (uint32_t i = 0; i < 20; i++) {
        put32(0xb000 + i * 16, 0x200000);
        put32(0xb000 + i * 16 + 4, 0x200001);
        put32(0xb000 + i * 16 + 8, 0);
    }
    put32(MBI + 20, 20);
    memset(memory + 0xb400 - MEMORY_BASE, 'x', 2500);
    put32(0xb400 + 2500, 0);
    put32(MBI + 16, 0xb400);
    assert_int_equal(parse_mb1(), MULTIBOOT_OK);
    assert_int_equal(info.module_count, BOOT_MODULES_MAX);
    assert_true(info.modules_dropped && info.string_cut);
    assert_int_equal(strlen(info.cmdline), BOOT_STRING_MAX - 1);
}

/* Builds multiboot 2 information tag by tag. */
struct blob {
    uint8_t *data; /* allocated to its exact size before each parse */
    size_t size;
    uint8_t buffer[4096];
};

static void add_tag(struct blob *b, uint32_t type, const void *body, uint32_t n)
{
    uint32_t header[2] = {type, n + 8};

    memcpy(b->buffer + b->size, header, 8);
    memcpy(b->buffer + b->size + 8, body, n);
    memset(b->buffer + b->size + 8 + n, 0xee, 8);
    b->size += (8 + n + 7) & ~7u;
}

static enum multiboot_status parse_mb2(struct blob *b, size_t available)
{
    enum multiboot_status status;
    uint32_t header[2] = {(uint32_t)b->size, 0};

    memcpy(b->buffer, header, 8);
    b->data = malloc(available ? available : 1);
    assert_non_null(b->data);
    memcpy(b->data, b->buffer, available);
    if (available >= 8)
        assert_int_equal(multiboot2_size(b->data), b->size);
    memset(&info, 0xaa, sizeof(info));
    status = multiboot2_parse(&info, b->data, available);
    free(b->data);
    return status;
}

static void make_mb2(struct blob *b)
{
    struct {
        uint32_t start, end;
        char string[20];
    } module = {0x200000, 0x300000, "placeholder root=/"};
    struct {
        uint32_t entry_size, version;
        struct {
            uint64_t base, length;
            uint32_t type, zero;
        } entries[2];
    } mem = {24, 0, {{0x100000, 0x700000, 1, 0}, {0, 0x9f000, 1, 0}}};
    uint32_t basic[2] = {640, 7168};

    b->size = 8;
    add_tag(b, 1, "noreboot", 9);
    add_tag(b, 2, "GRUB 2.06", 10);
    add_tag(b, 4, basic, sizeof(basic));
    add_tag(b, 3, &module, 8 + 19);
    add_tag(b, 6, &mem, sizeof(mem));
    add_tag(b, 15, "RSD PTR version two, thirty-six long", 36);
    add_tag(b, 14, "RSD PTR version one.", 20);
    add_tag(b, 8, "a framebuffer", 13);
}

static void mb2(void **state)
{
    struct blob b;

    (void)state;
    make_mb2(&b);
    add_tag(&b, 0, "", 0);
    assert_int_equal(parse_mb2(&b, b.size), MULTIBOOT_OK);
    assert_string_equal(info.cmdline, "noreboot");
    assert_string_equal(info.loader, "GRUB 2.06");
    assert_int_equal(info.module_count, 1);
    assert_int_equal(info.modules[0].end, 0x300000);
    assert_string_equal(info.modules[0].string, "placeholder root=/");
    assert_int_equal(info.mem_count, 2);
    assert_int_equal(info.mem[0].length, 0x9f000);
    assert_int_equal(info.mem[1].length, 0x700000);
    assert_int_equal(info.rsdp_length, 36);
    assert_memory_equal(info.rsdp, "RSD PTR version two", 19);
}

static void mb2_bad(void **state)
{
    struct blob b;
    uint32_t reversed[3] = {2, 1, 0}, tiny_entries[2] = {8, 0};

    (void)state;
    make_mb2(&b);
    assert_int_equal(parse_mb2(&b, b.size), MULTIBOOT_BAD_TAG); /* no end tag */
    add_tag(&b, 0, "", 0);
    for (size_t n = 0; n < b.size; n++)
        assert_int_equal(parse_mb2(&b, n), MULTIBOOT_UNREADABLE);
    b.buffer[8 + 4] = 7; /* a tag smaller than its header */
    assert_int_equal(parse_mb2(&b, b.size), MULTIBOOT_BAD_TAG);
    memset(b.buffer + 8 + 4, 0xff, 4);
    assert_int_equal(parse_mb2(&b, b.size), MULTIBOOT_BAD_TAG);

    b.size = 8;
    add_tag(&b, 3, reversed, sizeof(reversed));
    assert_int_equal(parse_mb2(&b, b.size), MULTIBOOT_BAD_MODULE);
    b.size = 8;
    add_tag(&b, 3, reversed, 7);
    assert_int_equal(parse_mb2(&b, b.size), MULTIBOOT_BAD_TAG);
    b.size = 8;
    add_tag(&b, 6, tiny_entries, sizeof(tiny_entries));
    assert_int_equal(parse_mb2(&b, b.size), MULTIBOOT_BAD_TAG);
    b.size = 8;
    add_tag(&b, 1, "0123456789abcdef", 16);
    b.buffer[8 + 4] = 25; /* one byte more than there is */
    assert_int_equal(parse_mb2(&b, b.size), MULTIBOOT_BAD_TAG);
    b.size = 8;
    add_tag(&b, 0, "", 0);
    assert_int_equal(parse_mb2(&b, b.size), MULTIBOOT_NO_MEMORY);
    for (int s = MULTIBOOT_OK; s <= MULTIBOOT_NO_MEMORY; s++)
        assert_memory_equal(multiboot_status_text(s), "boot loader: ", 13);
}

static void check_map(const struct boot_mem_region *in, unsigned int n,
                      const struct boot_mem_region *expected, unsigned int expected_n)
{
    struct boot_mem_region mem[BOOT_MEM_MAX];

    if (n)
        memcpy(mem, in, n * sizeof(*in));
    assert_true(boot_mem_sanitise(mem, &n));
    assert_int_equal(n, expected_n);
    for (unsigned int i = 0; i < n; i++) {
        assert_int_equal(mem[i].base, expected[i].base);
        assert_int_equal(mem[i].length, expected[i].length);
        assert_int_equal(mem[i].type, expected[i].type);
    }
}
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void sanitise_cases(void **state)
{
    static const struct boot_mem_region hole_in[] = {
        {0x8000, 0x1000, 2}, {0, 0x10000, 1}, {0x20000, 0, 1}, {0x10000, 0x1000, 1}};
    static const struct boot_mem_region hole_out[] = {
        {0, 0x8000, 1}, {0x8000, 0x1000, 2}, {0x9000, 0x8000, 1}};
    static const struct boot_mem_region rank_in[] = {{0, 10, 1}, {1, 9, 3}, {2, 8, 4},
                                                     {3, 7, 2},  {4, 6, 5}, {5, 5, 1}};
    static const struct boot_mem_region rank_out[] = {
        {0, 1, 1}, {1, 1, 3}, {2, 1, 4}, {3, 1, 2}, {4, 6, 5}};
    static const struct boot_mem_region odd_in[] = {
        {0, 100, 1}, {50, 10, 0}, {70, 10, 20}, {UINT64_MAX - 9, 100, 1}};
    static const struct boot_mem_region odd_out[] = {
        {0, 50, 1}, {50, 10, 2}, {60, 10, 1}, {70, 10, 20}, {80, 20, 1}, {UINT64_MAX - 9, 9, 1}};

    (void)state;
    check_map(hole_in, COUNT(hole_in), hole_out, COUNT(hole_out));
    check_map(rank_in, COUNT(rank_in), rank_out, COUNT(rank_out));
    check_map(odd_in, COUNT(odd_in), odd_out, COUNT(odd_out));
    check_map(NULL, 0, NULL, 0);
}

/* Random maps against a model that keeps one type a byte of a small address space. */
static unsigned int strength(uint32_t type)
{
    static const unsigned int of[] = {0, 1, 4, 2, 3, 5};

    return type < COUNT(of) ? of[type] : 4;
}

static void sanitise_against_model(void **state)
{
    (void)state;
    srand(42);
    for (int round = 0; round < 3000; round++) {
        struct boot_mem_region mem[BOOT_MEM_MAX];
        uint32_t model[256] = {0};
        unsigned int n = (unsigned int)rand() % 20;

        for (unsigned int i = 0; i < n; i++) {
            mem[i].base = (uint64_t)rand() % 200;
            mem[i].length = (uint64_t)rand() % 56;
            mem[i].type = 1 + (uint32_t)rand() % 5;
            for (uint64_t a = mem[i].base; a < mem[i].base + mem[i].length; a++) {
                if (strength(mem[i].type) > strength(model[a]))
                    model[a] = mem[i].type;
            }
        }
        assert_true(boot_mem_sanitise(mem, &n));
        uint64_t at = 0;

        for (unsigned int i = 0; i < n; i++) {
            assert_true(mem[i].base >= at && mem[i].length > 0);
            assert_false(i && mem[i].base == at && mem[i].type == mem[i - 1].type);
            for (; at < mem[i].base; at++)
                assert_int_equal(model[at], 0);
            for (; at < mem[i].base + mem[i].length; at++)
                assert_int_equal(model[at], mem[i].type);
        }
        for (; at < 256; at++)
            assert_int_equal(model[at], 0);
    }
}

static void sanitise_overflow(void **state)
{
    struct boot_mem_region mem[BOOT_MEM_MAX];
    unsigned int n = BOOT_MEM_MAX;

    (void)state;
    mem[0] = (struct boot_mem_region){0, 1000000, BOOT_MEM_RAM};
    for (unsigned int i = 1; i < n; i++) /* each cuts the RAM: 255 regions */
        mem[i] = (struct boot_mem_region){i * 1000, 10, BOOT_MEM_RESERVED};
    assert_false(boot_mem_sanitise(mem, &n));
    assert_int_equal(n, BOOT_MEM_MAX);
    assert_int_equal(mem[127].base, 64000);
    assert_int_equal(mem[127].type, BOOT_MEM_RESERVED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mb1),
        cmocka_unit_test(mb1_without_map),
        cmocka_unit_test(mb1_bad),
        cmocka_unit_test(mb1_too_much),
        cmocka_unit_test(mb2),
        cmocka_unit_test(mb2_bad),
        cmocka_unit_test(sanitise_cases),
        cmocka_unit_test(sanitise_against_model),
        cmocka_unit_test(sanitise_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
