/* SPDX-License-Identifier: MIT */
/* The loopback interface, and TCP connections over it. */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

bool net_loopback_up(void)
{
    struct ifreq req = { .ifr_name = "lo" };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool up;

    if (fd < 0)
        return false;
    up = ioctl(fd, SIOCGIFFLAGS, &req) == 0;
    if (up && !(req.ifr_flags & IFF_UP)) {
        req.ifr_flags |= IFF_UP;
        up = ioctl(fd, SIOCSIFFLAGS, &req) == 0;
    }
    close(fd);
    return up;
}

void net_tcp_pair(struct bench *b, int fd[2])
{
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(addr);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);

    if (!net_loopback_up())
        bench_fail(b, "the loopback interface is down: errno %d", errno);
    fd[1] = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || fd[1] < 0 || bind(listener, (struct sockaddr *)&addr, len) < 0 ||
        listen(listener, 1) < 0 || getsockname(listener, (struct sockaddr *)&addr, &len) < 0 ||
        connect(fd[1], (struct sockaddr *)&addr, len) < 0)
        bench_fail(b, "TCP over loopback: errno %d", errno);
    fd[0] = accept(listener, NULL, NULL);
    if (fd[0] < 0 || setsockopt(fd[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
        bench_fail(b, "TCP over loopback: errno %d", errno);
    close(listener);
}
