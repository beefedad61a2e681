/* SPDX-License-Identifier: MIT */
/*
 * nmi: the NMI callback of domain 0.
 *
 * Promised (public/callback.h CALLBACKTYPE_nmi; public/vcpu.h send_nmi): the callback is entered
 * whatever the upcall mask says, with upcalls masked, once a request; the next one waits until
 * the guest has returned by the iret hypercall.
 * Why: a guest's watchdog and its crash dumps.
 * Varied: upcall mask; a second request before and after iret. Checked: frame, order.
 */
#include "ktest.h"
#include "snippet.h"

const char ktest_name[] = "nmi";

/* VCPUOP_send_nmi to vCPU 0 */
SNIPPET(send, "mov $24, %eax\n mov $11, %edi\n xor %esi, %esi\n xor %edx, %edx\n syscall\n",
        "ud2");
SNIPPET(nothing, "", "nop");

void test_main(void)
{
    for (unsigned int open = 0; open < 2; open++) {
        struct exception e;

        test_case("NMI with upcalls %s", open ? "open" : "masked");
        check_eq(callback_set(CALLBACKTYPE_nmi, 0, ktest_nmi_entry), 0);
        this_cpu()->info->evtchn_upcall_mask = !open;
        e = run(regs_kernel(send_code));
        this_cpu()->info->evtchn_upcall_mask = 1;
        check_eq(e.regs.vector, VEC_NMI);
        check_eq(e.regs.rip, send_at);
        check_eq(e.upcall_mask, 1);
        check_eq(e.saved_mask, !open);

        test_case("a second NMI waits for iret");
        e = run(regs_kernel(send_code));
        check_eq(e.regs.vector, VEC_UD);
        check_eq(e.regs.rip, send_at);
        e = run_iret(regs_kernel(nothing_code));
        check_eq(e.regs.vector, VEC_NMI);
        check_eq(e.regs.rip, nothing_code);
        e = run_iret(regs_kernel(nothing_code));
        check_eq(e.regs.vector, VEC_UD);
        check_eq(e.regs.rip, nothing_after);
    }
}
