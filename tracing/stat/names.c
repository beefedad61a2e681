/* SPDX-License-Identifier: MIT */
#include "names.h"

#include <stdio.h>
#include <string.h>

#include "../reader/catalogue.h"

_Static_assert(STAT_NAME_MAX >= TRACE_NAME_MAX, "rows have room for their names");

static const char *const kind_names[RADON_SITE_KINDS] = {
    [RADON_SITE_SYSCALL] = "syscall",     [RADON_SITE_HYPERCALL] = "hypercall",
    [RADON_SITE_TRAP] = "trap",           [RADON_SITE_PAGE_FAULT] = "page_fault",
    [RADON_SITE_EMULATION] = "emulation", [RADON_SITE_INTERRUPT] = "interrupt",
    [RADON_SITE_OPERATION] = "operation", [RADON_SITE_SUBCALL] = "subcall",
};

const char *stat_kind_name(uint8_t kind)
{
    return kind < RADON_SITE_KINDS && kind_names[kind] ? kind_names[kind] : "unknown";
}

static const char *const syscall_names[] = {
#define SYSCALL(number, name) [number] = #name,
#include "syscalls.h"
#undef SYSCALL
};
#define NR_SYSCALLS (sizeof(syscall_names) / sizeof(syscall_names[0]))

static void syscall_name(uint32_t number, char *name)
{
    if (number < NR_SYSCALLS && syscall_names[number])
        snprintf(name, STAT_NAME_MAX, "syscall:%s", syscall_names[number]);
    else
        snprintf(name, STAT_NAME_MAX, "syscall:%u", number);
}

/* By number and, where `place` has it, operation; `first` is the first row of the kind of call. */
static void call_name(uint32_t number, unsigned int first, enum trace_op_place place, char *name)
{
    uint32_t call = number & 0xff, op = number >> 8;
    char row[TRACE_NAME_MAX];
    int found = trace_op_find(call, op);
    bool has_op = call < TRACE_HYPERCALLS && trace_calls[call].where == place;

    if (call >= TRACE_HYPERCALLS)
        snprintf(name, STAT_NAME_MAX, "hypercall:%u", call);
    else if (has_op && found >= 0)
        trace_row_name(first + TRACE_HYPERCALLS + 1 + (unsigned int)found, name);
    else if (has_op || op)
        snprintf(name, STAT_NAME_MAX, "%.80s.%u", trace_row_name(first + call, row), op);
    else
        trace_row_name(first + call, name);
}

static void trap_name(uint32_t vector, char *name)
{
    char row[TRACE_NAME_MAX];

    if (vector < TRACE_VECTORS)
        snprintf(name, STAT_NAME_MAX, "%s", trace_row_name(TRACE_ROW_TRAP + vector, row));
    else
        snprintf(name, STAT_NAME_MAX, "trap:%u", vector);
}

/* Error code of the processor: 1 protection, 2 write, 4 user, 8 reserved bit, 16 fetch. */
static void page_fault_name(uint32_t code, char *name)
{
    const char *access = code & 16 ? "fetch" : code & 2 ? "write" : "read";
    const char *why = code & 8 ? "reserved" : code & 1 ? "protected" : "absent";

    snprintf(name, STAT_NAME_MAX, "trap:page_fault.%s-%s-%s", code & 4 ? "user" : "kernel", access,
             why);
}

static void emulation_name(uint32_t number, char *name)
{
    static const char *const names[] = {
        [RADON_EMUL_PRIVOP] = "privop",
        [RADON_EMUL_PTWR] = "ptwr",
        [RADON_EMUL_FORCED] = "forced_invalid_op",
        [RADON_EMUL_IO] = "io",
    };

    if (number < sizeof(names) / sizeof(names[0]))
        snprintf(name, STAT_NAME_MAX, "emulation:%s", names[number]);
    else
        snprintf(name, STAT_NAME_MAX, "emulation:%u", number);
}

const char *stat_name(const struct stat_key *key, char name[STAT_NAME_MAX])
{
    if (key->overflow) {
        snprintf(name, STAT_NAME_MAX, "%s:evicted", stat_kind_name(key->kind));
        return name;
    }
    switch (key->kind) {
    case RADON_SITE_SYSCALL:
        syscall_name(key->number, name);
        break;
    case RADON_SITE_HYPERCALL:
        call_name(key->number, TRACE_ROW_HYPERCALL, FIRST, name);
        break;
    case RADON_SITE_SUBCALL:
        call_name(key->number, TRACE_ROW_SUBCALL, FIRST, name);
        break;
    case RADON_SITE_OPERATION:
        call_name(key->number, TRACE_ROW_OPERATION, IN_MEMORY, name);
        break;
    case RADON_SITE_TRAP:
        trap_name(key->number, name);
        break;
    case RADON_SITE_PAGE_FAULT:
        page_fault_name(key->number, name);
        break;
    case RADON_SITE_EMULATION:
        emulation_name(key->number, name);
        break;
    default:
        snprintf(name, STAT_NAME_MAX, "%s:%u", stat_kind_name(key->kind), key->number);
    }
    return name;
}
