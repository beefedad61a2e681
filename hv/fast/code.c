/* SPDX-License-Identifier: MIT */
/*
 * Memory for the code of handlers, never writable and executable at once: 1 MiB of RAM that even the
 * direct map shows read-only.  A piece is mapped executable at its place in the pool, or, while it is
 * written, at its place in a second window instead.
 */
#include "hv/asm.h"
#include "hv/image.h"
#include "hv/mm.h"
#include "hv/paging.h"

#include "fast_int.h"

#define POOL_ORDER 8u
#define POOL_PAGES (1u << POOL_ORDER)
#define POOL_BYTES ((uint64_t)POOL_PAGES * PAGE_SIZE)

static paddr_t pool;              /* 0: there is none */
static uint64_t run_window, write_window;
static struct fast_handler *owner[POOL_PAGES];

void code_init(void)
{
    void *memory = alloc_hv_pages(POOL_ORDER);

    if (!memory)
        return;
    pool = virt_to_paddr(memory);
    run_window = vmap_reserve(POOL_BYTES, PAGE_SIZE);
    write_window = vmap_reserve(POOL_BYTES, PAGE_SIZE);
    map_hv((uint64_t)memory, pool, POOL_BYTES, HV_RO);
    fast_sync();
}

bool code_available(void)
{
    return pool;
}

static uint32_t pages_of(uint32_t bytes)
{
    return (uint32_t)DIV_ROUND_UP((uint64_t)bytes, PAGE_SIZE);
}

uint64_t code_alloc(struct fast_handler *h, uint32_t bytes)
{
    uint32_t want = pages_of(bytes), run = 0;

    if (!pool || !want)
        return 0;
    for (uint32_t i = 0; i < POOL_PAGES; i++) {
        run = owner[i] ? 0 : run + 1;
        if (run < want)
            continue;
        for (uint32_t p = i + 1 - want; p <= i; p++)
            owner[p] = h;
        return run_window + (uint64_t)(i + 1 - want) * PAGE_SIZE;
    }
    return 0;
}

/* Neither window shows it any more, on any CPU. */
static void hide(uint64_t window, uint64_t offset, uint32_t bytes)
{
    unmap_hv(window + offset, (uint64_t)pages_of(bytes) * PAGE_SIZE);
    fast_sync();
}

void code_free(uint64_t at, uint32_t bytes)
{
    uint64_t offset = at - run_window;

    hide(run_window, offset, bytes);
    for (uint32_t i = 0; i < pages_of(bytes); i++)
        owner[offset / PAGE_SIZE + i] = NULL;
}

void *code_write(uint64_t at, uint32_t bytes)
{
    uint64_t offset = at - run_window;

    map_hv(write_window + offset, pool + offset, (uint64_t)pages_of(bytes) * PAGE_SIZE, HV_RW);
    return (void *)(write_window + offset);
}

void code_done(uint64_t at, uint32_t bytes)
{
    uint64_t offset = at - run_window, len = (uint64_t)pages_of(bytes) * PAGE_SIZE;

    /* int3 behind the code, so that nothing runs that an earlier handler left there. */
    memset((char *)write_window + offset + bytes, 0xcc, len - bytes);
    hide(write_window, offset, bytes);
    map_hv(at, pool + offset, len, HV_RX);
}

struct fast_handler *code_owner(uint64_t rip)
{
    return pool && rip - run_window < POOL_BYTES ? owner[(rip - run_window) / PAGE_SIZE] : NULL;
}
