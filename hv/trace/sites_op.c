/* SPDX-License-Identifier: MIT */
/*
 * Hot sites: the mode, vCPUs' share in it, and reading the tables (RADON_SITES_*).
 *
 * A table is emptied and read by other CPUs than the one that writes it.  What such a CPU counts at that
 * moment may be missed or go with the old rows; no lock would be cheap enough for the writer.
 */
#include "hv/asm.h"
#include "hv/guest.h"
#include "hv/hypercall.h"
#include "hv/lib.h"
#include "hv/mm.h"
#include "hv/percpu.h"
#include "hv/radon_op.h"
#include "hv/sched.h"
#include "trace/sites_int.h"

#define DEFAULT_PERIOD 499u
#define MAX_PERIOD 65521u
#define TABLE_ORDER 6
#define TIMES_ORDER 3
_Static_assert(SITE_ROWS * sizeof(struct site_row) == PAGE_SIZE << TABLE_ORDER, "whole pages");
_Static_assert(SITE_ROWS * sizeof(struct site_time) <= PAGE_SIZE << TIMES_ORDER, "they have room");

/* Hypercalls with the sub-operation in their first argument: which bits of it.  Each vCPU has a copy. */
static const uint8_t sub_masks[NR_HYPERCALLS] = {
    [__HYPERVISOR_set_debugreg] = 0xff,
    [__HYPERVISOR_memory_op] = 0x3f,
    [__HYPERVISOR_xen_version] = 0xff,
    [__HYPERVISOR_console_io] = 0xff,
    [__HYPERVISOR_grant_table_op] = 0xff,
    [__HYPERVISOR_vm_assist] = 0xff,
    [__HYPERVISOR_vcpu_op] = 0xff,
    [__HYPERVISOR_set_segment_base] = 0xff,
    [__HYPERVISOR_nmi_op] = 0xff,
    [__HYPERVISOR_sched_op] = 0xff,
    [__HYPERVISOR_callback_op] = 0xff,
    [__HYPERVISOR_event_channel_op] = 0xff,
    [__HYPERVISOR_physdev_op] = 0xff,
    [RADON_HYPERCALL] = 0xff,
};

static spinlock_t lock;
static uint32_t mode = RADON_SITES_SAMPLED, period = DEFAULT_PERIOD;

/* ------------------------------------------------------------------ vCPUs */

static void apply_to(struct vcpu *v)
{
    struct vcpu_hot *h = v->hot;

    h->site_period = mode == RADON_SITES_SAMPLED ? period : ~0u;
    h->site_countdown = h->site_period;
    h->site_entry = rdtsc(); /* for the call that it is in */
    *site_kind(&h->site_key) = 0;
    *site_kind(&h->bounce_key) = 0;
    hot_set_instrumented(h, HOT_SITES_OPEN | HOT_SITES_BOUNCE, false);
    h->site_given = SITE_GIVEN_NOTHING;
    hot_set_instrumented(h, HOT_SITES_EXACT, mode == RADON_SITES_EXACT);
}

void sites_init_vcpu(struct vcpu *v)
{
    spin_lock(&lock);
    memcpy(v->hot->site_sub_masks, sub_masks, sizeof(sub_masks));
    v->hot->site_key = site_whose(v);
    v->hot->bounce_key = site_whose(v);
    v->hot->site_base = (uint64_t)RADON_SITE_HYPERCALL << 32 | site_whose(v);
    apply_to(v);
    spin_unlock(&lock);
}

void sites_vcpu_runs(struct vcpu *v)
{
    struct site_table *t = &site_tables[this_cpu()->id];

    if (v->hot->site_rows == t->rows)
        return;
    v->hot->site_rows = t->rows;
    v->hot->site_iret_row = sites_find_in(t, v->hot->site_base | __HYPERVISOR_iret, 0);
}

void sites_look(const struct cpu *cpu)
{
    struct site_table *t = &site_tables[cpu->id];

    if (unlikely(t->asleep) && !cpu->curr->is_idle)
        sites_time_start(t);
}

bool sites_by_time(void)
{
    return READ_ONCE(mode) == RADON_SITES_SAMPLED;
}

void sites_init_cpu(unsigned int cpu)
{
    struct site_table *t = &site_tables[cpu];

    t->rows = alloc_hv_pages(TABLE_ORDER);
    t->times = alloc_hv_pages(TIMES_ORDER);
    if (!t->rows || !t->times)
        panic("no memory for the table of hot sites of CPU %u", cpu);
    memset(t->rows, 0, PAGE_SIZE << TABLE_ORDER);
    memset(t->times, 0, PAGE_SIZE << TIMES_ORDER);
    t->random = 2463534242u + cpu; /* any but 0 */
    t->asleep = true;
    t->since = rdtsc();
}

/* ------------------------------------------------------------------ RADON_SITES_* */

/*
 * A reset forgets what a row counted, not the row's place: who writes may be at it.  Rows without
 * entries are the first to be given up.
 */
static void reset_row(struct site_table *t, unsigned int i)
{
    struct site_row *row = &t->rows[i];
    uint64_t key = row->key, address = row->address;

    memset(row, 0, sizeof(*row));
    memset(&t->times[i], 0, sizeof(t->times[i]));
    row->address = address;
    row->key = key;
}

static void begin_again(struct site_table *t)
{
    t->looks = t->looked = 0;
    t->since = rdtsc();
}

static void empty(struct site_table *t)
{
    for (unsigned int i = 0; i < SITE_ROWS; i++)
        if (t->rows[i].key)
            reset_row(t, i);
    begin_again(t);
}

static bool is_prime(uint32_t n)
{
    if (n < 2 || (n > 2 && n % 2 == 0))
        return false;
    for (uint32_t i = 3; i * i <= n; i += 2)
        if (n % i == 0)
            return false;
    return true;
}

static void set_mode(uint32_t new_mode, uint32_t new_period)
{
    mode = new_mode;
    period = new_period ? new_period : period;
    for (unsigned int i = 0; i < nr_cpus; i++)
        empty(&site_tables[i]);
    for (struct domain *d = domain_list; d; d = d->next)
        for (unsigned int i = 0; i < d->nr_vcpus; i++)
            if (d->vcpu[i])
                apply_to(d->vcpu[i]);
    for (unsigned int i = 0; i < nr_cpus; i++) /* sites_look() */
        if (cpus[i] != this_cpu())
            smp_kick_cpu(cpus[i]);
    sites_look(this_cpu());
}

int sites_control(struct radon_sites_control *op)
{
    if (op->reserved || op->get_only > 1)
        return -XEN_EINVAL;
    spin_lock(&lock);
    if (!op->get_only) {
        if (op->mode > RADON_SITES_EXACT ||
            (op->period && (op->period > MAX_PERIOD || !is_prime(op->period)))) {
            spin_unlock(&lock);
            return -XEN_EINVAL;
        }
        set_mode(op->mode, op->period);
    }
    op->mode = mode;
    op->period = period;
    spin_unlock(&lock);
    return 0;
}

static struct radon_site public_row(const struct site_table *t, unsigned int i)
{
    const struct site_row *row = &t->rows[i];
    const struct site_time *time = &t->times[i];
    struct radon_site s = {
        .address = row->address,
        .number = (uint32_t)row->key,
        .kind = (uint8_t)(row->key >> 32),
        .flags = (row->key >> 40) & RADON_SITE_OVERFLOW,
        .domain = (uint16_t)(row->key >> 48),
        .vcpu = (uint16_t)(row->key >> SITE_VCPU_SHIFT) % MAX_VCPUS,
        .count = sites_count(row->cost),
        .total = row->total,
        .max = row->max,
        .bounced = sites_count(row->bounced_cost),
        .bounced_total = row->bounced_total,
        .bounced_max = row->bounced_max,
        .time = time->time[0],
        .bounced_time = time->time[1],
        .looks = time->looks[0],
        .bounced_looks = time->looks[1],
    };

    memcpy(s.cost, row->cost, sizeof(s.cost));
    memcpy(s.bounced_cost, row->bounced_cost, sizeof(s.bounced_cost));
    return s;
}

static int read_rows(struct radon_sites_read *op, struct site_table *t)
{
    uint32_t written = 0, skip = op->first, left = 0;

    op->entries = 0;
    for (unsigned int i = 0; i < SITE_ROWS; i++) {
        struct radon_site s;

        if (!t->rows[i].key)
            continue;
        s = public_row(t, i);
        if (!radon_site_is_part(s.kind))
            op->entries += s.count * (mode == RADON_SITES_SAMPLED ? period : 1);
        if ((op->domain != RADON_DOMID_ANY && op->domain != s.domain) ||
            !(s.count | s.looks | s.bounced_looks))
            continue;
        if (skip) {
            skip--;
            continue;
        }
        if (written == op->room) {
            left++;
            continue;
        }
        if (!copy_to_guest(op->rows + written * sizeof(s), &s, 1))
            return -XEN_EFAULT;
        written++;
        if (op->flags & RADON_SITES_RESET)
            reset_row(t, i);
    }
    op->room = written;
    op->first = left;
    return 0;
}

int sites_read(struct radon_sites_read *op)
{
    struct site_table *t;
    int rc;

    if (op->cpu >= nr_cpus || op->flags & ~RADON_SITES_RESET)
        return -XEN_EINVAL;
    t = &site_tables[op->cpu];
    spin_lock(&lock);
    rc = read_rows(op, t);
    op->mode = mode;
    op->period = mode == RADON_SITES_SAMPLED ? period : 1;
    op->since = t->since;
    op->looks = t->looks;
    op->looked = t->looked;
    if (op->flags & RADON_SITES_RESET)
        begin_again(t);
    spin_unlock(&lock);
    return rc;
}
