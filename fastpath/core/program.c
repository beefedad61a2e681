/* SPDX-License-Identifier: MIT */
#include "program.h"
#include "mem.h"

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
}

/* At least one character, then zeros to the end of the field, at least one. */
static bool name_ok(const char *name)
{
    unsigned int i = 0;

    while (i < FAST_NAME_BYTES && name_char(name[i]))
        i++;
    if (i == 0 || i == FAST_NAME_BYTES)
        return false;
    while (i < FAST_NAME_BYTES && name[i] == 0)
        i++;
    return i == FAST_NAME_BYTES;
}

enum fast_refusal_id program_check_attach(const struct fast_header *head)
{
    switch (head->attach_kind) {
    case FAST_ATTACH_SYSCALL:
        return head->attach_number > FAST_MAX_SYSCALL || head->attach_address ? FAST_BAD_ATTACH
                                                                              : FAST_OK;
    case FAST_ATTACH_HYPERCALL:
        return head->attach_number > FAST_MAX_HYPERCALL || head->attach_address ? FAST_BAD_ATTACH
                                                                                : FAST_OK;
    case FAST_ATTACH_EXCEPTION:
        return head->attach_number > 31 || !head->attach_address ? FAST_BAD_ATTACH : FAST_OK;
    default:
        return FAST_BAD_ATTACH;
    }
}

enum fast_refusal_id program_parse(const void *blob, size_t size, struct fast_program *out)
{
    if (size < sizeof(out->head))
        return FAST_BAD_SIZE;
    memcpy(&out->head, blob, sizeof(out->head));
    if (out->head.magic != FAST_MAGIC)
        return FAST_BAD_MAGIC;
    if (out->head.version != FAST_VERSION)
        return FAST_BAD_VERSION;
    if (out->head.insns == 0)
        return FAST_EMPTY;
    if (out->head.insns > FAST_MAX_INSNS)
        return FAST_TOO_LONG;
    if (out->head.header_bytes != sizeof(out->head) || out->head.total_bytes != size ||
        size != sizeof(out->head) + out->head.insns * sizeof(struct fast_insn))
        return FAST_BAD_SIZE;
    if (!name_ok(out->head.name))
        return FAST_BAD_NAME;
    out->insns = (const struct fast_insn *)((const char *)blob + sizeof(out->head));
    return program_check_attach(&out->head);
}
