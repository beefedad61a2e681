/* SPDX-License-Identifier: MIT */
/*
 * radon-synth: handlers of captures in files, anywhere (docs/synthesis.md).
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fastpath/synth/synth.h"
#include "handler_file.h"
#include "hv/revision.h"
#include "kernel_image.h"

static const char usage[] =
    "usage: radon-synth [options] CAPTURE...\n"
    "\n"
    "CAPTURE: what RADON_CAPTURE_READ gave, in a file: occurrences of one entry.\n"
    "\n"
    "options:\n"
    "  -o, --output FILE      the handler, as `radon-handler load` takes it\n"
    "  --kernel-image FILE    the guest kernel's ELF file (vmlinux): its read-only data is folded\n"
    "  --system-map FILE      its symbols: names in the explanation, the place of vcpu_info\n"
    "  --one-vcpu             the domain has one vCPU\n"
    "  --vcpu-info OFFSET     of struct vcpu_info from the kernel's GS base\n"
    "  --name NAME            of the handler\n"
    "  --explain              how it was made, on standard output\n"
    "  --help                 this text\n"
    "  --version              the revision\n"
    "\n"
    "Status: 0 made, 1 failed, 2 wrong use, 4 refused.\n"
    "\n"
    "example:\n"
    "  radon-synth getppid.cap --kernel-image vmlinux --one-vcpu -o getppid.o --explain\n";

enum {
    OPTION_IMAGE = 256,
    OPTION_MAP,
    OPTION_ONE,
    OPTION_INFO,
    OPTION_NAME,
    OPTION_EXPLAIN,
    OPTION_HELP,
    OPTION_VERSION
};

static const struct option options[] = {
    { "output", required_argument, NULL, 'o' },
    { "kernel-image", required_argument, NULL, OPTION_IMAGE },
    { "system-map", required_argument, NULL, OPTION_MAP },
    { "one-vcpu", no_argument, NULL, OPTION_ONE },
    { "vcpu-info", required_argument, NULL, OPTION_INFO },
    { "name", required_argument, NULL, OPTION_NAME },
    { "explain", no_argument, NULL, OPTION_EXPLAIN },
    { "help", no_argument, NULL, OPTION_HELP },
    { "version", no_argument, NULL, OPTION_VERSION },
    { NULL, 0, NULL, 0 },
};

struct job {
    const char *output, *image, *map;
    bool explain;
    struct synth_capture capture[SYNTH_MAX_CAPTURES];
    struct synth_input in;
};

/* The whole file in memory; NULL with a message. */
static void *slurp(const char *path, size_t *bytes)
{
    FILE *f = fopen(path, "rb");
    char *data = NULL;
    long size;

    if (f && fseek(f, 0, SEEK_END) == 0 && (size = ftell(f)) >= 0) {
        rewind(f);
        data = malloc((size_t)size + 8);
        if (data && fread(data, 1, (size_t)size, f) != (size_t)size) {
            free(data);
            data = NULL;
        }
        *bytes = (size_t)size;
    }
    if (!data)
        fprintf(stderr, "radon-synth: %s: %s\n", path, strerror(errno));
    if (f)
        fclose(f);
    return data;
}

static int write_handler(const struct job *job, const struct synth_output *out)
{
    struct handler_file file = { .program = out->program,
                                 .program_bytes = out->program_bytes,
                                 .watches = out->watches,
                                 .nr_watches = out->nr_watches,
                                 .tainted = out->tainted,
                                 .nr_tainted = out->nr_tainted,
                                 .flags = out->flags,
                                 .explanation = out->explanation };
    char provenance[128], error[256];

    snprintf(provenance, sizeof(provenance), "made by: radon-synth %s\n", RADON_REVISION);
    file.provenance = provenance;
    if (!handler_file_write(job->output, &file, error, sizeof(error))) {
        fprintf(stderr, "radon-synth: %s\n", error);
        return 1;
    }
    return 0;
}

static int run(struct job *job)
{
    struct synth_output out;
    int status;

    status = synth(&job->in, &out) ? 4 : 0;
    if (job->explain)
        fputs(out.explanation, stdout);
    if (status)
        fprintf(stderr, "refused: %s [%s]: %s\n  where: %#llx, step %u\n  to do: %s\n",
                synth_reason_text(out.reason), synth_reason_name(out.reason), out.detail,
                (unsigned long long)out.address, out.step, synth_reason_advice(out.reason));
    else
        printf("%u instructions, cost %u: %u guards, %u loads, %u stores; %u paths, %u left out; of"
               " %u instructions of the guest; %u pages watched%s\n",
               out.insns, out.cost, out.guards, out.loads, out.stores, out.paths,
               out.paths_left_out, out.steps, out.nr_watches,
               out.flags & RADON_FAST_ONE_VCPU ? "; for one vCPU" : "");
    if (!status && job->output)
        status = write_handler(job, &out);
    synth_free(&out);
    return status;
}

static int with_image(struct job *job)
{
    struct kernel_image *k = NULL;
    uint64_t at;
    char error[256];
    int status;

    if (job->image || job->map) {
        k = kernel_image_open(job->image, job->map, error, sizeof(error));
        if (!k) {
            fprintf(stderr, "radon-synth: %s\n", error);
            return 1;
        }
        job->in.ro_read = kernel_image_read;
        job->in.ro_arg = k;
        job->in.symbol = kernel_image_symbol;
        job->in.symbol_arg = k;
        if (!job->in.vcpu_info && kernel_image_value(k, "xen_vcpu_info", &at))
            job->in.vcpu_info = (int64_t)at;
    }
    status = run(job);
    kernel_image_close(k);
    return status;
}

static int with_captures(struct job *job, int n, char **paths)
{
    void *data[SYNTH_MAX_CAPTURES] = { 0 };
    int status = 0, i;

    for (i = 0; i < n && i < (int)SYNTH_MAX_CAPTURES && !status; i++) {
        size_t bytes = 0;
        bool bad = false;

        data[i] = slurp(paths[i], &bytes);
        if (!data[i])
            status = 1;
        else
            job->in.nr_captures += synth_split(data[i], bytes, job->capture + job->in.nr_captures,
                                               SYNTH_MAX_CAPTURES - job->in.nr_captures, &bad);
        if (bad) {
            fprintf(stderr, "radon-synth: %s: not a capture\n", paths[i]);
            status = 1;
        }
    }
    if (!status)
        status = with_image(job);
    while (i-- > 0)
        free(data[i]);
    return status;
}

int main(int argc, char **argv)
{
    static struct job job;
    int c;

    job.in.capture = job.capture;
    while ((c = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
        switch (c) {
        case 'o':
            job.output = optarg;
            break;
        case OPTION_IMAGE:
            job.image = optarg;
            break;
        case OPTION_MAP:
            job.map = optarg;
            break;
        case OPTION_ONE:
            job.in.one_vcpu = true;
            break;
        case OPTION_INFO:
            job.in.vcpu_info = (int64_t)strtoull(optarg, NULL, 0);
            break;
        case OPTION_NAME:
            job.in.name = optarg;
            break;
        case OPTION_EXPLAIN:
            job.explain = true;
            break;
        case OPTION_HELP:
            fputs(usage, stdout);
            return 0;
        case OPTION_VERSION:
            puts("radon-synth " RADON_REVISION);
            return 0;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    if (optind == argc) {
        fputs(usage, stderr);
        return 2;
    }
    return with_captures(&job, argc - optind, argv + optind);
}
