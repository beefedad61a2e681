/* SPDX-License-Identifier: MIT */
/*
 * What kind of file a kernel is, and where in it the ELF image or its compressed form lies.
 *
 * Source: "The Linux/x86 Boot Protocol" (Documentation/x86/boot.rst in Linux).
 * Pure function over the file's bytes.
 */
#ifndef HV_BOOT_BZIMAGE_H
#define HV_BOOT_BZIMAGE_H

#include <stddef.h>
#include <stdint.h>

enum kernel_format {
    KERNEL_BZIMAGE, /* payload: packed by Linux's build, ends with the unpacked length in 4 bytes */
    KERNEL_ELF,     /* payload: the file itself */
    KERNEL_GZIP,    /* payload: the file itself, a gzip stream that should hold an ELF file */
};

struct kernel_file {
    enum kernel_format format;
    const uint8_t *payload; /* inside the file */
    size_t payload_length;
    uint16_t protocol; /* of a bzImage: major << 8 | minor; else 0 */
};

enum kernel_status {
    KERNEL_OK,
    KERNEL_EMPTY,
    KERNEL_UNKNOWN,      /* neither a bzImage nor an ELF file */
    KERNEL_OLD_PROTOCOL, /* a boot protocol below 2.08 has no payload fields */
    KERNEL_NO_PAYLOAD,   /* the payload fields are zero */
    KERNEL_TRUNCATED,    /* the payload reaches past the end of the file */
    KERNEL_ELF32,        /* PV32 kernels are not supported */
    KERNEL_NOT_X86_64,
};

/* Recognises file[0..n). *out is filled only on KERNEL_OK; its payload is not looked into. */
enum kernel_status kernel_recognise(const void *file, size_t n, struct kernel_file *out);

/* A line for the console, without the final stop. */
const char *kernel_status_text(enum kernel_status status);

#endif
