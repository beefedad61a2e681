/* SPDX-License-Identifier: MIT */
#include "names.h"

#include <xen/sched.h>
#include <xen/vcpu.h>

#include "public/radon.h"

/* AMD APM volume 2, table 8-1; vectors without a name there are reserved. */
const char *const trace_vector_names[TRACE_VECTORS] = {
    [0] = "divide_error", [1] = "debug", [2] = "nmi", [3] = "breakpoint", [4] = "overflow",
    [5] = "bound_range", [6] = "invalid_opcode", [7] = "device_not_available",
    [8] = "double_fault", [9] = "coprocessor_overrun", [10] = "invalid_tss",
    [11] = "segment_not_present", [12] = "stack", [13] = "general_protection",
    [14] = "page_fault", [16] = "x87_error", [17] = "alignment_check", [18] = "machine_check",
    [19] = "simd_error", [21] = "control_protection",
};

const char *const trace_runstate_names[TRACE_RUNSTATES] = {
    [RUNSTATE_running] = "running", [RUNSTATE_runnable] = "runnable",
    [RUNSTATE_blocked] = "blocked", [RUNSTATE_offline] = "offline",
};

const char *const trace_event_labels[TRACE_EVENTS] = {
    [TRACE_EV_pv_trap] = "trap",
    [TRACE_EV_pv_page_fault] = "trap:page_fault",
    [TRACE_EV_pv_forced_invalid_op] = "emulation:forced_invalid_op",
    [TRACE_EV_pv_emulate_privop] = "emulation:privop",
    [TRACE_EV_pv_ptwr_emulation] = "emulation:ptwr",
    [TRACE_EV_pv_hypercall] = "hypercall",
    [TRACE_EV_pv_subcall] = "subcall",
    [TRACE_EV_runstate_change] = "runstate",
    [TRACE_EV_lost_records] = "trace:lost_records",
    [TRACE_EV_wrap_buffer] = "trace:wrap_buffer",
    [TRACE_EV_emulate_io] = "emulation:io",
    [TRACE_EV_operation] = "operation",
};

/* ------------------------------------------------------------------ values */

static const char *const page_uses[] = {
    "none", "l1", "l2", "l3", "l4", "writable", "seg_desc", "read_only",
};

static const char *const fault_whys[RADON_NR_FAULT_WHYS] = {
    [RADON_FAULT_PAGE_TABLE] = "page_table", [RADON_FAULT_HANDLER] = "handler",
    [RADON_FAULT_HANDLER_LOAD] = "handler_load", [RADON_FAULT_ACCESS] = "access",
};

static const char *const cpu_modes[] = { "user", "kernel", "hypervisor", "idle" };

static const char *const shutdowns[] = {
    [SHUTDOWN_poweroff] = "poweroff", [SHUTDOWN_reboot] = "reboot",
    [SHUTDOWN_suspend] = "suspend", [SHUTDOWN_crash] = "crash",
    [SHUTDOWN_watchdog] = "watchdog", [SHUTDOWN_soft_reset] = "soft_reset",
};

/* enum fast_attach_kind of fastpath/core/program.h */
static const char *const attach_kinds[] = { "none", "syscall", "exception", "hypercall" };

static const char *const fast_states[] = {
    [0] = "absent", [RADON_FAST_SHADOW] = "shadow", [RADON_FAST_ACTIVE] = "active",
    [RADON_FAST_DISABLED] = "disabled", [RADON_FAST_RETIRED] = "retired",
};

static const char *const fast_reasons[RADON_FAST_NR_REASONS] = {
    [RADON_FAST_NO_REASON] = "none",
    [RADON_FAST_DISAGREED] = "disagreed",
    [RADON_FAST_TEXT_CHANGED] = "text_changed",
    [RADON_FAST_MAP_CHANGED] = "map_changed",
    [RADON_FAST_BUDGET] = "budget",
    [RADON_FAST_VCPUS] = "vcpus",
    [RADON_FAST_GUEST_STATE] = "guest_state",
    [RADON_FAST_REMOVED] = "removed",
    [RADON_FAST_SWITCHED_OFF] = "switched_off",
    [RADON_FAST_REPLACED] = "replaced",
};

static const char *const fast_passes[RADON_FAST_NR_PASSES] = {
    [RADON_FAST_PASS_CHOSEN] = "chosen", [RADON_FAST_PASS_LOAD] = "load",
    [RADON_FAST_PASS_STORE] = "store",   [RADON_FAST_PASS_PT] = "pt",
    [RADON_FAST_PASS_FULL] = "full",     [RADON_FAST_PASS_STATE] = "state",
    [RADON_FAST_PASS_EVENT] = "event",   [RADON_FAST_PASS_BUDGET] = "budget",
};

static const char *const verdicts[] = { "agree", "disagree", "void" };

static const char *const capture_ends[] = {
    [RADON_CAPTURE_DONE] = "done",         [RADON_CAPTURE_LONG] = "long",
    [RADON_CAPTURE_EVENT] = "event",       [RADON_CAPTURE_SWITCHED] = "switched",
    [RADON_CAPTURE_TRAP] = "trap",         [RADON_CAPTURE_UNSEEN] = "unseen",
    [RADON_CAPTURE_RUNNING] = "running",
};

static const char *const decisions[] = {
#define DECISION(name, meaning) #name,
#include "../../fastpath/profile/decisions.def"
};

#define LIST(a) { a, sizeof(a) / sizeof((a)[0]) }

static const struct { const char *const *names; unsigned int count; } lists[TRACE_SHOWS] = {
    [TRACE_SHOW_NAMES_PAGE_USE] = LIST(page_uses),
    [TRACE_SHOW_NAMES_FAULT] = LIST(fault_whys),
    [TRACE_SHOW_NAMES_CPU_MODE] = LIST(cpu_modes),
    [TRACE_SHOW_NAMES_SHUTDOWN] = LIST(shutdowns),
    [TRACE_SHOW_NAMES_ATTACH] = LIST(attach_kinds),
    [TRACE_SHOW_NAMES_FAST_STATE] = LIST(fast_states),
    [TRACE_SHOW_NAMES_FAST_REASON] = LIST(fast_reasons),
    [TRACE_SHOW_NAMES_FAST_PASS] = LIST(fast_passes),
    [TRACE_SHOW_NAMES_VERDICT] = LIST(verdicts),
    [TRACE_SHOW_NAMES_CAPTURE] = LIST(capture_ends),
    [TRACE_SHOW_NAMES_DECISION] = LIST(decisions),
    [TRACE_SHOW_NAMES_RUNSTATE] = LIST(trace_runstate_names),
};

const char *trace_value_name(enum trace_show show, uint64_t value)
{
    if (show == TRACE_SHOW_NAMES_HYPERCALL)
        return value < TRACE_HYPERCALLS ? trace_calls[value].name : NULL;
    return value < lists[show].count ? lists[show].names[value] : NULL;
}
