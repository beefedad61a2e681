/* SPDX-License-Identifier: MIT */
#include "pmu_model.h"

#include <string.h>

#include "x86/pmu_int.h"

struct pmu_model *model;

enum what { NOTHING, SELECT, COUNT, GLOBAL_CTL, GLOBAL_ACK };

/* Intel SDM volume 4, table 2-2. */
static enum what intel_register(uint32_t msr, unsigned int *i)
{
    if (msr >= 0xc1 && msr < 0xc1 + model->counters) {
        *i = msr - 0xc1;
        return COUNT;
    }
    if (msr >= 0x186 && msr < 0x186 + model->counters) {
        *i = msr - 0x186;
        return SELECT;
    }
    if (model->version >= 2 && msr == 0x38f)
        return GLOBAL_CTL;
    return model->version >= 2 && msr == 0x390 ? GLOBAL_ACK : NOTHING;
}

/* AMD APM volume 2, appendix A. */
static enum what amd_register(uint32_t msr, unsigned int *i)
{
    if (msr >= 0xc0010000 && msr < 0xc0010008) {
        *i = msr & 3;
        return msr & 4 ? COUNT : SELECT;
    }
    if (model->version >= 1 && msr >= 0xc0010200 && msr < 0xc0010200 + 2 * model->counters) {
        *i = (msr - 0xc0010200) / 2;
        return msr & 1 ? COUNT : SELECT;
    }
    if (model->version >= 2 && msr == 0xc0000301)
        return GLOBAL_CTL;
    return model->version >= 2 && msr == 0xc0000302 ? GLOBAL_ACK : NOTHING;
}

static enum what find(uint32_t msr, unsigned int *i)
{
    *i = 0;
    if (model->absent)
        return NOTHING;
    return model->amd ? amd_register(msr, i) : intel_register(msr, i);
}

static uint64_t mask(void)
{
    return (1ull << model->width) - 1;
}

bool pmu_hw_read(uint32_t msr, uint64_t *value)
{
    unsigned int i;

    if (model->forgetful) {
        *value = 0;
        return true;
    }
    switch (find(msr, &i)) {
    case SELECT:
        *value = model->select[i];
        return true;
    case COUNT:
        *value = model->count[i];
        return true;
    case GLOBAL_CTL:
        *value = model->global_ctl;
        return true;
    default:
        model->faults++;
        return false;
    }
}

static bool fault(void)
{
    model->faults++;
    return false;
}

static bool write_select(unsigned int i, uint64_t value)
{
    void (*hook)(void) = model->at_select;

    /* Pin control and AnyThread are left out, as are the bits of later processors. */
    if (value & ~(model->amd ? 0xfffd7ffffull : 0xffd7ffffull))
        return fault();
    model->select[i] = value;
    model->at_select = NULL;
    if (hook)
        hook();
    return true;
}

bool pmu_hw_write(uint32_t msr, uint64_t value)
{
    unsigned int i;

    model->writes++;
    if (model->forgetful)
        return true;
    switch (find(msr, &i)) {
    case SELECT:
        return write_select(i, value);
    case COUNT: /* Intel's takes 32 bits with their sign */
        model->count[i] = (model->amd ? value : (uint64_t)(int32_t)value) & mask();
        return true;
    case GLOBAL_CTL:
        if (value >> model->counters)
            return fault();
        model->global_ctl = value;
        return true;
    case GLOBAL_ACK:
        model->overflows &= ~value;
        return true;
    default:
        return fault();
    }
}

void pmu_hw_cpuid(uint32_t leaf, uint32_t regs[4])
{
    memset(regs, 0, 4 * sizeof(*regs));
    switch (leaf) {
    case 0:
        regs[0] = 0xd;
        memcpy(&regs[1], model->amd ? "Auth" : "Genu", 4);
        memcpy(&regs[3], model->amd ? "enti" : "ineI", 4);
        memcpy(&regs[2], model->amd ? "cAMD" : "ntel", 4);
        break;
    case 0xa:
        if (!model->amd)
            regs[0] = model->version | model->counters << 8 | model->width << 16;
        break;
    case 0x80000000:
        regs[0] = model->version >= 2 ? 0x80000022 : 0x8000001f;
        break;
    case 0x80000001:
        regs[2] = model->amd && model->version >= 1 ? 1u << 23 : 0;
        break;
    case 0x80000022:
        regs[0] = model->amd && model->version >= 2;
        break;
    }
}

bool pmu_hw_has_entry(void)
{
    return !model->no_entry;
}

void pmu_hw_set_entry(bool open)
{
    model->entry_open = open;
}

bool pmu_hw_entry_is_open(void)
{
    return model->entry_open;
}

void model_count(uint64_t events)
{
    for (unsigned int i = 0; i < model->counters; i++) {
        uint64_t before = model->count[i];

        if (!(model->select[i] & 1u << 22))
            continue;
        if (model->version >= 2 && !(model->global_ctl & 1u << i))
            continue;
        model->count[i] = (before + events) & mask();
        if (model->count[i] >= before)
            continue;
        if (model->version >= 2)
            model->overflows |= 1u << i;
        if (!(model->select[i] & 1u << 20) || !model->entry_open)
            continue;
        model->pending++;
        model->entry_open = model->amd; /* Intel's local APIC masks it */
    }
}
