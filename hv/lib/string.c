/* SPDX-License-Identifier: MIT */
/*
 * Memory and strings.  The compiler calls the mem* by itself; the unpackers do as well.
 */
#include "hv/lib.h"

void *memcpy(void *restrict d, const void *restrict s, size_t n)
{
    void *ret = d;
    size_t words = n / 8;

    n %= 8;
    __asm__ volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(words) :: "memory");
    __asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n) :: "memory");
    return ret;
}

void *memmove(void *d, const void *s, size_t n)
{
    unsigned char *dst = d;
    const unsigned char *src = s;

    if (dst <= src || dst >= src + n)
        return memcpy(d, s, n);
    while (n--) {
        dst[n] = src[n];
        barrier(); /* or the loop would be compiled into a call of memmove */
    }
    return d;
}

void *memset(void *d, int c, size_t n)
{
    void *ret = d;
    uint64_t pattern = 0x0101010101010101UL * (unsigned char)c;
    size_t words = n / 8;

    n %= 8;
    __asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(pattern) : "memory");
    __asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(pattern) : "memory");
    return ret;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *x = a, *y = b;

    for (size_t i = 0; i < n; i++)
        if (x[i] != y[i])
            return x[i] - y[i];
    return 0;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n]) {
        n++;
        barrier();
    }
    return n;
}

size_t strnlen(const char *s, size_t max)
{
    size_t n = 0;

    while (n < max && s[n])
        n++;
    return n;
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n; n--, a++, b++)
        if (*a != *b || !*a)
            return (unsigned char)*a - (unsigned char)*b;
    return 0;
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)s;
        if (!*s)
            return NULL;
    }
}

size_t strlcpy(char *d, const char *s, size_t size)
{
    size_t n = strlen(s);

    if (size) {
        size_t m = MIN(n, size - 1);
        memcpy(d, s, m);
        d[m] = 0;
    }
    return n;
}
