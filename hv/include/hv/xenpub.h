/* SPDX-License-Identifier: MIT */
/*
 * The Xen public ABI headers (Debian's libxen-dev), included in one place with the interface
 * version pinned to the newest that they describe.  Nothing of them is typed again in this tree.
 */
#ifndef HV_XENPUB_H
#define HV_XENPUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef __XEN_TOOLS__
#define __XEN_TOOLS__ 1
#endif

#include <xen/xen.h>
#include <xen/callback.h>
#include <xen/elfnote.h>
#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/nmi.h>
#include <xen/physdev.h>
#include <xen/platform.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#include <xen/errno.h> /* enum xen_errno: XEN_E* */

#endif
