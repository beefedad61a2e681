/* SPDX-License-Identifier: MIT */
#include "explain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fastpath/core/program.h"
#include "ops.h"
#include "policy.h"

#define PAGE_FAULT_VECTOR 14u
#define SCHED_OP_BLOCK (29u | 1u << 8) /* __HYPERVISOR_sched_op, SCHEDOP_block */
#define KERNEL_HALF 0xffff800000000000ull

static const char *const emulations[RADON_EMUL_IO] = {
    [RADON_EMUL_PRIVOP] = "privileged",
    [RADON_EMUL_PTWR] = "page_table_write",
    [RADON_EMUL_FORCED] = "forced",
};

const char *explained_name(const struct explained *row, char text[FAST_POINT_TEXT])
{
    if (row->overflow)
        snprintf(text, FAST_POINT_TEXT, "%s:(evicted)", site_kind_name(row->kind));
    else if (row->point.kind)
        fast_point_text(&row->point, text);
    else if (row->kind == RADON_SITE_HYPERCALL && hypercall_text(row->number & 0xff))
        snprintf(text, FAST_POINT_TEXT, "hypercall:%s/%u", hypercall_text(row->number & 0xff),
                 row->number >> 8);
    else if (row->kind == RADON_SITE_HYPERCALL)
        snprintf(text, FAST_POINT_TEXT, "hypercall:%u/%u", row->number & 0xff, row->number >> 8);
    else if (row->kind == RADON_SITE_EMULATION && row->number < RADON_EMUL_IO)
        snprintf(text, FAST_POINT_TEXT, "emulation:%s:%#" PRIx64, emulations[row->number],
                 row->address);
    else if (row->address)
        snprintf(text, FAST_POINT_TEXT, "%s:%u:%#" PRIx64, site_kind_name(row->kind), row->number,
                 row->address);
    else
        snprintf(text, FAST_POINT_TEXT, "%s:%u", site_kind_name(row->kind), row->number);
    return text;
}

/* ------------------------------------------------------------------ rows */

/* The key of the row that a site belongs to. */
static struct explained row_of(const struct radon_site *s)
{
    struct explained r = { .kind = s->kind, .number = s->number, .address = s->address,
                           .overflow = s->flags & RADON_SITE_OVERFLOW, .point.domain = s->domain };

    if (r.overflow) {
        r.number = 0;
        r.address = 0;
    } else if (s->kind == RADON_SITE_SYSCALL && s->number <= FAST_MAX_SYSCALL) {
        r.address = 0;
        r.point.kind = FAST_ATTACH_SYSCALL;
        r.point.number = s->number;
    } else if ((s->kind == RADON_SITE_PAGE_FAULT || s->kind == RADON_SITE_TRAP) && s->address) {
        r.point.kind = FAST_ATTACH_EXCEPTION;
        r.point.number = s->kind == RADON_SITE_PAGE_FAULT ? PAGE_FAULT_VECTOR : s->number;
        r.point.address = s->address;
        r.number = r.point.number;
    } else if (s->kind == RADON_SITE_HYPERCALL) {
        r.address = 0;
    }
    return r;
}

static int by_key(const void *a, const void *b)
{
    const struct explained *x = a, *y = b;

    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->overflow != y->overflow)
        return x->overflow ? 1 : -1;
    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return x->address < y->address ? -1 : x->address > y->address;
}

static int by_cost(const void *a, const void *b)
{
    const struct explained *x = a, *y = b;

    return x->cycles > y->cycles ? -1 : x->cycles < y->cycles ? 1 : by_key(a, b);
}

/* Rows of one key become one. */
static unsigned int merge(struct explained *row, unsigned int n)
{
    unsigned int kept = 0;

    qsort(row, n, sizeof(*row), by_key);
    for (unsigned int i = 0; i < n; i++) {
        if (kept && !by_key(&row[kept - 1], &row[i])) {
            row[kept - 1].count += row[i].count;
            row[kept - 1].bounced += row[i].bounced;
            row[kept - 1].cycles += row[i].cycles;
        } else {
            row[kept++] = row[i];
        }
    }
    return kept;
}

static int read_rows(const struct prof_backend *b, uint16_t domain, struct explanation *e)
{
    struct radon_info info = { 0 };
    struct radon_site *site;
    unsigned int n;
    uint32_t period;
    uint64_t since;
    int rc = b->op(b->ctx, RADON_INFO, &info, sizeof(info));

    if (!rc)
        rc = hv_sites(b, domain, info.nr_cpus, &site, &n, &period, &since);
    if (rc)
        return rc;
    e->cycles = since < info.tsc ? info.tsc - since : 1;
    e->row = calloc(n + 1, sizeof(*e->row));
    for (unsigned int i = 0; e->row && i < n; i++) {
        struct explained *row = &e->row[e->nr];

        if (radon_site_is_part(site[i].kind))
            continue;
        *row = row_of(&site[i]);
        row->count = site[i].count * period;
        row->bounced = site[i].bounced * period + site[i].bounced_looks;
        row->cycles = site[i].bounced || site[i].bounced_looks
                          ? radon_site_bounced_cycles(&site[i], period)
                          : radon_site_cycles(&site[i], period);
        e->nr++;
    }
    free(site);
    if (!e->row)
        return -ENOMEM;
    e->nr = merge(e->row, e->nr);
    qsort(e->row, e->nr, sizeof(*e->row), by_cost);
    for (unsigned int i = 0; i < e->nr; i++)
        e->row[i].share_ppm = (double)e->row[i].cycles * 1e6 / (double)e->cycles;
    return 0;
}

/* ------------------------------------------------------------------ verdicts */

static void say(struct explained *row, enum why why)
{
    snprintf(row->by, sizeof(row->by), "policy");
    snprintf(row->reason, sizeof(row->reason), "%s", why_name(why));
    snprintf(row->text, sizeof(row->text), "%s", why_meaning(why));
}

/* What follows from the row alone. */
static void judge(struct explained *row, bool daemon, uint32_t min_share)
{
    row->verdict = "not handled";
    if (row->overflow)
        say(row, WHY_EVICTED);
    else if (row->kind == RADON_SITE_HYPERCALL && row->number == SCHED_OP_BLOCK)
        say(row, WHY_IDLE);
    else if (row->kind == RADON_SITE_HYPERCALL || row->kind == RADON_SITE_EMULATION)
        say(row, WHY_NOT_BOUNCED);
    else if (!row->point.kind)
        say(row, WHY_NO_POINT);
    else if (!row->bounced && row->point.address >= KERNEL_HALF)
        say(row, WHY_KERNEL_MODE);
    else if (!row->bounced)
        say(row, WHY_NEVER_BACK);
    else if (row->share_ppm < min_share)
        say(row, WHY_COLD);
    else
        say(row, daemon ? WHY_NOT_YET : WHY_NO_DAEMON);
}

/* What the daemon said of the point last, if it was about having no handler. */
static void apply_log(struct explanation *e, const struct log_entry *entry)
{
    if (entry->decision != DECIDED_refuse && entry->decision != DECIDED_retire)
        return;
    for (unsigned int i = 0; i < e->nr; i++) {
        if (!e->row[i].point.kind || !fast_point_same(&e->row[i].point, &entry->point))
            continue;
        memcpy(e->row[i].by, entry->by, sizeof(e->row[i].by));
        memcpy(e->row[i].reason, entry->reason, sizeof(e->row[i].reason));
        memcpy(e->row[i].text, entry->text, sizeof(e->row[i].text));
    }
}

/* A hypercall's handler has all its operations. */
static bool is_at(const struct explained *row, const struct fast_point *point)
{
    if (row->kind == RADON_SITE_HYPERCALL)
        return point->kind == FAST_ATTACH_HYPERCALL && !row->overflow &&
               (row->number & 0xff) == point->number;
    return row->point.kind && fast_point_same(&row->point, point);
}

static void apply_handler(struct explanation *e, const struct radon_fast_info *h)
{
    struct fast_point point = { h->domain, h->attach_kind, h->attach_number, h->attach_address };

    if (h->state == RADON_FAST_RETIRED)
        return;
    for (unsigned int i = 0; i < e->nr; i++) {
        struct explained *row = &e->row[i];

        if (!is_at(row, &point))
            continue;
        say(row, WHY_HANDLED);
        row->verdict = h->state == RADON_FAST_ACTIVE ? "handled" : fast_state_name(h->state);
        row->handler = h->id;
        row->hits = h->hits;
        row->passes = 0;
        for (unsigned int p = 0; p < RADON_FAST_NR_PASSES; p++)
            row->passes += h->passes[p];
    }
}

int explain(const struct prof_backend *b, uint16_t domain, FILE *log, bool daemon,
            struct explanation *out)
{
    struct radon_fast_info *list;
    struct policy policy;
    struct log_entry entry;
    char line[8192];
    unsigned int n;
    int rc;

    memset(out, 0, sizeof(*out));
    policy_default(&policy);
    rc = read_rows(b, domain, out);
    if (!rc)
        rc = hv_list(b, domain, &list, &n);
    if (rc) {
        explain_free(out);
        return rc;
    }
    for (unsigned int i = 0; i < out->nr; i++)
        judge(&out->row[i], daemon, policy.min_share_ppm);
    while (log && fgets(line, sizeof(line), log))
        if (log_parse(line, &entry))
            apply_log(out, &entry);
    for (unsigned int i = 0; i < n; i++)
        apply_handler(out, &list[i]);
    free(list);
    return 0;
}

void explain_free(struct explanation *e)
{
    free(e->row);
    memset(e, 0, sizeof(*e));
}
