/* SPDX-License-Identifier: MIT */
#include "backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/sysctl.h>

#include "tracing/xen/xen.h"

struct prof_xen {
    struct prof_backend backend; /* first: the same address */
    struct xen xen;
};

static int xen_op(void *ctx, enum radon_cmd cmd, void *arg, size_t bytes)
{
    struct prof_xen *p = ctx;

    return radon_op(&p->xen, cmd, arg, bytes);
}

static void *buffer(void *ctx, size_t bytes)
{
    struct prof_xen *p = ctx;

    return xen_buffer(&p->xen, bytes);
}

static void buffer_free(void *ctx, void *at, size_t bytes)
{
    (void)ctx;
    xen_buffer_free(at, bytes);
}

/* Of this domain, its kernel knows best: "0", "0-3,5". */
static unsigned int online_here(void)
{
    FILE *f = fopen("/sys/devices/system/cpu/online", "re");
    unsigned int n = 0, from, to;
    char sep = ',';

    while (f && sep == ',' && fscanf(f, "%u", &from) == 1) {
        to = from;
        sep = (char)fgetc(f);
        if (sep == '-') {
            if (fscanf(f, "%u", &to) != 1)
                break;
            sep = (char)fgetc(f);
        }
        n += to >= from ? to - from + 1 : 0;
    }
    if (f)
        fclose(f);
    return n;
}

static unsigned int vcpus(void *ctx, uint16_t domain)
{
    struct prof_xen *p = ctx;
    xen_domctl_getdomaininfo_t *info;
    struct xen_sysctl op = {
        .cmd = XEN_SYSCTL_getdomaininfolist,
        .u.getdomaininfolist = { .first_domain = domain, .max_domains = 1 },
    };
    unsigned int n = 0;

    if (domain == 0)
        return online_here();
    info = xen_buffer(&p->xen, sizeof(*info));
    if (!info)
        return 0;
    set_xen_guest_handle_raw(op.u.getdomaininfolist.buffer, info);
    if (xen_sysctl(&p->xen, &op) >= 0 && op.u.getdomaininfolist.num_domains == 1 &&
        info->domain == domain)
        n = info->nr_online_vcpus;
    xen_buffer_free(info, sizeof(*info));
    return n;
}

static bool find_domain(void *ctx, const char *name, uint16_t *domain)
{
    struct prof_xen *p = ctx;

    return xen_domain_find(&p->xen, name, domain);
}

static const char *domain_name(void *ctx, uint16_t domain, char name[64])
{
    _Static_assert(XEN_DOMAIN_NAME == 64, "room");
    (void)ctx;
    return xen_domain_name(domain, name);
}

struct prof_backend *prof_xen_open(char *error, size_t error_size)
{
    struct prof_xen *p = calloc(1, sizeof(*p));
    struct radon_info info;

    if (!p) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    p->backend = (struct prof_backend){
        .ctx = p,
        .op = xen_op,
        .buffer = buffer,
        .buffer_free = buffer_free,
        .vcpus = vcpus,
        .find_domain = find_domain,
        .domain_name = domain_name,
    };
    if (xen_open(&p->xen) && radon_info(&p->xen, &info))
        return &p->backend;
    snprintf(error, error_size, "%s", p->xen.error);
    xen_close(&p->xen);
    free(p);
    return NULL;
}

void prof_xen_close(struct prof_backend *b)
{
    struct prof_xen *p = b ? b->ctx : NULL;

    if (p)
        xen_close(&p->xen);
    free(p);
}
