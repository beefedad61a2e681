/* SPDX-License-Identifier: MIT */
/*
 * trace-own: Radon's own trace rings, from radon_op to the records in them.
 *
 * Promised (hv/include/public/radon.h): an event that is asked for is in the rings as often as it
 * happened, whoever records in Xen's rings beside; vCPUs that are not asked for leave nothing; what
 * finds no room is counted exactly; VIRQ_ARCH_7 at one half; a reader that dies, or writes
 * nonsense, does no harm to the next one; a flight recorder keeps the newest, page by page; samples come
 * from what was asked for, or there are none. Varied: events, mode, size, filter, reader, source. Checked: records against what was done here.
 *
 * Radon's own call: the peer has none, and the test is skipped there.
 */
#include "cases.h"
#include "rings.h"

const char ktest_name[] = "trace-own";

static void refusals(void)
{
    test_case("modes, sizes, flags and domains that there are not; a mode without rings");
    want_nothing();
    check_eq(start(RADON_TRACE_STREAM), -XEN_EINVAL);
    check_eq(start(3), -XEN_EINVAL);
    wanted.pages = 4097;
    check_eq(start(RADON_TRACE_OFF), -XEN_EINVAL);
    wanted.pages = 1;
    wanted.flags = 4;
    check_eq(start(RADON_TRACE_OFF), -XEN_EINVAL);
    wanted.flags = 0;
    wanted.domain = 99;
    check_eq(start(RADON_TRACE_STREAM), -XEN_ESRCH);
    check_eq(radon(RADON_TRACE_CONTROL, (void *)0x5000), -XEN_EFAULT);
    check_eq(state().info_mfn, 0);
    check_eq(state().control.mode, RADON_TRACE_OFF);
}

void test_main(void)
{
    struct radon_info info;

    if (radon(RADON_INFO, &info) < 0)
        ktest_finish(KTEST_SKIP, "no radon_op here");
    refusals();
    test_case("rings: made, found, mapped");
    want_nothing();
    wanted.pages = PAGES;
    check_eq(start(RADON_TRACE_STREAM), 0);
    map_ring(PAGES);
    each_event();
    other_system_calls();
    other_events();
    sizes_of_arguments();
    filters();
    beside_xens();
    slow_reader();
    profile_sources();
    unmap_ring(PAGES);
    flight();
    map_ring(PAGES);
    resizing();
}
