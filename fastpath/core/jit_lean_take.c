/* SPDX-License-Identifier: MIT */
/*
 * The end of code that staged stores, lean or not: all go to pages that are known to take them (struct
 * fast_page), and are done; or none is, and C looks at each.
 */
#include "jit_lean.h"

/* A jump forward on a condition, to be landed: where its distance ends. */
static void jump_out(struct jit *j, unsigned int condition, struct lean_outs *out)
{
    emit_byte(&j->e, 0x0f);
    emit_byte(&j->e, condition);
    emit_u32(&j->e, 0);
    out->jump[out->n++] = j->e.used;
}

static void land(struct emit *e, uint32_t jump)
{
    uint32_t distance = e->used - jump;

    if (e->at && !e->failed)
        memcpy(e->at + jump - 4, &distance, sizeof(distance));
}

/* A register that the code saves, which none of these is. */
static unsigned int scratch(const struct jit *j, unsigned int a, unsigned int b, unsigned int c)
{
    for (unsigned int r = 0; r < 16; r++)
        if (j->keep & 1u << r && r != a && r != b && r != c)
            return r;
    return NO_REG;
}

/* What is remembered of pages still holds. */
static void check_pages(struct jit *j, struct lean_outs *out)
{
    struct emit *e = &j->e;

    emit_reg_mem(e, false, 0x83, 7, j->run, offsetof(struct fast_run, gone));
    emit_byte(e, 0);
    jump_out(j, 0x85, out);
}

/*
 * rax = what is to be added to the address in `at`, which is lost; or out.  An address that the
 * size does not divide has low bits that no tag has.  Carry is clear.  store: its number in the list.
 */
static void find_page(struct jit *j, unsigned int at, uint32_t store, uint32_t size,
                      enum isa_half half, struct lean_outs *out)
{
    const int32_t page = (int32_t)(offsetof(struct fast_run, page) +
                                   FAST_PAGE(j->space->first_page, store) * sizeof(struct fast_page));
    struct emit *e = &j->e;

    emit_alu_imm(e, true, 4, at, -4096 | (int32_t)(size - 1));
    emit_reg_mem(e, true, 0x3b, at, j->run, page + (int32_t)offsetof(struct fast_page, tag));
    jump_out(j, 0x85, out);
    if (half != ISA_KERNEL) {
        emit_reg_mem(e, true, 0x8b, at, j->run, page + (int32_t)offsetof(struct fast_page, entry));
        emit_reg_mem(e, true, 0x8b, at, at, 0);
        emit_reg_mem(e, true, 0x3b, at, j->run, page + (int32_t)offsetof(struct fast_page, was));
        jump_out(j, 0x85, out);
    }
    emit_reg_mem(e, true, 0x8b, RAX, j->run, page + (int32_t)offsetof(struct fast_page, distance));
}

static unsigned int opcode(struct emit *e, uint32_t size)
{
    if (size == 2)
        emit_byte(e, 0x66);
    return size == 1 ? 0x88 : 0x89;
}

/* ------------------------------------------------------------------ one, kept in registers */

/* Leaves what the store needs where it is: registers of the program that are not read any more share one. */
static bool plain(const struct jit *j, const struct isa_insn *in, const struct isa_insn *store)
{
    unsigned int to = j->map[in->dst];

    if (in->row->form == FORM_STORE_REG)
        return in->dst != ISA_FRAME;
    return in->row->form >= FORM_ALU_IMM && in->row->form <= FORM_UNARY &&
           to != j->map[store->dst] && to != j->map[store->src] && in->row->op != OP_DIV && in->row->op != OP_MOD &&
           in->row->op != OP_SDIV && in->row->op != OP_SMOD;
}

bool lean_keep_store(struct jit *j, unsigned int i, const struct isa_insn *in)
{
    unsigned int n = j->program->head.insns, base = j->map[in->dst], value = j->map[in->src];
    struct isa_insn next;

    if (j->space->point[i].stores || base == RAX || value == RAX ||
        scratch(j, base, value, NO_REG) == NO_REG)
        return false;
    for (unsigned int k = i + 1; k < n && !jit_is_target(j, k); k++) {
        if (isa_decode(&j->program->insns[k], n - k, &next) != FAST_OK)
            return false;
        if (next.row->form == FORM_EXIT && j->space->point[k].r0 == 1) {
            jit_check_base(j, in->dst, (enum isa_half)in->row->off);
            j->kept = *in;
            j->keeps_store = true;
            return true;
        }
        if (!plain(j, &next, in))
            return false;
    }
    return false;
}

static bool take_kept(struct jit *j, unsigned int result, struct lean_outs *out)
{
    unsigned int base = j->map[j->kept.dst], value = j->map[j->kept.src], size = j->kept.row->width;
    unsigned int at = scratch(j, base, value, result);
    struct emit *e = &j->e;

    if (at == NO_REG) {
        e->failed = true;
        return true;
    }
    check_pages(j, out);
    emit_reg_mem(e, true, 0x8d, at, base, (int32_t)j->kept.imm);
    find_page(j, at, 0, size, (enum isa_half)j->kept.row->off, out);
    /* ---- point of no return ---- */
    emit_reg_index(e, size == 8, opcode(e, size), value, RAX, base, (int32_t)j->kept.imm);
    return true;
}

static void stage_kept(struct jit *j)
{
    struct emit *e = &j->e;
    int32_t address = lean_staged(0, offsetof(struct fast_staged, address));

    emit_reg_mem(e, true, 0x89, j->map[j->kept.dst], RCX, address);
    emit_reg_mem(e, true, 0x81, 0, RCX, address);
    emit_u32(e, (uint32_t)j->kept.imm);
    emit_reg_mem(e, true, 0x89, j->map[j->kept.src], RCX,
                 lean_staged(0, offsetof(struct fast_staged, value)));
    lean_set(j, (size_t)lean_staged(0, offsetof(struct fast_staged, size)), j->kept.row->width);
}

/* ------------------------------------------------------------------ those in the list */

#define GROUP_BYTES 2048 /* how far apart stores of one group may be */

struct listed {
    uint16_t insn;
    uint8_t size, half;
    uint8_t base; /* register of the program; ISA_FRAME: a helper's, which is alone */
    int32_t disp;
};

/* Stores next to each other in the list that go to one base: on one page, one look is enough. */
struct group {
    uint32_t first, n, lowest; /* lowest: the one of the lowest address */
    int32_t low;               /* distance from the base of the first byte */
    int64_t high;              /* and behind the last */
};

static struct listed stored_by(const struct jit *j, unsigned int i)
{
    struct listed s = { (uint16_t)i, 0, ISA_ANY, ISA_FRAME, 0 };
    struct isa_insn in;

    if (isa_decode(&j->program->insns[i], j->program->head.insns - i, &in) != FAST_OK)
        return s;
    if (in.row->form == FORM_GUEST_STORE)
        return (struct listed){ (uint16_t)i, in.row->width, in.row->off, in.dst, (int32_t)in.imm };
    if (in.imm != FAST_HELPER_pt_update)
        s.size = (uint8_t)(1u << (in.imm - FAST_HELPER_store8));
    return s;
}

/* The stores on the way to p, first to last. */
static void stores_of(const struct jit *j, const struct jit_point *p,
                      struct listed store[MAX_TAKEN])
{
    for (uint32_t k = p->stores; k-- > 0;) {
        store[k] = stored_by(j, p->last_store);
        p = &j->space->point[p->last_store];
    }
}

/* Whether b's base is what a's was. */
static bool one_base(const struct jit *j, const struct listed *a, const struct listed *b)
{
    if (a->base != b->base || a->base == ISA_FRAME || a->half != b->half)
        return false;
    for (unsigned int i = a->insn; i < b->insn; i++)
        if (jit_writes(j, i) & 1u << a->base)
            return false;
    return true;
}

static struct group group_from(const struct jit *j, const struct listed *store, uint32_t first,
                               uint32_t n)
{
    struct group g = { first, 1, first, store[first].disp,
                       (int64_t)store[first].disp + store[first].size };

    for (uint32_t k = first + 1; k < n && one_base(j, &store[k - 1], &store[k]); k++) {
        int64_t low = store[k].disp < g.low ? store[k].disp : g.low,
                end = (int64_t)store[k].disp + store[k].size;
        int64_t high = end > g.high ? end : g.high;

        if (high - low > GROUP_BYTES)
            break;
        g.lowest = low < g.low ? k : g.lowest;
        g.low = (int32_t)low;
        g.high = high;
        g.n++;
    }
    return g;
}

/* rax = where the group's lowest address goes to; or out. */
static void find_group(struct jit *j, unsigned int at, const struct listed *store,
                       const struct group *g, struct lean_outs *out)
{
    int32_t address = lean_staged(g->lowest, offsetof(struct fast_staged, address));
    struct emit *e = &j->e;

    emit_reg_mem(e, true, 0x8b, at, j->run, address);
    if (g->n > 1) { /* all on the page of the lowest */
        emit_mov(e, false, RAX, at);
        emit_alu_imm(e, false, 4, RAX, 4095);
        emit_alu_imm(e, false, 7, RAX, (int32_t)(4096 - (g->high - g->low)));
        jump_out(j, 0x87, out);
    }
    find_page(j, at, g->lowest, g->n > 1 ? 1 : store[g->first].size,
              (enum isa_half)store[g->first].half, out);
    emit_reg_mem(e, true, 0x03, RAX, j->run, address);
}

static void do_group(struct jit *j, unsigned int at, const struct listed *store,
                     const struct group *g)
{
    struct emit *e = &j->e;

    for (uint32_t k = g->first; k < g->first + g->n; k++) {
        emit_reg_mem(e, true, 0x8b, at, j->run,
                     lean_staged(k, offsetof(struct fast_staged, value)));
        emit_reg_mem(e, store[k].size == 8, opcode(e, store[k].size), at, RAX,
                     store[k].disp - g->low);
    }
}

/* A function that the run points to, of the run. */
static void call_run(struct jit *j, size_t field)
{
    emit_mov(&j->e, true, RDI, j->run);
    emit_reg_mem(&j->e, false, 0xff, 2, j->run, (int32_t)field);
}

/* Takes the first n of the list; `update`: a page-table update is behind them. */
static void take_list(struct jit *j, const struct listed store[MAX_TAKEN], uint32_t stores,
                      unsigned int at, bool update, struct lean_outs *out)
{
    const int32_t proved = offsetof(struct fast_run, proved);
    struct group group[MAX_TAKEN];
    struct emit *e = &j->e;
    uint32_t n = 0;

    for (uint32_t k = 0; k < stores; k += group[n++].n)
        group[n] = group_from(j, store, k, stores);
    check_pages(j, out);
    for (uint32_t i = 0; i < n; i++) {
        find_group(j, at, store, &group[i], out);
        if (n > 1 || update)
            emit_reg_mem(e, true, 0x89, RAX, j->run, proved + 8 * (int32_t)i);
    }
    if (update) {
        call_run(j, offsetof(struct fast_run, prove_last));
        emit_reg_reg(e, false, 0x85, RAX, RAX);
        jump_out(j, 0x84, out);
    }
    /* ---- point of no return ---- */
    for (uint32_t i = 0; i < n; i++) {
        if (n > 1 || update)
            emit_reg_mem(e, true, 0x8b, RAX, j->run, proved + 8 * (int32_t)i);
        do_group(j, at, store, &group[i]);
    }
    if (update)
        call_run(j, offsetof(struct fast_run, commit_last));
}

bool lean_take(struct jit *j, const struct jit_point *p, unsigned int result, struct lean_outs *out)
{
    struct listed store[MAX_TAKEN];
    unsigned int at;

    out->n = 0;
    if (j->keeps_store)
        return take_kept(j, result, out);
    at = scratch(j, result, NO_REG, NO_REG);
    if (at == NO_REG) {
        j->e.failed = true;
        return false;
    }
    stores_of(j, p, store);
    take_list(j, store, p->stores, at, false, out);
    return false;
}

void lean_land(struct jit *j, struct lean_outs *out)
{
    for (unsigned int i = 0; i < out->n; i++)
        land(&j->e, out->jump[i]);
    if (j->keeps_store)
        stage_kept(j);
    j->keeps_store = false;
}

/* ------------------------------------------------------------------ code with a frame */

static bool writes_rip(const struct jit *j)
{
    const struct fast_program *program = j->program;
    unsigned int n = program->head.insns;
    struct isa_insn in;

    for (unsigned int i = 0; i < n; i += in.length) {
        if (isa_decode(&program->insns[i], n - i, &in) != FAST_OK)
            return true;
        if ((in.row->form == FORM_STORE_REG || in.row->form == FORM_STORE_IMM) &&
            in.dst != ISA_FRAME && in.off == FIELD(rip))
            return true;
    }
    return false;
}

void jit_take(struct jit *j, unsigned int i)
{
    const struct jit_point *p = &j->space->point[i];
    struct listed store[MAX_TAKEN];
    struct lean_outs out = { .n = 0 };
    uint32_t n = p->stores;
    bool update;

    if (p->r0 != FAST_DONE || n == JIT_MIXED || n == 0 || n > MAX_TAKEN || writes_rip(j))
        return;
    stores_of(j, p, store);
    update = store[n - 1].size == 0;
    n -= update;
    if (n == 0 || store[n - 1].size == 0)
        return;
    take_list(j, store, n, RSI, update, &out);
    lean_set(j, offsetof(struct fast_run, nr_staged), 0);
    lean_land(j, &out);
    emit_mov_imm(&j->e, j->map[0], FAST_DONE);
}
