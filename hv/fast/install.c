/* SPDX-License-Identifier: MIT */
/*
 * RADON_FAST_INSTALL: a program from the guest becomes a handler.
 */
#include "hv/asm.h"
#include "hv/guest.h"
#include "hv/time.h"
#include "hv/trace.h"

#include "fast_int.h"

#define MAX_BYTES (sizeof(struct fast_header) + FAST_MAX_INSNS * sizeof(struct fast_insn))
#define VERIFY_ORDER 5u /* struct verify_space, struct fast_verdict, text */
#define JIT_ORDER 5u
#define TEXT_BYTES 2048u

static spinlock_t installing; /* one at a time: the writable view of the code */
static uint32_t next_page;    /* of the places that lean code knows pages in, under that lock */
static uint32_t last_id;

struct verify_work {
    struct verify_space space;
    struct fast_verdict verdict;
    char text[TEXT_BYTES];
};
_Static_assert(sizeof(struct verify_work) <= PAGE_SIZE << VERIFY_ORDER, "fits");
_Static_assert(sizeof(struct jit_space) <= PAGE_SIZE << JIT_ORDER, "fits");

static uint64_t fnv1a(uint64_t hash, const uint8_t *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ at[i]) * RADON_FAST_HASH_PRIME;
    return hash;
}

static int fetch(void **to, uint64_t from, size_t bytes)
{
    *to = hv_alloc(bytes);
    if (!*to)
        return -XEN_ENOMEM;
    return copy_from_guest_va(*to, from, bytes) ? -XEN_EFAULT : 0;
}

/* ------------------------------------------------------------------ verification */

static void tell(struct radon_fast_install *op, const struct fast_program *program,
                 struct verify_work *work)
{
    uint32_t n;

    op->refusal = work->verdict.id;
    op->instruction = work->verdict.insn;
    if (!op->text || !op->text_bytes)
        return;
    n = fast_verdict_text(program, &work->verdict, work->text, TEXT_BYTES - 1);
    work->text[n] = 0;
    n = MIN(n + 1, op->text_bytes);
    work->text[n - 1] = 0;
    copy_to_guest_or_not(op->text, work->text, n);
}

/* 0: accepted, or refused with op->refusal; else -XEN_E*. */
static int verify(struct fast_handler *h, struct radon_fast_install *op)
{
    struct verify_work *work = alloc_hv_pages(VERIFY_ORDER);
    uint64_t start = now_ns();

    if (!work)
        return -XEN_ENOMEM;
    work->verdict.id = program_parse(h->blob, h->blob_bytes, &h->program);
    work->verdict.reg = FAST_NO_REG;
    if (work->verdict.id == FAST_OK)
        fast_verify(&h->program, &work->space, &work->verdict);
    op->verify_ns = (uint32_t)(now_ns() - start);
    tell(op, &h->program, work);
    h->info.max_cost = work->verdict.cost;
    h->info.max_staged = work->verdict.staged;
    h->ctx_read = work->verdict.ctx_read;
    h->ctx_written = work->verdict.ctx_written;
    free_hv_pages(work, VERIFY_ORDER);
    return 0;
}

/* ------------------------------------------------------------------ code */

static int make_code(struct fast_handler *h)
{
    struct jit_space *space = alloc_hv_pages(JIT_ORDER);
    int rc = -XEN_ENOMEM;
    bool ok;

    if (!space)
        return rc;
    spin_lock(&installing);
    h->first_page = next_page;
    next_page = FAST_PAGE(next_page, h->info.max_staged);
    spin_unlock(&installing);
    h->code_bytes = fast_jit_size_lean(&h->program, space, (uint64_t)h, h->first_page);
    h->lean = h->code_bytes != 0;
    if (!h->lean)
        h->code_bytes = fast_jit_size_guest(&h->program, space, h->first_page);
    spin_lock(&installing);
    h->code_at = h->code_bytes ? code_alloc(h, h->code_bytes) : 0;
    if (h->code_at) {
        ok = fast_jit_emit(&h->program, space, code_write(h->code_at, h->code_bytes),
                           h->code_bytes);
        code_done(h->code_at, h->code_bytes);
        h->fault_exit = space->fault;
        rc = ok ? 0 : -XEN_EINVAL;
    }
    spin_unlock(&installing);
    h->code = (fast_code)h->code_at;
    h->info.code_bytes = h->code_bytes;
    free_hv_pages(space, JIT_ORDER);
    return rc;
}

/* ------------------------------------------------------------------ the handler */

static void describe(struct fast_handler *h, const struct radon_fast_install *op,
                     const struct domain *d)
{
    const struct fast_header *head = &h->program.head;
    struct radon_fast_info *info = &h->info;

    info->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
    info->domain = d->id;
    info->attach_kind = head->attach_kind;
    info->attach_number = head->attach_number;
    info->attach_address = head->attach_address;
    memcpy(info->name, head->name, sizeof(info->name));
    info->insns = head->insns;
    info->hash = fnv1a(RADON_FAST_HASH_START, h->blob, h->blob_bytes);
    info->installed = rdtsc();
    info->agreements = op->agreements;
    info->budget = op->budget ? op->budget : tsc_khz * RADON_FAST_BUDGET_US / 1000;
}

/* Unlinks a retired handler, the oldest, if the domain has as many as it may; NULL: there is none. */
static struct fast_handler *make_room(struct fast_domain *fd, bool *full)
{
    struct fast_handler **found = NULL, *h;

    *full = fd->nr_handlers >= RADON_FAST_MAX_HANDLERS;
    if (!*full)
        return NULL;
    for (struct fast_handler **at = &fd->list; *at; at = &(*at)->next)
        if ((*at)->state == RADON_FAST_RETIRED)
            found = at;
    if (!found)
        return NULL;
    h = *found;
    *found = h->next;
    fd->nr_handlers--;
    *full = false;
    return h;
}

/* Into the list, not running yet; *old: to be freed. */
static int enlist(struct fast_domain *fd, struct fast_handler *h, struct fast_handler **old)
{
    bool full;
    int rc = 0;

    spin_lock(&fd->lock);
    *old = make_room(fd, &full);
    if (full) {
        rc = -XEN_ENOSPC;
    } else {
        h->fd = fd;
        h->state = RADON_FAST_DISABLED;
        h->next = fd->list;
        fd->list = h;
        fd->nr_handlers++;
    }
    spin_unlock(&fd->lock);
    return rc;
}

static int start(struct fast_domain *fd, struct fast_handler *h, bool active)
{
    const struct radon_fast_info *info = &h->info;
    int rc = fast_watch(h);

    spin_lock(&fd->lock);
    if (rc == 0 && (fd->off || !fast_allowed))
        rc = -XEN_EPERM;
    if (rc == 0 && h->state == RADON_FAST_RETIRED) /* what it rests on changed meanwhile */
        rc = -XEN_EBUSY;
    /* Rules 3 and 4.  A vCPU that comes up later retires it, since this lock is held. */
    if (rc == 0 && h->one_vcpu && fast_many_vcpus(fd->domain))
        rc = -XEN_EBUSY;
    if (rc == 0) {
        trace_fast_install(info->id, info->domain, info->attach_kind, info->attach_number,
                           info->attach_address);
        h->state = 0; /* was not there, for who follows the trace */
        fast_set_state(h, active ? RADON_FAST_ACTIVE : RADON_FAST_SHADOW, RADON_FAST_NO_REASON);
        h->info.activated = active ? h->info.installed : 0;
        fast_publish(h);
    } else {
        fast_unlink(h);
    }
    spin_unlock(&fd->lock);
    return rc;
}

static int enter(struct fast_domain *fd, struct fast_handler *h, bool active)
{
    struct fast_handler *old;
    int rc = enlist(fd, h, &old);

    if (rc == 0)
        rc = start(fd, h, active);
    if (old) {
        fast_sync();
        fast_handler_free(old);
    }
    return rc;
}

static int check_fields(const struct radon_fast_install *op)
{
    if (op->flags & ~(RADON_FAST_INSTALL_ACTIVE | RADON_FAST_INSTALL_VERIFY_ONLY |
                      RADON_FAST_ONE_VCPU) ||
        !op->bytes || op->bytes > MAX_BYTES || op->nr_watches > RADON_FAST_MAX_WATCHED ||
        op->nr_tainted > FAST_MAX_INSNS)
        return -XEN_EINVAL;
    return 0;
}

static int fetch_all(struct fast_handler *h, const struct radon_fast_install *op)
{
    int rc;

    h->blob_bytes = op->bytes;
    rc = fetch(&h->blob, op->program, op->bytes);
    if (rc == 0 && op->nr_tainted) {
        h->nr_tainted = op->nr_tainted;
        rc = fetch((void **)&h->tainted, op->tainted, op->nr_tainted * sizeof(*h->tainted));
    }
    h->counts = hv_alloc(nr_cpus * sizeof(*h->counts));
    if (rc == 0 && !h->counts)
        rc = -XEN_ENOMEM;
    return rc;
}

static int check_point(const struct fast_header *head, const struct radon_fast_install *op)
{
    uint32_t state = op->flags & RADON_FAST_INSTALL_ACTIVE ? RADON_FAST_ACTIVE : RADON_FAST_SHADOW;

    if (head->attach_kind == FAST_ATTACH_HYPERCALL && !fast_hypercall_offered(head->attach_number))
        return -XEN_EINVAL;
    return fast_may_go(head->attach_kind, state) ? 0 : -XEN_EOPNOTSUPP;
}

static int build(struct fast_handler *h, struct radon_fast_install *op, struct domain *d)
{
    struct fast_domain *fd;
    int rc = fetch_all(h, op);

    if (rc == 0)
        rc = verify(h, op);
    if (rc == 0 && op->refusal)
        trace_fast_refuse(d->id, op->refusal, op->instruction);
    if (rc || op->refusal || (op->flags & RADON_FAST_INSTALL_VERIFY_ONLY))
        return rc;
    rc = check_point(&h->program.head, op);
    if (rc)
        return rc;
    fd = fast_domain_get(d);
    if (!fd)
        return -XEN_ENOMEM;
    h->one_vcpu = (op->flags & RADON_FAST_ONE_VCPU) != 0;
    describe(h, op, d);
    rc = make_code(h);
    if (rc == 0)
        rc = fast_fetch_watches(h, op->watches, op->nr_watches);
    if (rc == 0)
        rc = enter(fd, h, op->flags & RADON_FAST_INSTALL_ACTIVE);
    if (rc)
        return rc;
    op->id = h->info.id;
    return 0;
}

int fast_op_install(struct radon_fast_install *op)
{
    struct fast_handler *h;
    struct domain *d;
    int rc;

    op->id = op->refusal = op->instruction = op->verify_ns = 0;
    d = fast_target(op->domain, &rc);
    if (!d)
        return rc;
    rc = check_fields(op);
    if (rc)
        return rc;
    if (!fast_allowed || (d->fast && d->fast->off))
        return -XEN_EPERM;
    h = hv_alloc(sizeof(*h));
    if (!h)
        return -XEN_ENOMEM;
    rc = build(h, op, d);
    if (!op->id)
        fast_handler_free(h);
    return rc;
}
