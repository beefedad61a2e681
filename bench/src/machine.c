/* SPDX-License-Identifier: MIT */
/* What a bare machine has not, and a booted one has: done before the first row, in every column. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <unistd.h>

bool machine_is_seeded(void)
{
    char byte;

    return getrandom(&byte, 1, GRND_NONBLOCK) == 1;
}

/*
 * Until the kernel has 256 bits to trust it makes its generator anew for each random number, of which every
 * inode, process and slab takes one.  Interrupts bring them in the end, in the middle of some row.  The
 * figures need them early and not secret.
 */
static bool seed(void)
{
    enum { BYTES = 32 };
    union {
        struct rand_pool_info info;
        char room[sizeof(struct rand_pool_info) + BYTES];
    } pool = { .info = { .entropy_count = BYTES * 8, .buf_size = BYTES } };
    int fd = open("/dev/random", O_WRONLY | O_CLOEXEC);
    bool done;

    if (fd < 0)
        return false;
    done = ioctl(fd, RNDADDENTROPY, &pool) == 0;
    close(fd);
    return done && machine_is_seeded();
}

void machine_prepare(const struct settings *set)
{
    if (mount("tmpfs", set->dir, "tmpfs", 0, "") < 0)
        fprintf(stderr, "rbench: no tmpfs on %s: errno %d\n", set->dir, errno);
    if (!net_loopback_up())
        fprintf(stderr, "rbench: loopback interface: errno %d\n", errno);
    if (!machine_is_seeded() && !seed())
        fprintf(stderr, "rbench: random numbers are not seeded: errno %d\n", errno);
}
