/* SPDX-License-Identifier: MIT */
/*
 * Files that the host wants back when the command has ended. They go through a virtio-serial port
 * named "radon.files", one after the other in the order of /radon/get:
 *
 *     8 bytes  "RadonGet"
 *     8 bytes  length of the file, little endian; all ones: it could not be read
 *     the bytes
 *
 * The reader is guest/machine/files.py. The console would be slow for recordings of megabytes.
 */
#define _GNU_SOURCE
#include "init.h"

#include "frame.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PORT_NAME "radon.files"
#define PORTS "/sys/class/virtio-ports"

enum {
    CHUNK = 65536, /* bytes */
    WAIT_STEPS = 500,
    WAIT_STEP_MS = 20,
};

static bool is_ours(const char *port)
{
    char path[300], name[64] = "";
    int fd;

    snprintf(path, sizeof(path), PORTS "/%s/name", port);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    if (read(fd, name, sizeof(name) - 1) < 0)
        name[0] = 0;
    close(fd);
    return strncmp(name, PORT_NAME, strlen(PORT_NAME)) == 0;
}

static int open_port_once(void)
{
    DIR *ports = opendir(PORTS);
    struct dirent *entry;
    char path[300];
    int fd = -1;

    while (ports && fd < 0 && (entry = readdir(ports))) {
        if (is_ours(entry->d_name)) {
            snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
            fd = open(path, O_WRONLY | O_CLOEXEC);
        }
    }
    if (ports)
        closedir(ports);
    return fd;
}

/* The driver names its ports some time after it is loaded. */
static int open_port(void)
{
    const struct timespec pause = { .tv_nsec = WAIT_STEP_MS * 1000000L };
    int fd = -1;

    for (int i = 0; i < WAIT_STEPS && fd < 0; i++) {
        fd = open_port_once();
        if (fd < 0)
            nanosleep(&pause, NULL);
    }
    return fd;
}

static bool send_bytes(int port, const void *data, size_t len)
{
    const char *p = data;

    while (len) {
        ssize_t n = write(port, p, len);

        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            p += n;
            len -= (size_t)n;
        }
    }
    return true;
}

/* Exactly length bytes, with zeros for what a file that shrinks meanwhile no longer has. */
static bool send_body(int port, int fd, uint64_t length)
{
    static char buffer[CHUNK];

    while (length) {
        size_t part = length < CHUNK ? (size_t)length : CHUNK;
        ssize_t n = read(fd, buffer, part);

        if (n < (ssize_t)part)
            memset(buffer + (n > 0 ? n : 0), 0, part - (size_t)(n > 0 ? n : 0));
        if (!send_bytes(port, buffer, part))
            return false;
        length -= part;
    }
    return true;
}

static bool send_file(int port, const char *path)
{
    struct {
        char magic[8];
        uint64_t length;
    } head = { { 'R', 'a', 'd', 'o', 'n', 'G', 'e', 't' }, UINT64_MAX };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    bool sent;

    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        head.length = (uint64_t)status.st_size;
    sent = send_bytes(port, &head, sizeof(head)) &&
           (head.length == UINT64_MAX || send_body(port, fd, head.length));
    if (fd >= 0)
        close(fd);
    return sent;
}

void send_files(int console, char **paths)
{
    int port;

    if (!paths[0])
        return;
    port = open_port();
    if (port < 0) {
        frame_printf(console, FRAME_NOTE, "no port " PORT_NAME " to send files through");
        return;
    }
    for (; *paths; paths++) {
        if (!send_file(port, *paths)) {
            frame_printf(console, FRAME_NOTE, "send %s: %s", *paths, strerror(errno));
            break;
        }
    }
    close(port); /* waits until the host has taken everything */
}
