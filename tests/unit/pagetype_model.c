/* SPDX-License-Identifier: MIT */
#include "pagetype_model.h"

const unsigned int model_slot[SLOTS] = { 0, 1, 9, 256, 271, 511 };

bool model_slot_is_hv(unsigned int s)
{
    return model_slot[s] >= 256 && model_slot[s] <= 271;
}

struct work {
    const struct model *m;
    struct view *v;
    int queue[FRAMES], head, tail;
};

static void table_ref(struct work *w, uint64_t frame, int level, int dom)
{
    if (frame >= FRAMES || w->m->owner[frame] != dom) {
        w->v->valid = false;
        return;
    }
    w->v->trefs[frame]++;
    if (w->v->level[frame] == 0) {
        w->v->level[frame] = level;
        w->queue[w->tail++] = (int)frame;
    } else if (w->v->level[frame] != level) {
        w->v->valid = false;
    }
}

static void map_ref(struct work *w, const struct model_entry *e, int dom)
{
    uint64_t frame = E_FRAME(e->e);

    if (frame >= FRAMES || frame < FIRST_RAM) {
        /* Devices: the privileged domain's, within 36 bits of address. */
        if (dom != 0 || frame >= 1UL << 24)
            w->v->valid = false;
        if (frame >= FRAMES)
            return;
    } else if (!e->foreign && w->m->owner[frame] != dom) {
        w->v->valid = false;
    }
    if (e->e & E_RW)
        w->v->writable[frame]++;
    else
        w->v->readable[frame]++;
}

static void entry_ref(struct work *w, const struct model_entry *e, int level, int dom)
{
    if (!(e->e & E_P))
        return;
    if (level == 1)
        map_ref(w, e, dom);
    else if (e->e & E_PSE)
        w->v->valid = false;
    else
        table_ref(w, E_FRAME(e->e), level - 1, dom);
}

void model_derive(const struct model *m, const struct extra *x, struct view *v)
{
    struct work w = { .m = m, .v = v };

    *v = (struct view){ .valid = true };
    for (int f = 0; f < FRAMES; f++) {
        if (m->pinned[f])
            table_ref(&w, (uint64_t)f, m->pinned[f], m->owner[f]);
    }
    for (int d = 0; d < 2; d++) {
        if (m->kernel[d])
            table_ref(&w, m->kernel[d], 4, d);
        if (m->user[d])
            table_ref(&w, m->user[d], 4, d);
    }
    if (x && x->level)
        entry_ref(&w, &x->entry, x->level, x->dom);
    while (w.head < w.tail && v->valid) {
        int f = w.queue[w.head++];

        for (unsigned int s = 0; s < SLOTS; s++) {
            if (v->level[f] == 4 && model_slot_is_hv(s))
                continue;
            entry_ref(&w, &m->word[f][s], v->level[f], m->owner[f]);
        }
    }
    for (int f = 0; f < FRAMES; f++) {
        if (v->level[f] && v->writable[f])
            v->valid = false;
    }
}

void model_settle(struct model *m, const struct view *before, struct view *now, uint64_t hv_word)
{
    model_derive(m, 0, now);
    for (int f = FIRST_RAM; f < FRAMES; f++) {
        for (unsigned int s = 0; s < SLOTS; s++) {
            /* The hypervisor's slots come and go with the type. */
            if (model_slot_is_hv(s) && (now->level[f] == 4) != (before->level[f] == 4))
                m->word[f][s].e = now->level[f] == 4 ? hv_word : 0;
            if (now->level[f] != 1)
                m->word[f][s].foreign = false;
        }
        if (m->owner[f] != NO_OWNER && !m->alloc[f] && !now->trefs[f] && !now->writable[f] &&
            !now->readable[f]) {
            m->owner[f] = NO_OWNER;
            m->epoch[f]++;
            for (unsigned int s = 0; s < SLOTS; s++)
                m->word[f][s] = (struct model_entry){ 0, false };
        }
    }
}
