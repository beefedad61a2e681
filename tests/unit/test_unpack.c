/* SPDX-License-Identifier: MIT */
/*
 * Kernel files: recognised, their payloads unpacked in every format, and damaged ones refused.
 * The last test does it all to the Debian kernel of the host, when there is one.
 */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot/bzimage.h"
#include "boot/elfnote.h"
#include "boot/unpack.h"
#include "pack.h"

#define PLAIN_SIZE 300000u
#define BIG_SIZE (20u << 20) /* more than two blocks of lz4 */

/* The names of unpack.h for what pack() makes. */
static const enum unpack_format formats[PACK_COUNT] = {
    [PACK_GZIP] = UNPACK_FORMAT_GZIP,       [PACK_XZ_CRC32] = UNPACK_FORMAT_XZ,
    [PACK_XZ_CRC64] = UNPACK_FORMAT_XZ,     [PACK_LZMA] = UNPACK_FORMAT_LZMA,
    [PACK_LZMA_SIZED] = UNPACK_FORMAT_LZMA, [PACK_LZ4] = UNPACK_FORMAT_LZ4,
    [PACK_ZSTD] = UNPACK_FORMAT_ZSTD,
};

/* Text-like: compresses, but is not trivial. */
static uint8_t *make_plain(size_t n)
{
    uint8_t *p = malloc(n);
    uint32_t x = 1;

    assert_non_null(p);
    for (size_t i = 0; i < n; i++) {
        x = x * 1103515245 + 12345;
        p[i] = i >= 64 && (x >> 16) % 8 ? p[i - 1 - (x >> 20) % 60] : (uint8_t)(x >> 24);
    }
    return p;
}

static uint8_t *pack_with_trailer(enum pack_format format, const uint8_t *in, size_t n, size_t *len)
{
    uint8_t *p = pack(format, in, n, len);
    uint32_t size = (uint32_t)n;

    p = realloc(p, *len + 4);
    assert_non_null(p);
    memcpy(p + *len, &size, 4);
    *len += 4;
    return p;
}

/* Exactly-sized buffers, so that the address sanitizer sees each byte too many. */
static enum unpack_status unpack(const uint8_t *in, size_t n, size_t cap, size_t scratch_len,
                                 uint8_t **out, size_t *out_len)
{
    uint8_t *exact = malloc(n ? n : 1), *scratch = malloc(scratch_len ? scratch_len : 1);
    enum unpack_status status;

    *out = malloc(cap ? cap : 1);
    assert_true(exact && scratch && *out);
    memcpy(exact, in, n);
    *out_len = 12345;
    status = unpack_payload(exact, n, *out, cap, out_len, scratch, scratch_len);
    if (status != UNPACK_OK)
        assert_int_equal(*out_len, 0);
    free(exact);
    free(scratch);
    return status;
}

static void expect_status(const uint8_t *in, size_t n, size_t cap, size_t scratch_len,
                          enum unpack_status expected)
{
    uint8_t *out;
    size_t out_len;
    enum unpack_status status = unpack(in, n, cap, scratch_len, &out, &out_len);

    free(out);
    assert_int_equal(status, expected);
}

static void check_round_trip(const uint8_t *packed, size_t len, const uint8_t *plain, size_t n)
{
    uint8_t *out;
    size_t out_len;

    assert_int_equal(unpack(packed, len, n, unpack_scratch_need(packed, len), &out, &out_len),
                     UNPACK_OK);
    assert_int_equal(out_len, n);
    assert_memory_equal(out, plain, n);
    free(out);
}

static void round_trips(void **state)
{
    uint8_t *plain = make_plain(PLAIN_SIZE);

    (void)state;
    for (int f = 0; f < PACK_COUNT; f++) {
        size_t len, trailed_len;
        uint8_t *bare = pack(f, plain, PLAIN_SIZE, &len);
        uint8_t *trailed = pack_with_trailer(f, plain, PLAIN_SIZE, &trailed_len);

        assert_int_equal(unpack_detect(bare, len), formats[f]);
        check_round_trip(bare, len, plain, PLAIN_SIZE);
        check_round_trip(trailed, trailed_len, plain, PLAIN_SIZE);
        assert_int_equal(unpack_size_hint(trailed, trailed_len), PLAIN_SIZE);
        free(bare);
        free(trailed);
    }
    free(plain);
}

static void several_blocks(void **state)
{
    uint8_t *plain = make_plain(BIG_SIZE);
    static const enum pack_format which[] = {PACK_LZ4, PACK_ZSTD, PACK_GZIP};

    (void)state;
    for (size_t i = 0; i < sizeof(which) / sizeof(which[0]); i++) {
        size_t len;
        uint8_t *packed = pack_with_trailer(which[i], plain, BIG_SIZE, &len);

        check_round_trip(packed, len, plain, BIG_SIZE);
        free(packed);
    }
    free(plain);
}

static void no_room(void **state)
{
    uint8_t *plain = make_plain(PLAIN_SIZE);

    (void)state;
    for (int f = 0; f < PACK_COUNT; f++) {
        size_t len;
        uint8_t *packed = pack_with_trailer(f, plain, PLAIN_SIZE, &len);
        size_t need = unpack_scratch_need(packed, len);

        expect_status(packed, len, PLAIN_SIZE - 1, need, UNPACK_TOO_BIG);
        expect_status(packed, len, 0, need, UNPACK_TOO_BIG);
        if (f != PACK_LZ4) {
            assert_true(need > 0);
            expect_status(packed, len, PLAIN_SIZE, 0, UNPACK_NO_SCRATCH);
            expect_status(packed, len, PLAIN_SIZE, 4096, UNPACK_NO_SCRATCH);
        }
        free(packed);
    }
    free(plain);
}

static void wrong_trailers(void **state)
{
    uint8_t *plain = make_plain(PLAIN_SIZE);

    (void)state;
    for (int f = 0; f < PACK_COUNT; f++) {
        size_t len;
        uint8_t *packed = pack_with_trailer(f, plain, PLAIN_SIZE, &len);
        size_t need = unpack_scratch_need(packed, len);

        packed[len - 4] ^= 1;
        expect_status(packed, len, PLAIN_SIZE, need, UNPACK_WRONG_SIZE);
        /* An lz4 frame has no end: a cut trailer cannot be told from a cut block length. */
        expect_status(packed, len - 1, PLAIN_SIZE, need, UNPACK_TRAILING);
        free(packed);
    }
    free(plain);
}

/* Every cut near the ends and many between: never OK with fewer bytes, never out of bounds. */
static void cut_short(void **state)
{
    uint8_t *plain = make_plain(5000);

    (void)state;
    for (int f = 0; f < PACK_COUNT; f++) {
        size_t len;
        uint8_t *packed = pack(f, plain, 5000, &len);
        size_t need = unpack_scratch_need(packed, len);

        for (size_t n = 0; n < len; n++) {
            uint8_t *out;
            size_t out_len;

            if (n > 64 && n + 64 < len && n % 37)
                continue;
            enum unpack_status status = unpack(packed, n, 5000, need, &out, &out_len);

            assert_int_not_equal(status, UNPACK_OK);
            free(out);
        }
        free(packed);
    }
    free(plain);
}

/* A flipped bit is found, or (lz4 has no checksum) at least does no harm. */
static void flipped_bits(void **state)
{
    uint8_t *plain = make_plain(5000);

    (void)state;
    for (int f = 0; f < PACK_COUNT; f++) {
        size_t len;
        uint8_t *packed = pack(f, plain, 5000, &len);

        for (size_t bit = 0; bit < len * 8; bit += 13) {
            uint8_t *out;
            size_t out_len;
            uint64_t need;

            packed[bit / 8] ^= (uint8_t)(1 << bit % 8);
            need = unpack_scratch_need(packed, len);
            if (unpack(packed, len, 5000, need < 4u << 20 ? need : 4u << 20, &out, &out_len) ==
                    UNPACK_OK &&
                f != PACK_LZ4 && f != PACK_LZMA && f != PACK_LZMA_SIZED)
                assert_memory_equal(out, plain, out_len);
            free(out);
            packed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        free(packed);
    }
    free(plain);
}

static void refused_formats(void **state)
{
    static const uint8_t bzip2[16] = "BZh91AY&SY", lzo[16] = {0x89, 'L', 'Z', 'O', 0},
                         junk[16] = "junk";

    (void)state;
    expect_status(bzip2, sizeof(bzip2), 100, 100, UNPACK_UNSUPPORTED);
    assert_string_equal(unpack_format_name(unpack_detect(bzip2, sizeof(bzip2))), "bzip2");
    expect_status(lzo, sizeof(lzo), 100, 100, UNPACK_UNSUPPORTED);
    assert_string_equal(unpack_format_name(unpack_detect(lzo, sizeof(lzo))), "lzo");
    expect_status(junk, sizeof(junk), 100, 100, UNPACK_UNKNOWN);
    expect_status(junk, 0, 100, 100, UNPACK_UNKNOWN);
    assert_int_equal(unpack_size_hint(junk, 3), 0);
    assert_int_equal(unpack_scratch_need(junk, sizeof(junk)), 0);
    expect_status((const uint8_t *)"\177ELF....", 8, 8, 0, UNPACK_OK);
    expect_status((const uint8_t *)"\177ELF....", 8, 7, 0, UNPACK_TOO_BIG);
    for (int s = UNPACK_OK; s <= UNPACK_NO_SCRATCH; s++)
        assert_memory_equal(unpack_status_text(s), "kernel: ", 8);
}

static void put16(uint8_t *p, uint16_t v)
{
    memcpy(p, &v, sizeof(v));
}

static void put32(uint8_t *p, uint32_t v)
{
    memcpy(p, &v, sizeof(v));
}

/* A bzImage's header: one setup sector, payload of 100 bytes at offset 16 of the rest. */
static void make_bzimage(uint8_t file[2048])
{
    memset(file, 0, 2048);
    file[0x1f1] = 1;
    put16(file + 0x1fe, 0xaa55);
    memcpy(file + 0x202, "HdrS", 4);
    put16(file + 0x206, 0x20f);
    put32(file + 0x248, 16);
    put32(file + 0x24c, 100);
}

static void recognises(void **state)
{
    uint8_t file[2048];
    struct kernel_file k;

    (void)state;
    make_bzimage(file);
    assert_int_equal(kernel_recognise(file, sizeof(file), &k), KERNEL_OK);
    assert_int_equal(k.format, KERNEL_BZIMAGE);
    assert_ptr_equal(k.payload, file + 1024 + 16);
    assert_int_equal(k.payload_length, 100);
    assert_int_equal(k.protocol, 0x20f);
    assert_int_equal(kernel_recognise(file, 1024 + 116, &k), KERNEL_OK);
    assert_int_equal(kernel_recognise(file, 1024 + 115, &k), KERNEL_TRUNCATED);
    file[0x1f1] = 0; /* means 4: 2560 bytes before the payload's 16 */
    assert_int_equal(kernel_recognise(file, sizeof(file), &k), KERNEL_TRUNCATED);
    file[0x1f1] = 1;
    put32(file + 0x248, UINT32_MAX);
    assert_int_equal(kernel_recognise(file, sizeof(file), &k), KERNEL_TRUNCATED);
    put32(file + 0x248, 0);
    assert_int_equal(kernel_recognise(file, sizeof(file), &k), KERNEL_NO_PAYLOAD);
    put16(file + 0x206, 0x207);
    assert_int_equal(kernel_recognise(file, sizeof(file), &k), KERNEL_OLD_PROTOCOL);
    put16(file + 0x1fe, 0);
    assert_int_equal(kernel_recognise(file, sizeof(file), &k), KERNEL_UNKNOWN);
    assert_string_equal(kernel_status_text(KERNEL_UNKNOWN),
                        "kernel: not a bzImage and not an ELF file");
    assert_int_equal(kernel_recognise(file, 0, &k), KERNEL_EMPTY);

    memcpy(file, "\177ELF\2\1\1", 7);
    put16(file + 18, 62);
    assert_int_equal(kernel_recognise(file, sizeof(file), &k), KERNEL_OK);
    assert_int_equal(k.format, KERNEL_ELF);
    assert_int_equal(k.payload_length, sizeof(file));
    assert_int_equal(kernel_recognise(file, 19, &k), KERNEL_TRUNCATED);
    put16(file + 18, 183);
    assert_int_equal(kernel_recognise(file, sizeof(file), &k), KERNEL_NOT_X86_64);
    file[4] = 1;
    assert_int_equal(kernel_recognise(file, sizeof(file), &k), KERNEL_ELF32);
    memcpy(file, "\x1f\x8b\x08", 3);
    assert_int_equal(kernel_recognise(file, sizeof(file), &k), KERNEL_OK);
    assert_int_equal(k.format, KERNEL_GZIP);
}

static uint8_t *read_file(const char *name, size_t *n)
{
    FILE *f = fopen(name, "rb");
    uint8_t *p;
    long size;

    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    size = ftell(f);
    assert_true(size > 0);
    rewind(f);
    p = malloc((size_t)size);
    assert_non_null(p);
    assert_int_equal(fread(p, 1, (size_t)size, f), (size_t)size);
    fclose(f);
    *n = (size_t)size;
    return p;
}

/* Unpacks and reads a whole vmlinuz; says what it found. */
static void check_real_kernel(const char *name)
{
    struct kernel_file k;
    struct kernel_image image;
    size_t n, elf_len;
    uint8_t *file = read_file(name, &n), *elf;

    assert_int_equal(kernel_recognise(file, n, &k), KERNEL_OK);
    assert_int_equal(k.format, KERNEL_BZIMAGE);
    uint32_t hint = unpack_size_hint(k.payload, k.payload_length);
    uint64_t need = unpack_scratch_need(k.payload, k.payload_length);

    printf("%s: protocol %x, %s, %zu to %u bytes, arena %llu\n", name, k.protocol,
           unpack_format_name(unpack_detect(k.payload, k.payload_length)), k.payload_length, hint,
           (unsigned long long)need);
    assert_true(need < 256u << 20);
    assert_int_equal(unpack(k.payload, k.payload_length, hint, need, &elf, &elf_len), UNPACK_OK);
    assert_int_equal(elf_len, hint);
    assert_int_equal(elf_kernel_parse(elf, elf_len, &image), ELF_OK);
    const struct xen_elf_notes *x = &image.notes;

    printf("%s %s, %s, loader %s: entry %#llx base %#llx p2m %#llx, image %#llx-%#llx in %u loads, "
           "features %#x (required %#x)\n",
           x->guest_os, x->guest_version, x->xen_version, x->loader, (unsigned long long)x->entry,
           (unsigned long long)x->virt_base, (unsigned long long)x->init_p2m,
           (unsigned long long)image.virt_start, (unsigned long long)image.virt_end,
           image.load_count, x->supported_features, x->required_features);
    assert_string_equal(x->guest_os, "linux");
    assert_int_equal(x->virt_base, 0xffffffff80000000u);
    assert_int_equal(image.virt_start, 0xffffffff81000000u);
    assert_true(x->has_init_p2m && x->mod_start_pfn == 1);
    free(elf);
    free(file);
}

static void real_kernel(void **state)
{
    glob_t found;

    (void)state;
    if (glob("/boot/vmlinuz-6.1*-amd64", 0, NULL, &found) != 0) {
        printf("skipped: no /boot/vmlinuz-6.1*-amd64 on this machine\n");
        skip();
    }
    for (size_t i = 0; i < found.gl_pathc; i++)
        check_real_kernel(found.gl_pathv[i]);
    globfree(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recognises),     cmocka_unit_test(round_trips),
        cmocka_unit_test(several_blocks), cmocka_unit_test(no_room),
        cmocka_unit_test(wrong_trailers), cmocka_unit_test(cut_short),
        cmocka_unit_test(flipped_bits),   cmocka_unit_test(refused_formats),
        cmocka_unit_test(real_kernel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
