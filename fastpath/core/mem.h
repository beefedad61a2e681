/* SPDX-License-Identifier: MIT */
/* What the core needs of a C library: the hypervisor and the host both have these. */
#ifndef FASTPATH_MEM_H
#define FASTPATH_MEM_H

#include <stdbool.h>
#include <stddef.h>

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);

#endif
