/* SPDX-License-Identifier: MIT */
/* What is recorded beside entries, and the words of hypercalls. */
#include "rings.h"

#include "cases.h"
#include "event.h"
#include "pages.h"

/* What is not an entry; nothing is printed in between. */
void other_events(void)
{
    struct multicall_entry calls[2] = {
        { .op = __HYPERVISOR_xen_version, .args = { XENVER_version } }, { .op = 999 }
    };
    long port = event_bind_ipi(0), virq = event_bind_virq(VIRQ_TIMER, 0);
    uint64_t deadline;

    test_case("sub-calls, operations, flushes, events, timers, upcalls");
    event_mask((unsigned int)port);
    want_nothing();
    for (unsigned int e = 0; e < NR_EVENTS; e++)
        want(e);
    start(RADON_TRACE_STREAM);
    drain();
    hyp_multicall(calls, 2);
    mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0);
    mmuext(MMUEXT_INVLPG_LOCAL, RING_AT, 0);
    event_send((unsigned int)port);
    events_enable();
    deadline = time_now() + 100000;
    hyp_set_timer_op(deadline);
    wait_for(ktest_event_count[virq], 1000000000);
    events_disable();
    start(RADON_TRACE_OFF);
    drain();
    check_eq(seen.lost, 0);
    check_eq(seen.of[EV_pv_subcall], 2);
    check_eq(seen.of[EV_exit_subcall], 2);
    check_eq((uint32_t)seen.words[EV_exit_subcall][0], 999);
    check_eq(word64((uint32_t *)seen.words[EV_exit_subcall] + 1), -XEN_ENOSYS);
    check_eq(seen.of[EV_operation], 2);
    check_eq(seen.words[EV_operation][0],
             __HYPERVISOR_mmuext_op | (uint64_t)MMUEXT_INVLPG_LOCAL << 32);
    check_eq(seen.words[EV_operation][1], RING_AT);
    check_eq(seen.of[EV_tlb_flush], 2);
    check_eq(seen.words[EV_tlb_flush][0], 1);
    check_eq(seen.words[EV_tlb_flush][1], RING_AT);
    check_eq(seen.of[EV_event_send], 1);
    check_eq(seen.words[EV_event_send][0], port);
    check_eq(seen.of[EV_timer_set], 1);
    check_eq(word64((uint32_t *)seen.words[EV_timer_set] + 1), deadline);
    check_eq(seen.of[EV_timer_fire], 1);
    check(seen.of[EV_event_virq] >= 1);
    check(seen.of[EV_event_upcall] >= 1);
    check(seen.of[EV_interrupt_enter] >= 1);
    check_eq(event_close((unsigned int)port), 0);
    check_eq(event_close((unsigned int)virq), 0);
}

/* What public/trace.h says the data of a hypercall with four arguments are; how many words. */
static unsigned int expected(uint32_t words[7], uint32_t number, const uint64_t args[4])
{
    unsigned int n = 1;

    words[0] = number;
    for (unsigned int i = 0; i < 4; i++) {
        bool wide = args[i] >> 32;

        if (n + 1 + wide > 7)
            break;
        words[0] |= (wide ? 2u : 1u) << (20 + 2 * i);
        words[n++] = (uint32_t)args[i];
        if (wide)
            words[n++] = (uint32_t)(args[i] >> 32);
    }
    return n;
}

/* Arguments of every size, in a hypercall and in a multicall's entry; to one ring and to both. */
void sizes_of_arguments(void)
{
    test_case("arguments of 32 and of 64 bits, wherever they stand");
    want_nothing();
    want(EV_pv_hypercall);
    want(EV_pv_subcall);
    for (unsigned int wide = 0; wide < 16; wide++) {
        uint64_t args[4];
        uint32_t words[7];
        unsigned int n;
        struct multicall_entry call = { .op = __HYPERVISOR_mmuext_op };

        /* No operations at all: what the arguments are does not matter. */
        for (unsigned int i = 0; i < 4; i++)
            args[i] = (i == 1 ? 0 : 0x11110000u + i) | (uint64_t)(wide >> i & 1) << (40 + i);
        memcpy(call.args, args, sizeof(args));
        n = expected(words, __HYPERVISOR_mmuext_op, args);
        start(RADON_TRACE_STREAM);
        drain();
        HC_4(__HYPERVISOR_mmuext_op, args[0], args[1], args[2], args[3]);
        drain();
        check_eq(memcmp(seen.words[EV_pv_hypercall], words, 4 * n), 0);
        check_eq(seen.of[EV_pv_hypercall], 1);
        hyp_multicall(&call, 1);
        drain();
        check_eq(memcmp(seen.words[EV_pv_subcall], words, 4 * n), 0);
        check_eq(seen.of[EV_pv_subcall], 1);
        start(RADON_TRACE_OFF);
    }
}
