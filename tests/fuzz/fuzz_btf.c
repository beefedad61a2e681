/* SPDX-License-Identifier: MIT */
/*
 * radon-btf: type descriptions from rubbish, and from ELF files with one in them.  No crash, an end, and a
 * place or a reason.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE tests/fuzz/fuzz_btf.c fastpath/handlers/btf.c \
 *       -o fuzz_btf
 */
#include <stdlib.h>

#include "../../fastpath/handlers/btf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const paths[] = { "module.name", "module.arch.num_orcs", "percpu.current_task",
                                         "module", "module.", "" };
    struct btf_place place;
    char error[256] = "";
    struct btf b;

    if (!btf_open(&b, data, size, error, sizeof(error))) {
        if (!error[0])
            abort();
        return 0;
    }
    for (unsigned int i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        error[0] = 0;
        if (!btf_find(&b, paths[i], &place, error, sizeof(error)) && !error[0])
            abort();
    }
    btf_close(&b);
    return 0;
}
