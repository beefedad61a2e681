/* SPDX-License-Identifier: MIT */
/*
 * Files of captures: taken apart, lifted, merged, folded, emitted.  Any may be refused, with a reason.  A program that
 * is made is one that the verifier accepts, and in the place of an entry that was recorded, one that it was made of or
 * another, it passes or leaves registers and memory as the recording has them.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -DGRAPH_MAX_NODES=8192 -D_GNU_SOURCE -I. -Ihv/include \
 *       -Ifastpath/core -Ifastpath/synth tests/fuzz/fuzz_synth.c tests/fuzz/capture_*.c fastpath/synth/[a-z]*.c \
 *       fastpath/core/[a-z]*.c -lZydis -o fuzz_synth && ./fuzz_synth -max_len=16384 -timeout=20 synth
 *
 * The first byte chooses (enum choice).  The rest is a file as it stands, or one in the form of capture_form.h; that
 * one may be made to agree with what its changed instructions do.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture_agree.h"
#include "capture_form.h"
#include "capture_replay.h"
#include "capture_twin.h"
#include "verifier.h"

#define ROUNDS 40u /* of putting a recording right */
#define ALONE 3u   /* captures that are made a handler of by themselves */
#define USER_LIMIT 0x400000000000ull /* of the tests that the corpus is from (synth_world.h) */
#define NEAR (1u << 20)

enum choice {
    IN_FORM = 1,
    AGREE = 2,
    ONE_VCPU = 4,
    READ_ONLY = 8,
    LOWER_HALF = 16,
    VCPU_INFO = 32,
    NAMED = 64,
    TWIN = 128, /* the first recording comes a second time, changed by the last bytes of the input */
};
#define TWIN_BYTES 15u


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int fuzz_meant_something(unsigned long kept, unsigned long made);

static unsigned long inputs, programs, compared, elsewhere, agreed;

static void die(const struct synth_output *out, const char *why)
{
    fprintf(stderr, "%s%s\n", out->explanation, why);
    abort();
}

/* The kernel's text and constants: what lies near the entry. */
static bool ro_read(void *arg, uint64_t address, void *buffer, size_t n)
{
    const struct synth_capture *first = arg;

    return first->head->steps && address - (first->step[0].regs.rip - NEAR) <= 2 * NEAR - n &&
           capture_read(address, buffer, n);
}

/* What was recorded alone gave a handler that does the same: a run that a processor can make. */
static bool possible[SYNTH_MAX_CAPTURES];

static bool is_of(const struct fast_program *program, const struct radon_capture_head *h)
{
    return program->head.attach_kind == h->kind && program->head.attach_number == h->number &&
           program->head.attach_address == (h->kind == FAST_ATTACH_EXCEPTION ? h->address : 0);
}

/* The program, made of `of`, in the place of entry i. */
static void check_run(const struct fast_program *program, const struct synth_capture *capture, unsigned int i,
                      const struct synth_capture *of, const struct synth_output *out)
{
    char what[128];
    enum replayed got;

    if (!possible[i] || !is_of(program, capture[i].head) || (of && !capture_same_code(of, &capture[i])))
        return;
    got = capture_replay(program, &capture[i], what);
    if (got == REPLAY_DIFFERS)
        die(out, what);
    compared += got == REPLAY_SAME;
    elsewhere += got == REPLAY_SAME && of && of != &capture[i];
}

static void check_program(const struct synth_output *out, struct fast_program *program)
{
    static struct verify_space space;
    struct fast_verdict verdict;

    if (program_parse(out->program, out->program_bytes, program) != FAST_OK ||
        !fast_verify(program, &space, &verdict))
        die(out, "the verifier refuses it");
    if (out->nr_watches > RADON_FAST_MAX_WATCHED || out->nr_tainted > out->insns || !out->paths)
        die(out, "more of something than there may be");
    for (uint32_t i = 0; i < out->nr_tainted; i++)
        if (out->tainted[i] >= out->insns)
            die(out, "no instruction rests on the time stamp there");
    programs++;
}

static bool refused(const struct synth_output *out)
{
    if (out->reason == SYNTH_OK)
        return false;
    if (out->reason >= SYNTH_NR_REASONS || out->program || !*synth_reason_name(out->reason))
        die(out, "refused without a reason");
    return true;
}

static bool make(const struct synth_input *in, unsigned int rounds, struct synth_output *out)
{
    for (unsigned int round = 0;; round++) {
        int rc = synth(in, out);

        if (rc != (refused(out) ? -1 : 0))
            die(out, "its answer is not its reason");
        if (!rc || round == rounds || !capture_agree(in->capture, in->nr_captures, out)) {
            agreed += !rc && round;
            return !rc;
        }
        synth_free(out);
    }
}

/* Each of the first few by itself, then all of them together. */
static void make_all(const struct synth_input *all, unsigned int rounds)
{
    struct synth_output out[ALONE + 1];
    struct fast_program program[ALONE + 1];
    bool made[ALONE + 1];
    unsigned int alone = all->nr_captures < ALONE ? all->nr_captures : ALONE;
    char what[128];

    memset(possible, 0, sizeof(possible));
    for (unsigned int i = 0; i <= alone; i++) {
        struct synth_input in = *all;

        if (i < alone) {
            in.capture += i;
            in.nr_captures = 1;
        }
        made[i] = make(&in, rounds, &out[i]);
        if (!made[i])
            continue;
        check_program(&out[i], &program[i]);
        if (i == alone)
            continue;
        switch (capture_replay(&program[i], in.capture, what)) {
        case REPLAY_DIFFERS:
            die(&out[i], what);
            break;
        case REPLAY_SAME:
            possible[i] = true;
            break;
        default:
            break;
        }
    }
    for (unsigned int i = 0; i <= alone; i++) {
        for (unsigned int k = 0; made[i] && k < alone; k++)
            check_run(&program[i], all->capture, k, i < alone ? &all->capture[i] : NULL, &out[i]);
        synth_free(&out[i]);
    }
}

static void *copy_of(const uint8_t *data, size_t size)
{
    void *copy = malloc(size ? size : 1);

    if (!copy)
        abort();
    memcpy(copy, data, size);
    return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct synth_capture capture[SYNTH_MAX_CAPTURES];
    unsigned int choice = size ? data[0] : 0;
    struct synth_input in = {
        .capture = capture,
        .name = choice & NAMED ? "a name that is longer than a program's may be" : NULL,
        .one_vcpu = choice & ONE_VCPU,
        .vcpu_info = choice & VCPU_INFO ? 0x100 : 0,
        .user_end = choice & LOWER_HALF ? 0 : USER_LIMIT,
        .ro_read = choice & READ_ONLY ? ro_read : NULL,
        .ro_arg = capture,
        .live = true,
    };
    struct synth_capture twin = { 0 };
    size_t bytes;
    bool bad;
    void *file;

    if (!size)
        return 0;
    bytes = size - 1;
    file = choice & IN_FORM ? captures_of_form(data + 1, size - 1, &bytes) : copy_of(data + 1, size - 1);
    in.nr_captures = synth_split(file, bytes, capture, SYNTH_MAX_CAPTURES, &bad);
    inputs++;
    if (choice & TWIN && in.nr_captures && in.nr_captures < SYNTH_MAX_CAPTURES && size > TWIN_BYTES) {
        twin = capture_twin(&capture[0], data + size - TWIN_BYTES, TWIN_BYTES);
        memmove(capture + 2, capture + 1, (in.nr_captures++ - 1) * sizeof(*capture));
        capture[1] = twin;
    }
    if (in.nr_captures)
        capture_remember(&capture[0]);
    make_all(&in, choice & AGREE ? ROUNDS : 0);
    free((void *)(uintptr_t)twin.head);
    free(file);
    return 0;
}

int fuzz_meant_something(unsigned long kept, unsigned long made)
{
    printf("%lu programs of %lu inputs, %lu of recordings that were put right; %lu entries compared, %lu of them not what "
           "it was made of\n",
           programs, inputs, agreed, compared, elsewhere);
    return programs > kept + made / 2 && compared > programs && agreed > made / 10 && elsewhere > kept;
}
