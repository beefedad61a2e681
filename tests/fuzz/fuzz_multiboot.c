/* SPDX-License-Identifier: MIT */
/*
 * Loader information from rubbish. The first byte chooses the format; for multiboot 1 the rest is
 * all of physical memory, from address 0.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -Ihv tests/fuzz/fuzz_multiboot.c \
 *       hv/boot/multiboot.c hv/boot/memmap.c -o fuzz_multiboot
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "boot/multiboot.h"

struct memory {
    const uint8_t *data;
    size_t size;
};

/* Copies each range to memory of its exact size, so that reading past it is seen. */
static const void *map(void *ctx, uint64_t paddr, size_t len)
{
    static uint8_t *last;
    struct memory *m = ctx;

    free(last);
    last = NULL;
    if (paddr > m->size || len > m->size - paddr)
        return NULL;
    last = malloc(len);
    if (last)
        memcpy(last, m->data + paddr, len);
    return last;
}

static void check(const struct boot_info *info)
{
    if (info->mem_count == 0 || info->mem_count > BOOT_MEM_MAX ||
        info->module_count > BOOT_MODULES_MAX || info->rsdp_length > BOOT_RSDP_MAX)
        abort();
    if (!memchr(info->cmdline, 0, sizeof(info->cmdline)) ||
        !memchr(info->loader, 0, sizeof(info->loader)))
        abort();
    for (unsigned int i = 0; i < info->module_count; i++) {
        if (info->modules[i].end < info->modules[i].start ||
            !memchr(info->modules[i].string, 0, BOOT_STRING_MAX))
            abort();
    }
    for (unsigned int i = 0; i < info->mem_count; i++) {
        if (!info->mem[i].length || info->mem[i].base + info->mem[i].length < info->mem[i].base)
            abort();
        if (i && info->mem[i].base < info->mem[i - 1].base + info->mem[i - 1].length)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct boot_info info;
    enum multiboot_status status;

    if (size < 1)
        return 0;
    memset(&info, 0xaa, sizeof(info));
    if (data[0] & 1) {
        status = multiboot2_parse(&info, data + 1, size - 1);
    } else {
        struct memory m = {data + 1, size - 1};

        status = multiboot1_parse(&info, 0, map, &m);
    }
    if (status == MULTIBOOT_OK)
        check(&info);
    return 0;
}
