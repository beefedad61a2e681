/* SPDX-License-Identifier: MIT */
/*
 * radon-stat report: the same rows, out of a recording.  What it costs is known where the recording
 * has the end of an entry too: exit_hypercall and exit_subcall; iret_user for what was given to the
 * guest kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xen/vcpu.h>

#include "../reader/catalogue.h"
#include "names.h"
#include "stat.h"

/* What is going on on a CPU, as far as the records before say. */
struct open_entry {
    struct stat_key key;
    uint64_t tsc;
    bool open;
};

struct cpu_state {
    int32_t domain, vcpu; /* who runs; STAT_ANY: not known */
    struct open_entry call, subcall, bounce;
};

struct recording {
    struct trace_reader reader;
    struct stat_table table;
    struct cpu_state cpu[TRACE_CPUS_MAX];
    unsigned int cpus; /* the highest that has a record, + 1 */
    uint64_t lost, defects, first_tsc, last_tsc;
};

/* ------------------------------------------------------------------ what a record says */

static uint64_t value_of(const struct trace_value *v, unsigned int n, const char *name)
{
    for (unsigned int i = 0; i < n; i++)
        if (!strcmp(v[i].name, name))
            return v[i].value;
    return 0;
}

/* The number of a call and, in bits 8 on, its operation where a register has it. */
static uint32_t call_number(const struct trace_record *rec, const struct trace_value *v,
                            unsigned int n)
{
    uint32_t call = rec->words ? rec->data[0] & 0xfffff : 0;

    if (call >= TRACE_HYPERCALLS)
        return 0xff;
    if (trace_calls[call].where == FIRST && n)
        call |= ((uint32_t)v[0].value & trace_calls[call].mask) << 8;
    return call;
}

/* What entered; false for records of something else. */
static bool entry_of(const struct trace_record *rec, int event, struct stat_key *key)
{
    struct trace_value v[TRACE_VALUES_MAX];
    unsigned int n = trace_values_of(rec, v);

    key->address = value_of(v, n, "rip");
    switch (event) {
    case TRACE_EV_pv_hypercall:
    case TRACE_EV_pv_subcall:
        key->kind = event == TRACE_EV_pv_subcall ? RADON_SITE_SUBCALL : RADON_SITE_HYPERCALL;
        key->number = call_number(rec, v, n);
        key->address = 0;
        return true;
    case TRACE_EV_operation:
        key->kind = RADON_SITE_OPERATION;
        key->number = rec->words > 1 ? (rec->data[0] & 0xff) | rec->data[1] << 8 : 0xff;
        return true;
    case TRACE_EV_pv_trap:
        key->kind = RADON_SITE_TRAP;
        key->number = (uint32_t)value_of(v, n, "trap") & 0x7fff;
        return n;
    case TRACE_EV_pv_page_fault:
        key->kind = RADON_SITE_PAGE_FAULT;
        key->number = (uint32_t)value_of(v, n, "error_code") & 0x1f;
        return n;
    case TRACE_EV_bounce_syscall:
        key->kind = RADON_SITE_SYSCALL;
        key->number = (uint32_t)value_of(v, n, "number");
        return n;
    case TRACE_EV_interrupt_enter:
        key->kind = RADON_SITE_INTERRUPT;
        key->number = (uint32_t)value_of(v, n, "vector");
        return n;
    case TRACE_EV_pv_emulate_privop:
    case TRACE_EV_pv_ptwr_emulation:
    case TRACE_EV_pv_forced_invalid_op:
        key->kind = RADON_SITE_EMULATION;
        key->number = event == TRACE_EV_pv_emulate_privop   ? RADON_EMUL_PRIVOP
                      : event == TRACE_EV_pv_ptwr_emulation ? RADON_EMUL_PTWR
                                                            : RADON_EMUL_FORCED;
        return n;
    }
    return false;
}

/* ------------------------------------------------------------------ costs */

static bool close_entry(struct recording *r, struct open_entry *e, uint64_t tsc, bool to_iret)
{
    struct stat_row *row;

    if (!e->open)
        return true;
    e->open = false;
    if (tsc < e->tsc)
        return true;
    row = stat_row(&r->table, &e->key);
    if (row)
        histogram_add(to_iret ? &row->to_iret : &row->cost, tsc - e->tsc);
    return row;
}

static bool is_call(const struct stat_key *key, uint32_t number)
{
    return (key->kind == RADON_SITE_HYPERCALL || key->kind == RADON_SITE_SUBCALL) &&
           (key->number & 0xff) == number;
}

static bool close_call(struct recording *r, struct open_entry *e, const struct trace_record *rec)
{
    if (rec->words && !is_call(&e->key, rec->data[0] & 0xff))
        e->open = false; /* the end of another one: records are missing in between */
    return close_entry(r, e, rec->tsc, false);
}

static void open_entry(struct cpu_state *cpu, const struct stat_key *key, uint64_t tsc)
{
    struct open_entry e = { *key, tsc, true };

    if (key->kind == RADON_SITE_HYPERCALL)
        cpu->call = e;
    else if (key->kind == RADON_SITE_SUBCALL)
        cpu->subcall = e;
    /* The guest goes on with another task: who comes back to user mode is not who left it. */
    if (is_call(key, __HYPERVISOR_stack_switch))
        cpu->bounce.open = false;
    if (key->kind == RADON_SITE_SYSCALL || (key->kind == RADON_SITE_PAGE_FAULT && key->number & 4))
        cpu->bounce = e;
}

static void forget(struct cpu_state *cpu)
{
    cpu->call.open = cpu->subcall.open = cpu->bounce.open = false;
}

/* ------------------------------------------------------------------ records */

static void note_who(struct recording *r, struct cpu_state *cpu, const struct trace_record *rec)
{
    struct trace_runstate change;
    struct trace_lost lost;

    if (trace_runstate_of(rec, &change)) {
        if (change.to == RUNSTATE_running) {
            cpu->domain = change.domain;
            cpu->vcpu = change.vcpu;
        }
        forget(cpu);
    } else if (trace_lost_of(rec, &lost)) {
        r->lost += lost.count;
        cpu->domain = lost.domain;
        cpu->vcpu = lost.vcpu;
        forget(cpu);
    }
}

static bool add_record(struct recording *r, const struct trace_record *rec)
{
    struct cpu_state *cpu = &r->cpu[rec->cpu];
    struct stat_key key = { 0 };
    int event = trace_event_find(rec->event);
    struct stat_row *row;

    if (rec->cpu >= r->cpus)
        r->cpus = rec->cpu + 1;
    if (rec->has_tsc) {
        r->first_tsc = rec->tsc < r->first_tsc ? rec->tsc : r->first_tsc;
        r->last_tsc = rec->tsc > r->last_tsc ? rec->tsc : r->last_tsc;
    }
    note_who(r, cpu, rec);
    if (event == TRACE_EV_exit_hypercall)
        return close_call(r, &cpu->call, rec);
    if (event == TRACE_EV_exit_subcall)
        return close_call(r, &cpu->subcall, rec);
    if (event == TRACE_EV_iret_user)
        return close_entry(r, &cpu->bounce, rec->tsc, true);
    key.domain = cpu->domain;
    key.vcpu = cpu->vcpu;
    key.cpu = (int32_t)rec->cpu;
    if (!entry_of(rec, event, &key))
        return true;
    row = stat_row(&r->table, &key);
    if (!row)
        return false;
    row->count++;
    row->samples++;
    if (rec->has_tsc)
        open_entry(cpu, &key, rec->tsc);
    return true;
}

static void note_defect(struct recording *r, const char *file, const struct trace_defect *d)
{
    if (r->defects++ < 20)
        stat_fail("%s: offset %" PRIu64 ": %s (%" PRIu64 " bytes skipped)", file, d->offset,
                  trace_damage_text(d->what), d->skipped);
}

/* All of the file; false when memory is out. */
static bool read_recording(struct recording *r, const char *file, int *fd)
{
    struct trace_defect defect;
    struct trace_record rec;
    enum trace_next next;

    trace_reader_init(&r->reader, trace_read_fd, fd);
    while ((next = trace_reader_next(&r->reader, &rec, &defect)) < TRACE_END) {
        if (next == TRACE_DEFECT)
            note_defect(r, file, &defect);
        else if (!add_record(r, &rec))
            return false;
    }
    if (next == TRACE_FAILED) {
        stat_fail("%s: %s", file, strerror(errno));
        r->defects++;
    }
    return true;
}

/* Who wrote the recording knows more than the records in it, if it came to the end. */
static uint64_t lost_of(const struct recording *r)
{
    const struct trace_meta *m = &r->reader.meta;

    if (!r->reader.has_meta || !(m->flags & TRACE_META_END))
        return r->lost;
    return m->lost_full + m->lost_cpu + m->lost_reader;
}

static int report(const struct stat_options *o, struct recording *r, int fd)
{
    struct stat_result result = {
        .source = STAT_RECORDING,
        .recording = o->file,
        .period = 1,
        .tsc_hz = o->tsc_hz,
    };
    struct symtab symbols = { 0 };
    int status;

    r->first_tsc = UINT64_MAX;
    for (unsigned int i = 0; i < TRACE_CPUS_MAX; i++)
        r->cpu[i].domain = r->cpu[i].vcpu = STAT_ANY;
    if (!read_recording(r, o->file, &fd))
        return stat_fail("out of memory");
    if (!r->reader.records)
        return stat_fail("%s: no records in it", o->file);
    result.cycles = r->last_tsc > r->first_tsc ? r->last_tsc - r->first_tsc : 0;
    result.cpus = r->cpus;
    result.lost_records = lost_of(r);
    result.bad = r->defects;
    result.complete = !result.lost_records && !r->defects &&
                      !(r->reader.has_meta && r->reader.meta.flags & TRACE_META_FLIGHT);
    if (!result.tsc_hz && r->reader.has_meta)
        result.tsc_hz = r->reader.meta.tsc_hz;
    if (o->kallsyms)
        stat_read_symbols(&symbols, o->kallsyms);
    stat_name_routines(&r->table, &symbols);
    status = stat_finish(o, &result, &r->table);
    symtab_free(&symbols);
    return status ? status : r->defects ? EXIT_INCOMPLETE : 0;
}

static int report_recording(const struct stat_options *o, int fd)
{
    struct recording *r = calloc(1, sizeof(*r));
    int status = r ? report(o, r, fd) : stat_fail("out of memory");

    if (r)
        stat_free(&r->table);
    free(r);
    return status;
}

static int report_saved(const struct stat_options *o, FILE *in)
{
    struct stat_saved saved = { 0 };
    const char *wrong = stat_load(in, &saved);
    int status;

    if (wrong)
        status = stat_fail("%s: %s", o->file, wrong);
    else
        status = stat_finish(o, &saved.result, &saved.rows);
    stat_saved_free(&saved);
    return status;
}

/* A pipe can be read once: it is a recording then. */
static int report_fd(const struct stat_options *o, int fd)
{
    char begin[16];
    ssize_t n = lseek(fd, 0, SEEK_SET) < 0 ? -1 : pread(fd, begin, sizeof(begin), 0);
    FILE *in;
    int status;

    if (n < 0 || !stat_is_saved(begin, (size_t)n))
        return report_recording(o, fd);
    in = fdopen(dup(fd), "r");
    if (!in)
        return stat_fail("%s: %s", o->file, strerror(errno));
    status = report_saved(o, in);
    fclose(in);
    return status;
}

int stat_report(const struct stat_options *o)
{
    int fd = strcmp(o->file, "-") ? open(o->file, O_RDONLY | O_CLOEXEC) : STDIN_FILENO, status;

    if (fd < 0)
        return stat_fail("%s: %s", o->file, strerror(errno));
    status = report_fd(o, fd);
    if (fd != STDIN_FILENO)
        close(fd);
    return status;
}
