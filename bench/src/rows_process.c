/* SPDX-License-Identifier: MIT */
/* Process creation: fork, exec, sh. */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Fork, run `argv` in the child (or end at once when NULL), wait for it to end with status 0. */
static void spawn(struct bench *b, char *const argv[])
{
    static char *const no_env[] = { NULL };
    int status, pid = bench_fork(b);

    if (pid == 0) {
        if (!argv)
            _exit(0);
        execve(argv[0], argv, no_env);
        bench_fail(b, "execve %s: errno %d", argv[0], errno);
    }
    if (waitpid(pid, &status, 0) != pid)
        bench_fail(b, "waitpid: errno %d", errno);
    if (status != 0 && !b->out->error[0])
        bench_fail(b, "child ended with wait status 0x%x", status);
    if (status != 0)
        _exit(1);
}

static void spawn_samples(struct bench *b, char *const argv[])
{
    while (bench_more(b)) {
        bench_start(b);
        for (uint64_t i = 0; i < b->ops; i++)
            spawn(b, argv);
        bench_stop(b, b->ops);
    }
}

void row_fork(struct bench *b)
{
    spawn_samples(b, NULL);
}

void row_exec(struct bench *b)
{
    char *argv[] = { (char *)b->set->tiny, NULL };

    spawn_samples(b, argv);
}

void row_sh(struct bench *b)
{
    char *argv[] = { "/bin/sh", "-c", (char *)b->set->tiny, NULL };

    spawn_samples(b, argv);
}
