/* SPDX-License-Identifier: MIT */
/*
 * Device interrupts: IO-APIC lines (GSIs) and message-signalled ones, their vectors, and the pirqs
 * by which a domain names them.
 *
 * An irq number is the GSI for lines; messages follow above nr_gsis.  A vector means the same
 * interrupt on all CPUs.
 *
 * Locks: pirq_lock guards which irq a pirq is and who is bound to it (slow paths); the lock of one
 * interrupt guards its delivery.
 */
#ifndef HV_IRQ_H
#define HV_IRQ_H

#include "hv/domain.h"
#include "hv/spinlock.h"
#include "hv/types.h"

struct acpi_info;

#define NR_IRQS 256
#define IRQ_MAX_SHARED 4 /* guests that may share a line */

/* ------------------------------------------------------------------ boot */

/* Mask the 8259s and all IO-APIC lines; needs ioremap() and the boot CPU's local APIC. */
void irq_init(const struct acpi_info *acpi);
/* Lines that exist: GSIs are below. */
extern uint32_t nr_gsis;

/* ------------------------------------------------------------------ delivery */

/*
 * A device interrupt arrived (vector in DEVICE_VECTOR_FIRST..LAST).  Interrupts off, no lock held.
 * Does the APIC's EOI itself.
 */
void irq_dispatch(struct cpu_user_regs *regs, unsigned int vector);

/*
 * Let the hypervisor itself handle an ISA line (edge or level as the tables say); fn runs in
 * interrupt context after the EOI.  -XEN_E*.
 */
int irq_request_isa(unsigned int isa_irq, void (*fn)(void *arg), void *arg);

/* ------------------------------------------------------------------ pirqs */

extern spinlock_t pirq_lock;

/* hv/event: connect a pirq's interrupt to a port of d, or disconnect it.  pirq_lock held. */
int pirq_bind(struct domain *d, uint32_t pirq, uint32_t port, bool will_share);
void pirq_unbind(struct domain *d, uint32_t pirq);
/* Unmap all pirqs of a domain whose ports are closed.  No lock held. */
void pirq_domain_release(struct domain *d);
/* Raise the event of a pirq's port, if it still is one. */
void evtchn_send_pirq(struct domain *d, uint32_t port);

/* ------------------------------------------------------------------ for physdev_op */

/* Trigger mode and polarity of a line, as the firmware describes it; -XEN_EINVAL. */
int irq_setup_gsi(uint32_t gsi, bool level, bool active_low);
/* Give line gsi a vector, without opening it. */
int irq_assign_vector(uint32_t gsi, uint32_t *vector);
/* d has dealt with an interrupt of pirq: the line may come again when all who share it have. */
int irq_guest_eoi(struct domain *d, uint32_t pirq);
/* Whether the guest must send PHYSDEVOP_eoi, and whether others share the line. */
int irq_query(uint32_t pirq, bool *needs_eoi, bool *shared);
/*
 * d's page of bits: which of its pirqs need PHYSDEVOP_eoi.  auto_unmask: that call opens the event
 * channel, too (version 1).  -XEN_EINVAL, -XEN_EBUSY if there is one.
 */
int pirq_set_eoi_page(struct domain *d, uint64_t mfn, bool auto_unmask);

/* A message-signalled interrupt: where it comes from. */
struct msi_source {
    uint8_t bus, devfn;
    bool msix;
    uint16_t entry;      /* MSI-X: index in the table */
    uint32_t nr;         /* MSI: vectors (power of two) */
    uint64_t table_base; /* MSI-X: machine address of the BAR that holds the table */
};

/* Reserve a free message irq for d (PHYSDEVOP_get_free_pirq); -XEN_ENOSPC. */
int irq_reserve(struct domain *d);
/*
 * Take src->nr consecutive irqs with consecutive vectors and program the device, masked.  want: a
 * reserved irq, or -1.  The first irq, or -XEN_E*.  pirq_lock held.
 */
int irq_map_msi(struct domain *d, const struct msi_source *src, int want);
/* Undo irq_map_msi() (the whole group of irq) or irq_reserve(); lines just lose their guest. */
int irq_unmap(struct domain *d, uint32_t irq);

/* hv/x86/ioapic.c */
struct ioapic_line {
    uint8_t vector;
    bool level, active_low;
};
void ioapic_init(const struct acpi_info *acpi);
bool ioapic_has(uint32_t gsi);
/* Write a line's entry, masked or not; destination is the boot CPU. */
void ioapic_route(uint32_t gsi, const struct ioapic_line *line, bool masked);
/* The same as an NMI on all CPUs. */
void ioapic_route_nmi(uint32_t gsi);
void ioapic_mask(uint32_t gsi);
void ioapic_unmask(uint32_t gsi);
/* A register of the IO-APIC at a machine address, as PHYSDEVOP_apic_read has it. */
int ioapic_read_reg(uint64_t base, uint32_t reg, uint32_t *value);
/* PHYSDEVOP_apic_write to the low half of an entry: the line it means and what it asks for. */
int ioapic_decode_write(uint64_t base, uint32_t reg, uint32_t value, uint32_t *gsi,
                        struct ioapic_line *line);
/* The GSI of an ISA interrupt, with its trigger mode and polarity (vector is left alone). */
uint32_t ioapic_isa_gsi(unsigned int isa_irq, struct ioapic_line *line);
/* Local APIC ID of the boot CPU, where all device interrupts go. */
extern uint32_t irq_dest_apic;

/* hv/x86/msi.c */
struct msi_state {
    struct msi_source src;
    uint8_t cap;         /* offset of the capability */
    bool is64, maskbits; /* MSI */
    uint8_t index;       /* MSI: which of the group */
    volatile uint32_t *table_entry;
};
int msi_find(const struct msi_source *src, struct msi_state *st);
/* Program address and data for a vector; masked as far as the device can. */
void msi_program(const struct msi_state *st, uint8_t vector);
void msi_set_mask(const struct msi_state *st, bool masked);

/* Program the messages of a device again, which has lost them. */
int irq_restore_msi(uint8_t bus, uint8_t devfn);

/* Print all interrupts in use. */
void irq_dump(void);

#endif
