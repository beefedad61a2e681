/* SPDX-License-Identifier: MIT */
/*
 * crash-record: a domain that dies while the flight recorder is on, and another vCPU goes on.
 *
 * ktest-run: smp 2
 * ktest-run: crash (?s)ktest: dies at .*[Dd]omain 0 .*crashed.*trace-dump begin 1 cpus 2.*trace-dump end
 *
 * Promised (hv/include/public/radon.h): with RADON_TRACE_STOP_ON_CRASH the recorder stops at the crash, on
 * all CPUs; with RADON_TRACE_DUMP_ON_PANIC what it has is on the console.
 * Why: what led to a crash must not be overwritten by what comes behind it.
 * Varied, by words on the command line: "goes-on": without STOP_ON_CRASH; "tells": this kernel shuts itself
 * down as crashed, and does not make a fault that it does not handle.
 * Checked: here that there is a dump; tests/linux/test_trace_crash.py reads it.
 */
#include <stdint.h>

#include "ktest.h"
#include "public/radon.h"
#include "smp.h"

const char ktest_name[] = "crash-record";

#define MARK __HYPERVISOR_argo_op /* refused: the last hypercall of this CPU */

enum event {
#define EVENT(name, id, fields, text) EV_##name,
#define EVENT_VAR(name, id, text) EV_##name,
#include "../../../tracing/events.def"
};

void crash_here(const void *rip);

static bool asked_for(const char *word)
{
    size_t n = strlen(word);

    for (const char *at = (const char *)start_info->cmd_line; *at; at++)
        if (strncmp(at, word, n) == 0)
            return true;
    return false;
}

static void record(void)
{
    static const enum event events[] = { EV_exit_hypercall, EV_vcpu_online, EV_domain_shutdown, EV_domain_crash };
    struct radon_trace_control c = { .mode = RADON_TRACE_FLIGHT, .pages = 8, .domain = RADON_DOMID_ANY,
                                     .vcpus = ~0UL, .flags = RADON_TRACE_DUMP_ON_PANIC };

    if (!asked_for("goes-on"))
        c.flags |= RADON_TRACE_STOP_ON_CRASH;
    for (unsigned int i = 0; i < sizeof(events) / sizeof(events[0]); i++)
        c.events[events[i] / 64] |= 1UL << events[i] % 64;
    ktest_require(HC_2(RADON_HYPERCALL, RADON_TRACE_CONTROL, &c) == 0);
}

static volatile unsigned long calls;

static void other_vcpu(void)
{
    for (;;) {
        hyp_xen_version(XENVER_version, 0);
        calls++;
    }
}

/* Announces where the domain is going to die. */
void crash_here(const void *rip)
{
    printk("ktest: dies at %p\n", (void *)rip);
    HC_1(MARK, 0);
}

void test_main(void)
{
    record();
    ktest_require(smp_start(1, other_vcpu) == 0);
    while (calls < 5000) /* its ring has been filled more than once */
        asm volatile("pause");
    if (asked_for("tells")) {
        crash_here(0);
        hyp_sched_op(SCHEDOP_shutdown, &(struct sched_shutdown){ .reason = SHUTDOWN_crash });
    }
    hyp_set_trap_table(0);
    asm volatile("lea crash_at(%rip), %rdi\n call crash_here\n crash_at: ud2");
    ktest_finish(KTEST_FAILURE, "still alive");
}
