/* SPDX-License-Identifier: MIT */
/*
 * Symbols of a Linux kernel out of its memory: the tables that its own /proc/kallsyms is made from
 * (CONFIG_KALLSYMS with CONFIG_KALLSYMS_BASE_RELATIVE, as on x86-64; Linux 4.6 to 6.1 with its updates).  For kernels that
 * hide addresses, and for those of other domains.
 *
 * In memory one behind the other, each aligned to 8 bytes:
 *   offsets       32 bits a symbol: n >= 0 is the address n, n < 0 the address base - 1 - n
 *   base          64 bits
 *   number        32 bits
 *   names         a length (below 128 in a byte, else 7 low bits with 0x80 and a byte of higher ones),
 *                 then so many bytes, each a token
 *   markers       32 bits: where in `names` every 256th is
 *   order         3 bytes a symbol; not in all kernels
 *   tokens        256 texts, zero-ended, one behind the other
 *   token index   16 bits: where in `tokens` each is
 * The first character of a name is the symbol's type, as nm has it.
 */
#ifndef TRACING_KALLSYMS_IMAGE_H
#define TRACING_KALLSYMS_IMAGE_H

#include "symtab.h"

/*
 * Find the tables in a copy of the kernel's memory, add the symbols to t and sort it: how many there are,
 * or -ENODATA when there are no such tables, -ENOMEM.
 */
long kallsyms_image_read(struct symtab *t, const uint8_t *image, size_t bytes);

#endif
