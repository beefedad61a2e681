/* SPDX-License-Identifier: MIT */
#ifndef HV_BOOT_KERNEL_LOAD_H
#define HV_BOOT_KERNEL_LOAD_H

#include "boot/elfnote.h"
#include "hv/types.h"

/* An ELF kernel in memory, unpacked if it was packed. */
struct loaded_kernel {
    const uint8_t *elf;
    size_t length;
    struct kernel_image image;
    struct page_info *buffer; /* to be freed by kernel_unload(), or NULL */
    unsigned int order;
};

/* file: a kernel file as packaged.  NULL, or the reason why not. */
const char *kernel_load(const void *file, size_t length, struct loaded_kernel *k);
void kernel_unload(struct loaded_kernel *k);

#endif
