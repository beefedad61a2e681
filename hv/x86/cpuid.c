/* SPDX-License-Identifier: MIT */
/*
 * CPUID for PV guests: the processor's own answers less what a PV guest cannot use, and the leaves
 * of public/arch-x86/cpuid.h.
 */
#include "hv/cpuid.h"

#include "hv/asm.h"
#include "hv/domain.h"
#include "hv/lib.h"
#include "hv/time.h"
#include "hv/x86.h"

#include <xen/arch-x86/cpuid.h>

struct cpu_features features;

void features_detect(void)
{
    uint32_t r[4], max;

    cpuid_count(0, 0, r);
    max = r[0];
    memcpy(features.vendor, &r[1], 4);
    memcpy(features.vendor + 4, &r[3], 4);
    memcpy(features.vendor + 8, &r[2], 4);
    cpuid_count(1, 0, r);
    features.xsave = r[2] & (1u << 26);
    features.pcid = r[2] & (1u << 17);
    features.x2apic = r[2] & (1u << 21);
    features.tsc_deadline = r[2] & (1u << 24);
    features.pge = r[3] & (1u << 13);
    if (max >= 7) {
        cpuid_count(7, 0, r);
        features.smep = r[1] & (1u << 7);
        features.fsgsbase = r[1] & 1;
        features.umip = r[2] & (1u << 2);
    }
    cpuid_count(0x80000001, 0, r);
    features.gb_pages = r[3] & (1u << 26);
    cpuid_count(0x80000000, 0, r);
    if (r[0] >= 0x80000007) {
        cpuid_count(0x80000007, 0, r);
        features.invariant_tsc = r[3] & (1u << 8);
    }
    if (features.xsave) {
        cpuid_count(0xd, 0, r);
        /* x87, SSE, AVX, and AVX-512's three; others (MPX, PKRU, AMX) are not for PV guests. */
        features.xcr0_max = r[0] & 0xe7;
        features.xsave_size = r[2];
        cpuid_count(0xd, 1, r);
        features.xsaveopt = r[0] & 1;
    }
}

static void leaf_1(struct vcpu *v, uint32_t r[4])
{
    static const unsigned int no_ecx[] = {
        2 /* DTES64 */, 3 /* MONITOR */, 4 /* DS-CPL */, 5 /* VMX */, 6 /* SMX */, 7 /* EIST */,
        8 /* TM2 */, 14 /* xTPR */, 15 /* PDCM */, 17 /* PCID */, 18 /* DCA */, 21 /* x2APIC */,
        24 /* TSC deadline */,
    };
    static const unsigned int no_edx[] = {
        1 /* VME */, 3 /* PSE */, 7 /* MCE */, 12 /* MTRR */, 13 /* PGE */, 14 /* MCA */,
        17 /* PSE36 */, 21 /* DS */, 22 /* ACPI */, 29 /* TM */,
    };

    uint32_t mce = r[3] & (1u << 7 | 1u << 14);

    for (unsigned int i = 0; i < ARRAY_SIZE(no_ecx); i++)
        r[2] &= ~(1u << no_ecx[i]);
    for (unsigned int i = 0; i < ARRAY_SIZE(no_edx); i++)
        r[3] &= ~(1u << no_edx[i]);
    if (v->domain->privileged)
        r[3] |= mce; /* domain 0 sees the machine-check architecture, with no banks */
    r[2] |= 1u << 31; /* hypervisor */
    r[2] &= ~(1u << 27);
    if (features.xsave)
        r[2] |= 1u << 27; /* OSXSAVE is always on: PV kernels look for it before they set it */
}

static void leaf_7(uint32_t sub, uint32_t r[4])
{
    if (sub) {
        r[0] = r[1] = r[2] = r[3] = 0;
        return;
    }
    r[0] = 0;
    /* FSGSBASE, TSC_ADJUST, SGX, SMEP, INVPCID, RTM, PQM, MPX, PQE, SMAP, PT */
    r[1] &= ~(1u << 0 | 1u << 1 | 1u << 2 | 1u << 7 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 14 |
              1u << 15 | 1u << 20 | 1u << 25);
    /* UMIP, PKU, OSPKE, WAITPKG, CET, LA57, RDPID and what is above */
    r[2] &= 1u << 1 | 1u << 6 | 1u << 8 | 1u << 9 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 14;
    r[3] &= 1u << 2 | 1u << 3 | 1u << 4; /* AVX-512 forms, fast short rep mov */
}

static void leaf_d(uint32_t sub, uint32_t r[4])
{
    if (sub == 0) {
        r[0] &= features.xcr0_max;
        r[3] = 0;
    } else if (sub == 1) {
        r[0] &= 1; /* XSAVEOPT; no XSAVEC, XSAVES: there is no IA32_XSS for PV guests */
        r[1] = r[2] = r[3] = 0;
    } else if (sub >= 63 || !(features.xcr0_max & (1UL << sub))) {
        r[0] = r[1] = r[2] = r[3] = 0;
    }
}

static void hypervisor_leaf(struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t r[4])
{
    r[0] = r[1] = r[2] = r[3] = 0;
    switch (leaf - 0x40000000) {
    case 0:
        r[0] = 0x40000000 + XEN_CPUID_MAX_NUM_LEAVES;
        r[1] = XEN_CPUID_SIGNATURE_EBX;
        r[2] = XEN_CPUID_SIGNATURE_ECX;
        r[3] = XEN_CPUID_SIGNATURE_EDX;
        break;
    case 1:
        r[0] = 4 << 16 | 17;
        break;
    case 2:
        r[0] = 1;          /* pages of hypercall code */
        r[1] = 0x40000000; /* MSR to write their address to */
        break;
    case 3:
        if (sub == 0) {
            r[1] = 1;      /* TSC mode: native */
            r[2] = tsc_khz;
        } else if (sub == 1) {
            r[2] = tsc_to_ns_mul;
            r[3] = tsc_to_ns_shift;
        }
        break;
    case 4:
        r[1] = v->id;
        break;
    case 5:
        r[1] = 32 - __builtin_clz((uint32_t)max_mfn);
        r[1] += PAGE_SHIFT;
        break;
    }
}

void pv_cpuid(struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t r[4])
{
    if (leaf >= 0x40000000 && leaf < 0x40000100) {
        hypervisor_leaf(v, leaf, sub, r);
        return;
    }
    cpuid_count(leaf, sub, r);
    switch (leaf) {
    case 1:
        leaf_1(v, r);
        break;
    case 5: /* MONITOR */
    case 0xa: /* performance monitoring */
    case 0x12:
    case 0x14:
    case 0x8000000a: /* SVM */
    case 0x8000001b: /* IBS */
        r[0] = r[1] = r[2] = r[3] = 0;
        break;
    case 6:
        r[0] &= 1u << 2; /* ARAT: the timer is ours and does not stop */
        r[1] = r[2] = r[3] = 0;
        break;
    case 7:
        leaf_7(sub, r);
        break;
    case 0xd:
        leaf_d(sub, r);
        break;
    case 0x80000001:
        /* SVM, OSVW, IBS, SKINIT, WDT, LWP, NODEID, TOPOEXT and performance counters */
        r[2] &= ~(1u << 2 | 1u << 9 | 1u << 10 | 1u << 12 | 1u << 13 | 1u << 15 | 1u << 19 |
                  1u << 23 | 1u << 24 | 1u << 28);
        /* 1 GiB pages, RDTSCP, PSE36, and the bits that repeat leaf 1's */
        r[3] &= ~(1u << 26 | 1u << 27 | 1u << 17 | 1u << 13 | 1u << 12 | 1u << 7 | 1u << 3 |
                  1u << 1 | 1u << 14);
        break;
    case 0x80000008:
        r[1] = 0;
        break;
    }
}
