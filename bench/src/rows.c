/* SPDX-License-Identifier: MIT */
/* The rows of rows.def. */
#include "bench.h"

#define ROW(id, title, art, prow, unit, kind, calls, fn, p1, p2, samples, ops, help)               \
    { #id, title, art, prow, UNIT_##unit, KIND_##kind, calls, fn, p1, p2, samples, ops, help },
const struct row rows[] = {
#include "../rows.def"
};
#undef ROW
const size_t row_count = sizeof(rows) / sizeof(rows[0]);

_Static_assert(sizeof(rows) / sizeof(rows[0]) <= MAX_ROWS, "more rows than MAX_ROWS");
