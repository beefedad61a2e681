/* SPDX-License-Identifier: MIT */
/*
 * What the boot loader handed over, in one form for multiboot 1 and multiboot 2.
 *
 * Sources: "Multiboot Specification version 0.6.96" (section 3.3, boot information format) and
 * "Multiboot2 Specification version 2.0" (section 3.6).
 *
 * Pure functions: nothing but the arguments is read or written. The strings are copied, so the
 * loader's memory may be reused once a parse has returned; module contents stay where they are.
 */
#ifndef HV_BOOT_MULTIBOOT_H
#define HV_BOOT_MULTIBOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MULTIBOOT1_MAGIC 0x2badb002u /* in EAX at entry: EBX is a multiboot 1 information struct   \
                                      */
#define MULTIBOOT2_MAGIC 0x36d76289u /* in EAX at entry: EBX is multiboot 2 information */

#define BOOT_MEM_MAX 128 /* regions: the BIOS's own limit for E820 */
#define BOOT_MODULES_MAX 8
#define BOOT_STRING_MAX 2048 /* bytes with the NUL: Linux's COMMAND_LINE_SIZE on x86 */
#define BOOT_LOADER_MAX 64
#define BOOT_RSDP_MAX 36 /* ACPI 2.0 root pointer */

/* E820 numbering (ACPI 6.4, table 15.4); other values are firmware's own and count as reserved. */
enum boot_mem_type {
    BOOT_MEM_RAM = 1,
    BOOT_MEM_RESERVED = 2,
    BOOT_MEM_ACPI = 3,
    BOOT_MEM_NVS = 4,
    BOOT_MEM_UNUSABLE = 5,
};

struct boot_mem_region {
    uint64_t base;   /* bytes, physical */
    uint64_t length; /* bytes */
    uint32_t type;   /* enum boot_mem_type, or a firmware's own number */
};

struct boot_module {
    uint64_t start; /* physical, first byte */
    uint64_t end;   /* physical, one past the last byte */
    char string[BOOT_STRING_MAX];
};

/* About 22 KiB: keep it in static memory, not on a stack. */
struct boot_info {
    char loader[BOOT_LOADER_MAX];  /* "" when not given */
    char cmdline[BOOT_STRING_MAX]; /* as the loader passed it: see cmdline_name_rule() */
    struct boot_mem_region mem[BOOT_MEM_MAX];
    unsigned int mem_count;
    struct boot_module modules[BOOT_MODULES_MAX];
    unsigned int module_count;
    uint8_t rsdp[BOOT_RSDP_MAX]; /* a copy of the ACPI root pointer (multiboot 2 only) */
    unsigned int rsdp_length;    /* 0: not given, search for it */
    bool string_cut;             /* a string was longer than its field */
    bool modules_dropped;        /* there were more than BOOT_MODULES_MAX */
    bool mem_dropped;            /* there were more than BOOT_MEM_MAX regions */
};

enum multiboot_status {
    MULTIBOOT_OK,
    MULTIBOOT_UNREADABLE, /* the information itself cannot be mapped or is cut short */
    MULTIBOOT_BAD_TAG,    /* multiboot 2: a tag does not fit its container */
    MULTIBOOT_BAD_MODULE, /* a module ends before it starts */
    MULTIBOOT_NO_MEMORY,  /* no memory map and no memory sizes */
};

/*
 * Gives a pointer through which [paddr, paddr + len) can be read, or NULL when any byte of it
 * cannot. The pointer need only stay valid until the next call.
 */
typedef const void *(*boot_map_fn)(void *ctx, uint64_t paddr, size_t len);

/*
 * Reads the multiboot 1 information struct at physical address info_paddr (EBX at entry).
 * On success *info is filled and its memory map is sanitised. On failure *info is unspecified.
 */
enum multiboot_status multiboot1_parse(struct boot_info *info, uint64_t info_paddr, boot_map_fn map,
                                       void *ctx);

/*
 * Reads multiboot 2 information: blob is what EBX pointed to at entry, available the bytes of it
 * that may be read (the information states its own size, which must not be larger).
 */
enum multiboot_status multiboot2_parse(struct boot_info *info, const void *blob, size_t available);

/* The size that a multiboot 2 blob states in its first 8 bytes: what to map before parsing it. */
uint32_t multiboot2_size(const void *first8);

/*
 * Sorts mem[0..*count) by address and resolves overlaps: where regions overlap, the more reserved
 * type wins (unusable > reserved and unknown > NVS > ACPI > RAM). Adjacent regions of one type
 * become one; empty ones vanish. *count must not exceed BOOT_MEM_MAX. Returns false when more than
 * BOOT_MEM_MAX regions result; the highest are then dropped, which never turns anything into RAM.
 * Needs about 6 KiB of stack.
 */
bool boot_mem_sanitise(struct boot_mem_region *mem, unsigned int *count);

/* A line for the console, without the final stop. */
const char *multiboot_status_text(enum multiboot_status status);

#endif
