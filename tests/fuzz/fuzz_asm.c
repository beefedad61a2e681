/* SPDX-License-Identifier: MIT */
/*
 * The assembler of handlers on rubbish: no crash, a reason; and what it made it makes again from what the
 * disassembler writes of it.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -Ifastpath/core -Ifastpath/load tests/fuzz/fuzz_asm.c \
 *       fastpath/load/asm.c fastpath/core/[a-z]*.c -o fuzz_asm
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asm.h"
#include "disasm.h"

#define MOST 256u

static void again(const struct fast_insn *insns, unsigned int n)
{
    static char text[65536];
    static struct fast_insn second[MOST];
    struct fast_program program = { .insns = insns, .head = { .insns = n } };
    struct fast_text out;
    char error[128];

    text_init(&out, text, sizeof(text));
    fast_disasm(&out, &program);
    if (strstr(text, "??"))
        return; /* the assembler's to write, the verifier's to refuse */
    if (fast_assemble(text, second, MOST, error, sizeof(error)) != (int)n ||
        memcmp(insns, second, n * sizeof(*insns)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fast_insn insns[MOST];
    char error[128] = "", *text = malloc(size + 1);
    int n;

    if (!text)
        abort();
    memcpy(text, data, size);
    text[size] = 0;
    memset(insns, 0, sizeof(insns));
    n = fast_assemble(text, insns, MOST, error, sizeof(error));
    if (n > (int)MOST || (n < 0 && !error[0]))
        abort();
    if (n > 0)
        again(insns, (unsigned int)n);
    free(text);
    return 0;
}
