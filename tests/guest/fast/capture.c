/* SPDX-License-Identifier: MIT */
/* Captures of a small guest kernel's system call, and that it cannot tell. */
#include "capture.h"

#include "pages.h"
#include "prog.h"
#include "snippet.h"

#define NR 39
#define STEPS 64

SNIPPET(call, "", "syscall");

/*
 * The system call: r8 = its flags, r9 = r11 behind a hypercall, r10 = its flags behind POPF; one word
 * of memory is raised.  Then iret.
 */
extern const uint8_t cap_entry[], cap_store[], cap_hypercall[], cap_iret[];
uint64_t cap_word;
asm(".pushsection .text\n"
    "cap_entry:\n"
    "  mov (%rsp), %rcx\n"
    "  mov 8(%rsp), %r11\n"
    "  add $16, %rsp\n"
    "  push %rcx\n"
    "  push %r11\n"
    "  pushfq\n"
    "  mov (%rsp), %r8\n"
    "  popfq\n"
    "  pushfq\n"
    "  pop %r10\n"
    "cap_store:\n"
    "  addq $3, cap_word(%rip)\n"
    "  mov $17, %eax\n" /* xen_version(0) */
    "  xor %edi, %edi\n"
    "cap_hypercall:\n"
    "  syscall\n"
    "  mov %r11, %r9\n"
    "  pop %r11\n"
    "  pop %rcx\n"
    "  pushq $0\n"
    "  push %rcx\n"
    "  push %r11\n"
    "  push %rax\n"
    "  mov $23, %eax\n"
    "cap_iret:\n"
    "  syscall\n"
    ".popsection\n");

static struct {
    struct radon_capture_head head;
    struct radon_capture_step step[STEPS];
} got[4];

static struct radon_capture_start request(uint32_t occurrences, uint32_t max_steps)
{
    return (struct radon_capture_start){ .domain = DOMID_SELF, .kind = FAST_ATTACH_SYSCALL,
                                         .number = NR, .occurrences = occurrences,
                                         .max_steps = max_steps };
}

static struct exception user_call(uint64_t rflags)
{
    struct ktest_regs regs = regs_user(call_code);
    struct exception e;

    regs.rax = NR;
    regs.rflags |= RFLAGS_IF | rflags;
    e = run_iret(regs);
    this_cpu()->info->evtchn_upcall_mask = 1;
    return e;
}

static struct radon_capture_read fetch(uint32_t id)
{
    struct radon_capture_read r = { .id = id, .buffer = (uint64_t)got, .bytes = sizeof(got) };

    memset(got, 0, sizeof(got));
    ktest_require(radon_op(RADON_CAPTURE_READ, &r) == 0);
    return r;
}

static void check_unseen(const struct exception *e)
{
    check_eq(e->regs.vector, VEC_UD);
    check_eq(e->regs.r8 & RFLAGS_TF, 0);
    check_eq(e->regs.r9 & RFLAGS_TF, 0);
    check_eq(e->regs.r10 & RFLAGS_TF, 0);
    check_eq(e->regs.rflags & RFLAGS_TF, 0);
}

static const struct radon_capture_step *step_at(const uint8_t *rip)
{
    for (unsigned int i = 0; i < got[0].head.steps && i < STEPS; i++)
        if (got[0].step[i].regs.rip == (uint64_t)rip)
            return &got[0].step[i];
    ktest_require(!"the step is there");
    return NULL;
}

uint64_t entries_counted(bool exact, uint32_t kind, uint32_t number)
{
    static struct radon_site rows[64];
    struct radon_sites_control mode = { .mode = exact ? RADON_SITES_EXACT : RADON_SITES_SAMPLED };
    struct radon_sites_read read = { .domain = RADON_DOMID_ANY, .rows = (uint64_t)rows, .room = 64 };
    uint64_t n = 0;

    ktest_require(radon_op(RADON_SITES_READ, &read) == 0 && !read.first);
    for (uint32_t i = 0; i < read.room; i++)
        n += rows[i].kind == kind && rows[i].number == number ? rows[i].count : 0;
    ktest_require(radon_op(RADON_SITES_CONTROL, &mode) == 0);
    return n;
}

static void what_is_recorded(void)
{
    struct radon_capture_start op = request(1, 1000);
    const struct radon_capture_step *s;
    struct radon_capture_read r;
    struct exception e;
    uint64_t word;

    test_case("one occurrence, instruction by instruction");
    cap_word = 100;
    user_call(0);
    check_eq(cap_word, 103);
    check_eq(radon_op(RADON_CAPTURE_START, &op), 0);
    check(op.id != 0);
    entries_counted(true, RADON_SITE_TRAP, 1);
    e = user_call(RFLAGS_CF);
    check_eq(entries_counted(false, RADON_SITE_TRAP, 1), 0); /* nor do hot sites see it */
    check_unseen(&e);
    check_eq(cap_word, 106);
    r = fetch(op.id);
    check_eq(r.state, 1);
    check_eq(r.occurrences, 1);
    check_eq(got[0].head.magic, RADON_CAPTURE_MAGIC);
    check_eq(got[0].head.end, RADON_CAPTURE_DONE);
    check_eq(got[0].head.steps, 23);
    check_eq(r.total, sizeof(got[0].head) + 23 * sizeof(got[0].step[0]));
    check_eq(got[0].head.before.rip, call_after);
    check_eq(got[0].head.before.rax, NR);
    check(got[0].head.before.rflags & RFLAGS_CF);
    check_eq(got[0].head.after.rip, call_after);
    check_eq(got[0].head.after.rax, e.regs.rax);
    check_eq(got[0].head.kernel_sp, cpu_entry_stack_top(0));
    check_eq(got[0].step[0].regs.rip, cap_entry);
    check_eq(got[0].step[0].regs.rsp, cpu_entry_stack_top(0) - 56);
    check_eq(got[0].step[0].mem_address, got[0].step[0].regs.rsp);
    check_eq(got[0].step[22].regs.rip, cap_iret);
    check_eq(got[0].step[22].regs.rax, 23);

    test_case("operands with what was there before and after");
    s = step_at(cap_store);
    check_eq(s->mem_address, &cap_word);
    check(s->flags & RADON_STEP_MEM);
    check(s->flags & RADON_STEP_MEM_AFTER);
    memcpy(&word, s->mem_before, 8);
    check_eq(word, 103);
    memcpy(&word, s->mem_after, 8);
    check_eq(word, 106);
    check_eq(s->bytes[1], 0x83);
    check_eq(step_at(cap_hypercall)->regs.rax, 17);
    for (unsigned int i = 0; i < 23; i++)
        check_eq(got[0].step[i].regs.rflags & RFLAGS_TF, 0);

    test_case("the one after it is not recorded, and as before");
    e = user_call(0);
    check_unseen(&e);
    check_eq(cap_word, 109);
}

static void more(void)
{
    struct radon_capture_start op = request(2, 1000);
    struct radon_capture_stop stop;
    struct exception e;

    test_case("one in two, twice");
    op.skip = 1;
    check_eq(radon_op(RADON_CAPTURE_START, &op), 0);
    for (unsigned int i = 0; i < 4; i++) {
        check_eq(fetch(op.id).occurrences, i / 2);
        e = user_call(0);
        check_unseen(&e);
    }
    check_eq(fetch(op.id).occurrences, 2);
    check_eq(fetch(op.id).state, 1);

    test_case("others' only: not of the task, by its kernel stack, that asked");
    op = request(1, 1000);
    op.flags = RADON_CAPTURE_OTHERS;
    check_eq(radon_op(RADON_CAPTURE_START, &op), 0);
    e = user_call(0);
    check_unseen(&e);
    check_eq(fetch(op.id).occurrences, 0);
    check_eq(hyp_stack_switch(FLAT_KERNEL_SS, cpu_entry_stack_top(0) - 1024), 0); /* another task */
    e = user_call(0);
    check_unseen(&e);
    check_eq(hyp_stack_switch(FLAT_KERNEL_SS, cpu_entry_stack_top(0)), 0);
    check_eq(fetch(op.id).occurrences, 1);
    check_eq(fetch(op.id).state, 1);

    test_case("too long: cut, the guest goes on");
    op = request(1, 5);
    cap_word = 0;
    check_eq(radon_op(RADON_CAPTURE_START, &op), 0);
    e = user_call(0);
    check_unseen(&e);
    check_eq(cap_word, 3);
    fetch(op.id);
    check_eq(got[0].head.end, RADON_CAPTURE_LONG);
    check_eq(got[0].head.steps, 5);

    test_case("one at a time; stopped");
    check_eq(radon_op(RADON_CAPTURE_START, &op), -XEN_EBUSY);
    stop.id = op.id;
    check_eq(radon_op(RADON_CAPTURE_STOP, &stop), 0);
    e = user_call(0);
    check_unseen(&e);
    check_eq(fetch(op.id).state, 1);
    check_eq(fetch(op.id).occurrences, 0);
    stop.id += 100;
    check_eq(radon_op(RADON_CAPTURE_STOP, &stop), -XEN_ENOENT);
}

static void own_trap_flag(void)
{
    struct radon_capture_start op = request(1, 1000);
    struct exception e;

    test_case("rule 13: a user that steps itself is not recorded");
    check_eq(radon_op(RADON_CAPTURE_START, &op), 0);
    e = user_call(RFLAGS_TF);
    check(e.regs.vector == VEC_DB || e.regs.vector == VEC_UD);
    check_eq(fetch(op.id).occurrences, 0);
    check_eq(got[0].head.magic, 0);
    user_call(0);
    check_eq(fetch(op.id).occurrences, 1);
}

static void refusals(void)
{
    struct radon_capture_start op = request(0, 10);

    test_case("fields out of range");
    check_eq(radon_op(RADON_CAPTURE_START, &op), -XEN_EINVAL);
    op = request(65, 10);
    check_eq(radon_op(RADON_CAPTURE_START, &op), -XEN_EINVAL);
    op = request(1, 0);
    check_eq(radon_op(RADON_CAPTURE_START, &op), -XEN_EINVAL);
    op = request(1, 8193);
    check_eq(radon_op(RADON_CAPTURE_START, &op), -XEN_EINVAL);
    op = request(1, 10);
    op.flags = 2;
    check_eq(radon_op(RADON_CAPTURE_START, &op), -XEN_EINVAL);
    op = request(1, 10);
    op.kind = 9;
    check_eq(radon_op(RADON_CAPTURE_START, &op), -XEN_EINVAL);
    op = request(1, 10);
    op.domain = 77;
    check_eq(radon_op(RADON_CAPTURE_START, &op), -XEN_ESRCH);
}

void capture_tests(void)
{
    check_eq(callback_set(CALLBACKTYPE_syscall, CALLBACKF_mask_events, cap_entry), 0);
    what_is_recorded();
    more();
    own_trap_flag();
    refusals();
    check_eq(callback_set(CALLBACKTYPE_syscall, CALLBACKF_mask_events, ktest_syscall_entry), 0);
}
