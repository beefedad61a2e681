/* SPDX-License-Identifier: MIT */
/*
 * What hv/x86/fast_entry.S and fast_hypercall.S need of C: which handlers it may run, on what memory, and the way on when a
 * run staged stores or passed.
 */
#include "hv/asm.h"
#include "hv/x86.h"

#include "capture.h"

static struct fast_cpu *work[NR_CPUS];
static spinlock_t lock;

/* ------------------------------------------------------------------ what a hit costs */

/*
 * A lean hit has no time stamps: two would be a tenth of it.  So its cost is put together: the code, as it is
 * timed when C calls it, and the way to it and back, instructions of the assembly from the SYSCALL stub
 * to SYSRET at one a cycle, less what calling it from C takes.  What takes longer than that by orders, two
 * loads of CR3, is measured here.
 */
#define LEAN_SYSCALL_INSNS 32u
#define LEAN_HYPERCALL_INSNS 37u /* with the same address space */
#define CALL_INSNS 40u           /* fast_run_lean() */

static uint64_t switch_cycles, stamp_cycles; /* of the two loads; of a time stamp */

static uint64_t time_switches(void)
{
    uint64_t cr3 = read_cr3(), start = rdtsc(), took;

    write_cr3(cr3);
    write_cr3(cr3);
    took = rdtsc() - start;
    return took - MIN(took, stamp_cycles);
}

static uint64_t time_stamp(void)
{
    uint64_t start = rdtsc();

    return rdtsc() - start;
}

/* The fastest of a few: the others were disturbed. */
static void measure(uint64_t *least, uint64_t (*time)(void))
{
    *least = ~0UL;
    for (unsigned int i = 0; i < 16; i++)
        *least = MIN(*least, time());
}

uint64_t fast_lean_cycles(const struct fast_handler *h, uint64_t measured, unsigned int stamps)
{
    uint64_t way = h->info.attach_kind == FAST_ATTACH_HYPERCALL ? LEAN_HYPERCALL_INSNS
                                                                : LEAN_SYSCALL_INSNS + switch_cycles;

    return way + measured - MIN(measured, stamps * stamp_cycles + CALL_INSNS);
}

/* ------------------------------------------------------------------ work memory */

struct fast_cpu *fast_work_of(unsigned int cpu)
{
    return work[cpu];
}

static bool make_work(unsigned int cpu)
{
    struct fast_cpu *w = work[cpu] ? work[cpu] : hv_alloc(sizeof(*w));

    if (w && !work[cpu]) {
        fast_run_init(&w->run, &w->ctx, &fast_env, &w->world);
        for (unsigned int place = 0; place < FAST_PAGES; place++)
            fast_forget_page(&w->run, place);
        mm_add_gone_word(&w->run.gone);
        w->run.m2p = (const uint64_t *)RO_M2P_BASE;
        w->run.nr_m2p = max_mfn;
        w->counts_at = cpu * sizeof(struct fast_counts);
        w->run.kernel_gs = FAST_NO_ADDRESS; /* until the CPU itself knows better: passes */
        __atomic_store_n(&work[cpu], w, __ATOMIC_RELEASE);
    }
    return w != NULL;
}

#define TABLE (FAST_MAX_SYSCALL + 1 + NR_HYPERCALLS) /* system calls, then hypercalls */

/* What assembly finds where it may run nothing: for C, whose first run sets the number right again. */
static void set_to_c(struct fast_domain *fd, unsigned int place)
{
    for (unsigned int i = 0; i < nr_cpus; i++)
        WRITE_ONCE(fd->lean[i * TABLE + place], &work[i]->to_c);
}

bool fast_lean_init(struct fast_domain *fd)
{
    bool all = true;

    spin_lock(&lock);
    if (!switch_cycles) {
        measure(&stamp_cycles, time_stamp);
        measure(&switch_cycles, time_switches);
    }
    for (unsigned int i = 0; i < nr_cpus; i++)
        all &= make_work(i);
    spin_unlock(&lock);
    if (all)
        fd->lean = hv_alloc(nr_cpus * TABLE * sizeof(*fd->lean));
    for (unsigned int place = 0; fd->lean && place < TABLE; place++)
        set_to_c(fd, place);
    return fd->lean != NULL;
}

void fast_lean_free(struct fast_domain *fd)
{
    hv_free(fd->lean, nr_cpus * TABLE * sizeof(*fd->lean));
}

/* ------------------------------------------------------------------ where the guest kernel stands */

/* What loads may start from without a look at it. */
static uint64_t usable(uint64_t gs)
{
    return gs >= FAST_GUARD ? gs : FAST_NO_ADDRESS;
}

static void stand_at(struct fast_cpu *w, struct vcpu *v)
{
    w->run.kernel_sp = &v->hot->kernel_sp;
    w->run.kernel_gs = usable(v->gs_base_kernel);
}

void fast_state_changed(struct vcpu *v)
{
    struct fast_cpu *w = v->hot->fast_work;

    stand_at(w, v);
    WRITE_ONCE(w->run.gone, 1); /* the pages that are known are other tables' */
}

void fast_find_work(struct vcpu *v)
{
    unsigned int cpu = v->hot->cpu->id;

    v->hot->fast_work = work[cpu];
    v->hot->fast_lean = &v->domain->fast->lean[cpu * TABLE];
}

void fast_vcpu_runs(struct vcpu *v)
{
    fast_find_work(v);
    fast_state_changed(v);
}

uint64_t fast_run_lean(struct fast_handler *h, struct fast_cpu *w, bool take)
{
    struct vcpu *v = w->world.v;

    v->gs_base_kernel = w->ctx.kernel_gs; /* if a selector set it, no call said so */
    stand_at(w, v);
    return fast_call_lean(h->code, &w->run, take);
}

/* ------------------------------------------------------------------ which handlers */

static unsigned int place_of(const struct fast_handler *h)
{
    return h->info.attach_number +
           (h->info.attach_kind == FAST_ATTACH_HYPERCALL ? FAST_MAX_SYSCALL + 1 : 0);
}

void fast_lean_forget(const struct fast_handler *h)
{
    if (h->info.attach_kind != FAST_ATTACH_EXCEPTION)
        set_to_c(h->fd, place_of(h));
}

static bool is_published(const struct fast_handler *h)
{
    uint32_t nr = h->info.attach_number;

    return h->info.attach_kind == FAST_ATTACH_SYSCALL ? h->fd->syscalls[nr] == h
                                                      : h->fd->hypercalls[nr] == h;
}

/* A capture wants to see its entries. */
static bool is_waited_for(const struct fast_handler *h)
{
    const struct radon_capture_start *waits = capture_waits(h->fd, h->info.attach_kind);

    return waits && waits->number == h->info.attach_number;
}

void fast_lean_update(struct fast_handler *h)
{
    if (h->info.attach_kind == FAST_ATTACH_EXCEPTION || !is_published(h))
        return;
    if (!h->lean || h->state != RADON_FAST_ACTIVE || is_waited_for(h)) {
        fast_lean_forget(h);
        return;
    }
    for (unsigned int i = 0; i < nr_cpus; i++) {
        h->counts[i].code = h->code;
        __atomic_store_n(&h->fd->lean[i * TABLE + place_of(h)], &h->counts[i], __ATOMIC_RELEASE);
    }
}

/* ------------------------------------------------------------------ the end of a run */

/* What goes to rax, and (rdx) whether the system call is done. */
struct lean_end {
    uint64_t rax, done;
};

/*
 * Lean code left stores to be taken, or passed; the guest kernel's tables are loaded.  It was counted as a
 * hit when it began.  The next run begins with nothing that stops it.
 */
struct lean_end fast_lean_end(struct fast_cpu *w, struct fast_handler *h)
{
    struct fast_counts *count = &h->counts[this_cpu()->id];

    if (w->run.stop == FAST_STOP_UNTAKEN) {
        w->world.v = current();
        w->world.first_page = h->first_page;
        w->run.stop = FAST_STOP_NONE;
        if (fast_take(&w->run, &w->world))
            return (struct lean_end){ w->run.result, true };
    }
    count->hits--;
    fast_count_pass(h, fast_pass_of(&w->run));
    w->run.stop = FAST_STOP_NONE;
    return (struct lean_end){ h->info.attach_number, false };
}
