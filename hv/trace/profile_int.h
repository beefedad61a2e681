/* SPDX-License-Identifier: MIT */
/*
 * Timer samples, inside: when one is taken (profile_source.c), what it says (profile.c).
 */
#ifndef HV_TRACE_PROFILE_INT_H
#define HV_TRACE_PROFILE_INT_H

#include "hv/profile.h"
#include "public/radon.h"

struct verdict {
    enum radon_profile_mode mode;
    uint32_t entry;             /* enum radon_site_kind | number << 8 */
};

/* What a tick found. */
struct caught {
    struct verdict verdict;
    uint64_t hv_rip;            /* where in the hypervisor; 0 = it was not, or nobody knows */
    uint32_t handler;           /* that was running, or 0 */
    uint32_t missed;            /* ticks since that found the same */
};

/* What this CPU samples by. */
const struct radon_profile_control *profile_wanted(void);

/*
 * A tick found v's guest at regs: the guest itself, or the entry that has just ended, if the guest is
 * where only an entry leads.
 */
struct verdict profile_judge_guest(const struct vcpu *v, const struct cpu_user_regs *regs);
/*
 * A tick found the hypervisor in an entry of v's, with that stack pointer: which entry.  False when its
 * frame is not there (any more).
 */
bool profile_judge_entry(const struct vcpu *v, uint64_t hv_rsp, struct verdict *verdict);

/*
 * Record a sample of v, which is current; regs: its guest's, or NULL when they cannot be had.  Guest
 * memory is read: no NMI context.
 */
void profile_put(const struct caught *c, const struct vcpu *v, const struct cpu_user_regs *regs);

#endif
