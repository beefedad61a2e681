/* SPDX-License-Identifier: MIT */
/*
 * Lifting: captures are followed step by step, all that took the same way at once.  Where they
 * part, the path forks.  After each instruction the registers that it left in every capture are
 * compared with what the nodes say.
 */
#include <stdlib.h>
#include <string.h>

#include "insn.h"

static const struct {
    ZydisMnemonic mnemonic;
    lift_fn lift;
} table[] = {
#define LIFT_1(f, m) { ZYDIS_MNEMONIC_##m, f },
#define LIFT_2(f, m, ...) LIFT_1(f, m) LIFT_1(f, __VA_ARGS__)
#define LIFT_3(f, m, ...) LIFT_1(f, m) LIFT_2(f, __VA_ARGS__)
#define LIFT_4(f, m, ...) LIFT_1(f, m) LIFT_3(f, __VA_ARGS__)
#define LIFT_13(f, a, b, c, d, e, ...) LIFT_4(f, a, b, c, d) LIFT_1(f, e) LIFT_8(f, __VA_ARGS__)
#define LIFT_8(f, a, b, c, d, ...) LIFT_4(f, a, b, c, d) LIFT_4(f, __VA_ARGS__)
#define LIFT_16(f, a, b, c, d, e, g, h, i, ...)                                                    \
    LIFT_8(f, a, b, c, d, e, g, h, i) LIFT_8(f, __VA_ARGS__)
#define LIFT_20(f, a, b, c, d, ...) LIFT_4(f, a, b, c, d) LIFT_16(f, __VA_ARGS__)
#define COUNT_(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, N, ...) N
#define COUNT(...)                                                                                 \
    COUNT_(__VA_ARGS__, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define LIFT(f, ...) PASTE(LIFT_, COUNT(__VA_ARGS__))(f, __VA_ARGS__)
#include "insns.def"
};

lift_fn lift_find(ZydisMnemonic mnemonic)
{
    for (unsigned int i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (table[i].mnemonic == mnemonic)
            return table[i].lift;
    return NULL;
}

bool settle(struct insn *in, node_id truth, bool *value)
{
    uint64_t agreed;

    if (!concrete_agreed(in->w, in->st->captures, truth, &agreed)) {
        in->flow = FLOW_SPLIT;
        in->taken = truth;
        return false;
    }
    *value = agreed;
    guard(in->w, in->st, agreed ? truth : g_not(in->g, truth));
    return true;
}

static bool touches_vectors(const struct insn *in)
{
    for (unsigned int i = 0; i < in->z.operand_count; i++) {
        ZydisRegisterClass class = in->op[i].type == ZYDIS_OPERAND_TYPE_REGISTER
                                       ? ZydisRegisterGetClass(in->op[i].reg.value)
                                       : ZYDIS_REGCLASS_INVALID;

        if (class == ZYDIS_REGCLASS_X87 || class == ZYDIS_REGCLASS_MMX ||
            class == ZYDIS_REGCLASS_XMM || class == ZYDIS_REGCLASS_YMM ||
            class == ZYDIS_REGCLASS_ZMM)
            return true;
    }
    return in->z.meta.category == ZYDIS_CATEGORY_X87_ALU ||
           in->z.meta.category == ZYDIS_CATEGORY_XSAVE;
}

static bool decode(struct insn *in)
{
    static ZydisDecoder decoder;
    const struct radon_capture_step *s = NULL;
    unsigned int bytes;

    if (!decoder.machine_mode)
        ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    FOR_CAPTURES(i, in->st->captures)
    {
        const struct radon_capture_step *here = step_of(in->w, i, in->w->step);

        if (!s) {
            s = here;
            in->w->at = s->regs.rip;
            bytes = s->flags >> RADON_STEP_BYTES_SHIFT & 31;
            if (bytes > 16 ||
                !ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, s->bytes, bytes, &in->z, in->op))) {
                refuse(in->w, SYNTH_UNDECODABLE, "%02x %02x %02x %02x", s->bytes[0], s->bytes[1],
                       s->bytes[2], s->bytes[3]);
                return false;
            }
        } else if (here->regs.rip != s->regs.rip) {
            refuse(in->w, SYNTH_PATHS_DIFFER, "at %#llx and %#llx", (unsigned long long)s->regs.rip,
                   (unsigned long long)here->regs.rip);
            return false;
        } else if (memcmp(here->bytes, s->bytes, in->z.length)) {
            refuse(in->w, SYNTH_CODE_CHANGED, "bytes at %#llx", (unsigned long long)s->regs.rip);
            return false;
        }
    }
    in->next = s->regs.rip + in->z.length;
    watch_add(in->w, s->regs.rip);
    watch_add(in->w, in->next - 1);
    return true;
}

/* Lifters look at the next step, but for the return; of a hypercall that is none they look whether it is there. */
static void lift_insn(struct insn *in, bool last)
{
    lift_fn lift;

    if (!decode(in))
        return;
    if (last && in->z.mnemonic != ZYDIS_MNEMONIC_SYSCALL) {
        refuse(in->w, SYNTH_BAD_CAPTURE, "the capture ends before the return");
        return;
    }
    if (touches_vectors(in)) {
        refuse(in->w, SYNTH_VECTOR, "%s", ZydisMnemonicGetString(in->z.mnemonic));
        return;
    }
    lift = lift_find(in->z.mnemonic);
    if (!lift) {
        refuse(in->w,
               in->z.attributes & ZYDIS_ATTRIB_IS_PRIVILEGED ? SYNTH_PRIVILEGED : SYNTH_UNSUPPORTED,
               "%s", ZydisMnemonicGetString(in->z.mnemonic));
        return;
    }
    lift(in);
}

static void check_flag(struct work *w, unsigned int capture, node_id flag, uint64_t rflags,
                       unsigned int bit, const char *name)
{
    uint64_t value;

    if (flag && (!concrete_value(w, capture, flag, &value) || value != (rflags >> bit & 1)))
        refuse(w, SYNTH_DISAGREES, "%s is %u", name, (unsigned int)(rflags >> bit & 1));
}

/* What the path says of registers and flags is what each capture has before its next step. */
static void check_registers(struct work *w, struct state *st)
{
    static const char *const name[] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                        "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15" };
    const struct flags *f = &st->flags;
    uint64_t value, want;

    FOR_CAPTURES(i, st->captures)
    {
        const struct radon_regs *next = &step_of(w, i, w->step + 1)->regs;

        for (unsigned int r = 0; r < NR_REGS; r++) {
            memcpy(&want, (const char *)next + 8 * r, 8);
            if (!concrete_value(w, i, st->reg[r], &value) || value != want)
                refuse(w, SYNTH_DISAGREES, "%s is %#llx, the path says %#llx", name[r],
                       (unsigned long long)want, (unsigned long long)value);
        }
        check_flag(w, i, f->cf, next->rflags, 0, "CF");
        check_flag(w, i, f->pf_of ? flag_parity(w, f->pf_of) : 0, next->rflags, 2, "PF");
        check_flag(w, i, f->zf, next->rflags, 6, "ZF");
        check_flag(w, i, f->sf, next->rflags, 7, "SF");
        check_flag(w, i, f->of, next->rflags, 11, "OF");
        if (next->gs_base != w->capture[i].head->kernel_gs)
            refuse(w, SYNTH_PRIVILEGED, "the GS base changes");
    }
}

static uint64_t next_rip(const struct work *w, unsigned int capture)
{
    return step_of(w, capture, w->step + 1)->regs.rip;
}

/* The captures of the mask whose next instruction is at the address. */
static uint64_t going_to(const struct work *w, uint64_t captures, uint64_t address)
{
    uint64_t mask = 0;

    FOR_CAPTURES(i, captures)
    if (next_rip(w, i) == address)
        mask |= 1ull << i;
    return mask;
}

static uint64_t where_true(struct work *w, uint64_t captures, node_id truth)
{
    uint64_t mask = 0, value;

    FOR_CAPTURES(i, captures)
    if (concrete_value(w, i, truth, &value) && value)
        mask |= 1ull << i;
    return mask;
}

static bool follow(struct work *w, struct state *st);

/* Follows one side of a fork, from the next instruction on or with this one again. */
static bool follow_side(struct work *w, const struct state *from, uint64_t captures, node_id truth,
                        bool again, struct segment **child)
{
    struct state st;
    uint32_t step = w->step;
    bool ok = state_fork(w, from, &st, captures);

    if (ok) {
        *child = st.segment;
        fact_add(w, &st, truth);
        w->step += !again;
        ok = follow(w, &st);
    }
    state_free(&st);
    w->step = step;
    return ok;
}

/* One side cannot be handled: it is left to the guest kernel. False: nothing can be any more. */
static bool leave_out(struct work *w, uint64_t captures)
{
    if (w->graph.full || w->out->reason == SYNTH_NO_MEMORY)
        return false;
    explain(w, "left to the guest kernel: %d capture(s), because: %s\n",
            __builtin_popcountll(captures), w->out->detail);
    w->out->paths_left_out++;
    w->failed = false;
    w->out->reason = SYNTH_OK;
    return true;
}

/* Captures part: `yes` of them go where `truth` leads.  A side that cannot be handled is PASS. */
static bool fork_path(struct work *w, struct state *st, node_id truth, uint64_t yes, bool again)
{
    struct segment *s = st->segment;
    uint64_t side[2] = { st->captures & ~yes, yes };
    uint64_t at = w->at;
    bool ok[2];

    explain_at(w, at, "captures part here: %d and %d", __builtin_popcountll(side[0]),
               __builtin_popcountll(side[1]));
    s->branch = truth;
    s->at = at;
    for (int i = 0; i < 2; i++) {
        ok[i] = follow_side(w, st, side[i], i ? truth : g_not(&w->graph, truth), again,
                            &s->child[i]);
        if (ok[i])
            continue;
        s->child[i] = NULL;
        /* Neither: the reason of the second stands for both. */
        if ((i && !ok[0]) || !leave_out(w, side[i]))
            return false;
        w->at = at;
    }
    return true;
}

/*
 * A repeated instruction, behind an element.  The step behind the last one is the next instruction's,
 * or once more the same with nothing left to do (QEMU with -icount).
 */
static bool repeat(struct work *w, struct state *st, struct insn *in, bool *result)
{
    uint64_t yes = where_true(w, st->captures, in->taken);

    FOR_CAPTURES(i, st->captures)
        if (next_rip(w, i) != w->at && ((yes >> i & 1) || next_rip(w, i) != in->next))
            refuse(w, SYNTH_BAD_CAPTURE, "a repeated instruction leads elsewhere");
    if (w->failed)
        return false;
    if (yes == 0 || yes == st->captures) {
        guard(w, st, yes ? in->taken : g_not(&w->graph, in->taken));
        return !w->failed;
    }
    *result = fork_path(w, st, truth_here(w, st, in->taken), yes, false);
    return false;
}

/* To the next instruction of every capture; false: the path ends here (a fork, or a refusal). */
static bool go_on(struct work *w, struct state *st, struct insn *in, bool *result)
{
    uint64_t target, first, yes;
    node_id truth;

    *result = false;
    if (in->flow == FLOW_NEXT)
        in->target = g_const(&w->graph, in->next);
    first = next_rip(w, (unsigned int)__builtin_ctzll(st->captures));
    if (in->flow == FLOW_AGAIN)
        return repeat(w, st, in, result);
    if (in->flow == FLOW_BRANCH) {
        truth = truth_here(w, st, in->taken);
        g_is_const(&w->graph, in->target, &target);
        yes = going_to(w, st->captures, target);
        if ((yes | going_to(w, st->captures, in->next)) != st->captures) {
            refuse(w, SYNTH_BAD_CAPTURE, "a branch leads elsewhere");
            return false;
        }
        if (yes == 0 || yes == st->captures) {
            guard(w, st, yes ? truth : g_not(&w->graph, truth));
            return !w->failed;
        }
        *result = fork_path(w, st, truth, yes, false);
        return false;
    }
    if (g_is_const(&w->graph, in->target, &target)) {
        if (going_to(w, st->captures, target) != st->captures)
            refuse(w, SYNTH_BAD_CAPTURE, "a jump leads elsewhere");
        return !w->failed;
    }
    guard(w, st, g_op_imm(&w->graph, N_EQ, in->target, first));
    return !w->failed;
}

static bool follow(struct work *w, struct state *st)
{
    for (;; w->step++) {
        struct insn in = { .w = w, .st = st, .g = &w->graph };
        bool last = false, result;

        w->captures = st->captures;
        FOR_CAPTURES(i, st->captures)
        {
            uint32_t steps = w->capture[i].head->steps;

            last |= w->step + 1 == steps;
            if (w->step >= steps)
                refuse(w, SYNTH_BAD_CAPTURE, "the capture ends before the return");
        }
        if (w->failed)
            return false;
        lift_insn(&in, last);
        if (!w->failed && w->graph.full)
            refuse(w, SYNTH_TOO_LONG, "too many values");
        if (w->failed)
            return false;
        w->out->steps++;
        if (in.flow == FLOW_SPLIT)
            return fork_path(w, st, in.taken, where_true(w, st->captures, in.taken), true);
        if (in.flow == FLOW_RETURN)
            return entry_return(w, st);
        check_registers(w, st);
        if (w->failed)
            return false;
        if (!go_on(w, st, &in, &result))
            return result;
    }
}

bool lift(struct work *w)
{
    struct state st = { .captures = w->nr == 64 ? ~0ull : (1ull << w->nr) - 1 };
    bool ok = false;

    w->gs = g_input(&w->graph, offsetof(struct fast_ctx, kernel_gs));
    w->sp = g_input(&w->graph, offsetof(struct fast_ctx, kernel_sp));
    w->at = w->capture[0].step[0].regs.rip;
    entry_vcpu_info(w);
    if (w->vcpu_info)
        explain(w, "vcpu_info at gs:%#llx\n", (unsigned long long)w->vcpu_info);
    w->root = segment_new(w, st.captures);
    st.segment = w->root;
    memory_entry_frame(w, &st);
    if (!w->failed)
        entry_registers(w, &st);
    /* The number attached to is eax's; the rest of rax is what it was in the captures. */
    if (!w->failed && w->attach_kind == FAST_ATTACH_SYSCALL)
        st.reg[RAX] = pin(w, &st, st.reg[RAX]);
    if (!w->failed)
        ok = follow(w, &st);
    state_free(&st);
    return ok;
}
