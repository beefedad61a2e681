/* SPDX-License-Identifier: MIT */
/* The guest kernel that the tests of synthesis play: its data, and the numbers of its calls. */
#ifndef SYNTH_GUEST_H
#define SYNTH_GUEST_H

#include <stdint.h>

struct guest_regs { /* in the order that guest_entry pushes, from the lowest address */
    uint64_t r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax;
    uint64_t ip, cs, flags, sp, ss;
};

struct guest_file;
struct guest_ops {
    long (*read)(struct guest_file *, char *, unsigned long);
    long (*write)(struct guest_file *, const char *, unsigned long);
};

struct guest_file {
    const struct guest_ops *ops;
    uint64_t pos;
    uint32_t mode, count;
};

struct guest_list {
    struct guest_list *next;
    uint32_t key, value;
};

struct guest_task {
    uint64_t flags; /* work flags, read again at the exit */
    int32_t rcu_nesting;
    uint32_t pid, tgid;
    struct guest_task *parent;
    uint32_t lock;
    uint32_t umask;
    uint64_t blocked;
    uint8_t set[16];
    struct {
        uint64_t handler, flags, mask;
    } action[8];
    struct guest_file *file[8];
    struct guest_list *list;
    uint64_t seq, seconds, mult, shift;
    uint64_t clock;          /* as it was last */
    struct guest_task *self; /* leads back */
    struct guest_regs *frame; /* of the entry that runs */
};

/* Per-CPU data: offsets from the GS base. */
#define PERCPU_CURRENT 0x00
#define PERCPU_PREEMPT 0x08
#define PERCPU_OFFSET 0x10 /* holds the GS base itself */
#define PERCPU_STACK_OFFSET 0x18
#define PERCPU_COUNTER 0x20
#define PERCPU_CANARY 0x28
#define PERCPU_TRACE 0x30
/* struct vcpu_info: VCPU_INFO_AT of synth_world.h: 0x100 */

enum guest_call {
    CALL_PID,  /* tgid of the parent */
    CALL_READ, /* file rdi, user memory rsi, bytes rdx: through a pointer */
    CALL_WRITE,
    CALL_ACTION, /* rdi number, rsi new action or 0, rdx old one or 0 */
    CALL_MASK,   /* set under a lock */
    CALL_LIST,   /* value of key rdi */
    CALL_SWITCH, /* a jump table on rdi */
    CALL_BITS,   /* rdi: bit in a set */
    CALL_TIME,   /* the time stamp, scaled, to user memory rdi, and what comes of it by way of `self` */
    CALL_SEEK,
    CALL_STAT, /* a structure made on the stack, copied to user memory */
    CALL_MATH,
    CALL_HYPER, /* makes a hypercall when rdi is 3 */
    CALL_FILL,  /* more stores than a path may have when rdi is 1 */
    CALL_CLAMP, /* rdx: a length, clamped twice; then words, then bytes of a set */
    CALL_QUIET, /* as CALL_PID, and nothing is counted: no store waits for its loads */
    CALL_CASE,  /* one thing of enum guest_case; rdi says which */
    CALLS,
};

/* synth_guest_cases.c */
enum guest_case {
    CASE_OVERWRITTEN, /* stores that a later one overwrites, and what may see them */
    CASE_OVERWRITTEN_READ,
    CASE_OVERWRITTEN_HALF,
    CASE_OVERWRITTEN_TWICE,
    CASE_BACK_OVER, /* stores that are taken back */
    CASE_BACK_SIDES,
    CASE_BACK_HALF,
    CASE_BACK_OF_ANOTHER,
    CASE_CLEARED,
    CASE_BACK_LATE,
    CASE_OLD_AGAIN,
    CASE_OLD_AGAIN_PART,
    CASE_READ_AGAIN, /* values that are used again */
    CASE_STORED_AGAIN,
    CASE_MENDED,
    CASE_HALF_STORED,
    CASE_CLEARS,
    CASE_SETS,
    CASE_BACK_ODD, /* only on one side of a branch */
    CASE_BACK_EVEN,
    CASE_NOT_FIVE, /* numbers that guards speak of */
    CASE_BELOW_EIGHT,
    CASE_USER_STORE, /* where addresses lead */
    CASE_BY_FRAME,
    CASE_COUNT,
    CASE_TIMED_SIDES,
    CASE_VCPU_FIRST, /* what is refused, and what is just not */
    CASE_VCPU_LAST,
    CASE_VCPU_AROUND,
    CASE_MASK_TWO,
    CASE_KEEPS_STACK,
    CASE_RETURNS_STACK,
    CASE_STACK_BEFORE,
    CASE_MOVES_RETURN,
    CASE_MOVES_STACK,
    CASE_SELECTS,
    CASE_VECTORS,
    CASE_FENCES,
    CASE_FENCES_BY_LOCK,
    CASE_LOCKS_PER_CPU,
    CASE_LOCKS_OWN_PER_CPU,
    CASE_CROSSES_PAGES,
    CASES,
};
long guest_case(const struct guest_regs *r);

#define GUEST_EINVAL 22
#define GUEST_EBADF 9
#define GUEST_EFAULT 14
#define GUEST_USER_LIMIT 0x400000000000ull

extern const struct guest_ops guest_zero_ops, guest_null_ops;

#endif
