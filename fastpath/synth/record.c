/* SPDX-License-Identifier: MIT */
/* Memory as the captures recorded it at each step. */
#include <string.h>

#include "memory.h"

static bool take(const uint8_t *bytes, uint64_t at, uint64_t address, unsigned int size,
                 uint64_t *value)
{
    if (address - at > 16 - size)
        return false;
    *value = 0;
    memcpy(value, bytes + (address - at), size);
    return true;
}

/* What the capture recorded there, before or after the instruction. */
bool recorded(const struct work *w, unsigned int capture, bool after, uint64_t address,
              unsigned int size, uint64_t *value)
{
    const struct radon_capture_step *s = step_of(w, capture, w->step);

    if (after)
        return (s->flags & RADON_STEP_MEM_AFTER) &&
               take(s->mem_after, s->mem_address, address, size, value);
    if ((s->flags & RADON_STEP_MEM) && take(s->mem_before, s->mem_address, address, size, value))
        return true;
    return (s->flags & RADON_STEP_MEM2) &&
           take(s->mem2_before, s->mem2_address, address, size, value);
}

/* A value that the path knows must be the one that was read. */
void check_recorded(struct work *w, struct state *st, const struct place *p, node_id value)
{
    uint64_t address, have, want;

    FOR_CAPTURES(i, st->captures)
    {
        if (!concrete_value(w, i, p->address, &address) ||
            !recorded(w, i, false, address, p->size, &want))
            continue;
        if (!concrete_value(w, i, value, &have) || have != want)
            refuse(w, SYNTH_DISAGREES, "memory at %#llx held %#llx, the path says %#llx",
                   (unsigned long long)address, (unsigned long long)want, (unsigned long long)have);
    }
}

void bind_recorded(struct work *w, struct state *st, const struct place *p, node_id value)
{
    uint64_t address, read;

    FOR_CAPTURES(i, st->captures)
    {
        if (concrete_value(w, i, p->address, &address) &&
            recorded(w, i, false, address, p->size, &read))
            concrete_bind(w, i, value, read);
        else
            refuse(w, SYNTH_NOT_RECORDED, "%u bytes at %#llx", p->size,
                   (unsigned long long)address);
    }
}

void check_stored(struct work *w, struct state *st, const struct place *p, node_id value)
{
    uint64_t address, have, want;

    FOR_CAPTURES(i, st->captures)
    {
        if (!concrete_value(w, i, p->address, &address) ||
            !recorded(w, i, true, address, p->size, &want))
            continue;
        if (!concrete_value(w, i, value, &have) || have != want)
            refuse(w, SYNTH_DISAGREES, "stored at %#llx: %#llx, the path says %#llx",
                   (unsigned long long)address, (unsigned long long)want, (unsigned long long)have);
    }
}
