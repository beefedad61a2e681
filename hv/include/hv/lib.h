/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's small C library, messages and assertions.
 */
#ifndef HV_LIB_H
#define HV_LIB_H

#include <stdarg.h>

#include "hv/loglevel.h"
#include "hv/types.h"

void *memcpy(void *restrict d, const void *restrict s, size_t n);
void *memmove(void *d, const void *s, size_t n);
void *memset(void *d, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
size_t strlcpy(char *d, const char *s, size_t size);

int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap);
int snprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);

/*
 * Messages to the hypervisor's console, "(XEN) "-like prefix "(radon) " at line starts.  Any
 * context, also NMI.  `level` of hv_log: LOG_*; what is above the threshold of loglvl= is dropped.
 */
extern enum log_level log_threshold;
void printk(const char *fmt, ...) __printf(1, 2);
void hv_log(enum log_level level, const char *fmt, ...) __printf(2, 3);

/* A defect of the hypervisor: registers, symbolised backtrace, end of the machine. */
void panic(const char *fmt, ...) __printf(1, 2) __noreturn;

#define BUG() __asm__ volatile("ud2" ::: "memory")
#define BUG_ON(c)                                                                                  \
    do {                                                                                           \
        if (unlikely(c))                                                                           \
            BUG();                                                                                 \
    } while (0)
/* Checked in every build: what is asserted here must be cheap. */
#define ASSERT(c) BUG_ON(!(c))

/*
 * Memory of the hypervisor's own.  Zeroed; NULL when there is none.  Sizes up to 64 KiB; from
 * size classes (powers of two); alignment is the class.  Not from NMI context.
 */
void *hv_alloc(size_t size);
void hv_free(void *p, size_t size);

#endif
