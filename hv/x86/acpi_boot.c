/* SPDX-License-Identifier: MIT */
/*
 * The ACPI tables of this machine.
 */
#include "hv/acpi.h"
#include "hv/lib.h"
#include "hv/paging.h"
#include "hv/types.h"

struct acpi_info acpi;

/*
 * Tables lie in memory that is not RAM for the allocator and so perhaps not in the direct map: they
 * are read through mappings of their own, of which the latest are kept.
 */
#define WINDOWS 64

static struct {
    uint64_t frame; /* plus one; 0 = unused */
    const uint8_t *va;
} window[WINDOWS] __initdata;

static const uint8_t *__init map_frame(uint64_t frame)
{
    unsigned int slot = frame % WINDOWS;

    if (window[slot].frame != frame + 1) {
        window[slot].va = ioremap(frame << PAGE_SHIFT, PAGE_SIZE);
        window[slot].frame = frame + 1;
    }
    return window[slot].va;
}

static bool __init read_machine(void *ctx, uint64_t pa, void *buf, size_t len)
{
    uint8_t *to = buf;

    (void)ctx;
    if (pa >> 52 || len > (1UL << 32)) /* beyond any machine address (AMD APM volume 2, 5.1) */
        return false;
    while (len) {
        size_t at = pa & ~PAGE_MASK, n = MIN(len, PAGE_SIZE - at);

        memcpy(to, map_frame(pa >> PAGE_SHIFT) + at, n);
        to += n;
        pa += n;
        len -= n;
    }
    return true;
}

bool __init acpi_init(const uint8_t *rsdp, size_t length)
{
    if (!acpi_parse_copy(read_machine, NULL, rsdp, length, &acpi) &&
        !acpi_parse(read_machine, NULL, acpi_find_rsdp(read_machine, NULL), &acpi)) {
        hv_log(LOG_ERR, "ACPI: no tables\n");
        return false;
    }
    hv_log(LOG_INFO, "ACPI: RSDP 0x%lx%s, %u CPUs, %u IO-APICs, %u overrides\n", acpi.rsdp,
           acpi.rsdp ? "" : " (the boot loader's copy)", acpi.nr_cpus, acpi.nr_ioapics,
           acpi.nr_overrides);
    if (acpi.dropped)
        hv_log(LOG_WARN, "ACPI: %u MADT entries dropped\n", acpi.dropped);
    return true;
}

void __init acpi_locate(const uint8_t *rsdp, size_t length, uint64_t from, uint64_t to)
{
    uint64_t pa = acpi_find_copied(read_machine, NULL, rsdp, length, from, to);

    if (!pa)
        return;
    acpi.rsdp = pa;
    hv_log(LOG_INFO, "ACPI: the copied RSDP is at 0x%lx\n", pa);
}
