/* SPDX-License-Identifier: MIT */
/*
 * Where members of a kernel's structures are, from the type description that it carries (BTF;
 * Linux, Documentation/bpf/btf.rst).
 */
#ifndef TRACING_BTF_H
#define TRACING_BTF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BTF_FILE "/sys/kernel/btf/vmlinux"

struct btf {
    uint8_t *bytes;
    size_t nr_bytes;
    const uint8_t *types, *types_end;
    const char *strings;
    size_t string_bytes;
    uint32_t *type_at;          /* offset of type i in `types`; type 0 is void */
    uint32_t nr_types;
};

/* 0 or a negative errno; -ENOEXEC: no such file, or a damaged one. */
int btf_read(struct btf *b, const char *file);
void btf_free(struct btf *b);

/* Offset in bytes of a member, "arch.num_orcs" too, of `struct name`; -1 if there is none. */
int64_t btf_offset(const struct btf *b, const char *structure, const char *member);

#endif
