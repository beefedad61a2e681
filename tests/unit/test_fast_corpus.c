/* SPDX-License-Identifier: MIT */
/*
 * What tests/fuzz/fuzz_fast.c has found interesting so far (tests/fuzz/fast.corpus, made by pack.py): the
 * fuzzer's target on each input.  It aborts where engines differ.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define MOST_BYTES (4u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern unsigned long fuzz_fast_compared;

static void replay(void **state)
{
    uint8_t *bytes = malloc(MOST_BYTES);
    FILE *in = fopen("tests/fuzz/fast.corpus", "rb");
    unsigned long inputs = 0;
    size_t n, at = 0;

    (void)state;
    assert_non_null(in);
    assert_non_null(bytes);
    n = fread(bytes, 1, MOST_BYTES, in);
    fclose(in);
    while (at < n) {
        uint8_t *input;
        size_t size;

        assert_true(n - at >= 2);
        size = bytes[at] | (size_t)bytes[at + 1] << 8;
        assert_true(size && size <= n - at - 2);
        input = malloc(size); /* the sanitizer watches its end */
        assert_non_null(input);
        for (size_t i = 0; i < size; i++)
            input[i] = bytes[at + 2 + i];
        LLVMFuzzerTestOneInput(input, size);
        free(input);
        at += 2 + size;
        inputs++;
    }
    free(bytes);
    print_message("%lu inputs, %lu runs compared\n", inputs, fuzz_fast_compared);
    assert_true(inputs >= 100);
    assert_true(fuzz_fast_compared > inputs / 2); /* twice each: calling, and with memory inlined */
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(replay) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
