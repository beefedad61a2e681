/* SPDX-License-Identifier: MIT */
/*
 * smp: a second vCPU.
 *
 * ktest-run: smp 2
 *
 * Promised (public/vcpu.h; public/event_channel.h bind_ipi, bind_vcpu; public/xen.h TLB flushes):
 * a vCPU is initialised once, runs from up to down and goes on where it was at the next up; events
 * reach the vCPU they are bound to; after a flush of another vCPU it no longer uses the old
 * entry; system time is one for both; changes of page types made by both at once stay exclusive.
 * Why: a guest's CPU hotplug, IPIs and TLB shootdown.
 * Varied: who does it, the kind of flush. Checked: results, counts, what the other vCPU reads.
 */
#include "event.h"
#include "pages.h"
#include "smp.h"

const char ktest_name[] = "smp";

#define SPARE 0x10000000000UL

static unsigned int ipi[2];
static volatile unsigned long spins;
static volatile bool stop;

static void bringing_up(void)
{
    expect(hyp_vcpu_op(VCPUOP_is_up, 1, 0), 0);
    expect(hyp_vcpu_op(VCPUOP_up, 1, 0), -XEN_EINVAL);
    expect(hyp_vcpu_op(VCPUOP_initialise, 1, smp_context(1, smp_worker)), 0);
    expect(hyp_vcpu_op(VCPUOP_is_up, 1, 0), 0);
    expect(hyp_vcpu_op(VCPUOP_initialise, 1, smp_context(1, smp_worker)), -XEN_EEXIST);
    expect(hyp_vcpu_op(VCPUOP_up, 1, 0), 0);
    expect(hyp_vcpu_op(VCPUOP_is_up, 1, 0), 1);
}

static long say_id(void)
{
    return this_cpu()->id + 100;
}

static void works(void)
{
    test_case("vCPU 1 works");
    smp_run(1, say_id);
    check_eq(smp_wait(1), 101);
}

static long send_to_0(void)
{
    return event_send(ipi[0]);
}

static void interrupts(void)
{
    unsigned long before[2] = { ktest_event_count[ipi[0]], ktest_event_count[ipi[1]] };

    test_case("IPIs both ways");
    events_enable();
    for (unsigned int i = 1; i <= 50; i++) {
        check_eq(event_send(ipi[1]), 0);
        check(wait_for(ktest_event_count[ipi[1]] == before[1] + i, 1000000000));
        smp_run(1, send_to_0);
        check_eq(smp_wait(1), 0);
        check(wait_for(ktest_event_count[ipi[0]] == before[0] + i, 1000000000));
    }
}

static volatile unsigned int moved_to;

static void note_cpu(struct ktest_regs *regs)
{
    (void)regs;
    moved_to = this_cpu()->id + 1;
}

static void moving_a_channel(void)
{
    struct evtchn_alloc_unbound unbound = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
    struct evtchn_bind_interdomain bind = { .remote_dom = DOMID_SELF };
    struct evtchn_bind_vcpu move;

    test_case("bind_vcpu moves a channel");
    check_eq(hyp_event_channel_op(EVTCHNOP_alloc_unbound, &unbound), 0);
    bind.remote_port = unbound.port;
    check_eq(hyp_event_channel_op(EVTCHNOP_bind_interdomain, &bind), 0);
    event_clear_mask(unbound.port);
    event_clear_pending(bind.local_port);
    move.port = unbound.port;
    ktest_event_hook = note_cpu;
    for (unsigned int vcpu = 0; vcpu < 2; vcpu++) {
        move.vcpu = vcpu;
        check_eq(hyp_event_channel_op(EVTCHNOP_bind_vcpu, &move), 0);
        moved_to = 0;
        check_eq(event_send(bind.local_port), 0);
        check(wait_for(moved_to != 0, 1000000000));
        check_eq(moved_to, vcpu + 1);
    }
    ktest_event_hook = 0;
    move.vcpu = 4000;
    check_eq(hyp_event_channel_op(EVTCHNOP_bind_vcpu, &move), -XEN_ENOENT);
    move.port = ipi[0];
    move.vcpu = 1;
    check_eq(hyp_event_channel_op(EVTCHNOP_bind_vcpu, &move), -XEN_EINVAL);
    check_eq(event_close(bind.local_port), 0);
    check_eq(event_close(unbound.port), 0);
}

static long read_spare(void)
{
    return *(volatile long *)SPARE;
}

static void flushing(void)
{
    volatile uint64_t *entry = entry_make(SPARE);
    uint64_t *page[2] = { page_alloc(), page_alloc() };
    uint64_t vcpus = 2;

    test_case("flushes of the other vCPU");
    page[0][0] = 100;
    page[1][0] = 101;
    check_eq(mmu_update_one(machine_of(entry), mfn_of(page[0]) * PAGE_BYTES | PTE_RW), 0);
    for (unsigned int i = 0; i < 60; i++) {
        unsigned int now = (i + 1) & 1;
        uint64_t value = mfn_of(page[now]) * PAGE_BYTES | PTE_RW;

        smp_run(1, read_spare);
        check_eq(smp_wait(1), 101 - now);
        switch (i % 6) {
        case 0:
            check_eq(hyp_update_va_mapping(SPARE, value, UVMF_INVLPG | UVMF_ALL), 0);
            break;
        case 1:
            check_eq(hyp_update_va_mapping(SPARE, value, UVMF_TLB_FLUSH | UVMF_ALL), 0);
            break;
        case 2:
            check_eq(hyp_update_va_mapping(SPARE, value, UVMF_INVLPG | (uint64_t)&vcpus), 0);
            break;
        case 3:
            check_eq(mmu_update_one(machine_of(entry), value), 0);
            check_eq(mmuext(MMUEXT_INVLPG_ALL, SPARE, 0), 0);
            break;
        case 4:
            check_eq(mmu_update_one(machine_of(entry), value), 0);
            check_eq(mmuext(MMUEXT_TLB_FLUSH_MULTI, 0, (uint64_t)&vcpus), 0);
            break;
        default:
            check_eq(mmu_update_one(machine_of(entry), value), 0);
            check_eq(mmuext(MMUEXT_INVLPG_MULTI, SPARE, (uint64_t)&vcpus), 0);
        }
        smp_run(1, read_spare);
        check_eq(smp_wait(1), 100 + now);
    }
    check_eq(hyp_update_va_mapping(SPARE, 0, UVMF_INVLPG | UVMF_ALL), 0);
}

static volatile uint64_t clock_of_0;

/* By how many nanoseconds at most this vCPU's clock is behind what the other one has read. */
static long clock_behind(void)
{
    long most = 0;

    for (unsigned int i = 0; i < 100000; i++) {
        uint64_t theirs = clock_of_0;
        long behind = (long)(theirs - time_now());

        most = behind > most ? behind : most;
    }
    return most;
}

/*
 * Only a clock that says it is stable never goes back from one vCPU to the other. The peer's is
 * off by milliseconds when the host's own threads were late while it was set up.
 */
static void one_time(void)
{
    bool stable = this_cpu()->info->time.flags & XEN_PVCLOCK_TSC_STABLE_BIT;
    long behind;

    test_case("system time is one for both");
    smp_run(1, clock_behind);
    for (unsigned int i = 0; i < 100000; i++)
        clock_of_0 = time_now();
    behind = smp_wait(1);
    printk("ktest: note vCPU 1 is at most %ld ns behind\n", behind);
    check(behind >= 0 && behind <= (stable ? 0 : 20000000));
}

static long own_timer(void)
{
    struct vcpu_set_singleshot_timer timer = { .timeout_abs_ns = time_now() + 5000000 };
    long port = event_bind_virq(VIRQ_TIMER, 1);
    unsigned long before = ktest_event_count[port];

    if (port < 0 || hyp_vcpu_op(VCPUOP_set_singleshot_timer, 1, &timer))
        return -2;
    if (!wait_for(ktest_event_count[port] > before, 1000000000))
        return -3;
    return event_close((unsigned int)port);
}

static void timer(void)
{
    struct vcpu_set_singleshot_timer timer = { .timeout_abs_ns = ~0UL >> 1 };

    test_case("a timer of vCPU 1");
    smp_run(1, own_timer);
    check_eq(smp_wait(1), 0);
    check_eq(hyp_vcpu_op(VCPUOP_set_singleshot_timer, 1, &timer), -XEN_EINVAL);
}

static long go_down(void)
{
    return hyp_vcpu_op(VCPUOP_down, 1, 0) + 7;
}

static long spin(void)
{
    while (!stop)
        spins++;
    return 9;
}

static void down_and_up(void)
{
    unsigned long before;

    test_case("a vCPU goes down by itself and on where it was");
    smp_run(1, go_down);
    check(wait_for(hyp_vcpu_op(VCPUOP_is_up, 1, 0) == 0, 1000000000));
    check_eq(hyp_vcpu_op(VCPUOP_up, 1, 0), 0);
    check_eq(smp_wait(1), 7);

    test_case("a vCPU is taken down from outside and brought up again");
    stop = false;
    smp_run(1, spin);
    check(wait_for(spins > 1000, 1000000000));
    check_eq(hyp_vcpu_op(VCPUOP_down, 1, 0), 0);
    check_eq(hyp_vcpu_op(VCPUOP_is_up, 1, 0), 0);
    check(!wait_for(false, 20000000));
    before = spins;
    check(!wait_for(spins != before, 50000000));
    check_eq(hyp_vcpu_op(VCPUOP_up, 1, 0), 0);
    check(wait_for(spins > before + 1000, 1000000000));
    stop = true;
    check_eq(smp_wait(1), 9);
}

/* vCPU 1 maps a page writable and read-only by turns while vCPU 0 pins it as a page table. */
static uint64_t *contested;

static long toggle(void)
{
    long done = 0;

    while (!stop) {
        done += page_writable(contested) == 0;
        page_readonly(contested);
    }
    return done;
}

static void types_are_exclusive(void)
{
    volatile uint64_t *entry;
    unsigned int pinned = 0, both = 0, odd = 0;

    test_case("pinned and writable never meet");
    contested = page_alloc();
    entry = kernel_entry(contested, 1);
    check_eq(page_readonly(contested), 0);
    stop = false;
    smp_run(1, toggle);
    for (unsigned int i = 0; i < 20000; i++) {
        long result = mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(contested), 0);

        if (result == 0) {
            pinned++;
            both += (*entry & PTE_W) != 0;
            odd += mmuext(MMUEXT_UNPIN_TABLE, mfn_of(contested), 0) != 0;
        } else {
            odd += result != -XEN_EINVAL && result != -XEN_EBUSY;
        }
    }
    stop = true;
    check(smp_wait(1) > 0);
    check(pinned > 0);
    check_eq(both, 0);
    check_eq(odd, 0);
    check_eq(page_writable(contested), 0);
}

void test_main(void)
{
    long port[2] = { event_bind_ipi(0), event_bind_ipi(1) };

    ktest_require(port[0] > 0 && port[1] > 0);
    ipi[0] = (unsigned int)port[0];
    ipi[1] = (unsigned int)port[1];
    bringing_up();
    works();
    interrupts();
    moving_a_channel();
    flushing();
    one_time();
    timer();
    down_and_up();
    types_are_exclusive();
}
