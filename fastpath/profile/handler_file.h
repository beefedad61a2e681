/* SPDX-License-Identifier: MIT */
/*
 * Handlers in files.  Read: the program format (fastpath/core/program.h), objects of clang -target
 * bpf, and what handler_file_write() makes: such an object with sections of its own beside the
 * program, so that a handler loads again as it was installed, without the daemon:
 *   .radon.watches      struct radon_fast_watch[]: the pages that it rests on, with their hashes
 *   .radon.tainted      uint32_t[]: instructions whose value rests on the time stamp
 *   .radon.flags        uint32_t: RADON_FAST_ONE_VCPU or 0
 *   .radon.provenance   text, lines "name: value": where it comes from
 *   .radon.explanation  text: how it was made
 */
#ifndef PROFILE_HANDLER_FILE_H
#define PROFILE_HANDLER_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fastpath/core/program.h"
#include "hv/include/public/radon.h"

struct handler_file {
    void *program;
    size_t program_bytes;
    struct radon_fast_watch *watches;
    uint32_t nr_watches;
    uint32_t *tainted;
    uint32_t nr_tainted;
    uint32_t flags;
    char *provenance;  /* NULL: none */
    char *explanation;
};

/*
 * Program number `index` of the file.  1: read; 0: it has no such program; -1 with the reason in
 * error.  A program in the file that makes no sense is read all the same: the verifier's to refuse.
 */
int handler_file_read(const char *path, unsigned int index, struct handler_file *out, char *error,
                      size_t error_size);
/* Everything is allocated; zeros are allowed. */
void handler_file_free(struct handler_file *f);

/* False with the reason. The file appears whole or not at all. */
bool handler_file_write(const char *path, const struct handler_file *f, char *error,
                        size_t error_size);

#endif
