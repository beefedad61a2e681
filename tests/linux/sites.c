/* SPDX-License-Identifier: MIT */
/*
 * A mixed workload under the tables of hot sites: first exact, then sampled with the default period, a
 * second each.  Prints a line for each site that took a hundredth of the exact run or more, and last
 * how many of them the sampled run did not find.
 *
 *     KIND NUMBER ADDRESS entries N exact SHARE sampled SHARE      shares of the run, in thousandths
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tracing/xen/xen.h"

#define ROOM 1024u

struct run {
    struct radon_site rows[ROOM];
    unsigned int n;
    uint64_t cycles, period;
};

static struct xen xen;
static struct run exact, sampled;

static void die(const char *text)
{
    fprintf(stderr, "sites: %s\n", text);
    exit(1);
}

static void control(uint32_t mode)
{
    struct radon_sites_control c = { .mode = mode };

    if (!radon_call(&xen, RADON_SITES_CONTROL, &c, sizeof(c), "sites"))
        die(xen.error);
}

static uint64_t tsc_now(void)
{
    struct radon_info info;

    if (!radon_info(&xen, &info))
        die(xen.error);
    return info.tsc;
}

static void read_table(struct run *run)
{
    struct radon_site *rows = xen_buffer(&xen, sizeof(run->rows));
    struct radon_sites_read r = { .domain = RADON_DOMID_ANY, .rows = (uint64_t)rows, .room = ROOM };

    if (!rows || !radon_call(&xen, RADON_SITES_READ, &r, sizeof(r), "sites"))
        die(xen.error);
    run->n = r.room;
    run->period = r.period;
    for (unsigned int i = 0; i < r.room; i++)
        run->rows[i] = rows[i];
    xen_buffer_free(rows, sizeof(run->rows));
}

static void once(int zero, int null, int pipes[2])
{
    static char buffer[4096];
    struct stat st;

    for (int i = 0; i < 20; i++)
        syscall(SYS_getppid);
    for (int i = 0; i < 6; i++) {
        if (read(zero, buffer, 512) != 512 || write(null, buffer, 512) != 512)
            die("read or write");
        if (write(pipes[1], buffer, 64) != 64 || read(pipes[0], buffer, 64) != 64)
            die("pipe");
    }
    for (int i = 0; i < 3; i++) {
        char *page = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        for (int p = 0; p < 4; p++)
            page[4096 * p] = 1;
        munmap(page, 16384);
        if (stat("/proc/self/status", &st) || lseek(zero, 0, SEEK_SET) < 0)
            die("stat or lseek");
    }
}

static void workload(double seconds)
{
    int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY), pipes[2];
    struct timespec begin, now;
    int i = 0;

    if (zero < 0 || null < 0 || pipe(pipes))
        die("files");
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        once(zero, null, pipes);
        if (i++ % 32 == 0) {
            pid_t child = fork();

            if (!child)
                _exit(0);
            waitpid(child, NULL, 0);
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((double)(now.tv_sec - begin.tv_sec) + (double)(now.tv_nsec - begin.tv_nsec) * 1e-9 < seconds);
    close(zero);
    close(null);
    close(pipes[0]);
    close(pipes[1]);
}

static void measure(struct run *run, uint32_t mode)
{
    uint64_t begin;

    control(mode);
    begin = tsc_now();
    workload(1);
    run->cycles = tsc_now() - begin;
    read_table(run);
}

/* In thousandths of the run. */
static double share(const struct run *run, const struct radon_site *s)
{
    uint32_t period = (uint32_t)run->period;
    uint64_t cost = s->bounced || s->bounced_looks ? radon_site_bounced_cycles(s, period)
                                                   : radon_site_cycles(s, period);

    return 1000.0 * (double)cost / (double)run->cycles;
}

static const struct radon_site *find(const struct run *run, const struct radon_site *s)
{
    for (unsigned int i = 0; i < run->n; i++)
        if (run->rows[i].kind == s->kind && run->rows[i].number == s->number &&
            run->rows[i].address == s->address)
            return &run->rows[i];
    return NULL;
}

int main(void)
{
    unsigned int hot = 0, missed = 0;

    if (!xen_open(&xen))
        die(xen.error);
    measure(&exact, RADON_SITES_EXACT);
    measure(&sampled, RADON_SITES_SAMPLED);
    for (unsigned int i = 0; i < exact.n; i++) {
        const struct radon_site *s = &exact.rows[i], *found;

        if (share(&exact, s) < 10)
            continue;
        found = find(&sampled, s);
        hot++;
        missed += !found;
        printf("%u %x %lx entries %lu exact %.1f sampled %.1f\n", s->kind, s->number, s->address,
               s->count, share(&exact, s), found ? share(&sampled, found) : 0);
    }
    printf("hot %u missed %u\n", hot, missed);
    return 0;
}
