/* SPDX-License-Identifier: MIT */
/*
 * What hv/x86/fast_entry.S and fast_hypercall.S need of C: which handlers they may run, on what memory,
 * and the way on when a run staged stores or passed.
 */
#include "hv/asm.h"
#include "hv/x86.h"

#include "fast_int.h"

static struct fast_cpu *work[NR_CPUS];
static spinlock_t lock;

/* ------------------------------------------------------------------ what a hit costs */

/*
 * A lean hit has no time stamps: two would be a tenth of it.  So its cost is put together: the program
 * and its stores, as they are timed when C runs them (they are the same code there), and the way
 * to it and back, instructions of the assembly from the SYSCALL stub to SYSRET at one a cycle.  What takes
 * longer than that by orders, two loads of CR3 and a read of an MSR, is measured here.
 */
#define LEAN_SYSCALL_INSNS 80u
#define LEAN_HYPERCALL_INSNS 82u /* with the same address space, and no MSR */

static uint64_t switch_cycles, stamp_cycles; /* of the two loads and the read; of a time stamp */

static uint64_t time_switches(void)
{
    uint64_t cr3 = read_cr3(), start = rdtsc(), took;

    write_cr3(cr3);
    (void)rdmsr(MSR_SHADOW_GS_BASE);
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

    return way + measured - MIN(measured, stamps * stamp_cycles);
}

/* ------------------------------------------------------------------ work memory */

struct fast_cpu *fast_work_of(unsigned int cpu)
{
    return work[cpu];
}

bool fast_lean_init(void)
{
    bool all = true;

    spin_lock(&lock);
    if (!switch_cycles) {
        measure(&stamp_cycles, time_stamp);
        measure(&switch_cycles, time_switches);
    }
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

/* ------------------------------------------------------------------ which handlers */

#define FIELD(name) (1u << FAST_FIELD_##name)

static bool updates_pt(const struct fast_program *program)
{
    for (uint32_t i = 0; i < program->head.insns; i++)
        if (program->insns[i].code == 0x85 && program->insns[i].imm == FAST_HELPER_pt_update)
            return true;
    return false;
}

static bool may(const struct fast_handler *h)
{
    const uint32_t args = FIELD(rax) | FIELD(rdi) | FIELD(rsi) | FIELD(rdx) | FIELD(r10) | FIELD(r8) |
                          FIELD(r9);
    bool hypercall = h->info.attach_kind == FAST_ATTACH_HYPERCALL;
    uint32_t read = hypercall ? args : args | FIELD(kernel_gs) | FIELD(kernel_sp);

    return h->info.attach_kind != FAST_ATTACH_EXCEPTION && h->state == RADON_FAST_ACTIVE &&
           !(h->ctx_read & ~read) && !(h->ctx_written & ~FIELD(rax)) &&
           !(hypercall && updates_pt(&h->program));
}

void fast_lean_update(struct fast_handler *h)
{
    struct fast_domain *fd = h->fd;
    uint32_t nr = h->info.attach_number;

    h->lean = may(h);
    if (h->info.attach_kind == FAST_ATTACH_SYSCALL && fd->syscalls[nr] == h)
        WRITE_ONCE(fd->lean[nr], h->lean ? h : NULL);
    if (h->info.attach_kind == FAST_ATTACH_HYPERCALL && fd->hypercalls[nr] == h)
        WRITE_ONCE(fd->lean_hypercalls[nr], h->lean ? h : NULL);
}

/* ------------------------------------------------------------------ ends of a run */

/* The guest kernel's tables are loaded.  True: all that is staged was stored. */
bool fast_lean_commit(struct fast_cpu *w)
{
    w->world.v = current();
    return fast_take_stores(&w->run, &w->world);
}

/* It was counted as a hit when it began.  The number of the system call or hypercall. */
uint64_t fast_lean_passed(struct fast_cpu *w)
{
    struct fast_counts *count = &w->lean->counts[this_cpu()->id];

    count->hits--;
    count->passes[fast_pass_of(&w->run)]++;
    return w->lean->info.attach_number;
}
