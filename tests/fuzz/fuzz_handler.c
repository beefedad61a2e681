/* SPDX-License-Identifier: MIT */
/*
 * Files of handlers: objects of clang, those that radon-prof keeps, and the program format.  No crash; what
 * was read lies within its bounds, and the verifier takes it or says why not.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -I. -Ifastpath/core tests/fuzz/fuzz_handler.c \
 *       fastpath/profile/handler_file.c fastpath/load/object.c fastpath/core/[a-z]*.c -o fuzz_handler
 */
#include <string.h>

#include "fastpath/core/verifier.h"
#include "fastpath/profile/handler_file.h"
#include "scratch.h"

static void check(const struct handler_file *f)
{
    static struct verify_space space;
    struct fast_program program;
    struct fast_verdict verdict;
    char text[512];
    uint64_t sum = 0;

    for (uint32_t i = 0; i < f->nr_watches; i++)
        sum += f->watches[i].address + f->watches[i].hash;
    for (uint32_t i = 0; i < f->nr_tainted; i++)
        sum += f->tainted[i];
    sum += f->provenance ? strlen(f->provenance) : 0;
    sum += f->explanation ? strlen(f->explanation) : 0;
    __asm__ volatile("" ::"r"(sum)); /* all of it is read */
    if (f->nr_watches > RADON_FAST_MAX_WATCHED || f->nr_tainted > FAST_MAX_INSNS)
        abort();
    if (program_parse(f->program, f->program_bytes, &program) != FAST_OK)
        return;
    if (!fast_verify(&program, &space, &verdict)) {
        if (verdict.id == FAST_OK)
            abort();
        fast_verdict_text(&program, &verdict, text, sizeof(text));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct scratch file;
    const char *path = scratch_file(&file, data, size);
    struct handler_file f;
    char error[256];
    int rc = 1;

    for (unsigned int index = 0; index < 3 && rc == 1; index++) {
        error[0] = 0;
        rc = handler_file_read(path, index, &f, error, sizeof(error));
        if (rc == 1) {
            check(&f);
            handler_file_free(&f);
        } else if (rc == -1 && !error[0]) {
            abort();
        }
    }
    return 0;
}
