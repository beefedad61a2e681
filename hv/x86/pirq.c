/* SPDX-License-Identifier: MIT */
/*
 * Interrupts as domains have them: who is bound to which, and who owes an EOI.
 */
#include "irq_int.h"

#include "hv/event.h"
#include "hv/lib.h"

/* Pages of d with a bit for each pirq that needs PHYSDEVOP_eoi; only domain 0 has pirqs. */
static struct {
    struct domain *d;
    struct page_info *page;
    uint64_t *bits;
    bool auto_unmask;
} eoi_page;

/* ------------------------------------------------------------------ guests */

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

void pirq_show_needs_eoi(struct domain *d, uint32_t pirq)
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
        rc = irq_line_vector(pirq);
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
        pirq_show_needs_eoi(d, pirq);
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
            pirq_show_needs_eoi(d, i);
    }
    spin_unlock(&pirq_lock);
    if (rc)
        put_domain_page(pg, true);
    return rc;
}

void pirq_domain_release(struct domain *d)
{
    spin_lock(&pirq_lock);
    for (uint32_t i = 0; i < NR_IRQS; i++) {
        if (irqs[i].kind == IRQ_LINE)
            pirq_unbind(d, i);
        else if (irqs[i].kind != IRQ_NONE && irqs[i].owner == d)
            irq_free(i);
    }
    if (eoi_page.d == d) {
        put_domain_page(eoi_page.page, true);
        eoi_page.d = NULL;
    }
    spin_unlock(&pirq_lock);
}
