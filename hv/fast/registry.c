/* SPDX-License-Identifier: MIT */
/*
 * Which handlers there are, which of them are published, and how they go out of use.
 */
#include "hv/asm.h"
#include "hv/desc.h"
#include "hv/mm.h"
#include "hv/trace.h"
#include "hv/x86.h"

#include "capture.h"

bool fast_allowed;

void fast_init(bool allowed)
{
    fast_allowed = allowed;
    if (allowed)
        code_init();
    fast_watch_init();
}

void fast_sync(void)
{
    uint64_t mask = 0;

    for (uint32_t i = 0; i < nr_cpus; i++)
        if (cpus[i] && cpus[i]->online)
            mask |= 1UL << i;
    smp_tlb_flush(mask, ~0UL);
}

struct domain *fast_target(uint16_t id, int *rc)
{
    struct domain *self = current()->domain, *d;

    if (id == DOMID_SELF || id == self->id)
        return self;
    *rc = -XEN_EPERM;
    if (!self->privileged)
        return NULL;
    d = domain_find(id);
    *rc = -XEN_ESRCH;
    return d;
}

bool fast_many_vcpus(const struct domain *d)
{
    uint32_t up = 0;

    for (uint32_t i = 0; i < d->nr_vcpus; i++)
        up += d->vcpu[i] && (READ_ONCE(d->vcpu[i]->state) != VCPU_OFFLINE ||
                             __atomic_load_n(&d->vcpu[i]->comes_up, __ATOMIC_SEQ_CST));
    return up > 1;
}

static struct fast_vcpu *vcpu_part(struct vcpu *v)
{
    if (!v->fast)
        v->fast = hv_alloc(sizeof(*v->fast));
    return v->fast;
}

struct fast_domain *fast_domain_get(struct domain *d)
{
    struct fast_domain *fd = d->fast, *none = NULL;

    for (uint32_t i = 0; i < d->nr_vcpus; i++)
        if (d->vcpu[i] && !vcpu_part(d->vcpu[i]))
            return NULL;
    if (fd)
        return fd;
    fd = hv_alloc(sizeof(*fd));
    if (fd && !fast_lean_init(fd)) {
        hv_free(fd, sizeof(*fd));
        fd = NULL;
    }
    if (!fd)
        return NULL;
    fd->domain = d;
    fd->oracle = RADON_FAST_ORACLE_PERIOD;
    memcpy(fd->table, hypercall_table, sizeof(fd->table));
    if (__atomic_compare_exchange_n(&d->fast, &none, fd, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        return fd;
    fast_lean_free(fd);
    hv_free(fd, sizeof(*fd));
    return none;
}

/* ------------------------------------------------------------------ flags */

static void refresh_map(struct vcpu_hot *h, const struct fast_domain *fd,
                        const struct radon_capture_start *waits)
{
    for (uint32_t i = 0; i <= FAST_MAX_SYSCALL; i += 8) {
        uint8_t bits = 0;

        for (uint32_t b = 0; b < 8; b++)
            bits |= fd->syscalls[i + b] || (waits && waits->number == i + b) ? 1u << b : 0;
        WRITE_ONCE(h->fast_map[i / 8], bits);
    }
}

static void add_fault(uint8_t faults[], uint32_t vector, uint64_t address)
{
    uint32_t bit = address % (8 * sizeof(((struct vcpu_hot *)0)->fast_faults));

    if (vector == X86_PF)
        faults[bit / 8] |= (uint8_t)(1u << bit % 8);
}

static void refresh_faults(struct vcpu_hot *h, const struct fast_domain *fd,
                           const struct radon_capture_start *waits)
{
    uint8_t faults[sizeof(h->fast_faults)] = { 0 };

    for (uint32_t i = 0; i < RADON_FAST_MAX_HANDLERS; i++)
        if (fd->traps[i])
            add_fault(faults, fd->traps[i]->info.attach_number, fd->traps[i]->info.attach_address);
    if (waits)
        add_fault(faults, waits->number, waits->address);
    for (uint32_t i = 0; i < sizeof(faults); i++)
        WRITE_ONCE(h->fast_faults[i], faults[i]);
}

void fast_refresh(struct vcpu *v)
{
    const struct fast_domain *fd = v->domain->fast;
    const struct radon_capture_start *waits, *trap_waits;

    if (!fd)
        return;
    waits = capture_waits(fd, FAST_ATTACH_SYSCALL);
    trap_waits = capture_waits(fd, FAST_ATTACH_EXCEPTION);
    refresh_map(v->hot, fd, waits);
    refresh_faults(v->hot, fd, trap_waits);
    fast_find_work(v);
    hot_set_instrumented(v->hot, HOT_FAST, fd->nr_syscalls || waits);
    hot_set_instrumented(v->hot, HOT_FAST_TRAP, fd->nr_traps || trap_waits);
    WRITE_ONCE(v->hot->hypercalls, fd->nr_hypercalls ? fd->table : hypercall_table);
    if (v->hot->cpu->curr == v)
        desc_set_syscall(v->hot->cpu, v->hot);
}

void fast_refresh_all(struct fast_domain *fd)
{
    for (uint32_t i = 0; i < fd->domain->nr_vcpus; i++)
        if (fd->domain->vcpu[i])
            fast_refresh(fd->domain->vcpu[i]);
}

/* ------------------------------------------------------------------ hypercalls */

/* Not the way back itself, which is on no table; nor the call that takes a handler out again. */
bool fast_hypercall_offered(uint32_t number)
{
    return number < NR_HYPERCALLS && number != __HYPERVISOR_iret && number != RADON_HYPERCALL;
}

/*
 * What a hypercall does is mostly not in registers and memory that a comparison sees, but in the
 * hypervisor: agreement would prove nothing.  So there is no shadow.
 */
bool fast_may_go(uint32_t attach_kind, uint32_t state)
{
    return state != RADON_FAST_SHADOW || attach_kind != FAST_ATTACH_HYPERCALL;
}

/* ------------------------------------------------------------------ publishing */

void fast_set_state(struct fast_handler *h, enum radon_fast_state state, enum radon_fast_reason why)
{
    trace_fast_state(h->info.id, h->info.attach_kind, h->info.attach_number, h->state, state, why);
    h->state = state;
}

static bool same_trap(const struct fast_handler *h, const struct fast_handler *other)
{
    return h->info.attach_number == other->info.attach_number &&
           h->info.attach_address == other->info.attach_address;
}

/* Where h stands, or may stand, in the tables; NULL: no room. */
static struct fast_handler **slot_of(struct fast_handler *h)
{
    struct fast_domain *fd = h->fd;
    struct fast_handler **room = NULL;

    switch (h->info.attach_kind) {
    case FAST_ATTACH_SYSCALL:
        return &fd->syscalls[h->info.attach_number];
    case FAST_ATTACH_HYPERCALL:
        return &fd->hypercalls[h->info.attach_number];
    }
    for (uint32_t i = 0; i < RADON_FAST_MAX_HANDLERS; i++) {
        if (fd->traps[i] && same_trap(fd->traps[i], h))
            return &fd->traps[i];
        if (!fd->traps[i] && !room)
            room = &fd->traps[i];
    }
    return room;
}

/* The point has no handler from now on. */
static void empty(struct fast_domain *fd, const struct fast_handler *h, struct fast_handler **slot)
{
    uint32_t nr = h->info.attach_number;

    fast_lean_forget(h);
    if (h->info.attach_kind == FAST_ATTACH_HYPERCALL)
        WRITE_ONCE(fd->table[nr], hypercall_table[nr]);
    WRITE_ONCE(*slot, NULL);
}

static void count_published(struct fast_domain *fd)
{
    fd->nr_syscalls = fd->nr_hypercalls = fd->nr_traps = 0;
    for (const struct fast_handler *h = fd->list; h; h = h->next) {
        if (h->state != RADON_FAST_SHADOW && h->state != RADON_FAST_ACTIVE)
            continue;
        fd->nr_syscalls += h->info.attach_kind == FAST_ATTACH_SYSCALL;
        fd->nr_hypercalls += h->info.attach_kind == FAST_ATTACH_HYPERCALL;
        fd->nr_traps += h->info.attach_kind == FAST_ATTACH_EXCEPTION;
    }
    fast_refresh_all(fd);
}

void fast_publish(struct fast_handler *h)
{
    struct fast_handler **slot = slot_of(h);

    if (*slot && *slot != h)
        fast_retire(*slot, RADON_FAST_REPLACED);
    __atomic_store_n(slot, h, __ATOMIC_RELEASE);
    fast_lean_update(h);
    if (h->info.attach_kind == FAST_ATTACH_HYPERCALL)
        WRITE_ONCE(h->fd->table[h->info.attach_number], fast_hypercall_entry);
    count_published(h->fd);
}

void fast_unpublish(struct fast_handler *h)
{
    struct fast_handler **slot = slot_of(h);

    if (slot && *slot == h)
        empty(h->fd, h, slot);
    count_published(h->fd);
}

void fast_retire(struct fast_handler *h, enum radon_fast_reason why)
{
    if (h->state == RADON_FAST_RETIRED)
        return;
    fast_set_state(h, RADON_FAST_RETIRED, why);
    h->info.reason = (uint8_t)why;
    h->info.retired = rdtsc();
    fast_unpublish(h);
    hv_log(LOG_INFO, "fast handler %u (%s) of domain %u is retired: reason %u\n", h->info.id,
           h->info.name, h->info.domain, why);
}

void fast_retire_all(struct domain *d, enum radon_fast_reason why)
{
    struct fast_domain *fd = d->fast;
    bool any = false;

    spin_lock(&fd->lock);
    for (struct fast_handler *h = fd->list; h; h = h->next) {
        any |= h->state != RADON_FAST_RETIRED;
        fast_retire(h, why);
    }
    spin_unlock(&fd->lock);
    if (any)
        fast_sync();
}

void fast_unlink(struct fast_handler *h)
{
    struct fast_domain *fd = h->fd;

    for (struct fast_handler **at = &fd->list; *at; at = &(*at)->next) {
        if (*at == h) {
            *at = h->next;
            fd->nr_handlers--;
            return;
        }
    }
}

void fast_handler_free(struct fast_handler *h)
{
    if (h->code_at)
        code_free(h->code_at, h->code_bytes);
    if (h->blob)
        hv_free(h->blob, h->blob_bytes);
    if (h->counts)
        hv_free(h->counts, nr_cpus * sizeof(*h->counts));
    if (h->tainted)
        hv_free(h->tainted, h->nr_tainted * sizeof(*h->tainted));
    if (h->watched)
        hv_free(h->watched, h->nr_watched * sizeof(*h->watched));
    if (h->evidence)
        hv_free(h->evidence, sizeof(*h->evidence));
    hv_free(h, sizeof(*h));
}

uint32_t fast_at(uint64_t rip)
{
    const struct fast_handler *h = code_owner(rip);

    return h ? h->info.id : 0;
}

uint64_t fast_fixup(uint64_t rip)
{
    const struct fast_handler *h = code_owner(rip);

    return h && h->fault_exit ? h->code_at + h->fault_exit : 0;
}
