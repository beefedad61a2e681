/* SPDX-License-Identifier: MIT */
/*
 * Fast handlers under trouble: tasks that make system calls and know the answers (endure_calls.c), while
 * signals come, the tasks are moved between CPUs, and the last CPU goes and comes.
 *
 *   endure HITS SECONDS PERIOD HOTPLUG SEED
 *
 * Ends when handlers have done HITS entries, or after SECONDS.  One run in PERIOD is compared with the guest
 * kernel.  Every HOTPLUG seconds (0: never) the last CPU goes offline, or comes back.  Prints what was
 * counted, as one JSON object.  Status 1: a wrong answer or a disagreement.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "endure.h"
#include "tracing/xen/xen.h"

#define WORKERS 4
#define BURST 400
#define ORPHAN 50  /* bursts between two children */
#define STEP_US 5000 /* of the one that makes trouble */
#define ROOM 128     /* handlers in one list */
#define HANDLERS 65536

static struct worker {
    volatile uint64_t answers[2], orphans, signals; /* [1]: of its second thread */
    volatile int failed;
    char wrong[256];
    pid_t pid;
} *workers; /* shared with all */
static volatile int *stop;

/* ------------------------------------------------------------------ a worker */

static struct worker *self;

static void on_signal(int number)
{
    (void)number;
    if (self)
        self->signals++;
}

static void fail(const struct known *k)
{
    memcpy(self->wrong, k->wrong, sizeof(self->wrong));
    self->failed = 1;
}

static void *second_thread(void *of)
{
    static struct known k;

    known_thread(&k, of, 77 + (uint64_t)getpid());
    while (!*stop && !self->failed) {
        if (!known_calls(&k, BURST))
            fail(&k);
        self->answers[1] = k.answers;
    }
    return NULL;
}

static void work(struct known *k)
{
    for (unsigned int i = 1; !*stop && !self->failed; i++) {
        struct itimerval timer = { .it_value = { 0, (suseconds_t)(500 + random_below(k, 20000)) } };

        if (i % 4 == 0)
            setitimer(ITIMER_REAL, &timer, NULL);
        if (!known_calls(k, BURST) || (k->alone && i % ORPHAN == 0 && !known_orphan(k))) {
            fail(k);
            return;
        }
        self->orphans += k->alone && i % ORPHAN == 0;
        self->answers[0] = k->answers;
    }
}

static void worker(unsigned int number, uint64_t seed)
{
    static struct known k;
    struct sigaction caught = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    bool alone = number % 2 == 0;
    pthread_t thread;

    self = &workers[number]; /* on_signal()'s */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigaction(SIGALRM, &caught, NULL);
    if (!known_begin(&k, "/tmp", alone, seed)) {
        fail(&k);
        _exit(1);
    }
    if (!alone && pthread_create(&thread, NULL, second_thread, &k) == 0) {
        known_thread(&k, &k, seed);
        work(&k);
        pthread_join(thread, NULL);
    } else {
        work(&k);
    }
    _exit(self->failed);
}

/* ------------------------------------------------------------------ what the hypervisor counts */

static struct {
    struct xen x;
    struct radon_fast_info *list, *seen; /* seen: by number, as it was last */
    uint32_t most, active_most_two;
    uint64_t hits, agreed, disagreed, voided, vcpus, text;
    uint32_t handlers;
} hv;

/* Handlers that are gone keep what they had when they were seen last. */
static void look(bool two)
{
    uint32_t first = 0, active = 0;

    for (;;) {
        struct radon_fast_list op = { .domain = RADON_DOMID_SELF, .room = ROOM, .first_id = first,
                                      .info = (uint64_t)(uintptr_t)hv.list };

        if (!radon_call(&hv.x, RADON_FAST_LIST, &op, sizeof(op), "list")) {
            fprintf(stderr, "endure: %s\n", hv.x.error);
            exit(2);
        }
        for (uint32_t i = 0; i < op.room; i++) {
            first = hv.list[i].id + 1;
            active += hv.list[i].state == RADON_FAST_ACTIVE && hv.list[i].hits > 0;
            if (hv.list[i].id < HANDLERS)
                hv.seen[hv.list[i].id] = hv.list[i];
        }
        if (op.room < ROOM)
            break;
    }
    hv.hits = hv.agreed = hv.disagreed = hv.voided = hv.vcpus = hv.text = hv.handlers = 0;
    for (uint32_t i = 0; i < HANDLERS; i++) {
        const struct radon_fast_info *h = &hv.seen[i];

        hv.handlers += h->activated != 0;
        hv.hits += h->hits;
        hv.agreed += h->agreed;
        hv.disagreed += h->disagreed;
        hv.voided += h->voided;
        hv.vcpus += h->state == RADON_FAST_RETIRED && h->reason == RADON_FAST_VCPUS;
        hv.text += h->state == RADON_FAST_RETIRED && h->reason == RADON_FAST_TEXT_CHANGED;
    }
    if (active > hv.most)
        hv.most = active;
    if (two && active > hv.active_most_two)
        hv.active_most_two = active;
}

static void begin(uint32_t period)
{
    struct radon_fast_oracle op = { .domain = RADON_DOMID_SELF, .period = period };

    hv.seen = calloc(HANDLERS, sizeof(*hv.seen));
    if (!hv.seen || !xen_open(&hv.x) || !(hv.list = xen_buffer(&hv.x, ROOM * sizeof(*hv.list))) ||
        !radon_call(&hv.x, RADON_FAST_ORACLE, &op, sizeof(op), "oracle")) {
        fprintf(stderr, "endure: %s\n", hv.x.error);
        exit(2);
    }
}

/* ------------------------------------------------------------------ trouble */

static unsigned int migrations, hotplugs;

static void move(struct known *k, long cpus)
{
    const struct worker *w = &workers[random_below(k, WORKERS)];
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(random_below(k, (uint64_t)cpus), &set);
    migrations += sched_setaffinity(w->pid, sizeof(set), &set) == 0;
    if (random_below(k, 4) == 0) { /* anywhere again, so that a CPU that goes leaves none behind */
        CPU_ZERO(&set);
        for (long i = 0; i < cpus; i++)
            CPU_SET((size_t)i, &set);
        sched_setaffinity(w->pid, sizeof(set), &set);
    }
}

static bool set_online(long cpu, bool online)
{
    char path[96];
    int fd;
    bool done;

    snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%ld/online", cpu);
    fd = open(path, O_WRONLY);
    done = fd >= 0 && write(fd, online ? "1" : "0", 1) == 1;
    if (fd >= 0)
        close(fd);
    hotplugs += done;
    return done;
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int any_failed(void)
{
    for (unsigned int i = 0; i < WORKERS; i++)
        if (workers[i].failed)
            return fprintf(stderr, "endure: wrong: %s\n", workers[i].wrong);
    return 0;
}

/* Until there were so many hits, or the time is over, or something is wrong. */
static void trouble(uint64_t hits, double seconds, double hotplug, struct known *k)
{
    const long cpus = sysconf(_SC_NPROCESSORS_CONF);
    double start = now_s(), looked = 0, plugged = start, told = start;
    bool online = true;

    while (!any_failed() && !hv.disagreed && hv.hits < hits && now_s() - start < seconds) {
        double now = now_s();

        usleep((useconds_t)(random_below(k, 2 * STEP_US)));
        kill(workers[random_below(k, WORKERS)].pid, SIGUSR1);
        if (cpus > 1)
            move(k, cpus);
        if (now - looked > 0.5) {
            look(cpus > 1 && online && now - plugged > 0.5);
            looked = now;
        }
        if (hotplug > 0 && cpus > 1 && now - plugged > hotplug) {
            online = set_online(cpus - 1, !online) ? !online : online;
            plugged = now_s();
        }
        if (now - told > 30) {
            fprintf(stderr, "endure: %.0f s: %llu entries handled, %llu compared\n", now - start,
                    (unsigned long long)hv.hits, (unsigned long long)hv.agreed);
            told = now;
        }
    }
    if (!online)
        set_online(cpus - 1, true);
    look(false);
}

static void tell(double seconds)
{
    uint64_t answers = 0, signals = 0, orphans = 0;

    for (unsigned int i = 0; i < WORKERS; i++) {
        answers += workers[i].answers[0] + workers[i].answers[1];
        signals += workers[i].signals;
        orphans += workers[i].orphans;
    }
    printf("{\"seconds\": %.1f, \"answers\": %llu, \"handled\": %llu, \"compared\": %llu, "
           "\"disagreed\": %llu, \"void\": %llu, \"handlers\": %u, \"active_at_once\": %u, "
           "\"active_with_two_vcpus\": %u, \"retired_vcpus\": %llu, \"retired_text\": %llu, "
           "\"signals\": %llu, \"orphans\": %llu, \"migrations\": %u, \"hotplugs\": %u}\n",
           seconds, (unsigned long long)answers, (unsigned long long)hv.hits,
           (unsigned long long)(hv.agreed + hv.disagreed), (unsigned long long)hv.disagreed,
           (unsigned long long)hv.voided, hv.handlers, hv.most, hv.active_most_two,
           (unsigned long long)hv.vcpus, (unsigned long long)hv.text, (unsigned long long)signals,
           (unsigned long long)orphans, migrations, hotplugs);
}

int main(int argc, char **argv)
{
    struct known k = { .random = 1 };
    double start = now_s();
    int wrong;

    if (argc != 6) {
        fprintf(stderr, "usage: endure HITS SECONDS PERIOD HOTPLUG SEED\n");
        return 2;
    }
    signal(SIGUSR1, on_signal); /* the workers', from the start */
    workers = mmap(NULL, WORKERS * sizeof(*workers) + 4096, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (workers == MAP_FAILED)
        return 2;
    stop = (volatile int *)(workers + WORKERS);
    k.random = strtoull(argv[5], NULL, 0) | 1;
    for (unsigned int i = 0; i < WORKERS; i++) {
        pid_t pid = fork();

        if (pid == 0)
            worker(i, k.random + i);
        workers[i].pid = pid; /* here: the child would write its own 0 there */
    }
    begin((uint32_t)atoi(argv[3]));
    trouble(strtoull(argv[1], NULL, 0), atof(argv[2]), atof(argv[4]), &k);
    *stop = 1;
    for (unsigned int i = 0; i < WORKERS; i++)
        waitpid(workers[i].pid, NULL, 0);
    wrong = any_failed();
    tell(now_s() - start);
    return wrong || hv.disagreed;
}
