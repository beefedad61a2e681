/* SPDX-License-Identifier: MIT */
/*
 * From addresses to the hypervisor's function names.
 */
#include "hv/image.h"
#include "hv/lib.h"
#include "hv/symbols.h"

bool is_hv_text(uint64_t address)
{
    return address >= (uint64_t)__text_start && address < (uint64_t)__rodata_start;
}

const char *symbol_lookup(uint64_t address, uint64_t *offset)
{
    unsigned int lo = 0, hi = nr_hv_symbols;

    if (!is_hv_text(address) && !(address >= (uint64_t)__init_start && address < (uint64_t)__init_end))
        return NULL;
    while (hi - lo > 1) {
        unsigned int mid = (lo + hi) / 2;

        if (hv_symbols[mid].address <= address)
            lo = mid;
        else
            hi = mid;
    }
    if (!nr_hv_symbols || hv_symbols[lo].address > address)
        return NULL;
    *offset = address - hv_symbols[lo].address;
    return hv_symbols[lo].name;
}

bool symbol_at(unsigned int idx, uint64_t *address, char *type, const char **name)
{
    if (idx >= nr_hv_symbols)
        return false;
    *address = hv_symbols[idx].address;
    *type = 't';
    *name = hv_symbols[idx].name;
    return true;
}
