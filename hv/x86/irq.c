/* SPDX-License-Identifier: MIT */
/*
 * Device interrupts: vectors, delivery to the hypervisor's handlers and to pirqs.
 *
 * Acknowledgement.  Edges and messages get their EOI at once: the device will send another when it
 * has more.  A level line stays asserted until a guest's driver has served the device, so it is
 * masked before the EOI and unmasked when all guests that were told have said PHYSDEVOP_eoi.
 */
#include "irq_int.h"

#include "hv/acpi.h"
#include "hv/apic.h"
#include "hv/asm.h"
#include "hv/lib.h"
#include "hv/trace.h"

spinlock_t pirq_lock;

struct irq irqs[NR_IRQS];
/* irq + 1; 0 = the vector is free. */
static uint16_t vector_irq[256];

/* ------------------------------------------------------------------ vectors */

static bool vector_usable(unsigned int vector)
{
    return vector >= DEVICE_VECTOR_FIRST && vector <= DEVICE_VECTOR_LAST &&
           vector != VECTOR_SYSCALL32 && !vector_irq[vector];
}

/* nr free vectors in a row, the first a multiple of nr (a power of two); 0 if there are none. */
static unsigned int find_vectors(unsigned int nr)
{
    for (unsigned int v = ROUND_UP(DEVICE_VECTOR_FIRST, nr); v <= DEVICE_VECTOR_LAST; v += nr) {
        unsigned int i = 0;

        while (i < nr && vector_usable(v + i))
            i++;
        if (i == nr)
            return v;
    }
    return 0;
}

static void take_vector(uint32_t irq, unsigned int vector)
{
    irqs[irq].line.vector = (uint8_t)vector;
    WRITE_ONCE(vector_irq[vector], (uint16_t)(irq + 1));
}

int irq_line_vector(uint32_t gsi)
{
    unsigned int vector;

    if (irqs[gsi].line.vector)
        return 0;
    vector = find_vectors(1);
    if (!vector)
        return -XEN_ENOSPC;
    take_vector(gsi, vector);
    return 0;
}

/* ------------------------------------------------------------------ delivery */

/* Who is to be told; level lines: they owe an EOI from here on. */
static unsigned int note_guests(struct irq *irq, uint32_t nr, struct irq_guest told[IRQ_MAX_SHARED])
{
    unsigned int n = irq->nr_guests;

    if (irq->kind == IRQ_LINE && irq->line.level)
        ioapic_mask(nr);
    for (unsigned int i = 0; i < n; i++) {
        if (irq->line.level && !irq->guest[i].owes_eoi) {
            irq->guest[i].owes_eoi = true;
            irq->in_flight++;
        }
        told[i] = irq->guest[i];
    }
    return n;
}

void irq_dispatch(struct cpu_user_regs *regs, unsigned int vector)
{
    uint32_t nr = READ_ONCE(vector_irq[vector]);
    struct irq_guest told[IRQ_MAX_SHARED];
    unsigned int n;
    struct irq *irq;

    (void)regs;
    if (unlikely(!nr)) {
        apic_eoi();
        return;
    }
    irq = &irqs[--nr];
    irq->count++;
    trace_interrupt_enter(vector, (int32_t)nr);
    if (irq->fn) {
        if (!irq->line.level)
            apic_eoi();
        irq->fn(irq->arg);
        if (irq->line.level)
            apic_eoi();
        return;
    }
    spin_lock(&irq->lock);
    n = note_guests(irq, nr, told);
    spin_unlock(&irq->lock);
    apic_eoi();
    for (unsigned int i = 0; i < n; i++)
        evtchn_send_pirq(told[i].d, told[i].port);
}

int irq_request_isa(unsigned int isa_irq, void (*fn)(void *arg), void *arg)
{
    struct ioapic_line line = { 0 };
    uint32_t gsi;
    struct irq *irq;
    int rc;

    if (isa_irq >= 16)
        return -XEN_EINVAL;
    gsi = ioapic_isa_gsi(isa_irq, &line);
    if (!ioapic_has(gsi))
        return -XEN_EINVAL;
    irq = &irqs[gsi];
    if (irq->fn || irq->nr_guests)
        return -XEN_EBUSY;
    rc = irq_line_vector(gsi);
    if (rc)
        return rc;
    irq->line.level = line.level;
    irq->line.active_low = line.active_low;
    irq->arg = arg;
    irq->fn = fn;
    ioapic_route(gsi, &irq->line, false);
    return 0;
}

/* ------------------------------------------------------------------ setting up */

int irq_setup_gsi(uint32_t gsi, bool level, bool active_low)
{
    struct irq *irq = irq_of(gsi);
    bool changed;

    if (!irq || irq->kind != IRQ_LINE)
        return -XEN_EINVAL;
    if (irq->fn)
        return 0; /* the hypervisor's own keeps what the firmware said at boot */
    spin_lock(&irq->lock);
    changed = irq->line.level != level || irq->line.active_low != active_low;
    irq->line.level = level;
    irq->line.active_low = active_low;
    if (changed && irq->nr_guests)
        ioapic_route(gsi, &irq->line, irq->in_flight != 0);
    for (unsigned int i = 0; i < irq->nr_guests; i++)
        pirq_show_needs_eoi(irq->guest[i].d, gsi);
    spin_unlock(&irq->lock);
    return 0;
}

int irq_assign_vector(uint32_t gsi, uint32_t *vector)
{
    int rc;

    if (gsi >= nr_gsis || !irq_of(gsi))
        return -XEN_EINVAL;
    spin_lock(&pirq_lock);
    rc = irq_line_vector(gsi);
    spin_unlock(&pirq_lock);
    *vector = irqs[gsi].line.vector;
    return rc;
}

/* nr unused irqs in a row above the lines; 0 if there are none. */
static uint32_t find_irqs(uint32_t nr)
{
    for (uint32_t first = nr_gsis; first + nr <= NR_IRQS; first++) {
        uint32_t i = 0;

        while (i < nr && irqs[first + i].kind == IRQ_NONE)
            i++;
        if (i == nr)
            return first;
    }
    return 0;
}

int irq_reserve(struct domain *d)
{
    uint32_t nr;

    spin_lock(&pirq_lock);
    nr = find_irqs(1);
    if (nr) {
        irqs[nr].kind = IRQ_RESERVED;
        irqs[nr].owner = d;
    }
    spin_unlock(&pirq_lock);
    return nr ? (int)nr : -XEN_ENOSPC;
}

static void setup_msi(struct domain *d, uint32_t nr, uint32_t first, const struct msi_state *st,
                      unsigned int vector)
{
    struct irq *irq = &irqs[nr];

    irq->owner = d;
    irq->msi_first = first;
    irq->msi = *st;
    irq->msi.index = (uint8_t)(nr - first);
    irq->line.level = false;
    irq->count = 0;
    take_vector(nr, vector);
    irq->kind = IRQ_MSI;
}

int irq_map_msi(struct domain *d, const struct msi_source *src, int want)
{
    uint32_t nr = src->msix ? 1 : src->nr;
    unsigned int vector = find_vectors(nr);
    struct msi_state st;
    uint32_t first;
    int rc;

    if (want >= 0) {
        if (nr != 1 || want >= NR_IRQS || irqs[want].kind != IRQ_RESERVED ||
            irqs[want].owner != d)
            return -XEN_EINVAL;
        first = (uint32_t)want;
    } else {
        first = find_irqs(nr);
    }
    if (!vector || !first)
        return -XEN_ENOSPC;
    rc = msi_find(src, &st);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < nr; i++)
        setup_msi(d, first + i, first, &st, vector + i);
    msi_program(&st, (uint8_t)vector);
    for (uint32_t i = 0; i < nr; i++)
        msi_set_mask(&irqs[first + i].msi, true);
    return (int)first;
}

void irq_free(uint32_t nr)
{
    struct irq *irq = &irqs[nr];

    while (irq->nr_guests)
        pirq_unbind(irq->guest[0].d, nr);
    if (irq->kind == IRQ_MSI) {
        msi_set_mask(&irq->msi, true);
        WRITE_ONCE(vector_irq[irq->line.vector], 0);
        irq->line.vector = 0;
    }
    irq->owner = NULL;
    irq->kind = IRQ_NONE;
}

int irq_unmap(struct domain *d, uint32_t nr)
{
    struct irq *irq = irq_of(nr);
    uint32_t first;

    if (!irq)
        return -XEN_EINVAL;
    if (irq->kind == IRQ_LINE) {
        pirq_unbind(d, nr);
        return 0;
    }
    if (irq->owner != d)
        return -XEN_EPERM;
    if (irq->kind == IRQ_RESERVED) {
        irq_free(nr);
        return 0;
    }
    first = irq->msi_first;
    for (uint32_t i = first; i < NR_IRQS && irqs[i].kind == IRQ_MSI && irqs[i].msi_first == first;
         i++)
        irq_free(i);
    return 0;
}

int irq_restore_msi(uint8_t bus, uint8_t devfn)
{
    spin_lock(&pirq_lock);
    for (uint32_t i = nr_gsis; i < NR_IRQS; i++) {
        struct irq *irq = &irqs[i];

        if (irq->kind != IRQ_MSI || irq->msi.src.bus != bus || irq->msi.src.devfn != devfn)
            continue;
        if (irq->msi_first == i)
            msi_program(&irq->msi, irq->line.vector);
        msi_set_mask(&irq->msi, irq->nr_guests == 0);
    }
    spin_unlock(&pirq_lock);
    return 0;
}

/* ------------------------------------------------------------------ boot and debugging */

/* Both 8259s: vectors out of the way of exceptions, then everything masked. */
static void disable_8259(void)
{
    outb(0x20, 0x11); /* ICW1: initialise, ICW4 follows */
    outb(0xa0, 0x11);
    outb(0x21, 0x20); /* ICW2: first vector */
    outb(0xa1, 0x28);
    outb(0x21, 0x04); /* ICW3: slave on line 2 */
    outb(0xa1, 0x02);
    outb(0x21, 0x01); /* ICW4: 8086 mode */
    outb(0xa1, 0x01);
    outb(0x21, 0xff);
    outb(0xa1, 0xff);
}

void irq_init(const struct acpi_info *info)
{
    uint32_t r[4];

    cpuid_count(1, 0, r);
    irq_dest_apic = r[1] >> 24;
    disable_8259();
    ioapic_init(info);
    for (uint32_t gsi = 0; gsi < nr_gsis; gsi++) {
        if (!ioapic_has(gsi))
            continue;
        irqs[gsi].kind = IRQ_LINE;
        /* PCI lines until somebody says otherwise; ISA's are set below. */
        irqs[gsi].line.level = gsi >= 16;
        irqs[gsi].line.active_low = gsi >= 16;
    }
    for (unsigned int isa = 0; isa < 16; isa++) {
        struct ioapic_line line = { 0 };
        uint32_t gsi = ioapic_isa_gsi(isa, &line);

        if (gsi < nr_gsis) {
            irqs[gsi].line.level = line.level;
            irqs[gsi].line.active_low = line.active_low;
        }
    }
}

void irq_dump(void)
{
    printk("Interrupts:\n");
    for (uint32_t i = 0; i < NR_IRQS; i++) {
        const struct irq *irq = &irqs[i];

        if (irq->kind == IRQ_NONE || (!irq->fn && !irq->nr_guests))
            continue;
        printk("  %3u: vector 0x%02x %s %s count %lu in flight %u %s", i, irq->line.vector,
               irq->kind == IRQ_MSI ? "message" : "line", irq->line.level ? "level" : "edge",
               irq->count, irq->in_flight, irq->fn ? "hypervisor" : "ports");
        for (unsigned int g = 0; g < irq->nr_guests; g++)
            printk(" d%u:%u", irq->guest[g].d->id, irq->guest[g].port);
        printk("\n");
    }
}
