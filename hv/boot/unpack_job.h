/* SPDX-License-Identifier: MIT */
/* One unpacking under way; between unpack.c and the decoders that have files of their own. */
#ifndef HV_BOOT_UNPACK_JOB_H
#define HV_BOOT_UNPACK_JOB_H

#include "unpack.h"
#include "unpack_arena.h"

/* A stream in the making: what is left of the input is what follows the compressed data. */
struct job {
    const uint8_t *in;
    size_t left;
    uint8_t *out;
    size_t cap;
    size_t made;
    struct arena arena;
};

/* Decode one stream: on UNPACK_OK made and left are up to date. */
enum unpack_status job_unpack_xz(struct job *job);
enum unpack_status job_unpack_lzma(struct job *job);

/* See unpack_scratch_need(). */
uint64_t job_xz_scratch_need(const uint8_t *in, size_t n);
uint64_t job_lzma_scratch_need(const uint8_t *in, size_t n);

#endif
