/* SPDX-License-Identifier: MIT */
/*
 * Fast handlers and captures from inside domain 0, for the tests of this folder.
 *
 *   fast_tool capture NUMBER COUNT FILE   records COUNT occurrences of a system call, which it makes
 *                                         itself without arguments; writes them to FILE, prints the ends
 *   fast_tool install FILE [shadow N]     installs a program; prints its number, or the refusal
 *   fast_tool list                        what there is
 *   fast_tool call NUMBER COUNT           makes the system call so often, prints how long one took
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tracing/xen/xen.h"

#define BUFFER (16u << 20)

static struct xen x;

static void fail(const char *what)
{
    fprintf(stderr, "fast_tool: %s: %s\n", what, x.error);
    exit(1);
}

static void calls(long number, long count)
{
    while (count-- > 0)
        syscall(number);
}

static int timed_calls(long number, long count)
{
    struct timespec a, b;
    long ns;

    clock_gettime(CLOCK_MONOTONIC, &a);
    calls(number, count);
    clock_gettime(CLOCK_MONOTONIC, &b);
    ns = (b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec;
    printf("call %ld: %ld.%02ld ns each\n", number, ns / count, ns * 100 / count % 100);
    return 0;
}

static void print_ends(const uint8_t *at, uint64_t bytes)
{
    for (uint64_t done = 0; done + sizeof(struct radon_capture_head) <= bytes;) {
        const struct radon_capture_head *h = (const void *)(at + done);

        printf("occurrence: end %u, %u steps, result %ld\n", h->end, h->steps, (long)h->after.rax);
        done += sizeof(*h) + h->steps * sizeof(struct radon_capture_step);
    }
}

static int capture(long number, long count, const char *file)
{
    struct radon_capture_start start = { .domain = RADON_DOMID_SELF, .kind = 1,
                                         .number = (uint32_t)number,
                                         .occurrences = (uint32_t)count, .max_steps = 8192 };
    struct radon_capture_read read = { 0 };
    uint8_t *buffer = xen_buffer(&x, BUFFER);
    FILE *out = fopen(file, "wb");

    if (!buffer || !out)
        fail("memory or file");
    if (!radon_call(&x, RADON_CAPTURE_START, &start, sizeof(start), "capture"))
        fail("start");
    for (int i = 0; i < 1000 && !read.state; i++) {
        calls(number, 1);
        read = (struct radon_capture_read){ .id = start.id, .buffer = (uint64_t)buffer,
                                            .bytes = BUFFER };
        if (!radon_call(&x, RADON_CAPTURE_READ, &read, sizeof(read), "capture"))
            fail("read");
    }
    fwrite(buffer, 1, read.bytes, out);
    fclose(out);
    printf("capture: state %u, %u complete, %lu bytes\n", read.state, read.occurrences,
           (unsigned long)read.bytes);
    print_ends(buffer, read.bytes);
    return 0;
}

static int install(const char *file, const char *mode, const char *count)
{
    char *program = xen_buffer(&x, 65536), *text = xen_buffer(&x, 4096);
    struct radon_fast_install op = { .domain = RADON_DOMID_SELF, .program = (uint64_t)program,
                                     .text = (uint64_t)text, .text_bytes = 4096 };
    FILE *in = fopen(file, "rb");

    if (!program || !text || !in)
        fail("memory or file");
    op.bytes = (uint32_t)fread(program, 1, 65536, in);
    op.flags = mode ? 0 : RADON_FAST_INSTALL_ACTIVE;
    op.agreements = count ? (uint32_t)atoi(count) : 0;
    fclose(in);
    if (!radon_call(&x, RADON_FAST_INSTALL, &op, sizeof(op), "install"))
        fail("install");
    if (op.refusal)
        printf("%s", text);
    else
        printf("installed as %u, verified in %u ns\n", op.id, op.verify_ns);
    return op.refusal ? 4 : 0;
}

static int list(void)
{
    struct radon_fast_info *info = xen_buffer(&x, 64 * sizeof(*info));
    struct radon_fast_list op = { .domain = RADON_DOMID_SELF, .room = 64, .info = (uint64_t)info };

    if (!info || !radon_call(&x, RADON_FAST_LIST, &op, sizeof(op), "list"))
        fail("list");
    for (uint32_t i = 0; i < op.room; i++) {
        const struct radon_fast_info *f = &info[i];

        printf("%u %s state %u reason %u runs %lu hits %lu cycles %lu", f->id, f->name, f->state,
               f->reason, f->runs, f->hits, f->cycles);
        printf(" agreed %lu disagreed %lu void %lu passes", f->agreed, f->disagreed, f->voided);
        for (unsigned int p = 0; p < 8; p++)
            printf(" %lu", f->passes[p]);
        printf("\n");
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2 || !xen_open(&x))
        fail("usage, or no hypervisor");
    if (!strcmp(argv[1], "capture") && argc == 5)
        return capture(atol(argv[2]), atol(argv[3]), argv[4]);
    if (!strcmp(argv[1], "install") && argc >= 3)
        return install(argv[2], argc > 3 ? argv[3] : NULL, argc > 4 ? argv[4] : NULL);
    if (!strcmp(argv[1], "list"))
        return list();
    if (!strcmp(argv[1], "call") && argc == 4) {
        return timed_calls(atol(argv[2]), atol(argv[3]));
    }
    fprintf(stderr, "fast_tool: wrong usage\n");
    return 2;
}
