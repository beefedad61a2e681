/* SPDX-License-Identifier: MIT */
/* Text into a buffer of fixed size, for code that has no printf. */
#ifndef FASTPATH_TEXT_H
#define FASTPATH_TEXT_H

#include <stdint.h>

struct fast_text {
    char *at;          /* the buffer; always ends in a zero byte when room > 0 */
    unsigned int room; /* its size in bytes */
    unsigned int used; /* characters in it, without the zero byte */
    unsigned int lost; /* characters that had no room */
};

void text_init(struct fast_text *t, char *buffer, unsigned int size);
void text_char(struct fast_text *t, char c);
void text_str(struct fast_text *t, const char *s);
void text_dec(struct fast_text *t, int64_t value);
void text_hex(struct fast_text *t, uint64_t value);
/* A signed number with its sign always written: +8, -16, +0. */
void text_offset(struct fast_text *t, int64_t value);

#endif
