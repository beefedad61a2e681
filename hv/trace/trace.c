/* SPDX-License-Identifier: MIT */
/*
 * The CPUs' rings: recording in them, and telling domain 0 that there is something to read.
 */
#include "hv/trace.h"

#include "hv/asm.h"
#include "hv/entry.h"
#include "hv/event.h"
#include "hv/hypercall.h"
#include "hv/lib.h"
#include "hv/percpu.h"
#include "hv/sched.h"
#include "trace/rings.h"

/* The numbers as they are in the stream, without parameters: no two alike, each of a class. */
#define NOT_ANOTHERS(name, id)                                                                     \
    case id:                                                                                       \
        break;                                                                                     \
        _Static_assert(((id)&0x0fff0000) && ((id)&0xf000), #name " has class and subclass");
#define FITS(name)                                                                                 \
    _Static_assert(sizeof(struct trace_data_##name) <= 4 * TRACE_EXTRA_MAX, #name " fits");
static inline __attribute__((unused)) void events_are_distinct(uint32_t id)
{
    switch (id) {
#define EVENT(name, id, fields, text) NOT_ANOTHERS(name, id)
#define EVENT_VAR(name, id, text) NOT_ANOTHERS(name, id)
#include "../../tracing/events.def"
    }
}
#define EVENT(name, id, fields, text) FITS(name)
#define EVENT_VAR(name, id, text)
#include "../../tracing/events.def"

uint8_t trace_on[NR_TRACE_EVENTS];
bool trace_any;
uint8_t trace_notify_rings;
uint64_t trace_no_ring[NR_TRACE_RINGS];

/* ------------------------------------------------------------------ recording */

/*
 * By CPU, in Xen's rings, and by vCPU, in Radon's, records are left out.  A ring of which that may
 * be so has no limit set, and comes here each time.
 */
static bool wanted_here(unsigned int which, const struct vcpu *v)
{
    if (which == TRACE_RING_XEN)
        return READ_ONCE(trace_wanted.xen_cpus) >> this_cpu()->id & 1;
    return !READ_ONCE(trace_filtered) || trace_own_wants(v);
}

/* A record, about vCPU `whose`, that found the ring's limit reached: the ring looks. */
static __attribute__((noinline)) void put_slowly(unsigned int which, uint32_t event,
                                                 const void *data, unsigned int words, uint64_t tsc,
                                                 const struct vcpu *whose)
{
    struct trace_ring *r = &this_cpu()->trace[which];
    struct vcpu *v = current();
    struct trace_stamp stamp = { tsc, v->domain->id, (uint16_t)v->id };

    if (!wanted_here(which, whose))
        return;
    if (!r->buf) {
        __atomic_add_fetch(&trace_no_ring[which], 1, __ATOMIC_RELAXED);
        return;
    }
    if (trace_ring_put(r, event, data, words, &stamp) != TRACE_PUT_HALF)
        return;
    /* Not from here: locks may be held.  The next exit to a guest, or switch, does it. */
    __atomic_or_fetch(&trace_notify_rings, 1u << which, __ATOMIC_RELAXED);
    if (!v->is_idle)
        vcpu_raise_work(v);
}

/* As many parameters as there are registers: the fast way ends in a jump to here, saves nothing. */
static __attribute__((noinline)) void emit_slowly(unsigned int which, uint32_t head, uint64_t q0,
                                                  uint64_t q1, uint64_t q2, uint64_t q3)
{
    const uint64_t data[4] = { q0, q1, q2, q3 };

    put_slowly(which, TRC_HD_TO_EVENT(head), data, TRC_HD_EXTRA(head), rdtsc(), current());
}

static inline __attribute__((always_inline)) void
emit_to(unsigned int which, uint32_t head, uint64_t q0, uint64_t q1, uint64_t q2, uint64_t q3)
{
    struct trace_ring *r = &this_cpu()->trace[which];
    struct {
        uint32_t head, tsc[2];
        uint64_t q[4];
    } __packed *p = (void *)r->cur;

    if (unlikely(r->cur >= r->limit)) {
        emit_slowly(which, head, q0, q1, q2, q3);
        return;
    }
    _Static_assert(sizeof(*p) == TRACE_ROOM, "what is stored is what is left room for");
    p->head = head;
    p->q[0] = q0;
    p->q[1] = q1;
    p->q[2] = q2;
    p->q[3] = q3;
    __asm__ volatile("rdtsc" : "=a"(p->tsc[0]), "=d"(p->tsc[1]));
    trace_ring_publish(r, TRACE_HEAD_BYTES + 4 * TRC_HD_EXTRA(head));
}

/* `on` is used, or the compiler leaves it out, and moves all others by one on each way to here. */
static __attribute__((noinline)) void emit_to_xen(unsigned int on, uint32_t head, uint64_t q0,
                                                  uint64_t q1, uint64_t q2, uint64_t q3)
{
    __asm__ volatile("" ::"r"(on));
    emit_to(TRACE_RING_XEN, head, q0, q1, q2, q3);
}

static __attribute__((noinline)) void emit_to_both(unsigned int on, uint32_t head, uint64_t q0,
                                                   uint64_t q1, uint64_t q2, uint64_t q3)
{
    emit_to_xen(on, head, q0, q1, q2, q3);
    emit_to(TRACE_RING_OWN, head, q0, q1, q2, q3);
}

void trace_emit(unsigned int on, uint32_t head, uint64_t q0, uint64_t q1, uint64_t q2, uint64_t q3)
{
    if (on == TRACE_TO_OWN)
        emit_to(TRACE_RING_OWN, head, q0, q1, q2, q3);
    else if (on == TRACE_TO_XEN)
        emit_to_xen(on, head, q0, q1, q2, q3);
    else if (on)
        emit_to_both(on, head, q0, q1, q2, q3);
}

void trace_put(enum trace_event id, uint32_t event, const void *data, unsigned int words)
{
    uint64_t q[4] = { 0 };

    memcpy(q, data, 4UL * words);
    trace_emit(READ_ONCE(trace_on[id]), TRACE_HEAD(event, words), q[0], q[1], q[2], q[3]);
}

void trace_notify(void)
{
    uint8_t rings = __atomic_exchange_n(&trace_notify_rings, 0, __ATOMIC_RELAXED);

    if (rings & TRACE_TO_XEN)
        evtchn_send_global_virq(dom0, VIRQ_TBUF);
    if (rings & TRACE_TO_OWN)
        evtchn_send_global_virq(dom0, VIRQ_ARCH_7);
}

/* ------------------------------------------------------------------ events with parameters */

/* How many arguments mean something, by number (hypercalls.def). */
static const uint8_t nr_args[NR_HYPERCALLS] = {
#define HYPERCALL(nr, name, handler, nargs, doc) [nr] = nargs,
#include "public/hypercalls.def"
#undef HYPERCALL
};

extern const uint8_t *const trace_nr_args_at;
const uint8_t *const trace_nr_args_at = nr_args; /* for hv/x86/trace_entry.h */

/*
 * Arguments that fit 32 bits take one word, others two; bits 20-31 of the first word say which
 * (public/trace.h).  What does not fit the record is left out from the first such argument on.
 */
static unsigned int hypercall_words(uint32_t words[TRACE_EXTRA_MAX], unsigned long op,
                                    const uint64_t args[6])
{
    uint32_t n = 1;
    unsigned int nr = op < NR_HYPERCALLS ? nr_args[op] : 0;

    words[0] = (uint32_t)op & ~TRC_PV_HYPERCALL_V2_ARG_MASK;
    for (unsigned int i = 0; i < nr; i++) {
        bool wide = args[i] >> 32;

        if (n + 1 + wide > TRACE_EXTRA_MAX)
            break;
        words[0] |= wide ? TRC_PV_HYPERCALL_V2_ARG_64(i) : TRC_PV_HYPERCALL_V2_ARG_32(i);
        words[n++] = (uint32_t)args[i];
        if (wide)
            words[n++] = (uint32_t)(args[i] >> 32);
    }
    return n;
}

/* For hv/x86/trace_subcall.S: to both rings, or to one that is to be looked at. */
void trace_subcall_slow(unsigned int on, unsigned long op, const uint64_t args[6])
{
    uint32_t words[TRACE_EXTRA_MAX];
    unsigned int n = hypercall_words(words, op, args);

    for (unsigned int which = 0; which < NR_TRACE_RINGS; which++)
        if (on >> which & 1)
            put_slowly(which, TRC_PV_HYPERCALL_SUBCALL, words, n, rdtsc(), current());
}

void trace_iret(void)
{
    if (trace_is_on(TRACE_EV_pv_hypercall))
        trace_put(TRACE_EV_pv_hypercall, TRC_PV_HYPERCALL_V2, &(uint32_t){ __HYPERVISOR_iret }, 1);
}

void trace_hypercall_slow(const uint64_t f[9], const struct trace_ring *r)
{
    const uint64_t args[6] = { f[8], f[7], f[6], f[1], f[3], f[2] };
    uint32_t words[TRACE_EXTRA_MAX];
    unsigned int n = hypercall_words(words, f[4], args);

    put_slowly((unsigned int)(r - this_cpu()->trace), TRC_PV_HYPERCALL_V2, words, n, rdtsc(),
               current());
}

void trace_record_slow(uint32_t head, const void *data, const struct trace_ring *r)
{
    put_slowly((unsigned int)(r - this_cpu()->trace), TRC_HD_TO_EVENT(head), data,
               TRC_HD_EXTRA(head), rdtsc(), current());
}

/*
 * The event's number has both states (as xenalyze and xentrace_format read it).  Where Radon's
 * rings are of some vCPUs alone it is v that counts, not who runs: they switch right now.
 */
void trace_runstate(const struct vcpu *v, int state)
{
    struct {
        uint16_t vcpu, domain;
    } data = { (uint16_t)v->id, v->domain->id };
    uint32_t number = TRC_SCHED_RUNSTATE_CHANGE | (uint32_t)v->runstate.state << 8 |
                      (uint32_t)state << 4;
    unsigned int on = READ_ONCE(trace_on[TRACE_EV_runstate_change]);
    uint64_t q = 0;

    memcpy(&q, &data, sizeof(data));
    if ((on & TRACE_TO_OWN) && trace_filtered) {
        on &= ~TRACE_TO_OWN;
        if (trace_own_wants(v))
            put_slowly(TRACE_RING_OWN, number, &data, 1, rdtsc(), v);
        this_cpu()->trace[TRACE_RING_OWN].limit = NULL;
    }
    trace_emit(on, TRACE_HEAD(number, 1), q, 0, 0, 0);
}
