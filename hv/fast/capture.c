/* SPDX-License-Identifier: MIT */
/*
 * RADON_CAPTURE_*: commands, and the memory for what is recorded.
 */
#include "hv/asm.h"
#include "hv/guest.h"
#include "hv/radon_op.h"
#include "hv/trace.h"

#include "capture.h"

static uint32_t last_id;

/* ------------------------------------------------------------------ memory */

static uint8_t *page_at(struct capture *c, uint64_t at)
{
    uint64_t i = at / PAGE_SIZE;

    if (i >= CAPTURE_MAX_PAGES)
        return NULL;
    if (i == c->nr_pages) {
        c->page[i] = alloc_hv_pages(0);
        if (!c->page[i])
            return NULL;
        c->nr_pages++;
    }
    return c->page[i];
}

/* Bytes at `at`, in either direction; false: no memory. */
static bool transfer(struct capture *c, uint64_t at, uint8_t *bytes, uint64_t n, bool store)
{
    while (n) {
        uint64_t offset = at % PAGE_SIZE, part = MIN(n, PAGE_SIZE - offset);
        uint8_t *page = page_at(c, at);

        if (!page)
            return false;
        if (store)
            memcpy(page + offset, bytes, part);
        else
            memcpy(bytes, page + offset, part);
        at += part;
        bytes += part;
        n -= part;
    }
    return true;
}

bool capture_append(struct capture *c, const void *from, uint64_t n)
{
    if (!transfer(c, c->at, (uint8_t *)from, n, true))
        return false;
    c->at += n;
    return true;
}

static void capture_free(struct capture *c)
{
    for (uint32_t i = 0; i < c->nr_pages; i++)
        free_hv_pages(c->page[i], 0);
    hv_free(c->page, CAPTURE_MAX_PAGES * sizeof(*c->page));
    hv_free(c, sizeof(*c));
}

/* ------------------------------------------------------------------ occurrences */

void capture_refresh(struct vcpu *v)
{
    hot_set_instrumented(v->hot, HOT_STEP,
                         v->fast && (v->fast->stepping || v->fast->shadow_busy));
}

/* What is waited for goes to C now, or no longer.  fd->lock is held. */
static void waits_changed(struct fast_domain *fd, const struct capture *c)
{
    if (c->want.kind == FAST_ATTACH_SYSCALL && fd->syscalls[c->want.number])
        fast_lean_update(fd->syscalls[c->want.number]);
    fast_refresh_all(fd);
}

static void stop_waiting(struct fast_domain *fd, struct capture *c)
{
    spin_lock(&fd->lock);
    c->running = false;
    waits_changed(fd, c);
    spin_unlock(&fd->lock);
}

void capture_finish(struct capture *c, enum radon_capture_end end, bool keep)
{
    struct vcpu *v = c->on;

    c->head.end = end;
    c->head.tsc_end = rdtsc();
    trace_capture_end(c->id, c->attempts - 1, end, c->head.steps);
    if (keep && transfer(c, c->bytes, (uint8_t *)&c->head, sizeof(c->head), true))
        WRITE_ONCE(c->bytes, c->at);
    if (end == RADON_CAPTURE_DONE)
        c->done++;
    c->to_skip = c->want.skip;
    if (c->running && (c->done >= c->want.occurrences || c->attempts - c->done >= c->want.failures))
        stop_waiting(v->domain->fast, c);
    WRITE_ONCE(c->on, NULL);
}

/* ------------------------------------------------------------------ commands */

static int check_fields(const struct radon_capture_start *op)
{
    struct fast_header head = { .attach_kind = op->kind, .attach_number = op->number,
                                .attach_address = op->address };

    if ((op->flags & ~RADON_CAPTURE_OTHERS) || op->kind == FAST_ATTACH_HYPERCALL || /* no guest code runs in one */
        program_check_attach(&head) != FAST_OK || !op->occurrences || op->occurrences > 64 ||
        !op->max_steps || op->max_steps > 8192)
        return -XEN_EINVAL;
    return 0;
}

static struct capture *capture_new(const struct radon_capture_start *op, const struct domain *d)
{
    struct capture *c = hv_alloc(sizeof(*c));

    if (!c)
        return NULL;
    c->page = hv_alloc(CAPTURE_MAX_PAGES * sizeof(*c->page));
    if (!c->page) {
        hv_free(c, sizeof(*c));
        return NULL;
    }
    c->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
    c->want = *op;
    if (!op->failures)
        c->want.failures = 7 * op->occurrences + 16;
    c->to_skip = op->skip;
    if ((op->flags & RADON_CAPTURE_OTHERS) && d == current()->domain)
        c->asker = current()->hot->kernel_sp;
    c->running = true;
    return c;
}

int capture_op_start(struct radon_capture_start *op)
{
    struct capture *c, *old;
    struct fast_domain *fd;
    struct domain *d;
    int rc;

    d = fast_target(op->domain, &rc);
    if (!d)
        return rc;
    rc = check_fields(op);
    if (rc)
        return rc;
    fd = fast_domain_get(d);
    c = fd ? capture_new(op, d) : NULL;
    if (!c)
        return -XEN_ENOMEM;
    spin_lock(&fd->lock);
    old = fd->capture;
    if (old && (old->running || old->on)) {
        spin_unlock(&fd->lock);
        capture_free(c);
        return -XEN_EBUSY;
    }
    fd->capture = c;
    op->id = c->id;
    trace_capture_start(c->id, d->id, op->kind, op->number, op->address);
    waits_changed(fd, c);
    spin_unlock(&fd->lock);
    fast_sync(); /* who still looks at the old one */
    if (old)
        capture_free(old);
    return 0;
}

static struct capture *find(uint32_t id, struct domain **d)
{
    for (*d = domain_list; *d; *d = (*d)->next) {
        struct capture *c = (*d)->fast ? (*d)->fast->capture : NULL;

        if (c && c->id == id && (current()->domain->privileged || *d == current()->domain))
            return c;
    }
    return NULL;
}

int capture_op_stop(struct radon_capture_stop *op)
{
    struct domain *d;
    struct capture *c = find(op->id, &d);

    if (!c)
        return -XEN_ENOENT;
    stop_waiting(d->fast, c); /* who is stepping sees it at its next step */
    return 0;
}

int capture_op_read(struct radon_capture_read *op)
{
    struct domain *d;
    struct capture *c = find(op->id, &d);
    uint64_t total = c ? READ_ONCE(c->bytes) : 0, n;

    if (!c)
        return -XEN_ENOENT;
    op->state = !c->running && !READ_ONCE(c->on);
    op->occurrences = c->done;
    op->total = total;
    n = op->offset < total ? MIN(op->bytes, total - op->offset) : 0;
    op->bytes = n;
    for (uint64_t done = 0; done < n;) {
        uint64_t at = op->offset + done, part = MIN(n - done, PAGE_SIZE - at % PAGE_SIZE);

        if (copy_to_guest_va(op->buffer + done, c->page[at / PAGE_SIZE] + at % PAGE_SIZE, part))
            return -XEN_EFAULT;
        done += part;
    }
    return 0;
}
