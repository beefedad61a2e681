/* SPDX-License-Identifier: MIT */
/*
 * What a test kernel is written with. A test defines `ktest_name` and `test_main()`; the library
 * boots, gives it traps, callbacks and shared_info, and prints the verdict when it returns.
 */
#ifndef KTEST_H
#define KTEST_H

#include <stdarg.h>

#include "pv.h"
#include "regs.h"
#include "stack.h"

/* Given by each test. */
extern const char ktest_name[];
void test_main(void);

/* ---- printing and verdicts ---- */

/* Subset of printf: %s %c %d %u %x %p %%, width, zero padding, l and ll. One console_io a call. */
void printk(const char *format, ...) __attribute__((format(printf, 1, 2)));
void ksnprintf(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void kvsnprintf(char *out, size_t size, const char *format, va_list *args);

enum ktest_verdict { KTEST_SUCCESS, KTEST_SKIP, KTEST_ERROR, KTEST_FAILURE };

/* Prints the verdict line and shuts the machine down. */
void ktest_finish(enum ktest_verdict verdict, const char *why) __attribute__((noreturn));

/* The test's own fault: something that it takes for granted did not hold. */
#define ktest_require(condition)                                                                   \
    do {                                                                                           \
        if (!(condition))                                                                          \
            ktest_finish(KTEST_ERROR, "required: " #condition);                                    \
    } while (0)

/* ---- checks: each counts, a failed one is printed with the case it belongs to ---- */

/* Names the case that the checks which follow belong to; printed once it is over. */
void test_case(const char *format, ...) __attribute__((format(printf, 1, 2)));
void check_true(bool ok, const char *text, const char *file, int line);
void check_equal(uint64_t got, uint64_t want, const char *text, const char *file, int line);
#define check(condition) check_true(condition, #condition, __FILE__, __LINE__)
#define check_eq(got, want)                                                                        \
    check_equal((uint64_t)(got), (uint64_t)(want), #got, __FILE__, __LINE__)

/* One line case: a hypercall's result against what is documented. */
void expect_result(const char *what, long got, long want);
#define expect(call, want) expect_result(#call, call, want)
/* As above where no header names the errno: any error will do. */
#define expect_error(call)                                                                         \
    do {                                                                                           \
        test_case("%s", #call);                                                                    \
        check((long)(call) < 0 && (long)(call) > -4096);                                           \
    } while (0)

/* ---- vCPUs ---- */

struct ktest_cpu {
    unsigned int id;
    volatile struct vcpu_info *info;
    uint64_t resume;           /* saved rsp of ktest_run(), 0 when none is active */
    struct exception last;     /* the last caught exception */
    unsigned long fixups;      /* exceptions that the table of fixups caught */
    uint8_t below_enter[512];  /* an upcall may push here while rsp is in enter */
    struct ktest_regs enter;
};

struct ktest_cpu *cpu_of(unsigned int id);
struct ktest_cpu *this_cpu(void);
bool cpu_is_amd(void);
uint64_t cpu_stack_top(unsigned int id);
uint64_t cpu_entry_stack_top(unsigned int id);

/* ---- exceptions ---- */

/* Fills registers with values that are easy to recognise, kernel or user selectors and a stack. */
struct ktest_regs regs_kernel(const void *rip);
struct ktest_regs regs_user(const void *rip);

/*
 * Runs at the given registers and returns with the first exception or callback that follows,
 * except event upcalls, which are handled and resumed. Kernel mode (cs RPL 0) is entered by
 * popf and ret, which use two words below regs.rsp; user mode, TF, and either mode with run_iret()
 * by the iret hypercall, whose flags are regs.error.
 */
struct exception run(struct ktest_regs regs);
struct exception run_iret(struct ktest_regs regs);

/* Must be called once before user mode is entered: it then runs on the kernel's page tables. */
void user_mode_init(void);

/* Prints the differences between two sets of registers; all are compared. */
void check_regs(const struct ktest_regs *got, const struct ktest_regs *want);

/* A trap table entry for every vector: DPL 3 for #BP and #OF, 0 for the others. */
void trap_table_reset(void);
long trap_set(unsigned int vector, unsigned int flags, uint64_t address);
extern uint8_t ktest_vector_entries[256][32];
long callback_set(unsigned int type, unsigned int flags, const void *address);
extern uint8_t ktest_event_entry[], ktest_syscall_entry[], ktest_sysenter_entry[];
extern uint8_t ktest_syscall32_entry[], ktest_nmi_entry[], ktest_failsafe_entry[];
extern uint8_t ktest_alt_entry[];

/* A fixup: if the instruction at label `from` faults, go on at `to` (see probe.h for uses). */
#define EXTABLE(from, to)                                                                          \
    ".pushsection .ex_table, \"a\"\n .quad " #from ", " #to "\n .popsection\n"

/* ---- events ---- */

/* Called in each upcall with its frame, pending bits not yet cleared; 0: none. */
extern void (*ktest_event_hook)(struct ktest_regs *regs);
extern volatile unsigned long ktest_event_count[4096];
void events_enable(void);
void events_disable(void);

/* ---- memory ---- */

extern struct start_info *start_info;
extern volatile struct shared_info *shared_info;

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
void *memmove(void *to, const void *from, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);

#endif
