/* SPDX-License-Identifier: MIT */
#include "hv/fpu.h"

#include "hv/asm.h"
#include "hv/cpuid.h"
#include "hv/lib.h"
#include "hv/mm.h"
#include "hv/percpu.h"
#include "hv/x86.h"

/* Standard-format XSAVE area or FXSAVE image, at the start of a page of its own. */
struct fpu_state { uint8_t image[PAGE_SIZE]; };

static void xsetbv(uint64_t v)
{
    __asm__ volatile("xsetbv" ::"c"(0), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}

void fpu_init_cpu(void)
{
    if (features.xsave) {
        write_cr4(read_cr4() | X86_CR4_OSXSAVE);
        xsetbv(features.xcr0_max);
    }
    __asm__ volatile("fninit");
}

int fpu_vcpu_init(struct vcpu *v)
{
    _Static_assert(sizeof(struct fpu_state) == PAGE_SIZE, "one page");
    if (features.xsave_size > sizeof(struct fpu_state))
        panic("XSAVE area of %u bytes is larger than a page", features.xsave_size);
    v->fpu = alloc_hv_pages(0);
    if (!v->fpu)
        return -XEN_ENOMEM;
    /* Initial state: FCW 0x37f, MXCSR 0x1f80 (AMD APM volume 2, 11.4.4). */
    *(uint16_t *)&v->fpu->image[0] = 0x37f;
    *(uint32_t *)&v->fpu->image[24] = 0x1f80;
    *(uint64_t *)&v->fpu->image[512] = 3; /* XSTATE_BV: x87 and SSE are given */
    v->xcr0 = 1;
    return 0;
}

void fpu_vcpu_destroy(struct vcpu *v)
{
    free_hv_pages(v->fpu, 0);
    v->fpu = NULL;
}

static void save(struct vcpu *v)
{
    if (features.xsave) {
        xsetbv(features.xcr0_max);
        __asm__ volatile("xsave64 %0" : "+m"(*v->fpu)
                         : "a"((uint32_t)features.xcr0_max), "d"((uint32_t)(features.xcr0_max >> 32))
                         : "memory");
        xsetbv(v->xcr0);
    } else {
        __asm__ volatile("fxsave64 %0" : "+m"(*v->fpu) :: "memory");
    }
}

static void load(struct vcpu *v)
{
    if (features.xsave) {
        xsetbv(features.xcr0_max);
        __asm__ volatile("xrstor64 %0" ::"m"(*v->fpu), "a"((uint32_t)features.xcr0_max),
                         "d"((uint32_t)(features.xcr0_max >> 32)) : "memory");
        xsetbv(v->xcr0);
    } else {
        __asm__ volatile("fxrstor64 %0" ::"m"(*v->fpu) : "memory");
    }
}

static void set_real_ts(bool ts)
{
    uint64_t cr0 = read_cr0(), want = ts ? cr0 | X86_CR0_TS : cr0 & ~X86_CR0_TS;

    if (want != cr0)
        write_cr0(want);
}

void fpu_save(struct vcpu *v)
{
    struct cpu *cpu = this_cpu();

    if (cpu->fpu_owner != v)
        return;
    set_real_ts(false);
    save(v);
    cpu->fpu_owner = NULL;
}

void fpu_switch_to(struct vcpu *v)
{
    struct cpu *cpu = this_cpu();

    if (cpu->fpu_owner != v) {
        set_real_ts(false);
        if (cpu->fpu_owner)
            save(cpu->fpu_owner);
        load(v);
        cpu->fpu_owner = v;
    }
    set_real_ts(v->vcr0 & X86_CR0_TS);
}

void fpu_set_ts(struct vcpu *v, bool ts)
{
    v->vcr0 = ts ? X86_CR0_TS : 0;
    set_real_ts(ts);
}

void fpu_not_available(void)
{
    fpu_set_ts(current(), false);
}

bool fpu_set_xcr0(struct vcpu *v, uint64_t xcr0)
{
    if (!features.xsave || !(v->vcr4 & X86_CR4_OSXSAVE) || (xcr0 & ~features.xcr0_max) || !(xcr0 & 1))
        return false;
    if ((xcr0 & 4) && !(xcr0 & 2)) /* AVX needs SSE */
        return false;
    if ((xcr0 & 0xe0) && ((xcr0 & 0xe0) != 0xe0 || !(xcr0 & 4)))
        return false;
    v->xcr0 = xcr0;
    xsetbv(xcr0);
    return true;
}

long do_fpu_taskswitch(unsigned long set, unsigned long a2, unsigned long a3, unsigned long a4,
                       unsigned long a5, unsigned long a6)
{
    (void)a2, (void)a3, (void)a4, (void)a5, (void)a6;
    fpu_set_ts(current(), set);
    return 0;
}
