/* SPDX-License-Identifier: MIT */
/*
 * From a kernel file to an ELF image in memory.
 */
#include "boot/kernel_load.h"

#include "boot/bzimage.h"
#include "boot/unpack.h"
#include "hv/asm.h"
#include "hv/lib.h"
#include "hv/mm.h"
#include "hv/x86.h"

static unsigned int order_for(uint64_t bytes)
{
    unsigned int order = 0;

    while ((PAGE_SIZE << order) < bytes)
        order++;
    return order;
}

static const char *unpack(const struct kernel_file *f, struct loaded_kernel *k)
{
    uint64_t need = unpack_scratch_need(f->payload, f->payload_length);
    uint64_t size = unpack_size_hint(f->payload, f->payload_length);
    unsigned int scratch_order = order_for(MAX(need, PAGE_SIZE));
    struct page_info *scratch;
    enum unpack_status status;
    size_t got = 0;

    if (size > 1UL << 30 || need > 1UL << 30)
        return "kernel: its payload claims an impossible size";
    k->order = order_for(MAX(size, PAGE_SIZE));
    k->buffer = alloc_pages(k->order, 0);
    scratch = alloc_pages(scratch_order, 0);
    if (!k->buffer || !scratch)
        return "too little memory to unpack the kernel";
    status = unpack_payload(f->payload, f->payload_length, page_to_virt(k->buffer),
                            PAGE_SIZE << k->order, &got, page_to_virt(scratch),
                            PAGE_SIZE << scratch_order);
    free_pages(scratch, scratch_order);
    if (status != UNPACK_OK)
        return unpack_status_text(status);
    k->elf = page_to_virt(k->buffer);
    k->length = got;
    return NULL;
}

const char *kernel_load(const void *file, size_t length, struct loaded_kernel *k)
{
    static struct unpack_tls tls = { .canary = 0x5261646f6e000000 };
    struct kernel_file f;
    enum kernel_status ks = kernel_recognise(file, length, &f);
    const char *why = NULL;
    enum elf_status es;

    memset(k, 0, sizeof(*k));
    if (ks != KERNEL_OK)
        return kernel_status_text(ks);
    if (f.format == KERNEL_ELF) {
        k->elf = f.payload;
        k->length = f.payload_length;
    } else {
        wrmsr(MSR_FS_BASE, (uint64_t)&tls);
        why = unpack(&f, k);
        wrmsr(MSR_FS_BASE, 0);
    }
    if (why)
        return why;
    es = elf_kernel_parse(k->elf, k->length, &k->image);
    return es == ELF_OK ? NULL : elf_status_text(es);
}

void kernel_unload(struct loaded_kernel *k)
{
    if (k->buffer)
        free_pages(k->buffer, k->order);
    k->buffer = NULL;
}
