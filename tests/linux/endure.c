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
#include <inttypes.h>
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

#define WORKERS 4
#define BURST 24 /* short: what is recorded is to be of several tasks, and each call to come soon */
#define FAMILY 2000  /* bursts between two children */
#define TIMER 50     /* between two settings of the timer */
#define STEP_US 5000 /* of the one that makes trouble */
#define FOLDER "/tmp"

static struct worker {
    volatile uint64_t answers[2], orphans, namespaces, signals; /* [1]: of its second thread */
    volatile int failed;
    char wrong[256];
    volatile pid_t task[2];
} *workers; /* shared with all, as what follows it is: */
static struct shared {
    volatile int stop;
    struct wanted wanted;
} *shared;

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

    if (!known_thread(&k, of, FOLDER, 77 + (uint64_t)getpid()))
        fail(&k);
    self->task[1] = k.thread;
    while (!shared->stop && !self->failed) {
        if (!known_calls(&k, &shared->wanted, BURST))
            fail(&k);
        self->answers[1] = k.answers;
    }
    return NULL;
}

/* Children, now and then. */
static bool family(struct known *k, unsigned int burst)
{
    if (!k->alone || burst % FAMILY)
        return true;
    if (burst / FAMILY % 2) {
        self->orphans++;
        return known_orphan(k);
    }
    self->namespaces++;
    return known_namespace(k);
}

static void work(struct known *k)
{
    for (unsigned int i = 1; !shared->stop && !self->failed; i++) {
        struct itimerval timer = { .it_value = { 0, (suseconds_t)(500 + random_below(k, 20000)) } };

        if (i % TIMER == 0)
            setitimer(ITIMER_REAL, &timer, NULL);
        if (!known_calls(k, &shared->wanted, BURST) || !family(k, i)) {
            fail(k);
            return;
        }
        self->answers[0] = k->answers;
    }
}

static void worker(unsigned int number, uint64_t seed)
{
    static struct known k, first;
    struct sigaction caught = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    bool alone = number % 4 != 1;
    pthread_t thread;

    self = &workers[number]; /* on_signal()'s */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigaction(SIGALRM, &caught, NULL);
    if (!known_begin(&k, FOLDER, alone, seed)) {
        fail(&k);
        _exit(1);
    }
    first = k; /* this one goes on */
    if (!alone && pthread_create(&thread, NULL, second_thread, &first) == 0) {
        work(&k);
        pthread_join(thread, NULL);
    } else {
        work(&k);
    }
    _exit(self->failed);
}

/* ------------------------------------------------------------------ trouble */

static unsigned int migrations, hotplugs;
static uint32_t most, most_with_two; /* handlers at once; with both CPUs */
static struct counted counted;

static void move(struct known *k, long cpus)
{
    const struct worker *w = &workers[random_below(k, WORKERS)];
    pid_t task = w->task[w->task[1] && random_below(k, 2)];
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(random_below(k, (uint64_t)cpus), &set);
    migrations += sched_setaffinity(task, sizeof(set), &set) == 0;
    if (random_below(k, 4) == 0) { /* anywhere again, so that a CPU that goes leaves none behind */
        CPU_ZERO(&set);
        for (long i = 0; i < cpus; i++)
            CPU_SET((size_t)i, &set);
        sched_setaffinity(task, sizeof(set), &set);
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

/* two: both CPUs have been there for a while. */
static void look(bool two)
{
    counted = count_look(&shared->wanted);
    most = counted.active > most ? counted.active : most;
    if (two && counted.active > most_with_two)
        most_with_two = counted.active;
}

/* Until there were so many hits, or the time is over, or something is wrong. */
static void trouble(uint64_t hits, double seconds, double hotplug, struct known *k)
{
    const long cpus = sysconf(_SC_NPROCESSORS_CONF);
    double start = now_s(), looked = 0, plugged = start, told = start;
    bool online = true;

    while (!any_failed() && !counted.disagreed && counted.hits < hits && now_s() - start < seconds) {
        double now = now_s();

        usleep((useconds_t)(random_below(k, 2 * STEP_US)));
        kill(workers[random_below(k, WORKERS)].task[0], SIGUSR1);
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
                    (unsigned long long)counted.hits, (unsigned long long)counted.agreed);
            told = now;
        }
    }
    if (!online)
        set_online(cpus - 1, true);
    look(false);
}

static void tell(double seconds)
{
    uint64_t answers = 0, signals = 0, orphans = 0, namespaces = 0;

    for (unsigned int i = 0; i < WORKERS; i++) {
        answers += workers[i].answers[0] + workers[i].answers[1];
        signals += workers[i].signals;
        orphans += workers[i].orphans;
        namespaces += workers[i].namespaces;
    }
    printf("{\"seconds\": %.1f, \"answers\": %" PRIu64 ", \"handled\": %" PRIu64
           ", \"compared\": %" PRIu64 ", \"disagreed\": %" PRIu64 ", \"void\": %" PRIu64
           ", \"handlers\": %u, \"active_at_once\": %u, \"active_with_two_vcpus\": %u"
           ", \"retired_vcpus\": %" PRIu64 ", \"retired_text\": %" PRIu64 ", \"signals\": %" PRIu64
           ", \"orphans\": %" PRIu64 ", \"namespaces\": %" PRIu64
           ", \"migrations\": %u, \"hotplugs\": %u, \"calls\": {",
           seconds, answers, counted.hits, counted.agreed + counted.disagreed, counted.disagreed,
           counted.voided, counted.handlers, most, most_with_two, counted.vcpus, counted.text, signals,
           orphans, namespaces, migrations, hotplugs);
    count_tell();
    printf("}}\n");
}

static void start(uint64_t seed)
{
    signal(SIGUSR1, on_signal); /* the workers', from the start */
    for (unsigned int i = 0; i < WORKERS; i++) {
        pid_t pid = fork();

        if (pid == 0)
            worker(i, seed + i);
        workers[i].task[0] = pid; /* here: the child would write its own 0 there */
    }
}

int main(int argc, char **argv)
{
    struct known k = { .random = 1 };
    double begun = now_s();
    int wrong;

    if (argc != 6) {
        fprintf(stderr, "usage: endure HITS SECONDS PERIOD HOTPLUG SEED\n");
        return 2;
    }
    workers = mmap(NULL, WORKERS * sizeof(*workers) + sizeof(*shared), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (workers == MAP_FAILED)
        return 2;
    shared = (struct shared *)(workers + WORKERS);
    k.random = strtoull(argv[5], NULL, 0) | 1;
    start(k.random);
    count_begin((uint32_t)atoi(argv[3]));
    trouble(strtoull(argv[1], NULL, 0), atof(argv[2]), atof(argv[4]), &k);
    shared->stop = 1;
    for (unsigned int i = 0; i < WORKERS; i++)
        waitpid(workers[i].task[0], NULL, 0);
    wrong = any_failed();
    tell(now_s() - begun);
    return wrong || counted.disagreed;
}
