/* SPDX-License-Identifier: MIT */
/*
 * IO-APICs (Intel 82093AA data sheet, 3.0): two windows, an index and a data register.
 */
#include "hv/acpi.h"
#include "hv/irq.h"
#include "hv/lib.h"
#include "hv/mm.h"
#include "hv/paging.h"

#define REG_VERSION 0x01
#define REG_RTE     0x10 /* two registers for each line */

#define DEST_ALL       (0xffu << 24) /* physical destination */
#define RTE_NMI        (4u << 8)
#define RTE_ACTIVE_LOW (1u << 13)
#define RTE_LEVEL      (1u << 15)
#define RTE_MASKED     (1u << 16)

struct ioapic {
    volatile uint32_t *regs;
    uint64_t base;
    uint32_t gsi_base, nr;
};

static struct ioapic ioapics[ACPI_MAX_IOAPICS];
static uint32_t nr_ioapics;
static uint32_t rte_low[NR_IRQS]; /* what the low half of each entry holds */
static spinlock_t ioapic_lock;
static struct ioapic_line isa_line[16];
static uint32_t isa_gsi[16];

uint32_t nr_gsis;
uint32_t irq_dest_apic;

/* The lock is the caller's: index and data belong together. */
static uint32_t reg_read(const struct ioapic *io, uint32_t reg)
{
    io->regs[0] = reg;
    return io->regs[4];
}

static void reg_write(const struct ioapic *io, uint32_t reg, uint32_t value)
{
    io->regs[0] = reg;
    io->regs[4] = value;
}

static const struct ioapic *ioapic_of(uint32_t gsi)
{
    for (uint32_t i = 0; i < nr_ioapics; i++) {
        if (gsi - ioapics[i].gsi_base < ioapics[i].nr)
            return &ioapics[i];
    }
    return NULL;
}

bool ioapic_has(uint32_t gsi)
{
    return ioapic_of(gsi) != NULL;
}

static void write_low(uint32_t gsi, uint32_t value)
{
    const struct ioapic *io = ioapic_of(gsi);

    if (!io)
        return;
    spin_lock(&ioapic_lock);
    rte_low[gsi] = value;
    reg_write(io, REG_RTE + 2 * (gsi - io->gsi_base), value);
    spin_unlock(&ioapic_lock);
}

void ioapic_mask(uint32_t gsi)
{
    write_low(gsi, rte_low[gsi] | RTE_MASKED);
}

void ioapic_unmask(uint32_t gsi)
{
    write_low(gsi, rte_low[gsi] & ~RTE_MASKED);
}

void ioapic_route(uint32_t gsi, const struct ioapic_line *line, bool masked)
{
    const struct ioapic *io = ioapic_of(gsi);
    /* Fixed delivery, physical destination. */
    uint32_t low = line->vector | (line->active_low ? RTE_ACTIVE_LOW : 0) |
                   (line->level ? RTE_LEVEL : 0);

    if (!io)
        return;
    ioapic_mask(gsi);
    spin_lock(&ioapic_lock);
    reg_write(io, REG_RTE + 2 * (gsi - io->gsi_base) + 1, irq_dest_apic << 24);
    spin_unlock(&ioapic_lock);
    write_low(gsi, low | (masked ? RTE_MASKED : 0));
}

void ioapic_route_nmi(uint32_t gsi)
{
    const struct ioapic *io = ioapic_of(gsi);

    if (!io)
        return;
    ioapic_mask(gsi);
    spin_lock(&ioapic_lock);
    reg_write(io, REG_RTE + 2 * (gsi - io->gsi_base) + 1, DEST_ALL);
    spin_unlock(&ioapic_lock);
    write_low(gsi, RTE_NMI); /* edge-triggered, as NMIs are */
}

uint32_t ioapic_isa_gsi(unsigned int isa_irq, struct ioapic_line *line)
{
    line->level = isa_line[isa_irq].level;
    line->active_low = isa_line[isa_irq].active_low;
    return isa_gsi[isa_irq];
}

/* ------------------------------------------------------------------ physdev_op */

static const struct ioapic *ioapic_at(uint64_t base)
{
    for (uint32_t i = 0; i < nr_ioapics; i++) {
        if (ioapics[i].base == base)
            return &ioapics[i];
    }
    return NULL;
}

int ioapic_read_reg(uint64_t base, uint32_t reg, uint32_t *value)
{
    const struct ioapic *io = ioapic_at(base);

    if (!io || reg > 0xff)
        return -XEN_EINVAL;
    spin_lock(&ioapic_lock);
    *value = reg_read(io, reg);
    spin_unlock(&ioapic_lock);
    return 0;
}

int ioapic_decode_write(uint64_t base, uint32_t reg, uint32_t value, uint32_t *gsi,
                        struct ioapic_line *line)
{
    const struct ioapic *io = ioapic_at(base);

    if (!io || reg < REG_RTE || reg >= REG_RTE + 2 * io->nr || (reg & 1))
        return -XEN_EINVAL;
    *gsi = io->gsi_base + (reg - REG_RTE) / 2;
    line->vector = 0;
    line->level = value & RTE_LEVEL;
    line->active_low = value & RTE_ACTIVE_LOW;
    return 0;
}

/* ------------------------------------------------------------------ boot */

static void add_ioapic(const struct acpi_ioapic *from)
{
    struct ioapic *io = &ioapics[nr_ioapics];

    io->base = from->address;
    io->regs = ioremap(from->address, 0x20);
    io->gsi_base = from->gsi_base;
    io->nr = (reg_read(io, REG_VERSION) >> 16 & 0xff) + 1;
    if (io->gsi_base >= NR_IRQS) {
        hv_log(LOG_WARN, "IO-APIC at 0x%lx: GSI %u is too high\n", io->base, io->gsi_base);
        return;
    }
    io->nr = MIN(io->nr, NR_IRQS - io->gsi_base);
    nr_ioapics++;
    nr_gsis = MAX(nr_gsis, io->gsi_base + io->nr);
    mmio_deny(paddr_to_mfn(io->base), 1);
    for (uint32_t i = 0; i < io->nr; i++)
        write_low(io->gsi_base + i, RTE_MASKED);
    hv_log(LOG_INFO, "IO-APIC at 0x%lx: GSIs %u-%u\n", io->base, io->gsi_base,
           io->gsi_base + io->nr - 1);
}

void ioapic_init(const struct acpi_info *info)
{
    /* ISA interrupts are edge-triggered, active-high and have the GSI of their number, unless ... */
    for (unsigned int i = 0; i < 16; i++)
        isa_gsi[i] = i;
    for (uint32_t i = 0; i < info->nr_overrides; i++) {
        const struct acpi_override *o = &info->override[i];

        isa_gsi[o->isa_irq] = o->gsi;
        isa_line[o->isa_irq].level = o->level;
        isa_line[o->isa_irq].active_low = o->active_low;
    }
    for (uint32_t i = 0; i < info->nr_ioapics; i++)
        add_ioapic(&info->ioapic[i]);
}
