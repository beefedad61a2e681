/* SPDX-License-Identifier: MIT */
/*
 * Numbers that assembly takes from C.  Compiled to assembly only; CMake turns the marked lines
 * into hv/asm_offsets.h.
 */
#include "hv/hypercall.h"
#include "hv/percpu.h"
#include "hv/sites.h"
#include "hv/trace.h"
#include "hv/vcpu_hot.h"
#include "hv/x86.h"

#include "fast/fast_int.h"

#define EMIT(name, value) __asm__ volatile("\n.ascii \"@@" #name " %0\"" ::"i"((long)(value)))
#define HOTF(name, field) EMIT(HOT_##name, offsetof(struct vcpu_hot, field))

void asm_offsets(void);
void asm_offsets(void)
{
#define EVENT(name, id, fields, text) EMIT(TRACE_EV_##name, TRACE_EV_##name);
#define EVENT_VAR(name, id, text) EMIT(TRACE_EV_##name, TRACE_EV_##name);
#include "../../tracing/events.def"
    EMIT(SIZEOF_HOT, sizeof(struct vcpu_hot));
    HOTF(FLAGS, flags);
    HOTF(INFO, info);
    HOTF(KERNEL_CR3, kernel_cr3);
    HOTF(USER_CR3, user_cr3);
    HOTF(KERNEL_FRAME, kernel_frame);
    HOTF(SYSCALL_RIP, syscall_rip);
    HOTF(PAGE_FAULT_RIP, page_fault_rip);
    HOTF(SCRATCH, scratch);
    HOTF(FAST_LEAN, fast_lean);
    HOTF(FAST_WORK, fast_work);
    HOTF(FAST_MAP, fast_map);
    HOTF(FAST_FAULTS, fast_faults);
    EMIT(FAST_FAULT_BITS_, 8 * sizeof(((struct vcpu_hot *)0)->fast_faults));
    HOTF(HYPERCALLS, hypercalls);
    EMIT(FAST_MAX_SYSCALL_, FAST_MAX_SYSCALL);
    EMIT(FAST_COUNTS_CODE, offsetof(struct fast_counts, code));
    EMIT(FAST_COUNTS_LEFT, offsetof(struct fast_counts, left));
    EMIT(FAST_COUNTS_STEP, offsetof(struct fast_counts, step));
    EMIT(FAST_COUNTS_HITS, offsetof(struct fast_counts, hits));
    EMIT(FAST_COUNTS_CHOSEN, offsetof(struct fast_counts, passes[RADON_FAST_PASS_CHOSEN]));
    EMIT(FAST_HANDLER_COUNTS, offsetof(struct fast_handler, counts));
    EMIT(FAST_HANDLER_NUMBER, offsetof(struct fast_handler, info.attach_number));
    EMIT(FAST_CPU_COUNTS_AT, offsetof(struct fast_cpu, counts_at));
    EMIT(FAST_RUN_STOP, offsetof(struct fast_cpu, run.stop));
    EMIT(FAST_STOP_NONE_, FAST_STOP_NONE);
    EMIT(FAST_REFUSED_FLAGS_, FAST_REFUSED_FLAGS | X86_EFLAGS_RF);
    HOTF(SITE_COUNTDOWN, site_countdown);
    HOTF(SITE_PERIOD, site_period);
    HOTF(SITE_ROWS, site_rows);
    HOTF(SITE_IRET_ROW, site_iret_row);
    HOTF(SITE_FOUND, site_found);
    HOTF(SITE_GIVEN, site_given);
    HOTF(SITE_HYPERCALL, site_hypercall);
    HOTF(SITE_SUB_MASKS, site_sub_masks);
    HOTF(SITE_KEY, site_key);
    HOTF(SITE_ADDRESS, site_address);
    HOTF(SITE_ENTRY, site_entry);
    HOTF(BOUNCE_KEY, bounce_key);
    HOTF(BOUNCE_ADDRESS, bounce_address);
    HOTF(BOUNCE_ENTRY, bounce_entry);
    HOTF(BOUNCE_COST, bounce_cost);
    HOTF(SITE_RDX, site_rdx);
    HOTF(SITE_BASE, site_base);
    EMIT(SITE_SYSCALL, RADON_SITE_SYSCALL);
    EMIT(SITE_PAGE_FAULT, RADON_SITE_PAGE_FAULT);
    EMIT(SITE_HASH_SHIFT_, 64 - SITE_HASH_BITS - 8); /* to a row's offset */
    EMIT(SITE_ROWS_, SITE_ROWS);
    EMIT(SITE_OWN_LIMIT, offsetof(struct site_row, limit));
    EMIT(SITE_OWN_TOTAL, offsetof(struct site_row, total));
    EMIT(SITE_OWN_BINS, offsetof(struct site_row, cost));
    EMIT(SITE_BOUNCED_LIMIT, offsetof(struct site_row, bounced_limit));
    EMIT(SITE_BOUNCED_TOTAL, offsetof(struct site_row, bounced_total));
    EMIT(SITE_BOUNCED_BINS, offsetof(struct site_row, bounced_cost));
    HOTF(CPU, cpu);
    EMIT(CPU_TRACE, offsetof(struct cpu, trace));
    EMIT(SIZEOF_RING, sizeof(struct trace_ring));
    EMIT(RING_CUR, offsetof(struct trace_ring, cur));
    EMIT(RING_LIMIT, offsetof(struct trace_ring, limit));
    EMIT(RING_BUF, offsetof(struct trace_ring, buf));
    EMIT(RING_WRITTEN, offsetof(struct trace_ring, written));
    EMIT(RING_BIAS, offsetof(struct trace_ring, bias));
    EMIT(T_BUF_PROD, offsetof(struct t_buf, prod));
    EMIT(TRACE_TO_XEN_, TRACE_TO_XEN);
    EMIT(TRACE_TO_OWN_, TRACE_TO_OWN);
    EMIT(TRACE_EXTRA_MAX_, TRACE_EXTRA_MAX);
    EMIT(HEAD_HYPERCALL, (int32_t)TRACE_HEAD(TRC_PV_HYPERCALL_V2, 0));
    EMIT(HEAD_SUBCALL, (int32_t)TRACE_HEAD(TRC_PV_HYPERCALL_SUBCALL, 0));
    EMIT(HEAD_PAGE_FAULT, (int32_t)TRACE_HEAD(TRC_PV_PAGE_FAULT | TRC_64_FLAG, 0));
    EMIT(HEAD_BOUNCE_SYSCALL, (int32_t)TRACE_HEAD(RADON_TRC_ENTRY + 4, 0));
    EMIT(HEAD_EXIT_HYPERCALL, (int32_t)TRACE_HEAD(RADON_TRC_ENTRY + 1, 0));
    EMIT(HEAD_IRET_USER, (int32_t)TRACE_HEAD(RADON_TRC_ENTRY + 5, 0));
    EMIT(TRACE_EXTRA_SHIFT_, TRACE_EXTRA_SHIFT);
    EMIT(VCPUINFO_CR2, offsetof(struct vcpu_info, arch.cr2));
    EMIT(VCPUINFO_MASK, offsetof(struct vcpu_info, evtchn_upcall_mask));
    EMIT(UREGS_CS, offsetof(struct cpu_user_regs, cs));
    EMIT(UREGS_WORDS, offsetof(struct cpu_user_regs, es) / 8);
    EMIT(FLAT_RING3_SS64_, FLAT_RING3_SS64);
    EMIT(FLAT_RING3_SS32_, FLAT_RING3_SS32);
    EMIT(FLAT_RING3_CS64_, FLAT_RING3_CS64);
    EMIT(FLAT_RING3_CS32_, FLAT_RING3_CS32);
    EMIT(HYPERVISOR_VIRT_END_, HYPERVISOR_VIRT_END);
    EMIT(HYPERCALL_IRET, __HYPERVISOR_iret);
    EMIT(NR_HYPERCALLS, NR_HYPERCALLS);
    EMIT(HYPERCALL_STUB_TAIL_, HYPERCALL_STUB_TAIL);
    EMIT(HYPERCALL_STUB_PUSHES_, HYPERCALL_STUB_PUSHES);
    EMIT(XEN_ENOSYS_, XEN_ENOSYS);
    EMIT(X86_EFLAGS_GUEST_ENTRY, X86_EFLAGS_IF | X86_EFLAGS_FIXED);
    EMIT(X86_EFLAGS_FREE, X86_EFLAGS_FREE);
}
