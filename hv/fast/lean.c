/* SPDX-License-Identifier: MIT */
/*
 * What hv/x86/fast_entry.S needs of C: which handlers it may run, on what memory, and the way on when a
 * run staged stores or passed.
 */
#include "fast_int.h"

static struct fast_cpu *work[NR_CPUS];
static spinlock_t lock;

struct fast_cpu *fast_work_of(unsigned int cpu)
{
    return work[cpu];
}

bool fast_lean_init(void)
{
    bool all = true;

    spin_lock(&lock);
    for (unsigned int i = 0; i < nr_cpus; i++) {
        struct fast_cpu *w = work[i] ? work[i] : hv_alloc(sizeof(*w));

        if (w && !work[i]) {
            fast_run_init(&w->run, &w->ctx, &fast_env, &w->world);
            __atomic_store_n(&work[i], w, __ATOMIC_RELEASE);
        }
        all &= w != NULL;
    }
    spin_unlock(&lock);
    return all;
}

void fast_vcpu_runs(struct vcpu *v)
{
    unsigned int cpu = v->hot->cpu->id;

    v->hot->fast_work = work[cpu];
    v->hot->fast_counts_at = cpu * sizeof(struct fast_counts);
}

#define FIELD(name) (1u << FAST_FIELD_##name)

static bool may(const struct fast_handler *h)
{
    const uint32_t read = FIELD(rax) | FIELD(rdi) | FIELD(rsi) | FIELD(rdx) | FIELD(r10) | FIELD(r8) |
                          FIELD(r9) | FIELD(kernel_gs) | FIELD(kernel_sp);

    return h->info.attach_kind == FAST_ATTACH_SYSCALL && h->state == RADON_FAST_ACTIVE &&
           !(h->ctx_read & ~read) && !(h->ctx_written & ~FIELD(rax));
}

void fast_lean_update(struct fast_handler *h)
{
    struct fast_domain *fd = h->fd;
    uint32_t nr = h->info.attach_number;

    if (h->info.attach_kind == FAST_ATTACH_SYSCALL && fd->syscalls[nr] == h)
        WRITE_ONCE(fd->lean[nr], may(h) ? h : NULL);
}

/* The guest kernel's tables are loaded.  True: all that is staged was stored. */
bool fast_lean_commit(struct fast_cpu *w)
{
    w->world.v = current();
    return fast_take_stores(&w->run, &w->world);
}

/* It was counted as a hit when it began.  The system call's number, which user mode had in rax. */
uint64_t fast_lean_passed(struct fast_cpu *w)
{
    struct fast_counts *count = &w->lean->counts[this_cpu()->id];

    count->hits--;
    count->passes[fast_pass_of(&w->run)]++;
    return w->lean->info.attach_number;
}
