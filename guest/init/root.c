/* SPDX-License-Identifier: MIT */
/* The root file system of a disk takes the place of the initramfs. */
#define _GNU_SOURCE
#include "init.h"

#include "frame.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEW_ROOT "/mnt"

/* busybox's cp -a of a tree of the initramfs over the new root; without clobber, what is there
 * stays. */
static bool copy_tree(const char *from, bool clobber)
{
    int status;
    pid_t pid;

    if (access(from, F_OK) < 0)
        return true;
    pid = fork();
    if (pid == 0) {
        execl("/bin/busybox", "cp", clobber ? "-a" : "-an", from, NEW_ROOT "/", (char *)NULL);
        _exit(1);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static bool carry_over(const char *from)
{
    char to[64] = NEW_ROOT;

    strncat(to, from, sizeof(to) - strlen(to) - 1);
    mkdir(to, 0755);
    return mount(from, to, NULL, MS_MOVE, NULL) == 0;
}

bool enter_root(int console, const char *device)
{
    static const char *const mounts[] = { "/dev", "/proc", "/sys", "/tmp", "/run" };

    mkdir(NEW_ROOT, 0755);
    if (mount(device, NEW_ROOT, "ext4", MS_NOATIME, NULL) < 0) {
        frame_printf(console, FRAME_NOTE, "mount %s: %s", device, strerror(errno));
        return false;
    }
    if (!copy_tree(RADON_DIR "/libraries/.", false) || !copy_tree(RADON_DIR "/overlay/.", true))
        frame_printf(console, FRAME_NOTE, "%s: not all added files could be copied", device);
    for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
        if (!carry_over(mounts[i]))
            frame_printf(console, FRAME_NOTE, "move %s: %s", mounts[i], strerror(errno));
    }
    if (chdir(NEW_ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
        chdir("/") < 0) {
        frame_printf(console, FRAME_NOTE, "enter %s: %s", device, strerror(errno));
        return false;
    }
    return true;
}
