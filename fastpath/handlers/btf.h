/* SPDX-License-Identifier: MIT */
/*
 * Where the members of a kernel's structures lie, from its BTF (Documentation/bpf/btf.rst in Linux):
 * /sys/kernel/btf/vmlinux of a running kernel, or the section .BTF of its ELF file.
 */
#ifndef HANDLERS_BTF_H
#define HANDLERS_BTF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct btf {
    const uint8_t *types;   /* the type section */
    size_t types_bytes;
    const char *strings;    /* zero-ended */
    size_t strings_bytes;
    const uint32_t *offset; /* of each type in `types`, by number; 0 is void */
    uint32_t nr;
    uint32_t *offsets;      /* the same, to be freed */
};

/* Finds the BTF in file[size] (itself, or an ELF file with it) and takes it apart; the file stays in
 * use.  False with the reason. */
bool btf_open(struct btf *b, const void *file, size_t size, char *error, size_t error_size);
void btf_close(struct btf *b);

struct btf_place {
    uint64_t offset; /* bytes from the start of the outermost structure, or per-CPU area */
    uint64_t bytes;  /* size; 0: unknown */
    bool bits;       /* a bit field: offset is of its first byte */
};

/*
 * "task_struct.thread_info.flags": a structure, then members, through anonymous ones as C does;
 * "percpu.current_task": a per-CPU variable, then members of it, if any.  False with the reason.
 */
bool btf_find(const struct btf *b, const char *path, struct btf_place *place, char *error,
              size_t error_size);

#endif
