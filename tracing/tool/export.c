/* SPDX-License-Identifier: MIT */
/*
 * Chrome's trace format, in JSON: for chrome://tracing, Perfetto, speedscope.
 *
 * A domain is a process.  A vCPU is two threads of it: one of its states, and one of what it does, where a
 * hypercall is an event from its entry to exit:hypercall, and everything else an instant.
 */
#include "tool.h"

#include <inttypes.h>
#include <stdlib.h>

#define HELD_MAX ((size_t)1 << 20)
#define NOBODY 65535u           /* domain of records before it is known who runs; vCPU: the CPU */
#define STATES 100000u          /* number of the thread of a vCPU's states, from its own */

void exporting_init(struct exporting *e, FILE *out, uint64_t tsc_hz)
{
    *e = (struct exporting){ .out = out, .tsc_hz = tsc_hz };
    for (unsigned int cpu = 0; cpu < TRACE_CPUS_MAX; cpu++)
        e->runs[cpu] = NOBODY << 16 | cpu;
    /* In order of time by seconds, as long as memory is for that many. */
    sorter_init(&e->sorter, tsc_hz, HELD_MAX);
    fprintf(out, "{\"displayTimeUnit\": \"ns\", \"traceEvents\": [");
}

/* ------------------------------------------------------------------ vCPUs */

/* NULL: out of memory */
static struct exported_vcpu *vcpu_of(struct exporting *e, uint32_t who)
{
    struct exported_vcpu *more;

    for (unsigned int i = 0; i < e->nr_vcpus; i++)
        if (e->vcpus[i].who == who)
            return &e->vcpus[i];
    more = realloc(e->vcpus, (e->nr_vcpus + 1) * sizeof(*more));
    if (!more)
        return NULL;
    e->vcpus = more;
    more[e->nr_vcpus] = (struct exported_vcpu){ .who = who };
    return &more[e->nr_vcpus++];
}

/* ------------------------------------------------------------------ events */

static void begin(struct exporting *e)
{
    fprintf(e->out, "%s\n", e->any ? "," : "");
    e->any = true;
}

static double microseconds(const struct exporting *e, uint64_t cycles)
{
    return (double)cycles * 1e6 / (double)e->tsc_hz;
}

static void print_args(struct exporting *e, const struct trace_record *rec)
{
    struct trace_value values[TRACE_VALUES_MAX];
    char text[TRACE_VALUE_MAX];
    unsigned int n = trace_values_of(rec, values);

    fprintf(e->out, "\"args\": {\"cpu\": %u", rec->cpu);
    for (unsigned int i = 0; i < n; i++)
        fprintf(e->out, ", \"%s\": \"%s\"", values[i].name, trace_value_text(&values[i], text));
    fprintf(e->out, "}}");
}

/* From `start` on, of `cycles`; without args and the end. */
static void print_complete(struct exporting *e, uint32_t who, uint32_t thread, const char *name,
                           uint64_t start, uint64_t cycles)
{
    begin(e);
    fprintf(e->out, "{\"ph\": \"X\", \"name\": \"%s\", \"pid\": %u, \"tid\": %u, \"ts\": %.4f, "
                    "\"dur\": %.4f", name, who >> 16, thread, microseconds(e, start - e->first),
            microseconds(e, cycles));
}

static void print_instant(struct exporting *e, uint32_t who, const struct trace_record *rec)
{
    char name[TRACE_NAME_MAX];

    begin(e);
    fprintf(e->out, "{\"ph\": \"i\", \"s\": \"t\", \"name\": \"%s\", \"pid\": %u, \"tid\": %u, "
                    "\"ts\": %.4f, ", trace_row_name(trace_row_of(rec), name), who >> 16,
            who & 0xffff, microseconds(e, rec->tsc - e->first));
    print_args(e, rec);
}

/* ------------------------------------------------------------------ what records mean */

static void leave_state(struct exporting *e, struct exported_vcpu *v, uint64_t tsc)
{
    if (v->in_state)
        print_complete(e, v->who, STATES + (v->who & 0xffff),
                       trace_value_name(TRACE_SHOW_NAMES_RUNSTATE, v->state), v->since,
                       tsc - v->since);
    if (v->in_state)
        fputc('}', e->out);
    v->in_state = false;
}

static bool change_state(struct exporting *e, const struct trace_record *rec,
                         const struct trace_runstate *change)
{
    uint32_t who = (uint32_t)change->domain << 16 | change->vcpu;
    struct exported_vcpu *v = vcpu_of(e, who);

    if (!v)
        return false;
    leave_state(e, v, rec->tsc);
    v->in_state = true;
    v->state = change->to;
    v->since = rec->tsc;
    if (change->to == 0)
        e->runs[rec->cpu] = who;
    else if (change->from == 0 && e->runs[rec->cpu] == who)
        e->runs[rec->cpu] = NOBODY << 16 | rec->cpu;
    return true;
}

/* A hypercall that no exit follows, such as iret, becomes an instant when the next thing happens. */
static void end_call(struct exporting *e, struct exported_vcpu *v, const struct trace_record *exit)
{
    char name[TRACE_NAME_MAX];

    if (!v->in_call)
        return;
    v->in_call = false;
    if (!exit) {
        print_instant(e, v->who, &v->call);
        return;
    }
    print_complete(e, v->who, v->who & 0xffff, trace_row_name(trace_row_of(&v->call), name),
                   v->call.tsc, exit->tsc - v->call.tsc);
    fputs(", ", e->out);
    print_args(e, &v->call);
}

static bool export_sorted(struct exporting *e, const struct trace_record *rec)
{
    int event = trace_row_event(trace_row_of(rec));
    struct trace_runstate change;
    struct exported_vcpu *v;
    struct trace_lost lost;

    if (!e->started)
        e->first = rec->tsc;
    e->started = true;
    e->last = rec->tsc > e->last ? rec->tsc : e->last;
    if (trace_runstate_of(rec, &change))
        return change_state(e, rec, &change);
    if (trace_lost_of(rec, &lost)) {
        e->runs[rec->cpu] = (uint32_t)lost.domain << 16 | lost.vcpu;
        for (unsigned int i = 0; i < e->nr_vcpus; i++)
            end_call(e, &e->vcpus[i], NULL);
    }
    v = vcpu_of(e, e->runs[rec->cpu]);
    if (!v)
        return false;
    if (event == TRACE_EV_exit_hypercall && v->in_call) {
        end_call(e, v, rec);
    } else if (event == TRACE_EV_pv_hypercall) {
        end_call(e, v, NULL);
        v->call = *rec;
        v->in_call = true;
    } else {
        print_instant(e, v->who, rec);
    }
    return !ferror(e->out);
}

bool export_record(void *ctx, const struct trace_record *rec)
{
    struct exporting *e = ctx;
    struct trace_record next;

    if (!rec->has_tsc)
        return true;
    if (!sorter_add(&e->sorter, rec))
        return false;
    while (sorter_take(&e->sorter, false, &next))
        if (!export_sorted(e, &next))
            return false;
    return true;
}

/* ------------------------------------------------------------------ the end */

static void print_name(struct exporting *e, const char *what, uint32_t who, uint32_t thread,
                       const char *suffix)
{
    bool nobody = who >> 16 == NOBODY;

    begin(e);
    fprintf(e->out, "{\"ph\": \"M\", \"name\": \"%s\", \"pid\": %u, \"tid\": %u, \"args\": "
                    "{\"name\": \"", what, who >> 16, thread);
    if (*what == 'p')
        nobody ? fputs("vCPU not known", e->out) : fprintf(e->out, "d%u", who >> 16);
    else if (nobody)
        fprintf(e->out, "on cpu%u%s", who & 0xffff, suffix);
    else
        fprintf(e->out, "d%uv%u%s", who >> 16, who & 0xffff, suffix);
    fputs("\"}}", e->out);
}

bool exporting_end(struct exporting *e)
{
    struct trace_record next;
    bool done = true;

    while (done && sorter_take(&e->sorter, true, &next))
        done = export_sorted(e, &next);
    for (unsigned int i = 0; i < e->nr_vcpus; i++) {
        struct exported_vcpu *v = &e->vcpus[i];

        end_call(e, v, NULL);
        leave_state(e, v, e->last);
        print_name(e, "process_name", v->who, 0, "");
        print_name(e, "thread_name", v->who, v->who & 0xffff, "");
        print_name(e, "thread_name", v->who, STATES + (v->who & 0xffff), " state");
    }
    fprintf(e->out, "\n]}\n");
    sorter_free(&e->sorter);
    free(e->vcpus);
    return done;
}
