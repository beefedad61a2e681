/* SPDX-License-Identifier: MIT */
#include "pmu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <perfmon/pfmlib.h>

/* The event by its full name, by its name on the PMUs that are here, or on any. */
static int find_id(const char *event)
{
    int id = pfm_find_event(event);
    pfm_pmu_t pmu;

    for (pmu = PFM_PMU_NONE; id < 0 && pmu < PFM_PMU_MAX; pmu++) {
        pfm_pmu_info_t info = { .size = sizeof(info) };
        char full[256];

        if (pfm_get_pmu_info(pmu, &info) != PFM_SUCCESS)
            continue;
        snprintf(full, sizeof(full), "%s::%s", info.name, event);
        id = pfm_find_event(full);
    }
    return id;
}

static int find(const char *event, pfm_event_info_t *info, pfm_pmu_info_t *pmu)
{
    int id = find_id(event);

    memset(info, 0, sizeof(*info));
    memset(pmu, 0, sizeof(*pmu));
    info->size = sizeof(*info);
    pmu->size = sizeof(*pmu);
    if (id < 0 || pfm_get_event_info(id, PFM_OS_NONE, info) != PFM_SUCCESS)
        return -1;
    return pfm_get_pmu_info(info->pmu, pmu) == PFM_SUCCESS ? 0 : -1;
}

enum pmu_answer pmu_ask(const char *event, char *text, size_t bytes)
{
    pfm_event_info_t info;
    pfm_pmu_info_t pmu;

    setenv("LIBPFM_ENCODE_INACTIVE", "1", 1); /* events of other processors have names, too */
    if (pfm_initialize() != PFM_SUCCESS || find(event, &info, &pmu)) {
        snprintf(text, bytes, "libpfm4 knows no event %s", event);
        return PMU_UNKNOWN;
    }
    if (pmu.is_present && pmu.type == PFM_PMU_TYPE_CORE) {
        snprintf(text, bytes, "%s (%s: %s): the hypervisor samples by timer alone", event, pmu.desc,
                 info.desc);
        return PMU_NOT_SERVED;
    }
    snprintf(text, bytes, "%s (%s: %s): not supported on this machine", event, pmu.desc, info.desc);
    return PMU_NOT_HERE;
}
