/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "flame.h"

struct row {
    uint32_t frame;
    uint64_t self, total;
    size_t last;                /* sample + 1 that counted in total last: recursion counts once */
};

static const char *const kind_words[FRAME_KINDS] = {
    [FRAME_TASK] = "program", [FRAME_USER] = "user", [FRAME_KERNEL] = "kernel",
    [FRAME_HYPERVISOR] = "hypervisor", [FRAME_HANDLER] = "handler", [FRAME_IDLE] = "idle",
};

uint64_t profile_samples(const struct profile *p, bool idle)
{
    uint64_t n = 0;

    for (size_t i = 0; i < p->nr_samples; i++)
        if (idle || p->sample[i].how != STACK_IDLE)
            n += p->sample[i].weight;
    return n;
}

/* Programs are no functions: a sample that has nothing else is one of its own. */
static bool is_function(const struct profile *p, const struct sample *s, uint32_t depth)
{
    return profile_at(p, s, depth)->kind != FRAME_TASK || s->nr == 1;
}

static struct row *count(const struct profile *p, bool idle)
{
    struct row *rows = calloc(p->nr_frames + 1, sizeof(*rows));

    for (size_t i = 0; rows && i < p->nr_frames; i++)
        rows[i].frame = (uint32_t)i;
    for (size_t i = 0; rows && i < p->nr_samples; i++) {
        const struct sample *s = &p->sample[i];

        if (s->how == STACK_IDLE && !idle)
            continue;
        for (uint32_t depth = 0; depth < s->nr; depth++) {
            struct row *r = &rows[p->stack[s->first + depth]];

            if (!is_function(p, s, depth))
                continue;
            if (r->last != i + 1)
                r->total += s->weight;
            r->last = i + 1;
            if (depth == s->nr - 1)
                r->self += s->weight;
        }
    }
    return rows;
}

static int by_self(const void *a, const void *b)
{
    const struct row *x = a, *y = b;

    if (x->self != y->self)
        return x->self > y->self ? -1 : 1;
    return x->total != y->total ? (x->total > y->total ? -1 : 1) : (int)x->frame - (int)y->frame;
}

static int by_total(const void *a, const void *b)
{
    const struct row *x = a, *y = b;

    return x->total != y->total ? (x->total > y->total ? -1 : 1) : by_self(a, b);
}

static double percent(uint64_t n, uint64_t of)
{
    return of ? 100.0 * (double)n / (double)of : 0;
}

/* Samples by the kind of their innermost frame. */
static void count_kinds(const struct profile *p, bool idle, uint64_t kinds[FRAME_KINDS])
{
    memset(kinds, 0, FRAME_KINDS * sizeof(*kinds));
    for (size_t i = 0; i < p->nr_samples; i++) {
        const struct sample *s = &p->sample[i];

        if (idle || s->how != STACK_IDLE)
            kinds[profile_at(p, s, s->nr - 1)->kind] += s->weight;
    }
}

static void write_text(const struct profile *p, const struct report *how, const struct row *rows,
                       uint64_t all, FILE *f)
{
    uint64_t kinds[FRAME_KINDS];
    size_t shown = 0, rest = 0;

    for (size_t i = 0; i < p->nr_meta; i++)
        fprintf(f, "# %s: %s\n", p->meta[i].key, p->meta[i].value);
    count_kinds(p, how->idle, kinds);
    fprintf(f, "# %" PRIu64 " samples%s:", all, how->idle ? "" : " that are not idle");
    for (unsigned int kind = 0; kind < FRAME_KINDS; kind++)
        if (kinds[kind])
            fprintf(f, " %s %.1f%%", kind_words[kind], percent(kinds[kind], all));
    if (p->defects)
        fprintf(f, "\n# %" PRIu64 " lines of the file could not be read", p->defects);
    fprintf(f, "\n%8s %8s %8s %8s  %-10s %s\n", "self", "self_%", "total", "total_%", "where",
            "function");
    for (size_t i = 0; i < p->nr_frames; i++) {
        const struct frame *frame = &p->frame[rows[i].frame];

        if (!rows[i].total)
            continue;
        if (how->limit && shown == how->limit) {
            rest++;
            continue;
        }
        shown++;
        fprintf(f, "%8" PRIu64 " %8.2f %8" PRIu64 " %8.2f  %-10s %s%s%s%s\n", rows[i].self,
                percent(rows[i].self, all), rows[i].total, percent(rows[i].total, all),
                kind_words[frame->kind], frame->name, *frame->module ? " [" : "", frame->module,
                *frame->module ? "]" : "");
    }
    if (rest)
        fprintf(f, "# %zu more (--limit 0 for all)\n", rest);
}

static void put_csv(const char *s, FILE *f)
{
    fputc('"', f);
    for (; *s; s++)
        fprintf(f, *s == '"' ? "\"%c" : "%c", *s);
    fputc('"', f);
}

static void write_csv(const struct profile *p, const struct row *rows, uint64_t all, FILE *f)
{
    fputs("where,function,module,self_samples,self_share,total_samples,total_share\n", f);
    for (size_t i = 0; i < p->nr_frames; i++) {
        const struct frame *frame = &p->frame[rows[i].frame];

        if (!rows[i].total)
            continue;
        fprintf(f, "%s,", kind_words[frame->kind]);
        put_csv(frame->name, f);
        fputc(',', f);
        put_csv(frame->module, f);
        fprintf(f, ",%" PRIu64 ",%.6f,%" PRIu64 ",%.6f\n", rows[i].self,
                percent(rows[i].self, all) / 100, rows[i].total,
                percent(rows[i].total, all) / 100);
    }
}

static void write_json(const struct profile *p, const struct report *how, const struct row *rows,
                       uint64_t all, FILE *f)
{
    const char *lost = profile_said(p, "lost_records"), *comma = "";

    fputs("{\"schema\": \"radon.profile\", \"schema_version\": 1, \"tool_version\": ", f);
    put_json(how->version, f);
    fprintf(f, ",\n \"complete\": %s, \"lost_records\": %s, \"unreadable_lines\": %" PRIu64
            ", \"samples\": %" PRIu64 ",\n \"recorded\": {",
            !p->defects && lost && !strcmp(lost, "0") ? "true" : "false",
            lost && strspn(lost, "0123456789") == strlen(lost) && *lost ? lost : "null",
            p->defects, all);
    for (size_t i = 0; i < p->nr_meta; i++) {
        fputs(i ? ", " : "", f);
        put_json(p->meta[i].key, f);
        fputs(": ", f);
        put_json(p->meta[i].value, f);
    }
    fputs("},\n \"functions\": [", f);
    for (size_t i = 0; i < p->nr_frames; i++) {
        const struct frame *frame = &p->frame[rows[i].frame];

        if (!rows[i].total)
            continue;
        fprintf(f, "%s\n  {\"where\": \"%s\", \"function\": ", comma, kind_words[frame->kind]);
        put_json(frame->name, f);
        fputs(", \"module\": ", f);
        put_json(frame->module, f);
        fprintf(f, ", \"self_samples\": %" PRIu64 ", \"total_samples\": %" PRIu64 "}",
                rows[i].self, rows[i].total);
        comma = ",";
    }
    fputs("]}\n", f);
}

bool report_write(const struct profile *p, const struct report *how, FILE *f)
{
    uint64_t all = profile_samples(p, how->idle);
    struct row *rows = count(p, how->idle);

    if (!rows)
        return false;
    qsort(rows, p->nr_frames, sizeof(*rows), how->by_total ? by_total : by_self);
    if (how->format == REPORT_CSV)
        write_csv(p, rows, all, f);
    else if (how->format == REPORT_JSON)
        write_json(p, how, rows, all, f);
    else
        write_text(p, how, rows, all, f);
    free(rows);
    return true;
}

void speedscope_write(const struct profile *p, const char *name, bool idle, FILE *f)
{
    const char *comma = "";

    fputs("{\"$schema\": \"https://www.speedscope.app/file-format-schema.json\",\n"
          " \"exporter\": \"radon-profile\", \"name\": ", f);
    put_json(name, f);
    fputs(",\n \"shared\": {\"frames\": [", f);
    for (size_t i = 0; i < p->nr_frames; i++) {
        char text[512];

        snprintf(text, sizeof(text), "%s%s", p->frame[i].name, frame_mark(p->frame[i].kind));
        fputs(i ? ",\n  {\"name\": " : "\n  {\"name\": ", f);
        put_json(text, f);
        fprintf(f, ", \"file\": ");
        put_json(*p->frame[i].module ? p->frame[i].module : kind_words[p->frame[i].kind], f);
        fputc('}', f);
    }
    fputs("]},\n \"profiles\": [{\"type\": \"sampled\", \"name\": ", f);
    put_json(name, f);
    fprintf(f, ", \"unit\": \"none\", \"startValue\": 0, \"endValue\": %" PRIu64
            ",\n  \"samples\": [", profile_samples(p, idle));
    for (size_t i = 0; i < p->nr_samples; i++) {
        const struct sample *s = &p->sample[i];

        if (s->how == STACK_IDLE && !idle)
            continue;
        fprintf(f, "%s\n   [", comma);
        for (uint32_t depth = 0; depth < s->nr; depth++)
            fprintf(f, depth ? ", %u" : "%u", p->stack[s->first + depth]);
        fputc(']', f);
        comma = ",";
    }
    fputs("],\n  \"weights\": [", f);
    comma = "";
    for (size_t i = 0; i < p->nr_samples; i++)
        if (idle || p->sample[i].how != STACK_IDLE) {
            fprintf(f, "%s%u", comma, p->sample[i].weight);
            comma = ", ";
        }
    fputs("]}]}\n", f);
}
