/* SPDX-License-Identifier: MIT */
#include "text.h"

void text_init(struct fast_text *t, char *buffer, unsigned int size)
{
    t->at = buffer;
    t->room = size;
    t->used = 0;
    t->lost = 0;
    if (size)
        buffer[0] = 0;
}

void text_char(struct fast_text *t, char c)
{
    if (t->used + 1 >= t->room) {
        t->lost++;
        return;
    }
    t->at[t->used++] = c;
    t->at[t->used] = 0;
}

void text_str(struct fast_text *t, const char *s)
{
    while (*s)
        text_char(t, *s++);
}

static void unsigned_in_base(struct fast_text *t, uint64_t value, unsigned int base)
{
    char digits[20];
    unsigned int n = 0;

    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    while (n)
        text_char(t, digits[--n]);
}

void text_dec(struct fast_text *t, int64_t value)
{
    if (value < 0)
        text_char(t, '-');
    unsigned_in_base(t, value < 0 ? -(uint64_t)value : (uint64_t)value, 10);
}

void text_hex(struct fast_text *t, uint64_t value)
{
    text_str(t, "0x");
    unsigned_in_base(t, value, 16);
}

void text_offset(struct fast_text *t, int64_t value)
{
    if (value >= 0)
        text_char(t, '+');
    text_dec(t, value);
}
