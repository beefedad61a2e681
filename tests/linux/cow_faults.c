/* SPDX-License-Identifier: MIT */
/*
 * Writes to pages that were shared with a child which is gone: the kernel finds that they are the
 * writer's own and makes the page-table entry writable.  One instruction does all of them.
 *
 *   cow_faults record FILE       captures of that fault
 *   cow_faults loop ROUNDS       rounds of PAGES faults each; checks contents and what
 *                                the kernel says of the pages; prints ns a fault, of the first and
 *                                the last rounds
 *   cow_faults shared ROUNDS     the same with a child that lives: both must see their own
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tracing/xen/xen.h"

#define PAGES 256
#define BUFFER (16u << 20)
#define OCCURRENCES 8
#define ROUNDS_MAX 4096
#define MIDDLE_OF 21 /* rounds: what else ran in one of them does not matter */

static uint64_t (*page)[512];

/* The one instruction that writes. */
void poke(uint64_t *at, uint64_t value);
extern const char poke_at[];
__asm__(".pushsection .text\n"
        "poke:\n"
        "poke_at:\n"
        "  mov %rsi, (%rdi)\n"
        "  ret\n"
        ".popsection\n");

static void fail(const char *what)
{
    fprintf(stderr, "cow_faults: %s\n", what);
    exit(1);
}

/* A child shares every page, and is gone again. */
static void share(void)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    if (child < 0 || waitpid(child, NULL, 0) != child)
        fail("fork");
}

static void setup(void)
{
    page = mmap(NULL, PAGES * sizeof(*page), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                -1, 0);
    if (page == MAP_FAILED || madvise(page, PAGES * sizeof(*page), MADV_NOHUGEPAGE))
        fail("mmap");
    for (unsigned int i = 0; i < PAGES; i++)
        poke(&page[i][i], i);
}

static int record(const char *path)
{
    struct radon_capture_start start = { .domain = RADON_DOMID_SELF,
                                         .kind = 2,
                                         .number = 14,
                                         .address = (uint64_t)poke_at,
                                         .occurrences = OCCURRENCES,
                                         .max_steps = 8192 };
    struct radon_capture_read read = { 0 };
    static struct xen x;
    uint8_t *buffer;
    FILE *out = fopen(path, "wb");

    if (!out || !xen_open(&x) || !(buffer = xen_buffer(&x, BUFFER)))
        fail("no file, or no hypervisor");
    share();
    if (!radon_call(&x, RADON_CAPTURE_START, &start, sizeof(start), "capture"))
        fail("start");
    for (unsigned int i = 0; i < PAGES && !read.state; i++) {
        poke(&page[i][7], i);
        read = (struct radon_capture_read){ .id = start.id,
                                            .buffer = (uint64_t)buffer,
                                            .bytes = BUFFER };
        if (!radon_call(&x, RADON_CAPTURE_READ, &read, sizeof(read), "capture"))
            fail("read");
    }
    for (uint64_t at = 0; at + sizeof(struct radon_capture_head) <= read.bytes;) {
        const struct radon_capture_head *h = (const void *)(buffer + at);

        printf("occurrence: end %u, %u steps\n", h->end, h->steps);
        at += sizeof(*h) + h->steps * sizeof(struct radon_capture_step);
    }
    if (fwrite(buffer, 1, read.bytes, out) != read.bytes || fclose(out))
        fail(path);
    return 0;
}

/* ------------------------------------------------------------------ loops that check */

static long faults(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

static long ns_since(const struct timespec *a)
{
    struct timespec b;

    clock_gettime(CLOCK_MONOTONIC, &b);
    return (b.tv_sec - a->tv_sec) * 1000000000 + b.tv_nsec - a->tv_nsec;
}

static uint64_t value_of(unsigned int round, unsigned int i)
{
    return (uint64_t)round << 32 | i;
}

static void check_contents(unsigned int round)
{
    for (unsigned int i = 0; i < PAGES; i++)
        if (page[i][7] != value_of(round, i) || page[i][i] != (i == 7 ? value_of(round, i) : i) ||
            page[i][511] != (i == 511 ? i : 0))
            fail("the memory is not what was written");
}

/* KiB that smaps has in the field for the pages. */
static long smaps(const char *field)
{
    unsigned long start, end;
    char line[256];
    bool here = false;
    long kib = -1;
    FILE *in = fopen("/proc/self/smaps", "r");

    while (in && fgets(line, sizeof(line), in)) {
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
            here = start <= (uintptr_t)page && (uintptr_t)page < end;
        else if (here && !strncmp(line, field, strlen(field)))
            kib = atol(line + strlen(field));
    }
    if (in)
        fclose(in);
    return kib;
}

/* Present, mapped by nobody else, soft-dirty: as after the kernel's own work. */
static void check_kernel_view(void)
{
    const uint64_t want = 1ull << 63 | 1ull << 56;
    int map = open("/proc/self/pagemap", O_RDONLY);
    uint64_t entry[PAGES];

    if (map < 0 || pread(map, entry, sizeof(entry), (off_t)((uintptr_t)page / 4096 * 8)) !=
                       (ssize_t)sizeof(entry))
        fail("pagemap");
    close(map);
    for (unsigned int i = 0; i < PAGES; i++)
        if ((entry[i] & want) != want)
            fail("a page is not present, or somebody else's too");
    if (smaps("Rss:") != 4 * PAGES || smaps("Private_Dirty:") != 4 * PAGES ||
        smaps("Anonymous:") != 4 * PAGES || smaps("Shared_Dirty:") != 0)
        fail("smaps");
}

static int by_value(const void *a, const void *b)
{
    return *(const long *)a < *(const long *)b ? -1 : *(const long *)a > *(const long *)b;
}

static long middle(long *ns)
{
    qsort(ns, MIDDLE_OF, sizeof(*ns), by_value);
    return ns[MIDDLE_OF / 2];
}

static int loop(unsigned int rounds)
{
    static long ns[ROUNDS_MAX];
    long before, first, last;

    if (rounds < MIDDLE_OF || rounds >= ROUNDS_MAX)
        fail("too few rounds, or too many");
    for (unsigned int round = 1; round <= rounds; round++) {
        struct timespec start;

        share();
        before = faults();
        clock_gettime(CLOCK_MONOTONIC, &start);
        for (unsigned int i = 0; i < PAGES; i++)
            poke(&page[i][7], value_of(round, i));
        ns[round - 1] = ns_since(&start) / PAGES;
        if (faults() - before < PAGES)
            fail("faults are not counted");
        check_contents(round);
    }
    check_kernel_view();
    first = middle(ns);
    last = middle(ns + rounds - MIDDLE_OF);
    printf("loop: %u faults, %ld ns each at first, %ld at last\n", rounds * PAGES, first, last);
    return 0;
}

/* The child waits until all is written, and must see what was there when it was made. */
static int shared(unsigned int rounds)
{
    int to[2], status;
    char byte = 0;

    for (unsigned int i = 0; i < PAGES; i++)
        poke(&page[i][7], value_of(0, i));
    for (unsigned int round = 1; round <= rounds; round++) {
        pid_t child;

        if (pipe(to) || (child = fork()) < 0)
            fail("fork");
        if (child == 0) {
            if (read(to[0], &byte, 1) != 1)
                _exit(1);
            check_contents(round - 1);
            for (unsigned int i = 0; i < PAGES; i++)
                poke(&page[i][7], ~0ull);
            _exit(0);
        }
        for (unsigned int i = 0; i < PAGES; i++)
            poke(&page[i][7], value_of(round, i));
        if (write(to[1], &byte, 1) != 1 || waitpid(child, &status, 0) != child || status)
            fail("the child saw the parent's writes");
        check_contents(round);
        close(to[0]);
        close(to[1]);
    }
    check_kernel_view();
    printf("shared: %u rounds\n", rounds);
    return 0;
}

int main(int argc, char **argv)
{
    setup();
    if (argc == 3 && !strcmp(argv[1], "loop"))
        return loop((unsigned int)atoi(argv[2]));
    if (argc == 3 && !strcmp(argv[1], "shared"))
        return shared((unsigned int)atoi(argv[2]));
    if (argc == 3 && !strcmp(argv[1], "record"))
        return record(argv[2]);
    fprintf(stderr, "cow_faults: wrong usage\n");
    return 2;
}
