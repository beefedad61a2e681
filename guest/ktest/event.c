/* SPDX-License-Identifier: MIT */
/* Event channels and time. */
#include "event.h"

static volatile uint64_t *word_of(volatile uint64_t *bits, unsigned int port)
{
    return &bits[port / 64];
}

void event_mask(unsigned int port)
{
    __atomic_or_fetch(word_of((volatile uint64_t *)shared_info->evtchn_mask, port),
                      1UL << port % 64, __ATOMIC_SEQ_CST);
}

void event_clear_mask(unsigned int port)
{
    __atomic_and_fetch(word_of((volatile uint64_t *)shared_info->evtchn_mask, port),
                       ~(1UL << port % 64), __ATOMIC_SEQ_CST);
}

bool event_pending(unsigned int port)
{
    return shared_info->evtchn_pending[port / 64] >> port % 64 & 1;
}

void event_clear_pending(unsigned int port)
{
    __atomic_and_fetch(word_of((volatile uint64_t *)shared_info->evtchn_pending, port),
                       ~(1UL << port % 64), __ATOMIC_SEQ_CST);
}

static long bound(long result, unsigned int port)
{
    if (result)
        return result;
    event_clear_mask(port);
    return port;
}

long event_bind_virq(unsigned int virq, unsigned int vcpu)
{
    struct evtchn_bind_virq bind = { .virq = virq, .vcpu = vcpu };
    long result = hyp_event_channel_op(EVTCHNOP_bind_virq, &bind);

    return bound(result, bind.port);
}

long event_bind_ipi(unsigned int vcpu)
{
    struct evtchn_bind_ipi bind = { .vcpu = vcpu };
    long result = hyp_event_channel_op(EVTCHNOP_bind_ipi, &bind);

    return bound(result, bind.port);
}

long event_send(unsigned int port)
{
    struct evtchn_send send = { .port = port };

    return hyp_event_channel_op(EVTCHNOP_send, &send);
}

long event_close(unsigned int port)
{
    struct evtchn_close close = { .port = port };

    return hyp_event_channel_op(EVTCHNOP_close, &close);
}

uint64_t read_tsc(void)
{
    uint32_t low, high;

    asm volatile("lfence\n rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

/* public/xen.h, struct vcpu_time_info */
uint64_t time_now(void)
{
    volatile struct vcpu_time_info *t = &this_cpu()->info->time;
    uint64_t result, delta;
    uint32_t version;

    do {
        version = t->version;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        delta = read_tsc() - t->tsc_timestamp;
        delta = t->tsc_shift < 0 ? delta >> -t->tsc_shift : delta << t->tsc_shift;
        result = t->system_time +
                 (uint64_t)((unsigned __int128)delta * t->tsc_to_system_mul >> 32);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    } while (version & 1 || version != t->version);
    return result;
}
