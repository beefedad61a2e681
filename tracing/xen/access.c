/* SPDX-License-Identifier: MIT */
#include "xen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xen/sys/privcmd.h>
#include <xen/sysctl.h>

bool xen_fail(struct xen *x, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(x->error, sizeof(x->error), format, args);
    va_end(args);
    return false;
}

/* ------------------------------------------------------------------ buffers */

static size_t whole_pages(size_t bytes)
{
    return (bytes + XEN_PAGE - 1) & ~(size_t)(XEN_PAGE - 1);
}

/*
 * Pages of /dev/xen/hypercall belong to the kernel and are never moved.  Without it, locked ones: a
 * kernel that compacts memory just then can still take them away for a moment, and the hypercall
 * ends with -EFAULT, nothing worse.
 */
void *xen_buffer(struct xen *x, size_t bytes)
{
    int flags = x->buffers >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
    void *at = mmap(NULL, whole_pages(bytes), PROT_READ | PROT_WRITE, flags, x->buffers, 0);

    if (at == MAP_FAILED) {
        xen_fail(x, "no memory for a buffer of %zu bytes: %s", bytes, strerror(errno));
        return NULL;
    }
    if (x->buffers < 0 && mlock(at, whole_pages(bytes))) {
        xen_fail(x, "a buffer of %zu bytes cannot be locked: %s", bytes, strerror(errno));
        munmap(at, whole_pages(bytes));
        return NULL;
    }
    memset(at, 0, whole_pages(bytes));
    /* A child of fork() would have pages of its own in place of these. */
    madvise(at, whole_pages(bytes), MADV_DONTFORK);
    return at;
}

void xen_buffer_free(void *buffer, size_t bytes)
{
    if (buffer)
        munmap(buffer, whole_pages(bytes));
}

/* ------------------------------------------------------------------ begin and end */

bool xen_open(struct xen *x)
{
    static const char *const paths[2] = { "/dev/xen/privcmd", "/proc/xen/privcmd" };

    *x = (struct xen){ .privcmd = -1, .buffers = -1 };
    x->privcmd = xen_open_device(x, paths, "xen-privcmd");
    if (x->privcmd < 0)
        return false;
    x->buffers = open("/dev/xen/hypercall", O_RDWR | O_CLOEXEC);
    x->page = xen_buffer(x, XEN_PAGE);
    if (!x->page) {
        xen_close(x);
        return false;
    }
    return true;
}

void xen_close(struct xen *x)
{
    xen_buffer_free(x->page, XEN_PAGE);
    if (x->buffers >= 0)
        close(x->buffers);
    if (x->privcmd >= 0)
        close(x->privcmd);
    x->page = NULL;
    x->buffers = x->privcmd = -1;
}

/* ------------------------------------------------------------------ calls */

int xen_hypercall(struct xen *x, unsigned int op, const uint64_t arg[5])
{
    privcmd_hypercall_t call = { .op = op };
    int rc;

    memcpy(call.arg, arg, sizeof(call.arg));
    rc = ioctl(x->privcmd, IOCTL_PRIVCMD_HYPERCALL, &call);
    return rc < 0 ? -errno : rc;
}

int radon_op(struct xen *x, enum radon_cmd cmd, void *arg, size_t bytes)
{
    uint64_t args[5] = { cmd, (uintptr_t)x->page };
    int rc;

    if (bytes > XEN_PAGE)
        return -EINVAL;
    memcpy(x->page, arg, bytes);
    rc = xen_hypercall(x, RADON_HYPERCALL, args);
    memcpy(arg, x->page, bytes);
    return rc;
}

static const char *reason(int error)
{
    switch (error) {
    case ENOSYS:
        return "this hypervisor does not have it";
    case EPERM:
        return "domain 0 alone may do that";
    case ESRCH:
        return "there is no such domain";
    case EBUSY:
        return "somebody else is using it";
    default:
        return strerror(error);
    }
}

bool radon_call(struct xen *x, enum radon_cmd cmd, void *arg, size_t bytes, const char *what)
{
    int rc = radon_op(x, cmd, arg, bytes);

    return rc >= 0 ? true : xen_fail(x, "%s: %s", what, reason(-rc));
}

bool radon_info(struct xen *x, struct radon_info *info)
{
    int rc;

    memset(info, 0, sizeof(*info));
    rc = radon_op(x, RADON_INFO, info, sizeof(*info));
    if (rc == -ENOSYS)
        return xen_fail(x, "not running on Radon: the hypervisor does not know radon_op");
    if (rc < 0)
        return xen_fail(x, "asking the hypervisor what it is: %s", reason(-rc));
    if (info->abi_version != RADON_ABI_VERSION)
        return xen_fail(x, "the hypervisor speaks version %u of radon_op, this program %u",
                        info->abi_version, RADON_ABI_VERSION);
    info->revision[sizeof(info->revision) - 1] = 0;
    if (!info->nr_cpus || info->nr_cpus > 4096 || !info->tsc_hz)
        return xen_fail(x, "the hypervisor's answer makes no sense: %u CPUs", info->nr_cpus);
    return true;
}

int xen_sysctl(struct xen *x, struct xen_sysctl *op)
{
    uint64_t args[5] = { (uintptr_t)x->page };
    int rc;

    _Static_assert(sizeof(*op) <= XEN_PAGE, "fits the page for arguments");
    op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    memcpy(x->page, op, sizeof(*op));
    rc = xen_hypercall(x, __HYPERVISOR_sysctl, args);
    memcpy(op, x->page, sizeof(*op));
    return rc;
}
