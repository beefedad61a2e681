/* SPDX-License-Identifier: MIT */
/*
 * Building domain 0 from the boot loader's modules.
 */
#ifndef HV_BOOT_DOM0_H
#define HV_BOOT_DOM0_H

#include "hv/types.h"

struct boot_info;
struct boot_options;

/*
 * Unpack the first module (kernel), take the second as its initrd, create domain 0 and make its
 * vCPU 0 runnable.  A module that cannot be used is a panic with the reason in one line.
 */
void dom0_build(const struct boot_info *boot, const struct boot_options *options);

#endif
