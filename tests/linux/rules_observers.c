/* SPDX-License-Identifier: MIT */
/* What observes or changes the guest kernel: on, off, and how much each has seen. */
#define _GNU_SOURCE
#include "rules.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TRACING "/sys/kernel/tracing/"
#define ANY_NUMBER 0xffffu

/* ------------------------------------------------------------------ files of the kernel */

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_TRUNC);

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        die("%s: %s: %m", path, text);
    close(fd);
}

static uint32_t number_in(const char *path)
{
    FILE *file = fopen(path, "r");
    uint32_t number;

    if (!file || fscanf(file, "%u", &number) != 1)
        die("%s: %m", path);
    fclose(file);
    return number;
}

/* ------------------------------------------------------------------ perf */

static int counter = -1;

static void perf_open(struct perf_event_attr *attr, pid_t pid, int cpu)
{
    attr->size = sizeof(*attr);
    counter = (int)syscall(SYS_perf_event_open, attr, pid, cpu, -1, 0);
    if (counter < 0)
        die("perf_event_open: %m");
}

uint64_t perf_count(void)
{
    uint64_t n;

    if (read(counter, &n, sizeof(n)) != sizeof(n))
        die("counter: %m");
    return n;
}

void perf_close(void)
{
    close(counter);
}

static void tracepoint(const char *name)
{
    struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT };
    char path[128];

    snprintf(path, sizeof(path), TRACING "events/%s/id", name);
    attr.config = number_in(path);
    perf_open(&attr, 0, -1);
}

void raw_enter_on(void)
{
    tracepoint("raw_syscalls/sys_enter");
}

void enter_on(void)
{
    tracepoint("syscalls/sys_enter_getuid");
}

void exit_on(void)
{
    tracepoint("syscalls/sys_exit_write");
}

void renames_on(void) /* a static key on the path of the call */
{
    tracepoint("task/task_rename");
}

static void probe_at(const char *function, uint64_t offset)
{
    struct perf_event_attr attr = {
        .type = number_in("/sys/bus/event_source/devices/kprobe/type"),
        .kprobe_func = (uintptr_t)function, .probe_offset = offset,
    };

    perf_open(&attr, -1, 0);
}

void probe_entry_on(void)
{
    probe_at("__x64_sys_getpid", 0);
}

void probe_inside_on(void) /* by INT3 or a jump, behind the call that ftrace patches */
{
    probe_at("__x64_sys_gettid", 5);
}

void breakpoint_on(void)
{
    struct perf_event_attr attr = { .type = PERF_TYPE_BREAKPOINT, .bp_type = HW_BREAKPOINT_W,
                                    .bp_addr = (uintptr_t)bytes, .bp_len = HW_BREAKPOINT_LEN_8,
                                    .exclude_user = 1 };

    perf_open(&attr, 0, -1);
}

/* ------------------------------------------------------------------ bpf */

static int map = -1, program = -1, link_ = -1;

static int bpf(int command, union bpf_attr *attr)
{
    return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

/* r0..r10; the eight bytes of one instruction */
#define INSN(c, d, s, o, i)                                                                        \
    (struct bpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) }
#define EXIT_AT 16

/* Counts in the map when this process is the one; for a raw tracepoint, when it is that call. */
static void bpf_load(uint32_t type, uint32_t number)
{
    const struct bpf_insn code[] = {
        INSN(BPF_ALU64 | BPF_MOV | BPF_X, 6, 1, 0, 0),
        INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_current_pid_tgid),
        INSN(BPF_ALU64 | BPF_RSH | BPF_K, 0, 0, 0, 32),
        INSN(BPF_JMP | BPF_JNE | BPF_K, 0, 0, EXIT_AT - 4, getpid()),
        type == BPF_PROG_TYPE_RAW_TRACEPOINT /* its second argument is the number */
            ? INSN(BPF_LDX | BPF_MEM | BPF_DW, 7, 6, 8, 0)
            : INSN(BPF_ALU64 | BPF_MOV | BPF_K, 7, 0, 0, ANY_NUMBER),
        INSN(BPF_JMP | BPF_JNE | BPF_K, 7, 0, EXIT_AT - 6, (int)number),
        INSN(BPF_ST | BPF_MEM | BPF_W, 10, 0, -4, 0),
        INSN(BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_FD, 0, map),
        INSN(0, 0, 0, 0, 0),
        INSN(BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0),
        INSN(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -4),
        INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem),
        INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, EXIT_AT - 13, 0),
        INSN(BPF_LDX | BPF_MEM | BPF_DW, 1, 0, 0, 0),
        INSN(BPF_ALU64 | BPF_ADD | BPF_K, 1, 0, 0, 1),
        INSN(BPF_STX | BPF_MEM | BPF_DW, 0, 1, 0, 0),
        INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0),
        INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
    };
    union bpf_attr attr = { .prog_type = type, .insn_cnt = sizeof(code) / sizeof(code[0]),
                            .insns = (uintptr_t)code, .license = (uintptr_t)"GPL" };

    program = bpf(BPF_PROG_LOAD, &attr);
    if (program < 0)
        die("BPF_PROG_LOAD: %m");
}

static void map_make(void)
{
    union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8,
                            .max_entries = 1 };

    map = bpf(BPF_MAP_CREATE, &attr);
    if (map < 0)
        die("BPF_MAP_CREATE: %m");
}

uint64_t map_count(void)
{
    uint32_t key = 0;
    uint64_t value = 0;
    union bpf_attr attr = { .map_fd = (uint32_t)map, .key = (uintptr_t)&key,
                            .value = (uintptr_t)&value };

    if (bpf(BPF_MAP_LOOKUP_ELEM, &attr))
        die("BPF_MAP_LOOKUP_ELEM: %m");
    return value;
}

void bpf_raw_on(void)
{
    union bpf_attr attr = { 0 };

    map_make();
    bpf_load(BPF_PROG_TYPE_RAW_TRACEPOINT, SYS_read);
    attr.raw_tracepoint.name = (uintptr_t)"sys_enter";
    attr.raw_tracepoint.prog_fd = (uint32_t)program;
    link_ = bpf(BPF_RAW_TRACEPOINT_OPEN, &attr);
    if (link_ < 0)
        die("BPF_RAW_TRACEPOINT_OPEN: %m");
}

void bpf_probe_on(void)
{
    map_make();
    bpf_load(BPF_PROG_TYPE_KPROBE, ANY_NUMBER);
    probe_at("__x64_sys_getgid", 0);
    if (ioctl(counter, PERF_EVENT_IOC_SET_BPF, program) || ioctl(counter, PERF_EVENT_IOC_ENABLE, 0))
        die("PERF_EVENT_IOC_SET_BPF: %m");
}

void bpf_off(void)
{
    close(link_);
    close(counter);
    close(program);
    close(map);
}

/* ------------------------------------------------------------------ tracefs */

static uint64_t lines_with(const char *text)
{
    FILE *file = fopen(TRACING "trace", "r");
    char line[512];
    uint64_t n = 0;

    while (file && fgets(line, sizeof(line), file))
        n += line[0] != '#' && strstr(line, text) != NULL;
    if (!file || ferror(file))
        die("trace: %m");
    fclose(file);
    return n;
}

uint64_t trace_count(void)
{
    char own[32];

    snprintf(own, sizeof(own), "-%d ", getpid());
    return lines_with(own);
}

void ftrace_on(void)
{
    put(TRACING "set_ftrace_filter", "ksys_lseek");
    put(TRACING "current_tracer", "function");
}

void ftrace_off(void)
{
    put(TRACING "current_tracer", "nop");
    put(TRACING "set_ftrace_filter", "\n");
    put(TRACING "trace", "\n");
}

void probe_event_on(void)
{
    put(TRACING "kprobe_events", "r:radon/returns __x64_sys_geteuid ret=$retval");
    put(TRACING "events/radon/returns/enable", "1");
}

void probe_event_off(void)
{
    put(TRACING "events/radon/returns/enable", "0");
    put(TRACING "kprobe_events", "\n");
    put(TRACING "trace", "\n");
}

void event_on(void)
{
    put(TRACING "events/syscalls/sys_enter_umask/enable", "1");
}

void event_off(void)
{
    put(TRACING "events/syscalls/sys_enter_umask/enable", "0");
    put(TRACING "trace", "\n");
}

/* ------------------------------------------------------------------ changes that nobody counts by */

const char *module_path;
uint64_t own_calls;

void module_on(void)
{
    int fd = open(module_path, O_RDONLY);

    if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
        die("%s: %m", module_path);
    close(fd);
}

void module_off(void)
{
    char name[64];

    snprintf(name, sizeof(name), "%s", strrchr(module_path, '/') + 1);
    *strchr(name, '.') = 0;
    for (char *c = name; *c; c++)
        *c = *c == '-' ? '_' : *c;
    if (syscall(SYS_delete_module, name, O_NONBLOCK))
        die("delete_module %s: %m", name);
}

void schedstats_on(void)
{
    put("/proc/sys/kernel/sched_schedstats", "1");
}

void schedstats_off(void)
{
    put("/proc/sys/kernel/sched_schedstats", "0");
}

uint64_t count_own(void)
{
    return own_calls;
}
