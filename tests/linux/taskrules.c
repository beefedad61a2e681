/* SPDX-License-Identifier: MIT */
/*
 * What the guest kernel does with the system calls of one task by flags that it keeps for the task:
 * strace, single steps, seccomp, dispatch to user mode, audit.  A handler that answers for the call
 * in all other tasks must pass in this one, at once, and not for a moment longer (rules 7, 8 and
 * 17). radon-prof works beside it.  One line a case.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handled.h"

#define CALLS 300
#define SECRET 77 /* errno of a filter */

static pid_t parent;

static bool getppid_(void)
{
    return syscall(SYS_getppid) == parent;
}

static const struct call getppid_call = { "getppid", SYS_getppid, getppid_ };

/* Between us and a child, which spins: a wait in the kernel would be other system calls. */
static volatile struct shared {
    int go, done, failed;
} * shared;

static void wait_for(volatile int *what, int value)
{
    while (*what != value && !shared->failed)
        __asm__ volatile("pause");
}

/* In a child: calls, and what they answer. */
static void child_calls(long answer, int error)
{
    for (int i = 0; i < CALLS; i++) {
        long got = syscall(SYS_getppid);

        if (got != answer || (error && errno != error))
            shared->failed = 1;
    }
}

static void ends_well(pid_t pid, const char *what)
{
    int status;

    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status))
        die("%s: the child ended with %#x", what, status);
}

/* The counters of the handler that is in use, before something; all of it must come to passes. */
static struct handled before;

static void begin(void)
{
    shared->go = shared->done = shared->failed = 0;
    before = handled_wait(&getppid_call);
}

static void passed(const char *what, uint64_t calls)
{
    struct handled now = handled_of(before.id);

    if (shared->failed)
        die("%s: a wrong answer", what);
    if (!now.id || now.state != RADON_FAST_ACTIVE)
        die("%s: the handler was retired, by reason %u", what, now.reason);
    if (now.hits != before.hits || now.passes - before.passes != calls)
        die("%s: %lu hits and %lu passes of %lu calls", what,
            (unsigned long)(now.hits - before.hits), (unsigned long)(now.passes - before.passes),
            (unsigned long)calls);
    before = now;
}

static void handled(const char *what, uint64_t calls)
{
    struct handled now = handled_of(before.id);

    if (shared->failed)
        die("%s: a wrong answer", what);
    if (now.passes != before.passes || handled_runs(&before, &now) != calls)
        die("%s: %lu hits and %lu passes of %lu calls", what,
            (unsigned long)(now.hits - before.hits), (unsigned long)(now.passes - before.passes),
            (unsigned long)calls);
    before = now;
}

/* ------------------------------------------------------------------ ptrace */

static pid_t spinning_child(void)
{
    pid_t own = getpid(), pid = fork();

    if (!pid) {
        shared->done = -1;
        for (int round = 1; round <= 3; round++) {
            wait_for(&shared->go, round);
            child_calls(own, 0);
            shared->done = round;
        }
        _exit(shared->failed);
    }
    wait_for(&shared->done, -1);
    return pid;
}

static void attach(pid_t pid)
{
    int status;

    if (ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD) ||
        ptrace(PTRACE_INTERRUPT, pid, 0, 0) || waitpid(pid, &status, 0) != pid)
        die("PTRACE_SEIZE: %m");
}

/* Lets the child do a round, and counts its stops that are of getppid by `request`. */
static unsigned int stops_of_round(pid_t pid, int request, int round)
{
    struct user_regs_struct regs;
    unsigned int stops = 0;
    int status;

    shared->go = round;
    while (shared->done != round) {
        if (ptrace(request, pid, 0, 0) || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
            die("ptrace: %m");
        if (ptrace(PTRACE_GETREGS, pid, 0, &regs))
            die("PTRACE_GETREGS: %m");
        if (request == PTRACE_SINGLESTEP)
            stops += (ptrace(PTRACE_PEEKTEXT, pid, regs.rip - 2, 0) & 0xffff) == 0x050f;
        else
            stops += WSTOPSIG(status) == (SIGTRAP | 0x80) && regs.orig_rax == SYS_getppid;
        if (request == PTRACE_SYSCALL && stops == 2 * CALLS) /* it spins: nothing stops it */
            request = PTRACE_INTERRUPT;
        if (request == PTRACE_INTERRUPT) {
            ptrace(PTRACE_CONT, pid, 0, 0);
            wait_for(&shared->done, round);
            ptrace(PTRACE_INTERRUPT, pid, 0, 0);
            waitpid(pid, &status, 0);
            break;
        }
    }
    return stops;
}

static void strace(void)
{
    pid_t pid;
    unsigned int stops;

    begin();
    pid = spinning_child();
    shared->go = 1;
    wait_for(&shared->done, 1);
    handled("strace, before", CALLS);
    attach(pid);
    stops = stops_of_round(pid, PTRACE_SYSCALL, 2);
    if (stops != 2 * CALLS)
        die("strace: %u stops", stops);
    passed("strace", CALLS);
    if (ptrace(PTRACE_DETACH, pid, 0, 0))
        die("PTRACE_DETACH: %m");
    shared->go = 3;
    wait_for(&shared->done, 3);
    handled("strace, after", CALLS);
    ends_well(pid, "strace");
    printf("strace: %u stops\n", stops);
}

static void single_step(void)
{
    pid_t pid;
    unsigned int stops;

    begin();
    pid = spinning_child();
    attach(pid);
    stops = stops_of_round(pid, PTRACE_SINGLESTEP, 1);
    if (stops != CALLS)
        die("single step: %u stops behind the instruction", stops);
    passed("single step", CALLS);
    if (ptrace(PTRACE_DETACH, pid, 0, 0))
        die("PTRACE_DETACH: %m");
    for (int round = 2; round <= 3; round++) {
        shared->go = round;
        wait_for(&shared->done, round);
    }
    handled("single step, after", 2 * CALLS);
    ends_well(pid, "single step");
    printf("single step: %u stops\n", stops);
}

/* ------------------------------------------------------------------ seccomp */

static void filter(unsigned int flags)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | SECRET),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program))
        _exit(9);
}

static void seccomp(void)
{
    pid_t pid;

    begin();
    pid = fork();
    if (!pid) {
        filter(0);
        child_calls(-1, SECRET);
        _exit(shared->failed);
    }
    ends_well(pid, "seccomp");
    passed("seccomp", CALLS);
    for (int i = 0; i < CALLS; i++)
        shared->failed |= !getppid_();
    handled("seccomp, others", CALLS);
    printf("seccomp: %u refused\n", CALLS);
}

static void *in_thread(void *arg)
{
    child_calls(*(pid_t *)arg, 0);
    shared->done = 1;
    wait_for(&shared->go, 2);
    child_calls(-1, SECRET);
    return NULL;
}

/* One thread sets the filter for the other, which is in the middle of its calls. */
static void seccomp_thread(void)
{
    pid_t pid, own = getpid();
    pthread_t thread;

    begin();
    pid = fork();
    if (!pid) {
        pthread_create(&thread, NULL, in_thread, &own);
        wait_for(&shared->go, 1);
        filter(SECCOMP_FILTER_FLAG_TSYNC);
        shared->go = 2;
        pthread_join(thread, NULL);
        _exit(shared->failed);
    }
    wait_for(&shared->done, 1);
    handled("seccomp of a thread, before", CALLS);
    shared->go = 1;
    ends_well(pid, "seccomp of a thread");
    passed("seccomp of a thread", CALLS);
    printf("seccomp of a thread: %u refused\n", CALLS);
}

/* ------------------------------------------------------------------ dispatch to user mode */

static volatile char selector;
static volatile int dispatched;

static void on_sigsys(int number, siginfo_t *info, void *context)
{
    ucontext_t *c = context;

    (void)number;
    selector = SYSCALL_DISPATCH_FILTER_ALLOW;
    dispatched += info->si_syscall == SYS_getppid;
    c->uc_mcontext.gregs[REG_RAX] = SECRET;
}

static void dispatch(void)
{
    struct sigaction action = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };
    pid_t pid;

    begin();
    pid = fork();
    if (!pid) {
        sigaction(SIGSYS, &action, NULL);
        if (prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, 0, &selector))
            _exit(9);
        for (int i = 0; i < CALLS; i++) {
            selector = SYSCALL_DISPATCH_FILTER_BLOCK;
            if (syscall(SYS_getppid) != SECRET)
                _exit(8);
        }
        _exit(dispatched != CALLS);
    }
    ends_well(pid, "dispatch");
    passed("dispatch", CALLS);
    printf("dispatch: %u signals\n", CALLS);
}

/* ------------------------------------------------------------------ audit */

static int audit_fd;
static unsigned int audited;

static void take_record(const struct nlmsghdr *h, int *error, bool *answered)
{
    if (h->nlmsg_type == NLMSG_ERROR) {
        *error = -*(const int *)NLMSG_DATA(h);
        *answered = true;
    } else if (h->nlmsg_type == AUDIT_SYSCALL) {
        char text[1024];
        size_t n = h->nlmsg_len - NLMSG_HDRLEN;

        n = n < sizeof(text) - 1 ? n : sizeof(text) - 1;
        memcpy(text, NLMSG_DATA(h), n);
        text[n] = 0;
        audited += strstr(text, " syscall=110 ") != NULL;
    }
}

/* One message, and its answer; records that come in between are counted. */
static void audit_send(unsigned int type, const void *data, size_t bytes)
{
    static char out[8192], in[16384];
    struct nlmsghdr *h = (struct nlmsghdr *)out;
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    bool answered = false;
    int error = 0;

    *h = (struct nlmsghdr){ .nlmsg_len = NLMSG_LENGTH((unsigned int)bytes),
                            .nlmsg_type = (uint16_t)type,
                            .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK };
    memcpy(NLMSG_DATA(h), data, bytes);
    if (sendto(audit_fd, out, h->nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
        die("audit: %m");
    while (!answered) {
        ssize_t n = recv(audit_fd, in, sizeof(in), 0);

        if (n < 0)
            die("audit: %m");
        take_record((struct nlmsghdr *)in, &error, &answered);
    }
    if (error)
        die("audit message %u: %s", type, strerror(error));
}

static void audit_drain(void)
{
    static char in[16384];
    struct timeval soon = { .tv_usec = 200000 };
    int error;
    bool answered;

    setsockopt(audit_fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
    while (recv(audit_fd, in, sizeof(in), 0) > 0)
        take_record((struct nlmsghdr *)in, &error, &answered);
}

static void audit(void)
{
    static struct {
        struct audit_rule_data rule;
        char text[8];
    } all;
    struct audit_status status = { .mask = AUDIT_STATUS_ENABLED | AUDIT_STATUS_PID |
                                           AUDIT_STATUS_BACKLOG_LIMIT | AUDIT_STATUS_RATE_LIMIT,
                                   .enabled = 1,
                                   .pid = (uint32_t)getpid(),
                                   .backlog_limit = 8192 };
    int room = 4 << 20;
    pid_t pid, own = getpid();

    begin();
    audit_fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT);
    setsockopt(audit_fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
    audit_send(AUDIT_SET, &status, sizeof(status));
    all.rule = (struct audit_rule_data){ .flags = AUDIT_FILTER_EXIT, .action = AUDIT_ALWAYS };
    all.rule.mask[AUDIT_WORD(SYS_getppid)] = AUDIT_BIT(SYS_getppid);
    audit_send(AUDIT_ADD_RULE, &all, sizeof(all.rule));
    pid = fork(); /* a task is audited when audit was on as it began */
    if (!pid) {
        child_calls(own, 0);
        _exit(shared->failed);
    }
    ends_well(pid, "audit");
    passed("audit", CALLS);
    audit_drain();
    if (audited != CALLS)
        die("audit: %u of %u calls were recorded", audited, CALLS);
    audit_send(AUDIT_DEL_RULE, &all, sizeof(all.rule));
    status = (struct audit_status){ .mask = AUDIT_STATUS_ENABLED };
    audit_send(AUDIT_SET, &status, sizeof(status));
    close(audit_fd);
    printf("audit: %u records\n", audited);
}

int main(void)
{
    static void (*const cases[])(void) = { strace,         single_step, seccomp,
                                           seccomp_thread, dispatch,    audit };

    parent = getppid();
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || !handled_open())
        die("no memory, or no hypervisor");
    for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cases[i]();
        fflush(stdout);
    }
    return 0;
}
