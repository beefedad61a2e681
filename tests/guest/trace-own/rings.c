/* SPDX-License-Identifier: MIT */
#include "rings.h"

#include "pages.h"

#define INFO_AT 0x10000000000UL

struct seen seen;
struct radon_trace_control wanted;
struct t_buf *ring;
static uint32_t ring_bytes;
static uint8_t kept[MOST_PAGES * PAGE_BYTES];

static const uint32_t numbers[NR_EVENTS] = {
#define EVENT(name, id, fields, text) id,
#define EVENT_VAR(name, id, text) id,
#include "../../../tracing/events.def"
};

/* ------------------------------------------------------------------ calls */

long radon(unsigned int cmd, void *arg)
{
    return HC_2(RADON_HYPERCALL, cmd, arg);
}

void want(enum event event)
{
    wanted.events[event / 64] |= 1ul << event % 64;
}

void want_nothing(void)
{
    memset(wanted.events, 0, sizeof(wanted.events));
    wanted.domain = RADON_DOMID_ANY;
    wanted.vcpus = ~0ul;
    wanted.pages = 0;
    wanted.flags = 0;
}

long start(uint32_t mode)
{
    wanted.mode = mode;
    return radon(RADON_TRACE_CONTROL, &wanted);
}

struct radon_trace_state state(void)
{
    struct radon_trace_state s;

    ktest_require(radon(RADON_TRACE_STATE, &s) == 0);
    return s;
}

void versions(unsigned int n)
{
    while (n--)
        hyp_xen_version(XENVER_version, 0);
}

/* ------------------------------------------------------------------ reading */

void unmap_ring(uint32_t pages)
{
    for (uint32_t i = 0; i < pages; i++)
        check_eq(hyp_update_va_mapping(RING_AT + i * PAGE_BYTES, 0, UVMF_INVLPG), 0);
    check_eq(hyp_update_va_mapping(INFO_AT, 0, UVMF_INVLPG), 0);
}

void map_ring(uint32_t pages)
{
    struct radon_trace_state s = state();

    check_eq(s.control.pages, pages);
    check(s.info_bytes >= PAGE_BYTES);
    ring = trace_ring_map(INFO_AT, s.info_mfn, RING_AT, pages);
    ring_bytes = pages * PAGE_BYTES - sizeof(*ring);
}

static void note(uint32_t event, const uint32_t *p, uint32_t bytes)
{
    for (unsigned int e = 0; e < NR_EVENTS; e++)
        if (numbers[e] == event) {
            seen.of[e]++;
            memcpy(seen.words[e], p, bytes);
        }
    switch (event) {
    case TRC_PV_HYPERCALL_V2:
        seen.versions += (p[0] & 0xfffff) == __HYPERVISOR_xen_version;
        break;
    case RADON_TRC_ENTRY + 1:
        seen.exits += p[0] == __HYPERVISOR_xen_version;
        if (p[0] == __HYPERVISOR_xen_version)
            seen.result = word64(p + 1);
        break;
    case RADON_TRC_ENTRY + 4:
        seen.bounces++;
        seen.bounce_number = p[0];
        seen.bounce_rip = word64(p + 1);
        break;
    case RADON_TRC_ENTRY + 5:
        seen.irets++;
        seen.iret_rip = word64(p);
        break;
    case TRC_PV_PAGE_FAULT | TRC_64_FLAG:
        seen.faults++;
        seen.fault_address = word64(p + 2);
        break;
    case TRC_PV_TRAP | TRC_64_FLAG:
        seen.traps++;
        break;
    case TRC_LOST_RECORDS:
        seen.lost += p[0];
        seen.lost_records++;
        break;
    default:
        seen.others++;
    }
}

/* The record at p: noted; its bytes. */
static uint32_t read_record(const uint32_t *p)
{
    uint32_t words = TRC_HD_INCLUDES_CYCLE_COUNT(*p) ? 3 : 1;

    if (TRC_HD_TO_EVENT(*p) != TRC_TRACE_WRAP_BUFFER) {
        if (words != 3 || word64(p + 1) < seen.last_tsc)
            check(!"time stamps rise");
        seen.last_tsc = word64(p + 1);
        seen.records++;
        note(TRC_HD_TO_EVENT(*p), p + words, 4 * TRC_HD_EXTRA(*p));
    }
    return 4 * (words + TRC_HD_EXTRA(*p));
}

void drain(void)
{
    memset(&seen, 0, sizeof(seen));
    while (ring->cons != ring->prod) {
        uint32_t at = ring->cons >= ring_bytes ? ring->cons - ring_bytes : ring->cons;
        uint32_t cons = ring->cons + read_record((uint32_t *)((char *)(ring + 1) + at));

        ring->cons = cons >= 2 * ring_bytes ? cons - 2 * ring_bytes : cons;
    }
}

uint64_t read_kept(uint64_t piece)
{
    struct radon_trace_read r = { .buffer = (uint64_t)kept, .bytes = piece };
    uint64_t total = 0;

    memset(&seen, 0, sizeof(seen));
    memset(kept, 0, sizeof(kept));
    do {
        r.buffer = (uint64_t)kept + total;
        r.offset = total;
        r.bytes = piece;
        ktest_require(radon(RADON_TRACE_READ, &r) == 0);
        total += r.bytes;
    } while (r.bytes == piece);
    for (uint64_t at = 0; at < total;) {
        uint32_t bytes = read_record((uint32_t *)(kept + at));

        at += bytes;
    }
    return total;
}
