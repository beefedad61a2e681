/* SPDX-License-Identifier: MIT */
/*
 * pmu: samples by a performance counter's NMIs, on a processor that has no such counter.
 *
 * ktest-run: hv_options pmu_trust
 * ktest-run: nmi 1
 *
 * Promised (hv/include/public/radon.h, RADON_PROFILE_PMU): an overflow's NMI becomes one sample of what it
 * found, as long as it is asked for; bits that are no event's are refused, and what was on stays on.
 * Why: the registers are written, and NMIs handled, by the same instructions as on a real counter.
 * Varied: nothing asked for, an event, refused ones, another event, the end. Checked: samples against NMIs;
 * that those which are none reach domain 0.
 *
 * What this does not show: that anything counts. QEMU's registers read 0 and drop what is written to them,
 * so pmu_trust makes the hypervisor use one all the same; 0 looks like an overflow, and the NMIs are those
 * that this test asks run.py for.
 *
 * Radon's own call: the peer has none, and the test is skipped there.
 */
#include <stdint.h>

#include <xen/trace.h>

#include "event.h"
#include "ktest.h"
#include "pages.h"
#include "public/radon.h"
#include "snippet.h"
#include "trace_ring.h"

const char ktest_name[] = "pmu";

#define INFO_AT     0x10000000000UL
#define RING_AT     0x10000200000UL
#define PAGES       4u
#define MS          1000000ul
#define EVENT_BITS  0x300c0ul  /* instructions, in guests and the hypervisor */
#define BOTH_THREADS 0x200000ul /* is not offered */
#define PERIOD      1000003u
#define ROUNDS      5u

enum event {
#define EVENT(name, id, fields, text) EV_##name,
#define EVENT_VAR(name, id, text) EV_##name,
#include "../../../tracing/events.def"
};

extern const char _start[], ktest_image_end[];

static struct t_buf *ring;
static unsigned int samples; /* since it was asked last */

static long radon(unsigned int cmd, void *arg)
{
    return HC_2(RADON_HYPERCALL, cmd, arg);
}

static void rings_on(void)
{
    struct radon_trace_control c = { .pages = PAGES, .domain = RADON_DOMID_ANY, .vcpus = ~0ul };
    struct radon_trace_state s;

    c.events[EV_profile_sample / 64] = 1ul << EV_profile_sample % 64;
    ktest_require(radon(RADON_TRACE_CONTROL, &c) == 0);
    c.mode = RADON_TRACE_STREAM;
    ktest_require(radon(RADON_TRACE_CONTROL, &c) == 0);
    ktest_require(radon(RADON_TRACE_STATE, &s) == 0);
    ring = trace_ring_map(INFO_AT, s.info_mfn, RING_AT, PAGES);
}

static long sample_by(enum radon_profile_source source, uint64_t event, uint32_t period)
{
    struct radon_profile_control c = { .source = source, .event = event, .period = period,
                                       .domain = RADON_DOMID_ANY };
    long rc = radon(RADON_PROFILE_CONTROL, &c);

    if (!rc)
        check_eq(c.source, source);
    return rc;
}

/* The kernel waits; where the hypervisor was, it printed what this test asked for. */
static void check_sample(const uint32_t *p)
{
    uint64_t rip = word64(p);
    uint32_t vcpu = p[4], mode = p[5];

    check_eq(vcpu, 0);
    check(mode == RADON_PROFILE_KERNEL || mode == RADON_PROFILE_HYPERVISOR);
    check(rip >= (uint64_t)_start && rip < (uint64_t)ktest_image_end);
}

static void drain(void)
{
    const uint32_t bytes = PAGES * PAGE_BYTES - sizeof(*ring);

    while (ring->cons != ring->prod) {
        uint32_t at = ring->cons >= bytes ? ring->cons - bytes : ring->cons, words, cons;
        const uint32_t *p = (const uint32_t *)((const char *)(ring + 1) + at);

        words = TRC_HD_INCLUDES_CYCLE_COUNT(*p) ? 3 : 1;
        if (TRC_HD_TO_EVENT(*p) == RADON_TRC_PROFILE + 1) {
            samples++;
            check_sample(p + words);
        }
        cons = ring->cons + 4 * (words + TRC_HD_EXTRA(*p));
        ring->cons = cons >= 2 * bytes ? cons - 2 * bytes : cons;
    }
}

/* rdx: what is printed, rsi bytes of it; then the kernel waits. */
SNIPPET(ask, "mov $18, %eax\n xor %edi, %edi\n syscall\n 1: pause\n jmp 1b\n", "ud2");
SNIPPET(nothing, "", "nop");

static const char wish[] = "ktest: wants an NMI\n";

/* One NMI of the machine, which is nobody's: domain 0 has it. */
static void check_foreign_nmi(void)
{
    struct ktest_regs regs = regs_kernel(ask_code);
    struct exception e;

    samples = 0;
    regs.rdx = (uint64_t)wish;
    regs.rsi = sizeof(wish) - 1;
    e = run(regs);
    check_eq(e.regs.vector, VEC_NMI);
    wait_for(false, 20 * MS);
    e = run_iret(regs_kernel(nothing_code)); /* the callback is over */
    check_eq(e.regs.vector, VEC_UD);
    drain();
    check_eq(samples, 0);
}

/* One NMI of the machine; the samples that come of it. */
static unsigned int samples_of_nmi(uint64_t wait_ms)
{
    samples = 0;
    printk("%s", wish);
    wait_for(ring->cons != ring->prod, wait_ms * MS);
    wait_for(false, 20 * MS); /* no second one, and the monitor has said what it says */
    drain();
    return samples;
}

static void check_sampling(void)
{
    for (unsigned int i = 0; i < ROUNDS; i++)
        check_eq(samples_of_nmi(5000), 1);
}

void test_main(void)
{
    struct radon_info info;

    if (radon(RADON_INFO, &info) < 0)
        ktest_finish(KTEST_SKIP, "no radon_op here");
    rings_on();
    check_eq(callback_set(CALLBACKTYPE_nmi, 0, ktest_nmi_entry), 0);
    test_case("nothing asked for: an NMI is domain 0's");
    check_foreign_nmi();

    test_case("an event: each NMI is one sample");
    check_eq(sample_by(RADON_PROFILE_PMU, EVENT_BITS, PERIOD), 0);
    check_sampling();

    test_case("refused: a bit of no event, no level, a period too short; it goes on");
    check_eq(sample_by(RADON_PROFILE_PMU, EVENT_BITS | BOTH_THREADS, PERIOD), -XEN_EINVAL);
    check_eq(sample_by(RADON_PROFILE_PMU, EVENT_BITS & 0xff, PERIOD), -XEN_EINVAL);
    check_eq(sample_by(RADON_PROFILE_PMU, EVENT_BITS, 9999), -XEN_EINVAL);
    check_sampling();

    test_case("another event in its place");
    check_eq(sample_by(RADON_PROFILE_PMU, EVENT_BITS + 1, 2 * PERIOD), 0);
    check_sampling();

    test_case("the end: one NMI may have been on its way, the next are domain 0's");
    check_eq(sample_by(RADON_PROFILE_ANY, 0, 0), 0);
    check_eq(samples_of_nmi(200), 0);
    check_foreign_nmi();
    check_foreign_nmi();

    test_case("begun anew");
    check_eq(sample_by(RADON_PROFILE_PMU, EVENT_BITS, PERIOD), 0);
    check_sampling();
    check_eq(sample_by(RADON_PROFILE_ANY, 0, 0), 0);
}
