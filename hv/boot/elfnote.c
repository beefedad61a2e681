/* SPDX-License-Identifier: MIT */
#include "elfnote.h"

#include <elf.h>

#include "bytes.h"
#include "elfnote_xen.h"

/* HYPERVISOR_VIRT_START and _END of <xen/arch-x86/xen-x86_64.h>: L4 slots 256 to 271. */
#define HV_RANGE_START 0xffff800000000000u
#define HV_RANGE_END 0xffff880000000000u
#define CANONICAL_LOW_END 0x0000800000000000u

/* The file, and where its header says the tables are. */
struct elf {
    const uint8_t *file;
    uint64_t size;
    Elf64_Ehdr header;
};

static enum elf_status read_header(struct elf *e)
{
    if (e->size < SELFMAG || memcmp(e->file, ELFMAG, SELFMAG) != 0)
        return ELF_NOT_ELF;
    if (e->size > EI_CLASS && e->file[EI_CLASS] != ELFCLASS64)
        return ELF_NOT_64BIT;
    if (e->size < sizeof(e->header))
        return ELF_TRUNCATED;
    memcpy(&e->header, e->file, sizeof(e->header));
    if (e->header.e_ident[EI_DATA] != ELFDATA2LSB || e->header.e_machine != EM_X86_64)
        return ELF_NOT_X86_64;
    if (e->header.e_type != ET_EXEC && e->header.e_type != ET_DYN)
        return ELF_BAD_TYPE;
    if (e->header.e_phnum == 0 || e->header.e_phentsize < sizeof(Elf64_Phdr))
        return ELF_NO_SEGMENTS;
    if (!range_inside(e->header.e_phoff, (uint64_t)e->header.e_phnum * e->header.e_phentsize,
                      e->size))
        return ELF_TRUNCATED;
    return ELF_OK;
}

static Elf64_Phdr program_header(const struct elf *e, unsigned int i)
{
    Elf64_Phdr ph;

    memcpy(&ph, e->file + e->header.e_phoff + (uint64_t)i * e->header.e_phentsize, sizeof(ph));
    return ph;
}

static bool loads_overlap(const struct elf_load *a, const struct elf_load *b)
{
    return a->vaddr < b->vaddr + b->mem_size && b->vaddr < a->vaddr + a->mem_size;
}

/* ph is a PT_LOAD with memory. vaddr is its physical address for now: see place_image(). */
static enum elf_status add_load(const struct elf *e, const Elf64_Phdr *ph,
                                struct kernel_image *image)
{
    struct elf_load l = {ph->p_offset, ph->p_filesz, ph->p_memsz, ph->p_paddr};

    if (image->load_count == ELF_LOADS_MAX)
        return ELF_TOO_MANY_SEGMENTS;
    if (l.file_size > l.mem_size || l.mem_size > UINT64_MAX - l.vaddr)
        return ELF_BAD_SEGMENT;
    if (!range_inside(l.offset, l.file_size, e->size))
        return ELF_TRUNCATED;
    for (unsigned int i = 0; i < image->load_count; i++) {
        if (loads_overlap(&l, &image->loads[i]))
            return ELF_OVERLAP;
    }
    image->loads[image->load_count++] = l;
    return ELF_OK;
}

static enum elf_status read_loads(const struct elf *e, struct kernel_image *image)
{
    for (unsigned int i = 0; i < e->header.e_phnum; i++) {
        Elf64_Phdr ph = program_header(e, i);

        if (ph.p_type != PT_LOAD || ph.p_memsz == 0)
            continue;
        enum elf_status status = add_load(e, &ph, image);

        if (status != ELF_OK)
            return status;
    }
    return image->load_count ? ELF_OK : ELF_NO_SEGMENTS;
}

static enum elf_status read_note_range(const struct elf *e, uint64_t offset, uint64_t length,
                                       struct xen_note_reader *reader)
{
    if (!range_inside(offset, length, e->size))
        return ELF_TRUNCATED;
    return xen_notes_read(e->file + offset, length, reader);
}

static enum elf_status read_note_segments(const struct elf *e, struct xen_note_reader *reader)
{
    enum elf_status status = ELF_OK;

    for (unsigned int i = 0; status == ELF_OK && i < e->header.e_phnum; i++) {
        Elf64_Phdr ph = program_header(e, i);

        if (ph.p_type == PT_NOTE)
            status = read_note_range(e, ph.p_offset, ph.p_filesz, reader);
    }
    return status;
}

/* For kernels whose notes are in sections only. A file without a usable section table has none. */
static enum elf_status read_note_sections(const struct elf *e, struct xen_note_reader *reader)
{
    enum elf_status status = ELF_OK;
    uint64_t table = (uint64_t)e->header.e_shnum * e->header.e_shentsize;

    if (e->header.e_shentsize < sizeof(Elf64_Shdr) ||
        !range_inside(e->header.e_shoff, table, e->size))
        return ELF_OK;
    for (unsigned int i = 0; status == ELF_OK && i < e->header.e_shnum; i++) {
        Elf64_Shdr sh;

        memcpy(&sh, e->file + e->header.e_shoff + (uint64_t)i * e->header.e_shentsize, sizeof(sh));
        if (sh.sh_type == SHT_NOTE)
            status = read_note_range(e, sh.sh_offset, sh.sh_size, reader);
    }
    return status;
}

static enum elf_status read_notes(const struct elf *e, struct xen_elf_notes *notes)
{
    struct xen_note_reader reader = {.notes = notes};
    enum elf_status status = read_note_segments(e, &reader);

    if (status == ELF_OK && !reader.seen)
        status = read_note_sections(e, &reader);
    if (status != ELF_OK)
        return status;
    if (!reader.seen)
        return ELF_NOT_XEN;
    if (!reader.has_entry)
        return ELF_NOT_PV;
    if (notes->loader[0] && strcmp(notes->loader, "generic") != 0)
        return ELF_BAD_LOADER;
    return ELF_OK;
}

/* Nothing of [start, end) is out of a guest's reach. */
static bool guest_range(uint64_t start, uint64_t end)
{
    if (end <= CANONICAL_LOW_END)
        return true;
    if (start < HV_RANGE_START)
        return false;
    return start >= HV_RANGE_END;
}

/* Turns the loads' physical addresses into virtual ones and checks what the notes point to. */
static enum elf_status place_image(struct kernel_image *image)
{
    const struct xen_elf_notes *notes = &image->notes;

    image->virt_start = UINT64_MAX;
    image->virt_end = 0;
    for (unsigned int i = 0; i < image->load_count; i++) {
        struct elf_load *l = &image->loads[i];

        l->vaddr += notes->virt_base - notes->paddr_offset; /* modulo 2^64: checked next */
        if (l->mem_size > UINT64_MAX - l->vaddr)
            return ELF_BAD_ADDRESS;
        if (l->vaddr < image->virt_start)
            image->virt_start = l->vaddr;
        if (l->vaddr + l->mem_size > image->virt_end)
            image->virt_end = l->vaddr + l->mem_size;
    }
    if (!guest_range(image->virt_start, image->virt_end))
        return ELF_BAD_ADDRESS;
    if (notes->entry < image->virt_start || notes->entry >= image->virt_end)
        return ELF_BAD_ADDRESS;
    if (notes->has_hypercall_page &&
        (notes->hypercall_page % 4096 || notes->hypercall_page < image->virt_start ||
         !range_inside(notes->hypercall_page - image->virt_start, 4096,
                       image->virt_end - image->virt_start)))
        return ELF_BAD_ADDRESS;
    if (notes->has_init_p2m &&
        (notes->init_p2m % 4096 || !guest_range(notes->init_p2m, notes->init_p2m)))
        return ELF_BAD_ADDRESS;
    return ELF_OK;
}

enum elf_status elf_kernel_parse(const void *file, size_t n, struct kernel_image *image)
{
    struct elf e = {.file = file, .size = n};
    enum elf_status status;

    memset(image, 0, sizeof(*image));
    status = read_header(&e);
    if (status == ELF_OK)
        status = read_loads(&e, image);
    if (status == ELF_OK)
        status = read_notes(&e, &image->notes);
    if (status == ELF_OK)
        status = place_image(image);
    return status;
}

const char *elf_status_text(enum elf_status status)
{
    switch (status) {
    case ELF_OK:
        return "kernel: ok";
    case ELF_NOT_ELF:
        return "kernel: not an ELF file";
    case ELF_NOT_64BIT:
        return "kernel: a 32-bit ELF file; only 64-bit PV kernels are supported";
    case ELF_NOT_X86_64:
        return "kernel: an ELF file for another machine than x86-64";
    case ELF_BAD_TYPE:
        return "kernel: the ELF file is not an executable";
    case ELF_TRUNCATED:
        return "kernel: the ELF file is cut short";
    case ELF_BAD_SEGMENT:
        return "kernel: a segment's sizes make no sense";
    case ELF_OVERLAP:
        return "kernel: two segments overlap";
    case ELF_TOO_MANY_SEGMENTS:
        return "kernel: too many segments";
    case ELF_NO_SEGMENTS:
        return "kernel: nothing to load in the ELF file";
    case ELF_BAD_NOTE:
        return "kernel: a Xen ELF note has the wrong length";
    case ELF_NOT_XEN:
        return "kernel: no Xen ELF notes: built without Xen support";
    case ELF_NOT_PV:
        return "kernel: no PV entry point: built for Xen PVH or HVM only";
    case ELF_BAD_LOADER:
        return "kernel: asks for another loader than \"generic\"";
    case ELF_UNKNOWN_FEATURE:
        return "kernel: requires a Xen feature that is not known here";
    case ELF_BAD_ADDRESS:
        return "kernel: an address in its Xen ELF notes cannot be used";
    }
    return "kernel: unknown ELF error";
}
