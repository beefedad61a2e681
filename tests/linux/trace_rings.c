/* SPDX-License-Identifier: MIT */
/*
 * Radon's own trace rings against a number of system calls that is known:
 *
 *     trace_rings keep-up CALLS   a reader follows: nothing is lost, each call is there
 *     trace_rings stopped CALLS   nobody reads meanwhile: what is lost is what is said to be
 *     trace_rings dead CALLS      a reader is killed while it follows; the next one misses nothing
 *
 * Three records a call: the system call's bounce, the iret hypercall, the iret to user mode. Prints
 * what was found, a word and a number a line; what must hold is asked for by test_trace_rings.py.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tracing/xen/rings.h"

enum event {
#define EVENT(name, id, fields, text) EV_##name,
#define EVENT_VAR(name, id, text) EV_##name,
#include "tracing/events.def"
};

static struct xen xen;
static struct rings rings;
static struct xen_event told;
static struct radon_info info;
static struct radon_trace_control wanted = { .domain = RADON_DOMID_ANY, .vcpus = ~0ul };

static uint64_t records, calls, irets, lost, bad;

static void die(const char *text)
{
    fprintf(stderr, "trace_rings: %s\n", text);
    exit(1);
}

static void call(enum radon_cmd cmd, void *arg, size_t bytes)
{
    if (!radon_call(&xen, cmd, arg, bytes, "trace"))
        die(xen.error);
}

static void control(uint32_t mode, uint32_t pages)
{
    struct radon_trace_control c = wanted;

    c.mode = mode;
    c.pages = pages;
    call(RADON_TRACE_CONTROL, &c, sizeof(c));
}

static struct radon_trace_state state(void)
{
    struct radon_trace_state s;

    call(RADON_TRACE_STATE, &s, sizeof(s));
    return s;
}

static void open_rings(uint32_t pages)
{
    struct radon_trace_state s;

    control(RADON_TRACE_OFF, pages);
    s = state();
    if (!rings_map(&xen, &rings, s.info_mfn, s.info_bytes, info.nr_cpus) ||
        !xen_event_open(&xen, &told, VIRQ_ARCH_7))
        die(xen.error);
}

/* ------------------------------------------------------------------ reading */

static void note(uint32_t event, const uint32_t *data)
{
    records++;
    if (event == RADON_TRC_ENTRY + 4)
        calls += data[0] == SYS_getppid;
    else if (event == RADON_TRC_ENTRY + 5)
        irets++;
    else if (event == TRC_LOST_RECORDS)
        records--, lost += data[0];
    else if (event == TRC_TRACE_WRAP_BUFFER)
        records--;
    else if (event != TRC_PV_HYPERCALL_V2)
        bad++;
}

static void read_all(void)
{
    struct ring_span span;

    for (unsigned int cpu = 0; cpu < rings.cpus; cpu++) {
        if (!ring_unread(&rings, cpu, &span))
            continue;
        for (int i = 0; i < 2; i++) {
            const uint32_t *p = span.data[i], *end = p + span.bytes[i] / 4;

            while (p < end) {
                unsigned int head = TRC_HD_INCLUDES_CYCLE_COUNT(*p) ? 3 : 1;

                note(TRC_HD_TO_EVENT(*p), p + head);
                p += head + TRC_HD_EXTRA(*p);
            }
            bad += p > end;
        }
        ring_take(&rings, cpu, &span);
    }
}

static void follow_for(int ms)
{
    struct pollfd fd = { .fd = told.fd, .events = POLLIN };

    if (poll(&fd, 1, ms) == 1)
        xen_event_take(&told);
    read_all();
}

/* ------------------------------------------------------------------ the three */

static pid_t start_calls(unsigned long n)
{
    pid_t pid = fork();

    if (pid)
        return pid;
    while (n--)
        syscall(SYS_getppid);
    _exit(0);
}

static void keep_up(unsigned long n)
{
    struct radon_trace_state before, after;
    uint64_t since;
    pid_t pid;

    open_rings(1024);
    before = state();
    control(RADON_TRACE_STREAM, 0);
    radon_info(&xen, &info);
    since = info.system_ns;
    pid = start_calls(n);
    while (waitpid(pid, NULL, WNOHANG) == 0)
        follow_for(20);
    radon_info(&xen, &info);
    control(RADON_TRACE_OFF, 0);
    read_all();
    after = state();
    printf("written %lu\n", after.written - before.written);
    printf("lost_full %lu\n", after.lost_full - before.lost_full);
    printf("per_second %lu\n", records * 1000000000 / (info.system_ns - since));
}

static void stopped(unsigned long n)
{
    struct radon_trace_state before, after;

    open_rings(256);
    before = state();
    control(RADON_TRACE_STREAM, 0);
    waitpid(start_calls(n), NULL, 0);
    control(RADON_TRACE_OFF, 0);
    read_all();
    printf("before_loss %lu\n", records);
    control(RADON_TRACE_STREAM, 0);
    syscall(SYS_getuid); /* what was lost is said before the next record */
    control(RADON_TRACE_OFF, 0);
    read_all();
    after = state();
    printf("written %lu\n", after.written - before.written);
    printf("lost_full %lu\n", after.lost_full - before.lost_full);
}

static void dead(unsigned long n)
{
    int ready[2];
    pid_t reader, caller;
    char byte;

    if (pipe(ready))
        die("pipe");
    reader = fork();
    if (!reader) {
        xen_close(&xen); /* its devices are its own */
        if (!xen_open(&xen))
            die(xen.error);
        open_rings(256);
        control(RADON_TRACE_STREAM, 0);
        if (write(ready[1], "", 1) != 1)
            die("pipe");
        for (;;)
            follow_for(1);
    }
    if (read(ready[0], &byte, 1) != 1)
        die("pipe");
    caller = start_calls(n);
    usleep(20000);
    kill(reader, SIGKILL);
    waitpid(reader, NULL, 0);
    waitpid(caller, NULL, 0);
    open_rings(1024);
    read_all();
    records = calls = irets = lost = bad = 0;
    control(RADON_TRACE_STREAM, 0);
    caller = start_calls(n);
    while (waitpid(caller, NULL, WNOHANG) == 0)
        follow_for(20);
    control(RADON_TRACE_OFF, 0);
    read_all();
}

int main(int argc, char **argv)
{
    static const enum event events[] = { EV_bounce_syscall, EV_pv_hypercall, EV_iret_user };
    unsigned long n = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

    if (!n || !xen_open(&xen) || !radon_info(&xen, &info))
        die(n ? xen.error : "wrong use");
    for (unsigned int i = 0; i < 3; i++)
        wanted.events[events[i] / 64] |= 1ul << events[i] % 64;
    if (!strcmp(argv[1], "keep-up"))
        keep_up(n);
    else if (!strcmp(argv[1], "stopped"))
        stopped(n);
    else if (!strcmp(argv[1], "dead"))
        dead(n);
    else
        die("wrong use");
    printf("records %lu\ncalls %lu\nirets %lu\nlost %lu\nbad %lu\n", records, calls, irets, lost,
           bad);
    return 0;
}
