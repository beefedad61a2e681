/* SPDX-License-Identifier: MIT */
#include "multiboot.h"

#include "bytes.h"

/* Multiboot 1: offsets in the information struct, and bits of its first word. */
#define MB1_SIZE 88u
#define MB1_MEM_LOWER 4u
#define MB1_MEM_UPPER 8u
#define MB1_CMDLINE 16u
#define MB1_MODS_COUNT 20u
#define MB1_MODS_ADDR 24u
#define MB1_MMAP_LENGTH 44u
#define MB1_MMAP_ADDR 48u
#define MB1_LOADER_NAME 64u
#define MB1_HAS_MEM (1u << 0)
#define MB1_HAS_CMDLINE (1u << 2)
#define MB1_HAS_MODS (1u << 3)
#define MB1_HAS_MMAP (1u << 6)
#define MB1_HAS_LOADER (1u << 9)

#define MB1_MODULE_SIZE 16u
#define MB1_MMAP_ENTRY_SIZE 24u /* with the leading size word, which does not count itself */
#define MB1_MMAP_STEPS_MAX 4096u

/* Multiboot 2 tag types. */
#define MB2_TAG_END 0u
#define MB2_TAG_CMDLINE 1u
#define MB2_TAG_LOADER 2u
#define MB2_TAG_MODULE 3u
#define MB2_TAG_BASIC_MEM 4u
#define MB2_TAG_MMAP 6u
#define MB2_TAG_ACPI_OLD 14u
#define MB2_TAG_ACPI_NEW 15u

struct mapper {
    boot_map_fn map;
    void *ctx;
};

static void add_region(struct boot_info *info, uint64_t base, uint64_t length, uint32_t type)
{
    if (info->mem_count == BOOT_MEM_MAX) {
        info->mem_dropped = true;
        return;
    }
    info->mem[info->mem_count++] = (struct boot_mem_region){base, length, type};
}

/* mem_lower and mem_upper count KiB from 0 and from 1 MiB. */
static void add_basic_memory(struct boot_info *info, uint32_t lower_kib, uint32_t upper_kib)
{
    add_region(info, 0, (uint64_t)lower_kib << 10, BOOT_MEM_RAM);
    add_region(info, 1u << 20, (uint64_t)upper_kib << 10, BOOT_MEM_RAM);
}

static enum multiboot_status finish_memory(struct boot_info *info)
{
    if (!boot_mem_sanitise(info->mem, &info->mem_count))
        info->mem_dropped = true;
    return info->mem_count ? MULTIBOOT_OK : MULTIBOOT_NO_MEMORY;
}

static enum multiboot_status add_module(struct boot_info *info, uint64_t start, uint64_t end)
{
    if (end < start)
        return MULTIBOOT_BAD_MODULE;
    if (info->module_count == BOOT_MODULES_MAX) {
        info->modules_dropped = true;
        return MULTIBOOT_OK;
    }
    struct boot_module *m = &info->modules[info->module_count++];

    m->start = start;
    m->end = end;
    m->string[0] = '\0';
    return MULTIBOOT_OK;
}

/*
 * Copies a NUL-terminated string byte by byte: its length is unknown, and the bytes after the NUL
 * may not be readable. An address of 0 means no string.
 */
static void copy_physical_string(struct boot_info *info, char *dst, size_t cap, uint64_t paddr,
                                 const struct mapper *m)
{
    size_t n = 0;

    dst[0] = '\0';
    if (!paddr)
        return;
    for (;;) {
        const char *c = m->map(m->ctx, paddr + n, 1);

        if (!c || *c == '\0')
            break;
        if (n == cap - 1) {
            info->string_cut = true;
            break;
        }
        dst[n++] = *c;
    }
    dst[n] = '\0';
}

static enum multiboot_status read_mb1_modules(struct boot_info *info, uint32_t count,
                                              uint64_t paddr, const struct mapper *m)
{
    for (uint32_t i = 0; i < count; i++, paddr += MB1_MODULE_SIZE) {
        if (info->module_count == BOOT_MODULES_MAX) {
            info->modules_dropped = true;
            return MULTIBOOT_OK;
        }
        const uint8_t *entry = m->map(m->ctx, paddr, MB1_MODULE_SIZE);

        if (!entry)
            return MULTIBOOT_UNREADABLE;
        uint32_t start = load_le32(entry), end = load_le32(entry + 4),
                 string = load_le32(entry + 8);
        enum multiboot_status status = add_module(info, start, end);

        if (status != MULTIBOOT_OK)
            return status;
        struct boot_module *module = &info->modules[info->module_count - 1];

        copy_physical_string(info, module->string, sizeof(module->string), string, m);
    }
    return MULTIBOOT_OK;
}

static enum multiboot_status read_mb1_map(struct boot_info *info, uint32_t length, uint64_t paddr,
                                          const struct mapper *m)
{
    uint32_t offset = 0;

    for (unsigned int step = 0; step < MB1_MMAP_STEPS_MAX; step++) {
        if (!range_inside(offset, MB1_MMAP_ENTRY_SIZE, length))
            return MULTIBOOT_OK;
        const uint8_t *entry = m->map(m->ctx, paddr + offset, MB1_MMAP_ENTRY_SIZE);

        if (!entry)
            return MULTIBOOT_UNREADABLE;
        uint32_t size = load_le32(entry);

        if (size < MB1_MMAP_ENTRY_SIZE - 4)
            return MULTIBOOT_UNREADABLE;
        add_region(info, load_le64(entry + 4), load_le64(entry + 12), load_le32(entry + 20));
        if (!range_inside(offset, (uint64_t)size + 4, length))
            return MULTIBOOT_OK;
        offset += size + 4;
    }
    info->mem_dropped = true;
    return MULTIBOOT_OK;
}

enum multiboot_status multiboot1_parse(struct boot_info *info, uint64_t info_paddr, boot_map_fn map,
                                       void *ctx)
{
    struct mapper m = {map, ctx};
    uint8_t mbi[MB1_SIZE];
    enum multiboot_status status = MULTIBOOT_OK;

    memset(info, 0, sizeof(*info));
    const void *raw = map(ctx, info_paddr, MB1_SIZE);

    if (!raw)
        return MULTIBOOT_UNREADABLE;
    memcpy(mbi, raw, sizeof(mbi)); /* the mapping is good until the next map() only */
    uint32_t flags = load_le32(mbi);

    if (flags & MB1_HAS_LOADER)
        copy_physical_string(info, info->loader, sizeof(info->loader),
                             load_le32(mbi + MB1_LOADER_NAME), &m);
    if (flags & MB1_HAS_CMDLINE)
        copy_physical_string(info, info->cmdline, sizeof(info->cmdline),
                             load_le32(mbi + MB1_CMDLINE), &m);
    if (flags & MB1_HAS_MODS)
        status = read_mb1_modules(info, load_le32(mbi + MB1_MODS_COUNT),
                                  load_le32(mbi + MB1_MODS_ADDR), &m);
    if (status != MULTIBOOT_OK)
        return status;
    if (flags & MB1_HAS_MMAP)
        status = read_mb1_map(info, load_le32(mbi + MB1_MMAP_LENGTH),
                              load_le32(mbi + MB1_MMAP_ADDR), &m);
    else if (flags & MB1_HAS_MEM)
        add_basic_memory(info, load_le32(mbi + MB1_MEM_LOWER), load_le32(mbi + MB1_MEM_UPPER));
    return status == MULTIBOOT_OK ? finish_memory(info) : status;
}

/* body: what follows the tag's 8-byte header; n: bytes of it. */
static enum multiboot_status read_mb2_module(struct boot_info *info, const uint8_t *body, size_t n)
{
    if (n < 8)
        return MULTIBOOT_BAD_TAG;
    unsigned int before = info->module_count;
    enum multiboot_status status = add_module(info, load_le32(body), load_le32(body + 4));

    if (status == MULTIBOOT_OK && info->module_count > before) {
        struct boot_module *m = &info->modules[before];

        if (!copy_bounded(m->string, sizeof(m->string), (const char *)body + 8, n - 8))
            info->string_cut = true;
    }
    return status;
}

static enum multiboot_status read_mb2_map(struct boot_info *info, const uint8_t *body, size_t n)
{
    if (n < 8)
        return MULTIBOOT_BAD_TAG;
    uint32_t entry_size = load_le32(body);

    if (entry_size < 24)
        return MULTIBOOT_BAD_TAG;
    info->mem_count = 0; /* the map is better than what a basic-memory tag said */
    for (size_t at = 8; range_inside(at, entry_size, n); at += entry_size)
        add_region(info, load_le64(body + at), load_le64(body + at + 8), load_le32(body + at + 16));
    return MULTIBOOT_OK;
}

static void read_mb2_rsdp(struct boot_info *info, const uint8_t *body, size_t n)
{
    if (n > BOOT_RSDP_MAX)
        n = BOOT_RSDP_MAX;
    if (n <= info->rsdp_length) /* both tags given: the longer, newer pointer stays */
        return;
    memcpy(info->rsdp, body, n);
    info->rsdp_length = (unsigned int)n;
}

static enum multiboot_status read_mb2_tag(struct boot_info *info, uint32_t type,
                                          const uint8_t *body, size_t n, bool *has_map)
{
    switch (type) {
    case MB2_TAG_CMDLINE:
        if (!copy_bounded(info->cmdline, sizeof(info->cmdline), (const char *)body, n))
            info->string_cut = true;
        return MULTIBOOT_OK;
    case MB2_TAG_LOADER:
        if (!copy_bounded(info->loader, sizeof(info->loader), (const char *)body, n))
            info->string_cut = true;
        return MULTIBOOT_OK;
    case MB2_TAG_MODULE:
        return read_mb2_module(info, body, n);
    case MB2_TAG_BASIC_MEM:
        if (n < 8)
            return MULTIBOOT_BAD_TAG;
        if (!*has_map && info->mem_count == 0)
            add_basic_memory(info, load_le32(body), load_le32(body + 4));
        return MULTIBOOT_OK;
    case MB2_TAG_MMAP:
        *has_map = true;
        return read_mb2_map(info, body, n);
    case MB2_TAG_ACPI_OLD:
    case MB2_TAG_ACPI_NEW:
        read_mb2_rsdp(info, body, n);
        return MULTIBOOT_OK;
    default: /* framebuffer, ELF symbols, EFI tables, ...: not of interest */
        return MULTIBOOT_OK;
    }
}

uint32_t multiboot2_size(const void *first8)
{
    return load_le32(first8);
}

enum multiboot_status multiboot2_parse(struct boot_info *info, const void *blob, size_t available)
{
    const uint8_t *p = blob;
    bool has_map = false;

    memset(info, 0, sizeof(*info));
    if (available < 8)
        return MULTIBOOT_UNREADABLE;
    uint32_t total = load_le32(p);

    if (total < 8 || total > available)
        return MULTIBOOT_UNREADABLE;
    for (uint64_t at = 8; range_inside(at, 8, total);) {
        uint32_t type = load_le32(p + at), size = load_le32(p + at + 4);

        if (type == MB2_TAG_END)
            return finish_memory(info);
        if (size < 8 || !range_inside(at, size, total))
            return MULTIBOOT_BAD_TAG;
        enum multiboot_status status = read_mb2_tag(info, type, p + at + 8, size - 8, &has_map);

        if (status != MULTIBOOT_OK)
            return status;
        at += ((uint64_t)size + 7) & ~(uint64_t)7; /* tags start on 8-byte boundaries */
    }
    return MULTIBOOT_BAD_TAG; /* the end tag is missing */
}

const char *multiboot_status_text(enum multiboot_status status)
{
    switch (status) {
    case MULTIBOOT_OK:
        return "boot loader: ok";
    case MULTIBOOT_UNREADABLE:
        return "boot loader: its information cannot be read or is cut short";
    case MULTIBOOT_BAD_TAG:
        return "boot loader: a multiboot 2 tag does not fit its container";
    case MULTIBOOT_BAD_MODULE:
        return "boot loader: a module ends before it starts";
    case MULTIBOOT_NO_MEMORY:
        return "boot loader: no memory map and no memory sizes";
    }
    return "boot loader: unknown error";
}
