/* SPDX-License-Identifier: MIT */
/*
 * Putting a firmware's memory map in order. Real maps overlap (a reserved line inside a RAM line is
 * common), come unsorted, and hold empty lines.
 */
#include "multiboot.h"

#define EDGES_MAX (2 * BOOT_MEM_MAX)

/* How much a type forbids: the higher wins where two overlap. */
static unsigned int rank(uint32_t type)
{
    switch (type) {
    case BOOT_MEM_RAM:
        return 1;
    case BOOT_MEM_ACPI:
        return 2;
    case BOOT_MEM_NVS:
        return 3;
    case BOOT_MEM_UNUSABLE:
        return 5;
    default:
        return 4;
    }
}

/* One past the last byte; a region that would wrap ends at the top of the address space. */
static uint64_t region_end(const struct boot_mem_region *r)
{
    return r->length > UINT64_MAX - r->base ? UINT64_MAX : r->base + r->length;
}

/* Inserts an edge into a sorted list without duplicates. */
static unsigned int add_edge(uint64_t *edges, unsigned int count, uint64_t edge)
{
    unsigned int at = count;

    while (at > 0 && edges[at - 1] > edge)
        at--;
    if (at > 0 && edges[at - 1] == edge)
        return count;
    for (unsigned int i = count; i > at; i--)
        edges[i] = edges[i - 1];
    edges[at] = edge;
    return count + 1;
}

/* The type that holds for all of [from, to), where no region begins or ends inside; 0: none. */
static uint32_t strongest_type(const struct boot_mem_region *mem, unsigned int count, uint64_t from,
                               uint64_t to)
{
    uint32_t best = 0;
    unsigned int best_rank = 0;

    for (unsigned int i = 0; i < count; i++) {
        if (mem[i].base <= from && region_end(&mem[i]) >= to && rank(mem[i].type) > best_rank) {
            best = mem[i].type;
            best_rank = rank(best);
        }
    }
    /* Type 0 is used by nobody; a firmware that says so means something we do not know. */
    return best_rank && !best ? BOOT_MEM_RESERVED : best;
}

bool boot_mem_sanitise(struct boot_mem_region *mem, unsigned int *count)
{
    uint64_t edges[EDGES_MAX];
    struct boot_mem_region out[BOOT_MEM_MAX];
    unsigned int edge_count = 0, n = 0;
    bool complete = true;

    for (unsigned int i = 0; i < *count; i++) {
        if (mem[i].length == 0)
            continue;
        edge_count = add_edge(edges, edge_count, mem[i].base);
        edge_count = add_edge(edges, edge_count, region_end(&mem[i]));
    }
    for (unsigned int i = 0; i + 1 < edge_count; i++) {
        uint64_t from = edges[i], to = edges[i + 1];
        uint32_t type = strongest_type(mem, *count, from, to);

        if (!type)
            continue;
        if (n && out[n - 1].type == type && region_end(&out[n - 1]) == from) {
            out[n - 1].length += to - from;
        } else if (n < BOOT_MEM_MAX) {
            out[n++] = (struct boot_mem_region){from, to - from, type};
        } else {
            complete = false;
            break;
        }
    }
    for (unsigned int i = 0; i < n; i++)
        mem[i] = out[i];
    *count = n;
    return complete;
}
