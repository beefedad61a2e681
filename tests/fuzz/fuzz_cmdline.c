/* SPDX-License-Identifier: MIT */
/*
 * Command lines from rubbish: no crash, every string ends, a value stays in its range.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -Ihv tests/fuzz/fuzz_cmdline.c \
 *       hv/boot/cmdline.c hv/boot/cmdline_value.c -o fuzz_cmdline
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "boot/cmdline.h"

static void complain(void *ctx, enum cmdline_complaint what, const char *text, const char *token)
{
    (void)what;
    if (!*text || strlen(token) >= OPTION_TOKEN_MAX)
        abort();
    ++*(unsigned int *)ctx;
}

static void check_serial(const struct serial_option *s)
{
    if (s->data_bits < 5 || s->data_bits > 8 || !strchr("noems", s->parity) || !s->clock ||
        (s->stop_bits != 1 && s->stop_bits != 2))
        abort();
}

static void check_amount(const struct mem_amount *a)
{
    const uint64_t total = UINT64_C(5) << 30;

    if (a->percent > 100 || mem_amount_bytes(a, total) > total || mem_amount_bytes(a, 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct boot_options o;
    unsigned int complaints = 0;
    char *text;
    const char *rest, *args;

    if (size < 1 || !(text = malloc(size)))
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    cmdline_defaults(&o);
    rest = cmdline_parse(&o, text, data[0] % 3, complain, &complaints);
    if (rest && (rest < text || rest >= text + strlen(text)))
        abort();
    args = cmdline_module_args(text, CMDLINE_NAME_GUESS);
    if (args < text || args > text + strlen(text))
        abort();
    check_serial(&o.com1);
    check_serial(&o.com2);
    check_amount(&o.dom0_mem.size);
    check_amount(&o.dom0_mem.min);
    check_amount(&o.dom0_mem.max);
    if (o.dom0_max_vcpus.min > o.dom0_max_vcpus.max || o.loglvl > LOGLVL_DEBUG ||
        !memchr(o.sched, 0, sizeof(o.sched)))
        abort();
    cmdline_name_rule(text);
    free(text);
    return 0;
}
