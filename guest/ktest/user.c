/* SPDX-License-Identifier: MIT */
/* User mode on the kernel's own page tables: enough for all that is not about memory. */
#include "ktest.h"
#include "pages.h"

void user_mode_init(void)
{
    ktest_require(mmuext(MMUEXT_NEW_USER_BASEPTR, mfn_of((void *)start_info->pt_base), 0) == 0);
}
