/* SPDX-License-Identifier: MIT */
#include "bzimage.h"

#include "bytes.h"

/* Offsets in the setup header. */
#define SETUP_SECTS 0x1f1u
#define BOOT_FLAG 0x1feu
#define HEADER_MAGIC 0x202u
#define PROTOCOL 0x206u
#define PAYLOAD_OFFSET 0x248u
#define PAYLOAD_LENGTH 0x24cu
#define HEADER_END 0x250u

#define BOOT_FLAG_VALUE 0xaa55u
#define HEADER_MAGIC_VALUE 0x53726448u /* "HdrS" */
#define SECTOR 512u
#define SETUP_SECTS_DEFAULT 4u /* what 0 stands for */
#define PROTOCOL_WITH_PAYLOAD 0x208u

#define ELF_CLASS 4u
#define ELF_DATA 5u
#define ELF_MACHINE 18u
#define ELF_IDENT_END 20u
#define ELF_CLASS_32 1u
#define ELF_CLASS_64 2u
#define ELF_LITTLE_ENDIAN 1u
#define ELF_X86_64 62u

static enum kernel_status find_payload(const uint8_t *file, size_t n, struct kernel_file *out)
{
    uint16_t protocol = load_le16(file + PROTOCOL);
    uint32_t offset = load_le32(file + PAYLOAD_OFFSET), length = load_le32(file + PAYLOAD_LENGTH);
    uint32_t sectors = file[SETUP_SECTS] ? file[SETUP_SECTS] : SETUP_SECTS_DEFAULT;
    /* The offset counts from the protected-mode code, after boot sector and setup sectors. */
    uint64_t start = (uint64_t)(sectors + 1) * SECTOR + offset;

    if (protocol < PROTOCOL_WITH_PAYLOAD)
        return KERNEL_OLD_PROTOCOL;
    if (offset == 0 || length == 0)
        return KERNEL_NO_PAYLOAD;
    if (!range_inside(start, length, n))
        return KERNEL_TRUNCATED;
    *out = (struct kernel_file){KERNEL_BZIMAGE, file + start, length, protocol};
    return KERNEL_OK;
}

static enum kernel_status check_elf(const uint8_t *file, size_t n, struct kernel_file *out)
{
    if (n < ELF_IDENT_END)
        return KERNEL_TRUNCATED;
    if (file[ELF_CLASS] == ELF_CLASS_32)
        return KERNEL_ELF32;
    if (file[ELF_CLASS] != ELF_CLASS_64 || file[ELF_DATA] != ELF_LITTLE_ENDIAN ||
        load_le16(file + ELF_MACHINE) != ELF_X86_64)
        return KERNEL_NOT_X86_64;
    *out = (struct kernel_file){KERNEL_ELF, file, n, 0};
    return KERNEL_OK;
}

enum kernel_status kernel_recognise(const void *file, size_t n, struct kernel_file *out)
{
    static const uint8_t elf_magic[4] = {0x7f, 'E', 'L', 'F'};
    static const uint8_t gzip_magic[3] = {0x1f, 0x8b, 8};
    const uint8_t *p = file;

    if (n == 0)
        return KERNEL_EMPTY;
    if (n >= sizeof(elf_magic) && memcmp(p, elf_magic, sizeof(elf_magic)) == 0)
        return check_elf(p, n, out);
    if (n >= sizeof(gzip_magic) && memcmp(p, gzip_magic, sizeof(gzip_magic)) == 0) {
        *out = (struct kernel_file){KERNEL_GZIP, p, n, 0};
        return KERNEL_OK;
    }
    if (n >= HEADER_END && load_le16(p + BOOT_FLAG) == BOOT_FLAG_VALUE &&
        load_le32(p + HEADER_MAGIC) == HEADER_MAGIC_VALUE)
        return find_payload(p, n, out);
    return KERNEL_UNKNOWN;
}

const char *kernel_status_text(enum kernel_status status)
{
    switch (status) {
    case KERNEL_OK:
        return "kernel: ok";
    case KERNEL_EMPTY:
        return "kernel: the file is empty";
    case KERNEL_UNKNOWN:
        return "kernel: not a bzImage and not an ELF file";
    case KERNEL_OLD_PROTOCOL:
        return "kernel: a bzImage older than boot protocol 2.08";
    case KERNEL_NO_PAYLOAD:
        return "kernel: the bzImage names no payload";
    case KERNEL_TRUNCATED:
        return "kernel: the file is cut short";
    case KERNEL_ELF32:
        return "kernel: a 32-bit ELF file; only 64-bit PV kernels are supported";
    case KERNEL_NOT_X86_64:
        return "kernel: an ELF file for another machine than x86-64";
    }
    return "kernel: unknown error";
}
