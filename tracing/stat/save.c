/* SPDX-License-Identifier: MIT */
/*
 * Counts that are kept for later: struct head, `rows` of struct saved_row, and `name_bytes` of
 * zero-ended names of routines.  Little-endian, as the machines that it is about.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stat.h"

#define MAGIC "RADON-STAT"
#define VERSION 2u /* 1 had other numbers of kinds */
#define ROWS_MAX (1u << 22)
#define NAME_BYTES_MAX (1u << 26)

struct head {
    char magic[12];
    uint32_t version;
    uint32_t source, period, cpus, complete;
    uint32_t rows, name_bytes;
    uint64_t tsc_hz, cycles, lost_records, bad;
};
_Static_assert(sizeof(struct head) == 72, "no padding");

struct saved_row {
    int32_t domain, cpu, vcpu;
    uint32_t kind, overflow, number;
    uint64_t address;
    uint64_t routine; /* offset of its name + 1; 0: none */
    uint64_t count, samples;
    struct histogram cost, to_iret;
};
_Static_assert(sizeof(struct saved_row) == 24 + 32 + 2 * sizeof(struct histogram), "no padding");

/* ------------------------------------------------------------------ writing */

static struct saved_row pack(const struct stat_row *r, uint64_t *name_bytes)
{
    struct saved_row s = {
        .domain = r->key.domain,
        .cpu = r->key.cpu,
        .vcpu = r->key.vcpu,
        .kind = r->key.kind,
        .overflow = r->key.overflow,
        .number = r->key.number,
        .address = r->key.address,
        .count = r->count,
        .samples = r->samples,
        .cost = r->cost,
        .to_iret = r->to_iret,
    };

    if (r->routine) {
        s.routine = *name_bytes + 1;
        *name_bytes += strlen(r->routine) + 1;
    }
    return s;
}

bool stat_save(FILE *out, const struct stat_result *r, const struct stat_table *t)
{
    struct head h = {
        .magic = MAGIC,
        .version = VERSION,
        .source = r->source,
        .period = r->period,
        .cpus = r->cpus,
        .complete = r->complete,
        .rows = (uint32_t)t->nr,
        .tsc_hz = r->tsc_hz,
        .cycles = r->cycles,
        .lost_records = r->lost_records,
        .bad = r->bad,
    };
    uint64_t name_bytes = 0;
    bool ok;

    for (size_t i = 0; i < t->nr; i++)
        pack(&t->row[i], &name_bytes);
    if (t->nr > ROWS_MAX || name_bytes > NAME_BYTES_MAX) {
        errno = EFBIG;
        return false;
    }
    h.name_bytes = (uint32_t)name_bytes;
    ok = fwrite(&h, sizeof(h), 1, out) == 1;
    name_bytes = 0;
    for (size_t i = 0; ok && i < t->nr; i++) {
        struct saved_row s = pack(&t->row[i], &name_bytes);

        ok = fwrite(&s, sizeof(s), 1, out) == 1;
    }
    for (size_t i = 0; ok && i < t->nr; i++)
        if (t->row[i].routine)
            ok = fwrite(t->row[i].routine, strlen(t->row[i].routine) + 1, 1, out) == 1;
    return ok;
}

/* ------------------------------------------------------------------ reading */

bool stat_is_saved(const void *bytes, size_t n)
{
    return n >= sizeof(MAGIC) && !memcmp(bytes, MAGIC, sizeof(MAGIC));
}

void stat_saved_free(struct stat_saved *saved)
{
    stat_free(&saved->rows);
    free(saved->names);
    saved->names = NULL;
}

static const char *check_head(const struct head *h)
{
    if (!stat_is_saved(h->magic, sizeof(h->magic)))
        return "this is no file of radon-stat record";
    if (h->version != VERSION)
        return "a version of the file that this program does not know";
    if (h->source > STAT_RECORDING || !h->period || h->rows > ROWS_MAX ||
        h->name_bytes > NAME_BYTES_MAX)
        return "the file's head makes no sense";
    return NULL;
}

/* The rows stand before the names: their routines are offsets until those are there. */
static const char *read_rows(FILE *in, const struct head *h, struct stat_saved *saved)
{
    struct saved_row s;

    for (uint32_t i = 0; i < h->rows; i++) {
        struct stat_row *row;
        struct stat_key key;

        if (fread(&s, sizeof(s), 1, in) != 1)
            return "the file ends in the middle";
        if (!s.kind || s.kind >= RADON_SITE_KINDS || s.routine > h->name_bytes)
            return "a row makes no sense";
        key = (struct stat_key){ s.domain,        s.cpu,    s.vcpu,   (uint8_t)s.kind,
                                 s.overflow != 0, s.number, s.address };
        row = stat_row(&saved->rows, &key);
        if (!row)
            return "out of memory";
        row->count += s.count;
        row->samples += s.samples;
        histogram_merge(&row->cost, &s.cost);
        histogram_merge(&row->to_iret, &s.to_iret);
        row->name_at = s.routine;
    }
    return NULL;
}

static const char *read_names(FILE *in, const struct head *h, struct stat_saved *saved)
{
    saved->names = malloc((size_t)h->name_bytes + 1);
    if (!saved->names)
        return "out of memory";
    if (fread(saved->names, 1, h->name_bytes, in) != h->name_bytes)
        return "the file ends in the middle";
    saved->names[h->name_bytes] = 0;
    return NULL;
}

/* One pointer for each name, however often it stands in the file: rows are told apart by it. */
static int by_name(const void *a, const void *b, void *names)
{
    const struct stat_row *x = *(struct stat_row *const *)a, *y = *(struct stat_row *const *)b;

    return strcmp((char *)names + x->name_at - 1, (char *)names + y->name_at - 1);
}

static const char *name_rows(struct stat_saved *saved)
{
    struct stat_row **named = calloc(saved->rows.nr + 1, sizeof(*named));
    size_t n = 0;

    if (!named)
        return "out of memory";
    for (size_t i = 0; i < saved->rows.nr; i++)
        if (saved->rows.row[i].name_at)
            named[n++] = &saved->rows.row[i];
    if (n)
        qsort_r(named, n, sizeof(*named), by_name, saved->names);
    for (size_t i = 0; i < n; i++) {
        const char *name = saved->names + named[i]->name_at - 1;

        named[i]->routine = i && !strcmp(named[i - 1]->routine, name) ? named[i - 1]->routine
                                                                      : name;
    }
    free(named);
    return NULL;
}

const char *stat_load(FILE *in, struct stat_saved *saved)
{
    struct head h;
    const char *wrong;

    memset(saved, 0, sizeof(*saved));
    if (fread(&h, sizeof(h), 1, in) != 1)
        return "the file is too short";
    wrong = check_head(&h);
    if (!wrong)
        wrong = read_rows(in, &h, saved);
    if (!wrong)
        wrong = read_names(in, &h, saved);
    if (!wrong)
        wrong = name_rows(saved);
    saved->result = (struct stat_result){
        .source = (enum stat_source)(wrong ? 0 : h.source),
        .period = h.period,
        .cpus = h.cpus,
        .complete = h.complete,
        .tsc_hz = h.tsc_hz,
        .cycles = h.cycles,
        .lost_records = h.lost_records,
        .bad = h.bad,
    };
    return wrong;
}
