/* SPDX-License-Identifier: MIT */
/* RADON_PROFILE_CONTROL: what samples come from, and what they do not come from. */
#include "rings.h"

#include "cases.h"
#include "event.h"

#define MS 1000000ul
#define HZ 5000u

static struct radon_profile_control profile;

static long sample_by(enum radon_profile_source source, uint32_t hz)
{
    profile = (struct radon_profile_control){ .source = source, .hz = hz,
                                              .domain = RADON_DOMID_ANY };
    return radon(RADON_PROFILE_CONTROL, &profile);
}

static long sample_by_event(uint64_t event, uint32_t period, uint32_t hz)
{
    profile = (struct radon_profile_control){ .source = RADON_PROFILE_PMU, .hz = hz,
                                              .event = event, .period = period,
                                              .domain = RADON_DOMID_ANY };
    return radon(RADON_PROFILE_CONTROL, &profile);
}

/* Samples of the next 20 ms of this kernel, which does nothing. */
static unsigned int samples(void)
{
    drain();
    wait_for(false, 20 * MS);
    drain();
    check_eq(seen.lost, 0);
    return seen.of[EV_profile_sample];
}

/* The emulator's processor is said to have counters, and drops what is written to them. */
static void refused(void)
{
    const uint64_t instructions = 0x300c0; /* in guests and the hypervisor */

    check_eq(sample_by_event(instructions, 1000003, 0), -XEN_ENODEV);
    check_eq(sample_by_event(instructions, 1000003, HZ), -XEN_EINVAL);
    check_eq(sample_by(RADON_PROFILE_PMU + 1, HZ), -XEN_EINVAL);
    profile = (struct radon_profile_control){ .hz = HZ, .domain = RADON_DOMID_ANY, .period = 1000003 };
    check_eq(radon(RADON_PROFILE_CONTROL, &profile), -XEN_EINVAL);
    profile.period = 0;
    profile.event = instructions;
    check_eq(radon(RADON_PROFILE_CONTROL, &profile), -XEN_EINVAL);
}

void profile_sources(void)
{
    want_nothing();
    want(EV_profile_sample);
    check_eq(start(RADON_TRACE_STREAM), 0);

    test_case("samples by an event: there is no counter, and nothing is counted instead");
    refused();
    check_eq(samples(), 0);

    test_case("samples by timer, by NMIs; a refusal leaves them as they are");
    for (enum radon_profile_source s = RADON_PROFILE_NMI; s <= RADON_PROFILE_TIMER; s++) {
        check_eq(sample_by(s, HZ), 0);
        check_eq(profile.source, s);
        check(samples() > 20);
        refused();
        check(samples() > 20);
        check_eq(sample_by(RADON_PROFILE_ANY, 0), 0);
        check_eq(profile.source, RADON_PROFILE_ANY);
        samples(); /* one may have been on its way */
        check_eq(samples(), 0);
    }
    start(RADON_TRACE_OFF);
}
