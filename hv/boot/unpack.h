/* SPDX-License-Identifier: MIT */
/*
 * Unpacking a compressed kernel, with the static libraries that Debian ships (liblzma, zlib, zstd,
 * lz4).
 *
 * How the libraries run freestanding: unpack.cmake links them with unpack.c and unpack_shim.c into
 * one relocatable object whose only global symbols are the unpack_* functions below, and whose
 * sections are called .init.unpack.*, so that the whole can be thrown away after boot. What that
 * object needs from the program around it: memcpy, memmove, memset, memcmp. No allocation outside
 * the scratch arena, no state between calls.
 *
 * What the caller must provide around each call, because the libraries are ordinary user-space
 * code:
 *  - FS base points to a struct unpack_tls: they are compiled with the stack protector, which reads
 *    its canary from %fs:0x28.
 *  - SSE is enabled (CR4.OSFXSR, CR0.EM and CR0.TS clear); the XMM registers are clobbered.
 *  - They use the red zone: nothing may push on this stack below RSP. So interrupts are off, and
 * NMI and machine check (and any exception expected to return) run on an IST stack.
 *  - UNPACK_STACK bytes of stack are free.
 *  - The linker keeps .got and .got.plt: a few of their references go through it.
 */
#ifndef HV_BOOT_UNPACK_H
#define HV_BOOT_UNPACK_H

#include <stddef.h>
#include <stdint.h>

/* What FS base must point to. Any canary will do; it must not change during the call. */
struct unpack_tls {
    uint8_t unused[0x28];
    uint64_t canary;
};

#define UNPACK_STACK 8192 /* bytes; a quarter was seen in use, over all formats */

enum unpack_format {
    UNPACK_FORMAT_UNKNOWN,
    UNPACK_FORMAT_STORED, /* an ELF file, not compressed */
    UNPACK_FORMAT_GZIP,
    UNPACK_FORMAT_XZ,
    UNPACK_FORMAT_LZMA, /* the "alone" format of LZMA utils */
    UNPACK_FORMAT_LZ4,  /* the legacy frame of lz4 -l, as Linux uses it */
    UNPACK_FORMAT_ZSTD,
    UNPACK_FORMAT_BZIP2, /* recognised, not supported */
    UNPACK_FORMAT_LZO,   /* recognised, not supported */
};

enum unpack_status {
    UNPACK_OK,
    UNPACK_UNKNOWN,     /* no format that we know of */
    UNPACK_UNSUPPORTED, /* bzip2 or LZO: see unpack_format_name() */
    UNPACK_CORRUPT,     /* a checksum or the coding is wrong (xz: or the input ends too early) */
    UNPACK_TRUNCATED,   /* the input ends too early */
    UNPACK_TRAILING,    /* neither nothing nor the 4-byte size follows the stream */
    UNPACK_WRONG_SIZE,  /* the result's length is not the one recorded at the end */
    UNPACK_TOO_BIG,     /* the result does not fit out */
    UNPACK_NO_SCRATCH,  /* the arena is smaller than unpack_scratch_need() */
};

/* By magic number; n may be anything. */
enum unpack_format unpack_detect(const void *in, size_t n);

/* "gzip", "xz", ...; "unknown". */
const char *unpack_format_name(enum unpack_format format);

/*
 * Length of the unpacked image as the last 4 bytes state it: Linux's build appends it to every
 * payload, and a gzip file ends with it anyway. Only a hint: it is untrusted and, in a bare xz,
 * lzma, zstd or lz4 file, not there at all. 0 when n < 4.
 */
uint32_t unpack_size_hint(const void *in, size_t n);

/*
 * Bytes of arena that unpack_payload() needs for this input: from 0 (lz4) to the window of an xz or
 * lzma stream (32 MiB for a Linux kernel; the stream may state up to 4 GiB, so compare the result
 * with what can be had). 0 when the input is not understood: unpack_payload() then says why.
 */
uint64_t unpack_scratch_need(const void *in, size_t n);

/*
 * Unpacks in[0..n) into out[0..cap). On UNPACK_OK *out_len is the length; otherwise it is 0 and out
 * holds rubbish. out and scratch must not overlap each other or the input; scratch needs no
 * alignment. When 4 bytes follow the compressed stream they must state the length.
 */
enum unpack_status unpack_payload(const void *in, size_t n, void *out, size_t cap, size_t *out_len,
                                  void *scratch, size_t scratch_len);

/* A line for the console, without the final stop. */
const char *unpack_status_text(enum unpack_status status);

#endif
