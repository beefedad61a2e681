/* SPDX-License-Identifier: MIT */
#include "xen.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <xen/sys/evtchn.h>

bool xen_event_open(struct xen *x, struct xen_event *event, unsigned int virq)
{
    static const char *const paths[2] = { "/dev/xen/evtchn", NULL };
    struct ioctl_evtchn_bind_virq bind = { .virq = virq };
    int port;

    event->fd = xen_open_device(x, paths, "xen-evtchn");
    if (event->fd < 0)
        return false;
    fcntl(event->fd, F_SETFL, O_NONBLOCK);
    port = ioctl(event->fd, IOCTL_EVTCHN_BIND_VIRQ, &bind);
    if (port >= 0) {
        event->port = (uint32_t)port;
        return true;
    }
    if (errno == EEXIST)
        xen_fail(x, "another program reads these trace buffers (virtual interrupt %u)", virq);
    else
        xen_fail(x, "virtual interrupt %u cannot be bound: %s", virq, strerror(errno));
    xen_event_close(event);
    return false;
}

void xen_event_take(struct xen_event *event)
{
    uint32_t port;

    while (read(event->fd, &port, sizeof(port)) == (ssize_t)sizeof(port))
        if (write(event->fd, &port, sizeof(port)) != (ssize_t)sizeof(port))
            return; /* it stays masked: the reader's own clock goes on */
}

void xen_event_close(struct xen_event *event)
{
    if (event->fd >= 0)
        close(event->fd);
    event->fd = -1;
}
