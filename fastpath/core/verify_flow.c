/* SPDX-License-Identifier: MIT */
#include "verify_int.h"

static bool check_forms(struct verify *v)
{
    unsigned int n = v->program->head.insns;
    unsigned int i = 0;
    struct isa_insn in;

    while (i < n) {
        enum fast_refusal_id refused = isa_decode(&v->program->insns[i], n - i, &in);

        if (refused != FAST_OK)
            return verify_refuse(v, refused, i, FAST_NO_REG);
        if (in.length == 2)
            v->space->second_half[i + 1] = 1;
        i += in.length;
    }
    return true;
}

static bool check_jump(struct verify *v, unsigned int i, const struct isa_insn *in)
{
    int64_t target = (int64_t)i + 1 + in->jump;

    if (target < 0 || target >= (int64_t)v->program->head.insns)
        return verify_refuse(v, FAST_JUMP_OUT, i, FAST_NO_REG);
    if (target <= (int64_t)i)
        return verify_refuse(v, FAST_JUMP_BACK, i, FAST_NO_REG);
    if (v->space->second_half[target])
        return verify_refuse(v, FAST_JUMP_INTO_LDDW, i, FAST_NO_REG);
    return true;
}

bool verify_flow(struct verify *v)
{
    unsigned int n = v->program->head.insns;
    struct isa_insn in;

    if (!check_forms(v))
        return false;
    for (unsigned int i = 0; i < n; i += in.length) {
        isa_decode(&v->program->insns[i], n - i, &in);
        if (isa_is_jump(in.row) && !check_jump(v, i, &in))
            return false;
    }
    return true;
}
