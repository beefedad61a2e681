/* SPDX-License-Identifier: MIT */
#include "names.h"

#include <inttypes.h>
#include <stdio.h>

#include "fastpath/core/program.h"

#define PAGE_FAULT_VECTOR 14u
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NAME_OF(array, i) ((i) < COUNT(array) && (array)[i] ? (array)[i] : "unknown")

static const char *const states[] = {
    [RADON_FAST_SHADOW] = "shadow",
    [RADON_FAST_ACTIVE] = "active",
    [RADON_FAST_DISABLED] = "disabled",
    [RADON_FAST_RETIRED] = "retired",
};

static const struct {
    const char *name, *text;
} reasons[RADON_FAST_NR_REASONS] = {
    [RADON_FAST_NO_REASON] = { "NONE", "" },
    [RADON_FAST_DISAGREED] = { "DISAGREED", "it did not do what the guest kernel did" },
    [RADON_FAST_TEXT_CHANGED] = { "TEXT_CHANGED", "a page that it was made from became writable" },
    [RADON_FAST_MAP_CHANGED] = { "MAP_CHANGED", "an address that it was made from maps another page" },
    [RADON_FAST_BUDGET] = { "BUDGET", "it took longer than its budget, again and again" },
    [RADON_FAST_VCPUS] = { "VCPUS", "a vCPU came online or went offline" },
    [RADON_FAST_GUEST_STATE] = { "GUEST_STATE", "the guest kernel changed how it is entered" },
    [RADON_FAST_REMOVED] = { "REMOVED", "removed by who installed it, or by hand" },
    [RADON_FAST_SWITCHED_OFF] = { "SWITCHED_OFF", "fast handlers were switched off" },
    [RADON_FAST_REPLACED] = { "REPLACED", "another handler took its place" },
};

static const char *const passes[RADON_FAST_NR_PASSES] = {
    [RADON_FAST_PASS_CHOSEN] = "guard",    [RADON_FAST_PASS_LOAD] = "load",
    [RADON_FAST_PASS_STORE] = "store",     [RADON_FAST_PASS_PT] = "page_table",
    [RADON_FAST_PASS_FULL] = "full",       [RADON_FAST_PASS_STATE] = "state",
    [RADON_FAST_PASS_EVENT] = "event",     [RADON_FAST_PASS_BUDGET] = "budget",
};

static const char *const ends[] = {
    [RADON_CAPTURE_DONE] = "DONE",         [RADON_CAPTURE_LONG] = "LONG",
    [RADON_CAPTURE_EVENT] = "EVENT",       [RADON_CAPTURE_SWITCHED] = "SWITCHED",
    [RADON_CAPTURE_TRAP] = "TRAP",         [RADON_CAPTURE_UNSEEN] = "UNSEEN",
    [RADON_CAPTURE_RUNNING] = "RUNNING",
};

static const char *const attach_kinds[FAST_NR_ATTACH] = {
    [FAST_ATTACH_SYSCALL] = "syscall",
    [FAST_ATTACH_EXCEPTION] = "exception",
    [FAST_ATTACH_HYPERCALL] = "hypercall",
};

static const char *const site_kinds[RADON_SITE_KINDS] = {
    [RADON_SITE_SYSCALL] = "syscall",       [RADON_SITE_HYPERCALL] = "hypercall",
    [RADON_SITE_TRAP] = "trap",             [RADON_SITE_PAGE_FAULT] = "page_fault",
    [RADON_SITE_EMULATION] = "emulation",   [RADON_SITE_INTERRUPT] = "interrupt",
    [RADON_SITE_OPERATION] = "operation",   [RADON_SITE_SUBCALL] = "subcall",
};

static const char *const registers[] = {
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8",      "r9",
    "r10", "r11", "r12", "r13", "r14", "r15", "rip", "rflags", "fs_base", "gs_base",
};

static const char *const syscalls[] = {
#define SYSCALL(number, name) [number] = #name,
#include "syscalls.h"
#undef SYSCALL
};

static const char *const hypercalls[] = {
#define HYPERCALL(number, name, handler, args, doc) [number] = #name,
#include "public/hypercalls.def"
#undef HYPERCALL
};

const char *hypercall_text(unsigned int number)
{
    return number < COUNT(hypercalls) ? hypercalls[number] : NULL;
}

const char *fast_state_name(unsigned int state)
{
    return NAME_OF(states, state);
}

const char *fast_reason_name(unsigned int reason)
{
    return reason < RADON_FAST_NR_REASONS ? reasons[reason].name : "unknown";
}

const char *fast_reason_text(unsigned int reason)
{
    return reason < RADON_FAST_NR_REASONS ? reasons[reason].text : "unknown";
}

const char *fast_pass_name(unsigned int pass)
{
    return NAME_OF(passes, pass);
}

const char *capture_end_name(unsigned int end)
{
    return NAME_OF(ends, end);
}

const char *attach_kind_name(unsigned int kind)
{
    return NAME_OF(attach_kinds, kind);
}

const char *site_kind_name(unsigned int kind)
{
    return NAME_OF(site_kinds, kind);
}

const char *register_name(unsigned int number)
{
    return NAME_OF(registers, number);
}

const char *syscall_name(unsigned int number)
{
    return number < COUNT(syscalls) ? syscalls[number] : NULL;
}

bool fast_point_same(const struct fast_point *a, const struct fast_point *b)
{
    return a->domain == b->domain && a->kind == b->kind && a->number == b->number &&
           a->address == b->address;
}

const char *fast_point_text(const struct fast_point *p, char text[FAST_POINT_TEXT])
{
    if (p->kind == FAST_ATTACH_SYSCALL && syscall_name(p->number))
        snprintf(text, FAST_POINT_TEXT, "syscall:%s", syscall_name(p->number));
    else if (p->kind == FAST_ATTACH_EXCEPTION && p->number == PAGE_FAULT_VECTOR)
        snprintf(text, FAST_POINT_TEXT, "page_fault:%#" PRIx64, p->address);
    else if (p->kind == FAST_ATTACH_EXCEPTION)
        snprintf(text, FAST_POINT_TEXT, "exception:%u:%#" PRIx64, p->number, p->address);
    else if (p->kind == FAST_ATTACH_HYPERCALL && hypercall_text(p->number))
        snprintf(text, FAST_POINT_TEXT, "hypercall:%s", hypercall_text(p->number));
    else
        snprintf(text, FAST_POINT_TEXT, "%s:%u", attach_kind_name(p->kind), p->number);
    return text;
}
