/* SPDX-License-Identifier: MIT */
/*
 * Message-signalled interrupts of PCI devices (PCI Local Bus Specification 3.0, 6.8): address and
 * data for a vector of the boot CPU.  Domain 0 turns the capabilities on and off.
 */
#include "hv/irq.h"
#include "hv/lib.h"
#include "hv/mm.h"
#include "hv/paging.h"
#include "hv/pci.h"

#define PCI_COMMAND        0x04
#define PCI_COMMAND_MEMORY 0x2
#define PCI_CAP_MSI        0x05
#define PCI_CAP_MSIX       0x11

#define MSI_CONTROL     2
#define MSI_MMC_SHIFT   1 /* multiple message capable, log2 */
#define MSI_MME_SHIFT   4 /* multiple messages enabled, log2 */
#define MSI_MME_MASK    (7u << MSI_MME_SHIFT)
#define MSI_64          (1u << 7)
#define MSI_MASKBITS    (1u << 8)
#define MSIX_TABLE      4
#define MSIX_BIR_MASK   7u
#define MSIX_SIZE_MASK  0x7ffu
#define MSIX_ENTRY_SIZE 16
#define MSIX_CTRL_MASK  1u

/* Intel SDM volume 3, 11.11: fixed delivery, physical destination, edge. */
#define MSI_ADDRESS 0xfee00000u

/* Pages of MSI-X tables that are mapped: one device's entries share them. */
#define TABLE_PAGES 64

static struct {
    uint64_t frame;
    uint8_t *va;
} table_page[TABLE_PAGES];
static unsigned int nr_table_pages;

/* pirq_lock held. */
static volatile uint32_t *map_table_entry(uint64_t pa)
{
    uint64_t frame = pa >> PAGE_SHIFT;
    unsigned int i;

    for (i = 0; i < nr_table_pages && table_page[i].frame != frame; i++)
        ;
    if (i == nr_table_pages) {
        if (i == TABLE_PAGES)
            return NULL;
        table_page[i].frame = frame;
        table_page[i].va = ioremap(frame << PAGE_SHIFT, PAGE_SIZE);
        nr_table_pages++;
    }
    return (volatile uint32_t *)(table_page[i].va + (pa & ~PAGE_MASK));
}

/* A table must not be taken for RAM or for a device of the hypervisor's, whatever domain 0 says. */
static bool is_device_memory(uint64_t pa)
{
    mfn_t mfn = paddr_to_mfn(pa);

    if (pa >> 52 || !mmio_permit(mfn))
        return false;
    return !mfn_valid(mfn) || mfn_to_page(mfn)->owner == &dom_io;
}

static int find_msix(struct msi_state *st)
{
    const struct msi_source *src = &st->src;
    uint32_t control = pci_cfg_read(src->bus, src->devfn, st->cap + MSI_CONTROL, 2);
    uint32_t table = pci_cfg_read(src->bus, src->devfn, st->cap + MSIX_TABLE, 4);
    uint64_t pa = src->table_base + (table & ~MSIX_BIR_MASK) + src->entry * MSIX_ENTRY_SIZE;

    if (src->entry > (control & MSIX_SIZE_MASK) || !is_device_memory(pa))
        return -XEN_EINVAL;
    if (!(pci_cfg_read(src->bus, src->devfn, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY))
        return -XEN_ENXIO;
    st->table_entry = map_table_entry(pa);
    return st->table_entry ? 0 : -XEN_ENOSPC;
}

static int find_msi(struct msi_state *st)
{
    const struct msi_source *src = &st->src;
    uint32_t control = pci_cfg_read(src->bus, src->devfn, st->cap + MSI_CONTROL, 2);

    if (src->nr > 1u << (control >> MSI_MMC_SHIFT & 7))
        return -XEN_EINVAL;
    st->is64 = control & MSI_64;
    st->maskbits = control & MSI_MASKBITS;
    return 0;
}

int msi_find(const struct msi_source *src, struct msi_state *st)
{
    *st = (struct msi_state){ .src = *src };
    st->cap = pci_find_cap(src->bus, src->devfn, src->msix ? PCI_CAP_MSIX : PCI_CAP_MSI);
    if (!st->cap)
        return -XEN_ENODEV;
    return src->msix ? find_msix(st) : find_msi(st);
}

static void program_msi(const struct msi_state *st, uint8_t vector)
{
    const struct msi_source *src = &st->src;
    uint32_t control = pci_cfg_read(src->bus, src->devfn, st->cap + MSI_CONTROL, 2);
    uint32_t log2 = (uint32_t)__builtin_ctz(src->nr);

    control = (control & ~MSI_MME_MASK) | log2 << MSI_MME_SHIFT;
    pci_cfg_write(src->bus, src->devfn, st->cap + MSI_CONTROL, 2, control);
    pci_cfg_write(src->bus, src->devfn, st->cap + 4, 4, MSI_ADDRESS | irq_dest_apic << 12);
    if (st->is64)
        pci_cfg_write(src->bus, src->devfn, st->cap + 8, 4, 0);
    pci_cfg_write(src->bus, src->devfn, st->cap + (st->is64 ? 12 : 8), 2, vector);
}

/* An entry is changed only while masked (6.8.2.9). */
static void program_msix(const struct msi_state *st, uint8_t vector)
{
    st->table_entry[3] |= MSIX_CTRL_MASK;
    st->table_entry[0] = MSI_ADDRESS | irq_dest_apic << 12;
    st->table_entry[1] = 0;
    st->table_entry[2] = vector;
}

void msi_program(const struct msi_state *st, uint8_t vector)
{
    if (st->src.msix)
        program_msix(st, vector);
    else
        program_msi(st, vector);
}

void msi_set_mask(const struct msi_state *st, bool masked)
{
    const struct msi_source *src = &st->src;
    uint8_t reg = st->cap + (st->is64 ? 16 : 12);
    uint32_t bits;

    if (src->msix) {
        st->table_entry[3] = masked ? MSIX_CTRL_MASK : 0;
        return;
    }
    if (!st->maskbits)
        return;
    bits = pci_cfg_read(src->bus, src->devfn, reg, 4);
    bits = masked ? bits | 1u << st->index : bits & ~(1u << st->index);
    pci_cfg_write(src->bus, src->devfn, reg, 4, bits);
}
