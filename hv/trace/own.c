/* SPDX-License-Identifier: MIT */
/*
 * Radon's own rings: RADON_TRACE_CONTROL, _STATE and _READ (hv/include/public/radon.h).
 */
#include "hv/guest.h"
#include "hv/lib.h"
#include "hv/mm.h"
#include "hv/percpu.h"
#include "hv/radon_op.h"
#include "hv/trace.h"
#include "trace/rings.h"

#define MAX_RING_PAGES 4096u

static uint32_t laid_out_for; /* enum radon_trace_mode: STREAM or FLIGHT, once there are rings */
uint32_t trace_stopped_by;

/* Nobody writes to the rings from here on. */
static void pause(void)
{
    trace_wanted.own.mode = RADON_TRACE_OFF;
    trace_choose();
    trace_wait_for_writers();
}

/* ------------------------------------------------------------------ control */

static int check(struct radon_trace_control *op)
{
    const struct trace_rings *set = &trace_rings[TRACE_RING_OWN];

    if (op->domain == RADON_DOMID_SELF)
        op->domain = current()->domain->id;
    if (op->mode > RADON_TRACE_FLIGHT || op->pages > MAX_RING_PAGES || op->reserved ||
        op->flags & ~(RADON_TRACE_STOP_ON_CRASH | RADON_TRACE_DUMP_ON_PANIC))
        return -XEN_EINVAL;
    if (op->mode != RADON_TRACE_OFF && !op->pages && !set->pages)
        return -XEN_EINVAL;
    if (op->domain != RADON_DOMID_ANY && !domain_find(op->domain))
        return -XEN_ESRCH;
    return 0;
}

/* Rings as *op wants them; what they hold stays if they are so already. */
static int lay_out(const struct radon_trace_control *op)
{
    const struct trace_rings *set = &trace_rings[TRACE_RING_OWN];
    bool flight = op->mode == RADON_TRACE_FLIGHT;

    if (op->pages && op->pages != set->pages) {
        laid_out_for = op->mode;
        return trace_rings_make(TRACE_RING_OWN, op->pages, flight);
    }
    if (op->mode != RADON_TRACE_OFF && op->mode != laid_out_for) {
        laid_out_for = op->mode;
        trace_rings_reset(TRACE_RING_OWN, flight);
    }
    return 0;
}

static int control(struct radon_trace_control *op)
{
    int rc = check(op);

    if (rc)
        return rc;
    pause();
    rc = lay_out(op);
    if (rc)
        return rc;
    for (unsigned int i = 0; i < nr_cpus; i++)
        cpus[i]->trace[TRACE_RING_OWN].limit = NULL; /* for whom they record changes */
    op->pages = trace_rings[TRACE_RING_OWN].pages;
    if (op->mode != RADON_TRACE_OFF)
        trace_stopped_by = 0;
    trace_wanted.own = *op;
    trace_choose();
    return 0;
}

int radon_trace_control(struct radon_trace_control *op)
{
    int rc;

    spin_lock(&trace_lock);
    rc = control(op);
    spin_unlock(&trace_lock);
    return rc;
}

void __init trace_start_flight(uint32_t pages)
{
    struct radon_trace_control op = {
        .mode = RADON_TRACE_FLIGHT,
        .pages = pages,
        .flags = RADON_TRACE_STOP_ON_CRASH | RADON_TRACE_DUMP_ON_PANIC,
        .domain = RADON_DOMID_ANY,
        .vcpus = ~0UL,
    };

    if (!pages)
        return;
    for (unsigned int e = 0; e < NR_TRACE_EVENTS; e++)
        op.events[e / 64] |= 1UL << (e % 64);
    if (radon_trace_control(&op))
        printk("error: flight=%u: no such rings (1 to %u pages), or no memory for them\n", pages,
               MAX_RING_PAGES);
}

/*
 * In the context of the crash: no lock, which whoever crashed may hold.  A change by domain 0 at
 * the same time may win; it is later then.
 */
void trace_domain_crashed(const struct domain *d)
{
    struct radon_trace_control *own = &trace_wanted.own;

    if (own->mode != RADON_TRACE_FLIGHT || !(own->flags & RADON_TRACE_STOP_ON_CRASH))
        return;
    own->mode = RADON_TRACE_OFF;
    trace_stopped_by = d->id + 1u;
    for (unsigned int e = 0; e < NR_TRACE_EVENTS; e++)
        __atomic_and_fetch(&trace_on[e], (uint8_t)~TRACE_TO_OWN, __ATOMIC_RELAXED);
}

/* ------------------------------------------------------------------ state */

int radon_trace_state(struct radon_trace_state *state)
{
    const struct trace_rings *set = &trace_rings[TRACE_RING_OWN];

    spin_lock(&trace_lock);
    *state = (struct radon_trace_state){
        .control = trace_wanted.own,
        .info_mfn = set->info ? virt_to_mfn(set->info).m : 0,
        .info_bytes = set->info_pages * (uint32_t)PAGE_SIZE,
        .stopped_by = trace_stopped_by,
        .lost_cpu = trace_no_ring[TRACE_RING_OWN],
    };
    state->control.pages = set->pages;
    for (unsigned int i = 0; i < nr_cpus; i++) {
        state->written += READ_ONCE(cpus[i]->trace[TRACE_RING_OWN].written);
        state->lost_full += READ_ONCE(cpus[i]->trace[TRACE_RING_OWN].lost_total);
    }
    spin_unlock(&trace_lock);
    return 0;
}

/* ------------------------------------------------------------------ reading */

/* `bytes` of what is kept, from offset `from` on; how many were there, or -XEN_EFAULT. */
static long copy_kept(const struct trace_pieces *kept, uint64_t from, uint64_t bytes,
                      uint64_t buffer)
{
    uint64_t copied = 0;

    for (int i = 0; i < 2; i++) {
        uint64_t n = from < kept->bytes[i] ? MIN(kept->bytes[i] - from, bytes - copied) : 0;

        if (copy_to_guest_va(buffer + copied, kept->at[i] + from, n))
            return -XEN_EFAULT;
        copied += n;
        from = n ? 0 : from - MIN(from, (uint64_t)kept->bytes[i]);
    }
    return (long)copied;
}

static int read_kept(struct radon_trace_read *op)
{
    uint32_t mode = trace_wanted.own.mode;
    struct trace_pieces kept;
    long copied;

    if (op->cpu >= nr_cpus || op->reserved || mode == RADON_TRACE_STREAM ||
        !trace_rings[TRACE_RING_OWN].pages)
        return -XEN_EINVAL;
    if (mode != RADON_TRACE_OFF)
        pause();
    kept = trace_ring_kept(&cpus[op->cpu]->trace[TRACE_RING_OWN]);
    copied = copy_kept(&kept, op->offset, op->bytes, op->buffer);
    if (mode != RADON_TRACE_OFF) {
        trace_wanted.own.mode = mode;
        trace_choose();
    }
    if (copied < 0)
        return (int)copied;
    op->bytes = (uint64_t)copied;
    return 0;
}

int radon_trace_read(struct radon_trace_read *op)
{
    int rc;

    spin_lock(&trace_lock);
    rc = read_kept(op);
    spin_unlock(&trace_lock);
    return rc;
}
