/* SPDX-License-Identifier: MIT */
/*
 * Numbers that mean something, boxed so that the compiler keeps them apart.
 */
#ifndef HV_TYPES_H
#define HV_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hv/config.h"

typedef unsigned long ulong;

/* A machine frame number: physical address >> PAGE_SHIFT. */
typedef struct { uint64_t m; } mfn_t;
/* A guest (pseudo-physical) frame number, as the guest's P2M and the M2P use it. */
typedef struct { uint64_t g; } gfn_t;

#define MFN(x) ((mfn_t){ (x) })
#define GFN(x) ((gfn_t){ (x) })
#define MFN_NONE MFN(~0UL)

static inline bool mfn_eq(mfn_t a, mfn_t b)
{
    return a.m == b.m;
}

/* Machine (physical) addresses are plain paddr_t, in bytes. */
typedef uint64_t paddr_t;

static inline mfn_t paddr_to_mfn(paddr_t pa)
{
    return MFN(pa >> PAGE_SHIFT);
}

static inline paddr_t mfn_to_paddr(mfn_t mfn)
{
    return mfn.m << PAGE_SHIFT;
}

/* The direct map covers RAM and the ACPI tables, not devices and not frames without memory. */
static inline void *paddr_to_virt(paddr_t pa)
{
    return (void *)(DIRECTMAP_BASE + pa);
}

static inline void *mfn_to_virt(mfn_t mfn)
{
    return paddr_to_virt(mfn_to_paddr(mfn));
}

/* For direct-map addresses only. */
static inline paddr_t virt_to_paddr(const void *va)
{
    return (paddr_t)(uintptr_t)va - DIRECTMAP_BASE;
}

static inline mfn_t virt_to_mfn(const void *va)
{
    return paddr_to_mfn(virt_to_paddr(va));
}

#define ARRAY_SIZE(a)      (sizeof(a) / sizeof((a)[0]))
#define ROUND_UP(x, a)     (((x) + ((a) - 1)) & ~((__typeof__(x))(a) - 1))
#define ROUND_DOWN(x, a)   ((x) & ~((__typeof__(x))(a) - 1))
#define DIV_ROUND_UP(x, d) (((x) + (d) - 1) / (d))
#define MIN(a, b)          ((a) < (b) ? (a) : (b))
#define MAX(a, b)          ((a) > (b) ? (a) : (b))
#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define __init __attribute__((section(".init.text")))
#define __initdata __attribute__((section(".init.data")))
#define __packed __attribute__((packed))
#define __aligned(n) __attribute__((aligned(n)))
#define __noreturn __attribute__((noreturn))
#define __printf(f, a) __attribute__((format(printf, f, a)))

#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
#define barrier() __asm__ volatile("" ::: "memory")

#endif
