/* SPDX-License-Identifier: MIT */
/*
 * radon-relay: the hypervisor's and the tools' records as LTTng-UST events (docs/babeltrace.md).
 *
 * Exit status: 0; 1 nothing could be read, or there is no LTTng; 2 wrong use; 5 a part could not be read.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../reader/sorter.h"
#include "../reader/writer.h"
#include "relayed.h"


enum { EXIT_NOTHING = 1, EXIT_USE = 2, EXIT_DAMAGED = 5 };

#define NS_PER_S UINT64_C(1000000000)
#define HELD_MAX ((size_t)1 << 20)

static const char usage[] =
    "usage: radon-relay [--window MS] FILE\n"
    "\n"
    "Relay a recording to LTTng: one event radon:NAME a record.  FILE: a FIFO or - that a recorder writes\n"
    "to (radon-trace record -o FILE): events have the time of the record.  Of a file on disk, they have\n"
    "the time of relaying, and the field tsc has the record's.\n"
    "  --window MS  records are held so long until those of other CPUs have come; 1000\n"
    "Example:\n"
    "  mkfifo f; lttng create; lttng enable-event -u 'radon:*'; lttng start\n"
    "  radon-relay f & radon-trace record -o f -- sleep 5; wait; lttng destroy\n"
    "Status: 0, 1 failed, 2 wrong use, 5 a part could not be read.\n";

struct who {
    int domain, vcpu;
};

struct relay {
    const char *file;
    int fd;
    int window_ms;
    bool live;
    struct trace_reader reader;
    struct sorter sorter;
    radon_lttng_emit_fn *emit;
    bool stamped;               /* events get the records' time */
    uint64_t relayed, late, lost, defects, skipped, last_tsc;
    struct who runs[TRACE_CPUS_MAX];
};

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
    (void)sig;
    interrupted = 1;
}

/* ------------------------------------------------------------------ time */

static uint64_t clock_ns(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* Of the record on CLOCK_MONOTONIC, and not in the future; 0: not known. */
static uint64_t time_of(const struct relay *r, uint64_t tsc)
{
    const struct trace_meta *m = &r->reader.meta;
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    __int128 ns;

    if (!r->stamped || !r->reader.has_meta || !m->epoch_ns || !m->tsc_hz)
        return 0;
    ns = ((__int128)tsc - m->tsc) * NS_PER_S / m->tsc_hz + m->epoch_ns -
         (clock_ns(CLOCK_REALTIME) - now);
    if (ns <= 0)
        return 1;
    return ns < (__int128)now ? (uint64_t)ns : now;
}

/* ------------------------------------------------------------------ one record */

static void follow(struct relay *r, const struct trace_record *rec)
{
    struct who *runs = &r->runs[rec->cpu];
    struct trace_runstate change;
    struct trace_lost lost;

    if (trace_lost_of(rec, &lost)) {
        *runs = (struct who){ lost.domain, lost.vcpu };
        r->lost += lost.count;
    } else if (trace_runstate_of(rec, &change)) {
        if (change.to == 0)
            *runs = (struct who){ change.domain, change.vcpu };
        else if (change.from == 0 && runs->domain == change.domain && runs->vcpu == change.vcpu)
            *runs = (struct who){ -1, -1 };
    }
}

static void fill_values(struct relayed *out, const struct trace_record *rec)
{
    out->nr = trace_values_of(rec, out->value);
    for (unsigned int i = 0; i < out->nr; i++) {
        out->args[i] = out->value[i].value;
        if (out->value[i].show >= TRACE_SHOW_NAMES_HYPERCALL)
            trace_value_text(&out->value[i], out->text[i]);
    }
}

static void relay_record(struct relay *r, const struct trace_record *rec)
{
    static struct relayed out;
    unsigned int row = trace_row_of(rec);

    out.rec = rec;
    out.event = row < TRACE_ROW_UNKNOWN ? (unsigned int)trace_row_event(row) : TRACE_EVENTS;
    out.domain = r->runs[rec->cpu].domain;
    out.vcpu = r->runs[rec->cpu].vcpu;
    out.time_ns = time_of(r, rec->tsc);
    trace_row_name(row, out.name);
    if (row < TRACE_ROW_UNKNOWN) {
        fill_values(&out, rec);
    } else {
        out.nr = rec->words;
        for (unsigned int i = 0; i < rec->words; i++)
            out.args[i] = rec->data[i];
    }
    r->late += rec->tsc < r->last_tsc;
    r->last_tsc = rec->tsc > r->last_tsc ? rec->tsc : r->last_tsc;
    r->relayed++;
    r->emit(&out);
    follow(r, rec);
}

static void drain(struct relay *r, bool all)
{
    struct trace_record rec;

    while (sorter_take(&r->sorter, all, &rec))
        relay_record(r, &rec);
}

/* ------------------------------------------------------------------ the stream */

/* When nothing comes for as long as the window is, nothing that is held has to wait. */
static ssize_t read_live(void *ctx, void *buf, size_t n)
{
    struct relay *r = ctx;
    struct pollfd p = { .fd = r->fd, .events = POLLIN };
    int ready = poll(&p, 1, r->window_ms);

    if (!ready) {
        drain(r, true);
        do
            ready = poll(&p, 1, -1);
        while (ready < 0 && errno == EINTR && !interrupted);
    }
    return interrupted ? 0 : trace_read_fd(&r->fd, buf, n);
}

/* What the header at the end says beyond the stream: lost behind the last record, or by the recorder. */
static void relay_losses(struct relay *r)
{
    const struct trace_meta *m = &r->reader.meta;
    uint64_t values[TRACE_FIELDS_MAX] = { UINT32_MAX }, lost;
    struct trace_record rec = { .event = trace_events[TRACE_EV_tool_lost].id, .has_tsc = true,
                                .tsc = r->last_tsc };
    uint32_t words[3 + TRACE_EXTRA_MAX];

    lost = m->lost_full + m->lost_cpu + m->lost_reader;
    if (!r->reader.has_meta || !(m->flags & TRACE_META_END) || lost <= r->lost)
        return;
    values[1] = lost - r->lost;
    rec.words = (unsigned int)(trace_make_record(words, rec.tsc, TRACE_EV_tool_lost, values) / 4 - 3);
    memcpy(rec.data, words + 3, 4 * rec.words);
    relay_record(r, &rec);
    r->relayed--;
    r->lost = lost;
}

static void set_window(struct relay *r)
{
    uint64_t hz = r->reader.has_meta && r->reader.meta.tsc_hz ? r->reader.meta.tsc_hz : NS_PER_S;

    r->sorter.window = hz / 1000 * (uint64_t)r->window_ms;
}

static int relay_all(struct relay *r)
{
    struct trace_defect defect;
    struct trace_record rec;
    enum trace_next next;

    trace_reader_init(&r->reader, read_live, r);
    while ((next = trace_reader_next(&r->reader, &rec, &defect)) < TRACE_END && !interrupted) {
        if (next == TRACE_DEFECT) {
            r->defects++;
            r->skipped += defect.skipped;
            fprintf(stderr, "radon-relay: %s: offset %" PRIu64 ": %s\n", r->file, defect.offset,
                    trace_damage_text(defect.what));
            continue;
        }
        if (!r->sorter.order)
            set_window(r);
        if (!sorter_add(&r->sorter, &rec)) {
            fprintf(stderr, "radon-relay: out of memory\n");
            return EXIT_NOTHING;
        }
        drain(r, false);
    }
    drain(r, true);
    relay_losses(r);
    if (next == TRACE_FAILED) {
        fprintf(stderr, "radon-relay: %s: %s\n", r->file, strerror(errno));
        return r->relayed ? EXIT_DAMAGED : EXIT_NOTHING;
    }
    if (!r->relayed)
        return EXIT_NOTHING;
    return r->defects ? EXIT_DAMAGED : 0;
}

/* ------------------------------------------------------------------ LTTng */

/* Beside the program, or where the system's libraries are. */
static void *load_object(void)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof(RADON_LTTNG_OBJECT) - 1);
    void *object = NULL;
    char *slash;

    if (n > 0) {
        path[n] = 0;
        slash = strrchr(path, '/');
        strcpy(slash + 1, RADON_LTTNG_OBJECT);
        object = dlopen(path, RTLD_NOW);
    }
    return object ? object : dlopen(RADON_LTTNG_OBJECT, RTLD_NOW);
}

static bool load_lttng(struct relay *r)
{
    void *object = load_object();
    radon_lttng_init_fn *init;
    int error;

    if (!object) {
        fprintf(stderr, "radon-relay: %s (package liblttng-ust1)\n", dlerror());
        return false;
    }
    init = (radon_lttng_init_fn *)dlsym(object, RADON_LTTNG_INIT);
    r->emit = (radon_lttng_emit_fn *)dlsym(object, RADON_LTTNG_EMIT);
    if (!init || !r->emit) {
        fprintf(stderr, "radon-relay: %s\n", dlerror());
        return false;
    }
    error = r->live ? init() : 0;
    r->stamped = r->live && !error;
    if (error)
        fprintf(stderr, "radon-relay: LTTng's clock cannot be set (%s): events have the time of "
                        "relaying\n", strerror(-error));
    return true;
}

/* ------------------------------------------------------------------ the command line */

static int wrong_use(const char *what)
{
    fprintf(stderr, "radon-relay: %s\n%s", what, usage);
    return EXIT_USE;
}

static int parse(struct relay *r, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            fputs(usage, stdout);
            exit(fflush(stdout) ? EXIT_NOTHING : 0);
        }
        if (!strcmp(argv[i], "--window")) {
            char *end = "x";

            r->window_ms = i + 1 < argc ? (int)strtol(argv[++i], &end, 10) : 0;
            if (*end || r->window_ms < 1 || r->window_ms > 60000)
                return wrong_use("--window takes milliseconds, 1 to 60000");
        } else if (argv[i][0] == '-' && argv[i][1]) {
            return wrong_use("unknown option");
        } else if (r->file) {
            return wrong_use("one file only");
        } else {
            r->file = argv[i];
        }
    }
    return r->file ? 0 : wrong_use("which file?");
}

int main(int argc, char **argv)
{
    static struct relay r = { .window_ms = 1000 };
    struct sigaction act = { .sa_handler = on_signal };
    struct stat st;
    int status = parse(&r, argc, argv);

    if (status)
        return status;
    /* LTTng first: what a FIFO's writer records must not be older than the session's buffers. */
    r.live = (strcmp(r.file, "-") ? stat(r.file, &st) : fstat(STDIN_FILENO, &st)) == 0 &&
             !S_ISREG(st.st_mode);
    if (!load_lttng(&r))
        return EXIT_NOTHING;
    r.fd = strcmp(r.file, "-") ? open(r.file, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    if (r.fd < 0) {
        fprintf(stderr, "radon-relay: %s: %s\n", r.file, strerror(errno));
        return EXIT_NOTHING;
    }
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    for (unsigned int cpu = 0; cpu < TRACE_CPUS_MAX; cpu++)
        r.runs[cpu] = (struct who){ -1, -1 };
    sorter_init(&r.sorter, 0, HELD_MAX);
    status = relay_all(&r);
    fprintf(stderr, "radon-relay: %" PRIu64 " records relayed, %" PRIu64 " of them late, %" PRIu64
                    " lost before, %" PRIu64 " bytes not read\n", r.relayed, r.late, r.lost,
            r.skipped);
    sorter_free(&r.sorter);
    return status;
}
