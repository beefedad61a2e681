/* SPDX-License-Identifier: MIT */
/*
 * Sampling is switched on, the rings are emptied every DRAIN_MS and samples get their names then, while
 * the processes that they are of are still there; at the end the profile is written.
 */
#include "record.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../reader/catalogue.h"
#include "../symbols/hvsyms.h"
#include "../xen/rings.h"
#include "collect.h"
#include "pmu.h"

#define RING_PAGES  256u
#define DRAIN_MS    20
#define STACK_WORDS 1024u
#define USER_FRAMES 48u
#define USER_RBP    136u        /* struct pt_regs is 168 bytes below the stack's top, rbp 32 in it */

struct recorder {
    const struct record_options *o;
    struct xen xen;
    struct radon_info info;
    struct rings rings;
    struct xen_event event;
    struct kernel kernel;
    struct symtab hypervisor;
    struct profile profile;
    struct collector collector;
    uint16_t domain;
    uint32_t source;            /* enum radon_profile_source */
    unsigned int reread;        /* times that modules changed */
    bool told;                  /* of a lack of memory */
};

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static bool say(const char *what, const char *why)
{
    fprintf(stderr, "radon-profile: %s%s%s\n", what, why ? ": " : "", why ? why : "");
    return false;
}

/* ------------------------------------------------------------------ symbols */

static int platform_op(void *ctx, void *op)
{
    const uint64_t arg[5] = { (uint64_t)op };

    return xen_hypercall(ctx, __HYPERVISOR_platform_op, arg);
}

static bool read_symbols(struct recorder *r)
{
    int rc = kernel_read(&r->kernel);
    void *memory;

    if (rc)
        return say(KALLSYMS_FILE, rc == -EPERM ? "shows no addresses, and the kernel's memory has no "
                   "tables that are known (be root; see /proc/sys/kernel/kptr_restrict)" : strerror(-rc));
    memory = xen_buffer(&r->xen, HV_SYMBOLS_MEMORY);
    if (!memory)
        return say(r->xen.error, NULL);
    rc = hv_symbols_read(&r->hypervisor, platform_op, &r->xen, memory);
    xen_buffer_free(memory, HV_SYMBOLS_MEMORY);
    if (rc)
        say("symbols of the hypervisor", strerror(-rc));
    return true;
}

/* ------------------------------------------------------------------ the hypervisor */

static void want_profile_events(struct radon_trace_control *control)
{
    static const unsigned int events[] = { TRACE_EV_profile_sample, TRACE_EV_profile_word };

    for (unsigned int i = 0; i < 2; i++)
        control->events[events[i] / 64] |= 1ull << events[i] % 64;
}

/* Whether the recording that is on is what another radon-profile left behind. */
static bool is_leftover(const struct radon_trace_control *now)
{
    struct radon_trace_control ours = { 0 };

    want_profile_events(&ours);
    return !memcmp(now->events, ours.events, sizeof(ours.events));
}

static bool start_rings(struct recorder *r)
{
    struct radon_trace_state state = { 0 };
    struct radon_trace_control control = { .pages = RING_PAGES };

    if (!radon_call(&r->xen, RADON_TRACE_STATE, &state, sizeof(state), "state of tracing"))
        return say(r->xen.error, NULL);
    if (state.control.mode != RADON_TRACE_OFF && !is_leftover(&state.control))
        return say("another program is tracing (radon-trace?)", NULL);
    control.domain = RADON_DOMID_ANY;
    control.vcpus = ~0ull;
    if (!radon_call(&r->xen, RADON_TRACE_CONTROL, &control, sizeof(control), "trace off"))
        return say(r->xen.error, NULL);
    control.mode = RADON_TRACE_STREAM;
    want_profile_events(&control);
    if (!radon_call(&r->xen, RADON_TRACE_CONTROL, &control, sizeof(control), "trace on") ||
        !radon_call(&r->xen, RADON_TRACE_STATE, &state, sizeof(state), "state of tracing") ||
        !rings_map(&r->xen, &r->rings, state.info_mfn, state.info_bytes, r->info.nr_cpus))
        return say(r->xen.error, NULL);
    return true;
}

static void stop_rings(struct recorder *r)
{
    struct radon_trace_control control = { .mode = RADON_TRACE_OFF, .domain = RADON_DOMID_ANY,
                                           .vcpus = ~0ull };

    if (r->rings.ring)
        rings_unmap(&r->rings);
    if (!radon_call(&r->xen, RADON_TRACE_CONTROL, &control, sizeof(control), "trace off"))
        say(r->xen.error, NULL);
}

/* What samples come from. */
static void set_source(const struct record_options *o, struct radon_profile_control *control)
{
    if (!o->event) {
        control->hz = o->hz;
        control->source = o->timer ? RADON_PROFILE_TIMER : RADON_PROFILE_ANY;
        return;
    }
    control->source = RADON_PROFILE_PMU;
    control->event = o->event->select;
    control->period = o->period;
}

/* Why the hypervisor does not sample. */
static bool say_refused(const struct recorder *r, int error)
{
    if (r->o->event && error == ENODEV)
        return say(r->o->event->text, "not supported on this machine: the hypervisor finds no "
                   "performance counter");
    if (r->o->event && error == EINVAL)
        return say(r->o->event->text, "the hypervisor does not count by these modifiers");
    return say("sampling", strerror(error));
}

static bool set_sampling(struct recorder *r, bool on)
{
    struct radon_profile_control control = {
        .domain = r->domain, .stack_words = STACK_WORDS,
        .text_start = r->kernel.text_start, .text_end = r->kernel.text_end,
        .task = r->kernel.current_task, .user_frames = USER_FRAMES, .user_rbp = USER_RBP,
    };
    int rc;

    if (on)
        set_source(r->o, &control);
    collect_task_words(&r->kernel, control.task_words);
    rc = radon_op(&r->xen, RADON_PROFILE_CONTROL, &control, sizeof(control));
    if (rc < 0)
        return say_refused(r, -rc);
    if (on)
        r->source = control.source;
    return true;
}

static bool handler_name(void *ctx, uint32_t id, char name[RADON_FAST_NAME_BYTES])
{
    struct recorder *r = ctx;
    struct radon_fast_info *info = xen_buffer(&r->xen, sizeof(*info));
    struct radon_fast_list list = { .domain = RADON_DOMID_ANY, .room = 1,
                                    .info = (uint64_t)info, .first_id = id };
    bool ok = info && !radon_op(&r->xen, RADON_FAST_LIST, &list, sizeof(list)) && list.room &&
              info->id == id;

    if (ok)
        memcpy(name, info->name, RADON_FAST_NAME_BYTES);
    if (info)
        xen_buffer_free(info, sizeof(*info));
    return ok;
}

/* ------------------------------------------------------------------ records */

/* Records in `bytes` bytes of a ring; false if something there is none. */
static bool take_records(struct recorder *r, unsigned int cpu, const uint32_t *p, uint32_t bytes)
{
    for (uint32_t left = bytes / 4; left;) {
        uint32_t head = *p, words = head >> TRACE_EXTRA_SHIFT & 7;
        bool stamped = head >> 31;
        uint32_t all = 1 + 2 * stamped + words;
        struct trace_record rec = { .cpu = cpu, .event = head & 0x0fffffff, .words = words };

        if (all > left)
            return false;
        rec.has_tsc = stamped;
        rec.tsc = stamped ? p[1] | (uint64_t)p[2] << 32 : 0;
        memcpy(rec.data, p + 1 + 2 * stamped, words * 4);
        collect_record(&r->collector, cpu, &rec);
        p += all;
        left -= all;
    }
    return true;
}

static void drain(struct recorder *r)
{
    struct ring_span span;

    for (unsigned int cpu = 0; cpu < r->rings.cpus; cpu++)
        if (ring_unread(&r->rings, cpu, &span)) {
            if (!take_records(r, cpu, span.data[0], span.bytes[0]) ||
                !take_records(r, cpu, span.data[1], span.bytes[1]))
                say("a ring holds something that is no record", NULL);
            ring_take(&r->rings, cpu, &span);
        }
    if (r->collector.failed && !r->told) {
        r->told = true;
        say("out of memory: samples are missing", NULL);
    }
}

/* ------------------------------------------------------------------ the command */

/* Waits at the pipe until sampling is on. */
static pid_t start_command(char **command, int *go)
{
    int ends[2];
    pid_t pid;

    if (pipe(ends))
        return -1;
    pid = fork();
    if (!pid) {
        char byte;

        close(ends[1]);
        if (read(ends[0], &byte, 1) != 1)
            _exit(1);
        close(ends[0]);
        signal(SIGINT, SIG_DFL);
        execvp(command[0], command);
        fprintf(stderr, "radon-profile: %s: %s\n", command[0], strerror(errno));
        _exit(errno == ENOENT ? 127 : 126);
    }
    close(ends[0]);
    *go = ends[1];
    return pid;
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Drain until it is over; the command's wait status. */
static int follow(struct recorder *r, pid_t child)
{
    double until = r->o->seconds > 0 ? now_s() + r->o->seconds : 0;
    struct pollfd raised = { .fd = r->event.fd, .events = POLLIN };
    int status = 0;

    while (!interrupted && !(until > 0 && now_s() >= until)) {
        if (poll(&raised, 1, DRAIN_MS) > 0)
            xen_event_take(&r->event);
        drain(r);
        if (kernel_refresh(&r->kernel) > 0)
            r->reread++;
        if (child > 0 && waitpid(child, &status, WNOHANG) == child)
            return status;
    }
    if (child > 0) {
        if (until > 0)
            kill(child, SIGTERM);
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
    }
    return status;
}

/* ------------------------------------------------------------------ the profile */

static void say_how(struct recorder *r)
{
    const struct collector *c = &r->collector;

    for (unsigned int how = 0; how < STACK_HOWS; how++)
        if (c->how[how])
            profile_say(&r->profile, "stacks", "%" PRIu64 " %s", c->how[how],
                        stack_how_texts[how]);
    if (c->unknown_users)
        profile_say(&r->profile, "unknown user addresses", "%" PRIu64 " (processes that had ended, or "
                    "code of no file)", c->unknown_users);
    if (r->kernel.why_no_orc[0])
        profile_say(&r->profile, "ORC tables", "none: %s", r->kernel.why_no_orc);
    else
        profile_say(&r->profile, "ORC tables", "of the kernel and %zu modules; %u modules have none",
                    r->kernel.orc.nr - 1, r->kernel.modules_without_orc);
}

static void say_source(struct recorder *r)
{
    if (r->o->event)
        profile_say(&r->profile, "sampled by", "%s, every %u on each CPU", r->o->event->name,
                    r->o->period);
    else
        profile_say(&r->profile, "sampled by", "%s, %u a second and CPU",
                    r->source == RADON_PROFILE_NMI
                    ? "NMIs" : "timer (what is due in the hypervisor is seen at its end)", r->o->hz);
}

static void say_all(struct recorder *r, double seconds)
{
    struct profile *p = &r->profile;
    struct utsname name;
    char command[512] = "";

    for (char **word = r->o->command; word && *word; word++) {
        strncat(command, word == r->o->command ? "" : " ", sizeof(command) - strlen(command) - 1);
        strncat(command, *word, sizeof(command) - strlen(command) - 1);
    }
    uname(&name);
    profile_say(p, "command", "%s", command);
    profile_say(p, "recorder", "%s", r->o->version);
    profile_say(p, "hypervisor", "radon %.64s", r->info.revision);
    profile_say(p, "kernel", "%s %s", name.release, name.version);
    say_source(r);
    profile_say(p, "cpus", "%u", r->info.nr_cpus);
    profile_say(p, "domain", "%s", r->o->domain);
    profile_say(p, "tsc_hz", "%" PRIu64, r->info.tsc_hz);
    profile_say(p, "seconds", "%.3f", seconds);
    profile_say(p, "lost_records", "%" PRIu64, r->collector.lost);
    profile_say(p, "symbols", "%s%s, read again %u times as modules changed",
                r->kernel.from_image ? "the kernel's tables in its memory (no modules)"
                : "/proc/kallsyms", r->hypervisor.nr_code ? ", XENPF_get_symbol" : "; none of the hypervisor",
                r->reread);
    say_how(r);
}

static bool write_profile(struct recorder *r)
{
    FILE *f = fopen(r->o->output, "we");
    bool ok = f && profile_write(&r->profile, f);

    if (f && fclose(f))
        ok = false;
    if (!ok)
        return say(r->o->output, strerror(errno));
    fprintf(stderr, "radon-profile: %zu samples, %" PRIu64 " records lost, in %s\n",
            r->profile.nr_samples, r->collector.lost, r->o->output);
    return true;
}

/* ------------------------------------------------------------------ all of it */

static bool prepare(struct recorder *r)
{
    if (!xen_open(&r->xen) || !radon_info(&r->xen, &r->info) ||
        !xen_domain_find(&r->xen, r->o->domain, &r->domain))
        return say(r->xen.error, NULL);
    /* Before the symbols: it may load a module, and they would be read anew while samples come. */
    if (!xen_event_open(&r->xen, &r->event, VIRQ_ARCH_7))
        return say(r->xen.error, NULL);
    if (!read_symbols(r))
        return false;
    r->collector = (struct collector){ .profile = &r->profile, .kernel = &r->kernel,
                                       .hypervisor = &r->hypervisor,
                                       .handler_name = handler_name, .ctx = r,
                                       .users = user_symbols_new() };
    return r->collector.users || say("out of memory", NULL);
}

/* Sampling on, the command, sampling off: its wait status, or -1. */
static int sample_command(struct recorder *r, double *seconds)
{
    double start = now_s();
    int status = 0, go = -1;
    pid_t child = 0;

    if (r->o->command) {
        child = start_command(r->o->command, &go);
        if (child < 0) {
            say("fork", strerror(errno));
            return -1;
        }
    }
    if (!set_sampling(r, true))
        status = -1;
    if (go >= 0) { /* let it go, or end it */
        if (status || write(go, "g", 1) != 1)
            kill(child, SIGKILL);
        close(go);
    }
    if (status) {
        if (child > 0)
            waitpid(child, NULL, 0);
        return -1;
    }
    status = follow(r, child);
    *seconds = now_s() - start;
    set_sampling(r, false);
    drain(r);
    collect_end(&r->collector);
    return status;
}

int record(const struct record_options *o)
{
    static struct recorder r;
    struct sigaction action = { .sa_handler = interrupt };
    double seconds = 0;
    int status = -1;

    r.o = o;
    r.event.fd = -1;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (!prepare(&r))
        return 1;
    if (start_rings(&r))
        status = sample_command(&r, &seconds);
    stop_rings(&r);
    xen_event_close(&r.event);
    if (status < 0)
        return 1;
    say_all(&r, seconds);
    if (!write_profile(&r))
        return 1;
    if (!o->command || interrupted)
        return 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
