/* SPDX-License-Identifier: MIT */
/*
 * Formatted messages: %d %i %u %x %X %p %s %c %% with l, ll, z, width, 0 and -.
 */
#include "hv/console.h"
#include "hv/lib.h"
#include "hv/spinlock.h"

struct out {
    char *buf;
    size_t size, len;
};

static void put(struct out *o, char c)
{
    if (o->len + 1 < o->size)
        o->buf[o->len] = c;
    o->len++;
}

struct spec {
    int width, precision;
    bool left, zero, is_signed, upper;
    unsigned int base;
};

static void put_padded(struct out *o, const struct spec *s, const char *text, size_t n)
{
    int pad = s->width - (int)n;

    if (!s->left)
        while (pad-- > 0)
            put(o, ' ');
    while (n--)
        put(o, *text++);
    if (s->left)
        while (pad-- > 0)
            put(o, ' ');
}

static void put_number(struct out *o, struct spec *s, uint64_t v)
{
    char digits[32];
    size_t at = sizeof(digits), min = s->zero && !s->left ? s->width : 1;
    bool negative = s->is_signed && (int64_t)v < 0;

    if (negative)
        v = -v;
    if (min > 24)
        min = 24;
    if (negative && s->zero && min > 1)
        min--;
    do {
        digits[--at] = (s->upper ? "0123456789ABCDEF" : "0123456789abcdef")[v % s->base];
        v /= s->base;
    } while (v);
    while (sizeof(digits) - at < min)
        digits[--at] = '0';
    if (negative)
        digits[--at] = '-';
    put_padded(o, s, digits + at, sizeof(digits) - at);
}

static const char *put_one(struct out *o, const char *f, va_list *ap)
{
    struct spec s = { .precision = -1, .base = 10 };
    int longs = 0;

    for (;; f++) {
        if (*f == '-')
            s.left = true;
        else if (*f == '0')
            s.zero = true;
        else
            break;
    }
    if (*f == '*') {
        s.width = va_arg(*ap, int);
        f++;
    }
    while (*f >= '0' && *f <= '9')
        s.width = s.width * 10 + (*f++ - '0');
    if (*f == '.') {
        s.precision = 0;
        f++;
        if (*f == '*') {
            s.precision = va_arg(*ap, int);
            f++;
        }
        while (*f >= '0' && *f <= '9')
            s.precision = s.precision * 10 + (*f++ - '0');
    }
    for (; *f == 'l' || *f == 'z' || *f == 'h'; f++)
        longs += *f != 'h';

    switch (*f) {
    case 'd':
    case 'i':
        s.is_signed = true;
        put_number(o, &s, longs ? va_arg(*ap, long) : va_arg(*ap, int));
        break;
    case 'X':
        s.upper = true; /* fall through */
    case 'x':
        s.base = 16; /* fall through */
    case 'u':
        put_number(o, &s, longs ? va_arg(*ap, unsigned long) : va_arg(*ap, unsigned int));
        break;
    case 'p':
        s.base = 16, s.zero = true, s.width = 16;
        put_number(o, &s, (uint64_t)va_arg(*ap, void *));
        break;
    case 'c': {
        char c = va_arg(*ap, int);
        put_padded(o, &s, &c, 1);
        break;
    }
    case 's': {
        const char *text = va_arg(*ap, const char *);
        if (!text)
            text = "(null)";
        put_padded(o, &s, text, s.precision >= 0 ? strnlen(text, s.precision) : strlen(text));
        break;
    }
    case 0:
        return f - 1;
    default:
        put(o, *f);
    }
    return f;
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
    struct out o = { buf, size, 0 };
    va_list copy;

    va_copy(copy, ap);
    for (; *fmt; fmt++) {
        if (*fmt == '%')
            fmt = put_one(&o, fmt + 1, &copy);
        else
            put(&o, *fmt);
    }
    va_end(copy);
    if (size)
        buf[MIN(o.len, size - 1)] = 0;
    return o.len;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return n;
}

#define PREFIX "(radon) "

enum log_level log_threshold = LOG_INFO;
static bool in_line;

static void vprintk(const char *fmt, va_list ap)
{
    char line[512];
    const char *at = line;
    size_t n = vsnprintf(line, sizeof(line), fmt, ap);

    n = MIN(n, sizeof(line) - 1);
    while (n) {
        const char *end = at;
        size_t len;

        if (!in_line)
            console_write(PREFIX, sizeof(PREFIX) - 1);
        while (end < at + n && *end != '\n')
            end++;
        in_line = end == at + n;
        len = end - at + !in_line;
        console_write(at, len);
        at += len;
        n -= len;
    }
}

void printk(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vprintk(fmt, ap);
    va_end(ap);
}

void hv_log(enum log_level level, const char *fmt, ...)
{
    va_list ap;

    if (level > log_threshold)
        return;
    va_start(ap, fmt);
    vprintk(fmt, ap);
    va_end(ap);
}
