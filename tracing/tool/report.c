/* SPDX-License-Identifier: MIT */
#include "tool.h"

#include <inttypes.h>

#include "hv/revision.h"

/* What one report goes through: every row of every vCPU, in order. */
struct report {
    FILE *out;
    enum format format;
    const struct source *src;
    const struct counts *c;
    bool comma;                 /* JSON: an element stands before */
};

/* Who a group of rows is about; v is NULL for the total. */
struct group {
    const struct vcpu_counts *v;
    const uint64_t *count;
    char name[32], domain[8], vcpu[8];
};

static double share(const struct group *g, unsigned int row)
{
    unsigned int first = 0, end = 0;
    uint64_t sum;

    counts_kind(row, &first, &end);
    sum = counts_sum(g->count, first, end);
    return sum ? 100.0 * (double)g->count[row] / (double)sum : 0;
}

static bool cycles_of(const struct report *r, const struct group *g, unsigned int row,
                      uint64_t *cycles)
{
    if (row < TRACE_ROW_RUNSTATE || row >= TRACE_ROW_EVENT || !g->v ||
        !counts_cycles_known(r->c, g->v))
        return false;
    *cycles = g->v->cycles[row - TRACE_ROW_RUNSTATE];
    return true;
}

static void print_row(struct report *r, const struct group *g, unsigned int row)
{
    char name[TRACE_NAME_MAX], cycles[24] = "";
    uint64_t n = 0;

    trace_row_name(row, name);
    if (cycles_of(r, g, row, &n))
        snprintf(cycles, sizeof(cycles), "%" PRIu64, n);
    switch (r->format) {
    case FORMAT_TEXT:
        fprintf(r->out, "  %-40s %12" PRIu64 " %6.2f %%", name, g->count[row], share(g, row));
        if (cycles[0] && r->src->tsc_hz)
            fprintf(r->out, " %14.6f s", (double)n / (double)r->src->tsc_hz);
        else if (cycles[0])
            fprintf(r->out, " %16s cycles", cycles);
        fputc('\n', r->out);
        break;
    case FORMAT_CSV:
        fprintf(r->out, "%s,%s,%s,%" PRIu64 ",%.4f,%s\n", g->domain, g->vcpu, name, g->count[row],
                share(g, row), cycles);
        break;
    case FORMAT_JSON:
        fprintf(r->out,
                "%s\n    {\"domain\": %s, \"vcpu\": %s, \"event\": \"%s\", \"count\": %" PRIu64
                ", \"share\": %.4f, \"cycles\": %s}",
                r->comma ? "," : "", g->domain[0] ? g->domain : "null",
                g->vcpu[0] ? g->vcpu : "null", name, g->count[row], share(g, row),
                cycles[0] ? cycles : "null");
        r->comma = true;
        break;
    }
}

static void print_group(struct report *r, const struct group *g)
{
    if (!counts_sum(g->count, 0, TRACE_ROWS))
        return;
    if (r->format == FORMAT_TEXT)
        fprintf(r->out, "\n%s\n", g->name);
    for (unsigned int row = 0; row < TRACE_ROWS; row++)
        if (g->count[row])
            print_row(r, g, row);
}

static void print_groups(struct report *r)
{
    struct group total = { .count = r->c->total, .name = "all" };
    struct group unknown = { .v = &r->c->unknown, .count = r->c->unknown.count,
                             .name = "vCPU not known", .domain = "-1", .vcpu = "-1" };
    struct group others = { .v = &r->c->others, .count = r->c->others.count,
                            .name = "vCPUs past the limit", .domain = "-2", .vcpu = "-2" };

    print_group(r, &total);
    for (unsigned int i = 0; i < r->c->nr_vcpus; i++) {
        struct group g = { .v = r->c->vcpus[i], .count = r->c->vcpus[i]->count };

        snprintf(g.name, sizeof(g.name), "d%uv%u", g.v->domain, g.v->vcpu);
        snprintf(g.domain, sizeof(g.domain), "%u", g.v->domain);
        snprintf(g.vcpu, sizeof(g.vcpu), "%u", g.v->vcpu);
        print_group(r, &g);
    }
    print_group(r, &unknown);
    print_group(r, &others);
}

/* ------------------------------------------------------------------ the head */

static const char *const clocks[] = {
    [TRACE_CLOCK_UNKNOWN] = "unknown",
    [TRACE_CLOCK_MACHINE] = "machine",
    [TRACE_CLOCK_INSTRUCTIONS] = "instructions",
};

static const char *clock_of(const struct source *src)
{
    uint32_t clock = src->meta ? src->meta->clock : TRACE_CLOCK_UNKNOWN;

    return clocks[clock <= TRACE_CLOCK_INSTRUCTIONS ? clock : TRACE_CLOCK_UNKNOWN];
}

/*
 * Records lost: as the stream says, or as the header behind it does, which also knows of those behind the
 * last record.
 */
static uint64_t lost_of(const struct source *src, const struct counts *c)
{
    const struct trace_meta *m = src->meta;
    uint64_t rings = m ? m->lost_full + m->lost_cpu : 0;

    return (rings > c->lost ? rings : c->lost) + (m ? m->lost_reader : 0);
}

bool report_is_complete(const struct source *src, const struct counts *c, const struct defects *d)
{
    return !lost_of(src, c) && !d->nr &&
           (!src->meta || (src->meta->flags & (TRACE_META_END | TRACE_META_FLIGHT)) == TRACE_META_END);
}

static void print_text_head(FILE *out, const struct source *src, const struct counts *c,
                            const struct defects *d)
{
    uint64_t cycles = c->last_tsc - c->first_tsc;

    fprintf(out, "recording       %s\n", src->name);
    fprintf(out, "hypervisor      %s\n", src->meta && *src->meta->revision ? src->meta->revision
                                                                           : "unknown");
    fprintf(out, "records         %" PRIu64 "\n", c->records);
    fprintf(out, "lost records    %" PRIu64 "\n", lost_of(src, c));
    if (d->nr)
        fprintf(out, "damaged places  %" PRIu64 ", %" PRIu64 " bytes skipped\n", d->nr, d->skipped);
    else
        fprintf(out, "damaged places  none\n");
    fprintf(out, "clock           %s\n", clock_of(src));
    if (src->tsc_hz)
        fprintf(out, "TSC             %" PRIu64 " Hz\nspan            %.6f s\n", src->tsc_hz,
                (double)cycles / (double)src->tsc_hz);
    else
        fprintf(out, "TSC             frequency unknown\nspan            %" PRIu64 " cycles\n",
                cycles);
    fprintf(out, "\nShares: of hypercalls, subcalls, operations, traps, changes of runstate, other "
                 "events.\n");
}

static void print_json_string(FILE *out, const char *s)
{
    fputc('"', out);
    for (; *s; s++) {
        unsigned char ch = (unsigned char)*s;

        if (ch == '"' || ch == '\\')
            fprintf(out, "\\%c", ch);
        else if (ch < 0x20)
            fprintf(out, "\\u%04x", ch);
        else
            fputc(ch, out);
    }
    fputc('"', out);
}

static void print_json_head(FILE *out, const struct source *src, const struct counts *c,
                            const struct defects *d)
{
    fprintf(out, "{\n  \"schema\": \"radon-trace-report\", \"schema_version\": 1, "
                 "\"tool_version\": \"%s\",\n", RADON_REVISION);
    fprintf(out, "  \"complete\": %s, \"lost_records\": %" PRIu64 ",\n",
            report_is_complete(src, c, d) ? "true" : "false", lost_of(src, c));
    fprintf(out, "  \"recording\": ");
    print_json_string(out, src->name);
    fprintf(out, ",\n  \"hypervisor\": ");
    if (src->meta && *src->meta->revision)
        print_json_string(out, src->meta->revision);
    else
        fprintf(out, "\"unknown\"");
    fprintf(out, ",\n  \"clock\": \"%s\"", clock_of(src));
    fprintf(out, ",\n  \"tsc_hz\": ");
    if (src->tsc_hz)
        fprintf(out, "%" PRIu64, src->tsc_hz);
    else
        fprintf(out, "null");
    fprintf(out, ",\n  \"first_tsc\": %" PRIu64 ",\n  \"last_tsc\": %" PRIu64, c->first_tsc,
            c->last_tsc);
    fprintf(out, ",\n  \"records\": %" PRIu64, c->records);
    fprintf(out, ",\n  \"defects\": %" PRIu64 ",\n  \"bytes_skipped\": %" PRIu64, d->nr,
            d->skipped);
    fprintf(out, ",\n  \"first_defects\": [");
    for (uint64_t i = 0; i < d->nr && i < DEFECTS_KEPT; i++)
        fprintf(out,
                "%s\n    {\"offset\": %" PRIu64 ", \"skipped\": %" PRIu64 ", \"text\": \"%s\"}",
                i ? "," : "", d->kept[i].offset, d->kept[i].skipped,
                trace_damage_text(d->kept[i].what));
    fprintf(out, "],\n  \"rows\": [");
}

void print_report(FILE *out, enum format format, const struct source *src, const struct counts *c,
                  const struct defects *d)
{
    struct report r = { .out = out, .format = format, .src = src, .c = c };

    if (format == FORMAT_TEXT)
        print_text_head(out, src, c, d);
    else if (format == FORMAT_JSON)
        print_json_head(out, src, c, d);
    else
        fprintf(out, "domain,vcpu,event,count,share,cycles\n");
    print_groups(&r);
    if (format == FORMAT_JSON)
        fprintf(out, "\n  ]\n}\n");
}
