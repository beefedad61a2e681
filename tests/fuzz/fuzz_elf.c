/* SPDX-License-Identifier: MIT */
/*
 * Kernel images from rubbish: what is accepted can be loaded without another check.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -Ihv tests/fuzz/fuzz_elf.c \
 *       hv/boot/elfnote.c hv/boot/elfnote_xen.c -o fuzz_elf
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "boot/elfnote.h"

static void check(const struct kernel_image *k, size_t size)
{
    const struct xen_elf_notes *x = &k->notes;

    if (k->load_count == 0 || k->load_count > ELF_LOADS_MAX || k->virt_start >= k->virt_end)
        abort();
    if (x->entry < k->virt_start || x->entry >= k->virt_end)
        abort();
    if (k->virt_end > 0x800000000000 && k->virt_start < 0xffff880000000000)
        abort();
    for (unsigned int i = 0; i < k->load_count; i++) {
        const struct elf_load *l = &k->loads[i];

        if (l->offset > size || l->file_size > size - l->offset || l->file_size > l->mem_size ||
            l->vaddr < k->virt_start || l->vaddr + l->mem_size > k->virt_end)
            abort();
    }
    if (x->l1_mfn_valid_count > XEN_NOTE_L1_PAIRS_MAX ||
        (x->required_features & ~x->supported_features))
        abort();
    if (strlen(x->guest_os) >= XEN_NOTE_STRING_MAX || strlen(x->loader) >= XEN_NOTE_STRING_MAX)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct kernel_image image;

    memset(&image, 0xaa, sizeof(image));
    if (elf_kernel_parse(data, size, &image) == ELF_OK)
        check(&image, size);
    return 0;
}
