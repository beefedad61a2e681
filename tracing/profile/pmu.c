/* SPDX-License-Identifier: MIT */
#include "pmu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <perfmon/pfmlib.h>

/* What libpfm4 sets as well, and the hypervisor by itself: interrupt, enable. */
#define SELECT_OURS (1ull << 20 | 1ull << 22)
#define CODES_MAX   8

struct encoding {
    uint64_t code[CODES_MAX];
    int nr, id;
    char *name;                 /* free() */
};

static int encode(const char *event, struct encoding *e)
{
    pfm_pmu_encode_arg_t arg = { .size = sizeof(arg), .codes = e->code, .count = CODES_MAX,
                                 .fstr = &e->name };
    int rc;

    e->name = NULL;
    rc = pfm_get_os_event_encoding(event, PFM_PLM0 | PFM_PLM3, PFM_OS_NONE, &arg);
    e->nr = arg.count;
    e->id = arg.idx;
    return rc;
}

/* The event of the PMU that it names, of one that is here, or of any: an error of libpfm4. */
static int find(const char *event, struct encoding *e)
{
    int first = encode(event, e), rc = first;

    for (pfm_pmu_t pmu = PFM_PMU_NONE; rc == PFM_ERR_NOTFOUND && pmu < PFM_PMU_MAX; pmu++) {
        pfm_pmu_info_t info = { .size = sizeof(info) };
        char full[256];

        if (pfm_get_pmu_info(pmu, &info) != PFM_SUCCESS)
            continue;
        snprintf(full, sizeof(full), "%s::%s", info.name, event);
        rc = encode(full, e);
    }
    return rc;
}

static enum pmu_answer judge(const char *event, const struct encoding *e, struct pmu_event *answer)
{
    pfm_event_info_t info = { .size = sizeof(info) };
    pfm_pmu_info_t pmu = { .size = sizeof(pmu) };
    enum pmu_answer result = PMU_FOUND;
    const char *why = "";

    if (pfm_get_event_info(e->id, PFM_OS_NONE, &info) != PFM_SUCCESS ||
        pfm_get_pmu_info(info.pmu, &pmu) != PFM_SUCCESS) {
        snprintf(answer->text, sizeof(answer->text), "%s: libpfm4 does not say what it is", event);
        return PMU_UNKNOWN;
    }
    if (!pmu.is_present || pmu.type != PFM_PMU_TYPE_CORE) {
        result = PMU_NOT_HERE;
        why = ": not supported on this machine";
    } else if (e->nr != 1) {
        result = PMU_NOT_ONE;
        why = ": needs a second register, which the hypervisor does not set";
    }
    answer->select = e->code[0] & ~SELECT_OURS;
    snprintf(answer->name, sizeof(answer->name), "%s", e->name ? e->name : event);
    snprintf(answer->text, sizeof(answer->text), "%s (%s: %s)%s", event, pmu.desc, info.desc, why);
    return result;
}

enum pmu_answer pmu_ask(const char *event, struct pmu_event *answer)
{
    enum pmu_answer result;
    struct encoding e = { .nr = 0 };
    int rc;

    memset(answer, 0, sizeof(*answer));
    setenv("LIBPFM_ENCODE_INACTIVE", "1", 1); /* events of other processors have names, too */
    rc = pfm_initialize();
    if (rc == PFM_SUCCESS)
        rc = find(event, &e);
    if (rc != PFM_SUCCESS) {
        snprintf(answer->text, sizeof(answer->text), rc == PFM_ERR_NOTFOUND
                 ? "libpfm4 knows no event %s" : "event %s: %s", event, pfm_strerror(rc));
        return PMU_UNKNOWN;
    }
    result = judge(event, &e, answer);
    free(e.name);
    return result;
}
