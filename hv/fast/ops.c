/* SPDX-License-Identifier: MIT */
/*
 * RADON_FAST_CONTROL, LIST, READ and SWITCH.
 */
#include "hv/asm.h"
#include "hv/guest.h"
#include "hv/radon_op.h"

#include "fast_int.h"

/* Whether h may be spoken of by the caller. */
static bool may_see(const struct fast_domain *fd)
{
    return current()->domain->privileged || fd->domain == current()->domain;
}

struct fast_handler *fast_find(uint32_t id, int *rc)
{
    *rc = -XEN_ENOENT;
    for (struct domain *d = domain_list; d; d = d->next) {
        for (struct fast_handler *h = d->fast ? d->fast->list : NULL; h; h = h->next) {
            if (h->info.id == id && may_see(d->fast)) {
                *rc = 0;
                return h;
            }
        }
    }
    return NULL;
}

/* ------------------------------------------------------------------ control */

static int change(struct fast_handler *h, uint32_t state)
{
    if (h->state == RADON_FAST_RETIRED)
        return -XEN_EINVAL;
    if (h->state == state)
        return 0;
    if (!fast_may_go(h->info.attach_kind, state))
        return -XEN_EOPNOTSUPP;
    fast_set_state(h, state, RADON_FAST_NO_REASON);
    if (state == RADON_FAST_DISABLED) {
        fast_unpublish(h);
        return 0;
    }
    h->overruns = 0;
    h->info.agreed_in_row = 0;
    if (state == RADON_FAST_ACTIVE && !h->info.activated)
        h->info.activated = rdtsc();
    fast_publish(h);
    return 0;
}

int fast_op_control(struct radon_fast_control *op)
{
    struct fast_domain *fd;
    struct fast_handler *h;
    int rc;

    if (op->state < RADON_FAST_SHADOW || op->state > RADON_FAST_RETIRED)
        return -XEN_EINVAL;
    h = fast_find(op->id, &rc);
    if (!h)
        return rc;
    fd = h->fd;
    spin_lock(&fd->lock);
    if (op->state == RADON_FAST_RETIRED) {
        fast_retire(h, RADON_FAST_REMOVED);
        fast_unlink(h);
    } else {
        rc = change(h, op->state);
    }
    spin_unlock(&fd->lock);
    fast_sync();
    if (op->state == RADON_FAST_RETIRED)
        fast_handler_free(h);
    return rc;
}

int fast_op_oracle(struct radon_fast_oracle *op)
{
    struct fast_domain *fd;
    struct domain *d;
    int rc;

    if (op->period > FAST_SELDOM || op->get_only > 1)
        return -XEN_EINVAL;
    d = fast_target(op->domain, &rc);
    if (!d)
        return rc;
    fd = fast_domain_get(d);
    if (!fd)
        return -XEN_ENOMEM;
    if (!op->get_only) {
        spin_lock(&fd->lock);
        fd->oracle = op->period;
        for (struct fast_handler *h = fd->list; h; h = h->next)
            for (uint32_t cpu = 0; cpu < nr_cpus; cpu++) { /* counted anew from the next run on */
                struct fast_counts *c = &h->counts[cpu];

                c->to_compared = c->to_timed = c->step = c->left = 1;
            }
        spin_unlock(&fd->lock);
    }
    op->period = fd->oracle;
    return 0;
}

/* ------------------------------------------------------------------ list */

static void describe(const struct fast_handler *h, struct radon_fast_info *info)
{
    *info = h->info;
    info->state = (uint8_t)h->state;
    for (uint32_t cpu = 0; cpu < nr_cpus; cpu++) {
        const struct fast_counts *c = &h->counts[cpu];

        info->hits += c->hits;
        info->cycles += c->cycles;
        info->runs += c->hits;
        for (unsigned int i = 0; i < RADON_FAST_NR_PASSES; i++) {
            info->passes[i] += c->passes[i];
            info->runs += c->passes[i];
        }
    }
}

/* The handler of the lowest number from `id` on, among those that the caller asks for. */
static const struct fast_handler *next_handler(uint16_t domain, uint32_t id)
{
    const struct fast_handler *best = NULL;

    for (const struct domain *d = domain_list; d; d = d->next) {
        if (!d->fast || !may_see(d->fast) || (domain != RADON_DOMID_ANY && d->id != domain))
            continue;
        for (const struct fast_handler *h = d->fast->list; h; h = h->next)
            if (h->info.id >= id && (!best || h->info.id < best->info.id))
                best = h;
    }
    return best;
}

int fast_op_list(struct radon_fast_list *op)
{
    const struct fast_handler *h;
    struct radon_fast_info info;
    uint32_t n = 0, id = op->first_id;
    int rc;

    if (op->domain == RADON_DOMID_SELF)
        op->domain = current()->domain->id;
    if (op->domain != RADON_DOMID_ANY && !fast_target(op->domain, &rc))
        return rc;
    while (n < op->room && (h = next_handler(op->domain, id))) {
        describe(h, &info);
        id = info.id + 1;
        if (!copy_to_guest(op->info + n * sizeof(info), &info, 1))
            return -XEN_EFAULT;
        n++;
    }
    op->room = n;
    return 0;
}

/* ------------------------------------------------------------------ read */

int fast_op_read(struct radon_fast_read *op)
{
    const void *from = NULL;
    uint64_t bytes = 0;
    int rc;
    const struct fast_handler *h = fast_find(op->id, &rc);

    if (!h)
        return rc;
    switch (op->part) {
    case RADON_FAST_PROGRAM:
        from = h->blob;
        bytes = h->blob_bytes;
        break;
    case RADON_FAST_CODE:
        from = (const void *)h->code_at;
        bytes = h->code_bytes;
        break;
    case RADON_FAST_EVIDENCE:
        from = h->evidence;
        bytes = from ? sizeof(*h->evidence) : 0;
        break;
    default:
        return -XEN_EINVAL;
    }
    op->bytes = MIN(op->bytes, bytes);
    return op->bytes && copy_to_guest_va(op->buffer, from, op->bytes) ? -XEN_EFAULT : 0;
}

/* ------------------------------------------------------------------ switch */

static int switch_machine(struct radon_fast_switch *op)
{
    if (!current()->domain->privileged)
        return -XEN_EPERM;
    if (!op->get_only) {
        if (op->on && !code_available())
            return -XEN_EPERM; /* fast=off */
        fast_allowed = op->on;
        for (struct domain *d = domain_list; d && !op->on; d = d->next)
            fast_guest_changed(d, RADON_FAST_SWITCHED_OFF);
    }
    op->on = fast_allowed;
    return 0;
}

int fast_op_switch(struct radon_fast_switch *op)
{
    struct fast_domain *fd;
    struct domain *d;
    int rc;

    if (op->on > 1 || op->get_only > 1)
        return -XEN_EINVAL;
    if (op->domain == RADON_DOMID_ANY)
        return switch_machine(op);
    d = fast_target(op->domain, &rc);
    if (!d)
        return rc;
    fd = fast_domain_get(d);
    if (!fd)
        return -XEN_ENOMEM;
    if (!op->get_only) {
        fd->off = !op->on;
        if (fd->off)
            fast_retire_all(d, RADON_FAST_SWITCHED_OFF);
    }
    op->on = !fd->off && fast_allowed;
    return 0;
}
