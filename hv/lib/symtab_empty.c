/* SPDX-License-Identifier: MIT */
/* The symbol table of the first link. */
#include "hv/symbols.h"

const struct hv_symbol hv_symbols[1] __attribute__((section(".symtab_hv"))) = { { 0, "" } };
const unsigned int nr_hv_symbols = 0;
