/* SPDX-License-Identifier: MIT */
/*
 * time: the clock that guests read, and the timer that wakes them.
 *
 * Promised (public/xen.h vcpu_time_info, set_timer_op, VIRQ_TIMER; public/vcpu.h singleshot and
 * periodic timers; public/sched.h block): system time never goes back and runs as the processor's
 * counter does; a timer fires at or after its time, not before, once; a stopped one never; block
 * sleeps until an event. The wall clock is today's.
 * Why: a guest's scheduler, its sleeps and its vDSO clock stand on these.
 * Varied: way to set a timer, past or future, stopped or not. Checked: order and distances.
 */
#include "event.h"

const char ktest_name[] = "time";

#define MS 1000000UL

static unsigned int port;

static unsigned long fired(void)
{
    return ktest_event_count[port];
}

static void monotonic(void)
{
    uint64_t last = time_now(), back = 0;

    test_case("system time never goes back");
    for (unsigned int i = 0; i < 20000; i++) {
        uint64_t now = time_now();

        back += now < last;
        last = now;
        if (i % 100 == 0)
            hyp_sched_op(SCHEDOP_yield, 0);
    }
    check_eq(back, 0);
}

static void against_tsc(void)
{
    volatile struct vcpu_time_info *t = &this_cpu()->info->time;
    uint64_t tsc0 = read_tsc(), t0 = time_now(), t1, ticks, expected;

    test_case("system time runs as the counter does");
    while (time_now() < t0 + 50 * MS)
        asm volatile("pause");
    t1 = time_now();
    ticks = read_tsc() - tsc0;
    expected = t->tsc_shift < 0 ? ticks >> -t->tsc_shift : ticks << t->tsc_shift;
    expected = (uint64_t)((unsigned __int128)expected * t->tsc_to_system_mul >> 32);
    check(t1 - t0 < expected + expected / 50 + MS);
    check(expected < t1 - t0 + (t1 - t0) / 50 + MS);
    check(t->system_time <= t1);
    check(t->flags == 0 || t->flags == XEN_PVCLOCK_TSC_STABLE_BIT);
}

static void wall_clock(void)
{
    uint32_t version = shared_info->wc_version;
    uint64_t seconds = shared_info->wc_sec | (uint64_t)shared_info->wc_sec_hi << 32;

    test_case("wall clock");
    check((version & 1) == 0 && version == shared_info->wc_version);
    check(seconds > 1700000000 && seconds < 4000000000);
    check(shared_info->wc_nsec < 1000000000);
}

static long singleshot(uint64_t when, unsigned int flags)
{
    struct vcpu_set_singleshot_timer timer = { .timeout_abs_ns = when, .flags = flags };

    return hyp_vcpu_op(VCPUOP_set_singleshot_timer, 0, &timer);
}

static void oneshot(const char *how, bool by_set_timer_op)
{
    unsigned long before = fired();
    uint64_t when = time_now() + 5 * MS;

    test_case("%s fires once, at its time", how);
    check_eq(by_set_timer_op ? hyp_set_timer_op(when) : singleshot(when, 0), 0);
    check(wait_for(fired() > before, 2000 * MS));
    check(time_now() >= when);
    check(!wait_for(fired() > before + 1, 20 * MS));

    test_case("%s in the past fires at once", how);
    before = fired();
    when = time_now() - 5 * MS;
    check_eq(by_set_timer_op ? hyp_set_timer_op(when) : singleshot(when, 0), 0);
    check(wait_for(fired() > before, 1000 * MS));
}

static void stopped(void)
{
    unsigned long before = fired();
    long result;

    test_case("a stopped timer does not fire");
    check_eq(hyp_set_timer_op(time_now() + 10 * MS), 0);
    check_eq(hyp_set_timer_op(0), 0);
    check_eq(singleshot(time_now() + 10 * MS, 0), 0);
    check_eq(hyp_vcpu_op(VCPUOP_stop_singleshot_timer, 0, 0), 0);
    check(!wait_for(fired() > before, 30 * MS));

    test_case("a timer set again forgets the first time");
    check_eq(singleshot(time_now() + 10 * MS, 0), 0);
    check_eq(singleshot(time_now() + 60 * MS, 0), 0);
    check(!wait_for(fired() > before, 30 * MS));
    check(wait_for(fired() > before, 2000 * MS));

    test_case("_future and the past: refused, or at once (public/vcpu.h: may be ignored)");
    before = fired();
    result = singleshot(time_now() - MS, VCPU_SSHOTTMR_future);
    check(result == -XEN_ETIME || (result == 0 && wait_for(fired() > before, 1000 * MS)));
    before = fired();
    check_eq(singleshot(time_now() + 10 * MS, VCPU_SSHOTTMR_future), 0);
    check(wait_for(fired() > before, 2000 * MS));
}

static void periodic(void)
{
    struct vcpu_set_periodic_timer timer = { .period_ns = 5 * MS };
    unsigned long before = fired();

    test_case("periodic timer");
    check_eq(hyp_vcpu_op(VCPUOP_set_periodic_timer, 0, &timer), 0);
    check(wait_for(fired() >= before + 4, 2000 * MS));
    check_eq(hyp_vcpu_op(VCPUOP_stop_periodic_timer, 0, 0), 0);
    before = fired();
    check(!wait_for(fired() > before + 1, 30 * MS));
    timer.period_ns = 1;
    check_eq(hyp_vcpu_op(VCPUOP_set_periodic_timer, 0, &timer), -XEN_EINVAL);
}

static void block(void)
{
    for (unsigned int masked = 0; masked < 2; masked++) {
        unsigned long before = fired();
        uint64_t when = time_now() + 50 * MS; /* open: long enough to fire within block */

        test_case("block sleeps until the timer, upcalls %s", masked ? "masked" : "open");
        this_cpu()->info->evtchn_upcall_mask = (uint8_t)masked;
        check_eq(hyp_set_timer_op(when), 0);
        check_eq(hyp_sched_op(SCHEDOP_block, 0), 0);
        check(time_now() >= when);
        check_eq(fired(), before + 1);
        check_eq(this_cpu()->info->evtchn_upcall_mask, 0);
    }
}

static void block_with_pending(void)
{
    unsigned int ipi = (unsigned int)event_bind_ipi(0);
    unsigned long before = ktest_event_count[ipi];

    test_case("block with an event pending does not sleep");
    events_disable();
    check_eq(event_send(ipi), 0);
    check_eq(hyp_sched_op(SCHEDOP_block, 0), 0);
    check_eq(ktest_event_count[ipi], before + 1);
    check_eq(event_close(ipi), 0);
}

static void runstate(void)
{
    struct vcpu_runstate_info a, b;
    uint64_t t0, t1, sum_a = 0, sum_b = 0;

    test_case("run states account for all time");
    events_disable(); /* until block */
    t0 = time_now();
    check_eq(hyp_vcpu_op(VCPUOP_get_runstate_info, 0, &a), 0);
    check_eq(hyp_set_timer_op(time_now() + 10 * MS), 0);
    check_eq(hyp_sched_op(SCHEDOP_block, 0), 0);
    check_eq(hyp_vcpu_op(VCPUOP_get_runstate_info, 0, &b), 0);
    t1 = time_now();
    check_eq(a.state, RUNSTATE_running);
    for (unsigned int i = 0; i < 4; i++) {
        check(b.time[i] >= a.time[i]);
        sum_a += a.time[i];
        sum_b += b.time[i];
    }
    check(b.time[RUNSTATE_blocked] - a.time[RUNSTATE_blocked] >= 5 * MS);
    check(sum_b - sum_a <= t1 - t0);
    check(sum_b - sum_a >= 9 * MS);
}

void test_main(void)
{
    long bound = event_bind_virq(VIRQ_TIMER, 0);

    ktest_require(bound > 0);
    port = (unsigned int)bound;
    hyp_vcpu_op(VCPUOP_stop_periodic_timer, 0, 0);
    monotonic();
    against_tsc();
    wall_clock();
    events_enable();
    oneshot("set_timer_op", true);
    oneshot("singleshot timer", false);
    stopped();
    periodic();
    block();
    block_with_pending();
    runstate();
}
