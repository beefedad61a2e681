/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "../xen/xen.h"
#include "hv/revision.h"
#include "names.h"
#include "result.h"

static const char *const sources[] = { "exact", "sampled", "recording" };

/* ------------------------------------------------------------------ text */

static void print_time(FILE *out, bool known, double cycles, uint64_t hz)
{
    if (!known)
        fprintf(out, " %10s", "-");
    else
        fprintf(out, " %10.0f", hz ? cycles * 1e9 / (double)hz : cycles);
}

static void print_percentile(FILE *out, const struct histogram *h, double percent, uint64_t hz)
{
    struct percentile p = { 0 };
    bool known = histogram_percentile(h, percent, &p);

    print_time(out, known, p.value, hz);
}

static const char *label(const struct stat_row *r, enum stat_level level, char text[STAT_NAME_MAX])
{
    if (level != STAT_ROUTINES || r->key.overflow)
        return stat_name(&r->key, text);
    if (r->routine)
        snprintf(text, STAT_NAME_MAX, "%s %.70s", stat_kind_name(r->key.kind), r->routine);
    else if (r->key.address)
        snprintf(text, STAT_NAME_MAX, "%s %#" PRIx64, stat_kind_name(r->key.kind), r->key.address);
    else
        snprintf(text, STAT_NAME_MAX, "%s (no address)", stat_kind_name(r->key.kind));
    return text;
}

static void print_row(FILE *out, const struct stat_result *result, const struct stat_row *r,
                      enum stat_level level, const struct stat_sums *sums)
{
    double all_count = sums->count ? (double)sums->count : 1;
    double all_time = sums->total ? (double)sums->total : 1;
    uint64_t hz = result->tsc_hz;
    char text[STAT_NAME_MAX];
    bool timed = r->cost.n;

    fprintf(out, "%-44s %12" PRIu64, label(r, level, text), r->count);
    if (level == STAT_PARTS)
        fprintf(out, " %7s", "-");
    else
        fprintf(out, " %6.2f%%", 100 * (double)r->count / all_count);
    if (timed)
        fprintf(out, " %12.1f %6.2f%%",
                hz ? (double)r->cost.total * 1e6 / (double)hz : (double)r->cost.total / 1000,
                100 * (double)r->cost.total / all_time);
    else
        fprintf(out, " %12s %7s", "-", "-");
    print_percentile(out, &r->cost, 50, hz);
    print_percentile(out, &r->cost, 99, hz);
    print_time(out, timed, (double)r->cost.max, hz);
    print_percentile(out, &r->to_iret, 50, hz);
    print_percentile(out, &r->to_iret, 99, hz);
    fputc('\n', out);
}

static void print_group(FILE *out, const struct stat_key *k)
{
    char name[XEN_DOMAIN_NAME];

    if (k->domain == STAT_ANY && k->cpu == STAT_ANY && k->vcpu == STAT_ANY)
        return;
    fputc('\n', out);
    if (k->domain != STAT_ANY)
        fprintf(out, "domain %d (%s) ", k->domain, xen_domain_name((uint16_t)k->domain, name));
    if (k->vcpu != STAT_ANY)
        fprintf(out, "vCPU %d ", k->vcpu);
    if (k->cpu != STAT_ANY)
        fprintf(out, "CPU %d", k->cpu);
    fputc('\n', out);
}

static bool same_group(const struct stat_key *a, const struct stat_key *b)
{
    return a->domain == b->domain && a->cpu == b->cpu && a->vcpu == b->vcpu;
}

static void print_head(FILE *out, const struct stat_result *result, const struct stat_view *view,
                       enum stat_level level)
{
    static const char *const titles[STAT_LEVELS] = { "EVENT", "ROUTINE", "PART OF A HYPERCALL" };
    static const char *const in_ns[] = { "total_us", "time",     "p50_ns",  "p99_ns",
                                         "max_ns",   "iret_p50", "iret_p99" };
    static const char *const in_cycles[] = { "total_kcyc", "time",     "p50_cyc", "p99_cyc",
                                             "max_cyc",    "iret_p50", "iret_p99" };
    const char *const *n = result->tsc_hz ? in_ns : in_cycles;

    fprintf(out, "\n%s%-44s %12s %7s %12s %7s %10s %10s %10s %10s %10s%s\n",
            view->colour ? "\033[1m" : "", titles[level], "count", "share", n[0],
            n[1], n[2], n[3], n[4], n[5], n[6], view->colour ? "\033[0m" : "");
}

static void print_table(FILE *out, const struct stat_result *result, const struct stat_view *view,
                        enum stat_level level, const struct stat_sums *sums)
{
    const struct stat_table *t = &result->level[level];
    unsigned int shown = 0, left = 0;

    print_head(out, result, view, level);
    for (size_t i = 0; i < t->nr; i++) {
        bool first = !i || !same_group(&t->row[i].key, &t->row[i - 1].key);

        if (first) {
            if (left)
                fprintf(out, "... and %u more rows\n", left);
            print_group(out, &t->row[i].key);
            shown = left = 0;
        }
        if (view->top && shown >= view->top)
            left++;
        else
            print_row(out, result, &t->row[i], level, sums);
        shown++;
    }
    if (left)
        fprintf(out, "... and %u more rows\n", left);
}

static void print_text(FILE *out, const struct stat_result *result, const struct stat_view *view)
{
    struct stat_sums sums;

    stat_sum(&result->level[STAT_EVENTS], &sums);
    if (result->recording)
        fprintf(out, "recording %s", result->recording);
    else if (result->source == STAT_SAMPLED)
        fprintf(out, "sampled: one entry in %u; counts and totals are estimates", result->period);
    else
        fprintf(out, "exact: every entry");
    if (result->tsc_hz)
        fprintf(out, "; %.3f s", (double)result->cycles / (double)result->tsc_hz);
    else
        fprintf(out, "; %" PRIu64 " cycles, of unknown length", result->cycles);
    if (result->cpus)
        fprintf(out, "; %u CPU%s", result->cpus, result->cpus == 1 ? "" : "s");
    fprintf(out, "; %" PRIu64 " entries; percentiles are interpolated in bins of powers of two\n",
            sums.count);
    if (result->recording)
        fprintf(out, "lost records: %" PRIu64 "\n", result->lost_records);
    if (sums.overflow)
        fprintf(out, "%" PRIu64 " entries are in the evicted rows: their sites found no place\n",
                sums.overflow);
    for (unsigned int level = 0; level < STAT_LEVELS; level++)
        if (level != STAT_PARTS || result->level[level].nr)
            print_table(out, result, view, level, &sums);
}

/* ------------------------------------------------------------------ JSON and CSV */

static void print_string(FILE *out, const char *s)
{
    fputc('"', out);
    for (; *s; s++) {
        unsigned char ch = (unsigned char)*s;

        if (ch == '"' || ch == '\\')
            fprintf(out, "\\%c", ch);
        else if (ch < 0x20 || ch >= 0x7f)
            fprintf(out, "\\u%04x", ch);
        else
            fputc(ch, out);
    }
    fputc('"', out);
}

static void print_or_null(FILE *out, bool known, uint64_t value)
{
    if (known)
        fprintf(out, "%" PRIu64, value);
    else
        fprintf(out, "null");
}

static void json_head(FILE *out, const struct stat_result *r)
{
    struct stat_sums sums;

    stat_sum(&r->level[STAT_EVENTS], &sums);
    fprintf(out,
            "{\n  \"schema\": \"radon-stat\", \"schema_version\": 2, \"tool_version\": \"%s\",\n",
            RADON_REVISION);
    fprintf(out, "  \"complete\": %s, \"lost_records\": %" PRIu64 ", \"source\": \"%s\",\n",
            r->complete ? "true" : "false", r->lost_records, sources[r->source]);
    fprintf(out, "  \"estimate\": %s, \"period\": %u, \"recording\": ",
            r->source == STAT_SAMPLED ? "true" : "false", r->period);
    if (r->recording)
        print_string(out, r->recording);
    else
        fprintf(out, "null");
    fprintf(out, ",\n  \"clock\": \"tsc\", \"tsc_hz\": ");
    print_or_null(out, r->tsc_hz, r->tsc_hz);
    fprintf(out, ", \"duration_cycles\": %" PRIu64 ", \"cpus\": ", r->cycles);
    print_or_null(out, r->cpus, r->cpus);
    fprintf(out,
            ",\n  \"entries\": %" PRIu64 ", \"evicted_entries\": %" PRIu64
            ", \"bad_rows\": %" PRIu64 ",\n  \"rows\": [",
            sums.count, sums.overflow, r->bad);
}

static void json_row(FILE *out, const struct stat_field *f, unsigned int n)
{
    for (unsigned int i = 0; i < n; i++) {
        fprintf(out, "%s\"%s\": ", i ? ", " : "", f[i].name);
        if (!f[i].value[0])
            fprintf(out, "null");
        else if (f[i].is_text)
            print_string(out, f[i].value);
        else
            fputs(f[i].value, out);
    }
}

/* Names of guest symbols are the guest's to choose. */
static void csv_value(FILE *out, const char *s)
{
    if (!strpbrk(s, ",\"\r\n")) {
        fputs(*s ? s : "unknown", out);
        return;
    }
    fputc('"', out);
    for (; *s; s++)
        fprintf(out, *s == '"' ? "\"\"" : "%c", *s);
    fputc('"', out);
}

static void csv_row(FILE *out, const struct stat_field *f, unsigned int n, bool names)
{
    for (unsigned int i = 0; i < n; i++) {
        if (i)
            fputc(',', out);
        if (names)
            fputs(f[i].name, out);
        else
            csv_value(out, f[i].value);
    }
    fputc('\n', out);
}

static void print_rows(FILE *out, const struct stat_result *r, const struct stat_view *view)
{
    struct stat_field f[STAT_FIELDS_MAX];
    struct stat_sums sums;
    bool first = true;

    stat_sum(&r->level[STAT_EVENTS], &sums);
    for (unsigned int level = 0; level < STAT_LEVELS; level++) {
        const struct stat_table *t = &r->level[level];

        for (size_t i = 0; i < t->nr; i++) {
            unsigned int n = stat_fields(r, &t->row[i], level, &sums, f);

            if (view->format == STAT_JSON) {
                fprintf(out, "%s\n    {", first ? "" : ",");
                json_row(out, f, n);
                fputc('}', out);
            } else {
                csv_row(out, f, n, false);
            }
            first = false;
        }
    }
}

static void csv_head(FILE *out, const struct stat_result *r)
{
    struct stat_field f[STAT_FIELDS_MAX];
    struct stat_sums sums = { 0 };
    struct stat_row none = { .key = { .domain = STAT_ANY, .cpu = STAT_ANY, .vcpu = STAT_ANY } };

    csv_row(out, f, stat_fields(r, &none, STAT_EVENTS, &sums, f), true);
}

void stat_print(FILE *out, const struct stat_result *r, const struct stat_view *view)
{
    if (view->format == STAT_TEXT) {
        print_text(out, r, view);
        return;
    }
    if (view->format == STAT_JSON)
        json_head(out, r);
    else
        csv_head(out, r);
    print_rows(out, r, view);
    if (view->format == STAT_JSON)
        fprintf(out, "\n  ]\n}\n");
}
