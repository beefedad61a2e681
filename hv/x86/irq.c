/* SPDX-License-Identifier: MIT */
/*
 * Device interrupts: vectors, delivery to the hypervisor's handlers and to pirqs.
 *
 * Acknowledgement.  Edges and messages get their EOI at once: the device will send another when it
 * has more.  A level line stays asserted until a guest's driver has served the device, so it is
 * masked before the EOI and unmasked when all guests that were told have said PHYSDEVOP_eoi.
 */
#include "hv/irq.h"

#include "hv/acpi.h"
#include "hv/apic.h"
#include "hv/asm.h"
#include "hv/event.h"
#include "hv/lib.h"

enum irq_kind { IRQ_NONE, IRQ_LINE, IRQ_RESERVED, IRQ_MSI };

struct irq_guest {
    struct domain *d;
    uint32_t port;
    bool share;
    bool owes_eoi;
};

struct irq {
    spinlock_t lock;
    uint8_t kind;               /* enum irq_kind; changed under pirq_lock */
    uint8_t nr_guests;
    uint8_t in_flight;          /* guests that owe an EOI; the line is masked while it is not 0 */
    struct ioapic_line line;    /* vector (messages, too), trigger mode, polarity */
    struct irq_guest guest[IRQ_MAX_SHARED];
    void (*fn)(void *arg);      /* the hypervisor's own handler */
    void *arg;
    struct domain *owner;       /* who mapped the message */
    uint32_t msi_first;         /* first irq of its group */
    struct msi_state msi;
    uint64_t count;
};

spinlock_t pirq_lock;

static struct irq irqs[NR_IRQS];
/* irq + 1; 0 = the vector is free. */
static uint16_t vector_irq[256];

/* Pages of d with a bit for each pirq that needs PHYSDEVOP_eoi; only domain 0 has pirqs. */
static struct {
    struct domain *d;
    struct page_info *page;
    uint64_t *bits;
    bool auto_unmask;
} eoi_page;

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

static int line_vector(uint32_t gsi)
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
    rc = line_vector(gsi);
    if (rc)
        return rc;
    irq->line.level = line.level;
    irq->line.active_low = line.active_low;
    irq->arg = arg;
    irq->fn = fn;
    ioapic_route(gsi, &irq->line, false);
    return 0;
}

/* ------------------------------------------------------------------ guests */

static struct irq *irq_of(uint32_t pirq)
{
    return pirq < NR_IRQS && irqs[pirq].kind != IRQ_NONE ? &irqs[pirq] : NULL;
}

static void open_irq(uint32_t nr)
{
    struct irq *irq = &irqs[nr];

    if (irq->kind == IRQ_LINE)
        ioapic_route(nr, &irq->line, false);
    else
        msi_set_mask(&irq->msi, false);
}

static void close_irq(uint32_t nr)
{
    struct irq *irq = &irqs[nr];

    if (irq->kind == IRQ_LINE)
        ioapic_mask(nr);
    else
        msi_set_mask(&irq->msi, true);
}

static void show_needs_eoi(struct domain *d, uint32_t pirq)
{
    bool needs = irqs[pirq].kind == IRQ_LINE && irqs[pirq].line.level;

    if (eoi_page.d != d)
        return;
    if (needs)
        __atomic_fetch_or(&eoi_page.bits[pirq / 64], 1UL << pirq % 64, __ATOMIC_SEQ_CST);
    else
        __atomic_fetch_and(&eoi_page.bits[pirq / 64], ~(1UL << pirq % 64), __ATOMIC_SEQ_CST);
}

static bool may_share(const struct irq *irq, bool will_share)
{
    return will_share && irq->line.level && irq->nr_guests < IRQ_MAX_SHARED &&
           irq->guest[0].share;
}

int pirq_bind(struct domain *d, uint32_t pirq, uint32_t port, bool will_share)
{
    struct irq *irq = irq_of(pirq);
    int rc = 0;

    if (!d->privileged)
        return -XEN_EPERM;
    if (!irq || irq->kind == IRQ_RESERVED)
        return -XEN_EINVAL;
    if (irq->fn)
        return -XEN_EBUSY;
    if (irq->kind == IRQ_LINE)
        rc = line_vector(pirq);
    if (rc)
        return rc;

    spin_lock(&irq->lock);
    for (unsigned int i = 0; i < irq->nr_guests && !rc; i++)
        rc = irq->guest[i].d == d ? -XEN_EEXIST : 0;
    if (!rc && irq->nr_guests && !may_share(irq, will_share))
        rc = -XEN_EBUSY;
    if (!rc) {
        irq->guest[irq->nr_guests++] = (struct irq_guest){ .d = d, .port = port,
                                                           .share = will_share };
        show_needs_eoi(d, pirq);
        if (irq->nr_guests == 1)
            open_irq(pirq);
    }
    spin_unlock(&irq->lock);
    return rc;
}

/* The lock is held; true if the line may come again now. */
static bool settle_eoi(struct irq *irq, struct irq_guest *g)
{
    if (!g->owes_eoi)
        return false;
    g->owes_eoi = false;
    return --irq->in_flight == 0;
}

void pirq_unbind(struct domain *d, uint32_t pirq)
{
    struct irq *irq = irq_of(pirq);

    if (!irq)
        return;
    spin_lock(&irq->lock);
    for (unsigned int i = 0; i < irq->nr_guests; i++) {
        bool settled;

        if (irq->guest[i].d != d)
            continue;
        settled = settle_eoi(irq, &irq->guest[i]);
        irq->guest[i] = irq->guest[--irq->nr_guests];
        if (!irq->nr_guests)
            close_irq(pirq);
        else if (settled)
            ioapic_unmask(pirq);
        break;
    }
    spin_unlock(&irq->lock);
}

static struct irq_guest *guest_of(struct irq *irq, const struct domain *d)
{
    for (unsigned int i = 0; i < irq->nr_guests; i++) {
        if (irq->guest[i].d == d)
            return &irq->guest[i];
    }
    return NULL;
}

int irq_guest_eoi(struct domain *d, uint32_t pirq)
{
    struct irq *irq = irq_of(pirq);
    struct irq_guest *g;
    uint32_t port = 0;

    if (!irq || !d->privileged)
        return -XEN_EINVAL;
    spin_lock(&irq->lock);
    g = guest_of(irq, d);
    if (g) {
        port = g->port;
        if (settle_eoi(irq, g))
            ioapic_unmask(pirq);
    }
    spin_unlock(&irq->lock);
    if (port && eoi_page.d == d && eoi_page.auto_unmask)
        (void)evtchn_unmask(d, port);
    return 0;
}

int irq_query(uint32_t pirq, bool *needs_eoi, bool *shared)
{
    const struct irq *irq = irq_of(pirq);

    if (!irq)
        return -XEN_EINVAL;
    *needs_eoi = irq->kind == IRQ_LINE && irq->line.level;
    *shared = irq->nr_guests > 1;
    return 0;
}

int pirq_set_eoi_page(struct domain *d, uint64_t mfn, bool auto_unmask)
{
    struct page_info *pg;
    int rc = 0;

    if (!d->privileged)
        return -XEN_EPERM;
    pg = get_domain_page(d, MFN(mfn), true);
    if (!pg)
        return -XEN_EINVAL;
    spin_lock(&pirq_lock);
    if (eoi_page.d) {
        rc = -XEN_EBUSY;
    } else {
        eoi_page.page = pg;
        eoi_page.bits = page_to_virt(pg);
        eoi_page.auto_unmask = auto_unmask;
        eoi_page.d = d;
        for (uint32_t i = 0; i < NR_IRQS; i++)
            show_needs_eoi(d, i);
    }
    spin_unlock(&pirq_lock);
    if (rc)
        put_domain_page(pg, true);
    return rc;
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
        show_needs_eoi(irq->guest[i].d, gsi);
    spin_unlock(&irq->lock);
    return 0;
}

int irq_assign_vector(uint32_t gsi, uint32_t *vector)
{
    int rc;

    if (gsi >= nr_gsis || !irq_of(gsi))
        return -XEN_EINVAL;
    spin_lock(&pirq_lock);
    rc = line_vector(gsi);
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

static void free_irq(uint32_t nr)
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
        free_irq(nr);
        return 0;
    }
    first = irq->msi_first;
    for (uint32_t i = first; i < NR_IRQS && irqs[i].kind == IRQ_MSI && irqs[i].msi_first == first;
         i++)
        free_irq(i);
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

void pirq_domain_release(struct domain *d)
{
    spin_lock(&pirq_lock);
    for (uint32_t i = 0; i < NR_IRQS; i++) {
        if (irqs[i].kind == IRQ_LINE)
            pirq_unbind(d, i);
        else if (irqs[i].kind != IRQ_NONE && irqs[i].owner == d)
            free_irq(i);
    }
    if (eoi_page.d == d) {
        put_domain_page(eoi_page.page, true);
        eoi_page.d = NULL;
    }
    spin_unlock(&pirq_lock);
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
