/* SPDX-License-Identifier: MIT */
/* Readers that are too slow, die or write nonsense. */
#include "rings.h"

#include "cases.h"
#include "event.h"

void slow_reader(void)
{
    long port = event_bind_virq(VIRQ_ARCH_7, 0);
    uint64_t before;
    unsigned int first;

    test_case("a reader too slow: what is lost is counted, and the reader is told before");
    check(port > 0);
    want_nothing();
    want(EV_exit_hypercall);
    start(RADON_TRACE_STREAM);
    drain();
    event_clear_pending((unsigned int)port);
    before = state().lost_full;
    drain();
    versions(20);
    check(!event_pending((unsigned int)port));
    versions(4980);
    check(event_pending((unsigned int)port));
    drain();
    first = seen.exits;
    check(first > 500 && first < 700); /* 24 bytes each, of 16 KiB */
    versions(1);
    drain();
    check_eq(seen.exits, 1);
    check_eq(seen.lost_records, 1);
    check(seen.lost > 0);
    check_eq(first + seen.lost + 1, 5001);
    check_eq(state().lost_full - before, seen.lost);

    test_case("a reader that dies: the next one reads what there is, and goes on");
    drain();
    versions(100);
    ring->cons = 0xfffffff3; /* what its last act may have been */
    versions(5000);
    ring->cons = ring->prod;
    versions(7);
    drain();
    check_eq(seen.exits, 7);
    unmap_ring(PAGES);
    versions(8);
    map_ring(PAGES);
    drain();
    check(seen.exits >= 8);
    check_eq(seen.lost, 0);
    start(RADON_TRACE_OFF);
}
