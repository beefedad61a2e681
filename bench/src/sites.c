/* SPDX-License-Identifier: MIT */
/*
 * rbench-sites: how the hypervisor fills its tables of hot sites while something is measured.
 * Run in domain 0 of Radon, as root.
 */
#include <stdio.h>
#include <string.h>

#include "tracing/xen/xen.h"

static const char *const modes[] = {
    [RADON_SITES_OFF] = "off", [RADON_SITES_SAMPLED] = "sampled", [RADON_SITES_EXACT] = "exact"
};

int main(int argc, char **argv)
{
    struct radon_sites_control control = { 0 };
    struct radon_info info;
    struct xen x;

    while (control.mode < 3 && argc == 2 && strcmp(argv[1], modes[control.mode]) != 0)
        control.mode++;
    if (argc != 2 || control.mode == 3) {
        fputs("usage: rbench-sites off|sampled|exact\n", stderr);
        return 2;
    }
    if (!xen_open(&x) || !radon_info(&x, &info) ||
        !radon_call(&x, RADON_SITES_CONTROL, &control, sizeof(control), "hot sites")) {
        fprintf(stderr, "rbench-sites: %s\n", x.error);
        return 1;
    }
    xen_close(&x);
    return 0;
}
