/* SPDX-License-Identifier: MIT */
/*
 * Kernel-like system calls for the tests of synthesis; guest_entry (synth_entry.S) calls
 * guest_dispatch in a child process. Compiled without sanitizers, library calls and vectors.
 */
#include "synth_guest.h"

#include <stddef.h>

#define NOINLINE __attribute__((noinline))
#define PERCPU_READ(at)                                                                            \
    ({                                                                                             \
        uint64_t v_;                                                                               \
        __asm__ volatile("movq %%gs:%c1, %0" : "=r"(v_) : "i"(at));                                \
        v_;                                                                                        \
    })

static inline struct guest_task *current(void)
{
    return (struct guest_task *)PERCPU_READ(PERCPU_CURRENT);
}

static inline void preempt(int by)
{
    if (by > 0)
        __asm__ volatile("incl %%gs:%c0" : : "i"(PERCPU_PREEMPT) : "memory", "cc");
    else
        __asm__ volatile("decl %%gs:%c0" : : "i"(PERCPU_PREEMPT) : "memory", "cc");
}

static inline void rcu_lock(void)
{
    (*(volatile int32_t *)&current()->rcu_nesting)++;
    __asm__ volatile("" ::: "memory");
}

static inline void rcu_unlock(void)
{
    __asm__ volatile("" ::: "memory");
    (*(volatile int32_t *)&current()->rcu_nesting)--;
}

static inline int user_ok(uint64_t address, uint64_t bytes)
{
    return address < GUEST_USER_LIMIT && bytes <= GUEST_USER_LIMIT - address;
}

NOINLINE static void spin_lock(uint32_t *lock)
{
    uint32_t expected = 0;

    preempt(1);
    __asm__ volatile("lock cmpxchgl %2, %1"
                     : "+a"(expected), "+m"(*lock)
                     : "r"(1)
                     : "memory", "cc");
    while (expected)
        __asm__ volatile("pause; xorl %%eax, %%eax; lock cmpxchgl %2, %1"
                         : "=&a"(expected), "+m"(*lock)
                         : "r"(1)
                         : "memory", "cc");
}

NOINLINE static void spin_unlock(uint32_t *lock)
{
    *(volatile uint8_t *)lock = 0;
    preempt(-1);
}

NOINLINE static long call_pid(const struct guest_regs *r)
{
    long pid;

    (void)r;
    rcu_lock();
    pid = *(volatile uint32_t *)&current()->parent->tgid;
    rcu_unlock();
    return pid;
}

static long zero_read(struct guest_file *f, char *to, unsigned long bytes)
{
    unsigned long left = bytes;

    f->count++;
    if (!user_ok((uint64_t)to, bytes))
        return -GUEST_EFAULT;
    __asm__ volatile("rep stosb" : "+c"(left), "+D"(to) : "a"(0) : "memory");
    return (long)bytes;
}

static long null_read(struct guest_file *f, char *to, unsigned long bytes)
{
    (void)f;
    (void)to;
    (void)bytes;
    return 0;
}

static long any_write(struct guest_file *f, const char *from, unsigned long bytes)
{
    (void)from;
    f->pos += bytes;
    return (long)bytes;
}

const struct guest_ops guest_zero_ops = { zero_read, any_write };
const struct guest_ops guest_null_ops = { null_read, any_write };

static struct guest_file *file_of(const struct guest_regs *r)
{
    struct guest_file *f = r->di < 8 ? current()->file[r->di] : NULL;

    return f && f->ops ? f : NULL;
}

__attribute__((noinline)) static long through_thunk(long (*to)(), struct guest_file *f, uint64_t a,
                                                    uint64_t b)
{
    long result;

    __asm__ volatile("call guest_thunk_rax"
                     : "=a"(result), "+D"(f), "+S"(a), "+d"(b)
                     : "0"(to)
                     : "memory", "rcx", "r8", "r9", "r10", "r11", "cc");
    return result;
}

NOINLINE static long call_read(const struct guest_regs *r)
{
    struct guest_file *f = file_of(r);

    return f ? through_thunk((long (*)())f->ops->read, f, r->si, r->dx) : -GUEST_EBADF;
}

NOINLINE static long call_write(const struct guest_regs *r)
{
    struct guest_file *f = file_of(r);

    return f ? f->ops->write(f, (const char *)r->si, r->dx) : -GUEST_EBADF;
}

static void copy(void *to, const void *from, unsigned int words)
{
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}

NOINLINE static long call_action(const struct guest_regs *r)
{
    struct guest_task *t = current();
    uint64_t new[3], old[3];

    if (r->di - 1 > 6)
        return -GUEST_EINVAL;
    if (r->si) {
        if (!user_ok(r->si, sizeof(new)))
            return -GUEST_EFAULT;
        copy(new, (void *)r->si, 3);
    }
    spin_lock(&t->lock);
    copy(old, &t->action[r->di], 3);
    if (r->si) {
        new[2] &= ~0x40100ull;
        t->action[r->di].handler = new[0];
        t->action[r->di].flags = new[1];
        t->action[r->di].mask = new[2];
        if (new[0] == 1)
            t->blocked &= ~(1ull << (r->di - 1));
    }
    spin_unlock(&t->lock);
    if (r->dx) {
        if (!user_ok(r->dx, sizeof(old)))
            return -GUEST_EFAULT;
        copy((void *)r->dx, old, 3);
    }
    return 0;
}

NOINLINE static long call_mask(const struct guest_regs *r)
{
    struct guest_task *t = current();
    uint32_t old;

    spin_lock(&t->lock);
    old = t->umask;
    t->umask = r->di & 0777;
    spin_unlock(&t->lock);
    return old;
}

NOINLINE static long call_list(const struct guest_regs *r)
{
    struct guest_list *l;
    long value = -GUEST_EINVAL;

    rcu_lock();
    for (l = current()->list; l; l = l->next) {
        if (l->key == (uint32_t)r->di) {
            value = l->value;
            break;
        }
    }
    rcu_unlock();
    return value;
}

NOINLINE static long call_switch(const struct guest_regs *r)
{
    struct guest_task *t = current();

    switch (r->di) {
    case 0:
        return t->pid;
    case 1:
        return t->tgid * 3;
    case 2:
        return (long)(t->blocked >> 7);
    case 3:
        t->blocked ^= r->si;
        return 3;
    case 4:
        return (int8_t)r->si;
    case 5:
        return r->si > r->dx ? 1 : (int64_t)r->si < (int64_t)r->dx ? -1 : 0;
    default:
        return -GUEST_EINVAL;
    }
}

NOINLINE static long call_bits(const struct guest_regs *r)
{
    struct guest_task *t = current();
    uint64_t *word = (uint64_t *)t->set;
    uint8_t was;

    if (r->di >= 128)
        return -GUEST_EINVAL;
    __asm__ volatile("lock btsq %2, %1; setc %0"
                     : "=q"(was), "+m"(word[r->di / 64])
                     : "Jr"(r->di % 64)
                     : "memory", "cc");
    return was + (word[1] ? 64 + __builtin_ctzll(word[1]) : 0);
}

NOINLINE static long call_time(const struct guest_regs *r)
{
    struct guest_task *t = current();
    volatile uint64_t *seq = &t->seq;
    uint64_t start, tsc, low, high, *to = (uint64_t *)r->di;

    if (!user_ok(r->di, 24))
        return -GUEST_EFAULT;
    do {
        while ((start = *seq) & 1)
            ;
        __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
        tsc = (high << 32 | low) * t->mult >> (t->shift & 31);
    } while (*seq != start);
    to[1] = t->clock = tsc;
    to[2] = *(volatile uint64_t *)&t->self->clock * 3;
    to[0] = t->seconds + *(volatile uint64_t *)&t->parent->clock; /* the parent may be the task itself */
    if ((int64_t)tsc < 0) /* a branch on the time stamp: what follows rests on it by its way */
        return -GUEST_EINVAL;
    t->umask = 1;
    return 0;
}

NOINLINE static long call_seek(const struct guest_regs *r)
{
    struct guest_file *f = file_of(r);
    uint64_t pos;

    if (!f)
        return -GUEST_EBADF;
    pos = r->dx == 1 ? f->pos + r->si : r->si;
    if ((int64_t)pos < 0)
        return -GUEST_EINVAL;
    if (pos != f->pos)
        f->pos = pos;
    return (long)pos;
}

NOINLINE static long call_stat(const struct guest_regs *r)
{
    struct guest_file *f = file_of(r);
    struct { uint64_t pos; uint32_t mode, count; uint16_t small[4]; } s;

    if (!f)
        return -GUEST_EBADF;
    s.pos = f->pos;
    s.mode = f->mode & 0xffff;
    s.count = f->count;
    s.small[0] = (uint16_t)f->mode;
    s.small[1] = (uint16_t)(f->mode >> 16);
    s.small[2] = (uint16_t)current()->pid;
    s.small[3] = (uint16_t)__builtin_bswap32(f->count);
    if (!user_ok(r->si, sizeof(s)))
        return -GUEST_EFAULT;
    copy((void *)r->si, &s, sizeof(s) / 8);
    return 0;
}

NOINLINE static long call_math(const struct guest_regs *r)
{
    uint64_t a = r->di, b = r->si | 1;
    int64_t c = (int32_t)r->dx;

    return (long)((a / b) + (a % b) * 7 + (uint64_t)(c / 1000) + (uint64_t)((__uint128_t)a * b >> 64) +
                  (a << (b & 31)) + (uint64_t)(c >> 3) + (a > b ? a : b) + (uint64_t)__builtin_popcountll(a));
}

NOINLINE static long call_hyper(const struct guest_regs *r)
{
    long result = 5;

    if (r->di == 3)
        __asm__ volatile("syscall" : "=a"(result) : "0"(39) : "rcx", "r11", "memory");
    return result;
}

NOINLINE static long call_fill(const struct guest_regs *r)
{
    volatile uint8_t *to = (uint8_t *)current()->action;
    unsigned int n = r->di == 1 ? 70 : 2;

    for (unsigned int i = 0; i < n; i++)
        to[i] = (uint8_t)(r->di + i);
    return n;
}

NOINLINE static long call_clamp(const struct guest_regs *r)
{
    uint64_t n = r->dx < 0x7ffff000 ? r->dx : 0x7ffff000, some = n < 0x1000 ? n : 0x1000;
    uint64_t words = some >> 3, bytes = some & 7, sum = 0;
    const struct guest_task *t = current();

    __asm__ volatile("" : "+r"(words), "+r"(bytes));
    for (uint64_t i = 0; i < words; i++)
        sum += *(const volatile uint64_t *)&t->set[i & 8];
    for (uint64_t i = 0; i < bytes; i++)
        sum += *(const volatile uint8_t *)&t->set[i];
    return n == some ? (long)sum : -GUEST_EINVAL;
}

static long (*const table[CALLS])(const struct guest_regs *) = {
    call_pid,  call_read, call_write, call_action, call_mask, call_list, call_switch,
    call_bits, call_time, call_seek,  call_stat,   call_math, call_hyper,
    call_fill, call_clamp, call_pid,   guest_case,
};

/* Where the stack is for one call: lower by an amount that changes from call to call. */
NOINLINE static void serve(struct guest_regs *r, long number)
{
    uint64_t low = PERCPU_READ(PERCPU_STACK_OFFSET) & 0x3ff;
    volatile char *below = __builtin_alloca(low + 1);

    __asm__ volatile("" : : "r"(below) : "memory");
    /* Unmask events and look whether one came; then the call. */
    __asm__ volatile("movb $0, %gs:0x101; testb $0xff, %gs:0x100; jz 1f; ud2; 1:");
    if ((unsigned long)number < CALLS) {
        preempt(1);
        preempt(-1);
        r->ax = (uint64_t)table[number](r);
    }
    __asm__ volatile("movb $1, %%gs:0x101" ::: "memory");
    while (*(volatile uint64_t *)&current()->flags & 0x3f)
        ;
    __asm__ volatile("rdtsc; rorl $5, %%eax; xorl %%gs:%c0, %%eax; movl %%eax, %%gs:%c0"
                     :
                     : "i"(PERCPU_STACK_OFFSET)
                     : "rax", "rdx", "memory", "cc");
}

void guest_dispatch(struct guest_regs *r, long number);
void guest_dispatch(struct guest_regs *r, long number)
{
    uint64_t *counter;

    /* Per-CPU data by way of the base that per-CPU data holds. */
    counter = (uint64_t *)(PERCPU_READ(PERCPU_OFFSET) + PERCPU_COUNTER);
    if (number < CALL_QUIET)
        *counter += 1;
    serve(r, number);
}
