/* SPDX-License-Identifier: MIT */
/* radon-handler list, show, enable, disable, remove, on, off. */
#include "handler.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "ops.h"

static const struct table_column list_columns[] = {
    { "id", "ID", false },
    { "domain", "DOMAIN", true },
    { "point", "POINT", true },
    { "name", NULL, true },
    { "state", "STATE", true },
    { "reason", "REASON", true },
    { "instructions", "INSNS", false },
    { "runs", NULL, false },
    { "hits", "HITS", false },
    { "passes", "PASSES", false },
    { "agreed", "AGREED", false },
    { "disagreed", "DISAGR", false },
    { "voided", NULL, false },
    { "cycles_per_hit", "CYCLES", false },
    { "code_bytes", NULL, false },
    { "hash", "HASH", true },
};
#define LIST_COLUMNS (sizeof(list_columns) / sizeof(list_columns[0]))

static uint64_t passes_of(const struct radon_fast_info *i)
{
    uint64_t sum = 0;

    for (unsigned int p = 0; p < RADON_FAST_NR_PASSES; p++)
        sum += i->passes[p];
    return sum;
}

static struct fast_point point_of(const struct radon_fast_info *i)
{
    return (struct fast_point){ i->domain, i->attach_kind, i->attach_number, i->attach_address };
}

static void list_row(struct table *t, const struct prof_backend *b, const struct radon_fast_info *i)
{
    struct fast_point point = point_of(i);
    char text[FAST_POINT_TEXT], domain[64];

    table_number(t, i->id);
    table_text(t, b->domain_name(b->ctx, i->domain, domain));
    table_text(t, fast_point_text(&point, text));
    table_text(t, i->name);
    table_text(t, fast_state_name(i->state));
    table_text(t, i->reason ? fast_reason_name(i->reason) : "-");
    table_number(t, i->insns);
    table_number(t, i->runs);
    table_number(t, i->hits);
    table_number(t, passes_of(i));
    table_number(t, i->agreed);
    table_number(t, i->disagreed);
    table_number(t, i->voided);
    if (i->hits && i->cycles)
        table_number(t, i->cycles / i->hits);
    else
        table_unknown(t);
    table_number(t, i->code_bytes);
    table_textf(t, "%016" PRIx64, i->hash);
}

int handler_list(const struct handler_options *o)
{
    struct radon_fast_info *list;
    struct prof_backend *b;
    struct table t;
    uint16_t domain;
    unsigned int n;
    int rc;

    if (!handler_domain(o, RADON_DOMID_ANY, &domain))
        return EXIT_FAILED;
    b = handler_backend();
    rc = hv_list(b, domain, &list, &n);
    if (rc)
        return handler_fail("listing handlers: %s", hv_error(rc));
    table_init(&t, o->format, "radon-handler-list", list_columns, LIST_COLUMNS);
    for (unsigned int i = 0; i < n; i++)
        list_row(&t, b, &list[i]);
    free(list);
    return table_print(&t, stdout, true, 0, "no handlers") ? EXIT_DONE
                                                           : handler_fail("standard output failed");
}

/* ------------------------------------------------------------------ show */

static const struct table_column show_columns[] = {
    { "name", "NAME", true },
    { "value", "VALUE", true },
};

static void line(struct table *t, const char *name, uint64_t value)
{
    table_text(t, name);
    table_number(t, value);
}

static void line_text(struct table *t, const char *name, const char *value)
{
    table_text(t, name);
    table_text(t, value);
}

static void show_ns(struct table *t, const char *name, double cycles, uint64_t hz)
{
    table_text(t, name);
    if (cycles > 0 && hz)
        table_real(t, cycles * 1e9 / (double)hz, 1);
    else
        table_unknown(t);
}

static void show_counters(struct table *t, const struct radon_fast_info *i, uint64_t hz)
{
    char name[32];

    line(t, "runs", i->runs);
    line(t, "hits", i->hits);
    for (unsigned int p = 0; p < RADON_FAST_NR_PASSES; p++) {
        snprintf(name, sizeof(name), "passes_%s", fast_pass_name(p));
        line(t, name, i->passes[p]);
    }
    line(t, "agreed", i->agreed);
    line(t, "disagreed", i->disagreed);
    line(t, "voided", i->voided);
    line(t, "agreed_in_row", i->agreed_in_row);
    line(t, "agreements_asked", i->agreements);
    show_ns(t, "ns_per_hit", i->hits ? (double)i->cycles / (double)i->hits : 0, hz);
    show_ns(t, "longest_run_ns", (double)i->longest, hz);
    show_ns(t, "budget_ns", (double)i->budget, hz);
}

static void show_times(struct table *t, const struct radon_fast_info *i)
{
    static const char *const names[] = { "installed_tsc", "activated_tsc", "retired_tsc" };
    const uint64_t at[] = { i->installed, i->activated, i->retired };

    for (unsigned int k = 0; k < 3; k++) {
        table_text(t, names[k]);
        if (at[k])
            table_number(t, at[k]);
        else
            table_text(t, "not yet");
    }
}

static void show_differences(struct table *t, const struct radon_fast_evidence *e)
{
    char text[160];

    const char *other = e->engines ? "interpreter" : "guest";

    for (unsigned int r = 0; r < 20; r++) {
        if (!(e->differs >> r & 1))
            continue;
        snprintf(text, sizeof(text),
                 "before 0x%" PRIx64 ", handler 0x%" PRIx64 ", %s 0x%" PRIx64, e->before[r],
                 e->handler[r], other, e->guest[r]);
        line_text(t, register_name(r), text);
    }
    for (unsigned int s = 0; s < e->nr_stores && s < RADON_FAST_EVIDENCE_STORES; s++) {
        if (!e->store[s].differs)
            continue;
        snprintf(text, sizeof(text),
                 "%u bytes at 0x%" PRIx64 ": handler 0x%" PRIx64 ", %s 0x%" PRIx64,
                 e->store[s].size, e->store[s].address, e->store[s].handler, other,
                 e->store[s].guest);
        line_text(t, "store", text);
    }
    for (unsigned int i = 0; i < RADON_FAST_EVIDENCE_READS && e->read[i].size; i++) {
        snprintf(text, sizeof(text), "%u bytes at 0x%" PRIx64 ": handler 0x%" PRIx64 ", now 0x%" PRIx64,
                 (unsigned int)e->read[i].size, e->read[i].address, e->read[i].handler, e->read[i].guest);
        line_text(t, "read", text);
    }
}

static void show_evidence(struct table *t, const struct prof_backend *b,
                          const struct radon_fast_info *i)
{
    void *part;
    size_t bytes;

    if (i->disagreed && !hv_read(b, i->id, RADON_FAST_EVIDENCE,
                                 sizeof(struct radon_fast_evidence), &part, &bytes)) {
        if (bytes == sizeof(struct radon_fast_evidence))
            show_differences(t, part);
        free(part);
    }
}

int handler_show(const struct handler_options *o)
{
    struct prof_backend *b = handler_backend();
    struct radon_info info = { 0 };
    struct radon_fast_info i;
    struct fast_point point;
    char text[FAST_POINT_TEXT], domain[64];
    struct table t;
    uint32_t id;
    int rc;

    if (!b || !handler_number(o->word[0], &id))
        return EXIT_FAILED;
    rc = hv_find(b, id, &i);
    if (rc)
        return handler_fail("handler %u: %s", id, hv_error(rc));
    b->op(b->ctx, RADON_INFO, &info, sizeof(info));
    point = point_of(&i);
    table_init(&t, o->format, "radon-handler-show", show_columns, 2);
    line(&t, "id", id);
    line_text(&t, "name", i.name);
    line_text(&t, "domain", b->domain_name(b->ctx, i.domain, domain));
    line_text(&t, "point", fast_point_text(&point, text));
    line_text(&t, "state", fast_state_name(i.state));
    line_text(&t, "reason", i.reason ? fast_reason_name(i.reason) : "-");
    if (i.reason)
        line_text(&t, "reason_text", fast_reason_text(i.reason));
    line(&t, "instructions", i.insns);
    line(&t, "code_bytes", i.code_bytes);
    line(&t, "max_cost", i.max_cost);
    line(&t, "max_staged", i.max_staged);
    table_text(&t, "hash");
    table_textf(&t, "%016" PRIx64, i.hash);
    show_counters(&t, &i, info.tsc_hz);
    show_times(&t, &i);
    show_evidence(&t, b, &i);
    return table_print(&t, stdout, true, 0, NULL) ? EXIT_DONE
                                                  : handler_fail("standard output failed");
}

/* ------------------------------------------------------------------ states */

int handler_set(const struct handler_options *o, enum radon_fast_state state)
{
    struct prof_backend *b = handler_backend();
    int status = b ? EXIT_DONE : EXIT_FAILED;
    uint32_t id;

    for (unsigned int i = 0; b && i < o->words; i++) {
        int rc = handler_number(o->word[i], &id) ? hv_control(b, id, state) : 1;

        if (rc < 0)
            handler_fail("handler %u: %s", id,
                         rc == -22 ? "it is retired, which is for good" : hv_error(rc));
        if (rc)
            status = EXIT_FAILED;
    }
    return status;
}

int handler_switch(const struct handler_options *o, bool on)
{
    uint16_t domain;
    bool is = on;
    int rc;

    if (!handler_domain(o, RADON_DOMID_ANY, &domain))
        return EXIT_FAILED;
    rc = hv_switch(handler_backend(), domain, false, &is);
    if (rc)
        return handler_fail("switching fast handlers %s: %s", on ? "on" : "off",
                            rc == -1 && on ? "the hypervisor was booted with fast=off"
                                           : hv_error(rc));
    if (is != on)
        return handler_fail("fast handlers stay %s: the machine's switch is off", is ? "on" : "off");
    return EXIT_DONE;
}

int handler_oracle(const struct handler_options *o)
{
    bool get = o->words == 0;
    uint32_t period = 0;
    uint16_t domain;
    int rc;

    if (!handler_domain(o, RADON_DOMID_SELF, &domain))
        return EXIT_FAILED;
    if (!get && strcmp(o->word[0], "0") && !handler_number(o->word[0], &period))
        return EXIT_USAGE;
    rc = hv_oracle(handler_backend(), domain, get, &period);
    if (rc)
        return handler_fail("comparing one run in %u: %s", period, hv_error(rc));
    if (get)
        printf("%u\n", period);
    return EXIT_DONE;
}
