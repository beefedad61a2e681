/* SPDX-License-Identifier: MIT */
#include "xen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <xen/sys/privcmd.h>

/* The first frame that could not be mapped; n if none. */
static unsigned int first_bad(const int *errors, unsigned int n)
{
    unsigned int i = 0;

    while (i < n && !errors[i])
        i++;
    return i;
}

static bool map_at(struct xen *x, void *at, uint16_t domain, const uint64_t *frames, unsigned int n)
{
    int *errors = calloc(n, sizeof(*errors)), rc;
    struct privcmd_mmapbatch_v2 batch = {
        .num = n,
        .dom = domain,
        .addr = (uintptr_t)at,
        .arr = frames,
        .err = errors,
    };
    unsigned int bad;

    _Static_assert(sizeof(frames[0]) == sizeof(batch.arr[0]), "a frame number has 64 bits");
    if (!errors)
        return xen_fail(x, "out of memory");
    rc = ioctl(x->privcmd, IOCTL_PRIVCMD_MMAPBATCH_V2, &batch);
    bad = first_bad(errors, n);
    if (bad < n)
        xen_fail(x, "frame %#llx of domain %u cannot be mapped: %s",
                 (unsigned long long)frames[bad], domain, strerror(abs(errors[bad])));
    else if (rc)
        xen_fail(x, "frames of domain %u cannot be mapped: %s", domain, strerror(errno));
    free(errors);
    return !rc && bad == n;
}

void *xen_map(struct xen *x, uint16_t domain, const uint64_t *frames, unsigned int n, bool write)
{
    void *at = MAP_FAILED;

    if (n && n <= 1u << 20)
        at = mmap(NULL, (size_t)n * XEN_PAGE, PROT_READ | (write ? PROT_WRITE : 0), MAP_SHARED,
                  x->privcmd, 0);
    else
        errno = EINVAL;
    if (at == MAP_FAILED) {
        xen_fail(x, "%u frames of domain %u cannot be mapped: %s", n, domain, strerror(errno));
        return NULL;
    }
    if (map_at(x, at, domain, frames, n))
        return at;
    xen_unmap(at, n);
    return NULL;
}

void xen_unmap(void *at, unsigned int n)
{
    if (at)
        munmap(at, (size_t)n * XEN_PAGE);
}
