/* SPDX-License-Identifier: MIT */
#include "capture_agree.h"

#include <Zydis/Zydis.h>
#include <stdio.h>
#include <string.h>

#define FOR_EACH(i, s, at)                                                                         \
    for (unsigned int i = 0; i < nr; i++)                                                          \
        for (struct radon_capture_step *s = step_at(&capture[i], at); s; s = NULL)

static struct radon_capture_step *step_at(const struct synth_capture *c, uint32_t step)
{
    return step < c->head->steps ? (struct radon_capture_step *)(uintptr_t)&c->step[step] : NULL;
}

/* Where the other value was, the one that the path has. */
static bool put(void *at, uint64_t is, uint64_t path, unsigned int bytes)
{
    uint64_t have = 0;

    memcpy(&have, at, bytes);
    if (have != is)
        return false;
    memcpy(at, &path, bytes);
    return true;
}

static bool put_memory(uint8_t *bytes, uint64_t at, uint64_t address, uint64_t is, uint64_t path)
{
    for (unsigned int size = 1; size <= 8; size *= 2)
        if ((size == 8 || !((is | path) >> (8 * size))) && address - at <= 16 - size)
            return put(bytes + (address - at), is, path, size);
    return false;
}

static bool put_register(const struct synth_capture *capture, unsigned int nr, uint32_t step, const char *name,
                         uint64_t is, uint64_t path)
{
    static const char names[][4] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                     "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15" };
    bool done = false;

    for (unsigned int r = 0; r < 16; r++)
        if (!strcmp(name, names[r]))
            FOR_EACH(i, s, step + 1)
                done |= put((char *)&s->regs + 8 * r, is, path, 8);
    return done;
}

static bool flip_flag(const struct synth_capture *capture, unsigned int nr, uint32_t step, char flag, unsigned int is)
{
    const uint64_t bit = flag == 'C' ? 1 : flag == 'P' ? 4 : flag == 'Z' ? 0x40 : flag == 'S' ? 0x80 : 0x800;
    bool done = false;

    FOR_EACH(i, s, step + 1)
        if (!(s->regs.rflags & bit) == !is) {
            s->regs.rflags ^= bit;
            done = true;
        }
    return done;
}

static bool record_memory(const struct synth_capture *capture, unsigned int nr, uint32_t step, uint64_t address)
{
    bool done = false;

    FOR_EACH(i, s, step)
        if (!(s->flags & RADON_STEP_MEM) || s->mem_address != address) {
            s->mem_address = address;
            s->flags |= RADON_STEP_MEM | RADON_STEP_MEM_AFTER;
            done = true;
        }
    return done;
}

/* An instruction has another length: the steps behind it lie elsewhere. */
static bool move_steps(const struct synth_capture *capture, unsigned int nr, uint32_t step)
{
    bool done = false;
    ZydisDecoder decoder;
    ZydisDecodedInstruction z;

    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    FOR_EACH(i, s, step) {
        struct radon_capture_step *next = step_at(&capture[i], step + 1);
        uint64_t by;

        if (!next || !ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, NULL, s->bytes, 16, &z)))
            continue;
        by = s->regs.rip + z.length - next->regs.rip;
        for (; by && next < capture[i].step + capture[i].head->steps; next++) {
            next->regs.rip += by;
            done = true;
        }
    }
    return done;
}

bool capture_agree(const struct synth_capture *capture, unsigned int nr, const struct synth_output *refused)
{
    unsigned long long at, is, path;
    uint32_t step = refused->step;
    bool done = false;
    unsigned int number;
    char name[8];

    if (refused->reason == SYNTH_BAD_CAPTURE)
        return strstr(refused->detail, "elsewhere") && move_steps(capture, nr, step);
    if (refused->reason == SYNTH_NOT_RECORDED)
        return sscanf(refused->detail, "%u bytes at %llx", &number, &at) == 2 && record_memory(capture, nr, step, at);
    if (refused->reason != SYNTH_DISAGREES)
        return false;
    if (sscanf(refused->detail, "memory at %llx held %llx, the path says %llx", &at, &is, &path) == 3) {
        FOR_EACH(i, s, step)
            done |= put_memory(s->mem_before, s->mem_address, at, is, path) ||
                    put_memory(s->mem2_before, s->mem2_address, at, is, path);
    } else if (sscanf(refused->detail, "stored at %llx: %llx, the path says %llx", &at, &is, &path) == 3) {
        FOR_EACH(i, s, step)
            done |= put_memory(s->mem_after, s->mem_address, at, is, path);
    } else if (sscanf(refused->detail, "register %u after the return is %llx, the path says %llx", &number, &is,
                      &path) == 3 && number < 16) {
        for (unsigned int i = 0; i < nr; i++)
            done |= put((char *)(uintptr_t)&capture[i].head->after + 8 * number, is, path, 8);
    } else if (sscanf(refused->detail, "%7s is %llx, the path says %llx", name, &is, &path) == 3) {
        done = put_register(capture, nr, step, name, is, path);
    } else if (sscanf(refused->detail, "%7s is %u", name, &number) == 2 && name[1] == 'F') {
        done = flip_flag(capture, nr, step, name[0], number);
    }
    return done;
}
