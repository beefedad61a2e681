/* SPDX-License-Identifier: MIT */
/* Signals: install, handle, and the fault that becomes one. */
#include "bench.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static volatile sig_atomic_t handled;

static void count_signal(int sig)
{
    (void)sig;
    handled++;
}

static void install(struct bench *b, int sig, void (*handler)(int))
{
    struct sigaction act = { .sa_handler = handler };

    if (sigaction(sig, &act, NULL) < 0)
        bench_fail(b, "sigaction: errno %d", errno);
}

void row_sig_install(struct bench *b)
{
    struct sigaction act = { .sa_handler = count_signal };

    while (bench_more(b)) {
        bool ok = true;

        bench_start(b);
        for (uint64_t i = 0; i < b->ops; i++)
            ok &= sigaction(SIGUSR1, &act, NULL) == 0;
        bench_stop(b, b->ops);
        if (!ok)
            bench_fail(b, "sigaction failed");
    }
}

/* Send the own process `ops` signals; one that has a handler is handled before kill returns. */
static void signal_self(int sig, uint64_t ops)
{
    int pid = getpid();

    for (uint64_t i = 0; i < ops; i++)
        syscall(SYS_kill, pid, sig);
}

/* The time of `ops` signals to the own process; signal 0 is none: the call alone. */
static int64_t time_signals(struct bench *b, int sig)
{
    uint64_t begin = bench_begin(b);

    signal_self(sig, b->ops);
    return bench_since(b, begin);
}

void row_sig_handle(struct bench *b)
{
    install(b, SIGUSR1, count_signal);
    while (bench_more(b)) {
        int64_t sending = time_signals(b, 0);

        handled = 0;
        bench_start(b);
        signal_self(SIGUSR1, b->ops);
        bench_stop(b, b->ops);
        bench_overhead(b, sending);
        if ((uint64_t)handled != b->ops)
            bench_fail(b, "%d of %d signals handled", (int)handled, (int)b->ops);
    }
}

static struct bench *prot_bench;
static char *prot_page;
static uint64_t prot_left;

/* Returning repeats the store. The last fault stops the clock, then lets the store succeed. */
static void on_fault(int sig)
{
    (void)sig;
    if (--prot_left > 0)
        return;
    bench_stop(prot_bench, prot_bench->ops);
    if (mprotect(prot_page, 4096, PROT_READ | PROT_WRITE) < 0)
        bench_fail(prot_bench, "mprotect: errno %d", errno);
}

/* p1: 1 to subtract the signal handle row's time, which leaves the faults. */
void row_sig_prot(struct bench *b)
{
    prot_bench = b;
    prot_page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (prot_page == MAP_FAILED)
        bench_fail(b, "mmap: errno %d", errno);
    *prot_page = 1;
    install(b, SIGSEGV, on_fault);
    install(b, SIGUSR1, count_signal);
    while (bench_more(b)) {
        int64_t handling = time_signals(b, SIGUSR1) - time_signals(b, 0);

        if (mprotect(prot_page, 4096, PROT_READ) < 0)
            bench_fail(b, "mprotect: errno %d", errno);
        prot_left = b->ops;
        bench_start(b);
        *(volatile char *)prot_page = 2;
        if (b->row->p1)
            bench_overhead(b, handling);
        if (prot_left != 0)
            bench_fail(b, "a store to a read-only page went through");
    }
}
