/* SPDX-License-Identifier: MIT */
/*
 * Which performance counter there is.  CPUID alone does not tell: AMD's first four belong to the
 * architecture, and emulators have registers there that read 0 whatever is written.
 */
#include "x86/pmu_int.h"

#include "hv/lib.h"
#include "hv/pmu.h"

#define LEAF_PERFMON     0xau        /* Intel */
#define LEAF_EXTENDED    0x80000000u
#define LEAF_FEATURES    0x80000001u
#define LEAF_AMD_PERFMON 0x80000022u
#define CORE_COUNTERS    (1u << 23)  /* of LEAF_FEATURES, ecx */

#define INTEL_COUNTER0   0xc1u
#define INTEL_SELECT0    0x186u
#define INTEL_GLOBAL_CTL 0x38fu
#define INTEL_GLOBAL_ACK 0x390u
#define AMD_SELECT0      0xc0010000u
#define AMD_COUNTER0     0xc0010004u
#define AMD_CORE0        0xc0010200u /* select and counter in turn */
#define AMD_GLOBAL_CTL   0xc0000301u
#define AMD_GLOBAL_ACK   0xc0000302u

/* Event, unit mask, both levels, edge, invert, count mask; AMD has four bits more of the event. */
#define EVENT_BITS     (0xfful | 0xff00ul | PMU_USER | PMU_OS | 1ul << 18 | 1ul << 23 | 0xff000000ul)
#define AMD_EVENT_BITS (EVENT_BITS | 0xful << 32)
#define AMD_WIDTH      48u

/* A kind of PMU: its first counter, and where the others are. */
struct kind {
    struct pmu first;
    unsigned int counters, step;
};

static bool trusted;

static uint64_t mask_of(unsigned int width)
{
    return (1ul << width) - 1;
}

static bool is_amd(const uint32_t leaf0[4])
{
    char vendor[12];

    memcpy(vendor, &leaf0[1], 4);
    memcpy(vendor + 4, &leaf0[3], 4);
    memcpy(vendor + 8, &leaf0[2], 4);
    return !memcmp(vendor, "AuthenticAMD", 12) || !memcmp(vendor, "HygonGenuine", 12);
}

static bool intel_kind(uint32_t leaf_max, struct kind *k)
{
    uint32_t r[4], version, width;

    if (leaf_max < LEAF_PERFMON)
        return false;
    pmu_hw_cpuid(LEAF_PERFMON, r);
    version = r[0] & 0xff;
    width = r[0] >> 16 & 0xff;
    if (!version || width < 32 || width > 63)
        return false;
    k->counters = r[0] >> 8 & 0xff;
    k->step = 1;
    k->first = (struct pmu){ .select = INTEL_SELECT0, .counter = INTEL_COUNTER0,
                             .count_mask = mask_of(width), .event_bits = EVENT_BITS,
                             .zero_is_none = true };
    if (version >= 2) {
        k->first.global_ctl = INTEL_GLOBAL_CTL;
        k->first.global_ack = INTEL_GLOBAL_ACK;
    }
    return true;
}

static bool amd_kind(struct kind *k)
{
    uint32_t r[4], extended_max;

    pmu_hw_cpuid(LEAF_EXTENDED, r);
    extended_max = r[0];
    k->first = (struct pmu){ .select = AMD_SELECT0, .counter = AMD_COUNTER0,
                             .count_mask = mask_of(AMD_WIDTH), .event_bits = AMD_EVENT_BITS };
    k->counters = 4;
    k->step = 1;
    pmu_hw_cpuid(LEAF_FEATURES, r);
    if (r[2] & CORE_COUNTERS) {
        k->first.select = AMD_CORE0;
        k->first.counter = AMD_CORE0 + 1;
        k->counters = 6;
        k->step = 2;
    }
    if (extended_max < LEAF_AMD_PERFMON)
        return true;
    pmu_hw_cpuid(LEAF_AMD_PERFMON, r);
    if (r[0] & 1) {
        k->first.global_ctl = AMD_GLOBAL_CTL;
        k->first.global_ack = AMD_GLOBAL_ACK;
    }
    return true;
}

static struct pmu counter_of(const struct kind *k, unsigned int i)
{
    struct pmu p = k->first;

    p.select += i * k->step;
    p.counter += i * k->step;
    p.global_bit = 1ul << i;
    return p;
}

/* Whether a counter that stands keeps two different values; it has its own again then. */
static bool holds(const struct pmu *p)
{
    static const uint64_t values[] = { 0x5a5a1234, 0x25a5edcb };
    uint64_t before, now;

    if (!pmu_hw_read(p->counter, &before))
        return false;
    for (unsigned int i = 0; i < ARRAY_SIZE(values); i++)
        if (!pmu_hw_write(p->counter, values[i]) || !pmu_hw_read(p->counter, &now) ||
            now != values[i])
            return false;
    return pmu_hw_write(p->counter, before);
}

void pmu_trust(void)
{
    trusted = true;
}

bool pmu_detect(struct pmu *p)
{
    struct kind k;
    uint32_t leaf0[4];
    uint64_t select, ctl;

    pmu_hw_cpuid(0, leaf0);
    if (!pmu_hw_has_entry() || !(is_amd(leaf0) ? amd_kind(&k) : intel_kind(leaf0[0], &k)))
        return false;
    for (unsigned int i = 0; i < k.counters; i++) {
        *p = counter_of(&k, i);
        if (!pmu_hw_read(p->select, &select) || (p->global_ctl && !pmu_hw_read(p->global_ctl, &ctl)))
            return false;
        if (!(select & PMU_ENABLE))
            return trusted || holds(p);
    }
    return false;
}
