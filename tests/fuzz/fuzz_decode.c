/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: the decoder against Zydis, with the checks of tests/unit/decode_oracle.h.
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -Ihv/include tests/fuzz/fuzz_decode.c \
 *       tests/unit/decode_oracle.c hv/x86/decode.c hv/x86/decode_rows.c hv/x86/decode_args.c \
 *       hv/x86/decode_operand.c -lZydis -o fuzz_decode && ./fuzz_decode -max_len=17 -max_total_time=60
 * The first byte chooses the mode; the rest are the instruction.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../unit/decode_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum x86_mode mode;
    enum x86_decode_rc rc;
    struct x86_insn insn;
    unsigned int n;
    const char *why;

    if (size < 2 || size > 20)
        return -1;
    mode = data[0] & 1 ? X86_MODE_32 : X86_MODE_64;
    n = (unsigned int)size - 1;

    why = decode_oracle(data + 1, n, mode, &rc, &insn);
    if (!why && rc == X86_DECODE_OK)
        why = decode_oracle_pieces(data + 1, n, mode, &insn);
    if (why) {
        fprintf(stderr, "decoder: %s\n", why);
        abort();
    }
    return 0;
}
