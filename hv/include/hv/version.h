/* SPDX-License-Identifier: MIT */
#ifndef HV_VERSION_H
#define HV_VERSION_H

/* The interface that is spoken, as XENVER_version and _extraversion say it. */
#define XEN_MAJOR 4
#define XEN_MINOR 17
#define XEN_EXTRAVERSION_TEXT "-radon"

/* The hypervisor's command line, without the file name. */
extern char hv_cmdline[1024];

#endif
