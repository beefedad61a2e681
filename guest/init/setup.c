/* SPDX-License-Identifier: MIT */
#include "init.h"

#include "frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    LIST_MAX = 1 << 20, /* bytes of one list file */
    WAIT_MAX_MS = 20000,
    WAIT_STEP_MS = 20,
    SYSLOG_CONSOLE_LEVEL = 8, /* syslog(2): set console_loglevel */
};

static void complain(int console, const char *what, const char *which)
{
    frame_printf(console, FRAME_NOTE, "%s %s: %s", what, which, strerror(errno));
}

/* What programs of domain 0 look for; there is no such directory without a hypervisor. */
static void mount_xenfs(int console)
{
    if (access("/proc/xen", F_OK) == 0 && mount("xenfs", "/proc/xen", "xenfs", 0, NULL) < 0 &&
        errno != ENODEV && errno != EBUSY)
        complain(console, "mount", "/proc/xen");
}

static void mount_one(int console, const char *type, const char *where, const char *options)
{
    mkdir(where, 0755);
    if (mount(type, where, type, 0, options) < 0 && errno != EBUSY)
        complain(console, "mount", where);
}

static void interface_up(int console, const char *name, const char *address, const char *mask)
{
    struct ifreq request = { 0 };
    struct sockaddr_in *in = (struct sockaddr_in *)&request.ifr_addr;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    in->sin_family = AF_INET;
    inet_pton(AF_INET, address, &in->sin_addr);
    if (fd < 0 || ioctl(fd, SIOCSIFADDR, &request) < 0) {
        complain(console, "address of", name);
    } else {
        inet_pton(AF_INET, mask, &in->sin_addr);
        ioctl(fd, SIOCSIFNETMASK, &request);
        request.ifr_flags = IFF_UP | IFF_RUNNING;
        if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
            complain(console, "bring up", name);
    }
    if (fd >= 0)
        close(fd);
}

static bool disk_there(void)
{
    return access("/dev/sda", F_OK) == 0;
}

static bool link_up(void)
{
    struct ifreq request = { .ifr_name = "eth0" };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool up = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &request) == 0 &&
              (request.ifr_flags & IFF_RUNNING);

    if (fd >= 0)
        close(fd);
    return up;
}

/* Drivers find their devices some time after they are loaded. */
static void wait_until(int console, bool (*there)(void), const char *what)
{
    const struct timespec pause = { .tv_nsec = WAIT_STEP_MS * 1000000L };

    for (int i = 0; i < WAIT_MAX_MS / WAIT_STEP_MS; i++) {
        if (there())
            return;
        nanosleep(&pause, NULL);
    }
    frame_printf(console, FRAME_NOTE, "%s did not appear in %d ms", what, WAIT_MAX_MS);
}

static void load_modules(int console)
{
    char **paths = read_list(RADON_DIR "/modules");

    for (; *paths; paths++) {
        int fd = open(*paths, O_RDONLY | O_CLOEXEC);

        if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
            complain(console, "load", *paths);
        if (fd >= 0)
            close(fd);
    }
}

char **read_list(const char *path)
{
    static char *empty[] = { NULL };
    char *text = malloc(LIST_MAX + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0, count = 0;
    char **list;
    ssize_t n;

    if (fd < 0 || !text)
        return empty;
    while (len < LIST_MAX && (n = read(fd, text + len, LIST_MAX - len)) > 0)
        len += (size_t)n;
    close(fd);
    text[len] = 0;
    for (size_t i = 0; i < len; i++)
        count += !text[i];
    list = calloc(count + 1, sizeof(*list));
    if (!list)
        return empty;
    for (size_t i = 0, at = 0; i < count; i++) {
        list[i] = text + at;
        at += strlen(text + at) + 1;
    }
    return list;
}

void setup_system(int console)
{
    /* From here on only emergencies reach the console by themselves; dmesg has the rest. */
    klogctl(SYSLOG_CONSOLE_LEVEL, NULL, 1);
    mount_one(console, "proc", "/proc", NULL);
    mount_one(console, "sysfs", "/sys", NULL);
    mount_one(console, "devpts", "/dev/pts", "mode=0620,ptmxmode=0666");
    mount_one(console, "tmpfs", "/dev/shm", NULL);
    mount_one(console, "tmpfs", "/tmp", "mode=1777");
    mount_one(console, "tmpfs", "/run", NULL);
    if (symlink("/proc/self/fd", "/dev/fd") < 0 && errno != EEXIST)
        complain(console, "symlink", "/dev/fd");
    if (sethostname("radon", 5) < 0)
        complain(console, "sethostname", "radon");
    interface_up(console, "lo", "127.0.0.1", "255.0.0.0");
    load_modules(console);
    mount_xenfs(console);
    if (access(RADON_DIR "/disk", F_OK) == 0)
        wait_until(console, disk_there, "/dev/sda");
    if (access(RADON_DIR "/net", F_OK) == 0) {
        interface_up(console, "eth0", "10.0.2.15", "255.255.255.0");
        wait_until(console, link_up, "the link of eth0");
    }
}
