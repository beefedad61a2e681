/* SPDX-License-Identifier: MIT */
/* Memory and string functions that the compiler expects, and formatted printing. */
#include <stdarg.h>

#include "ktest.h"

void *memcpy(void *to, const void *from, size_t n)
{
    void *result = to;

    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
    return result;
}

void *memset(void *to, int value, size_t n)
{
    void *result = to;

    asm volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(value) : "memory");
    return result;
}

void *memmove(void *to, const void *from, size_t n)
{
    uint8_t *d = to;
    const uint8_t *s = from;

    if (d <= s)
        return memcpy(to, from, n);
    while (n-- > 0)
        asm volatile("movb %1, %0" : "=m"(d[n]) : "r"(s[n]));
    return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;

    for (; n > 0; n--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

size_t strlen(const char *s)
{
    const char *end = s;

    while (*end)
        end++;
    return (size_t)(end - s);
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return (uint8_t)*a - (uint8_t)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n > 0; n--, a++, b++)
        if (*a != *b || !*a)
            return (uint8_t)*a - (uint8_t)*b;
    return 0;
}

struct out {
    char *at, *end;
};

static void put(struct out *o, char c)
{
    if (o->at < o->end)
        *o->at++ = c;
}

static void put_padded(struct out *o, const char *s, size_t n, unsigned int width, char pad)
{
    for (; width > n; width--)
        put(o, pad);
    while (n-- > 0)
        put(o, *s++);
}

static void put_number(struct out *o, uint64_t value, bool negative, unsigned int base,
                       unsigned int width, char pad)
{
    char digits[24];
    char *at = digits + sizeof(digits);

    do {
        *--at = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    if (negative)
        *--at = '-';
    put_padded(o, at, (size_t)(digits + sizeof(digits) - at), width, pad);
}

static uint64_t fetch_unsigned(va_list *args, unsigned int longs)
{
    return longs ? va_arg(*args, uint64_t) : va_arg(*args, unsigned int);
}

static void put_conversion(struct out *o, char c, unsigned int longs, unsigned int width, char pad,
                           va_list *args)
{
    const char *s;
    int64_t n;

    switch (c) {
    case 'd':
        n = longs ? va_arg(*args, int64_t) : va_arg(*args, int);
        put_number(o, n < 0 ? -(uint64_t)n : (uint64_t)n, n < 0, 10, width, pad);
        break;
    case 'u':
        put_number(o, fetch_unsigned(args, longs), false, 10, width, pad);
        break;
    case 'x':
        put_number(o, fetch_unsigned(args, longs), false, 16, width, pad);
        break;
    case 'p':
        put_number(o, va_arg(*args, uint64_t), false, 16, 16, '0');
        break;
    case 's':
        s = va_arg(*args, const char *);
        put_padded(o, s, strlen(s), width, ' ');
        break;
    case 'c':
        put(o, (char)va_arg(*args, int));
        break;
    default:
        put(o, c);
    }
}

static size_t format_to(char *buffer, size_t size, const char *f, va_list *args)
{
    struct out o = { buffer, buffer + size - 1 };

    for (; *f; f++) {
        unsigned int width = 0, longs = 0;
        char pad = ' ';

        if (*f != '%') {
            put(&o, *f);
            continue;
        }
        if (*++f == '0')
            pad = '0';
        for (; *f >= '0' && *f <= '9'; f++)
            width = width * 10 + (unsigned int)(*f - '0');
        for (; *f == 'l' || *f == 'z'; f++)
            longs++;
        put_conversion(&o, *f, longs, width, pad, args);
    }
    *o.at = '\0';
    return (size_t)(o.at - buffer);
}

void kvsnprintf(char *out, size_t size, const char *format, va_list *args)
{
    format_to(out, size, format, args);
}

void ksnprintf(char *out, size_t size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    format_to(out, size, format, &args);
    va_end(args);
}

void printk(const char *format, ...)
{
    char line[512];
    va_list args;
    size_t n;

    va_start(args, format);
    n = format_to(line, sizeof(line), format, &args);
    va_end(args);
    hyp_console_io(CONSOLEIO_write, n, line);
}
