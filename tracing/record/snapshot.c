/* SPDX-License-Identifier: MIT */
/* radon-trace snapshot: the flight recorder, which keeps the newest records until they are asked
 * for. */
#include "record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "session.h"

#define READ_BYTES (256u << 10)

static const char usage[] =
    "usage: radon-trace snapshot start [-e EVENTS] [--domain D] [--vcpu N,N...] [--pages N]\n"
    "                            [--stop-on-crash] [--dump-on-panic]\n"
    "       radon-trace snapshot read [-o FILE] [--clock instr|machine]\n"
    "       radon-trace snapshot stop\n"
    "       radon-trace snapshot status\n"
    "\n"
    "The flight recorder keeps the newest records of each CPU, of --pages pages, and overwrites\n"
    "the oldest.  In domain 0 of Radon, as root.\n"
    "\n"
    "  start            begin; -e and the others are as of radon-trace record\n"
    "  read             what is there, to FILE (snapshot.bin); it goes on recording afterwards\n"
    "  stop             end; what is there stays, and can still be read\n"
    "  status           whether it is on, and how much came\n"
    "  --stop-on-crash  a domain's crash ends it, so that what led there is kept\n"
    "  --dump-on-panic  the hypervisor's crash prints the newest records on its console\n"
    "\n"
    "Status: 0; 1 it failed; 2 wrong use.\n";

static bool get_state(struct xen *x, struct radon_trace_state *state)
{
    memset(state, 0, sizeof(*state));
    return radon_call(x, RADON_TRACE_STATE, state, sizeof(*state),
                      "asking for the flight recorder");
}

static bool set_mode(struct xen *x, const struct radon_trace_control *as, uint32_t mode)
{
    struct radon_trace_control c = *as;

    c.mode = mode;
    c.pages = 0;
    return radon_call(x, RADON_TRACE_CONTROL, &c, sizeof(c), "the flight recorder");
}

/* ------------------------------------------------------------------ commands */

static int start(struct xen *x, const struct record_options *o)
{
    struct radon_trace_control c = {
        .mode = RADON_TRACE_FLIGHT,
        .pages = o->pages ? o->pages : 256,
        .flags = o->flags,
        .domain = RADON_DOMID_ANY,
        .vcpus = o->vcpus,
    };
    static struct selection selection;
    struct radon_trace_state state;
    char bad[TRACE_NAME_MAX];

    if (!o->events)
        select_all(&selection);
    else if (!select_parse(&selection, o->events, bad))
        return record_fail("no event is called \"%s\" (radon-trace list)", bad);
    memcpy(c.events, selection.events, sizeof(c.events));
    if ((o->domain && !xen_domain_find(x, o->domain, &c.domain)) || !get_state(x, &state))
        return record_fail("%s", x->error);
    if (state.control.mode == RADON_TRACE_STREAM)
        return record_fail("a recording is under way (radon-trace record)");
    if (!radon_call(x, RADON_TRACE_CONTROL, &c, sizeof(c), "the flight recorder"))
        return record_fail("%s", x->error);
    if (selection.partly)
        record_fail("the flight recorder keeps whole events: more than these names");
    return 0;
}

static int stop(struct xen *x)
{
    struct radon_trace_state state;

    if (!get_state(x, &state))
        return record_fail("%s", x->error);
    if (state.control.mode != RADON_TRACE_FLIGHT)
        return record_fail("the flight recorder is not on");
    return set_mode(x, &state.control, RADON_TRACE_OFF) ? 0 : record_fail("%s", x->error);
}

static int status(struct xen *x)
{
    static const char *const modes[] = { "off", "off: records are streamed", "on" };
    struct radon_trace_state s;

    if (!get_state(x, &s))
        return record_fail("%s", x->error);
    printf("flight recorder  %s\n", s.control.mode < 3 ? modes[s.control.mode] : "unknown");
    if (s.stopped_by)
        printf("stopped by       the crash of domain %u\n", s.stopped_by - 1);
    printf("rings            %u pages each\n", s.info_mfn ? s.control.pages : 0);
    printf("records          %" PRIu64 " since the rings were made\n", s.written);
    return fflush(stdout) ? record_fail("standard output: %s", strerror(errno)) : 0;
}

/* ------------------------------------------------------------------ reading */

struct snapshot {
    struct xen *x;
    struct radon_info info;
    struct radon_trace_state state;
    struct trace_writer writer;
    void *buffer;
    uint64_t bytes; /* of records */
};

/* Whole records at the beginning of n bytes. */
static size_t whole_records(const void *data, size_t n)
{
    size_t at = 0;

    while (n - at >= 4) {
        uint32_t head;
        size_t size;

        memcpy(&head, (const char *)data + at, 4);
        size = 4 * (1 + (TRC_HD_INCLUDES_CYCLE_COUNT(head) ? 2 : 0) + (size_t)TRC_HD_EXTRA(head));
        if (size > n - at)
            break;
        at += size;
    }
    return at;
}

static bool read_cpu(struct snapshot *s, unsigned int cpu)
{
    uint64_t offset = 0, most = ((uint64_t)s->state.control.pages + 1) * XEN_PAGE;

    while (offset <= most) {
        struct radon_trace_read op = {
            .cpu = cpu,
            .buffer = (uintptr_t)s->buffer,
            .bytes = READ_BYTES,
            .offset = offset,
        };
        struct iovec part = { s->buffer, 0 };

        if (!radon_call(s->x, RADON_TRACE_READ, &op, sizeof(op), "reading the flight recorder"))
            return false;
        if (op.bytes > READ_BYTES)
            return xen_fail(s->x,
                            "reading the flight recorder: %" PRIu64 " bytes where there is "
                            "room for %u",
                            op.bytes, READ_BYTES);
        part.iov_len = whole_records(s->buffer, (size_t)op.bytes);
        if (!part.iov_len)
            return true;
        if (!trace_writer_chunk(&s->writer, cpu, &part, 1))
            return xen_fail(s->x, "writing the recording: %s", strerror(errno));
        s->bytes += part.iov_len;
        offset += part.iov_len;
    }
    return true;
}

static bool write_meta(struct snapshot *s, uint32_t clock, uint32_t flags)
{
    struct trace_meta meta = {
        .tsc_hz = s->info.tsc_hz,
        .tsc = s->info.tsc,
        .system_ns = s->info.system_ns,
        .lost_full = s->state.lost_full,
        .lost_cpu = s->state.lost_cpu,
        .clock = clock,
        .nr_cpus = s->info.nr_cpus,
        .flags = flags | TRACE_META_FLIGHT,
    };

    memcpy(meta.events, s->state.control.events, sizeof(meta.events));
    memcpy(meta.revision, s->info.revision, sizeof(meta.revision));
    return trace_writer_meta(&s->writer, &meta) ||
           xen_fail(s->x, "writing the recording: %s", strerror(errno));
}

static bool read_all(struct snapshot *s, uint32_t clock)
{
    if (!write_meta(s, clock, 0))
        return false;
    for (unsigned int cpu = 0; cpu < s->info.nr_cpus; cpu++)
        if (!read_cpu(s, cpu))
            return false;
    return write_meta(s, clock, TRACE_META_END);
}

/* It stands still while it is read: records that came meanwhile would push the oldest away. */
static bool read_paused(struct snapshot *s, uint32_t clock)
{
    bool on = s->state.control.mode == RADON_TRACE_FLIGHT, ok;

    if (on && !set_mode(s->x, &s->state.control, RADON_TRACE_OFF))
        return false;
    ok = read_all(s, clock);
    if (on)
        ok = set_mode(s->x, &s->state.control, RADON_TRACE_FLIGHT) && ok;
    return ok;
}

static int read_out(struct xen *x, const struct radon_info *info, const struct record_options *o)
{
    const char *file = o->output ? o->output : "snapshot.bin";
    struct snapshot s = { .x = x, .info = *info };
    bool ok;
    int fd;

    if (!get_state(x, &s.state))
        return record_fail("%s", x->error);
    if (s.state.control.mode == RADON_TRACE_STREAM || !s.state.info_mfn)
        return record_fail("the flight recorder was not on (radon-trace snapshot start)");
    s.buffer = xen_buffer(x, READ_BYTES);
    if (!s.buffer)
        return record_fail("%s", x->error);
    fd = record_create(file);
    trace_writer_init(&s.writer, fd);
    ok = fd >= 0 && read_paused(&s, o->clock);
    xen_buffer_free(s.buffer, READ_BYTES);
    if (fd >= 0 && !ok)
        record_fail("%s", x->error);
    if (fd > STDERR_FILENO && close(fd) && ok)
        ok = !record_fail("%s: %s", file, strerror(errno));
    if (ok)
        fprintf(stderr, "radon-trace: %s: %" PRIu64 " bytes of records of %u CPUs\n", file, s.bytes,
                info->nr_cpus);
    return ok ? 0 : RECORD_FAILED;
}

int run_snapshot(int argc, char **argv)
{
    const char *what = argc > 1 && argv[1][0] != '-' ? argv[1] : "";
    struct record_options o;
    struct radon_info info;
    struct xen x;
    int rc = record_options(*what ? argc - 1 : argc, *what ? argv + 1 : argv, usage, &o);

    if (rc >= 0)
        return rc;
    if (strcmp(what, "start") && strcmp(what, "stop") && strcmp(what, "read") &&
        strcmp(what, "status")) {
        record_fail("snapshot start, read, stop or status? (--help says more)");
        return RECORD_USE;
    }
    if (o.program || o.seconds > 0 || o.xen_rings) {
        record_fail("snapshot takes no command, --seconds or --rings");
        return RECORD_USE;
    }
    if (!xen_open(&x) || !radon_info(&x, &info))
        rc = record_fail("%s", x.error);
    else if (!strcmp(what, "start"))
        rc = start(&x, &o);
    else if (!strcmp(what, "stop"))
        rc = stop(&x);
    else if (!strcmp(what, "read"))
        rc = read_out(&x, &info, &o);
    else
        rc = status(&x);
    xen_close(&x);
    return rc;
}
