/* SPDX-License-Identifier: MIT */
/*
 * Which domains there are, and what they are called.  Names are xenstore's, asked through the
 * socket of its daemon (public/io/xs_wire.h); /dev/xen/xenbus would wait for a daemon that may
 * never come.
 */
#include "xen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <xen/io/xs_wire.h>
#include <xen/sysctl.h>

#define LISTED_AT_ONCE 32u

/* ------------------------------------------------------------------ xenstore */

static int store_open(void)
{
    struct sockaddr_un address = { AF_UNIX, "/run/xenstored/socket" };
    struct timeval limit = { .tv_sec = 1 };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
        return fd;
    close(fd);
    return -1;
}

static bool read_all(int fd, void *buf, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t got = recv(fd, (char *)buf + at, n - at, 0);

        if (got <= 0)
            return false;
        at += (size_t)got;
    }
    return true;
}

/* The value at `path`, zero-ended, at most size - 1 bytes of it. */
static bool store_read(int fd, const char *path, char *value, size_t size)
{
    struct xsd_sockmsg head = { .type = XS_READ, .len = (uint32_t)strlen(path) + 1 };
    char reply[XENSTORE_PAYLOAD_MAX];

    if (send(fd, &head, sizeof(head), MSG_NOSIGNAL) != (ssize_t)sizeof(head) ||
        send(fd, path, head.len, MSG_NOSIGNAL) != (ssize_t)head.len ||
        !read_all(fd, &head, sizeof(head)) || head.len > sizeof(reply) ||
        !read_all(fd, reply, head.len) || head.type != XS_READ || !head.len)
        return false;
    snprintf(value, size, "%.*s", (int)head.len, reply);
    return true;
}

const char *xen_domain_name(uint16_t domain, char name[XEN_DOMAIN_NAME])
{
    char path[64];
    int fd = store_open();
    bool found = false;

    if (fd >= 0) {
        snprintf(path, sizeof(path), "/local/domain/%u/name", domain);
        found = store_read(fd, path, name, XEN_DOMAIN_NAME);
        close(fd);
    }
    if (!found && !domain)
        snprintf(name, XEN_DOMAIN_NAME, "Domain-0");
    else if (!found)
        snprintf(name, XEN_DOMAIN_NAME, "domain-%u", domain);
    return name;
}

/* ------------------------------------------------------------------ the list */

/* Up to LISTED_AT_ONCE domains from `first` on: how many, or a negative errno. */
static int list_some(struct xen *x, uint16_t first, xen_domctl_getdomaininfo_t *info)
{
    struct xen_sysctl op = {
        .cmd = XEN_SYSCTL_getdomaininfolist,
        .u.getdomaininfolist = { .first_domain = first, .max_domains = LISTED_AT_ONCE },
    };
    int rc;

    set_xen_guest_handle_raw(op.u.getdomaininfolist.buffer, info);
    rc = xen_sysctl(x, &op);
    if (rc < 0)
        return rc;
    return op.u.getdomaininfolist.num_domains <= LISTED_AT_ONCE
               ? (int)op.u.getdomaininfolist.num_domains
               : -EIO;
}

unsigned int xen_domain_list(struct xen *x, uint16_t *domains, unsigned int room)
{
    xen_domctl_getdomaininfo_t *info = xen_buffer(x, LISTED_AT_ONCE * sizeof(*info));
    unsigned int n = 0;
    int got = info ? 1 : -ENOMEM;

    while (info && n < room && got > 0) {
        got = list_some(x, n ? (uint16_t)(domains[n - 1] + 1) : 0, info);
        for (int i = 0; i < got && n < room; i++)
            if (!n || info[i].domain > domains[n - 1])
                domains[n++] = info[i].domain;
            else
                got = -EIO;
    }
    xen_buffer_free(info, LISTED_AT_ONCE * sizeof(*info));
    if (got == -ENOSYS && room) {
        domains[0] = 0; /* a hypervisor that has no other domains has no list of them */
        return 1;
    }
    if (got < 0) {
        xen_fail(x, "the domains cannot be listed: %s", strerror(-got));
        return 0;
    }
    return n;
}

static bool parse_number(const char *s, uint16_t *domain)
{
    unsigned long n;
    char *end;

    if (*s < '0' || *s > '9')
        return false;
    n = strtoul(s, &end, 10);
    *domain = (uint16_t)n;
    return !*end && n < DOMID_FIRST_RESERVED;
}

bool xen_domain_find(struct xen *x, const char *name, uint16_t *domain)
{
    char known[XEN_DOMAIN_NAME];
    uint16_t domains[256];
    unsigned int n;

    if (!strcmp(name, "all")) {
        *domain = RADON_DOMID_ANY;
        return true;
    }
    if (parse_number(name, domain) || (name[0] == 'd' && parse_number(name + 1, domain)))
        return true;
    n = xen_domain_list(x, domains, sizeof(domains) / sizeof(domains[0]));
    for (unsigned int i = 0; i < n; i++)
        if (!strcmp(xen_domain_name(domains[i], known), name)) {
            *domain = domains[i];
            return true;
        }
    return n ? xen_fail(x, "there is no domain %s", name) : false;
}
