/* SPDX-License-Identifier: MIT */
/*
 * ACPI tables from rubbish: an end, and no more of anything than there is room for.  The first byte says
 * whether checksums are set right first, so that what is behind them is reached; the rest is memory
 * from BASE on.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -Ihv -Ihv/include tests/fuzz/fuzz_acpi.c hv/x86/acpi.c \
 *       -o fuzz_acpi
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hv/acpi.h"

#define BASE 0xe0000u

struct memory {
    const uint8_t *data;
    size_t size;
};

static bool read_memory(void *ctx, uint64_t pa, void *buf, size_t len)
{
    const struct memory *m = ctx;

    if (pa < BASE || pa - BASE > m->size || len > m->size - (pa - BASE))
        return false;
    memcpy(buf, m->data + (pa - BASE), len);
    return true;
}

/* The byte `at` makes the sum of data[n] zero. */
static void set_sum(uint8_t *data, size_t n, size_t at)
{
    uint8_t sum = 0;

    data[at] = 0;
    for (size_t i = 0; i < n; i++)
        sum = (uint8_t)(sum + data[i]);
    data[at] = (uint8_t)-sum;
}

/* Of whatever could be a table, or a root pointer, where they may be. */
static void set_sums(uint8_t *data, size_t size)
{
    for (size_t at = 0; at + 36 <= size; at += 16) {
        uint32_t length;

        memcpy(&length, data + at + 4, sizeof(length));
        if (!memcmp(data + at, "RSD PTR ", 8)) {
            set_sum(data + at, 20, 8);
            set_sum(data + at, 36, 32);
        } else if (length >= 36 && length <= size - at) {
            set_sum(data + at, length, 9);
        }
    }
}

static void check(const struct acpi_info *i)
{
    if (i->nr_cpus > ACPI_MAX_CPUS || i->nr_ioapics > ACPI_MAX_IOAPICS ||
        i->nr_overrides > ACPI_MAX_OVERRIDES || (i->dropped && !i->has_madt))
        abort();
    for (uint32_t k = 0; k < i->nr_overrides; k++)
        if (i->override[k].isa_irq > 15)
            abort();
    if (!i->reset.memory && i->reset.address > 0xffff)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    struct memory m = { copy, size ? size - 1 : 0 };
    static struct acpi_info info;
    uint64_t rsdp;

    if (!copy)
        abort();
    if (size)
        memcpy(copy, data + 1, size - 1);
    if (size && data[0] & 1)
        set_sums(copy, size - 1);
    rsdp = acpi_find_rsdp(read_memory, &m);
    if (rsdp && (rsdp < BASE || rsdp - BASE >= m.size))
        abort();
    memset(&info, 0xaa, sizeof(info));
    acpi_parse(read_memory, &m, rsdp ? rsdp : BASE, &info);
    check(&info);
    if (m.size >= 36) {
        acpi_parse_copy(read_memory, &m, copy, 36, &info);
        check(&info);
        acpi_find_copied(read_memory, &m, copy, 36, BASE, BASE + 4096);
    }
    free(copy);
    return 0;
}
