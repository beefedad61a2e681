/* SPDX-License-Identifier: MIT */
#ifndef TESTS_GUEST_SITES_H
#define TESTS_GUEST_SITES_H

#include <stdint.h>

#include "public/radon.h"

#define ROOM 1024u

/* What read_rows() found. */
extern struct radon_site rows[ROOM];
extern struct radon_sites_read reading;

long control(uint32_t mode, uint32_t period);
/* All rows of this kernel on CPU 0; how many. */
unsigned int read_rows(uint16_t flags);
/* The sum over those of that kind and number (and address, unless 0). */
struct radon_site sum(unsigned int kind, uint32_t number, const void *address);
void spin_ms(uint64_t ms);

void parts(void);
void vcpus(void);

#endif
