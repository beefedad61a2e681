/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor as the tools for fast handlers see it: radon_op (hv/include/public/radon.h) and
 * the little else that they need.  One of them is the real one (backend_xen.c), one the tests'.
 */
#ifndef PROFILE_BACKEND_H
#define PROFILE_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hv/include/public/radon.h"

struct prof_backend {
    void *ctx;
    /* radon_op: 0 or a negative errno; *arg is written back. */
    int (*op)(void *ctx, enum radon_cmd cmd, void *arg, size_t bytes);
    /* Zeroed memory that radon_op may be pointed to; NULL: none. */
    void *(*buffer)(void *ctx, size_t bytes);
    void (*buffer_free)(void *ctx, void *buffer, size_t bytes);
    /* vCPUs of the domain that are online; 0: cannot be told. */
    unsigned int (*vcpus)(void *ctx, uint16_t domain);
    /* The number of a domain by name or number, "all" is RADON_DOMID_ANY; false: there is none. */
    bool (*find_domain)(void *ctx, const char *name, uint16_t *domain);
    /* Its name, into name[64]. */
    const char *(*domain_name)(void *ctx, uint16_t domain, char name[64]);
};

struct prof_xen;

/* The real one; NULL with the reason in error. Closed by prof_xen_close(). */
struct prof_backend *prof_xen_open(char *error, size_t error_size);
void prof_xen_close(struct prof_backend *b);

#endif
