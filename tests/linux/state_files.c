/* SPDX-License-Identifier: MIT */
/* What a descriptor is, and what reading, writing and closing it must leave behind. */
#define _GNU_SOURCE
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char bytes[64];

static long get(int fd, long n)
{
    memset(bytes, 'x', sizeof(bytes));
    return raw(SYS_read, fd, bytes, n);
}

/* ------------------------------------------------------------------ another file at the number */

static void *replaces(void *arg)
{
    RIGHT(dup2(file, zero) == zero);
    lseek(file, 0, SEEK_SET);
    return arg;
}

static int closes(void *arg)
{
    return (int)raw(SYS_close, *(int *)arg);
}

/* The descriptor is the number that the hot calls use, and so is what stands in for it. */
static void replaced(void *arg)
{
    int pipes[2], sockets[2];
    pthread_t thread;

    (void)arg;
    RIGHT(pipe(pipes) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
    RIGHT(dup2(file, zero) == zero && lseek(file, 0, SEEK_SET) == 0);
    RIGHT(get(zero, 8) == 8 && !memcmp(bytes, "abcdefgh", 8) && get(zero, 8) == 0);
    RIGHT(dup2(pipes[0], zero) == zero && write(pipes[1], "pipe", 4) == 4);
    RIGHT(get(zero, 8) == 4 && !memcmp(bytes, "pipe", 4));
    RIGHT(raw(SYS_lseek, zero, 0, SEEK_SET) == -ESPIPE);
    RIGHT(raw(SYS_write, zero, bytes, 1) == -EBADF);
    RIGHT(dup2(sockets[0], null) == null && raw(SYS_write, null, "sock", 4) == 4);
    RIGHT(get(sockets[1], 8) == 4 && !memcmp(bytes, "sock", 4));
    RIGHT(raw(SYS_close, zero) == 0 && get(zero, 8) == -EBADF && raw(SYS_close, zero) == -EBADF);
    RIGHT(raw(SYS_fcntl, zero, F_GETFD) == -EBADF && raw(SYS_lseek, zero, 0, SEEK_SET) == -EBADF);
    RIGHT(raw(SYS_dup, zero) == -EBADF);
    RIGHT(dup2(open("/dev/zero", O_WRONLY), zero) == zero && get(zero, 8) == -EBADF);
    RIGHT(dup2(open("/", O_RDONLY), zero) == zero && get(zero, 8) == -EISDIR);
    RIGHT(dup2(open("/dev/null", O_PATH), null) == null &&
          raw(SYS_write, null, bytes, 1) == -EBADF);
    RIGHT(dup2(open("/dev/zero", O_RDWR), zero) == zero && get(zero, 8) == 8 && !bytes[7]);
    RIGHT(pthread_create(&thread, NULL, replaces, NULL) == 0 && pthread_join(thread, NULL) == 0);
    RIGHT(get(zero, 8) == 8 && !memcmp(bytes, "abcdefgh", 8));
}

/* Another process that shares the table of descriptors closes one; nothing else tells this one. */
static void shared_table(void *arg)
{
    static char stack[16384];
    int fd = (int)raw(SYS_dup, zero);
    pid_t pid;

    (void)arg;
    RIGHT(get(fd, 8) == 8);
    pid = clone(closes, stack + sizeof(stack), CLONE_FILES | CLONE_VM | CLONE_VFORK | SIGCHLD, &fd);
    ended(pid);
    RIGHT(get(fd, 8) == -EBADF);
}

static void numbers(void *arg)
{
    struct rlimit limit = { 40, 40 };
    int hole = dup2(zero, 37);
    long fd = 0;

    (void)arg;
    RIGHT(hole == 37 && dup2(zero, 1000) == 1000); /* a bigger table */
    RIGHT(get(1000, 8) == 8 && get(37, 8) == 8);
    RIGHT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    while (fd >= 0) {
        long next = raw(SYS_dup, zero);

        RIGHT(next == -EMFILE || next > fd); /* the lowest that is free */
        RIGHT(next != 37);
        fd = next;
    }
    RIGHT(raw(SYS_close, 20) == 0 && raw(SYS_dup, zero) == 20);
    RIGHT(raw(SYS_fcntl, 20, F_GETFD) == 0 && raw(SYS_fcntl, 20, F_SETFD, FD_CLOEXEC) == 0);
    RIGHT(raw(SYS_fcntl, 20, F_GETFD) == FD_CLOEXEC && raw(SYS_fcntl, zero, F_GETFD) == 0);
}

/* The last one closes what lies behind it. */
static void last_close(void *arg)
{
    int pipes[2], end;

    (void)arg;
    RIGHT(pipe(pipes) == 0);
    end = (int)raw(SYS_dup, pipes[1]);
    RIGHT(fcntl(pipes[0], F_SETFL, O_NONBLOCK) == 0);
    RIGHT(raw(SYS_close, pipes[1]) == 0 && get(pipes[0], 1) == -EAGAIN);
    RIGHT(raw(SYS_close, end) == 0 && get(pipes[0], 1) == 0);
}

void descriptors(void)
{
    ended(child(replaced, NULL));
    ended(child(shared_table, NULL));
    ended(child(numbers, NULL));
    ended(child(last_close, NULL));
}

/* ------------------------------------------------------------------ positions */

static void moves(void *arg)
{
    (void)arg;
    RIGHT(raw(SYS_lseek, file, 5, SEEK_SET) == 5);
}

void positions(void)
{
    int other = (int)raw(SYS_dup, file), own = open("/tmp/state", O_RDWR | O_APPEND);

    RIGHT(raw(SYS_lseek, file, 2, SEEK_SET) == 2 && get(other, 1) == 1 && bytes[0] == 'c');
    RIGHT(raw(SYS_lseek, file, 0, SEEK_CUR) == 3 && raw(SYS_lseek, own, 0, SEEK_CUR) == 0);
    ended(child(moves, NULL));
    RIGHT(raw(SYS_lseek, file, 0, SEEK_CUR) == 5 && raw(SYS_lseek, file, 0, SEEK_END) == 8);
    RIGHT(raw(SYS_write, own, "ij", 2) == 2 && raw(SYS_lseek, file, 0, SEEK_END) == 10);
    RIGHT(ftruncate(file, 3) == 0 && raw(SYS_lseek, file, -1L, SEEK_END) == 2);
    RIGHT(get(file, 9) == 1 && bytes[0] == 'c' && raw(SYS_lseek, file, -1L, SEEK_SET) == -EINVAL);
    RIGHT(pwrite(file, "abcdefgh", 8, 0) == 8);
    RIGHT(raw(SYS_close, other) == 0 && raw(SYS_close, own) == 0);
}

/* ------------------------------------------------------------------ who is told */

/* Events of one descriptor of inotify, by kind; alternating, so that none is merged. */
void notified(void)
{
    enum { ROUNDS = 50 };
    static char events[ROUNDS * 3 * sizeof(struct inotify_event)];
    int fd = inotify_init1(IN_NONBLOCK),
        at = inotify_add_watch(fd, "/dev/zero", IN_ACCESS | IN_MODIFY);
    long n, seen = 0;

    RIGHT(fd >= 0 && at >= 0);
    for (int i = 0; i < ROUNDS; i++)
        RIGHT(get(zero, 8) == 8 && raw(SYS_write, zero, bytes, 8) == 8);
    n = read(fd, events, sizeof(events));
    RIGHT(n == 2 * ROUNDS * (long)sizeof(struct inotify_event));
    for (long i = 0; i < n; i += (long)sizeof(struct inotify_event)) {
        const struct inotify_event *e = (const void *)(events + i);

        seen += e->mask == (i / (long)sizeof(*e) % 2 ? IN_MODIFY : IN_ACCESS);
    }
    RIGHT(seen == 2 * ROUNDS);
    RIGHT(inotify_rm_watch(fd, at) == 0 && close(fd) == 0);
}

/* ------------------------------------------------------------------ accounts */

static void io_of_self(long *read_bytes, long *reads, long *written, long *writes)
{
    FILE *f = fopen("/proc/self/io", "r");

    RIGHT(f && fscanf(f, "rchar: %ld wchar: %ld syscr: %ld syscw: %ld", read_bytes, written, reads,
                      writes) == 4);
    fclose(f);
}

/* What reading the accounts itself adds is what it adds when nothing else is done. */
void accounted(void)
{
    enum { ROUNDS = 500 };
    long a[4], b[4], c[4];

    io_of_self(&a[0], &a[1], &a[2], &a[3]);
    io_of_self(&b[0], &b[1], &b[2], &b[3]);
    for (int i = 0; i < ROUNDS; i++)
        RIGHT(get(zero, 8) == 8 && raw(SYS_write, null, bytes, 3) == 3);
    io_of_self(&c[0], &c[1], &c[2], &c[3]);
    RIGHT(c[1] - b[1] - (b[1] - a[1]) == ROUNDS && c[3] - b[3] - (b[3] - a[3]) == ROUNDS);
    RIGHT(c[2] - b[2] - (b[2] - a[2]) == 3 * ROUNDS);
    RIGHT(c[0] - b[0] - 8 * ROUNDS <= b[0] - a[0] + 8 &&
          c[0] - b[0] - 8 * ROUNDS >= b[0] - a[0] - 8);
}

/* ------------------------------------------------------------------ locks, and masks */

static void is_locked(void *arg)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = open("/tmp/state", O_RDWR);

    RIGHT(fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type == *(int *)arg);
}

/* Closing any descriptor of a file gives the process's locks on it up. */
void locks(void)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int other = (int)raw(SYS_dup, file), held = F_WRLCK, none = F_UNLCK;

    RIGHT(fcntl(file, F_SETLK, &lock) == 0);
    ended(child(is_locked, &held));
    RIGHT(raw(SYS_close, other) == 0);
    ended(child(is_locked, &none));
}

static void *sets_mask(void *arg)
{
    RIGHT(raw(SYS_umask, 027) == 022);
    return arg;
}

static void *own_mask(void *arg)
{
    RIGHT(unshare(CLONE_FS) == 0 && raw(SYS_umask, 0) == 027 && raw(SYS_umask, 0) == 0);
    return arg;
}

static void with_masks(void *arg)
{
    struct stat st;
    pthread_t thread;

    (void)arg;
    RIGHT(pthread_create(&thread, NULL, sets_mask, NULL) == 0 && pthread_join(thread, NULL) == 0);
    RIGHT(status_of(getpid(), "Umask:", 8) == 027 && raw(SYS_umask, 027) == 027);
    RIGHT(pthread_create(&thread, NULL, own_mask, NULL) == 0 && pthread_join(thread, NULL) == 0);
    RIGHT(raw(SYS_umask, 0177) == 027);
    RIGHT(close(open("/tmp/masked", O_CREAT | O_WRONLY, 0777)) == 0 &&
          stat("/tmp/masked", &st) == 0 && (st.st_mode & 0777) == 0600);
    RIGHT(raw(SYS_umask, ~0L) == 0177 && raw(SYS_umask, 022) == 0777);
    unlink("/tmp/masked");
}

void masks(void)
{
    ended(child(with_masks, NULL));
}
