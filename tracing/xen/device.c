/* SPDX-License-Identifier: MIT */
/* The kernel's devices for programs of domain 0, and the modules that make them. */
#include "xen.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int open_first(const char *const paths[2])
{
    int fd = open(paths[0], O_RDWR | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT && paths[1]) {
        fd = open(paths[1], O_RDWR | O_CLOEXEC);
        if (fd < 0 && errno == ENOTDIR)
            errno = ENOENT;
    }
    return fd;
}

/* Straight from the file, as small systems have no modprobe: 0 or an errno. */
static int load_file(const char *module)
{
    struct utsname name;
    char path[256];
    int fd, error = 0;

    if (uname(&name))
        return errno;
    snprintf(path, sizeof(path), "/lib/modules/%s/kernel/drivers/xen/%s.ko", name.release, module);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    if (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST)
        error = errno;
    close(fd);
    return error;
}

/* Whether modprobe could be run and said that all is well. */
static bool load_by_modprobe(const char *module)
{
    char *argv[] = { "modprobe", "-q", (char *)module, NULL };
    int status;
    pid_t pid;

    if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ))
        return false;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && !WEXITSTATUS(status);
}

static bool on_xen(void)
{
    char type[8] = "";
    int fd = open("/sys/hypervisor/type", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, type, sizeof(type) - 1);

    if (fd >= 0)
        close(fd);
    return n >= 3 && !memcmp(type, "xen", 3);
}

int xen_open_device(struct xen *x, const char *const paths[2], const char *module)
{
    int fd = open_first(paths), error;

    if (fd >= 0)
        return fd;
    if (errno == ENOENT) {
        error = load_file(module);
        if (error == ENOENT && geteuid() == 0)
            error = load_by_modprobe(module) ? 0 : ENOENT;
        if (!error)
            fd = open_first(paths);
        if (fd >= 0)
            return fd;
        if (error == ENODEV || (access("/sys/kernel", F_OK) == 0 && !on_xen()))
            errno = ENODEV;
    }
    if (errno == ENODEV || errno == ENXIO)
        xen_fail(x,
                 "not running on Radon: this kernel has no hypervisor of Xen's interface below it");
    else if (errno == EACCES || errno == EPERM || geteuid() != 0)
        xen_fail(x, "%s: needs root", paths[0]);
    else if (errno == ENOENT)
        xen_fail(x, "no %s: modprobe %s", paths[0], module);
    else
        xen_fail(x, "%s: %s", paths[0], strerror(errno));
    return -1;
}
