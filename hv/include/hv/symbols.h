/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own text symbols, for backtraces and XENPF_get_symbol.
 */
#ifndef HV_SYMBOLS_H
#define HV_SYMBOLS_H

#include "hv/types.h"

struct hv_symbol {
    uint64_t address;
    const char *name;
};

extern const struct hv_symbol hv_symbols[];
extern const unsigned int nr_hv_symbols;

/* Name of the function around `address` and the offset in it; NULL outside of text. */
const char *symbol_lookup(uint64_t address, uint64_t *offset);
/* The idx-th symbol; false past the end. */
bool symbol_at(unsigned int idx, uint64_t *address, char *type, const char **name);
bool is_hv_text(uint64_t address);

#endif
