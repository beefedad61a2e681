/* SPDX-License-Identifier: MIT */
/* Words for the numbers of fast handlers, and attach points as text. */
#ifndef PROFILE_NAMES_H
#define PROFILE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hv/include/public/radon.h"

/* "unknown" for numbers that are none. */
const char *fast_state_name(unsigned int state);         /* enum radon_fast_state */
const char *fast_reason_name(unsigned int reason);       /* enum radon_fast_reason: "TEXT_CHANGED" */
const char *fast_reason_text(unsigned int reason);       /* "a page of code that it rests on ..." */
const char *fast_pass_name(unsigned int pass);           /* enum radon_fast_pass */
const char *capture_end_name(unsigned int end);          /* enum radon_capture_end */
const char *attach_kind_name(unsigned int kind);         /* enum fast_attach_kind */
const char *site_kind_name(unsigned int kind);           /* enum radon_site_kind */
const char *register_name(unsigned int number);          /* in the order of struct radon_regs */
/* NULL for a number that is none. */
const char *syscall_name(unsigned int number);
const char *hypercall_text(unsigned int number);

/* Where a handler is or could be attached. */
struct fast_point {
    uint16_t domain;
    uint32_t kind;    /* enum fast_attach_kind */
    uint32_t number;
    uint64_t address; /* exceptions */
};

bool fast_point_same(const struct fast_point *a, const struct fast_point *b);

#define FAST_POINT_TEXT 96
/* "syscall:getppid", "page_fault:0xffffffff81000000", "exception:6:0x...",
 * "hypercall:xen_version". */
const char *fast_point_text(const struct fast_point *p, char text[FAST_POINT_TEXT]);

#endif
