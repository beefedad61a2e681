/* SPDX-License-Identifier: MIT */
/*
 * Single things that a kernel does with memory, for the tests of synthesis: rdi of CALL_CASE says which. Each is
 * recorded by itself, and no store of another is on its path.
 */
#include "synth_guest.h"

#define NOINLINE __attribute__((noinline))
#define TASK current()
#define GS_STORE_BYTE(value, at) __asm__ volatile("movb %0, %%gs:%c1" : : "i"(value), "i"(at) : "memory")


static inline uint64_t gs_trace(void)
{
    uint64_t v;

    __asm__ volatile("movq %%gs:%c1, %0" : "=r"(v) : "i"(PERCPU_TRACE) : "memory");
    return v;
}

static inline volatile struct guest_task *current(void)
{
    uint64_t v;

    __asm__ volatile("movq %%gs:%c1, %0" : "=r"(v) : "i"(PERCPU_CURRENT));
    return (volatile struct guest_task *)v;
}

/* ------------------------------------------------------------------ stores that may vanish */

/* The first store is seen, where the parent is the task itself. */
static long overwritten(const struct guest_regs *r)
{
    volatile struct guest_task *t = current();
    uint64_t seen;

    t->seconds = r->si;
    seen = t->parent->seconds;
    t->seconds = r->dx;
    return (long)seen;
}

/* ... and here always: by a load of more. */
static long overwritten_read(const struct guest_regs *r)
{
    volatile struct guest_task *t = current();
    volatile uint32_t *low = (volatile uint32_t *)&t->seconds;
    uint64_t seen;

    *low = (uint32_t)r->si;
    seen = t->seconds;
    *low = (uint32_t)r->dx;
    return (long)seen;
}

static long overwritten_half(const struct guest_regs *r)
{
    volatile struct guest_task *t = current();

    t->seconds = r->si;
    *(volatile uint32_t *)&t->seconds = (uint32_t)r->dx;
    return 0;
}

static long overwritten_twice(const struct guest_regs *r)
{
    volatile struct guest_task *t = current();
    uint64_t old = t->blocked;

    t->blocked = r->si;
    t->blocked = r->dx;
    return (long)old;
}

/* What is taken back is what the parent's was, where that is the task itself. */
static long back_over(const struct guest_regs *r)
{
    volatile struct guest_task *t = current(), *parent = t->parent;
    uint64_t old = t->blocked;

    t->blocked = r->si;
    parent->blocked = r->dx;
    t->blocked = old;
    return 0;
}

/* Seen meanwhile by way of the parent: on both sides of a branch. */
static long back_sides(const struct guest_regs *r)
{
    volatile struct guest_task *t = current(), *parent = t->parent;
    uint64_t old = t->blocked, seen;

    t->blocked = r->dx;
    if (r->si & 1) {
        __asm__ volatile("nop"); /* no instruction is both sides' */
        seen = parent->blocked;
        t->blocked = old;
        __asm__ volatile("nop");
        return (long)seen;
    }
    seen = parent->blocked;
    t->blocked = old;
    return (long)(seen * 3);
}

/* The word is 0 again on one side only. */
static inline long back_one_side(int side)
{
    volatile struct guest_task *t = current();
    volatile uint8_t *byte = (volatile uint8_t *)&t->lock;

    if (t->lock)
        return 1;
    t->lock = 0x101;
    if (side) {
        __asm__ volatile("nop");
        byte[0] = 0;
        return 0;
    }
    byte[0] = 0;
    byte[1] = 0;
    return 0;
}

static long back_odd(const struct guest_regs *r)
{
    return back_one_side(r->si & 1);
}

static long back_even(const struct guest_regs *r)
{
    return back_one_side(!(r->si & 1));
}

/* Half of the word that was 0 is 0 again, and the other is not. */
static long back_half(const struct guest_regs *r)
{
    volatile struct guest_task *t = current();

    (void)r;
    if (t->lock)
        return 1;
    t->lock = 0x101;
    *(volatile uint8_t *)&t->lock = 0;
    return 0;
}

static long back_of_another(const struct guest_regs *r)
{
    volatile struct guest_task *t = current();

    (void)r;
    if (t->lock)
        return 1;
    t->lock = 1;
    t->lock = 0x202;
    *(volatile uint8_t *)&t->lock = 0;
    return 0;
}

/* The word is 0 at last, and was something else. */
static long cleared(const struct guest_regs *r)
{
    volatile struct guest_task *t = current();
    volatile uint8_t *byte = (volatile uint8_t *)&t->umask;
    uint32_t old = t->umask;

    (void)r;
    t->umask = 0x01010101;
    for (unsigned int i = 0; i < 4; i++)
        byte[i] = 0;
    return old;
}

/* What was there is stored once more, over what only a load of more has seen. */
static long back_late(const struct guest_regs *r)
{
    volatile struct guest_task *t = current();
    volatile uint32_t *low = (volatile uint32_t *)&t->seconds;
    uint32_t old = *low;
    uint64_t seen;

    *low = (uint32_t)r->si;
    seen = t->seconds;
    *low = (uint32_t)r->dx;
    *low = old;
    return (long)seen;
}

/* ... and over what was stored by way of the parent. */
static long old_again(const struct guest_regs *r)
{
    volatile struct guest_task *t = current(), *parent = t->parent;
    uint64_t old = t->blocked;

    parent->blocked = r->dx;
    t->blocked = old;
    return 0;
}

static long old_again_part(const struct guest_regs *r)
{
    volatile struct guest_task *t = current();
    uint64_t old = t->blocked;

    *(volatile uint32_t *)&t->blocked = (uint32_t)r->dx;
    t->blocked = old;
    return 0;
}

/* ------------------------------------------------------------------ values that are used again */

static long read_again(const struct guest_regs *r)
{
    volatile struct guest_task *t = current(), *parent = t->parent;
    uint64_t first = t->blocked;

    parent->blocked = r->dx;
    return (long)(first + t->blocked * 3);
}

static long stored_again(const struct guest_regs *r)
{
    volatile struct guest_task *t = current(), *parent = t->parent;

    t->blocked = r->si;
    parent->blocked = r->dx;
    return (long)t->blocked;
}

/* Some bytes were stored since, and are read with the others, in part and beyond. */
static long mended(const struct guest_regs *r)
{
    volatile struct guest_task *t = current();
    volatile uint8_t *byte = (volatile uint8_t *)&t->blocked;
    uint64_t first = t->blocked;

    byte[2] = (uint8_t)r->dx;
    *(volatile uint16_t *)&byte[3] = (uint16_t)r->si;
    return (long)(first + t->blocked * 3);
}

static long half_stored(const struct guest_regs *r)
{
    volatile struct guest_task *t = current();
    uint64_t first = t->blocked;

    *(volatile uint64_t *)((volatile uint8_t *)&t->blocked + 4) = r->dx;
    return (long)(first + t->blocked * 3);
}

/* A bit that is clear, as far as captures know. */
static long clears(const struct guest_regs *r)
{
    volatile struct guest_task *t = current();

    (void)r;
    t->seq &= ~1ull;
    return 0;
}

static long sets(const struct guest_regs *r)
{
    volatile struct guest_task *t = current();

    (void)r;
    t->shift |= 1;
    return 0;
}

/* ------------------------------------------------------------------ numbers that guards speak of */

static long not_five(const struct guest_regs *r)
{
    uint64_t n = r->dx;
    uint8_t seven;

    if (n == 5)
        return -1;
    __asm__("cmpq $7, %1; sete %0" : "=r"(seven) : "r"(n) : "cc");
    return seven;
}

static long below_eight(const struct guest_regs *r)
{
    uint64_t n = r->dx;
    uint8_t three;

    if (n >= 8)
        return -1;
    __asm__("cmpq $3, %1; sete %0" : "=r"(three) : "r"(n) : "cc");
    return three;
}

/* ------------------------------------------------------------------ where addresses lead */

/* What the kernel does not check: the address may be that of what it has read. */
static long user_store(const struct guest_regs *r)
{
    uint64_t first = gs_trace();

    *(volatile uint64_t *)r->si = r->dx;
    return (long)(first ^ gs_trace());
}

/* Through a pointer to the frame of this entry, which lies in memory. */
static long by_frame(const struct guest_regs *r)
{
    (void)r;
    return (long)current()->frame->si;
}

static long count_bytes(const struct guest_regs *r)
{
    uint64_t left = r->dx, to = r->si;

    __asm__ volatile("rep stosb" : "+c"(left), "+D"(to) : "a"(7) : "memory");
    return (long)(to - r->si);
}

/* Both ways are taken, by the time stamp. */
static long timed_sides(const struct guest_regs *r)
{
    volatile struct guest_task *t = current();
    uint32_t low, high;

    (void)r;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    if ((low ^ low >> 7 ^ low >> 14) & 1)
        t->umask = 1;
    else
        t->umask = 2;
    return 0;
}

/* ------------------------------------------------------------------ what is refused */

static long vcpu_first(const struct guest_regs *r)
{
    (void)r;
    __asm__ volatile("movq $0, %%gs:0xf9" : : : "memory");
    return 0;
}

static long vcpu_last(const struct guest_regs *r)
{
    (void)r;
    GS_STORE_BYTE(1, 0x13f);
    return 0;
}

static long vcpu_around(const struct guest_regs *r)
{
    (void)r;
    __asm__ volatile("movq $0, %%gs:0xf8; movb $1, %%gs:0x140" : : : "memory");
    return 0;
}

static long mask_two(const struct guest_regs *r)
{
    (void)r;
    GS_STORE_BYTE(2, 0x101);
    return 0;
}

static long keeps_stack(const struct guest_regs *r)
{
    *(volatile uint64_t *)&TASK->seconds = (uint64_t)r;
    return 0;
}

static long returns_stack(const struct guest_regs *r)
{
    return (long)r;
}

static long stack_before(const struct guest_regs *r)
{
    volatile uint64_t left[2];

    (void)r;
    __asm__ volatile("movq %1, %0" : "=r"(r) : "m"(left[1]));
    return (long)r;
}

static long moves_return(const struct guest_regs *r)
{
    *(volatile uint64_t *)&r->ip += 4;
    return 0;
}

static long moves_stack(const struct guest_regs *r)
{
    *(volatile uint64_t *)&r->sp -= 16;
    return 0;
}

static long selects(const struct guest_regs *r)
{
    *(volatile uint64_t *)&r->cs = r->si & 0xffff;
    return 0;
}

static long vectors(const struct guest_regs *r)
{
    (void)r;
    __asm__ volatile("fnop");
    return 0;
}

static long fences(const struct guest_regs *r)
{
    (void)r;
    __asm__ volatile("mfence" : : : "memory");
    return 0;
}

static long fences_by_lock(const struct guest_regs *r)
{
    (void)r;
    __asm__ volatile("lock addl $0, -4(%%rsp)" : : : "memory", "cc");
    return 0;
}

static long locks_per_cpu(const struct guest_regs *r)
{
    (void)r;
    __asm__ volatile("lock addl $2, %%gs:%c0" : : "i"(PERCPU_COUNTER) : "memory", "cc");
    return 0;
}

/* By an address that was put together, as Linux has it of one CPU's data for all to see. */
static long locks_own_per_cpu(const struct guest_regs *r)
{
    long counter = PERCPU_COUNTER, was = 2;

    (void)r;
    __asm__ volatile("addq %%gs:%c2, %0; lock xaddl %k1, (%0)"
                     : "+r"(counter), "+r"(was) : "i"(PERCPU_OFFSET) : "memory", "cc");
    return was;
}

long guest_cross(void);
static long crosses_pages(const struct guest_regs *r)
{
    (void)r;
    return guest_cross();
}

static long (*const cases[CASES])(const struct guest_regs *) = {
    [CASE_OVERWRITTEN] = overwritten,
    [CASE_OVERWRITTEN_READ] = overwritten_read,
    [CASE_OVERWRITTEN_HALF] = overwritten_half,
    [CASE_OVERWRITTEN_TWICE] = overwritten_twice,
    [CASE_BACK_OVER] = back_over,
    [CASE_BACK_SIDES] = back_sides,
    [CASE_BACK_HALF] = back_half,
    [CASE_BACK_OF_ANOTHER] = back_of_another,
    [CASE_BACK_ODD] = back_odd,
    [CASE_BACK_EVEN] = back_even,
    [CASE_CLEARED] = cleared,
    [CASE_BACK_LATE] = back_late,
    [CASE_OLD_AGAIN] = old_again,
    [CASE_OLD_AGAIN_PART] = old_again_part,
    [CASE_READ_AGAIN] = read_again,
    [CASE_STORED_AGAIN] = stored_again,
    [CASE_MENDED] = mended,
    [CASE_HALF_STORED] = half_stored,
    [CASE_CLEARS] = clears,
    [CASE_SETS] = sets,
    [CASE_NOT_FIVE] = not_five,
    [CASE_BELOW_EIGHT] = below_eight,
    [CASE_USER_STORE] = user_store,
    [CASE_BY_FRAME] = by_frame,
    [CASE_COUNT] = count_bytes,
    [CASE_TIMED_SIDES] = timed_sides,
    [CASE_VCPU_FIRST] = vcpu_first,
    [CASE_VCPU_LAST] = vcpu_last,
    [CASE_VCPU_AROUND] = vcpu_around,
    [CASE_MASK_TWO] = mask_two,
    [CASE_KEEPS_STACK] = keeps_stack,
    [CASE_RETURNS_STACK] = returns_stack,
    [CASE_STACK_BEFORE] = stack_before,
    [CASE_MOVES_RETURN] = moves_return,
    [CASE_MOVES_STACK] = moves_stack,
    [CASE_SELECTS] = selects,
    [CASE_VECTORS] = vectors,
    [CASE_FENCES] = fences,
    [CASE_FENCES_BY_LOCK] = fences_by_lock,
    [CASE_LOCKS_PER_CPU] = locks_per_cpu,
    [CASE_LOCKS_OWN_PER_CPU] = locks_own_per_cpu,
    [CASE_CROSSES_PAGES] = crosses_pages,
};

/* By a pointer from a table: which one is all that says which case it is. */
NOINLINE long guest_case(const struct guest_regs *r)
{
    return cases[r->di](r);
}
