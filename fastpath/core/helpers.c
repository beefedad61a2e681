/* SPDX-License-Identifier: MIT */
/* The helpers as data: what each takes, costs and may do. */
#include "run.h"

enum { SYSCALL = 1 << FAST_ATTACH_SYSCALL, EXCEPTION = 1 << FAST_ATTACH_EXCEPTION,
       HYPERCALL = 1 << FAST_ATTACH_HYPERCALL, ANY = SYSCALL | EXCEPTION | HYPERCALL };
enum { STAGES = HELPER_STAGES, BEFORE_PT = HELPER_BEFORE_PT, MAY_STOP = HELPER_MAY_STOP,
       VALUE = HELPER_VALUE, VOID = 0 };

static const struct fast_helper_row helpers[FAST_NR_HELPERS] = {
#define HELPER(number, name, args, ret, attach, cost, flags) \
    [number] = { #name, args, attach, (flags) | (ret), cost },
#include "helpers.def"
};

const struct fast_helper_row *fast_helper_find(int64_t number)
{
    if (number <= 0 || number >= (int64_t)FAST_NR_HELPERS || !helpers[number].name)
        return NULL;
    return &helpers[number];
}
