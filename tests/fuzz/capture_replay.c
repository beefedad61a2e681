/* SPDX-License-Identifier: MIT */
#include "capture_replay.h"

#include <Zydis/Zydis.h>
#include <stdio.h>
#include <string.h>

#include "interp.h"

#define SLOTS (1u << 18) /* bytes of memory, by a hash of their address: 48 of each of 2000 steps, and stores */
#define STACK_BYTES 0x10000u

enum { HAS_FIRST = 1, STORED = 2 };
struct byte {
    uint64_t address;
    uint32_t run; /* it counts in this run alone */
    uint8_t first, now, stored, flags;
};

static struct byte slot[SLOTS];
static uint32_t used[SLOTS], nr_used; /* slots of this run */
static uint32_t run;
static bool unclear;
static uint64_t stack_end;

static bool on_stack(uint64_t address)
{
    return stack_end - address <= STACK_BYTES;
}

static uint32_t slot_of(uint64_t address)
{
    uint32_t h = (uint32_t)((address * 0x9e3779b97f4a7c15ull) >> 46);

    while (slot[h].run == run && slot[h].address != address)
        h = (h + 1) % SLOTS;
    return h;
}

static struct byte *byte_at(uint64_t address)
{
    uint32_t h = slot_of(address);

    if (slot[h].run != run) {
        slot[h] = (struct byte){ .address = address, .run = run };
        used[nr_used++] = h;
    }
    return &slot[h];
}

/* What a step saw there before it ran; false: the recording had something else there last. */
static bool see(uint64_t address, const uint8_t *bytes)
{
    bool same = true;

    for (unsigned int i = 0; i < 16; i++) {
        struct byte *b = byte_at(address + i);

        if (!(b->flags & HAS_FIRST)) {
            b->first = b->now = bytes[i];
            b->flags |= HAS_FIRST;
        }
        same = same && b->now == bytes[i];
    }
    return same;
}

static uint64_t address_of(const struct radon_capture_step *s, const ZydisDecodedInstruction *z,
                           const ZydisDecodedOperandMem *m)
{
    const ZydisRegister reg[] = { m->base, m->index };
    uint64_t a = (uint64_t)m->disp.value + (m->segment == ZYDIS_REGISTER_GS ? s->regs.gs_base : 0), value;

    for (unsigned int i = 0; i < 2; i++) {
        if (reg[i] == ZYDIS_REGISTER_RIP) {
            a += s->regs.rip + z->length;
        } else if (reg[i] >= ZYDIS_REGISTER_RAX && reg[i] <= ZYDIS_REGISTER_R15) {
            memcpy(&value, (const char *)&s->regs + 8 * (reg[i] - ZYDIS_REGISTER_RAX), 8);
            a += i ? value * m->scale : value;
        }
    }
    return a;
}

/* Where the instruction writes: its operand, or what it pushes. */
static void written_by(const struct radon_capture_step *s, uint64_t *address, uint64_t *bytes)
{
    static ZydisDecoder decoder;
    ZydisDecodedInstruction z;
    ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];

    *address = *bytes = 0;
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, s->bytes, 16, &z, op)))
        return;
    for (unsigned int i = 0; i < z.operand_count; i++) {
        if (op[i].type != ZYDIS_OPERAND_TYPE_MEMORY || !(op[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
            continue;
        *address = address_of(s, &z, &op[i].mem);
        *bytes = op[i].size / 8;
        if (op[i].mem.base == ZYDIS_REGISTER_RSP && op[i].visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN)
            *address -= *bytes;
    }
}

/* What a step left there; false: where it does not write, or nobody saw what was there. */
static bool leave(const struct radon_capture_step *s)
{
    uint64_t address, bytes;
    bool seen = true;

    written_by(s, &address, &bytes);
    for (unsigned int i = 0; i < 16; i++) {
        struct byte *b = byte_at(s->mem_address + i);

        seen = seen && (b->flags & HAS_FIRST) &&
               (b->now == s->mem_after[i] || s->mem_address + i - address < bytes);
        b->now = s->mem_after[i];
    }
    return seen;
}

static bool record_memory(const struct synth_capture *c)
{
    bool clear = true;

    run++;
    nr_used = 0;
    for (uint32_t n = 0; n < c->head->steps; n++) {
        const struct radon_capture_step *s = &c->step[n];

        if (s->flags & RADON_STEP_MEM)
            clear = see(s->mem_address, s->mem_before) && clear;
        if (s->flags & RADON_STEP_MEM2)
            clear = see(s->mem2_address, s->mem2_before) && clear;
        if (s->flags & RADON_STEP_MEM_AFTER)
            clear = leave(s) && clear;
    }
    return clear;
}

void capture_remember(const struct synth_capture *capture)
{
    record_memory(capture);
}

bool capture_read(uint64_t address, void *buffer, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct byte *b = &slot[slot_of(address + i)];

        if (b->run != run || !(b->flags & HAS_FIRST))
            return false;
        ((uint8_t *)buffer)[i] = b->first;
    }
    return true;
}

/* ------------------------------------------------------------------ the world of the run */

static bool env_load(void *world, uint64_t address, unsigned int size, uint64_t *value)
{
    (void)world;
    *value = 0;
    unclear |= on_stack(address);
    return capture_read(address, value, size);
}

static bool env_may_store(void *world, uint64_t address, unsigned int size)
{
    (void)world;
    (void)address;
    (void)size;
    return true;
}

static void env_store(void *world, uint64_t address, unsigned int size, uint64_t value)
{
    (void)world;
    for (unsigned int i = 0; i < size; i++) {
        struct byte *b = byte_at(address + i);

        unclear |= on_stack(address);
        b->stored = (uint8_t)(value >> (8 * i));
        b->flags |= STORED;
    }
}

/* Page tables and the machine-to-physical table are not in a capture. */
static bool env_no_update(void *world, uint64_t ptr, uint64_t old, uint64_t new)
{
    (void)world;
    (void)ptr;
    (void)old;
    (void)new;
    return false;
}

static bool env_no_m2p(void *world, uint64_t mfn, uint64_t *gpfn)
{
    (void)world;
    (void)mfn;
    *gpfn = 0;
    return false;
}

static uint64_t env_tsc(void *world)
{
    (void)world;
    unclear = true;
    return 0x123456789abcull;
}

/* ------------------------------------------------------------------ a run */

bool capture_same_code(const struct synth_capture *a, const struct synth_capture *b)
{
    static ZydisDecoder decoder;
    ZydisDecodedInstruction z;

    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    for (uint32_t i = 0; i < a->head->steps; i++) {
        const struct radon_capture_step *s = &a->step[i];
        unsigned int length =
            ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, NULL, s->bytes, 16, &z)) ? z.length : 16;

        for (uint32_t k = 0; k < b->head->steps; k++)
            if (b->step[k].regs.rip == s->regs.rip && memcmp(b->step[k].bytes, s->bytes, length))
                return false;
    }
    return true;
}

static bool same_registers(const struct fast_ctx *c, const struct radon_regs *after, char what[128])
{
    const uint64_t made[] = { c->rax, c->rcx, c->rdx, c->rbx, c->rsp, c->rbp, c->rsi, c->rdi,
                              c->r8,  c->r9,  c->r10, c->r11, c->r12, c->r13, c->r14, c->r15 };

    for (unsigned int r = 0; r < 16; r++) {
        uint64_t was;

        memcpy(&was, (const char *)after + 8 * r, 8);
        if (made[r] != was) {
            snprintf(what, 128, "register %u is %#llx, in the capture %#llx", r, (unsigned long long)made[r],
                     (unsigned long long)was);
            return false;
        }
    }
    return true;
}

/* All but the kernel's stack, on which nothing lives on, and the upcall mask (rule 6). */
static bool same_memory(const struct radon_capture_head *h, char what[128])
{
    for (uint32_t i = 0; i < nr_used; i++) {
        const struct byte *b = &slot[used[i]];
        uint8_t made = b->flags & STORED ? b->stored : b->first;

        if (on_stack(b->address) || b->address == h->vcpu_info + 1 ||
            !(b->flags & HAS_FIRST) || made == b->now)
            continue;
        snprintf(what, 128, "memory at %#llx is %#x, in the capture %#x", (unsigned long long)b->address, made,
                 b->now);
        return false;
    }
    return true;
}

static struct fast_ctx context_of(const struct radon_capture_head *h)
{
    const struct radon_regs *r = &h->before;

    return (struct fast_ctx){
        .kind = h->kind,       .number = h->number,   .error_code = h->error_code, .cr2 = h->cr2,
        .rax = r->rax,         .rbx = r->rbx,         .rcx = r->rcx,               .rdx = r->rdx,
        .rsi = r->rsi,         .rdi = r->rdi,         .rbp = r->rbp,               .rsp = r->rsp,
        .r8 = r->r8,           .r9 = r->r9,           .r10 = r->r10,               .r11 = r->r11,
        .r12 = r->r12,         .r13 = r->r13,         .r14 = r->r14,               .r15 = r->r15,
        .rip = r->rip,         .rflags = r->rflags,   .fs_base = r->fs_base,       .gs_base = r->gs_base,
        .kernel_gs = h->kernel_gs, .kernel_sp = h->kernel_sp, .cs = h->cs,         .ss = h->ss,
    };
}

enum replayed capture_replay(const struct fast_program *program, const struct synth_capture *capture,
                             char what[128])
{
    static const struct fast_env env = { .load = env_load,
                                         .may_store = env_may_store,
                                         .store = env_store,
                                         .may_update_pt = env_no_update,
                                         .tsc = env_tsc,
                                         .m2p = env_no_m2p };
    static struct fast_run r;
    struct fast_ctx c = context_of(capture->head);
    bool clear = record_memory(capture);
    uint64_t r0;

    unclear = false;
    stack_end = capture->head->kernel_sp;
    fast_run_init(&r, &c, &env, NULL);
    r0 = fast_interpret(program, &r, FAST_MAX_COST);
    if (r.stop == FAST_STOP_ESCAPE || r.stop == FAST_STOP_BUDGET || r.stop == FAST_STOP_FULL) {
        snprintf(what, 128, "the run stops: %s", fast_stop_name((enum fast_stop)r.stop));
        return REPLAY_DIFFERS;
    }
    if (fast_finish(&r, r0) != FAST_DONE)
        return REPLAY_PASSED;
    if (unclear || !clear)
        return REPLAY_UNCLEAR;
    return same_registers(&c, &capture->head->after, what) && same_memory(capture->head, what) ? REPLAY_SAME
                                                                                               : REPLAY_DIFFERS;
}
