/* SPDX-License-Identifier: MIT */
/* radon-trace record: a stream of records, from the rings to a file. */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../program/program.h"
#include "session.h"

/* A ring that is half full raises an interrupt; a quiet one is looked at so often, in seconds. */
#define LOOK_EVERY 0.2
/* Who reads at the other end of a pipe is woken up rarely, and not waited for. */
#define PIPE_BYTES (1 << 20)

static const char usage[] =
    "usage: radon-trace record [OPTIONS] [-- COMMAND [ARGUMENT...]]\n"
    "\n"
    "Record what the hypervisor does: while a command runs, for --seconds S, or until Ctrl-C.\n"
    "In domain 0 of Radon, as root.\n"
    "\n"
    "  -o FILE         default: trace.bin; - is standard output (the command's goes to standard\n"
    "                  error then)\n"
    "  -e EVENTS       names with commas between them (radon-trace list): hypercall:mmu_update,\n"
    "                  trap:*, grant, all, -hypercall:iret (not that); default: all.  Changes of\n"
    "                  runstate come along unless -runstate says otherwise\n"
    "  --domain D      of one domain: number or name\n"
    "  --vcpu N,N...   of these vCPUs\n"
    "  --pages N       of each CPU's ring: 1 to 4096; default 256\n"
    "  --seconds S     end after S seconds\n"
    "  --rings WHICH   own, or xen: those that xentrace reads, of Xen's events alone\n"
    "  --clock WHICH   instr or machine: written into the recording\n"
    "  --strict        status 5 when a record was lost\n"
    "\n"
    "Examples:\n"
    "  radon-trace record -o ls.bin -e 'hypercall:*,trap:*' -- ls -lR /usr\n"
    "  radon-trace record --seconds 10 --domain 3 -o - | radon-trace report -\n"
    "\n"
    "Status: 0; 1 it failed; 2 wrong use; 5 records lost (--strict); the command's if not 0.\n";

struct recorder {
    struct session s;
    const struct record_options *o;
    struct trace_writer writer;
    double begin, end;
    pid_t pid;
    int child;   /* readable when the program has ended; -1 */
    int program; /* its exit status */
};

/* ------------------------------------------------------------------ set up */

static bool wanted(struct recorder *r, struct radon_trace_control *control)
{
    char bad[TRACE_NAME_MAX];

    *control = (struct radon_trace_control){
        .pages = r->o->pages ? r->o->pages : 256,
        .domain = RADON_DOMID_ANY,
        .vcpus = r->o->vcpus,
    };
    if (!r->o->events)
        select_all(&r->s.selection);
    else if (!select_parse(&r->s.selection, r->o->events, bad))
        return xen_fail(&r->s.x, "no event is called \"%s\" (radon-trace list)", bad);
    /* Xen's rings are chosen from by class; the rest is done here. */
    if (r->s.xen_rings && r->o->events)
        r->s.selection.partly = true;
    return !r->o->domain || xen_domain_find(&r->s.x, r->o->domain, &control->domain);
}

/* Recordings of Xen's rings have none, so that Xen's own tools read them. */
static bool write_meta(struct recorder *r, uint32_t flags)
{
    struct trace_meta meta;

    if (r->s.xen_rings)
        return true;
    session_meta(&r->s, &meta);
    meta.clock = r->o->clock;
    meta.flags = flags;
    return trace_writer_meta(&r->writer, &meta) ||
           xen_fail(&r->s.x, "writing the recording: %s", strerror(errno));
}

static bool begin(struct recorder *r)
{
    struct radon_trace_control control;

    if (!session_open(&r->s, r->o->xen_rings) || !wanted(r, &control) ||
        !session_prepare(&r->s, &control))
        return false;
    r->s.writer = &r->writer;
    return write_meta(r, 0) && session_start(&r->s);
}

/* ------------------------------------------------------------------ while it runs */

static bool over(struct recorder *r, int readable)
{
    if (program_interrupted() || readable == 1)
        return true;
    return r->o->seconds > 0 && program_now() - r->begin >= r->o->seconds;
}

static double until_next_look(const struct recorder *r)
{
    double left = r->begin + r->o->seconds - program_now();

    return r->o->seconds > 0 && left < LOOK_EVERY ? left : LOOK_EVERY;
}

static bool follow(struct recorder *r)
{
    int readable = -1;
    bool busy = false;

    while (!over(r, readable)) {
        readable = busy ? -1 : program_wait(until_next_look(r), r->s.event.fd, r->child);
        if (readable == 0)
            xen_event_take(&r->s.event);
        if (!session_drain(&r->s, &busy))
            return xen_fail(&r->s.x, "writing the recording: %s", strerror(errno));
    }
    return true;
}

static bool start_program(struct recorder *r)
{
    r->child = -1;
    if (!r->o->program)
        return true;
    r->pid = program_start(r->o->program, r->writer.fd == STDOUT_FILENO, &r->child);
    if (r->pid < 0)
        return xen_fail(&r->s.x, "%s: %s", r->o->program[0], strerror(errno));
    if (r->child >= 0)
        return true;
    r->program = program_end(r->pid, -1);
    r->pid = 0;
    return xen_fail(&r->s.x, "this kernel cannot tell when a program ends (pidfd)");
}

/* ------------------------------------------------------------------ the end */

static bool finish(struct recorder *r)
{
    bool stopped = session_stop(&r->s);

    r->end = program_now();
    if (r->pid > 0)
        r->program = program_end(r->pid, r->child);
    return stopped && write_meta(r, TRACE_META_END);
}

static uint64_t lost(const struct session *s)
{
    return s->lost_full + s->lost_cpu;
}

static void say(const struct recorder *r, const char *file)
{
    const struct session *s = &r->s;

    fprintf(stderr, "radon-trace: %s: %" PRIu64 " records, %" PRIu64 " bytes, %.3f s; ", file,
            s->records, r->writer.bytes, r->end - r->begin);
    if (s->left_out)
        fprintf(stderr, "%" PRIu64 " of other events left out; ", s->left_out);
    if (!lost(s) && !s->bad_rings)
        fprintf(stderr, "none lost\n");
    else
        fprintf(stderr,
                "%" PRIu64 " lost: %" PRIu64 " for a full ring (--pages), %" PRIu64
                " for want of a ring\n",
                lost(s), s->lost_full, s->lost_cpu);
    if (s->bad_rings)
        record_fail("%u rings had something in them that is no record: they were left",
                    s->bad_rings);
}

static int status_of(const struct recorder *r)
{
    if (r->o->strict && (lost(&r->s) || r->s.bad_rings))
        return RECORD_INCOMPLETE;
    if (r->program)
        record_fail("the command ended with status %d", r->program);
    return r->program < 0 ? RECORD_FAILED : r->program;
}

static int record(struct recorder *r, const char *file)
{
    bool ok, started;

    if (!begin(r))
        return record_fail("%s", r->s.x.error);
    r->begin = program_now();
    started = start_program(r);
    ok = started && follow(r);
    if (!ok)
        record_fail("%s", r->s.x.error);
    if (!finish(r))
        return record_fail("%s", r->s.x.error);
    say(r, file);
    return ok ? status_of(r) : RECORD_FAILED;
}

int run_record(int argc, char **argv)
{
    static struct recorder r;
    struct record_options o;
    int status = record_options(argc, argv, usage, &o), fd;
    const char *file;

    if (status >= 0)
        return status;
    file = o.output ? o.output : "trace.bin";
    fd = record_create(file);
    if (fd < 0)
        return RECORD_FAILED;
    program_signals();
    fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES); /* only of a pipe; as it is, if that is refused */
    trace_writer_init(&r.writer, fd);
    r.o = &o;
    status = record(&r, file);
    session_close(&r.s);
    if (fd != STDOUT_FILENO && close(fd) && !status)
        status = record_fail("%s: %s", file, strerror(errno));
    return status;
}
