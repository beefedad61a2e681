/* SPDX-License-Identifier: MIT */
/*
 * Talking to the hypervisor from a program of domain 0: hypercalls, memory of other domains and of
 * the hypervisor, virtual interrupts.  The only place of the tools that knows /dev/xen/privcmd and
 * /dev/xen/evtchn (Linux's include/uapi/xen/); no libxenctrl, so that it links statically.
 *
 * Functions that return bool say in x->error, as a sentence for people, why they failed.  A struct
 * xen is used by one thread at a time.
 */
#ifndef TRACING_XEN_H
#define TRACING_XEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>

#include "public/radon.h"

#define XEN_ERROR_MAX 256
#define XEN_PAGE 4096u

struct xen {
    int privcmd; /* /dev/xen/privcmd */
    int buffers; /* /dev/xen/hypercall, or -1: locked memory of our own */
    void *page;  /* one page for the arguments of calls */
    char error[XEN_ERROR_MAX];
};

/*
 * Begin; needs root, and a kernel that is domain 0's.  Loads the kernel's module when the device is
 * not there.  After a failure x may be asked for x->error alone.
 */
bool xen_open(struct xen *x);
void xen_close(struct xen *x);

/* Hypercall `op`: what it returned, 0 or more; or a negative errno. */
int xen_hypercall(struct xen *x, unsigned int op, const uint64_t arg[5]);

/* Zeroed memory, page-aligned, that stays where it is while a hypercall uses it; NULL with
 * x->error. */
void *xen_buffer(struct xen *x, size_t bytes);
void xen_buffer_free(void *buffer, size_t bytes);

/*
 * radon_op (public/radon.h) with a copy of the `bytes` at arg, at most a page, which are written
 * back: 0 or a negative errno.  Pointers inside lead to memory of xen_buffer().
 */
int radon_op(struct xen *x, enum radon_cmd cmd, void *arg, size_t bytes);
/* The same; false with x->error, which begins with `what`. */
bool radon_call(struct xen *x, enum radon_cmd cmd, void *arg, size_t bytes, const char *what);

/* RADON_INFO, and false with an error where the hypervisor is not Radon or another version of it.
 */
bool radon_info(struct xen *x, struct radon_info *info);

/* A sysctl (public/sysctl.h): 0 or a negative errno.  Sets the interface's version. */
struct xen_sysctl;
int xen_sysctl(struct xen *x, struct xen_sysctl *op);

/* ------------------------------------------------------------------ memory */

/*
 * Map `n` frames of a domain (DOMID_XEN: of the hypervisor's that it shows) one behind the other;
 * NULL with x->error.  xen_unmap() takes the same n.
 */
void *xen_map(struct xen *x, uint16_t domain, const uint64_t *frames, unsigned int n, bool write);
void xen_unmap(void *at, unsigned int n);

/* ------------------------------------------------------------------ virtual interrupts */

struct xen_event {
    int fd; /* readable (poll) when it was raised */
    uint32_t port;
};

/* Bind a VIRQ_*; one program at a time has it.  Loads the kernel's module when that is missing. */
bool xen_event_open(struct xen *x, struct xen_event *event, unsigned int virq);
/* Take what was raised and let it be raised again. */
void xen_event_take(struct xen_event *event);
void xen_event_close(struct xen_event *event);

/* ------------------------------------------------------------------ domains */

#define XEN_DOMAIN_NAME 64

/* Its name: of xenstore where there is one, Domain-0, or domain-N; written to name and returned. */
const char *xen_domain_name(uint16_t domain, char name[XEN_DOMAIN_NAME]);
/* The domain of that number (0 or d0) or name; "all" is RADON_DOMID_ANY. */
bool xen_domain_find(struct xen *x, const char *name, uint16_t *domain);
/* Numbers of the domains that exist, in order, at most `room`: how many; 0 with x->error. */
unsigned int xen_domain_list(struct xen *x, uint16_t *domains, unsigned int room);

/* For the parts of this library. */
__attribute__((format(printf, 2, 3))) bool xen_fail(struct xen *x, const char *format, ...);
/* Open a device of the kernel, loading the module that makes it if it is not there. */
int xen_open_device(struct xen *x, const char *const paths[2], const char *module);

#endif
